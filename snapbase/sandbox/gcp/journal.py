"""What the sandbox's Google Cloud writes into its audit logs: an entry for every call, as the real services would.

Source: google/cloud/audit/audit_log.proto, google/iam/v1/logging/audit_data.proto, google/rpc/code.proto and the
services' "audit logging" pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapbase.sandbox.gcp.call import Call, Refusal
from snapbase.sandbox.gcp.estate import Body, Estate, utc_now

_AUDIT = "type.googleapis.com/google.cloud.audit.AuditLog"
_READS = ("list", "aggregatedList", "get", "getIamPolicy", "ListBackups")
_SILENT = ("search", "wait")
_ROLES = {"create": "CreateRole", "patch": "UpdateRole", "delete": "DeleteRole"}
_VAULTS = {"create": "CreateBackupVault", "patch": "UpdateBackupVault", "list": "ListBackupVaults"}
_KEYS = {
    "keyRings.create": "CreateKeyRing",
    "keyRings.get": "GetKeyRing",
    "cryptoKeys.create": "CreateCryptoKey",
    "cryptoKeys.get": "GetCryptoKey",
    "cryptoKeyVersions.destroy": "DestroyCryptoKeyVersion",
    "cryptoKeyVersions.patch": "UpdateCryptoKeyVersion",
}
_BACKUPS = {"CreateBackup": "create", "DeleteBackup": "delete", "ListBackups": "list"}
_TYPES = {"snapshots": "gce_snapshot", "images": "gce_image", "disks": "gce_disk", "resourcePolicies": "gce_policy"}
_CODES = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNAUTHENTICATED": 16,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, from where and with what."""

    email: str
    ip: str
    agent: str


@dataclass(frozen=True, slots=True)
class Audited:
    """A method as its service's audit log names it."""

    service: str
    name: str
    resource: str
    reads: bool


def audited(estate: Estate, call: Call) -> Audited | None:
    """How a call is logged; None for those that are not: searches, and the log's own reading."""
    api, *_, verb = call.method.split(".")
    reads = verb in _READS
    if verb in _SILENT or api in ("logging", "pubsub") or "Operations." in call.method:
        return None
    if api == "compute":
        return Audited("compute.googleapis.com", f"v1.{call.method}", _compute_path(estate, call, verb), reads)
    if api == "cloudresourcemanager":
        name = container(estate, call)
        return Audited("cloudresourcemanager.googleapis.com", f"{verb[0].upper()}{verb[1:]}", name, reads)
    if api == "iam":
        role = call.parameters.get("rolesId") or call.body.get("roleId", "")
        name = f"google.iam.admin.v1.{_ROLES.get(verb, 'GetRole')}"
        return Audited("iam.googleapis.com", name, f"{container(estate, call)}/roles/{role}", reads)
    if api == "backupdr":
        name = f"google.cloud.backupdr.v1.BackupDR.{_VAULTS[verb]}"
        return Audited("backupdr.googleapis.com", name, _vault_path(estate, call), reads)
    if api == "cloudkms":
        name = _KEYS.get(".".join(call.method.split(".")[-2:]), f"{verb[0].upper()}{verb[1:]}")
        return Audited("cloudkms.googleapis.com", name, _key_path(estate, call), reads)
    backup = call.parameters.get("backupsId")
    path = container(estate, call) + (f"/backups/{backup}" if backup else "")
    return Audited("cloudsql.googleapis.com", f"cloudsql.backups.{_BACKUPS[verb]}", path, reads)


def policy_before(estate: Estate, call: Call) -> list[Body]:
    """The bindings a call is about to replace, of a project or what lies above."""
    if not call.method.startswith("cloudresourcemanager.") or not call.method.endswith(".setIamPolicy"):
        return []
    project = call.parameters.get("projectsId")
    found = estate.project(project) if project else None
    return list(estate.policy(found["name"] if found else container(estate, call)).bindings)


def write(estate: Estate, call: Call, caller: Caller, outcome: Body | Refusal, before: Sequence[Body] = ()) -> None:
    """One entry; two for a long operation. Reads are logged where Data Access logs are switched on."""
    how, where = audited(estate, call), container(estate, call)
    if how is None or not where or (how.reads and where not in estate.data_access):
        return
    payload = _payload(how, call, caller, outcome)
    if call.method.startswith("cloudresourcemanager.") and how.name == "SetIamPolicy" and isinstance(outcome, dict):
        payload["serviceData"] = _delta(before, outcome.get("bindings", []))
    log = "data_access" if how.reads else "activity"
    entry = {**_frame(estate, call, where, log), "protoPayload": payload}
    operation = (
        outcome.get("name") if isinstance(outcome, dict) and outcome.get("kind") == "compute#operation" else None
    )
    if operation is None:
        estate.record(entry)
        return
    told = {"id": operation, "producer": "compute.googleapis.com"}
    estate.record({**entry, "operation": {**told, "first": True}})
    bare = {name: value for name, value in payload.items() if name != "response"}
    bare["request"] = {"@type": payload["request"]["@type"]}
    ended = {**_frame(estate, call, where, log), "protoPayload": bare, "operation": {**told, "last": True}}
    estate.record(ended)
    if call.method in ("compute.disks.insert", "compute.regionDisks.insert") and call.body.get("resourcePolicies"):
        _scheduled(estate, call, where, how.resource)


def container(estate: Estate, call: Call) -> str:
    """Whose log a call belongs to: `projects/…`, `folders/…` or `organizations/…`; empty if nobody's."""
    for name in ("folders", "organizations"):
        if number := call.parameters.get(f"{name}Id"):
            return f"{name}/{number}"
    asked = call.parameters.get("project") or call.parameters.get("projectsId")
    found = estate.project(asked) if asked else None
    return f"projects/{found['projectId']}" if found else ""


def _frame(estate: Estate, call: Call, where: str, log: str) -> Body:
    now = utc_now()
    collection, _, name = where.partition("/")
    labels = {f"{collection.removesuffix('s')}_id": name}
    labels |= {each: call.parameters[each] for each in ("zone", "region") if each in call.parameters}
    return {
        "insertId": f"sandbox{estate.new_id()}",
        "logName": f"{where}/logs/cloudaudit.googleapis.com%2F{log}",
        "resource": {"type": _TYPES.get(_collection(call), "audited_resource"), "labels": labels},
        "severity": "NOTICE",
        "timestamp": now,
        "receiveTimestamp": now,
    }


def _payload(how: Audited, call: Call, caller: Caller, outcome: Body | Refusal) -> Body:
    kind = how.name.removeprefix("v1.")
    request: Body = {**(call.body or {}), **call.query} if not how.reads else {}
    payload: Body = {
        "@type": _AUDIT,
        "authenticationInfo": {"principalEmail": caller.email} if caller.email else {},
        "requestMetadata": {"callerIp": caller.ip, "callerSuppliedUserAgent": caller.agent},
        "serviceName": how.service,
        "methodName": how.name,
        "resourceName": how.resource,
        "request": {**_asked(call, request), "@type": f"type.googleapis.com/{kind}"},
    }
    if isinstance(outcome, Refusal):
        payload["status"] = {"code": _CODES.get(outcome.grpc, 2), "message": outcome.message}
    elif outcome.get("kind") == "compute#operation":
        payload["response"] = {**outcome, "status": "RUNNING", "@type": "type.googleapis.com/operation"}
    return payload


def _asked(call: Call, request: Body) -> Body:
    """Services other than Compute Engine log the message of their call, of which the body is one field."""
    if call.method.endswith("backupVaults.create") or call.method.endswith("backupVaults.patch"):
        return {**call.query, "backupVault": dict(call.body)}
    return {"backup": dict(call.body)} if call.method == "sql.Backups.CreateBackup" else request


def _delta(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Body:
    old, new = ({(each["role"], member) for each in side for member in each["members"]} for side in (before, after))
    deltas = [
        {"action": action, "role": role, "member": member}
        for action, pairs in (("ADD", new - old), ("REMOVE", old - new))
        for role, member in sorted(pairs)
    ]
    kind = "type.googleapis.com/google.iam.v1.logging.AuditData"
    return {"@type": kind, "policyDelta": {"bindingDeltas": deltas} if deltas else {}}


def _scheduled(estate: Estate, call: Call, where: str, disk: str) -> None:
    """A System Event: the schedule's first snapshot, which nobody asked for."""
    payload = {
        "@type": _AUDIT,
        "authenticationInfo": {"principalEmail": "system@google.com"},
        "serviceName": "compute.googleapis.com",
        "methodName": "ScheduledSnapshots",
        "resourceName": disk,
        "request": {"@type": "type.googleapis.com/compute.disks.createSnapshot"},
        "response": {
            "@type": "type.googleapis.com/operation",
            "operationType": "createSnapshot",
            "targetLink": f"https://www.googleapis.com/compute/v1/{disk}",
            "status": "DONE",
        },
    }
    estate.record({**_frame(estate, call, where, "system_event"), "protoPayload": payload})


def _collection(call: Call) -> str:
    found = call.method.split(".")[-2]
    return found[6].lower() + found[7:] if found.startswith("region") and found != "regions" else found


def _compute_path(estate: Estate, call: Call, verb: str) -> str:
    place = next(
        (f"{each}s/{call.parameters[each]}" for each in ("zone", "region") if each in call.parameters), "global"
    )
    place = "aggregated" if verb == "aggregatedList" else place
    named = [value for name, value in call.parameters.items() if name not in ("project", "zone", "region")]
    name = str(call.body.get("name", "")) if verb == "insert" else "".join(named)
    return "/".join(filter(None, (container(estate, call), place, _collection(call), name)))


def _vault_path(estate: Estate, call: Call) -> str:
    name = call.parameters.get("backupVaultsId")
    path = f"{container(estate, call)}/locations/{call.parameters['locationsId']}"
    return f"{path}/backupVaults/{name}" if name else path


def _key_path(estate: Estate, call: Call) -> str:
    """A create call names the parent in its path, and the new thing in its query."""
    path = f"{container(estate, call)}/locations/{call.parameters['locationsId']}"
    for collection, asked in (("keyRings", "keyRingId"), ("cryptoKeys", "cryptoKeyId"), ("cryptoKeyVersions", "")):
        name = call.parameters.get(f"{collection}Id") or call.query.get(asked)
        path += f"/{collection}/{name}" if name else ""
    return path
