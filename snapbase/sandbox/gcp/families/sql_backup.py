"""Cloud SQL's backups of a project: of living instances and of deleted ones."""

from snapbase.sandbox.gcp.call import Call, Handler, missing, project_id
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf, utc_now


def _shelf(estate: Estate, call: Call) -> Shelf:
    return Shelf(project_id(estate, call), "", "backups")


def _list(estate: Estate, call: Call) -> Body:
    found, token = call.paged((each["name"], each["body"]) for each in estate.items(_shelf(estate, call)))
    return {**token, **({"backups": [each for _, each in found]} if found else {})}


def _create(estate: Estate, call: Call) -> Body:
    shelf, now = _shelf(estate, call), utc_now()
    name = f"b-{estate.new_id()}"
    body = {
        "databaseVersion": "POSTGRES_17",
        "location": "eu",
        **call.body,
        "kind": "sql#backup",
        "name": shelf.path(name),
        "type": "ON_DEMAND",
        "state": "SUCCESSFUL",
        "backupKind": "SNAPSHOT",
        "backupInterval": {"startTime": now, "endTime": now},
    }
    estate.put(shelf, {"name": name, "body": body})
    return _operation(estate, shelf, "BACKUP_VOLUME")


def _delete(estate: Estate, call: Call) -> Body:
    shelf = _shelf(estate, call)
    if estate.remove(shelf, call.parameters["backupsId"]) is None:
        raise missing(shelf.path(call.parameters["backupsId"]))
    return _operation(estate, shelf, "DELETE_BACKUP")


def _operation(estate: Estate, shelf: Shelf, kind: str) -> Body:
    done = {"kind": "sql#operation", "status": "DONE", "operationType": kind}
    return {**done, "name": f"operation-{estate.new_id()}", "targetProject": shelf.project}


ANSWERS: dict[str, Handler] = {
    "sql.Backups.ListBackups": _list,
    "sql.Backups.CreateBackup": _create,
    "sql.Backups.DeleteBackup": _delete,
}
