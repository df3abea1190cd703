"""What audit logs say of approved origins, through the store: forged tags, deletions by hand, silence about both."""

from datetime import timedelta
from typing import Any

import pytest

from snapbase.event import Action, Actor, ActorKind, Event
from snapbase.model import Resource, Scope
from snapbase.operations import origins
from snapbase.operations.witnesses import Witnesses
from tests.store.rotating import DAY, HERE, KEEP, ORIGIN, START, World, learn, points, rules, snapshot

DLM = Actor("arn:aws:sts::1:assumed-role/backup/x", ActorKind.SERVICE, "role/backup", "dlm.amazonaws.com")
ADA = Actor("arn:aws:iam::111122223333:user/ada", ActorKind.HUMAN)
BUILD = Actor("arn:aws:sts::1:assumed-role/ci-build/7", ActorKind.ROLE, "arn:aws:iam::1:role/ci-build")
THIEF = Actor("arn:aws:sts::1:assumed-role/web/i-1", ActorKind.ROLE, "arn:aws:iam::1:role/web")
CI = "tag:aws.ec2.snapshot:pipeline=ci"
SCANNED = "actor:aws.ec2.snapshot:malware-protection.guardduty.amazonaws.com"
SCANNER = Actor("x", ActorKind.SERVICE, "", "malware-protection.guardduty.amazonaws.com")


def made(resource: Resource, by: Actor, **fields: Any) -> Event:
    at = resource.created_at
    assert at is not None
    return _event("CreateSnapshot", Action.CREATE, at, by, resource, made=resource.address, **fields)


def deleted(resource: Resource, by: Actor, day: float) -> Event:
    at = START + day * DAY - timedelta(hours=1)
    return _event("DeleteSnapshot", Action.DELETE, at, by, resource, subjects=(resource.address,))


def _event(name: str, action: Action, at: Any, by: Actor, resource: Resource, **fields: Any) -> Event:
    told = {"account": HERE.account, "region": HERE.location, **fields}
    return Event(
        cloud="aws", id=f"{name} {resource.uid} {by.id}", at=at, name=f"ec2:{name}", action=action, actor=by, **told
    )


def expired(day: int) -> list[Resource]:
    """What the policy deletes on that day."""
    return [snapshot(day - KEEP, source) for source in ("vol-1", "vol-2")]


def images(day: int, **fields: Any) -> dict[str, Resource]:
    """What a pipeline has made and not deleted yet, on the morning of a day: one a day, kept for three."""
    tags = {"origin": None, "tags": {"pipeline": "ci"}, **fields}
    return {each.uid: each for back in range(3) for each in (snapshot(day - back, "base", f"ci-{day - back}", **tags),)}


def approve(world: World, *names: str, low_trust: bool = False) -> None:
    assert world.run is not None
    request = origins.Request(run=world.run, origins=names, by="ada", reason="ours", low_trust=low_trust)
    origins.approve(world.store, request, origins.plan(world.store, request), at=world.run.finished_at)


def test_where_no_log_was_read_age_alone_counts_and_that_is_said(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    report = world.report()

    assert report.findings == ()
    assert any("Who deleted 2 snapshots that were expected to go no audit log says" in each for each in report.notes)


def test_what_the_lifecycle_deleted_is_silent(world: World) -> None:
    day = learn(world)
    world.store.add_events(deleted(each, DLM, day) for each in expired(day))
    world.read(day, points(day))
    report = world.report()

    assert (rules(report), report.summary.expected_disappeared) == ({}, 2)
    assert not any("Who deleted" in each for each in report.notes)


@pytest.mark.parametrize("by", [ADA, THIEF])
def test_what_somebody_deleted_is_listed_however_old(world: World, by: Actor) -> None:
    day = learn(world)
    first, second = expired(day)
    world.store.add_events([deleted(first, DLM, day), deleted(second, DLM, day), deleted(second, by, day)])
    world.read(day, points(day))
    report = world.report()
    early = [each for each in report.findings if each.rule == "early-deletion"]

    assert rules(report) == {"early-deletion": 1}
    assert "not by their lifecycle" in early[0].title
    assert by.principal in early[0].detail
    assert report.summary.expected_disappeared == 1


def test_another_account_s_log_says_nothing_of_ours(world: World) -> None:
    day = learn(world)
    told = (deleted(each, ADA, day) for each in expired(day))
    world.store.add_events(
        Event(**{name: getattr(each, name) for name in Event.__slots__} | {"account": "444455556666"}) for each in told
    )
    world.read(day, points(day))

    assert world.report().findings == ()


def learn_pipeline(world: World, by: Actor | None) -> int:
    for day in range(10):
        there = images(day)
        if by is not None:
            world.store.add_events(made(each, by) for each in there.values())
        world.read(day, there)
    world.approve()
    approve(world, CI, low_trust=True)
    return 10


def test_a_forged_tag_is_listed_and_the_pipeline_s_own_is_not(world: World) -> None:
    day = learn_pipeline(world, BUILD)
    forged = snapshot(day, "base", "copy", origin=None, tags={"pipeline": "ci"})
    own = images(day)[f"ci-{day}"]
    world.store.add_events([made(own, BUILD)])
    world.read(day, images(day))
    assert rules(world.report()) == {}

    world.store.add_events([made(forged, THIEF)])
    world.read(day + 1, images(day) | {forged.uid: forged})
    (found,) = (each for each in world.report().findings if each.entry == "cohort:maker")

    assert (found.rule, found.count) == ("origin-violated", 1)
    assert THIEF.principal in found.detail


def test_a_cohort_approved_without_a_log_knows_nobody(world: World) -> None:
    day = learn_pipeline(world, None)
    world.read(day, images(day))
    assert world.report().findings == ()

    world.store.add_events([made(images(day)[f"ci-{day}"], BUILD)])
    (found,) = world.report().findings
    assert found.entry == "cohort:maker"
    approve(world, CI, low_trust=True)
    assert world.report().findings == ()


def test_what_a_service_makes_without_a_word_is_an_origin_by_its_log(world: World) -> None:
    plain: dict[str, Any] = {"tags": {}}
    for day in range(10):
        world.store.add_events(made(each, SCANNER) for each in images(day, **plain).values())
        world.read(day, images(day, **plain))
    world.approve()
    assert world.run is not None
    (proposed,) = origins.propose(world.store, world.run)
    assert (proposed.origin, proposed.evidence) == (SCANNED, "audit actor")
    assert proposed.test is not None
    assert (proposed.test.appeared, proposed.test.listed) == (9, ())
    approve(world, SCANNED)

    world.store.add_events(made(each, SCANNER) for each in images(10, **plain).values())
    world.read(10, images(10, **plain))
    assert rules(world.report()) == {}
    (beat,) = world.report().summary.cohorts
    assert (beat.low_trust, beat.appeared, beat.sources) == (False, 1, 1)

    silent = snapshot(11, "base", "ci-x", origin=None, tags={})
    world.read(11, images(10, **plain) | {silent.uid: silent})
    assert rules(world.report()) == {"snapshot-appeared": 1}


def test_azure_s_names_are_the_same_in_any_case(world: World) -> None:
    subscription = "0A000000-0000-0000-0000-000000000001"
    scope = Scope("azure", subscription, "global", "azure.compute.snapshot")
    address = (
        f"/subscriptions/{subscription}/resourceGroups/AzureBackupRG_weu_1/providers/Microsoft.Compute/snapshots/A"
    )
    there = snapshot(1, "disk", "A", origin=None, tags={}, address=address)
    backup = Actor("b", ActorKind.SERVICE, "app", "Backup Management Service")
    told = {"cloud": "azure", "account": subscription.lower(), "subjects": (address.lower(),), "made": address.lower()}
    at = there.created_at
    assert at is not None
    world.store.add_events([Event(id="1", at=at, name="write", action=Action.CREATE, actor=backup, **told)])  # type: ignore[arg-type]
    world.read(1, {there.uid: there}, scope=scope)
    assert world.run is not None
    (state,) = world.store.states(world.run.last_rev)

    assert Witnesses(world.store).services([state]) == ["Backup Management Service"]


def test_the_roles_that_made_them_are_part_of_what_is_approved(world: World) -> None:
    for day in range(10):
        world.store.add_events(made(each, DLM) for each in points(day).values())
        world.read(day, points(day) | images(day))
        world.store.add_events(made(each, BUILD) for each in images(day).values())
    world.approve()
    approve(world, ORIGIN, CI, low_trust=True)
    assert world.run is not None
    assert world.run.finished_at is not None
    kept = world.store.cohorts(world.run.finished_at).cohorts

    assert kept[CI].cohort.actors == {BUILD.issuer}
    assert kept[ORIGIN].cohort.actors == {"dlm.amazonaws.com"}
