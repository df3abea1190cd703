"""Snapshots that only their recovery points know the plan of: one cohort for each plan, its document an invariant."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from snapbase.finding import Finding, Report
from snapbase.model import Grant, Json, Outcome, Principal, PrincipalKind, Resource, ResourceType, Scope
from snapbase.operations import origins
from snapbase.rotation.origin import Plan
from tests.store.rotating import DAY, HERE, START, STRANGER, World, points, rules, snapshot

PLAN = "0a1b2c3d-0000-4000-8000-000000000001"
BY_PLAN, BROAD = f"backup-plan:{PLAN}", "aws.ec2.snapshot:aws-backup"
ADDRESS = f"arn:aws:backup:eu-west-1:111122223333:{BY_PLAN}"
PLANS, POINTS = replace(HERE, kind="aws.backup.plan"), replace(HERE, kind="aws.backup.recovery-point")
THEIRS = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "backup:CopyActions", "to their vault")


def plan(days: int = 5) -> dict[str, Resource]:
    facts: dict[str, Json] = {"rule daily": "", "retention_days daily": days}
    return {ADDRESS: Resource(uid=ADDRESS, address=ADDRESS, type=ResourceType.POLICY, facts=facts)}


def backups(day: int, *sources: str) -> dict[str, Resource]:
    """As EC2 lists them: a reserved tag says that AWS Backup made them, and nothing of which plan."""
    tags = {"aws:backup:source-resource": "vol"}
    return {uid: replace(each, origin="aws-backup", tags=tags) for uid, each in points(day, *sources).items()}


def views(snapshots: Iterable[Resource], origin: str | None = BY_PLAN, rule: str = "daily") -> dict[str, Resource]:
    """Their recovery points."""
    return {
        f"vault/{each.uid}": replace(
            each,
            uid=f"vault/{each.uid}",
            origin=origin,
            tags={},
            facts={"plan_rule": rule} if origin else {},
            subject=each.uid,
        )
        for each in snapshots
    }


def read(world: World, day: int, *, days: int = 5, there: dict[str, Resource] | None = None) -> None:
    """A day on which all is read."""
    found = backups(day) if there is None else there
    world.read(day, plan(days), scope=PLANS)
    world.read(day, views(found.values()), scope=POINTS)
    world.read(day, found)


def approve(world: World, *chosen: str) -> None:
    assert world.run is not None
    request = origins.Request(run=world.run, origins=chosen, by="ada", reason="reviewed")
    origins.approve(world.store, request, origins.plan(world.store, request), at=world.run.finished_at)


def learned(world: World) -> int:
    for day in range(10):
        read(world, day)
    world.approve()
    approve(world, BY_PLAN)
    return 10


def broken(report: Report) -> dict[str, Finding]:
    return {each.entry.removeprefix("cohort:"): each for each in report.findings if each.rule == "origin-violated"}


def test_the_cohort_is_the_plan_s_with_its_rules_and_its_document(world: World) -> None:
    for day in range(10):
        there = backups(day)
        monthly = views([each for each in there.values() if each.source == "vol-2"], rule="monthly")
        world.read(day, plan(), scope=PLANS)
        world.read(day, views(there.values()) | monthly, scope=POINTS)
        world.read(day, there)
    assert world.run is not None
    (found,) = origins.derived(world.store, world.run)

    assert (found.cohort.origin, found.cohort.evidence, found.policy) == (BY_PLAN, "server-set field", ADDRESS)
    assert found.cohort.kinds == {HERE.kind, POINTS.kind}
    series = {place.source: set(strains) for place, strains in found.cohort.series.items() if place.scope == HERE}
    assert series == {"vol-1": {"daily"}, "vol-2": {"monthly"}}


def test_what_the_plan_makes_and_deletes_is_silent(world: World) -> None:
    first = learned(world)
    for day in range(first, first + 8):
        read(world, day)
    report = world.report()

    assert rules(report) == {}
    assert (report.summary.expected_appeared, report.summary.expected_disappeared) == (32, 32)
    assert not [note for note in report.notes if "plan" in note]


def test_a_changed_plan_is_one_line_that_says_what_changed(world: World) -> None:
    day = learned(world)
    world.read(day, plan(1), {ADDRESS: frozenset({THEIRS})}, scope=PLANS)
    world.read(day, views(backups(day).values()), scope=POINTS)
    world.read(day, backups(day))
    (found,) = broken(world.report()).values()

    assert (found.entry, found.count) == ("cohort:policy", 2)
    assert "backup:CopyActions to account 999988887777 is new; retention_days daily is 1, was 5" in found.detail


def test_a_share_of_one_is_listed_as_of_any_other(world: World) -> None:
    day = learned(world)
    read(world, day)
    world.read(day, backups(day), {snapshot(day).uid: frozenset({STRANGER})})

    assert rules(world.report())["unknown-account-share"] == 1


def test_unread_recovery_points_are_said_and_nothing_is_called_the_same(world: World) -> None:
    first = learned(world)
    for day in range(first, first + 6):
        world.read(day, {}, scope=POINTS, outcome=Outcome.DENIED)
        world.read(day, backups(day))
    report = world.report()
    (found,) = broken(report).values()

    assert (found.entry, found.count) == ("cohort:plan", 12)
    assert "he recovery points of 111122223333/eu-west-1 were not read" in found.detail
    assert {"backup-stopped", "early-deletion", "snapshot-appeared", "snapshot-disappeared"}.isdisjoint(rules(report))
    read(world, first + 6)
    (found,) = broken(world.report()).values()
    assert (found.entry, found.count) == ("cohort:plan", 4)  # what came and went meanwhile nobody can tell any more


def test_one_that_no_recovery_point_names_yet_waits_in_one_line(world: World) -> None:
    day = learned(world)
    there = backups(day)
    made = [uid for uid, each in there.items() if each.created_at == START + day * DAY - DAY / 8]
    world.read(day, views(each for uid, each in there.items() if uid not in made), scope=POINTS)
    world.read(day, there)
    (found,) = broken(world.report()).values()

    assert (len(made), found.entry, found.count) == (2, "cohort:plan", 2)
    assert "No recovery point names it" in found.detail
    world.read(day, views(there.values()), scope=POINTS)
    assert rules(world.report()) == {}


def test_a_backup_on_demand_is_no_plan_s(world: World) -> None:
    day = learned(world)
    extra = replace(snapshot(day, name="theirs"), origin="aws-backup", tags={})
    world.read(day, plan(), scope=PLANS)
    world.read(day, views(backups(day).values()) | views([extra], origin=None), scope=POINTS)
    world.read(day, backups(day) | {extra.uid: extra})
    listed = {each.subject.uid for each in world.report().findings}

    assert extra.uid in listed
    assert broken(world.report()) == {}


def test_a_cohort_approved_without_plans_stays_and_a_note_says_what_it_misses(world: World) -> None:
    for day in range(10):
        world.read(day, backups(day))
    world.approve()
    approve(world, BROAD)
    read(world, 10, days=5)
    read(world, 11, days=1)
    report = world.report()
    (note,) = (each for each in report.notes if "without the plans" in each)

    assert {"snapshot-appeared", "snapshot-disappeared", "origin-violated", "backup-stopped"}.isdisjoint(rules(report))
    assert f"The origin {BROAD} was approved without the plans behind it: 4 snapshots of {BY_PLAN} came by it" in note
    assert "revoke baseline 2" in note
    approve(world, BY_PLAN)
    read(world, 12, days=1)
    report = world.report()
    assert not [each for each in report.notes if "without the plans" in each]
    assert not {"origin-violated", "backup-stopped", "snapshot-appeared"} & rules(report).keys()


def test_one_on_demand_is_not_covered_by_a_cohort_approved_without_plans(world: World) -> None:
    """Somebody asks for it in the place and at the hour of the plan's own."""
    for day in range(10):
        world.read(day, backups(day))
    world.approve()
    approve(world, BROAD)
    read(world, 10)
    there = backups(11)
    by_hand = there[snapshot(11).uid]
    world.read(11, plan(), scope=PLANS)
    others = (each for each in there.values() if each != by_hand)
    world.read(11, views(others) | views([by_hand], origin=None), scope=POINTS)
    world.read(11, there)

    (found,) = (each for each in world.report().findings if each.rule == "snapshot-appeared")

    assert found.subject.uid == by_hand.uid


def test_a_plan_approved_for_its_recovery_points_says_that_its_snapshots_are_another_kind(world: World) -> None:
    for day in range(10):
        world.read(day, plan(), scope=PLANS)
        world.read(day, views(backups(day).values()), scope=POINTS)
    world.read(9, backups(9))
    world.approve()
    assert world.run is not None
    request = origins.Request(run=world.run, origins=(BY_PLAN,), by="ada", reason="reviewed")
    (chosen,) = origins.plan(world.store, request)
    series = {place: each for place, each in chosen.proposal.cohort.series.items() if place.scope == POINTS}
    old = replace(chosen.proposal.cohort, series=series)
    origins.approve(world.store, request, [replace(chosen, proposal=replace(chosen.proposal, cohort=old))])
    read(world, 10)
    (found,) = broken(world.report()).values()

    assert (found.entry, found.count) == ("cohort:kind", 4)
    assert "snapshot-appeared" not in rules(world.report())


@pytest.mark.parametrize("points_read", [Outcome.DENIED, None])
def test_a_cohort_without_plans_says_where_recovery_points_were_not_read(
    world: World, points_read: Outcome | None
) -> None:
    for day in range(10):
        world.read(day, backups(day))
    world.approve()
    approve(world, BROAD)
    if points_read is not None:
        world.read(10, {}, scope=POINTS, outcome=points_read)
    world.read(10, backups(10))
    report = world.report()

    assert {"snapshot-appeared", "origin-violated"}.isdisjoint(rules(report))
    (note,) = (each for each in report.notes if "recovery points" in each)
    assert note.startswith(f"Which plan made 2 snapshots of the origin {BROAD} is not known")
    assert "111122223333/eu-west-1" in note


def test_plans_that_were_not_read_are_not_called_the_same(world: World) -> None:
    day = learned(world)
    read(world, day)
    world.read(day, {}, scope=PLANS, outcome=Outcome.DENIED)

    assert [each for each in world.report().notes if f"policies of {BY_PLAN}" in each]


@pytest.mark.parametrize("elsewhere", [replace(POINTS, account="444455556666"), replace(POINTS, location="us-east-1")])
def test_only_a_recovery_point_of_the_same_account_and_place_speaks(world: World, elsewhere: Scope) -> None:
    world.read(0, views(backups(0).values()), scope=elsewhere)
    run = world.read(0, backups(0))

    assert {each.plan for some in world.store.passages(0, run.last_rev) for each in some} == {None}
    world.read(0, views(backups(0).values()), scope=POINTS)
    run = world.read(0, backups(0))
    here = [some for some in world.store.passages(0, run.last_rev) if some[0].state.scope == HERE]
    assert {each.plan for some in here for each in some} == {Plan(BY_PLAN, "daily")}


def test_a_snapshot_behind_an_image_is_of_the_plan_that_made_the_image(world: World) -> None:
    root = "arn:aws:ec2:eu-west-1::"
    told = "Created by CreateImage(i-0123) for ami-0456"
    behind = {
        name: replace(snapshot(0, name=f"{root}snapshot/{name}"), origin=origin, tags=tags, facts={"description": said})
        for name, origin, said, tags in (
            ("snap-1", "aws-backup", told, {}),
            ("snap-2", None, told, {}),
            ("snap-3", "aws-backup", "else", {"description": told}),
        )
    }
    image = replace(snapshot(0, name=f"{root}image/ami-0456"), origin="aws-backup")
    world.read(0, views([image]), scope=POINTS)
    run = world.read(0, behind)
    here = [some for some in world.store.passages(0, run.last_rev) if some[0].state.scope == HERE]
    plans = {each.state.resource.uid.rpartition("/")[2]: each.plan for some in here for each in some}

    assert plans == {"snap-1": Plan(BY_PLAN, "daily"), "snap-2": None, "snap-3": None}


def test_what_two_recovery_points_say_differently_nobody_is_told(world: World) -> None:
    said, other = views(backups(0).values()), views(backups(0).values(), origin="backup-plan:other")
    world.read(0, said | {f"second {uid}": replace(each, uid=f"second {uid}") for uid, each in other.items()},
               scope=POINTS)  # fmt: skip
    run = world.read(0, backups(0))
    here = [some for some in world.store.passages(0, run.last_rev) if some[0].state.scope == HERE]

    assert {each.plan for some in here for each in some} == {None}
