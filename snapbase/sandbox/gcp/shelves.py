"""What all of Compute Engine's resources have in common: list, get, insert, delete, labels, policies, operations."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from snapbase.sandbox.gcp.call import Call, Handler, Refusal, conflict, missing, place, project_id, replace_policy
from snapbase.sandbox.gcp.estate import REGIONS, ZONES, Body, Estate, Shelf, pacific_now

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SOURCE = re.compile(r"projects/([^/]+)/((?:zones|regions)/[^/]+)/disks/([^/]+)$")


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of resource, wherever it may lie."""

    collection: str
    """As in its path and in the aggregated list: `instantSnapshots`."""
    singular: str
    """As in the path parameter and in `kind`: `instantSnapshot`."""
    make: Callable[[Estate, Call, Shelf], Body]
    """A new one's fields beyond its name and link."""
    then: Callable[[Estate, Call, Shelf, Body], None] | None = None
    """What else happens when one is made."""


def resource(sort: Sort, *apis: str) -> dict[str, Handler]:
    """The handlers of one sort under every API that serves it, e.g. `snapshots` and `regionSnapshots`."""
    verbs: dict[str, Callable[[Sort, Estate, Call], Body]] = {
        "list": _list,
        "get": _get,
        "insert": _insert,
        "patch": _patch,
        "delete": _delete,
        "setLabels": _set_labels,
        "getIamPolicy": _get_policy,
        "setIamPolicy": _set_policy,
        "aggregatedList": _aggregated,
    }
    return {f"compute.{api}.{verb}": partial(answer, sort) for api in apis for verb, answer in verbs.items()}


def link(call: Call, path: str) -> str:
    return f"{call.root}/compute/v1/{path}"


def operation(estate: Estate, call: Call, project: str, target: Body | None = None, name: str = "") -> Body:
    """Everything is done at once, so an operation is born finished."""
    where = place(call.parameters)
    collection = "global" if where == "global" else f"{'regions' if where in REGIONS else 'zones'}/{where}"
    name = name or f"operation-{estate.new_id()}"
    now = pacific_now()
    body = {
        "kind": "compute#operation",
        "id": estate.new_id(),
        "name": name,
        "operationType": call.method.rpartition(".")[2],
        "status": "DONE",
        "progress": 100,
        "insertTime": now,
        "startTime": now,
        "endTime": now,
        "selfLink": link(call, f"projects/{project}/{collection}/operations/{name}"),
    }
    return body | ({"targetId": target["id"], "targetLink": target["selfLink"]} if target else {})


def labelled(body: Body) -> Body:
    """A resource's fields as sent, a customer-supplied key as its hash alone, and the fingerprint of its labels."""
    kept = dict(body)
    for name in ("snapshotEncryptionKey", "imageEncryptionKey", "diskEncryptionKey", "machineImageEncryptionKey"):
        key = dict(kept.get(name, {}))
        if raw := key.pop("rawKey", None):
            kept[name] = {**key, "sha256": base64.b64encode(hashlib.sha256(raw.encode()).digest()).decode()}
    digest = hashlib.sha256(json.dumps(kept.get("labels", {}), sort_keys=True).encode()).digest()
    return {**kept, "labelFingerprint": base64.b64encode(digest[:8]).decode()}


def lineage(estate: Estate, call: Call) -> Body:
    """What the server adds because it knows the source: the id of the disk, its size and architecture."""
    match = _SOURCE.search(call.body.get("sourceDisk", ""))
    if match is None:
        return {}
    found = estate.project(match[1])
    if found is None:
        raise missing(f"projects/{match[1]}")
    source = Shelf(str(found["projectId"]), match[2], "disks")
    disk = _existing(estate, source, match[3])
    return {
        "sourceDiskId": disk["id"],
        "diskSizeGb": disk["sizeGb"],
        "architecture": disk["architecture"],
        "sourceDisk": link(call, source.path(match[3])),
    }


def whereabouts(call: Call, shelf: Shelf) -> Body:
    """`zone` or `region`, as links; nothing for what is global."""
    kind, _, _ = shelf.place.partition("s/")
    return {} if kind == "global" else {kind: link(call, f"projects/{shelf.project}/{shelf.place}")}


def _shelf(sort: Sort, estate: Estate, call: Call) -> Shelf:
    where = "global"
    for name, known in (("region", REGIONS), ("zone", ZONES)):
        value = call.parameters.get(name)
        if value is None:
            continue
        if value not in known:
            raise Refusal(400, "invalid", "INVALID_ARGUMENT", f"Invalid value for field '{name}': '{value}'.")
        where = f"{name}s/{value}"
    return Shelf(project_id(estate, call), where, sort.collection)


def _name(sort: Sort, call: Call) -> str:
    return call.parameters.get("resource") or call.parameters[sort.singular]


def _existing(estate: Estate, shelf: Shelf, name: str) -> Body:
    body = estate.get(shelf, name)
    if body is None:
        raise missing(shelf.path(name))
    return body


def _list(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf = _shelf(sort, estate, call)
    found, token = call.paged((each["name"], each) for each in estate.items(shelf))
    path = shelf.path("").rstrip("/")
    body: Body = {"kind": f"compute#{sort.singular}List", "id": path, "selfLink": link(call, path), **token}
    return body | ({"items": [each for _, each in found]} if found else {})


def _aggregated(sort: Sort, estate: Estate, call: Call) -> Body:
    """By scope; a scope with nothing on this page says so in a warning, as Compute Engine's do."""
    project = project_id(estate, call)
    shelves = [shelf for shelf in estate.shelves(project, sort.collection) if shelf.place != "global"]
    everything = ((f"{shelf.place}/{each['name']}", each) for shelf in shelves for each in estate.items(shelf))
    found, token = call.paged(everything)
    empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for this scope."}}
    scopes: dict[str, Body] = {f"regions/{region}": empty for region in REGIONS}
    for key, each in found:
        scope = key.rpartition("/")[0]
        listed = scopes.get(scope, {}).get(sort.collection, [])
        scopes[scope] = {sort.collection: [*listed, each]}
    path = f"projects/{project}/aggregated/{sort.collection}"
    kind = f"compute#{sort.singular}AggregatedList"
    return {"kind": kind, "id": path, "selfLink": link(call, path), "items": scopes, **token}


def _get(sort: Sort, estate: Estate, call: Call) -> Body:
    return _existing(estate, _shelf(sort, estate, call), _name(sort, call))


def _insert(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf = _shelf(sort, estate, call)
    name = call.body.get("name", "")
    if not _NAME.fullmatch(name):
        message = f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex '{_NAME.pattern}'"
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", message)
    if estate.get(shelf, name) is not None:
        raise conflict(shelf.path(name))
    made = {**sort.make(estate, call, shelf), "kind": f"compute#{sort.singular}", "status": "READY"}
    stored = estate.put(shelf, {**made, "name": name, "selfLink": link(call, shelf.path(name))})
    if sort.then is not None:
        sort.then(estate, call, shelf, stored)
    return operation(estate, call, shelf.project, stored)


def _patch(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf = _shelf(sort, estate, call)
    body = _existing(estate, shelf, _name(sort, call))
    estate.put(shelf, {**body, **call.body})
    return operation(estate, call, shelf.project, body)


def _delete(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf = _shelf(sort, estate, call)
    body = _existing(estate, shelf, _name(sort, call))
    estate.remove(shelf, _name(sort, call))
    return operation(estate, call, shelf.project, body)


def _set_labels(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf = _shelf(sort, estate, call)
    body = _existing(estate, shelf, _name(sort, call))
    if call.body.get("labelFingerprint", "") != body["labelFingerprint"]:
        message = "Labels fingerprint either invalid or resource labels have changed"
        raise Refusal(412, "conditionNotMet", "FAILED_PRECONDITION", message)
    estate.put(shelf, labelled({**body, "labels": call.body.get("labels", {})}))
    return operation(estate, call, shelf.project, body)


def _get_policy(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf, name = _shelf(sort, estate, call), _name(sort, call)
    _existing(estate, shelf, name)
    version = int(call.query.get("optionsRequestedPolicyVersion") or 1)
    return estate.policy(shelf.path(name)).document(version)


def _set_policy(sort: Sort, estate: Estate, call: Call) -> Body:
    shelf, name = _shelf(sort, estate, call), _name(sort, call)
    _existing(estate, shelf, name)
    body: Body = call.body
    sent: Body = body.get("policy") or {"bindings": body.get("bindings", []), "etag": body.get("etag", "")}
    return replace_policy(estate, shelf.path(name), sent)
