"""Audit log entries of our own making, in the shapes that Google writes."""

from typing import Any

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.event import Action, Event

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
        "compute.regionInstances.bulkInsert",
        "projects/acme-prod/regions/europe-west1/instances",
        {"instanceProperties": {"disks": [{"initializeParams": FROM}]}},
        Action.RESTORE,
        (SNAPSHOT,),
        SNAPSHOT,
        f"{ROOT}/regions/europe-west1/instances",
    ),
    ("compute.disks.bulkInsert", path(DISK), {}, Action.COPY, (DISK,), "", ""),
    ("compute.instantSnapshotGroups.delete", path(DISK), {}, Action.DELETE, (DISK,), "", ""),
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
STORAGE = "roles/compute.storageAdmin"
