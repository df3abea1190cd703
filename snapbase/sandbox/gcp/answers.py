"""What each method does to the estate and answers, as Compute Engine and Resource Manager do."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from snapbase.sandbox.gcp.estate import REGIONS, ZONES, Body, Estate, Shelf, pacific_now

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_COLLECTIONS = {"snapshots": "snapshots", "regionSnapshots": "snapshots", "images": "images", "disks": "disks"}
_DISK = re.compile(r"projects/([^/]+)/(zones/[^/]+)/disks/([^/]+)$")


class Refusal(Exception):
    """An error answer: HTTP status, the `reason` of Compute's error list, the gRPC status, and the words."""

    def __init__(self, status: int, reason: str, grpc: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.grpc, self.message = status, reason, grpc, message


@dataclass(frozen=True, slots=True)
class Call:
    """One request, routed: `method` as in `compute.snapshots.list`."""

    method: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    root: str
    """The endpoint's own URL, for links."""
    page_size: int

    def page(self) -> tuple[str, int]:
        """The name the page begins behind, and how many items it may hold."""
        token = self.query.get("pageToken", "")
        asked = int(self.query.get("maxResults") or self.query.get("pageSize") or 500)
        try:
            after = base64.b64decode(token, altchars=b"-_", validate=True).decode()
        except ValueError:
            raise Refusal(400, "invalid", "INVALID_ARGUMENT", "Invalid value for field 'pageToken'") from None
        return after, min(asked, self.page_size)


def answer(estate: Estate, call: Call) -> Body:
    """The 200 body of a call; raises `Refusal`."""
    api, resource, verb = call.method.split(".")
    if api == "cloudresourcemanager":
        return _PROJECT_VERBS[verb](estate, call)
    project = _project(estate, call.parameters["project"])
    if resource in ("regions", "zones"):
        return _places(resource, verb, call, project)
    if resource.endswith("Operations"):
        return _operation(estate, call, project, name=call.parameters["operation"])
    return _VERBS[verb](estate, call, _shelf(call, project, _COLLECTIONS[resource]))


def place(parameters: Mapping[str, str]) -> str:
    """The region, the zone or `global`, as faults name it."""
    return parameters.get("region") or parameters.get("zone") or "global"


def _project(estate: Estate, name: str) -> str:
    found = estate.project(name)
    if found is None:
        raise Refusal(404, "notFound", "NOT_FOUND", f"The resource 'projects/{name}' was not found")
    return str(found["projectId"])


def _shelf(call: Call, project: str, collection: str) -> Shelf:
    where = "global"
    for name, known in (("region", REGIONS), ("zone", ZONES)):
        value = call.parameters.get(name)
        if value is None:
            continue
        if value not in known:
            raise Refusal(400, "invalid", "INVALID_ARGUMENT", f"Invalid value for field '{name}': '{value}'.")
        where = f"{name}s/{value}"
    return Shelf(project, where, collection)


def _name(call: Call) -> str:
    singular = {"snapshots": "snapshot", "regionSnapshots": "snapshot", "images": "image", "disks": "disk"}
    return call.parameters.get("resource") or call.parameters[singular[call.method.split(".")[1]]]


def _existing(estate: Estate, shelf: Shelf, name: str) -> Body:
    body = estate.get(shelf, name)
    if body is None:
        raise Refusal(404, "notFound", "NOT_FOUND", f"The resource '{shelf.path(name)}' was not found")
    return body


def _link(call: Call, path: str) -> str:
    return f"{call.root}/compute/v1/{path}"


def _list(estate: Estate, call: Call, shelf: Shelf) -> Body:
    after, size = call.page()
    found = list(islice(estate.items(shelf, after), size + 1))
    kind = {"snapshots": "snapshotList", "images": "imageList", "disks": "diskList"}[shelf.collection]
    link = _link(call, shelf.path("").rstrip("/"))
    body: Body = {"kind": f"compute#{kind}", "id": shelf.path("").rstrip("/"), "selfLink": link}
    if found:
        body["items"] = found[:size]
    if len(found) > size:
        body["nextPageToken"] = base64.urlsafe_b64encode(found[size - 1]["name"].encode()).decode()
    return body


def _get(estate: Estate, call: Call, shelf: Shelf) -> Body:
    return _existing(estate, shelf, _name(call))


def _insert(estate: Estate, call: Call, shelf: Shelf) -> Body:
    name = call.body.get("name", "")
    if not _NAME.fullmatch(name):
        message = f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex '{_NAME.pattern}'"
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", message)
    if estate.get(shelf, name) is not None:
        message = f"The resource '{shelf.path(name)}' already exists"
        raise Refusal(409, "alreadyExists", "ALREADY_EXISTS", message)
    made = {"disks": _disk, "snapshots": _snapshot, "images": _image}[shelf.collection](estate, call, shelf)
    stored = estate.put(shelf, {**made, "name": name, "selfLink": _link(call, shelf.path(name))})
    if shelf.collection == "disks" and stored.get("resourcePolicies"):
        _run_schedule(estate, call, shelf, stored)
    return _operation(estate, call, shelf.project, stored, "insert")


def _disk(_: Estate, call: Call, shelf: Shelf) -> Body:
    body = {"sizeGb": "10", "architecture": "X86_64", **call.body}
    return {
        **body,
        "kind": "compute#disk",
        "status": "READY",
        "zone": _link(call, f"projects/{shelf.project}/{shelf.place}"),
    }


def _snapshot(estate: Estate, call: Call, shelf: Shelf) -> Body:
    body = {"snapshotType": "STANDARD", **_labelled(call.body), **_lineage(estate, call)}
    region = shelf.place.removeprefix("regions/")
    if region != "global":
        body["region"] = _link(call, f"projects/{shelf.project}/{shelf.place}")
    body.setdefault("storageLocations", ["eu" if region == "global" else region])
    return {
        **body,
        "kind": "compute#snapshot",
        "status": "READY",
        "storageBytes": "0",
        "storageBytesStatus": "UP_TO_DATE",
    }


def _image(estate: Estate, call: Call, _: Shelf) -> Body:
    body = {"sourceType": "RAW", **_labelled(call.body), **_lineage(estate, call)}
    body.setdefault("storageLocations", ["eu"])
    return {**body, "kind": "compute#image", "status": "READY", "archiveSizeBytes": "0"}


def _labelled(body: Body) -> Body:
    """A resource's fields as sent, a customer-supplied key as its hash alone, and the fingerprint of its labels."""
    kept = dict(body)
    for name in ("snapshotEncryptionKey", "imageEncryptionKey"):
        key = dict(kept.get(name, {}))
        if raw := key.pop("rawKey", None):
            kept[name] = {**key, "sha256": base64.b64encode(hashlib.sha256(raw.encode()).digest()).decode()}
    digest = hashlib.sha256(json.dumps(kept.get("labels", {}), sort_keys=True).encode()).digest()
    return {**kept, "labelFingerprint": base64.b64encode(digest[:8]).decode()}


def _lineage(estate: Estate, call: Call) -> Body:
    """What the server adds because it knows the source: the id of the disk, its size and architecture."""
    match = _DISK.search(call.body.get("sourceDisk", ""))
    if match is None:
        return {}
    source = Shelf(_project(estate, match[1]), match[2], "disks")
    disk = _existing(estate, source, match[3])
    link = _link(call, source.path(match[3]))
    return {
        "sourceDiskId": disk["id"],
        "diskSizeGb": disk["sizeGb"],
        "architecture": disk["architecture"],
        "sourceDisk": link,
    }


def _run_schedule(estate: Estate, call: Call, shelf: Shelf, disk: Body) -> None:
    """A schedule attached to a disk takes its first snapshot at once, with the fields only the cloud can set."""
    policy = disk["resourcePolicies"][0]
    target = Shelf(shelf.project, "global", "snapshots")
    name = f"{disk['name'][:30]}-{shelf.place.removeprefix('zones/')}-{disk['id'][-12:]}"
    estate.put(
        target,
        {
            "kind": "compute#snapshot",
            "name": name,
            "selfLink": _link(call, target.path(name)),
            "status": "READY",
            "snapshotType": "STANDARD",
            "autoCreated": True,
            "sourceSnapshotSchedulePolicy": policy,
            "sourceSnapshotSchedulePolicyId": str(4_700_000_000_000_000_000 + sum(policy.encode())),
            "sourceDisk": _link(call, shelf.path(disk["name"])),
            "sourceDiskId": disk["id"],
            "diskSizeGb": disk["sizeGb"],
            "architecture": disk["architecture"],
            "storageLocations": ["eu"],
        },
    )


def _delete(estate: Estate, call: Call, shelf: Shelf) -> Body:
    body = _existing(estate, shelf, _name(call))
    estate.remove(shelf, _name(call))
    return _operation(estate, call, shelf.project, body, "delete")


def _set_labels(estate: Estate, call: Call, shelf: Shelf) -> Body:
    body = _existing(estate, shelf, _name(call))
    if call.body.get("labelFingerprint", "") != body["labelFingerprint"]:
        message = "Labels fingerprint either invalid or resource labels have changed"
        raise Refusal(412, "conditionNotMet", "FAILED_PRECONDITION", message)
    estate.put(shelf, _labelled({**body, "labels": call.body.get("labels", {})}))
    return _operation(estate, call, shelf.project, body, "setLabels")


def _get_policy(estate: Estate, call: Call, shelf: Shelf) -> Body:
    name = _name(call)
    _existing(estate, shelf, name)
    version = int(call.query.get("optionsRequestedPolicyVersion") or 1)
    return estate.policy(shelf.path(name)).document(version)


def _set_policy(estate: Estate, call: Call, shelf: Shelf) -> Body:
    name = _name(call)
    _existing(estate, shelf, name)
    body = call.body.get("policy") or {"bindings": call.body.get("bindings", []), "etag": call.body.get("etag", "")}
    return _replace_policy(estate, shelf.path(name), body)


def _replace_policy(estate: Estate, path: str, body: Body) -> Body:
    bindings = body.get("bindings", [])
    if any("condition" in each for each in bindings) and body.get("version") != 3:
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", "A policy with conditions must be of version 3")
    policy = estate.set_policy(path, bindings, body.get("etag"))
    if policy is None:
        message = "There were concurrent policy changes. Please retry the whole read-modify-write."
        raise Refusal(412, "conditionNotMet", "ABORTED", message)
    return policy.document(3)


def _operation(
    estate: Estate, call: Call, project: str, target: Body | None = None, kind: str = "other", name: str = ""
) -> Body:
    """Everything is done at once, so an operation is born finished."""
    where = place(call.parameters)
    collection = "global" if where == "global" else f"{'regions' if where in REGIONS else 'zones'}/{where}"
    name = name or f"operation-{estate.new_id()}"
    now = pacific_now()
    body = {
        "kind": "compute#operation",
        "id": estate.new_id(),
        "name": name,
        "operationType": kind,
        "status": "DONE",
        "progress": 100,
        "insertTime": now,
        "startTime": now,
        "endTime": now,
        "selfLink": _link(call, f"projects/{project}/{collection}/operations/{name}"),
    }
    return body | ({"targetId": target["id"], "targetLink": target["selfLink"]} if target else {})


def _places(resource: str, verb: str, call: Call, project: str) -> Body:
    kind, names = ("region", REGIONS) if resource == "regions" else ("zone", ZONES)
    bodies = [
        {
            "kind": f"compute#{kind}",
            "id": str(1_000 + index * 10),
            "name": name,
            "status": "UP",
            "selfLink": _link(call, f"projects/{project}/{resource}/{name}"),
        }
        for index, name in enumerate(names)
    ]
    if verb == "list":
        after, size = call.page()
        left = [each for each in bodies if each["name"] > after]
        body: Body = {"kind": f"compute#{kind}List", "id": f"projects/{project}/{resource}", "items": left[:size]}
        if len(left) > size:
            body["nextPageToken"] = base64.urlsafe_b64encode(left[size - 1]["name"].encode()).decode()
        return body
    for each in bodies:
        if each["name"] == call.parameters[kind]:
            return each
    raise Refusal(404, "notFound", "NOT_FOUND", f"The resource '{resource}/{call.parameters[kind]}' was not found")


def _visible(estate: Estate, call: Call) -> Body:
    """Resource Manager does not say whether a project is absent or forbidden."""
    found = estate.project(call.parameters["projectsId"])
    if found is None:
        message = (
            f"The caller does not have permission on 'projects/{call.parameters['projectsId']}' (or it may not exist)."
        )
        raise Refusal(403, "forbidden", "PERMISSION_DENIED", message)
    return found


def _search_projects(estate: Estate, call: Call) -> Body:
    after, size = call.page()
    found = [each for each in estate.projects() if each["projectId"] > after]
    body: Body = {"projects": found[:size]} if found else {}
    if len(found) > size:
        body["nextPageToken"] = base64.urlsafe_b64encode(found[size - 1]["projectId"].encode()).decode()
    return body


def _create_project(estate: Estate, call: Call) -> Body:
    if estate.project(call.body["projectId"]) is not None:
        raise Refusal(409, "alreadyExists", "ALREADY_EXISTS", "Requested entity already exists")
    made = estate.add_project(call.body["projectId"], call.body.get("displayName", ""), call.body.get("parent", ""))
    kind = {"@type": "type.googleapis.com/google.cloud.resourcemanager.v3.Project"}
    return {"name": f"operations/cp.{estate.new_id()}", "done": True, "response": {**kind, **made}}


def _get_project_policy(estate: Estate, call: Call) -> Body:
    project = _visible(estate, call)
    version = int((call.body or {}).get("options", {}).get("requestedPolicyVersion", 1))
    return estate.policy(project["name"]).document(version)


def _set_project_policy(estate: Estate, call: Call) -> Body:
    return _replace_policy(estate, _visible(estate, call)["name"], call.body["policy"])


_VERBS: Mapping[str, Callable[[Estate, Call, Shelf], Body]] = {
    "list": _list,
    "get": _get,
    "insert": _insert,
    "delete": _delete,
    "setLabels": _set_labels,
    "getIamPolicy": _get_policy,
    "setIamPolicy": _set_policy,
}
_PROJECT_VERBS: Mapping[str, Callable[[Estate, Call], Body]] = {
    "search": _search_projects,
    "get": _visible,
    "create": _create_project,
    "getIamPolicy": _get_project_policy,
    "setIamPolicy": _set_project_policy,
}
