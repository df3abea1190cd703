"""One guardrail that several scopes see: whose view of it counts, and what they make of it together."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from snapbase.model import Grant, Limits, Outcome, Resource, ResourceType, Scope
from snapbase.store import Store
from tests.store.world import OUTSIDER, grant, minute, reading, seen

KEY = "projects/vault/locations/eu/keyRings/r/cryptoKeys/k"
HERE = Scope("gcp", "here", "global", "gcp.kms.key")
THERE = replace(HERE, account="there")
CLOSED, OPEN = Limits(admits=("111122223333",)), Limits(admits=(OUTSIDER.id,))
EITHER = Limits(admits=("111122223333", OUTSIDER.id))
BLOCKED = Limits(blocks=("public",), admits=("1",))
UNREAD = Limits(unknown="not every policy was read")
COMPLETE, PARTIAL, REFUSED = Outcome.COMPLETE, Outcome.PARTIAL, Outcome.DENIED
Step = tuple[Scope, str, Limits | None]
"""A scope, how its list was read, and what was made of the key; None: it was not listed."""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def _key(limits: Limits | None) -> Resource:
    return Resource(uid=KEY, address=KEY, type=ResourceType.GUARDRAIL, limits=limits)


def _after(store: Store, *steps: Step) -> Limits | None:
    """What the key is in the end; None where it is not known."""
    run = store.begin_run("", "", minute(0))
    for at, (scope, outcome, limits) in enumerate(steps, 1):
        store.record(run, reading(scope, at, [] if limits is None else [seen(_key(limits))], outcome))
    found = store.guards(store.head(), {KEY}).get(KEY)
    return None if found is None else found.resource.limits


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(HERE, COMPLETE, CLOSED), (HERE, REFUSED, None)], CLOSED, id="alone and not read any more"),
        pytest.param([(HERE, COMPLETE, OPEN), (THERE, PARTIAL, UNREAD)], OPEN, id="unread elsewhere later"),
        pytest.param([(THERE, PARTIAL, UNREAD), (HERE, COMPLETE, OPEN)], OPEN, id="unread elsewhere before"),
        pytest.param([(HERE, COMPLETE, CLOSED), (THERE, PARTIAL, UNREAD)], CLOSED, id="closed, unread elsewhere"),
        pytest.param([(HERE, COMPLETE, BLOCKED), (THERE, PARTIAL, UNREAD)], BLOCKED, id="blocked, unread elsewhere"),
        pytest.param(
            [(HERE, COMPLETE, CLOSED), (THERE, COMPLETE, OPEN), (THERE, COMPLETE, None)],
            CLOSED,
            id="gone where it was another, and read here",
        ),
        pytest.param([(HERE, PARTIAL, UNREAD), (THERE, PARTIAL, UNREAD)], UNREAD, id="unread everywhere"),
        pytest.param(
            [(THERE, COMPLETE, OPEN), (THERE, REFUSED, None), (HERE, COMPLETE, CLOSED)],
            CLOSED,
            id="closed since the other scope was read",
        ),
        pytest.param(
            [(HERE, COMPLETE, CLOSED), (THERE, PARTIAL, OPEN)], EITHER, id="opened since the complete scope was read"
        ),
        pytest.param([(HERE, COMPLETE, OPEN), (HERE, COMPLETE, None)], None, id="gone"),
        pytest.param(
            [(THERE, COMPLETE, CLOSED), (HERE, COMPLETE, CLOSED), (THERE, REFUSED, None), (HERE, COMPLETE, None)],
            CLOSED,
            id="gone where nothing else was known",
        ),
    ],
)
def test_the_view_of_a_scope_that_was_read_counts(store: Store, steps: list[Step], expected: Limits | None) -> None:
    assert _after(store, *steps) == expected


@pytest.mark.parametrize("order", [(HERE, THERE), (THERE, HERE)])
def test_what_one_of_two_views_lets_through_is_not_held_back(store: Store, order: tuple[Scope, Scope]) -> None:
    first, second = order
    blind = Limits(blocks=("public", "bearer"), admits=("1",))

    found = _after(store, (first, COMPLETE, blind), (second, COMPLETE, Limits(blocks=("public",), admits=("2", "1"))))

    assert found == Limits(blocks=("public",), admits=("1", "2"))


def test_no_restriction_is_the_least_of_two(store: Store) -> None:
    assert _after(store, (HERE, COMPLETE, Limits(blocks=("public",))), (THERE, COMPLETE, CLOSED)) == Limits()


def test_whom_an_unread_policy_lets_in_for_certain_is_let_in(store: Store) -> None:
    half = replace(OPEN, unknown="one of two was read")

    assert _after(store, (HERE, PARTIAL, UNREAD), (THERE, PARTIAL, half)) == half


def test_an_old_view_does_not_come_back_where_a_later_one_is_gone(store: Store) -> None:
    """Nothing in the other project names the key any more; what it let through there, it may let through yet."""
    found = _after(
        store,
        (THERE, COMPLETE, CLOSED),
        (THERE, REFUSED, None),
        (HERE, COMPLETE, OPEN),
        (HERE, COMPLETE, None),
    )

    assert found is not None
    assert (found.admits, bool(found.unknown)) == (CLOSED.admits, True)


def test_every_revision_is_told_by_what_was_complete_then(store: Store) -> None:
    _after(store, (THERE, COMPLETE, OPEN), (HERE, COMPLETE, CLOSED))
    before = store.head()
    _after(store, (THERE, COMPLETE, OPEN), (THERE, REFUSED, None), (HERE, COMPLETE, CLOSED))

    told = [store.guards(rev, {KEY})[KEY].resource.limits for rev in (before, store.head())]

    assert told == [EITHER, CLOSED]


@pytest.mark.parametrize("order", [(HERE, THERE), (THERE, HERE)])
@pytest.mark.parametrize("read", [True, False])
def test_the_holders_of_a_container_are_those_that_were_read_last(
    store: Store, order: tuple[Scope, Scope], read: bool
) -> None:
    run = store.begin_run("", "", minute(0))
    held: dict[Scope, tuple[Grant, ...] | None] = {HERE: (grant(),), THERE: () if read else None}
    for at, scope in enumerate(order, 1):
        container = Resource(uid=KEY, address=KEY, type=ResourceType.CONTAINER)
        store.record(run, reading(scope, at, [seen(container, held[scope])]))

    found = store.guards(store.head(), {KEY})[KEY]

    last = order[1] if read else HERE
    assert (found.scope, found.grants, found.miss) == (last, frozenset(held[last] or ()), None)


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        pytest.param([(HERE, COMPLETE, CLOSED)], "", id="read"),
        pytest.param([(HERE, COMPLETE, CLOSED), (HERE, REFUSED, None)], "2026", id="its scope is denied"),
        pytest.param([(HERE, COMPLETE, CLOSED), (HERE, PARTIAL, None)], "2026", id="left out by half a list"),
        pytest.param([(HERE, COMPLETE, CLOSED), (HERE, PARTIAL, CLOSED)], "", id="shown by half a list"),
        pytest.param(
            [(HERE, COMPLETE, CLOSED), (HERE, PARTIAL, None), (HERE, REFUSED, None), (HERE, PARTIAL, CLOSED)],
            "",
            id="shown again",
        ),
        pytest.param([(THERE, COMPLETE, CLOSED), (HERE, COMPLETE, CLOSED), (HERE, REFUSED, None)], "", id="read there"),
    ],
)
def test_a_guardrail_that_no_scope_could_see_this_time_says_so(store: Store, steps: list[Step], since: str) -> None:
    _after(store, *steps)

    found = store.guards(store.head(), {KEY})[KEY]

    assert found.resource.limits == CLOSED
    assert found.unseen.startswith(f"not read since {since}") if since else not found.unseen


def test_since_when_a_guardrail_is_unseen_does_not_move_with_the_words_of_each_failure(store: Store) -> None:
    _after(store, (HERE, COMPLETE, CLOSED), (HERE, REFUSED, None))
    first = store.guards(store.head(), {KEY})[KEY].unseen
    run = store.begin_run("", "", minute(60))
    store.record(run, reading(HERE, 60, [], Outcome.THROTTLED))

    again = store.guards(store.head(), {KEY})[KEY].unseen

    assert (first.split(": ")[0], first != again) == (again.split(": ")[0], True)
