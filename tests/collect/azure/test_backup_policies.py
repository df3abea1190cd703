"""Backup policies of both kinds of vault: how long they keep what they make, and what is not read of them."""

from typing import Any

import pytest

from snapbase.collect.azure.errors import Unread, classify
from snapbase.model import Json, Observation, Outcome, ResourceType, Scope, State
from snapbase.rotation.rhythm import digest_of
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import GROUP, HERE, SUBSCRIPTION, Arm
from tests.collect.azure.makers import BACKUP_VAULTS, VAULTS

RECOVERY, BACKUP = "azure.recoveryservices.policy", "azure.dataprotection.policy"
KINDS = {RECOVERY: VAULTS, BACKUP: BACKUP_VAULTS}
EACH = pytest.mark.parametrize("kind", KINDS)


def _months(count: int) -> dict[str, Any]:
    return {"retentionScheduleFormatType": "Daily", "retentionDuration": {"count": count, "durationType": "Months"}}


def _machines(days: int = 30, **more: Any) -> dict[str, Any]:
    """As for machines, with a year beside the days."""
    daily = {"retentionTimes": ["2026-01-01T05:00:00Z"], "retentionDuration": {"count": days, "durationType": "Days"}}
    return {
        "backupManagementType": "AzureIaasVM",
        "schedulePolicy": {"schedulePolicyType": "SimpleSchedulePolicy", "scheduleRunFrequency": "Daily"},
        "retentionPolicy": {
            "retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": daily,
            "monthlySchedule": _months(12),
        },
        "instantRpRetentionRangeInDays": 2,
        "protectedItemsCount": 3,
        **more,
    }


def _disks(days: int = 30) -> dict[str, Any]:
    def kept(name: str, duration: str) -> dict[str, Any]:
        ends = {"objectType": "AbsoluteDeleteOption", "duration": duration}
        return {
            "objectType": "AzureRetentionRule",
            "name": name,
            "isDefault": name == "Default",
            "lifecycles": [{"deleteAfter": ends}],
        }

    taken = {"objectType": "AzureBackupRule", "name": "BackupDaily", "backupParameters": {"backupType": "Incremental"}}
    return {
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.Compute/disks"],
        "policyRules": [taken, kept("Default", f"P{days}D"), kept("Yearly", "P3Y")],
    }


def _make(arm: Arm, kind: str, name: str = "nightly", vault: str = "vault", **more: Any) -> str:
    home = arm.writer.vault(GROUP, vault, KINDS[kind])
    body = _machines(**more) if kind == RECOVERY else _disks(**more)
    return arm.writer.put(f"{home}/backupPolicies/{name}", "2024-04-01", {"properties": body})


KEPT = {
    RECOVERY: {
        "retention_days retentionPolicy.dailySchedule": 30,
        "retention_days retentionPolicy.monthlySchedule": 360,
    },
    BACKUP: {"retention_days rule Default.lifecycles.0": 30, "retention_days rule Yearly.lifecycles.0": 3 * 365},
}


def _kept(seen: Observation) -> dict[str, Json]:
    return {name: value for name, value in seen.resource.facts.items() if name.startswith("retention_days ")}


@EACH
def test_how_long_each_rule_keeps_is_told_in_days(arm: Arm, kind: str) -> None:
    _make(arm, kind)

    (seen,) = arm.kind(kind)

    assert _kept(seen) == KEPT[kind]
    assert (seen.resource.type, seen.resource.name, seen.resource.owner) == (
        ResourceType.POLICY, "nightly", SUBSCRIPTION
    )  # fmt: skip
    assert seen.resource.guards == (arm.group.lower(), HERE)


def test_schedules_and_retentions_are_told_in_arm_s_words(arm: Arm) -> None:
    _make(arm, RECOVERY)
    _make(arm, BACKUP)
    (machines,), (disks,) = arm.kind(RECOVERY), arm.kind(BACKUP)

    assert machines.resource.attributes == {"type": "AzureIaasVM", "assigned": True}
    assert {*machines.resource.facts} - KEPT[RECOVERY].keys() == {
        "schedulePolicy", "retentionPolicy", "instantRpRetentionRangeInDays"
    }  # fmt: skip
    assert disks.resource.attributes == {"type": "Microsoft.Compute/disks"}
    assert {*disks.resource.facts} - KEPT[BACKUP].keys() == {"rule BackupDaily", "rule Default", "rule Yearly"}


def test_how_much_it_protects_is_no_change_and_nothing_at_all_is_one(arm: Arm) -> None:
    found = []
    for count in (3, 4, 0):
        _make(arm, RECOVERY, protectedItemsCount=count)
        found += arm.kind(RECOVERY)

    assert found[0] == found[1]
    assert found[2].resource.attributes["assigned"] is False


@EACH
def test_keeping_for_less_changes_that_alone_and_the_digest(arm: Arm, kind: str) -> None:
    digests, found = set(), []
    for days in (30, 7):
        _make(arm, kind, days=days)
        (seen,) = arm.kind(kind)
        found.append(seen.resource.facts)
        digests.add(digest_of(State(Scope("azure", SUBSCRIPTION, "global", kind), seen.resource, seen.grants, None)))

    before, after = found
    (changed,) = (name for name in before if before[name] != after[name])
    assert len(digests) == 2
    assert (changed in KEPT[kind], after[changed]) == (True, 7)


@EACH
def test_every_page_of_every_vault_is_read_once(arm: Arm, kind: str) -> None:
    arm.sandbox.page_size = 1
    for vault in ("one", "two"):
        for name in ("hourly", "nightly"):
            _make(arm, kind, name, vault)

    found = [each.resource.uid for each in arm.kind(kind)]

    assert len(found) == len(set(found)) == 4


@EACH
@pytest.mark.parametrize("of_vaults", [True, False])
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FaultKind.DENIED, Outcome.DENIED),
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.TRUNCATED, Outcome.FAILED),
    ],
)
def test_a_refused_list_is_an_outcome_and_never_empty(
    arm: Arm, kind: str, of_vaults: bool, fault: FaultKind, outcome: Outcome
) -> None:
    _make(arm, kind)
    arm.fault(fault, f"Microsoft.{KINDS[kind]}/read" if of_vaults else f"Microsoft.{KINDS[kind]}/backupPolicies/read")

    with pytest.raises(Unread) as raised:
        arm.kind(kind)

    miss = classify(raised.value)
    assert miss is not None
    assert miss.outcome == outcome


@EACH
def test_those_of_a_vault_that_is_deleted_meanwhile_are_skipped(arm: Arm, kind: str) -> None:
    gone = _make(arm, kind, vault="gone").partition("/backupPolicies/")[0]
    kept = _make(arm, kind, vault="kept")
    arm.after(f"/providers/Microsoft.{KINDS[kind]}", lambda: arm.sandbox.estate.remove(gone))

    assert [each.resource.address for each in arm.kind(kind)] == [kept]


@EACH
def test_a_provider_that_was_never_registered_has_none(arm: Arm, kind: str) -> None:
    arm.fault(FaultKind.DISABLED, f"Microsoft.{KINDS[kind]}/read")

    assert arm.kind(kind) == []


@EACH
@pytest.mark.parametrize("strange", [None, "x", [], {"count": "30", "durationType": 4}, {"deleteAfter": "P1D"}])
def test_strange_fields_do_no_harm(arm: Arm, kind: str, strange: Any) -> None:
    address = _make(arm, kind)
    stored = arm.sandbox.estate.resource(address)
    arm.sandbox.estate.strict = False
    stored["properties"] = {"retentionPolicy": strange, "policyRules": [strange], "datasourceTypes": strange}

    (seen,) = arm.kind(kind)

    assert _kept(seen) == {}
