"""A backup plan behind an approved origin, through the store: an edit is told, and so is what it makes after it."""

from dataclasses import replace
from typing import Any

import pytest

from snapbase.model import Grant, Json, Principal, PrincipalKind, Resource, ResourceType
from snapbase.operations import origins
from tests.store.rotating import HERE, World, points, rules

PLAN = "0a1b2c3d-0000-4000-8000-000000000001"
ORIGIN = f"backup-plan:{PLAN}"
ADDRESS = f"arn:aws:backup:eu-west-1:111122223333:backup-plan:{PLAN}"
PLANS, POINTS = replace(HERE, kind="aws.backup.plan"), replace(HERE, kind="aws.backup.recovery-point")
THEIRS = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "backup:CopyActions", "to their vault")


def plan(days: int = 5) -> dict[str, Resource]:
    facts: dict[str, Json] = {"rule daily": {"TargetBackupVaultName": "vault"}, "retention_days daily": days}
    return {ADDRESS: Resource(uid=ADDRESS, address=ADDRESS, type=ResourceType.POLICY, facts=facts)}


def made(day: int) -> dict[str, Resource]:
    return {name: replace(each, origin=ORIGIN, tags={}) for name, each in points(day).items()}


@pytest.fixture
def approved(world: World) -> World:
    """Ten days of a plan, approved with it."""
    for day in range(10):
        world.read(day, plan(), scope=PLANS)
        world.read(day, made(day), scope=POINTS)
    world.approve()
    assert world.run is not None
    request = origins.Request(run=world.run, origins=(ORIGIN,), by="ada", reason="reviewed")
    (proposed,) = origins.plan(world.store, request)
    assert proposed.proposal.policy == ADDRESS
    origins.approve(world.store, request, [proposed], at=world.run.finished_at)
    return world


def test_what_an_unchanged_plan_makes_is_silent(approved: World) -> None:
    approved.read(10, plan(), scope=PLANS)
    approved.read(10, made(10), scope=POINTS)

    assert rules(approved.report()) == {}


@pytest.mark.parametrize(
    ("days", "shared", "rule"),
    [(1, {}, "protection-weakened"), (5, {ADDRESS: frozenset({THEIRS})}, "standing-share")],
)
def test_an_edited_plan_is_told_and_what_it_makes_is_not_silent(
    approved: World, days: int, shared: dict[str, Any], rule: str
) -> None:
    approved.read(10, plan(days), shared, scope=PLANS)
    approved.read(10, made(10), scope=POINTS)

    report = approved.report()
    assert rules(report) == {rule: 1, "origin-violated": 2}
    (found,) = [each for each in report.findings if each.rule == rule]
    assert ("only between accounts of one organisation" in found.detail) == bool(shared)
