"""Azure Backup's jobs, of both kinds of vault, from the sandbox's own restores through the real pipeline."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.azure_backup_jobs import AUDIT_LOG
from snapbase.audit.azure_backup_jobs_fetch import PERMISSIONS, REACH, _stamp
from snapbase.audit.log import Broken, Fetched
from snapbase.collect.engine import Selection
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Outcome, Scope
from snapbase.operations import audit, retention
from snapbase.operations.logs import READERS
from snapbase.rules.jobs import joined
from snapbase.sandbox.azure.activity import token
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import TENANT
from snapbase.sandbox.faults import Fault, FaultKind
from snapbase.settings import AuditSection, AzureEntry, Config
from snapbase.store import Store
from tests.collect.azure.arm import GROUP, SUBSCRIPTION, Arm

JOBS = "Microsoft.RecoveryServices/vaults/backupJobs/read"
INSTANCES = "Microsoft.DataProtection/backupVaults/backupJobs/read"
HOUR = timedelta(hours=1)
HERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
MACHINE = f"{HERE}/Microsoft.Compute/virtualMachines/payments"
DISK = f"{HERE}/Microsoft.Compute/disks/ledger"
INTO = f"{HERE}/Microsoft.Compute/disks/taken"
EVE = "eve@evil.example"


def post(arm: Arm, address: str, body: dict[str, Any]) -> None:
    eve = Writer(arm.url, SUBSCRIPTION, token(upn=EVE, oid="e", tid=TENANT, scp="user_impersonation", appid="x"))
    request = HttpRequest("POST", f"{{endpoint}}{address}?api-version=2024-04-01", json=body)
    eve.compute.send_request(request).raise_for_status()


def restore_machine(arm: Arm, name: str = "payments") -> str:
    """Returns the vault's id."""
    vault = arm.writer.vault(GROUP, "rsv")
    item = f"VM;iaasvmcontainerv2;{GROUP};{name}"
    container = f"IaasVMContainer;iaasvmcontainerv2;{GROUP};{name}"
    point = f"{vault}/backupFabrics/Azure/protectionContainers/{container}/protectedItems/{item}/recoveryPoints/7"
    asked = {
        "objectType": "IaasVMRestoreRequest",
        "recoveryType": "RestoreDisks",
        "storageAccountId": f"{HERE}/Microsoft.Storage/storageAccounts/staging",
        "targetResourceGroupId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/elsewhere",
    }
    post(arm, f"{point}/restore", {"properties": asked})
    return vault


def restore_disk(arm: Arm) -> str:
    vault = arm.writer.vault(GROUP, "bv", "DataProtection/backupVaults")
    asked = {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "restoreTargetInfo": {"objectType": "RestoreTargetInfo", "datasourceInfo": {"resourceID": INTO}},
        "sourceResourceId": DISK,
    }
    post(arm, f"{vault}/backupInstances/ledger-1/restore", asked)
    return vault


def read(arm: Arm, log: str = "azure.backup.jobs", since: datetime | None = None) -> list[Fetched]:
    """As operations read it."""
    now = datetime.now(UTC)
    target = arm.target()
    return list(READERS[log].read(target.handle, target.account, target.location, since or now - HOUR, now))


def events(arm: Arm, log: str = "azure.backup.jobs") -> list[Event]:
    (found,) = read(arm, log)
    assert (found.miss, dict(found.broken)) == (None, {})
    return list(found.events)


def test_a_machine_s_restore_says_where_its_disks_went(arm: Arm) -> None:
    vault = restore_machine(arm)

    (found,) = events(arm)

    assert (found.action, found.result, found.account) == (Action.RESTORE, Result.SUCCEEDED, SUBSCRIPTION)
    assert found.subjects == (vault.lower(), MACHINE.lower())
    assert found.source == MACHINE.lower()
    assert "Target resource group: elsewhere" in found.detail
    assert "Target Storage Account Name: staging" in found.detail
    assert "sig=" not in found.detail, "a link to what was restored opens it"
    assert (found.actor.id, found.actor.kind, found.actor.via) == ("", ActorKind.UNKNOWN, "Azure Backup")


def test_a_disk_s_restore_names_the_new_disk(arm: Arm) -> None:
    vault = restore_disk(arm)

    (found,) = events(arm)

    instance = f"{vault}/backupInstances/ledger-1"
    assert (found.source, found.made) == (DISK.lower(), INTO.lower())
    assert found.subjects == (vault.lower(), DISK.lower(), instance.lower(), INTO.lower())
    assert found.name == "Microsoft.DataProtection/backupVaults/backupJobs/restore"


def test_the_same_restore_in_the_activity_log_is_one_event_with_both_s_facts(arm: Arm) -> None:
    restore_machine(arm)
    restore_disk(arm)
    logged = [each for each in events(arm, "azure.activity-log") if each.action == Action.RESTORE]
    jobs = events(arm)

    once, same = joined([*logged, *jobs])

    assert len(logged) == len(jobs) == len(once) == len(same) == 2
    assert {each.actor.id for each in once} == {EVE}
    assert {each.id for each in once} == {each.id for each in logged}
    assert {each.made for each in once} >= {INTO.lower()}
    assert any("Target resource group: elsewhere" in each.detail for each in once)


def test_another_machine_s_restore_is_another(arm: Arm) -> None:
    restore_machine(arm, "billing")
    (logged,) = [each for each in events(arm, "azure.activity-log") if each.action == Action.RESTORE]
    (job,) = events(arm)
    arm.sandbox.activity.clear()
    arm.sandbox.estate.resources.clear()
    restore_machine(arm)
    (other,) = events(arm)

    assert len(joined([logged, other])[0]) == 2
    assert len(joined([logged, job])[0]) == 1


def test_what_runs_has_begun_and_a_cancelled_one_has_failed(arm: Arm) -> None:
    restore_machine(arm)
    restore_disk(arm)
    jobs = [each for each in arm.sandbox.estate.resources.values() if each["type"].endswith("/backupJobs")]
    jobs[0]["properties"]["status"] = "InProgress"
    jobs[1]["properties"]["status"] = "Cancelled"

    assert [each.result for each in events(arm)] == [Result.STARTED, Result.FAILED]


def test_a_restore_that_began_days_before_is_read_for_its_end(arm: Arm) -> None:
    restore_machine(arm)
    (job,) = [each for each in arm.sandbox.estate.resources.values() if each["type"].endswith("/backupJobs")]
    for days, count in ((2, 1), (4, 0)):
        job["properties"]["startTime"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        assert len(events(arm)) == count


def test_what_is_no_restore_is_passed_over(arm: Arm) -> None:
    restore_disk(arm)
    (job,) = [each for each in arm.sandbox.estate.resources.values() if each["type"].endswith("/backupJobs")]
    job["properties"]["operationCategory"] = "Backup"

    assert events(arm) == []


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(FaultKind.DENIED, Outcome.DENIED), (FaultKind.THROTTLED, Outcome.THROTTLED), (FaultKind.ERROR, Outcome.FAILED)],
)
def test_a_vault_that_cannot_be_read_is_said_and_hides_no_other(arm: Arm, fault: FaultKind, outcome: Outcome) -> None:
    restore_machine(arm)
    restore_disk(arm)
    arm.fault(fault, JOBS)

    (found,) = read(arm)

    assert found.miss is not None
    assert (found.miss.outcome, len(found.events)) == (outcome, 1)
    assert JOBS in found.miss.reason


def test_a_job_that_is_too_old_to_keep_is_no_news_each_time_it_is_read_again(arm: Arm, tmp_path: Path) -> None:
    """What began some days before is asked for again each time."""
    restore_disk(arm)
    (job,) = [each for each in arm.sandbox.estate.resources.values() if each["type"].endswith("/backupJobs")]
    began = datetime.now(UTC) - timedelta(days=2)
    job["properties"]["startTime"] = began.isoformat()
    restore_machine(arm)
    config = Config(azure=(AzureEntry(endpoint=arm.url),), audit=AuditSection(keep_days=1))
    kept, forgotten = [], 0
    with Store.open(f"sqlite:///{tmp_path}/s.db", write=True) as store:
        for _ in range(3):
            taken = audit.fetch_alone(store, config, Selection(), stop=threading.Event())
            kept.append(taken.new)
            forgotten += retention.forget_events(store, config, datetime.now(UTC))
        marks: dict[Scope, datetime] = {}
        assert audit.poll(store, config, marks, skip=(), stop=threading.Event()).new == 0
    assert kept[0] > 0
    assert kept[1:] == [0, 0]
    assert not forgotten


def test_a_job_that_cannot_be_shown_is_told_as_it_was_listed_and_hides_no_other(arm: Arm) -> None:
    restore_machine(arm)
    restore_machine(arm, "other")
    arm.switchboard.break_(Fault(FaultKind.DENIED, cloud="azure", operation=JOBS, skip=1, times=1))

    (found,) = read(arm)

    assert len(found.events) == 2
    assert found.miss is not None
    assert found.miss.outcome == Outcome.DENIED


def test_vaults_that_may_not_be_listed_are_said(arm: Arm) -> None:
    arm.fault(FaultKind.DENIED, "Microsoft.DataProtection/backupVaults/read")

    (found,) = read(arm)
    assert found.miss is not None
    assert found.miss.outcome == Outcome.DENIED


def test_a_subscription_without_the_providers_has_no_jobs(arm: Arm) -> None:
    for kind in ("RecoveryServices/vaults", "DataProtection/backupVaults"):
        arm.fault(FaultKind.DISABLED, f"Microsoft.{kind}/read")

    assert events(arm) == []


def test_the_permissions_are_what_is_asked(arm: Arm) -> None:
    restore_machine(arm)
    restore_disk(arm)
    target = arm.target()
    arm.switchboard.calls.clear()
    now = datetime.now(UTC)
    list(READERS["azure.backup.jobs"].read(target.handle, target.account, target.location, now - HOUR, now))

    assert {operation for *_, operation in arm.switchboard.calls} == set(PERMISSIONS)
    assert READERS["azure.backup.jobs"].permissions == PERMISSIONS
    assert READERS["azure.backup.jobs"].permissions[1:4:2] == (JOBS, INSTANCES)


def test_times_are_asked_in_the_api_s_words() -> None:
    noon, midnight = datetime(2026, 11, 25, 12, 5, 9, tzinfo=UTC), datetime(2026, 11, 25, 0, 5, 9, tzinfo=UTC)
    assert (_stamp(noon), _stamp(midnight)) == ("2026-11-25 12:05:09 PM", "2026-11-25 12:05:09 AM")
    assert _stamp(noon + HOUR) == "2026-11-25 01:05:09 PM"
    assert timedelta(days=1) < REACH < timedelta(days=30)


JOB = {
    "id": f"{HERE}/Microsoft.RecoveryServices/vaults/rsv/backupJobs/0a1b2c3d-0000-4000-8000-000000000001",
    "name": "0a1b2c3d-0000-4000-8000-000000000001",
    "type": "Microsoft.RecoveryServices/vaults/backupJobs",
    "properties": {
        "operation": "Restore",
        "operationCategory": "Restore",
        "status": "Completed",
        "startTime": "2026-11-25T01:02:03.1234567Z",
        "containerName": f"iaasvmcontainerv2;{GROUP};payments",
        "entityFriendlyName": "payments",
        "isUserTriggered": False,
        "dataSourceId": DISK,
        "backupInstanceId": "/x",
        "extendedInfo": {"recoveryDestination": INTO, "propertyBag": {"Target resource group": "elsewhere"}},
    },
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "/", "//backupjobs/", "\x00", "\ud800", "x" * 5_000, "iaasvmcontainerv2;;", "0001-01-01T00:00:00+23:59"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_a_schedule_s_own_is_a_service_s() -> None:
    found = AUDIT_LOG.parse(JOB)
    assert isinstance(found, Event)
    assert found.actor.kind == ActorKind.SERVICE


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_whatever_is_in_a_job_it_is_read_or_named(data: st.DataObject) -> None:
    told: dict[str, Any] = {**JOB["properties"]}  # type: ignore[dict-item]
    record: dict[str, Any] = {**JOB, "properties": told}
    for name in data.draw(st.lists(st.sampled_from(sorted(told)), max_size=4)):
        told[name] = data.draw(JUNK)
    for name in data.draw(st.lists(st.sampled_from(sorted(JOB)), max_size=1)):
        record[name] = data.draw(JUNK)

    AUDIT_LOG.recognise(record)
    found = AUDIT_LOG.parse(record)
    if isinstance(found, Broken):
        assert found.why
    elif found is not None:
        assert found.at.utcoffset() == timedelta()
        assert found.result in set(Result)
        assert found.subjects
        assert all(found.subjects)
        assert all(len(each) <= 3_000 for each in (*found.subjects, found.detail, found.source, found.made))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(JOB)) | st.text(max_size=5), JUNK, max_size=5))
def test_any_object_is_read_or_named(record: dict[str, Any]) -> None:
    AUDIT_LOG.recognise(record)
    AUDIT_LOG.parse(record)
