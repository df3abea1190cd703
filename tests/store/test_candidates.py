"""Approvals one by one: what need not be loaded again, and what an approved grant was worth when it was approved."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from snapbase.diff import Candidate
from snapbase.exposure import Effect
from snapbase.finding import Report
from snapbase.model import Grant, Limits, Observation, Outcome, Resource, ResourceType, Run, Scope
from snapbase.operations import approve as approving
from snapbase.operations import evidence, inventory
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store, tables
from snapbase.store.baselines import in_force
from snapbase.store.candidates import _candidates
from snapbase.store.database import reading as transaction
from snapbase.store.pins import NO_PINS, InForce
from tests.store.world import AMERICA, EUROPE, OUTSIDER, PUBLIC, grant, minute, reading, seen, snapshot

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1"
KEYS = Scope("aws", "111122223333", "eu-west-1", "aws.kms.key")
TRUST = b'{"own": ["111122223333"], "entries": []}'
PLACES = (EUROPE, AMERICA, Scope("aws", "444455556666", "eu-west-1", "aws.rds.snapshot"))
Thing = tuple[int, bool, Limits | None, frozenset[Grant] | None]
"""Value, whether it lies behind the key, its own limits, and who holds what."""
CLOSED, OPEN = Limits(admits=("111122223333",)), Limits(admits=(OUTSIDER.id,))


@dataclass
class Desk:
    """A store, and somebody who collects and approves; each step is a minute later."""

    store: Store
    now: int = 0
    run: Run = field(init=False)

    def collect(self, *observations: Observation, key: Limits | None = None, trust: bytes = TRUST) -> Report:
        number = self.store.begin_run("", "", minute(self.tick()))
        if key is not None:
            resource = Resource(uid=KEY, address=KEY, type=ResourceType.GUARDRAIL, limits=key)
            self.store.record(number, reading(KEYS, self.tick(), [seen(resource)]))
        self.store.record(number, reading(EUROPE, self.tick(), observations))
        self.run = self.store.finish_run(number, trust=trust, at=minute(self.tick()))
        return self.report()

    def report(self) -> Report:
        return diff(self.store, self.run, against_baseline(self.store, self.run))

    def approve(self, findings: Iterable[str] = (), **more: Any) -> Report:
        flags: dict[str, Any] = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(
            run=self.run,
            by="ada",
            reason="fine",
            findings=tuple(findings),
            **flags,
            **more,
        )
        approving.approve(self.store, approving.plan(self.store, request), at=minute(self.tick()))
        return self.report()

    def tick(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def desk(store_url: str) -> Iterator[Desk]:
    with Store.open(store_url, write=True) as store:
        yield Desk(store)


def _shared(*behind: str) -> Observation:
    resource = snapshot("a", guards=behind)
    return seen(resource, {grant()})


def _keyed() -> Observation:
    resource = snapshot("a", guards=(KEY,))
    return seen(replace(resource, key=KEY), {grant()})


def test_a_share_that_was_approved_behind_a_key_that_let_it_through_is_approved(desk: Desk) -> None:
    """Nothing was ever approved whole: as of the beginning nobody had read the key."""
    found = desk.collect(_keyed(), key=OPEN).findings

    assert desk.approve([each.id for each in found]).findings == ()
    assert desk.collect(_keyed(), key=OPEN).findings == ()


def test_a_share_that_was_approved_behind_a_wall_is_news_when_the_wall_falls(desk: Desk) -> None:
    """What stands in front and is no key of its own holds nothing back where it was not read."""
    found = desk.collect(_shared(KEY), key=CLOSED).findings
    assert desk.approve([each.id for each in found]).findings == ()

    (share,) = (each for each in desk.collect(_shared(KEY), key=OPEN).findings if each.rule == "unknown-account-share")

    assert (share.change.type, share.severity) == ("grant-worse", "critical")


def test_a_wall_that_is_not_read_is_said_of_the_wall_and_not_of_each_share_behind_it(desk: Desk) -> None:
    """What it held back is unknown, not harmless; and no news again when it stands as it did."""
    desk.collect(_shared(KEY), key=CLOSED)
    desk.approve()

    denied = _listed(desk, Outcome.DENIED)

    assert [each.rule for each in denied.findings] == ["coverage-lost"]
    assert not denied.complete
    assert _worth(desk) == {Effect.UNKNOWN}
    assert desk.collect(_shared(KEY), key=CLOSED).findings == ()
    assert _worth(desk) == {Effect.LATENT}


def test_a_wall_that_half_a_list_leaves_out_is_told_with_how_much_lies_behind_it(desk: Desk) -> None:
    other = seen(Resource(uid="other", address="other", type=ResourceType.GUARDRAIL))
    desk.collect(_shared(KEY), key=CLOSED)
    desk.approve()

    left_out = _listed(desk, Outcome.PARTIAL, other)

    assert sorted(each.rule for each in left_out.findings) == ["coverage-lost", "sharing-unreadable"]
    (wall,) = (each for each in left_out.findings if each.rule == "sharing-unreadable")
    assert "1 snapshot behind it" in wall.detail
    assert _worth(desk) == {Effect.UNKNOWN}
    assert desk.collect(_shared(KEY), key=OPEN).findings[0].change.type == "grant-worse"


def _listed(desk: Desk, outcome: str, *observations: Observation) -> Report:
    """Another run, in which the list of the guardrails was read like this."""
    number = desk.store.begin_run("", "", minute(desk.tick()))
    desk.store.record(number, reading(KEYS, desk.tick(), observations, outcome))
    desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))
    return desk.report()


def _worth(desk: Desk) -> set[str]:
    """What the shares behind the key are worth, as the inventory says it."""
    return {each.effect for listed in inventory.snapshots(desk.store, desk.run) for each in listed.exposures}


def test_of_a_guardrail_that_several_scopes_see_the_last_change_counts(desk: Desk) -> None:
    """A scope whose list fails keeps its old view of a key that another sees as it is."""
    far = replace(KEYS, location="us-east-1")
    desk.collect(_shared(KEY), key=CLOSED)
    number = desk.store.begin_run("", "", minute(desk.tick()))
    seen_there = seen(Resource(uid=KEY, address=KEY, type=ResourceType.GUARDRAIL, limits=CLOSED))
    desk.store.record(number, reading(far, desk.tick(), [seen_there]))
    desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))
    desk.approve()

    (share,) = (each for each in desk.collect(_shared(KEY), key=OPEN).findings if each.rule == "unknown-account-share")

    assert share.change.type == "grant-worse"


def test_what_was_held_back_from_the_first_approval_takes_no_wall_from_the_others(desk: Desk) -> None:
    """A pin as of the beginning was taken for the baseline: its grants were judged as if no wall had ever stood."""
    public = seen(snapshot("b"), {grant(PUBLIC)})
    found = desk.collect(_shared(KEY), public, key=CLOSED).findings
    desk.approve(excepted=tuple(each.id for each in found if each.rule == "public-share"))

    report = desk.collect(_shared(KEY), public, key=OPEN)

    assert sorted((each.change.type, each.subject.name) for each in report.findings) == [
        ("grant-added", "b"),
        ("grant-worse", "a"),
    ]


def test_that_one_is_there_approves_nothing_of_what_another_view_of_it_is_worth(desk: Desk) -> None:
    desk.collect(_shared(KEY), key=CLOSED)
    _elsewhere(desk)
    desk.approve()
    desk.collect(_shared())
    report = _elsewhere(desk, seen(snapshot("a")))

    appeared = [each.id for each in report.findings if each.change.type == "appeared"]

    assert {each.change.type for each in report.findings} == {"appeared", "grant-worse"}
    assert {each.change.type for each in desk.approve(appeared).findings} == {"grant-worse"}


def _elsewhere(desk: Desk, *observations: Observation) -> Report:
    number = desk.store.begin_run("", "", minute(desk.tick()))
    desk.store.record(number, reading(AMERICA, desk.tick(), observations))
    desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))
    return desk.report()


def test_that_a_share_works_by_now_can_be_approved_by_itself(desk: Desk) -> None:
    desk.collect(_shared(KEY), key=CLOSED)
    desk.approve()
    found = desk.collect(_shared(KEY), key=OPEN).findings
    assert "grant-worse" in {each.change.type for each in found}

    assert desk.approve([each.id for each in found]).findings == ()


def _asked(desk: Desk, at: int | None = None) -> list[str]:
    """What is compared, by the last part of its name."""
    against = against_baseline(desk.store, desk.run)
    when = minute(desk.now if at is None else at)
    found = desk.store.changes(against.rev, desk.run.last_rev, pins=against.pins, at=when)
    return sorted(f"{each.scope.location} {each.uid.rpartition('/')[2]}" for each in found)


def _approved(desk: Desk, **more: Any) -> None:
    found = desk.collect(seen(snapshot("a"), {grant()}), seen(snapshot("b"), {grant(PUBLIC)})).findings
    desk.approve([each.id for each in found], **more)


def test_what_is_as_it_was_approved_is_not_compared(desk: Desk) -> None:
    found = desk.collect(seen(snapshot("a"), {grant()}), seen(snapshot("b"), {grant(PUBLIC)})).findings
    assert len(_asked(desk)) == 2

    desk.approve([each.id for each in found])

    assert _asked(desk) == []


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(seen(snapshot("a"), {grant(condition="on Sundays")}), id="other terms"),
        pytest.param(seen(snapshot("a"), {grant(), grant(PUBLIC)}), id="one more"),
        pytest.param(seen(snapshot("a")), id="taken away"),
        pytest.param(seen(snapshot("a", value=1), {grant()}), id="another content"),
        pytest.param(seen(snapshot("a"), None), id="not read"),
        pytest.param(seen(snapshot("c")), id="gone"),
    ],
)
def test_what_differs_from_what_was_approved_is_compared(desk: Desk, now: Observation) -> None:
    _approved(desk)
    desk.collect(now, seen(snapshot("b"), {grant(PUBLIC)}))

    assert _asked(desk)
    assert not any(each.endswith("b") for each in _asked(desk))


@pytest.mark.parametrize("grants", [frozenset({grant()}), None], ids=["somebody may act in it", "not read any more"])
def test_what_lies_behind_a_container_is_compared_when_its_holders_change(
    desk: Desk, grants: frozenset[Grant] | None
) -> None:
    """Who may act in a project decides what a share out of it is worth, and no version of the project says who."""
    fence = Resource(uid=KEY, address=KEY, type=ResourceType.CONTAINER)

    def collect(held: frozenset[Grant] | None) -> None:
        number = desk.store.begin_run("", "", minute(desk.tick()))
        desk.store.record(number, reading(KEYS, desk.tick(), [seen(fence, held)]))
        desk.store.record(number, reading(EUROPE, desk.tick(), [_shared(KEY)]))
        desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))

    collect(frozenset())
    desk.approve()
    assert _asked(desk) == []

    collect(grants)

    assert f"{EUROPE.location} a" in _asked(desk)


def test_what_comes_up_in_a_second_scope_was_not_approved_there(desk: Desk) -> None:
    number = desk.store.begin_run("", "", minute(desk.tick()))
    desk.store.record(number, reading(AMERICA, desk.tick(), [seen(snapshot("b"))]))
    desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))
    desk.collect(seen(snapshot("a")))
    desk.approve(snapshots=(snapshot("a").uid,))
    number = desk.store.begin_run("", "", minute(desk.tick()))
    desk.store.record(number, reading(AMERICA, desk.tick(), [seen(snapshot("a")), seen(snapshot("b"))]))
    desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))

    assert len(_asked(desk)) == 1
    assert _asked(desk)[0].startswith(AMERICA.location)
    assert [each.change.type for each in desk.report().findings] == ["appeared"]


def test_what_shows_in_a_scope_that_was_never_listed_is_looked_at_though_nobody_s_grants_were_read(desk: Desk) -> None:
    shown, other = (replace(snapshot(name), attributes={"public": name == "a"}) for name in "ab")
    desk.collect(seen(shown, None), seen(other, None))

    assert [each.rule for each in desk.report().findings] == ["public-share"]
    assert desk.approve([each.id for each in desk.report().findings]).findings == ()


def test_an_approval_that_has_ended_counts_for_nothing(desk: Desk) -> None:
    desk.collect(seen(snapshot("a"), {grant()}))
    desk.approve([each.id for each in desk.report().findings], until=minute(30))

    assert (len(_asked(desk, 29)), len(_asked(desk, 30))) == (0, 1)


def test_a_holder_who_was_ours_when_it_was_approved_and_left_is_news(desk: Desk) -> None:
    """Each approval is judged by the list it was given under, also where nothing was approved whole."""
    found = desk.collect(seen(snapshot("a"), {grant()}), trust=_TRUSTS[1]).findings
    assert desk.approve([each.id for each in found]).findings == ()
    desk.collect(seen(snapshot("a"), {grant()}), trust=_TRUSTS[1])

    (lost,) = desk.collect(seen(snapshot("a"), {grant()}), trust=_TRUSTS[2]).findings

    assert (lost.rule, lost.change.type) == ("trust-lost", "grant-worse")


_TRUSTS = (
    TRUST,
    b'{"own": ["111122223333"], "members": ["999988887777"], "entries": []}',
    b'{"own": ["111122223333"], "former": ["999988887777"], "entries": []}',
    b'{"own": ["111122223333"], "entries": [{"id": "999988887777", "name": "", "reason": "backups",'
    b' "until": "", "kinds": []}]}',
)
_number = st.integers(0, 5)
_grants = st.none() | st.frozensets(st.sampled_from([grant(), grant(PUBLIC), grant(condition="on Sundays")]))
_limits = st.sampled_from([None, None, OPEN, CLOSED, Limits(unknown="not read"), Limits(blocks=("public",))])
_thing = st.tuples(st.integers(0, 1), st.booleans(), _limits, _grants)
_content = st.dictionaries(st.sampled_from("ab"), _thing, max_size=2)
_outcome = st.sampled_from(["complete", "complete", "partial"])
_until = st.sampled_from([None, None, 3, 10])
_step = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 2), _outcome, _content),
    st.tuples(st.just("read"), st.integers(0, 2), _outcome, _content),
    st.tuples(st.just("guard"), st.integers(0, 1), st.sampled_from([None, OPEN, CLOSED]), _outcome),
    st.tuples(st.just("guard"), st.integers(0, 1), st.none(), st.sampled_from(["denied", "partial"])),
    st.tuples(st.just("trust"), st.sampled_from(_TRUSTS)),
    st.tuples(st.just("some"), st.sets(_number, min_size=1), _until),
    st.tuples(st.just("some"), st.sets(_number, min_size=1), _until),
    st.tuples(st.just("thing"), st.sampled_from("ab")),
    st.tuples(st.just("whole"), st.sets(_number, max_size=2)),
    st.tuples(st.just("revoke"), _number),
)


class _Slow(Store):
    """Compares everything there ever was."""

    def changes(self, before: int, after: int, *, pins: InForce = NO_PINS, **_: Any) -> Iterator[Candidate]:
        with transaction(self._engine) as connection:
            every = list(connection.scalars(select(tables.resource.c.id)))
            yield from _candidates(connection, before, after, every, pins)


@dataclass
class Player(Desk):
    """Plays a history; after every step the shortcut must say what comparing everything says."""

    current: bytes = TRUST

    def play(self, steps: Iterable[tuple[Any, ...]]) -> None:
        for what, *details in steps:
            getattr(self, f"_{what}")(*details)
            self._check()

    def _check(self) -> None:
        against = against_baseline(self.store, self.run)
        quick = diff(self.store, self.run, against, at=minute(self.now))
        slow = diff(_Slow(self.store._engine), self.run, against, at=minute(self.now))
        assert quick == slow

    def _record(self, *readings: Any) -> None:
        number = self.store.begin_run("", "", minute(self.tick()))
        for each in readings:
            self.store.record(number, each)
        self.run = self.store.finish_run(number, trust=self.current, at=minute(self.tick()))

    def _read(self, place: int, outcome: str, content: dict[str, Thing]) -> None:
        found = [
            seen(replace(snapshot(name, value=value, guards=(KEY,) if behind else ()), limits=limits), grants)
            for name, (value, behind, limits, grants) in content.items()
        ]
        self._record(reading(PLACES[place], self.tick(), found, outcome))

    def _guard(self, place: int, limits: Limits | None, outcome: str = "complete") -> None:
        """As one of two scopes sees it; None: it sees none."""
        resource = Resource(uid=KEY, address=KEY, type=ResourceType.GUARDRAIL, limits=limits)
        scope = replace(KEYS, location=PLACES[place].location)
        self._record(reading(scope, self.tick(), [seen(resource)] if limits else [], outcome))

    def _trust(self, body: bytes) -> None:
        self.current = body
        self._record()

    def _some(self, numbers: set[int], minutes: int | None) -> None:
        found = [each.id for number, each in enumerate(self.report().findings) if number in numbers]
        if found:
            self.approve(found, until=minute(self.now + minutes) if minutes else None)

    def _thing(self, name: str) -> None:
        uid = snapshot(name).uid
        if {state.scope for state in self.store.states(self.run.last_rev, match=uid)}:
            self.approve(snapshots=(uid,))

    def _whole(self, excepted: set[int]) -> None:
        held = [each.id for number, each in enumerate(self.report().findings) if number in excepted]
        self.approve(excepted=tuple(held))

    def _revoke(self, number: int) -> None:
        lines = self.store.baselines()
        if number < len(lines) and number + 1 in {each.id for each in in_force(lines)}:
            evidence.revoke(self.store, number + 1, by="bob", reason="no", at=minute(self.tick()))


LEFT = [("trust", _TRUSTS[1]), ("read", 0, "complete", {"a": (0, False, None, frozenset({grant()}))}),
        ("some", {0, 1, 2}, None), ("trust", _TRUSTS[2]), ("trust", _TRUSTS[1])]  # fmt: skip
_HELD = {"a": (0, True, None, frozenset({grant()})), "b": (0, False, None, frozenset({grant(PUBLIC)}))}
STANDING = [("read", 0, "complete", _HELD), ("guard", 0, CLOSED), ("some", {0, 1, 2, 3}, None), ("trust", _TRUSTS[1]),
            ("guard", 0, OPEN), ("some", {0, 1}, 3), ("trust", _TRUSTS[2]), ("trust", _TRUSTS[0])]  # fmt: skip
TWICE = [("read", 0, "complete", _HELD), ("read", 1, "complete", {}), ("some", {0, 1, 2, 3}, None),
         ("read", 1, "complete", _HELD), ("thing", "a"), ("revoke", 0)]  # fmt: skip
_FREED, _BARE = {"a": (0, False, None, frozenset({grant()}))}, {"a": (0, False, None, frozenset[Grant]())}
ELSEWHERE = [("read", 1, "complete", {}), ("guard", 0, CLOSED), ("read", 0, "complete", _HELD), ("whole", set[int]()),
             ("read", 0, "complete", _FREED), ("read", 1, "complete", _BARE), ("some", {0}, None),
             ("some", {1}, None)]  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, max_size=9))
@example(steps=STANDING)
@example(steps=TWICE)
@example(steps=LEFT)
@example(steps=ELSEWHERE)
def test_the_shortcut_says_what_comparing_everything_says(
    fresh: Callable[[], Any], steps: list[tuple[Any, ...]]
) -> None:
    with fresh() as store:
        Player(store).play([("read", 0, "complete", {}), *steps])
