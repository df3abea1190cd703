"""What was done to what, and how folding and refusing of entries go."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.gcp_names import METHODS, SERVICES, method_pattern
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Action, ActorKind, Event, Result
from tests.audit.gcp_records import (
    CASES,
    DEBIAN,
    DISK,
    EVE,
    FROM,
    IMAGE,
    KEPT,
    MACHINE,
    NIGHTLY,
    SNAPSHOT,
    SPARE,
    URL,
    VAULT,
    bindings,
    parsed,
    path,
    record,
)


@pytest.mark.parametrize(("method", "resource", "request_", "action", "subjects", "source", "made"), CASES)
def test_what_was_done_to_what(
    method: str, resource: str, request_: dict[str, Any], action: str, subjects: Any, source: str | None, made: str
) -> None:
    found = parsed(method, resource, request_)

    assert (found.action, found.subjects, found.made) == (action, subjects, made)
    assert source is None or found.source == source
    assert (found.actor.id, found.source_ip) == ("ada@acme.example", "203.0.113.9")
    assert (found.account, found.at) == ("acme-prod", datetime(2026, 11, 3, 4, 5, 6, 123456, UTC))


@pytest.mark.parametrize("prefix", ["", "v1.", "beta.", "alpha.", "v2beta1."])
def test_the_version_in_front_of_a_method_does_not_matter(prefix: str) -> None:
    found = parsed(f"{prefix}compute.snapshots.delete", path(SNAPSHOT))

    assert (found.name, found.action) == ("compute.snapshots.delete", Action.DELETE)


def test_a_record_without_its_method_is_known_by_the_type_of_its_request() -> None:
    entry = record("compute.images.setIamPolicy", path(IMAGE), bindings(EVE))
    del entry["protoPayload"]["methodName"], entry["protoPayload"]["serviceName"]

    found = AUDIT_LOG.parse(entry)

    assert isinstance(found, Event)
    assert (found.action, found.subjects) == (Action.SHARE, (IMAGE,))


@pytest.mark.parametrize(
    ("verb", "resource", "request_", "action", "subject"),
    [
        ("CreateBackupVault", VAULT.rpartition("/backup")[0], {"backupVaultId": "ledger"}, Action.POLICY, VAULT),
        ("UpdateBackupVault", VAULT, {"backupVault": {"accessRestriction": "UNRESTRICTED"}}, Action.POLICY, VAULT),
        ("DeleteBackupVault", VAULT, {}, Action.INHIBIT, VAULT),
        ("DeleteBackup", f"{VAULT}/dataSources/d/backups/b", {}, Action.DELETE, f"{VAULT}/dataSources/d/backups/b"),
        ("RestoreBackup", f"{VAULT}/dataSources/d/backups/b", {}, Action.RESTORE, f"{VAULT}/dataSources/d/backups/b"),
    ],
)
def test_backup_and_dr(verb: str, resource: str, request_: dict[str, Any], action: str, subject: str) -> None:
    method = f"google.cloud.backupdr.v1.BackupDR.{verb}"

    found = parsed(method, resource, request_, serviceName="backupdr.googleapis.com")

    assert (found.action, found.subjects) == (action, (f"//backupdr.googleapis.com/{subject}",))
    assert found.detail == ("UNRESTRICTED" if verb.startswith("Update") else "")


def test_keys_roles_and_guardrails() -> None:
    key = "projects/acme-prod/locations/eu/keyRings/backups/cryptoKeys/ledger"
    destroyed = parsed("DestroyCryptoKeyVersion", f"{key}/cryptoKeyVersions/3", serviceName="cloudkms.googleapis.com")
    role = parsed("google.iam.admin.v1.UpdateRole", "projects/acme-prod/roles/ops", serviceName="iam.googleapis.com")
    method, service = "google.cloud.orgpolicy.v2.OrgPolicy.DeletePolicy", "orgpolicy.googleapis.com"
    guard = parsed(method, "projects/acme-prod/policies/compute.storageResourceUseRestrictions", serviceName=service)
    other = record(method, "projects/acme-prod/policies/compute.skipDefaultNetworkCreation", serviceName=service)

    assert (destroyed.action, destroyed.subjects) == (Action.INHIBIT, (key,))
    assert (role.action, guard.action) == (Action.POLICY, Action.POLICY)
    assert AUDIT_LOG.parse(other) is None


@pytest.mark.parametrize(
    ("verb", "request_"),
    [
        ("SetOrgPolicy", {"policy": {"constraint": "constraints/compute.storageResourceUseRestrictions"}}),
        ("ClearOrgPolicy", {"constraint": "constraints/compute.storageResourceUseRestrictions"}),
    ],
)
@pytest.mark.parametrize("resource", ["projects/acme-prod", "acme-prod", ""])
def test_a_guardrail_changed_by_the_first_version_of_its_api(
    verb: str, request_: dict[str, Any], resource: str
) -> None:
    service = "cloudresourcemanager.googleapis.com"
    found = parsed(f"google.cloud.resourcemanager.v1.Projects.{verb}", resource, request_, serviceName=service)
    other = record(verb, resource, {"constraint": "constraints/compute.vmExternalIpAccess"}, serviceName=service)

    name = "//orgpolicy.googleapis.com/projects/acme-prod/policies/compute.storageResourceUseRestrictions"
    assert (found.action, found.subjects) == (Action.POLICY, (name,))
    assert AUDIT_LOG.parse(other) is None


@pytest.mark.parametrize(
    ("state", "action"), [("DISABLED", Action.INHIBIT), ("ENABLED", Action.POLICY), ("", Action.INHIBIT)]
)
def test_a_version_of_a_key_that_is_enabled_again_harms_nothing(state: str, action: str) -> None:
    key = "projects/acme-prod/locations/eu/keyRings/backups/cryptoKeys/ledger"
    asked = {"cryptoKeyVersion": {"state": state} if state else {}}

    found = parsed("UpdateCryptoKeyVersion", f"{key}/cryptoKeyVersions/3", asked, serviceName="cloudkms.googleapis.com")

    assert (found.action, found.subjects, found.detail) == (action, (key,), state.lower())


def test_an_export_names_its_bucket_and_a_schedule_its_retention() -> None:
    uri = {"body": {"exportContext": {"uri": "gs://loot/dump.sql"}}}
    exported = parsed("cloudsql.instances.export", "projects/acme-prod/instances/crm", uri)

    assert (exported.action, exported.detail) == (Action.EXPORT, "gs://loot/dump.sql")
    assert parsed("compute.resourcePolicies.patch", NIGHTLY, KEPT).detail == "snapshots are kept for 1 days"
    for name in ("resourcePolicies", "resourcePolicys"):
        assert parsed("compute.disks.removeResourcePolicies", path(DISK), {name: [NIGHTLY]}).detail == NIGHTLY


@pytest.mark.parametrize(
    "method", ["compute.snapshots.list", "compute.disks.aggregatedList", "cloudsql.backupRuns.list"]
)
def test_a_listing_in_the_data_access_log_is_an_enumeration(method: str) -> None:
    log = "projects/acme-prod/logs/cloudaudit.googleapis.com%2Fdata_access"

    found = parsed(method, "projects/acme-prod/global/snapshots", logName=log)

    assert (found.action, found.ids, found.subjects) == (Action.ENUMERATE, 0, ())


def test_a_schedules_snapshot_is_a_services() -> None:
    log = "projects/acme-prod/logs/cloudaudit.googleapis.com%2Fsystem_event"
    who = {"principalEmail": "system@google.com"}

    found = parsed("ScheduledSnapshots", path(DISK), logName=log, authenticationInfo=who)

    assert (found.action, found.actor.kind, found.source) == (Action.CREATE, ActorKind.SERVICE, DISK)

    target = {"response": {"operationType": "createSnapshot", "targetLink": f"{URL}/zones/europe-west1-b/disks/orders"}}
    assert parsed("ScheduledSnapshots", logName=log, authenticationInfo=who, **target).source == DISK


def _pair(method: str, resource: str, request: dict[str, Any], **end: Any) -> list[Event]:
    operation = {"id": "operation-1", "producer": "compute.googleapis.com"}
    first = parsed(method, resource, request, insertId="a", operation={**operation, "first": True})
    return [first, parsed(method, resource, insertId="b", operation={**operation, "last": True}, **end)]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("end", "result"), [({}, Result.SUCCEEDED), ({"status": {"code": 13, "message": "broke"}}, Result.FAILED)]
)
@pytest.mark.parametrize(
    ("method", "resource", "request_"),
    [
        ("beta.compute.disks.insert", SPARE, FROM),
        ("v1.compute.instances.insert", MACHINE, {"disks": [{"initializeParams": FROM}]}),
    ],
)
def test_the_first_and_the_last_record_of_an_operation_are_one_event(
    method: str, resource: str, request_: dict[str, Any], end: dict[str, Any], result: str, backwards: bool
) -> None:
    """The last one holds no request, so what was restored is known from the first alone."""
    records = _pair(method, path(resource), request_, **end)

    (found,) = AUDIT_LOG.fold(reversed(records) if backwards else records)

    assert (found.action, found.source, found.result) == (Action.RESTORE, SNAPSHOT, result)
    assert found.id == "operation-1"
    assert result != Result.FAILED or found.detail == "broke"


def test_what_folding_leaves_as_it_is() -> None:
    started, ended = _pair("v1.compute.snapshots.insert", path(SNAPSHOT), {"sourceDisk": DISK})
    machine = _pair("v1.compute.instances.insert", path(MACHINE), {"disks": [{"initializeParams": FROM}]})[1]
    other = parsed("compute.snapshots.delete", path(SNAPSHOT), insertId="c")

    assert list(AUDIT_LOG.fold([started, other])) == [started, other]
    assert list(AUDIT_LOG.fold([ended])) == [ended], "better the end alone than nothing"
    assert list(AUDIT_LOG.fold([machine])) == [], "whether it was about a snapshot is not known"
    assert list(AUDIT_LOG.fold([started, started, ended, ended])) == list(AUDIT_LOG.fold([started, ended]))
    assert list(AUDIT_LOG.fold(AUDIT_LOG.fold([started, ended]))) == list(AUDIT_LOG.fold([started, ended]))


@pytest.mark.parametrize(
    "entry",
    [
        record("compute.instances.insert", path(MACHINE), {"disks": [{"initializeParams": DEBIAN}]}),
        record("compute.firewalls.insert", "projects/acme-prod/global/firewalls/f"),
        record("storage.objects.get", "projects/_/buckets/b", serviceName="storage.googleapis.com"),
        record("cloudsql.instances.update", "projects/acme-prod/instances/crm", {"body": {"settings": {"tier": "x"}}}),
        record("x" * 100_000),
    ],
)
def test_records_of_something_else_are_left_out(entry: dict[str, Any]) -> None:
    assert AUDIT_LOG.parse(entry) is None


def _without(name: str, *, payload: bool = False) -> dict[str, Any]:
    entry = record("compute.snapshots.delete", path(SNAPSHOT))
    del (entry["protoPayload"] if payload else entry)[name]
    return entry


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({}, "protoPayload is no object"),
        (_without("timestamp"), "timestamp is missing or no time"),
        (_without("insertId"), "insertId is missing"),
        (_without("resourceName", payload=True), "names no resource"),
        (record("", path(SNAPSHOT)), "methodName is missing"),
        (record("compute.snapshots.delete", path(SNAPSHOT), logName="projects/p/logs/mine"), "not from an audit log"),
        (record("compute.snapshots.delete", path(SNAPSHOT), logName=7), "not from an audit log"),
        ({**_without("logName"), "resource": {}}, "logName names no project, folder or organisation"),
    ],
)
def test_a_broken_record_is_named(entry: dict[str, Any], why: str) -> None:
    assert AUDIT_LOG.parse(entry) == Broken(why)


def test_only_googles_own_logs_are_recognised() -> None:
    """Anybody with logging.logEntries.create can write an AuditLog into a log of another name."""
    forged = record("compute.snapshots.delete", logName="projects/acme-prod/logs/cloudaudit")

    assert AUDIT_LOG.recognise(record("compute.snapshots.delete"))
    assert not AUDIT_LOG.recognise(forged)
    assert not AUDIT_LOG.recognise({"eventSource": "ec2.amazonaws.com"})
    assert AUDIT_LOG in audit_logs()


def test_the_filter_lets_through_what_is_read_and_nothing_else() -> None:
    pattern = re.compile(method_pattern())
    names = [*METHODS, *(verb for verbs in SERVICES.values() for verb in verbs)]

    assert [name for name in names if not pattern.search(f"beta.{name}") or not pattern.search(name)] == []
    assert pattern.search("google.cloud.backupdr.v1.BackupDR.DeleteBackup")
    for other in ("v1.compute.instances.delete", "v1.compute.snapshots.testIamPermissions", "io.k8s.get", "GetRole"):
        assert not pattern.search(other)
    assert len(method_pattern()) < 15_000


def test_every_behaviour_is_listed_with_names() -> None:
    listed = {each.action: each for each in AUDIT_LOG.behaviours}

    assert set(listed) >= {Action.CREATE, Action.SHARE, Action.UNSHARE, Action.RESTORE, Action.MOUNT, Action.INHIBIT}
    assert all(each.names for each in listed.values())
    assert {action for action, each in listed.items() if each.seen} == {Action.CREATE, Action.SHARE}
