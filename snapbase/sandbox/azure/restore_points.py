"""Restore point collections, the restore points in them, and the disks in those."""

import uuid

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import check_compute
from snapbase.sandbox.azure.estate import Body, now
from snapbase.sandbox.azure.routing import Request, Tracked, route

COLLECTIONS = Tracked(
    "Microsoft.Compute/restorePointCollections",
    check=lambda body: check_compute(body, "RestorePointCollection"),
    born=lambda _: {"provisioningState": "Succeeded", "restorePointCollectionId": str(uuid.uuid4())},
    at_once=True,
)
_POINTS = f"{COLLECTIONS.type}/restorePoints"
_DISKS = f"{_POINTS}/diskRestorePoints"
_POINT = f"{COLLECTIONS.path}/restorePoints/{{point}}"


def _get_collection(call: Request) -> Answer:
    collection = call.arm.estate.resource(call.path)
    if call.query.get("$expand", "").lower() == "restorepoints":
        points = call.arm.estate.of_type(_POINTS, call.path)
        return Answer(200, collection | {"properties": collection["properties"] | {"restorePoints": points}})
    return Answer(200, collection)


def _put_point(call: Request) -> Answer:
    """With one disk, open as disks are unless somebody says otherwise."""
    estate = call.arm.estate
    estate.resource(call.path.rpartition("/restorePoints/")[0])

    def check(body: Body) -> None:
        check_compute(body, "RestorePoint")

    made = estate.put(
        _POINTS, call.path, call.body, check, lambda _: {"timeCreated": now(), "provisioningState": "Succeeded"}
    )
    machine = f"/subscriptions/{call.subscription}/resourceGroups/{call.names['group']}/providers/Microsoft.Compute"
    disk = {
        "timeCreated": now(),
        "sourceResourceId": f"{machine}/disks/{call.names['name']}-os",
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
    }
    address = f"{call.path}/diskRestorePoints/{call.names['name']}-os_{uuid.uuid4()}"
    estate.resources[address.lower()] = {
        "id": address,
        "name": address.rpartition("/")[2],
        "type": _DISKS,
        "properties": disk,
    }
    return Answer(201, made)


def _list_disks(call: Request) -> Answer:
    point = call.parent
    call.arm.estate.resource(point)
    found = call.arm.estate.of_type(_DISKS, point)
    return call.checked(found, lambda body: check_compute(body, "DiskRestorePoint"))


ROUTES = (
    route("GET", COLLECTIONS.path, f"{COLLECTIONS.type}/read", _get_collection),
    *COLLECTIONS.routes(),
    route("PUT", _POINT, f"{_POINTS}/write", _put_point),
    route("GET", _POINT, f"{_POINTS}/read", lambda call: Answer(200, call.arm.estate.resource(call.path))),
    route("DELETE", _POINT, f"{_POINTS}/delete", COLLECTIONS.delete),
    route("GET", f"{_POINT}/diskRestorePoints", f"{_DISKS}/read", _list_disks),
)
