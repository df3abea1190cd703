"""Records of our own making, in the shapes that Cloud Audit Logs have, become the events they stand for."""

import copy
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.gcp_names import METHODS, SERVICES, method_pattern, principal
from snapbase.audit.log import Broken, audit_logs
from snapbase.collect.gcp.policy import principal as collected
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind

ROOT = "//compute.googleapis.com/projects/acme-prod"
SNAPSHOT, IMAGE = f"{ROOT}/global/snapshots/ledger", f"{ROOT}/global/images/golden"
DISK, MACHINE = f"{ROOT}/zones/europe-west1-b/disks/orders", f"{ROOT}/zones/europe-west1-b/instances/probe"
SQL = "//cloudsql.googleapis.com/projects/acme-prod"
EVE = "user:eve@evil.example"
URL = "https://www.googleapis.com/compute/v1/projects/acme-prod"


def record(method: str, resource: str = "", request: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """One entry; `fields` go into the payload, or beside it where entries have them."""
    beside: dict[str, Any] = {
        name: fields.pop(name) for name in ("operation", "logName", "resource", "insertId") if name in fields
    }
    service = "cloudsql" if method.startswith("cloudsql.") else "compute"
    return {
        "insertId": "1a2b3c",
        "logName": "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity",
        "resource": {"type": "gce_snapshot", "labels": {"project_id": "acme-prod"}},
        "severity": "NOTICE",
        "timestamp": "2026-11-03T04:05:06.123456789Z",
        "receiveTimestamp": "2026-11-03T04:05:07.5Z",
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": "ada@acme.example", "principalSubject": "user:ada@acme.example"},
            "requestMetadata": {"callerIp": "203.0.113.9", "callerSuppliedUserAgent": "google-cloud-sdk gcloud/9.9"},
            "serviceName": f"{service}.googleapis.com",
            "methodName": method,
            "resourceName": resource,
            "request": {"@type": f"type.googleapis.com/{method}", **(request or {})},
            **fields,
        },
        **beside,
    }


def parsed(*args: Any, **fields: Any) -> Event:
    found = AUDIT_LOG.parse(record(*args, **fields))
    assert isinstance(found, Event), found
    return found


def bindings(*members: str, role: str = "roles/compute.storageAdmin") -> dict[str, Any]:
    return {"policy": {"version": 3, "bindings": [{"role": role, "members": list(members)}]}}


def deltas(*changes: tuple[str, str, str]) -> dict[str, Any]:
    kind = "type.googleapis.com/google.iam.v1.logging.AuditData"
    changed = [{"action": action, "role": role, "member": member} for action, role, member in changes]
    return {"serviceData": {"@type": kind, "policyDelta": {"bindingDeltas": changed}}}


def path(address: str) -> str:
    return address.partition(".com/")[2]


FROM = {"sourceSnapshot": f"{URL}/global/snapshots/ledger"}
DEBIAN = {"sourceImage": "projects/debian-cloud/global/images/family/debian-13"}
POOLS = "principal://iam.googleapis.com/locations/global"
SPARE = f"{ROOT}/zones/europe-west1-b/disks/spare"
NIGHTLY = "projects/acme-prod/regions/europe-west1/resourcePolicies/nightly"
VAULT = "projects/acme-prod/locations/europe-west1/backupVaults/ledger"
KEPT = {"snapshotSchedulePolicy": {"retentionPolicy": {"maxRetentionDays": 1}}}

CASES: list[tuple[Any, ...]] = [
    ("compute.snapshots.insert", path(SNAPSHOT), {"sourceDisk": DISK}, Action.CREATE, (SNAPSHOT,), DISK, SNAPSHOT),
    ("compute.snapshots.delete", path(SNAPSHOT), {}, Action.DELETE, (SNAPSHOT,), "", ""),
    ("compute.snapshots.setLabels", path(SNAPSHOT), {"labels": []}, Action.MODIFY, (SNAPSHOT,), "", ""),
    ("compute.snapshots.get", path(SNAPSHOT), {}, Action.ENUMERATE, (SNAPSHOT,), "", ""),
    (
        "compute.regionSnapshots.delete",
        "projects/acme-prod/regions/europe-west1/snapshots/eu",
        {},
        Action.DELETE,
        (f"{ROOT}/regions/europe-west1/snapshots/eu",),
        "",
        "",
    ),
    ("compute.images.insert", path(IMAGE), FROM, Action.CREATE, (IMAGE,), SNAPSHOT, IMAGE),
    ("compute.images.insert", path(IMAGE), {"sourceImage": "global/images/old"}, Action.COPY, (IMAGE,), None, IMAGE),
    ("compute.images.deprecate", path(IMAGE), {}, Action.MODIFY, (IMAGE,), "", ""),
    (
        "compute.machineImages.insert",
        "projects/acme-prod/global/machineImages/m",
        {"sourceInstance": path(MACHINE)},
        Action.CREATE,
        (f"{ROOT}/global/machineImages/m",),
        MACHINE,
        f"{ROOT}/global/machineImages/m",
    ),
    ("compute.instantSnapshots.export", path(DISK), {}, Action.EXPORT, (DISK,), "", ""),
    ("compute.disks.insert", path(SPARE), FROM, Action.RESTORE, (SNAPSHOT, SPARE), SNAPSHOT, SPARE),
    ("compute.disks.insert", path(SPARE), {"sourceDisk": path(DISK)}, Action.COPY, (DISK, SPARE), DISK, SPARE),
    ("compute.disks.insert", path(SPARE), {}, Action.CREATE, (SPARE,), "", SPARE),
    (
        "compute.disks.insert",
        path(SPARE),
        DEBIAN,
        Action.CREATE,
        (SPARE,),
        None,
        SPARE,
    ),
    ("compute.disks.createSnapshot", path(DISK), {"name": "ledger"}, Action.CREATE, (SNAPSHOT,), DISK, SNAPSHOT),
    (
        "compute.disks.removeResourcePolicies",
        path(DISK),
        {"resourcePolicies": [NIGHTLY]},
        Action.INHIBIT,
        (DISK,),
        "",
        "",
    ),
    ("compute.resourcePolicies.insert", NIGHTLY, {}, Action.POLICY, (f"//compute.googleapis.com/{NIGHTLY}",), "", ""),
    (
        "compute.resourcePolicies.patch",
        NIGHTLY,
        KEPT,
        Action.INHIBIT,
        (f"//compute.googleapis.com/{NIGHTLY}",),
        "",
        "",
    ),
    ("compute.resourcePolicies.delete", NIGHTLY, {}, Action.INHIBIT, (f"//compute.googleapis.com/{NIGHTLY}",), "", ""),
    (
        "compute.instances.insert",
        path(MACHINE),
        {"disks": [{"boot": True}, {"initializeParams": FROM}]},
        Action.RESTORE,
        (SNAPSHOT,),
        SNAPSHOT,
        MACHINE,
    ),
    (
        "compute.instances.bulkInsert",
        path(MACHINE),
        {"instanceProperties": {"disks": [{"initializeParams": FROM}]}},
        Action.RESTORE,
        (SNAPSHOT,),
        SNAPSHOT,
        MACHINE,
    ),
    (
        "compute.instances.insert",
        path(MACHINE),
        {"disks": [{"source": path(DISK)}]},
        Action.MOUNT,
        (DISK,),
        DISK,
        MACHINE,
    ),
    ("compute.instances.attachDisk", path(MACHINE), {"source": path(DISK)}, Action.MOUNT, (DISK,), DISK, ""),
    (
        "cloudsql.backupRuns.create",
        "backupRuns/",
        {"instance": "billing"},
        Action.CREATE,
        (f"{SQL}/instances/billing",),
        f"{SQL}/instances/billing",
        "",
    ),
    (
        "cloudsql.backupRuns.delete",
        "projects/acme-prod/instances/billing",
        {"instance": "billing", "id": "17"},
        Action.DELETE,
        (f"{SQL}/instances/billing/backupRuns/17",),
        f"{SQL}/instances/billing",
        "",
    ),
    (
        "cloudsql.backups.delete",
        "projects/acme-prod/backups/b-1",
        {},
        Action.DELETE,
        (f"{SQL}/backups/b-1",),
        "",
        "",
    ),
    (
        "cloudsql.instances.clone",
        "projects/acme-prod/instances/billing",
        {"body": {"cloneContext": {"destinationInstanceName": "billing-2"}}},
        Action.COPY,
        (f"{SQL}/instances/billing",),
        f"{SQL}/instances/billing",
        f"{SQL}/instances/billing-2",
    ),
    (
        "cloudsql.instances.restoreBackup",
        "projects/acme-prod/instances/crm",
        {"body": {"restoreBackupContext": {"backupRunId": 17, "instanceId": "billing", "project": "acme-prod"}}},
        Action.RESTORE,
        (f"{SQL}/instances/billing/backupRuns/17", f"{SQL}/instances/crm"),
        f"{SQL}/instances/billing/backupRuns/17",
        f"{SQL}/instances/crm",
    ),
    (
        "cloudsql.instances.update",
        "projects/acme-prod/instances/crm",
        {"body": {"settings": {"backupConfiguration": {"enabled": False}}}},
        Action.INHIBIT,
        (f"{SQL}/instances/crm",),
        "",
        "",
    ),
]


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


STORAGE = "roles/compute.storageAdmin"


@pytest.mark.parametrize(
    ("changes", "action", "targets"),
    [
        ([("ADD", STORAGE, EVE)], Action.SHARE, [EVE]),
        ([("REMOVE", STORAGE, EVE)], Action.UNSHARE, [EVE]),
        ([("REMOVE", STORAGE, "user:ada@acme.example"), ("ADD", STORAGE, EVE)], Action.SHARE, [EVE]),
        (
            [("ADD", STORAGE, "allAuthenticatedUsers"), ("ADD", STORAGE, EVE)],
            Action.SHARE,
            ["allAuthenticatedUsers", EVE],
        ),
        ([], Action.POLICY, []),
    ],
)
@pytest.mark.parametrize("kind", ["snapshots", "images", "machineImages", "instantSnapshots", "disks"])
def test_a_difference_of_policies_says_who_was_given_access(
    kind: str, changes: list[tuple[str, str, str]], action: str, targets: list[str]
) -> None:
    """The whole policy in the request still names everybody else, who must not be taken for new."""
    whole = bindings("group:dba@acme.example", EVE)

    found = parsed(f"v1.compute.{kind}.setIamPolicy", path(SNAPSHOT), whole, **deltas(*changes))

    assert (found.action, found.targets) == (action, tuple(principal(each) for each in targets))


def test_without_a_difference_the_targets_are_all_and_the_detail_says_so() -> None:
    found = parsed("v1.compute.snapshots.setIamPolicy", path(SNAPSHOT), bindings("group:dba@acme.example", EVE))

    assert (found.action, [each.id for each in found.targets]) == (
        Action.SHARE,
        ["dba@acme.example", "eve@evil.example"],
    )
    assert found.detail == "the whole new policy, not what changed: roles/compute.storageAdmin"


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        ({"policy": {"bindings": []}}, Action.UNSHARE),
        ({"policy": {"etag": "a"}}, Action.UNSHARE),
        ({"bindings": [{"role": STORAGE, "members": [EVE]}]}, Action.SHARE),
        ({}, Action.POLICY),
    ],
    ids=["emptied", "emptied by omission", "of the old form", "left out of the record"],
)
def test_a_policy_that_is_set_whole(request_: dict[str, Any], action: str) -> None:
    assert parsed("compute.snapshots.setIamPolicy", path(SNAPSHOT), request_).action == action


@pytest.mark.parametrize(
    ("container", "log"), [("projects/acme-prod", ""), ("folders/7", ""), ("organizations/31", ""), ("acme-prod", "x")]
)
@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("roles/editor", Action.SHARE),
        (STORAGE, Action.SHARE),
        ("organizations/31/roles/restoreOperator", Action.SHARE),
        ("roles/logging.viewer", Action.POLICY),
    ],
)
def test_a_role_on_a_project_or_above_is_a_share_if_it_can_reach_copies(
    container: str, log: str, role: str, action: str
) -> None:
    log = f"{'projects/acme-prod' if log else container}/logs/cloudaudit.googleapis.com%2Factivity"
    fields = {"serviceName": "cloudresourcemanager.googleapis.com", **deltas(("ADD", role, EVE))}

    found = parsed("SetIamPolicy", container, bindings(EVE, role=role), logName=log, **fields)

    name = container if "/" in container else f"projects/{container}"
    assert found.subjects == (f"//cloudresourcemanager.googleapis.com/{name}",)
    assert (found.action, found.targets) == (action, (Principal(PrincipalKind.USER, "eve@evil.example"),))
    assert found.detail == f"{role} given"


@pytest.mark.parametrize("service", ["storage", "pubsub", "bigquery", "iam"])
def test_a_policy_of_another_service_is_none_of_ours(service: str) -> None:
    entry = record("SetIamPolicy", "x", bindings(EVE), serviceName=f"{service}.googleapis.com")

    assert AUDIT_LOG.parse(entry) is None


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


def test_a_copy_that_was_made_in_somebody_elses_project() -> None:
    """The record lies in the victim's log and names the source alone."""
    control = {"metadata": {"@type": "type.googleapis.com/google.cloud.audit.CrossEntityControlAuditMetadata"}}
    who = {"authenticationInfo": {"principalEmail": "eve@evil.example"}, "requestMetadata": {}}

    made = parsed("v1.compute.snapshots.insert", path(DISK), **control, **who)
    restored = parsed("v1.compute.disks.insert", path(SNAPSHOT), **control, **who)

    assert (made.action, made.subjects, made.made) == (Action.CREATE, (DISK,), "")
    assert (restored.action, restored.subjects, restored.source) == (Action.RESTORE, (SNAPSHOT,), SNAPSHOT)
    assert (made.id, made.result) == ("acme-prod/1a2b3c", Result.SUCCEEDED), "its own, beside the one of the other log"
    assert (made.actor.kind, made.actor.id, made.source_ip) == (ActorKind.FOREIGN, "eve@evil.example", "")


@pytest.mark.parametrize(
    ("who", "kind", "issuer"),
    [
        ({"principalEmail": "ada@acme.example"}, ActorKind.HUMAN, ""),
        ({"principalEmail": "deploy@acme-prod.iam.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalEmail": "123-compute@developer.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalEmail": "service-123@compute-system.iam.gserviceaccount.com"}, ActorKind.SERVICE, ""),
        ({"principalEmail": "123@cloudservices.gserviceaccount.com"}, ActorKind.SERVICE, ""),
        ({"principalEmail": "service-123@compute-system-1.iam.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalSubject": f"{POOLS}/workloadIdentityPools/p/subject/s"}, ActorKind.ROLE, ""),
        ({"principalSubject": f"{POOLS}/workforcePools/p/subject/s"}, ActorKind.HUMAN, ""),
        ({}, ActorKind.UNKNOWN, ""),
        (
            {
                "principalEmail": "deploy@acme-prod.iam.gserviceaccount.com",
                "serviceAccountDelegationInfo": [
                    {"firstPartyPrincipal": {"principalEmail": "eve@acme.example"}},
                    {"principalSubject": "serviceAccount:step@acme-prod.iam.gserviceaccount.com"},
                ],
            },
            ActorKind.ROLE,
            "eve@acme.example",
        ),
    ],
)
def test_who_it_was(who: dict[str, Any], kind: str, issuer: str) -> None:
    actor = parsed("compute.snapshots.delete", path(SNAPSHOT), authenticationInfo=who).actor

    assert (actor.kind, actor.issuer) == (kind, issuer)
    assert actor.id == who.get("principalEmail", who.get("principalSubject", ""))
    assert actor.account == ("acme-prod" if actor.id.startswith("deploy@") else actor.account)


@pytest.mark.parametrize(
    ("fields", "result", "detail"),
    [
        ({"status": {}}, Result.SUCCEEDED, ""),
        ({"status": {"code": 7, "message": "no\npermission"}}, Result.DENIED, "no permission"),
        ({"status": {"code": 6, "message": "exists"}}, Result.FAILED, "exists"),
        ({"response": {"error": {"errors": [{"code": "QUOTA_EXCEEDED"}]}}}, Result.FAILED, "QUOTA_EXCEEDED"),
        ({"authorizationInfo": [{"permission": "compute.snapshots.delete", "granted": False}]}, Result.DENIED, ""),
        ({"authorizationInfo": [{"granted": True}, {"granted": False}]}, Result.SUCCEEDED, ""),
        ({"operation": {"id": "op-1", "first": True}}, Result.STARTED, ""),
        ({"operation": {"id": "op-1", "first": True, "last": True}}, Result.SUCCEEDED, ""),
    ],
)
def test_how_it_ended(fields: dict[str, Any], result: str, detail: str) -> None:
    found = parsed("compute.snapshots.delete", path(SNAPSHOT), **fields)

    assert (found.result, found.detail) == (result, detail)


def test_a_call_that_only_validates_changes_nothing() -> None:
    method, fields = "google.cloud.backupdr.v1.BackupDR.DeleteBackup", {"serviceName": "backupdr.googleapis.com"}

    assert parsed(method, VAULT, {"validateOnly": True}, **fields).result == Result.DRY_RUN


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


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**40, float("nan"), "projects/" * 300, "\ud800", "\x00"])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BASES = [record(*case[:3]) for case in CASES]
BASES += [
    record("v1.compute.snapshots.setIamPolicy", path(SNAPSHOT), bindings(EVE), **deltas(("ADD", STORAGE, EVE))),
    record("SetIamPolicy", "projects/p", bindings(EVE), serviceName="cloudresourcemanager.googleapis.com"),
    record("google.cloud.backupdr.v1.BackupDR.DeleteBackup", VAULT, serviceName="backupdr.googleapis.com"),
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in _places(each, (*at, key)))]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_record_however_mangled_raises(data: st.DataObject) -> None:
    entry = copy.deepcopy(data.draw(st.sampled_from(BASES)))
    for _ in range(data.draw(st.integers(1, 4))):
        *way, last = data.draw(st.sampled_from(_places(entry)[1:]))
        inside: Any = entry
        for key in way:
            inside = inside[key]
        inside[last] = data.draw(JUNK)

    AUDIT_LOG.recognise(entry)
    found = AUDIT_LOG.parse(entry)

    assert found is None or isinstance(found, Event | Broken)
    if isinstance(found, Event):
        assert list(AUDIT_LOG.fold([found, found]))[1:] == []
        assert all(len(each) < 4096 for each in (*found.subjects, found.detail, found.id))


@pytest.mark.parametrize(
    "number", [10**5000, -(10**30), True, 1.5, "9" * 400, [3]], ids=lambda each: type(each).__name__
)
def test_a_number_that_is_none_is_left_out(number: Any) -> None:
    """Python refuses to write integers of more than 4,300 digits."""
    kept = {"snapshotSchedulePolicy": {"retentionPolicy": {"maxRetentionDays": number}}}

    assert parsed("compute.resourcePolicies.patch", NIGHTLY, kept).detail == ""
    assert parsed("cloudsql.backupRuns.delete", "", {"instance": "crm", "id": number}).subjects == (
        f"{SQL}/instances/crm",
    )


MEMBERS = (
    "allUsers",
    "allAuthenticatedUsers",
    "user:Eve@Evil.example",
    "group:g@x.example",
    "serviceAccount:p.svc.id.goog[ns/ksa]",
    "domain:Evil.example",
    "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s",
    "principalSet://iam.googleapis.com/locations/global/workforcePools/p/*",
    "deleted:user:e@x.example?uid=1",
    "projectOwner:acme-prod",
    "nonsense",
    "user:" + "x" * 2000,
    "user: a\n b",
)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_is_whom_the_collectors_take_it_for(member: str) -> None:
    assert principal(member) == collected(member)


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
