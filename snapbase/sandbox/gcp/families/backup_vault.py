"""Backup and DR: vaults, and what may leave them."""

from snapbase.sandbox.gcp.call import Call, Handler, Refusal, conflict, missing, project_id
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf, utc_now


def _shelves(estate: Estate, call: Call) -> list[Shelf]:
    """One location's, or with `-` every location's."""
    project, location = project_id(estate, call), call.parameters["locationsId"]
    if location == "-":
        return estate.shelves(project, "backupVaults")
    return [Shelf(project, f"locations/{location}", "backupVaults")]


def _list(estate: Estate, call: Call) -> Body:
    everything = (each["body"] for shelf in _shelves(estate, call) for each in estate.items(shelf))
    found, token = call.paged((each["name"], each) for each in everything)
    return {**token, **({"backupVaults": [each for _, each in found]} if found else {})}


def _create(estate: Estate, call: Call) -> Body:
    (shelf,), name = _shelves(estate, call), call.query.get("backupVaultId", "")
    if not name:
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", "Missing backup_vault_id")
    if estate.get(shelf, name) is not None:
        raise conflict(shelf.path(name))
    body = {
        "accessRestriction": "WITHIN_ORGANIZATION",
        **call.body,
        "name": shelf.path(name),
        "uid": f"uid-{estate.new_id()}",
        "state": "ACTIVE",
        "createTime": utc_now(),
        "backupCount": "0",
    }
    estate.put(shelf, {"name": name, "body": body})
    return _operation(estate, shelf)


def _patch(estate: Estate, call: Call) -> Body:
    """Only the fields of the mask change; one that is not sent is taken away."""
    (shelf,), name = _shelves(estate, call), call.parameters["backupVaultsId"]
    found = estate.get(shelf, name)
    if found is None:
        raise missing(shelf.path(name))
    if not call.query.get("updateMask"):
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", "Missing update_mask")
    mask = set(call.query["updateMask"].split(","))
    kept = {name: value for name, value in found["body"].items() if name not in mask}
    estate.put(shelf, {**found, "body": kept | {name: call.body[name] for name in mask & call.body.keys()}})
    return _operation(estate, shelf)


def _operation(estate: Estate, shelf: Shelf) -> Body:
    return {"name": f"projects/{shelf.project}/{shelf.place}/operations/operation-{estate.new_id()}", "done": True}


ANSWERS: dict[str, Handler] = {
    "backupdr.projects.locations.backupVaults.list": _list,
    "backupdr.projects.locations.backupVaults.create": _create,
    "backupdr.projects.locations.backupVaults.patch": _patch,
}
