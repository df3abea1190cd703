"""The approval log: append-only, chained, and what is in force at any of its lines."""

from dataclasses import replace
from typing import Any

import pytest

from snapbase.model import Approval, Baseline, BaselineScope, Pin
from snapbase.store import Store
from snapbase.store.baselines import NewLine
from snapbase.store.pins import NO_PINS, InForce
from tests.store.world import EUROPE, grant, minute, reading, seen, snapshot

UID = snapshot("a").uid
SOMEBODY = Approval("alice", minute(10), "reviewed", "T-1", minute(500))


def _append(store: Store, scope: str, rev: int, *pins: Pin, approval: Approval = SOMEBODY) -> Baseline:
    said: dict[str, Any] = {"approval": approval, "claimed": {"user": "root"}, "entries": len(pins)}
    return store.append_baseline(NewLine(scope=scope, run_id=1, rev=rev, trust_id=None, pins=pins, **said))


def _pin(rev: int, entry: str = "presence", *, held: bool = False) -> Pin:
    return Pin(UID, entry, rev, None, SOMEBODY, held)


@pytest.fixture
def store(store: Store) -> Store:
    """With three readings of one scope."""
    store.begin_run("", "config", minute(0))
    for at in range(1, 4):
        store.record(1, reading(EUROPE, at, [seen(snapshot("a", value=at))]))
    return store


def test_nothing_is_in_force_before_the_first_approval(store: Store) -> None:
    assert store.effective(None) == (None, NO_PINS)
    assert list(store.baselines()) == []


def test_an_approval_comes_back_as_it_was_given(store: Store) -> None:
    made = _append(store, BaselineScope.WHOLE, 2, _pin(1, held=True))

    (kept,) = store.baselines()
    assert kept == made
    assert replace(kept.approval, baseline_id=None) == SOMEBODY
    assert (kept.scope, kept.rev, kept.run_id, kept.claimed, kept.entries) == ("whole", 2, 1, {"user": "root"}, 1)
    baseline, pins = store.effective(None)
    assert baseline == made
    (pin,) = store.pins_on(pins, {UID})[UID]
    assert (pin.subject, pin.entry, pin.rev, pin.held) == (UID, "presence", 1, True)
    assert replace(pin.approval, baseline_id=None) == SOMEBODY


def test_later_partial_approvals_lie_on_top_newest_first(store: Store) -> None:
    _append(store, BaselineScope.PARTIAL, 0, _pin(1, "before"))
    whole = _append(store, BaselineScope.WHOLE, 2, _pin(1, "held", held=True))
    _append(store, BaselineScope.PARTIAL, 2, _pin(2, "x"))
    newest = _append(store, BaselineScope.PARTIAL, 2, _pin(3, "x"))

    baseline, pins = store.effective(None)

    assert baseline is not None
    assert baseline.rev == whole.rev
    assert _counting(store, pins) == [("x", 3), ("x", 2), ("held", 1)]
    assert _counting(store, store.effective(newest.id - 1)[1]) == [("x", 2), ("held", 1)]
    assert [pin.rev for pin in store.pins_of(pins, ("x", "presence"))] == [3, 2]


def _counting(store: Store, pins: InForce) -> list[tuple[str, int]]:
    return [(pin.entry, pin.rev) for pin in store.pins_on(pins, {UID, "something else"})[UID]]


def test_every_line_holds_the_hash_of_the_one_before(store: Store) -> None:
    first = _append(store, BaselineScope.WHOLE, 1)
    second = _append(store, BaselineScope.WHOLE, 1)

    assert first.hash != second.hash
    assert len(second.hash) == 64


def test_pins_bring_their_subject_as_it_was(store: Store) -> None:
    _append(store, BaselineScope.PARTIAL, 0, _pin(1), _pin(2))

    (candidate,) = store.changes(3, 3, pins=store.effective()[1])

    assert candidate.uid == UID
    was = [(each.pin.rev, each.state.resource.facts["size"]) for each in candidate.pins if each.state]
    assert was == [(2, 2), (1, 1)]
    assert all(each.absence_known for each in candidate.pins)


def test_a_pin_before_its_subject_pins_absence(store: Store) -> None:
    store.record(1, reading(EUROPE, 5, [seen(snapshot("a", value=3)), seen(snapshot("b"), {grant()})]))
    _append(store, BaselineScope.PARTIAL, 0, replace(_pin(3), subject=snapshot("b").uid))

    (candidate,) = store.changes(4, 4, pins=store.effective()[1])

    assert [(each.state, each.absence_known) for each in candidate.pins] == [(None, True)]
