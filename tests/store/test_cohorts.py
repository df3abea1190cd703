"""Approved cohorts in the store and in a diff: what they account for, and what they list."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from snapbase.model import Aspect, Coverage, Observation, Outcome, Reading, Resource, ResourceType
from snapbase.operations.diff import against_run
from tests.store import rotating
from tests.store.rotating import (
    DAY,
    HERE,
    KEEP,
    ORIGIN,
    POLICY,
    START,
    STRANGER,
    World,
    learn,
    points,
    rules,
    snapshot,
)


def test_a_day_of_work_is_one_line(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    report = world.report()

    assert report.findings == ()
    assert (report.summary.expected_appeared, report.summary.expected_disappeared) == (2, 2)
    (beat,) = report.summary.cohorts
    assert (beat.origin, beat.appeared, beat.disappeared, beat.sources) == (ORIGIN, 2, 2, 2)


def test_a_month_later_it_is_still_quiet(world: World) -> None:
    day = learn(world)
    for later in range(30):
        world.read(day + later, points(day + later))
    report = world.report()

    assert report.findings == ()
    assert report.summary.expected_appeared == report.summary.expected_disappeared == 60


def test_a_share_is_listed_whoever_made_the_snapshot(world: World) -> None:
    day = learn(world)
    there = points(day)
    new, old = snapshot(day).uid, snapshot(day - 3).uid
    world.read(day, there, {new: frozenset({STRANGER}), old: frozenset({STRANGER})})
    found = {(finding.rule, finding.subject.uid) for finding in world.report().findings}

    assert {("unknown-account-share", new), ("unknown-account-share", old)} <= found


def test_another_key_is_one_line_until_it_is_approved(world: World) -> None:
    day = learn(world)
    world.read(day, points(day) | {name: replace(each, key="theirs") for name, each in points(day).items()
                                   if each.uid in (snapshot(day).uid, snapshot(day, "vol-2").uid)})  # fmt: skip
    (finding,) = world.report().findings

    assert (finding.rule, finding.entry, finding.count) == ("origin-violated", "cohort:key", 2)
    assert "theirs" in finding.detail
    assert {subject for subject, _ in finding.covers} == {snapshot(day).uid, snapshot(day, "vol-2").uid}
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_a_young_one_that_goes_is_early_even_if_it_came_after_the_baseline(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later))
    there = points(day + 3)
    del there[snapshot(day + 1).uid]
    world.read(day + 3, there)
    (finding,) = world.report().findings

    assert (finding.rule, finding.entry) == ("early-deletion", "cohort:retention")
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_a_young_one_of_a_new_source_that_goes_is_early(world: World) -> None:
    day = learn(world)
    world.read(day, points(day, "vol-1", "vol-2", "vol-9"))
    (grown,) = world.report().findings
    world.approve(findings=(grown.id,))

    world.read(day + 1, points(day + 1))

    (early, grew) = world.report().findings
    assert (early.rule, early.entry, early.count) == ("early-deletion", "cohort:retention", KEEP - 1)
    assert (grew.entry, grew.count) == ("cohort:source", KEEP)


def test_what_a_killed_run_saw_go_is_as_old_as_it_was_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks for two weeks, and by then it would have been old enough."""
    monkeypatch.setattr(rotating, "START", datetime.now(UTC) - 10 * DAY)
    day = learn(world)
    there = points(day)
    del there[snapshot(day - 1).uid]
    killed = world.store.begin_run("", "", datetime.now(UTC))
    coverage = tuple(Coverage(HERE, aspect, Outcome.COMPLETE) for aspect in Aspect)
    found = [Observation(each, frozenset()) for each in there.values()]
    world.store.record(killed, Reading(HERE, datetime.now(UTC), found, coverage))

    world.read(day + 14, points(day + 14))

    (early,) = world.report().findings
    assert (early.rule, early.entry) == ("early-deletion", "cohort:retention")


def test_a_source_without_new_points_has_stopped_until_that_is_approved(world: World) -> None:
    day = learn(world)
    for later in range(3):
        there = points(day + later, "vol-1") | {
            name: each for name, each in points(day - 1, "vol-2").items() if later < 2 or each.source == "vol-2"
        }
        world.read(day + later, there)
    (finding,) = world.report().findings

    assert (finding.rule, finding.count, finding.change.after) == ("backup-stopped", 1, ["vol-2"])
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_a_stopped_source_that_was_held_back_stays(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1") | points(day - 1, "vol-2"))
    (finding,) = world.report().findings
    world.approve(excepted=(finding.id,))

    assert rules(world.report()) == {"backup-stopped": 1}


def test_a_whole_approval_accepts_that_a_source_has_stopped(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1") | points(day - 1, "vol-2"))
    assert rules(world.report()) == {"backup-stopped": 1}
    world.approve()
    world.read(day + 3, points(day + 3, "vol-1") | points(day - 1, "vol-2"))

    assert world.report().findings == ()


def test_what_was_not_read_has_not_stopped(world: World) -> None:
    day = learn(world)
    for later in range(4):
        world.read(day + later, {}, outcome=Outcome.DENIED)

    assert "backup-stopped" not in rules(world.report())
    assert "early-deletion" not in rules(world.report())


def test_a_new_source_is_one_line_and_silent_once_approved(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1", "vol-2", "vol-3"))
    found = [each for each in world.report().findings if each.entry == "cohort:source"]

    assert [(each.rule, each.count) for each in found] == [("origin-violated", 7)]
    world.approve_origin()
    assert rules(world.report()) == {}


def test_a_changed_policy_is_said_of_what_it_made(world: World) -> None:
    def policy(retain: int) -> dict[str, Resource]:
        address = "arn:aws:dlm:eu-west-1:111122223333:policy/policy-1"
        facts = {"schedule 1": {"retain": retain}}
        return {address: Resource(uid=address, address=address, type=ResourceType.POLICY, facts=facts)}

    world.read(0, policy(5), scope=POLICY)
    day = learn(world)
    world.read(day, points(day))
    world.read(day + 1, policy(1), scope=POLICY)
    world.read(day + 1, points(day + 1))
    found = {(each.rule, each.entry): each.count for each in world.report().findings}

    assert found[("origin-violated", "cohort:policy")] == 2
    assert ("snapshot-modified", "attr:schedule 1") in found


def test_the_same_address_again_is_a_replacement_whoever_made_it(world: World) -> None:
    day = learn(world)
    there = points(day)
    victim = there.pop(snapshot(day - 4).uid)
    world.read(day, there | {"again": replace(victim, uid="again", created_at=START + day * DAY)})

    assert "snapshot-replaced" in rules(world.report())


def test_two_runs_are_compared_by_the_same_cohorts(world: World) -> None:
    day = learn(world)
    older = world.read(day, points(day))
    world.read(day + 1, points(day + 1))

    assert world.report(against_run(world.store, older)).findings == ()
