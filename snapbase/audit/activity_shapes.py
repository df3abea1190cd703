"""What a record of Azure's Activity Log is about: one reader per shape of operation.

Field paths: the request and response schemas of the resource providers' REST APIs, which the log repeats as JSON in
strings where it repeats them at all. What only they could tell and do not, an event leaves open.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from snapbase.audit.activity_names import DATA, REACHING, Shape
from snapbase.audit.activity_record import (
    LONGEST,
    Body,
    Record,
    address,
    container_of,
    field,
    items,
    kind_of,
    moment,
    text,
)
from snapbase.event import Action
from snapbase.model import Principal, PrincipalKind

_KEPT = 200
"""Disks of a machine, groups of a gallery: there are fewer."""
_SLOW = timedelta(minutes=15)
"""How long after a resource was made the record of its making may come; a later one is of a change."""
_SAS = Principal(PrincipalKind.BEARER, "sas")
_COMPUTE = "microsoft.compute"
_COPIED = (
    f"{_COMPUTE}/snapshots",
    f"{_COMPUTE}/images",
    f"{_COMPUTE}/galleries/images/versions",
    f"{_COMPUTE}/restorepointcollections",
    f"{_COMPUTE}/restorepointcollections/restorepoints",
)
_RESTORED = (*_COPIED, f"{_COMPUTE}/restorepointcollections/restorepoints/diskrestorepoints")
_IMAGES = (f"{_COMPUTE}/images", f"{_COMPUTE}/galleries/images", f"{_COMPUTE}/galleries/images/versions")
_STARTED = (
    "properties.storageProfile.imageReference.id",
    "properties.virtualMachineProfile.storageProfile.imageReference.id",
)
_SOURCES = (
    "properties.creationData.sourceResourceId",
    "properties.creationData.galleryImageReference.id",
    "properties.sourceRestorePoint.id",
    "properties.source.id",
    "properties.sourceVirtualMachine.id",
    "properties.storageProfile.source.id",
    "properties.storageProfile.source.virtualMachineId",
    "properties.storageProfile.osDiskImage.source.id",
    "properties.storageProfile.osDisk.snapshot.id",
    "properties.storageProfile.osDisk.managedDisk.id",
)
_BORN = ("properties.timeCreated", "properties.publishingProfile.publishedDate")
_SETTINGS = ("networkAccessPolicy", "publicNetworkAccess", "dataAccessAuthMode", "diskAccessId", "permissions")
_HOLDERS = {
    "user": PrincipalKind.USER,
    "group": PrincipalKind.GROUP,
    "serviceprincipal": PrincipalKind.SERVICE_PRINCIPAL,
    "foreigngroup": PrincipalKind.FOREIGN_GROUP,
}
_GROUPS = {"subscriptions": PrincipalKind.SUBSCRIPTION, "aadtenants": PrincipalKind.TENANT}
_OFF = ("disabled", "off")
_PROTECTIONS = {
    "properties.securitySettings.softDeleteSettings.softDeleteState": "soft delete off",
    "properties.securitySettings.softDeleteSettings.state": "soft delete off",
    "properties.softDeleteFeatureState": "soft delete off",
    "properties.securitySettings.immutabilitySettings.state": "immutability off",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What a record says beyond who, when and whether."""

    action: str
    subjects: tuple[str, ...]
    source: str = ""
    made: str = ""
    targets: tuple[Principal, ...] = ()
    detail: str = ""


def _thing(record: Record, action: str) -> Told:
    return Told(action, _named(record.resource))


def _made(record: Record, action: str) -> Told:
    """The same operation makes a resource and changes one."""
    if _is_change(record):
        return Told(Action.MODIFY, _named(record.resource), detail=_settings(record.asked))
    source = address(_first(record, *_SOURCES))
    action = Action.COPY if kind_of(source) in _COPIED else action
    return Told(action, _named(record.resource), source, record.resource)


def _disk(record: Record, action: str) -> Told:
    """From a snapshot, an image of one's own or a restore point it is a restore; from a disk, a copy."""
    told = _made(record, action)
    if told.action == Action.MODIFY or not told.source:
        return told
    if kind_of(told.source) in _RESTORED:
        return replace(told, action=Action.RESTORE, subjects=_named(told.source, record.resource))
    return replace(told, action=Action.COPY) if kind_of(told.source) == f"{_COMPUTE}/disks" else told


def _is_change(record: Record) -> bool:
    """By the method, by an answer that tells of something older, or by a request that has nothing to make it of."""
    if record.method == "PATCH":
        return True
    born, at = moment(record.answered.text(*_BORN)), record.at
    if born is not None and at is not None and at - born > _SLOW:
        return True
    named = kind_of(record.resource) in (f"{_COMPUTE}/snapshots", f"{_COMPUTE}/disks")
    if not record.method and named and record.asked.parsed is not None:
        return record.asked.find("properties.creationData") is None
    return False


def _link(record: Record, action: str) -> Told:
    """Whoever holds a link, minted or revoked, is nobody in particular."""
    point = record.resource.partition("/diskrestorepoints/")[0]
    access, seconds = record.asked.text("access"), record.asked.find("durationInSeconds")
    until = f"for {seconds} seconds" if isinstance(seconds, int) and not isinstance(seconds, bool) else ""
    return Told(action, _named(record.resource, point), targets=(_SAS,), detail=_words((access, until)))


def _machine(record: Record, action: str) -> Told | None:
    """A machine's disks: those made of a snapshot or an image, and those that were there before."""
    bodies = [each for each in (record.asked, record.answered) if each.parsed is not None]
    if not bodies:
        return Told(action, _named(record.resource))
    attached: dict[str, None] = {}
    restored: dict[str, None] = {}
    for body in bodies:
        for each in _disks(body):
            source = address(field(field(each, "sourceResource"), "id"))
            disk = address(field(field(each, "managedDisk"), "id") or field(each, "diskId"))
            if kind_of(source) in _RESTORED:
                restored[source] = None
            elif disk and (text(field(each, "createOption")).lower() == "attach" or field(each, "diskId")):
                attached[disk] = None
    if restored:
        return Told(Action.RESTORE, tuple(restored), next(iter(restored)), detail=f"a disk of {record.resource}")
    if image := _image(record):
        return Told(Action.RESTORE, (image,), image, detail=f"the image of {record.resource}")
    if attached:
        return Told(action, tuple(attached), next(iter(attached)), detail=f"to {record.resource}")
    return None


def _image(record: Record) -> str:
    """The image of one's own that machines are started from; a change of theirs repeats it without starting any.

    What anybody offers, in the marketplace or in another's gallery, is named otherwise (Compute REST API,
    ImageReference).
    """
    image = address(_first(record, *_STARTED))
    changed = record.method != "PATCH" and _is_change(record)
    return image if kind_of(image) in _IMAGES and not changed else ""


def _disks(body: Body) -> list[Mapping[str, Any]]:
    system = body.find("properties.storageProfile.osDisk")
    more = (body.find("properties.storageProfile.dataDisks"), body.find("dataDisksToAttach"))
    found = [each for listed in more for each in items(listed)]
    return [*([system] if isinstance(system, dict) else []), *found][:_KEPT]


def _kept(record: Record, action: str) -> Told:
    """None at all ends what kept it (Az.Compute, Remove-AzSnapshotImmutabilityPolicy)."""
    found = (record.asked.find(f"{place}immutabilityDurationDays") for place in ("", "properties."))
    days = next((each for each in found if isinstance(each, int) and not isinstance(each, bool)), None)
    kept = record.asked.text("type", "properties.type")
    detail = _words((f"immutability {kept}" if kept else "", f"for {days} days" if days is not None else ""))
    return Told(Action.INHIBIT if days == 0 else action, _named(record.resource), detail=detail)


def _gallery(record: Record, action: str) -> Told:
    mode = _first(record, "properties.sharingProfile.permissions")
    return Told(action, _named(record.resource), detail=f"sharing: {mode}" if mode else "")


def _sharing(record: Record, action: str) -> Told:
    """Add, Remove, Reset, EnableCommunity (Compute REST API, Gallery Sharing Profile)."""
    verb = _first(record, "operationType").lower()
    groups = next((found for body in (record.asked, record.answered) if (found := body.find("groups"))), None)
    targets = tuple(_members(groups))[:_KEPT]
    if verb == "enablecommunity":
        return Told(Action.SHARE, _named(record.resource), targets=(Principal(PrincipalKind.PUBLIC, "community"),))
    action = {"add": Action.SHARE, "remove": Action.UNSHARE, "reset": Action.UNSHARE}.get(verb, Action(action))
    detail = "" if verb else "the record does not say what was changed"
    return Told(action, _named(record.resource), targets=targets, detail=detail)


def _members(groups: Any) -> Iterable[Principal]:
    for group in items(groups):
        kind = _GROUPS.get(text(field(group, "type")).lower(), PrincipalKind.OTHER)
        ids = field(group, "ids")
        for each in ids if isinstance(ids, list) else ():
            if name := text(each).lower():
                yield Principal(kind, name)


def _endpoint(record: Record, action: str) -> Told:
    """A private endpoint that is let into a disk access, or shown out."""
    access = record.resource.partition("/privateendpointconnections/")[0]
    place = address(_first(record, "properties.privateEndpoint.id")).split("/")
    targets = (Principal(PrincipalKind.SUBSCRIPTION, place[2]),) if place[1:2] == ["subscriptions"] else ()
    state = _first(record, "properties.privateLinkServiceConnectionState.status").lower()
    action = {"approved": Action.SHARE, "rejected": Action.UNSHARE}.get(state, Action(action))
    return Told(action, _named(access, record.resource), targets=targets, detail=state)


def _role(record: Record, action: str) -> Told:
    """A share is what a role gives that can reach data, or any role on the data itself."""
    scope = container_of(record.resource)
    holder = _first(record, "properties.principalId").lower()
    kind = _HOLDERS.get(_first(record, "properties.principalType").lower(), PrincipalKind.OTHER)
    role = _first(record, "properties.roleDefinitionId").lower().rpartition("/")[2]
    name = kind_of(record.resource)
    verb = _first(record, "properties.requestType").lower() if name.endswith("schedulerequests") else ""
    if action == Action.POLICY and (role in REACHING or kind_of(scope).startswith(DATA)):
        action = Action.SHARE
    if verb.endswith(("remove", "revoke", "deactivate")):
        action = Action.UNSHARE
    place = f"{scope}#eligible" if "eligibility" in name else scope
    return Told(
        action,
        _named(place, record.resource),
        targets=(Principal(kind, holder),) if holder else (),
        detail=_words((f"role {REACHING.get(role, role)}" if role else "", verb)),
    )


def _elevation(record: Record, action: str) -> Told:
    """A global administrator of the tenant takes User Access Administrator at its root."""
    holder = record.object_id
    return Told(action, ("/",), targets=(Principal(PrincipalKind.USER, holder),) if holder else ())


def _delegation(record: Record, action: str) -> Told:
    """Azure Lighthouse. The definition says to whom, the assignment puts it in force."""
    tenant = _first(
        record, "properties.managedByTenantId", "properties.registrationDefinition.properties.managedByTenantId"
    ).lower()
    subjects = _named(record.resource)
    subjects = (
        (*subjects, f"{record.resource}#eligible") if "/registrationassignments/" in record.resource else subjects
    )
    return Told(action, subjects, targets=(Principal(PrincipalKind.TENANT, tenant),) if tenant else ())


def _guard(record: Record, action: str) -> Told:
    return Told(action, _named(record.resource, container_of(record.resource)))


def _vault(record: Record, action: str) -> Told:
    """A vault's settings: recovery is made harder where the request takes a protection away."""
    off = [words for path, words in _PROTECTIONS.items() if record.asked.text(path).lower() in _OFF]
    vault = record.resource.partition("/backupconfig/")[0]
    return Told(Action.INHIBIT if off else action, _named(vault), detail=_words(off))


def _backup(record: Record, action: str) -> Told:
    """Something in a vault: items under protection, their recovery points, jobs and policies."""
    parts = record.resource.split("/")
    vault = "/".join(parts[:9]) if kind_of("/".join(parts[:9])).endswith("vaults") else ""
    if action == Action.RESTORE:
        into = address(
            record.asked.text(
                "properties.targetVirtualMachineId",
                "restoreTargetInfo.datasourceInfo.resourceID",
                "restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceID",
            )
        )
        how = record.asked.text("properties.recoveryType", "restoreTargetInfo.recoveryOption", "objectType")
        return Told(action, _named(record.resource), record.resource, into, detail=how)
    if record.asked.text("properties.protectionState").lower() in ("protectionstopped", "backupssuspended"):
        return Told(Action.INHIBIT, _named(record.resource), vault, detail="protection stopped")
    return Told(action, _named(record.resource), vault)


def _first(record: Record, *paths: str) -> str:
    """A string as it was asked for, else as it was answered."""
    return record.asked.text(*paths) or record.answered.text(*paths)


def _settings(body: Body) -> str:
    """The settings of a change that decide who can reach the data."""
    told = ((name, text(field(field(body.parsed, "properties"), name))) for name in _SETTINGS)
    kept = body.text("properties.immutabilityPolicy.type")
    return _words((*(f"{name} {value}" for name, value in told if value), f"immutability {kept}" if kept else ""))


def _named(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))


def _words(told: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, told)))[:LONGEST]


READERS: Mapping[Shape, Callable[[Record, str], Told | None]] = {
    Shape.THING: _thing,
    Shape.SNAPSHOT: _made,
    Shape.DISK: _disk,
    Shape.LINK: _link,
    Shape.MACHINE: _machine,
    Shape.KEPT: _kept,
    Shape.GALLERY: _gallery,
    Shape.SHARING: _sharing,
    Shape.ENDPOINT: _endpoint,
    Shape.ROLE: _role,
    Shape.ELEVATION: _elevation,
    Shape.DELEGATION: _delegation,
    Shape.GUARD: _guard,
    Shape.VAULT: _vault,
    Shape.BACKUP: _backup,
}
