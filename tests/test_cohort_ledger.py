"""Many verdicts, few lines: heartbeats, one change for each broken invariant, one for what has stopped."""

from typing import Any

from snapbase.diff import ChangeType
from snapbase.rotation.cohort import Approved, place_of
from snapbase.rotation.ledger import Ledger, stopped, stopped_change
from snapbase.rotation.verdict import Jury, judge
from tests.test_cohort import AROUND, COHORT, DAY, HERE, JURY, NOW, POLICY, SAID, passage, past, proposal, snapshot


def test_a_source_without_a_new_point_for_twice_its_cadence_has_stopped() -> None:
    here, there = (place_of(passage(snapshot(1, NOW, name)).state) for name in ("vol-1", "vol-2"))
    newest = {here: NOW - 3 * DAY, there: NOW - DAY}

    assert [place for place, _ in stopped(COHORT, newest, {HERE: NOW})] == [here]
    assert list(stopped(COHORT, newest, {})) == []  # not read completely: nothing is known
    change = stopped_change(POLICY, stopped(COHORT, {}, {HERE: NOW}))
    assert change is not None
    assert (change.type, change.count, len(change.covers)) == (ChangeType.BACKUP_STOPPED, 2, 2)


def test_a_broken_invariant_is_one_line_however_many_break_it() -> None:
    ledger = Ledger(JURY.cohorts, "1")
    for number in range(1000):
        each = passage(snapshot(number, NOW, key="theirs"))
        ledger.add(each, judge(each, JURY, AROUND))
    gone = passage(snapshot(2000, NOW - DAY), came=False, went_at=NOW)
    ledger.add(gone, judge(gone, JURY, AROUND))
    early, key = sorted(ledger.changes(), key=lambda each: each.type)

    assert (key.type, key.count, len(key.examples), len(key.covers)) == (ChangeType.ORIGIN_VIOLATED, 1000, 3, 1000)
    assert (early.type, early.count) == (ChangeType.EARLY_DELETION, 1)
    assert key.scope == HERE


def test_low_trust_is_counted_and_sampled_and_nobody_can_choose_to_stay_out() -> None:
    weak: dict[str, Any] = {"origin": None, "tags": {"pipeline": "ci"}}
    cohort = proposal(past(**weak)).cohort
    jury = Jury({cohort.origin: Approved(cohort, SAID, low_trust=True)})
    shown = []
    for run in "12":
        ledger = Ledger(jury.cohorts, run)
        for number in range(1000):
            each = passage(snapshot(number, NOW, **weak))
            ledger.add(each, judge(each, jury, AROUND))
        (beat,) = ledger.heartbeats()
        shown.append(beat)

    assert [(each.low_trust, each.appeared, len(each.samples)) for each in shown] == [(True, 1000, 3)] * 2
    assert shown[0].samples != shown[1].samples
