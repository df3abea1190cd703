"""What one reading leaves behind."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from sqlalchemy import Engine, event

from snapbase.errors import StaleReading
from snapbase.model import ANYWHERE, Aspect, Coverage, Limits, Outcome, Principal, Reading, Resource, Scope
from snapbase.store import Store, codec
from tests.store.world import (
    AMERICA,
    DENIED,
    EPOCH,
    EUROPE,
    OUTSIDER,
    PUBLIC,
    grant,
    minute,
    reading,
    seen,
    snapshot,
)


def _begin(store: Store) -> int:
    return store.begin_run("", "config", EPOCH)


def test_an_unchanged_scope_moves_no_clock(store: Store) -> None:
    run = _begin(store)
    found = [seen(snapshot("a"), {grant()}), seen(snapshot("b"), None)]

    assert store.record(run, reading(EUROPE, 1, found)).rev == 1
    assert store.record(run, reading(EUROPE, 2, found)).rev is None
    assert store.head() == 1


def test_an_unchanged_scope_is_not_loaded(store: Store) -> None:
    run = _begin(store)
    found = [seen(snapshot("a"), {grant()}), seen(snapshot("b"))]
    store.record(run, reading(EUROPE, 1, found))
    asked: list[str] = []
    event.listen(Engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    store.record(run, reading(EUROPE, 2, reversed(found)))
    unchanged = " ".join(asked)
    store.record(run, reading(EUROPE, 3, [*found, seen(snapshot("c"))]))

    assert "FROM resource" not in unchanged
    assert "FROM resource" in " ".join(asked)


def test_the_same_content_under_another_uid_is_another_thing(store: Store) -> None:
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a"))]))

    again = store.record(run, reading(EUROPE, 2, [seen(replace(snapshot("a"), uid="another"))]))

    assert (again.opened, again.closed) == (1, 1)


def test_digests_that_add_up_to_the_same_do_not_stand_for_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum can be hit by choosing the tags of a thousand snapshots: here two digests are given another split."""
    values = iter((3, 5, 4, 4))
    encode = codec.encode
    run = _begin(store)
    found = [seen(snapshot("a")), seen(snapshot("b"))]
    monkeypatch.setattr(codec, "encode", lambda each: (*encode(each)[:2], f"{next(values, 4):064x}"))
    store.record(run, reading(EUROPE, 1, found))

    assert store.record(run, reading(EUROPE, 2, found)).rev is not None


def test_what_was_missed_once_is_compared_again(store: Store) -> None:
    """The digest of a scope stands only for what was read whole."""
    run = _begin(store)
    shared, unshared = [seen(snapshot("a"), {grant()})], [seen(snapshot("a"))]
    for at, found in enumerate((unshared, [seen(snapshot("a"), None)], unshared, shared, shared, unshared)):
        store.record(run, reading(EUROPE, at, found))

    assert [state.grants for state in store.states(store.head())] == [frozenset()]
    assert store.coverage(store.head()) == []


def test_a_listing_that_failed_does_not_make_a_scope_look_empty(store: Store) -> None:
    """`skip` may leave out what held nothing, and must not take a denied scope for such."""
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a")), seen(snapshot("b"))]))
    store.record(run, reading(EUROPE, 2, [], Outcome.DENIED, Outcome.DENIED))

    assert store.known_scopes() == {EUROPE: 2}


def test_what_was_not_listed_is_never_gone(store: Store) -> None:
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a")), seen(snapshot("b"))]))

    for at, outcome in enumerate((Outcome.PARTIAL, Outcome.DENIED, Outcome.THROTTLED, Outcome.FAILED), start=2):
        store.record(run, reading(EUROPE, at, [seen(snapshot("a"))], outcome, outcome))
        assert sum(store.counts(store.head()).values()) == 2
    store.record(run, reading(EUROPE, 9, [seen(snapshot("a"))]))

    assert [state.resource.name for state in store.states(store.head())] == ["a"]


def test_unread_grants_keep_the_last_known_ones(store: Store) -> None:
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a"), {grant()}), seen(snapshot("b"), None)]))
    store.record(run, reading(EUROPE, 2, [seen(snapshot("a"), None), seen(snapshot("b"), ())]))

    known, read = sorted(store.states(store.head()), key=lambda state: state.resource.uid)
    assert (known.grants, known.miss) == (frozenset({grant()}), DENIED)
    assert (read.grants, read.miss) == (frozenset(), None)
    never = next(state for state in store.states(1) if state.resource.name == "b")
    assert (never.grants, never.miss) == (None, DENIED)


def test_a_reading_that_began_earlier_is_refused(store: Store) -> None:
    run = _begin(store)
    store.record(run, reading(EUROPE, 5, [seen(snapshot("a"))]))

    with pytest.raises(StaleReading):
        store.record(run, reading(EUROPE, 4, []))

    assert [state.resource.name for state in store.states(store.head())] == ["a"]


def test_an_account_that_cannot_be_entered_loses_every_scope_and_deletes_nothing(store: Store) -> None:
    run = _begin(store)
    other = Scope("aws", "444455556666", "eu-west-1", EUROPE.kind)
    for scope in (EUROPE, AMERICA, other):
        store.record(run, reading(scope, 1, [seen(snapshot("a"))]))
    account = Scope("aws", EUROPE.account, ANYWHERE, ANYWHERE)
    refused = Coverage(account, Aspect.LIST, Outcome.DENIED, "sts:AssumeRole denied")

    store.record(run, Reading(account, minute(2), (), (refused,)))

    lost = {gap.scope for gap, _ in store.coverage(store.head())}
    assert {EUROPE, AMERICA} <= lost
    assert other not in lost
    assert sum(store.counts(store.head()).values()) == 3
    store.record(run, reading(EUROPE, 3, [seen(snapshot("a"))]))
    assert EUROPE not in {gap.scope for gap, _ in store.coverage(store.head())}


def test_a_gap_says_since_which_run(store: Store) -> None:
    runs = [_begin(store) for _ in range(4)]
    store.record(runs[0], reading(EUROPE, 1))
    store.record(runs[1], reading(EUROPE, 2, (), Outcome.THROTTLED))
    store.record(runs[2], reading(EUROPE, 3, (), Outcome.DENIED))

    gaps = [(gap.outcome, since) for gap, since in store.coverage(store.head()) if gap.aspect == Aspect.LIST]

    assert gaps == [(Outcome.DENIED, runs[1])]


def test_a_resource_comes_back_whole(store: Store) -> None:
    """Every field, with time zones, hostile text and all."""
    hostile = "\u202e<script>\x1b[31m=cmd|'\u0001 ünï 🦊"
    resource = Resource(
        uid="u" + hostile,
        address="/subscriptions/" + hostile,
        type="guardrail",
        name=hostile,
        created_at=EPOCH.astimezone(timezone(timedelta(hours=2))),
        owner="1",
        source=hostile,
        origin="schedule:x",
        encrypted=None,
        key="key",
        guards=("b", "a"),
        limits=Limits(blocks=("public",), admits=("1", "2"), unknown="perhaps"),
        attributes={"nested": {"list": [1, 2.5, None, True]}, hostile: hostile},
        facts={"lock": None},
        tags={hostile: hostile, "": ""},
        subject="other",
        inferred="cannot be shared: AWS-managed key",
    )
    ends = {
        grant(Principal("user", hostile)),
        grant(PUBLIC, hostile),
        type(grant())(OUTSIDER, "read", "way", "", EPOCH + timedelta(seconds=1)),
    }
    store.record(_begin(store), reading(EUROPE, 1, [seen(resource, ends)]))

    (state,) = store.states(1)

    assert state.resource == resource
    assert state.grants == frozenset(ends)


def test_text_no_database_can_hold_does_not_stop_a_run(store: Store) -> None:
    """A NUL byte and a lone surrogate are legal in the JSON a cloud sends."""
    resource = snapshot("a")
    broken = Resource(
        uid=resource.uid, address=resource.address, name="nul\x00 surrogate\ud800", tags={"k\x00": "\udfff"}
    )

    store.record(_begin(store), reading(EUROPE, 1, [seen(broken, {grant(Principal("user", "x\x00\ud800"))})]))

    (state,) = store.states(1)
    assert state.resource.uid == resource.uid
    assert len(state.grants or ()) == 1


def test_a_duplicate_within_a_reading_counts_once(store: Store) -> None:
    found = [seen(snapshot("a", value=1)), seen(snapshot("a", value=2), {grant()})]

    store.record(_begin(store), reading(EUROPE, 1, found))

    (state,) = store.states(1)
    assert (state.resource.facts["size"], state.grants) == (2, frozenset({grant()}))


def test_a_flip_of_inferred_alone_writes_nothing(store: Store) -> None:
    run = _begin(store)
    plain = snapshot("a")
    inferred = Resource(
        **{name: getattr(plain, name) for name in Resource.__dataclass_fields__} | {"inferred": "AWS-managed key"}
    )
    store.record(run, reading(EUROPE, 1, [seen(plain)]))

    assert store.record(run, reading(EUROPE, 2, [seen(inferred)])).rev is None


def test_the_digest_of_a_value_is_the_one_that_stores_hold() -> None:
    """Another canonical form would open a version of everything once more."""
    assert (
        codec.encode(snapshot("a", guards=("key-1",)))[-1]
        == "e1765cde098e511989ebf72a8ca1263f4f6cddf1e0f4257a5731a8e0076088b6"
    )


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"attributes": {"count": 1}}, {"attributes": {"count": True}}),
        ({"attributes": {"count": 1}}, {"attributes": {"count": 1.0}}),
        ({"encrypted": None}, {"encrypted": False}),
        ({"guards": ("a", "b")}, {"guards": ("b", "a")}),
        ({"limits": None}, {"limits": Limits()}),
        ({"limits": Limits(admits=())}, {"limits": Limits(admits=None)}),
        ({"source": "x", "origin": None}, {"source": None, "origin": "x"}),
        ({"key": None}, {"key": ""}),
    ],
)
def test_what_equals_in_python_alone_is_not_the_same(
    store: Store, was: dict[str, object], now: dict[str, object]
) -> None:
    """What many resources share is encoded once for all of them."""
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(replace(snapshot("a"), **was))]))  # type: ignore[arg-type]

    again = store.record(run, reading(EUROPE, 2, [seen(replace(snapshot("a"), **now))]))  # type: ignore[arg-type]

    assert (again.opened, again.closed) == (1, 1)
    (state,) = store.states(store.head())
    assert {name: getattr(state.resource, name) for name in now} == now


def test_guards_are_found_and_counted(store: Store) -> None:
    run = _begin(store)
    keys = Scope("aws", EUROPE.account, "eu-west-1", "aws.kms.key")
    key = Resource(uid="key-1", address="key-1", type="guardrail", limits=Limits(admits=("1",)))
    store.record(run, reading(keys, 1, [seen(key)]))
    store.record(run, reading(EUROPE, 1, [seen(snapshot(str(n), guards=("key-1",)), {grant()}) for n in range(3)]))
    before = store.head()
    opened = Resource(uid="key-1", address="key-1", type="guardrail", limits=Limits(admits=("*",)))
    store.record(run, reading(keys, 2, [seen(opened)]))
    store.record(run, reading(EUROPE, 2, [seen(snapshot("0", guards=("key-1",)), {grant()})]))

    assert store.below(before, {"key-1"}) == {"key-1": 3}
    assert store.below(store.head(), {"key-1"}) == {"key-1": 1}
    assert store.guards(before, {"key-1", "nowhere"})["key-1"].resource == key
    assert store.guards(store.head(), {"key-1"})["key-1"].resource == opened
    behind = {each.uid for each in store.changes(before, before + 1)}
    assert behind == {"key-1", *(snapshot(str(n)).uid for n in range(3))}


def test_history_is_every_stretch_of_a_life(store: Store) -> None:
    run = _begin(store)
    uid = snapshot("a").uid
    for at, found in enumerate(
        (
            [seen(snapshot("a"))],
            [seen(snapshot("a"), {grant()})],
            [seen(snapshot("a", value=1), {grant()})],
            [],
            [seen(snapshot("a", value=1))],
        )
    ):
        store.record(run, reading(EUROPE, at, found))

    story = [(rev, bool(state.grants), state.resource.facts["size"], closed is None)
             for _, closed, rev, state, *_ in store.history(uid)]  # fmt: skip

    assert sorted(story) == [(1, False, 0, False), (2, True, 0, False), (3, True, 1, False), (5, False, 1, True)]


def test_what_was_gone_and_is_back_unread_is_not_unshared(store: Store) -> None:
    run = _begin(store)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a"), {grant()}), seen(snapshot("b"))]))
    store.record(run, reading(EUROPE, 2))

    store.record(run, reading(EUROPE, 3, [seen(snapshot("a"), None), seen(snapshot("b"), None)], shared=Outcome.DENIED))

    assert {state.miss for state in store.states(store.head())} == {DENIED}
