"""What a record of Google Cloud's audit logs is about: one reader per shape of record.

Field paths: the requests' schemas in the discovery documents compute.v1, sqladmin.v1 and backupdr.v1, which the logs
repeat, and google/iam/v1/logging/audit_data.proto.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from snapbase.audit.gcp_names import AGENT_ROLE, GUARDRAILS, PUBLIC_IMAGES, REACHING, Shape, principal
from snapbase.audit.gcp_record import COMPUTE, LONGEST, Record, items, mapping, text
from snapbase.event import Action
from snapbase.model import Principal

_MANAGER, _SQL = "//cloudresourcemanager.googleapis.com", "//cloudsql.googleapis.com"
_SOURCES = ("sourceDisk", "sourceSnapshot", "sourceInstantSnapshot", "sourceImage", "sourceInstance")
_MOST = 1500
"""Principals of one allow policy, at most (IAM documentation, quotas)."""
_KEPT = 200
"""Disks of one machine, or schedules of one disk; there are fewer."""
_ELSEWHERE = "made in another project"


@dataclass(frozen=True, slots=True)
class Told:
    """What a record says beyond who, when and whether."""

    action: str
    subjects: tuple[str, ...]
    source: str = ""
    made: str = ""
    targets: tuple[Principal, ...] = ()
    detail: str = ""
    ids: int = 1


def _thing(record: Record, action: str) -> Told:
    path = record.own()
    subjects = (_address(record, path),) if path else ()
    return Told(action, subjects, detail=_detail(record))


def _key_version(record: Record, action: str) -> Told:
    """Enabled again, it takes nothing from anybody (Cloud KMS, CryptoKeyVersionState)."""
    state = text(mapping(record.request.get("cryptoKeyVersion")).get("state"))
    told = replace(_thing(record, action), detail=state.lower())
    return replace(told, action=Action.POLICY) if state == "ENABLED" else told


def _detail(record: Record) -> str:
    """The one field of a request that matters, by what the request has."""
    kept = mapping(mapping(record.request.get("snapshotSchedulePolicy")).get("retentionPolicy"))
    if days := _number(kept.get("maxRetentionDays")):
        return f"snapshots are kept for {days} days"
    if record.name.endswith("ResourcePolicies"):
        # The log's own plural; the API's is resourcePolicies.
        names = record.request.get("resourcePolicys") or record.request.get("resourcePolicies")
        return _words(text(each) for each in _list(names))
    for name in ("kmsKeyName", "asyncSecondaryDisk", "exportParams", "bucketName", "destination"):
        value = record.request.get(name)
        value = mapping(value).get("disk") or mapping(value).get("bucketName") if isinstance(value, dict) else value
        if text(value):
            return text(value)
    return ""


def _made(record: Record, action: str) -> Told:
    """A copy: of what, the request says. Made elsewhere of something here, the source is all that is named."""
    path = record.own()
    if record.is_foreign:
        source = record.compute(path)
        return Told(action, (source,) if path else (), source, detail=_ELSEWHERE)
    names = (record.request.get(name) for name in _SOURCES)
    raw = mapping(record.request.get("rawDisk")).get("source")
    source = next((record.compute(each) for each in names if text(each)), "") or text(raw)
    if ".images." in f".{record.name}" and "/images/" in source:
        action = Action.COPY
    made = record.compute(path)
    return Told(action, (made,) if path else (), source, made)


def _disk(record: Record, action: str) -> Told:
    """From a snapshot or an image of one's own it is a restore, from a disk a clone; else a disk like any other."""
    told = _made(record, action)
    source = told.source
    if not source or _public(source):
        return told
    action = Action.COPY if "/disks/" in source else Action.RESTORE
    return replace(told, action=action, subjects=tuple(dict.fromkeys((source, *told.subjects))))


def _snapped(record: Record, action: str) -> Told:
    """`disks.createSnapshot`, and what a schedule did, which only System Events tell and whose snapshot they do not
    name (Compute Engine, "Audit logging": `response.targetLink` is the disk)."""
    disk = record.compute(record.own() or mapping(record.payload.get("response")).get("targetLink"))
    name = "" if record.is_foreign else text(record.request.get("name"))
    made = record.compute(f"projects/{record.account}/global/snapshots/{name}") if name else ""
    return Told(action, tuple(filter(None, (made or disk,))), disk, made)


def _instance(record: Record, action: str) -> Told | None:
    """Machines come and go; only those count whose disks are made of a snapshot or were there before."""
    shape = mapping(record.request.get("instanceProperties")) or record.request
    machine = record.compute(record.own())
    image = record.compute(record.request.get("sourceMachineImage") or shape.get("sourceMachineImage"))
    disks = list(items(shape.get("disks")))[:_KEPT]
    fresh = [mapping(each.get("initializeParams")) for each in disks]
    found = [image, *(record.compute(each.get("sourceSnapshot") or each.get("sourceImage")) for each in fresh)]
    restored = tuple(dict.fromkeys(each for each in found if each and not _public(each)))
    attached = tuple(dict.fromkeys(address for each in disks if (address := record.compute(each.get("source")))))
    if record.is_foreign:
        return Told(action, (machine,) if record.resource else (), machine, detail=_ELSEWHERE)
    if restored:
        return Told(action, restored, restored[0], machine, detail="a disk of a new machine")
    if attached:
        return Told(Action.MOUNT, attached, attached[0], machine, detail="a disk of a new machine")
    return Told(action, (machine,)) if record.is_end and record.resource else None


def _attached(record: Record, action: str) -> Told:
    disk, machine = record.compute(record.request.get("source")), record.compute(record.own())
    subject = disk or (machine if record.resource else "")
    return Told(action, (subject,) if subject else (), disk, detail=f"to {machine}" if record.resource else "")


def _shared(record: Record, action: str) -> Told:
    """To whom: those that were added. Where the record holds no difference, only the whole new policy is known."""
    path = record.own()
    subjects = (_address(record, path),) if path else ()
    given, taken = _deltas(record)
    if given is not None:
        words = [f"{role} given" for role in _roles(given.values())]
        words += [f"{role} taken" for role in _roles(taken.values())]
        if action == Action.SHARE and not given:
            action = Action.UNSHARE if taken else Action.POLICY
        return Told(action, subjects, targets=tuple(given or taken), detail=_words(words))
    policy = mapping(record.request.get("policy")) or record.request
    if not isinstance(policy.get("bindings", []), list) or set(record.request) <= {"@type"}:
        return Told(Action.POLICY, subjects, detail="the record does not say which policy was set")
    bindings = list(items(policy.get("bindings")))
    members = dict.fromkeys(principal(name) for each in bindings for name in _names(each.get("members")))
    if not members:
        action = Action.UNSHARE if action == Action.SHARE else action
        return Told(action, subjects, detail="the whole new policy: nobody")
    roles = _words(text(each.get("role")) for each in bindings)
    told = f"the whole new policy, not what changed: {roles}"
    return Told(action, subjects, targets=tuple(members)[:_MOST], detail=told)


def _container(record: Record, action: str) -> Told:
    """On a project or above, a share is what a role gives that can reach what lies below."""
    told = _shared(record, action)
    name = record.own() or text(record.request.get("resource"))
    name = name if "/" in name or not name else f"projects/{name}"
    subjects = (f"{_MANAGER}/{name}",) if name else ()
    given, _ = _deltas(record)
    bindings = items(mapping(record.request.get("policy")).get("bindings"))
    roles = _roles(given.values()) if given is not None else [text(each.get("role")) for each in bindings]
    if told.action == Action.SHARE and not any(
        each.startswith(REACHING) or each.endswith(AGENT_ROLE) for each in roles
    ):
        return replace(told, action=Action.POLICY, subjects=subjects)
    return replace(told, subjects=subjects)


Deltas = dict[Principal, set[str]]


def _deltas(record: Record) -> tuple[Deltas, Deltas] | tuple[None, Deltas]:
    """Who was given and who was taken which roles; None where the record holds no difference of policies."""
    for place in ("serviceData", "metadata"):
        delta = mapping(record.payload.get(place)).get("policyDelta")
        if isinstance(delta, dict) and isinstance(delta.get("bindingDeltas", []), list):
            given: Deltas = {}
            taken: Deltas = {}
            for each in items(delta.get("bindingDeltas")):
                side = {"ADD": given, "REMOVE": taken}.get(text(each.get("action")))
                member = text(each.get("member"))
                if side is not None and member and len(side) < _MOST:
                    side.setdefault(principal(member), set()).add(text(each.get("role")))
            return given, taken
    return None, {}


def _listing(_: Record, action: str) -> Told:
    return Told(action, (), ids=0)


def _sql(record: Record, action: str) -> Told:
    """Cloud SQL's requests hold their fields, or a `body` that holds them; `resourceName` may be of no use."""
    asked = {**record.request, **mapping(record.request.get("body"))}
    project = text(asked.get("project")) or record.account
    root, own = f"{_SQL}/projects/{project}", record.own()
    name = text(asked.get("instance")) or text(mapping(asked.get("backup")).get("instance"))
    name = name or own.partition("/instances/")[2].partition("/")[0]
    instance = f"{_SQL}/{name}" if "/" in name else f"{root}/instances/{name}" if name else ""
    verb = record.name.rpartition("cloudsql.")[2]
    run = _number(asked.get("id"))
    if verb.startswith("backups.") and "/backups/" in own:
        return Told(action, (f"{_SQL}/{own}",), instance)
    if verb.startswith("backupRuns."):
        run = run or _number(mapping(mapping(record.payload.get("response")).get("backupContext")).get("backupId"))
        backup = f"{instance}/backupRuns/{run}" if run and instance else ""
        made = backup if action == Action.CREATE else ""
        return Told(action, tuple(filter(None, (backup or instance,))), instance, made)
    subjects = (instance,) if instance else ()
    if verb == "instances.export":
        return Told(action, subjects, instance, detail=text(mapping(asked.get("exportContext")).get("uri")))
    if verb == "instances.clone":
        into = text(mapping(asked.get("cloneContext")).get("destinationInstanceName"))
        return Told(action, subjects, instance, f"{root}/instances/{into}" if into else "")
    if verb == "instances.restoreBackup":
        source = _restored(asked, project)
        return Told(action, (source, *subjects) if source else subjects, source, instance)
    detail = "its automated backups go with it unless they are kept" if verb == "instances.delete" else ""
    return Told(action, subjects, detail=detail)


def _restored(asked: Mapping[str, Any], project: str) -> str:
    """The backup that is restored: by name, or by its number within an instance, which may be of another project."""
    if backup := text(asked.get("backup")):
        return f"{_SQL}/{backup}"
    context = mapping(asked.get("restoreBackupContext"))
    number, instance = _number(context.get("backupRunId")), text(context.get("instanceId"))
    where = f"projects/{text(context.get('project')) or project}/instances/{instance}"
    return f"{_SQL}/{where}/backupRuns/{number}" if number and instance else ""


def _sql_settings(record: Record, action: str) -> Told | None:
    """Of an instance's settings only what ends its backups."""
    asked = {**record.request, **mapping(record.request.get("body"))}
    backups = mapping(mapping(asked.get("settings")).get("backupConfiguration"))
    off = [words for name, words in _SWITCHES.items() if backups.get(name) is False]
    return replace(_sql(record, action), detail=_words(off)) if off else None


_SWITCHES = {"enabled": "automated backups off", "pointInTimeRecoveryEnabled": "point-in-time recovery off"}


def _vault(record: Record, action: str) -> Told:
    """A create call names the parent as its resource and the new name in the request (backupdr.v1 discovery)."""
    path, request = record.own(), record.request
    for collection in ("backupVault", "backupPlan", "backupPlanAssociation"):
        new = text(request.get(f"{collection}Id"))
        if new and path and f"/{collection}s" not in path:
            path = f"{path}/{collection}s/{new}"
    vault = mapping(request.get("backupVault"))
    kept = (vault.get("accessRestriction"), vault.get("backupMinimumEnforcedRetentionDuration"))
    address = f"//backupdr.googleapis.com/{path}" if path else ""
    source = address if action == Action.RESTORE else ""
    return Told(action, (address,) if path else (), source, detail=_words(map(text, kept)))


def _guardrail(record: Record, action: str) -> Told | None:
    """By its name; the first version names the container, and the constraint in the request
    (cloudresourcemanager.v1 discovery, setOrgPolicy, clearOrgPolicy)."""
    policy = mapping(record.request.get("policy"))
    name = record.own() or text(policy.get("name"))
    constraint = text(policy.get("constraint")) or text(record.request.get("constraint"))
    if record.service == "cloudresourcemanager.googleapis.com" and constraint:
        where = name if "/" in name else f"projects/{name or record.account}"
        name = f"{where}/policies/{constraint.removeprefix('constraints/')}"
    return Told(action, (f"//orgpolicy.googleapis.com/{name}",)) if name.endswith(GUARDRAILS) else None


def _address(record: Record, path: str) -> str:
    """As the collectors write it; a key's is its bare path, as resources name theirs."""
    if record.service == "cloudkms.googleapis.com":
        return path.partition("/cryptoKeyVersions/")[0]
    return f"//{record.service or COMPUTE}/{path}"


def _public(source: str) -> bool:
    return source.partition("/projects/")[2].partition("/")[0] in PUBLIC_IMAGES


def _list(value: Any) -> list[Any]:
    return value[:_KEPT] if isinstance(value, list) else []


def _names(value: Any) -> Iterator[str]:
    return (each for each in value[:_MOST] if isinstance(each, str)) if isinstance(value, list) else iter(())


def _number(value: Any) -> str:
    """An int64, which JSON writes as a string or not; empty for anything else."""
    small = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    found = str(value) if small else text(value)
    return found if found.isdecimal() and len(found) < 20 else ""


def _roles(held: Iterable[set[str]]) -> list[str]:
    return sorted({role for roles in held for role in roles if role})


def _words(told: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, told)))[:LONGEST]


READERS: Mapping[Shape, Callable[[Record, str], Told | None]] = {
    Shape.THING: _thing,
    Shape.MADE: _made,
    Shape.DISK: _disk,
    Shape.SNAPPED: _snapped,
    Shape.INSTANCE: _instance,
    Shape.ATTACHED: _attached,
    Shape.SHARED: _shared,
    Shape.CONTAINER: _container,
    Shape.LISTING: _listing,
    Shape.SQL: _sql,
    Shape.SQL_SETTINGS: _sql_settings,
    Shape.VAULT: _vault,
    Shape.KEY_VERSION: _key_version,
    Shape.GUARDRAIL: _guardrail,
}
