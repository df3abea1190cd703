"""Lightsail's disks, instances, databases and their snapshots, which moto lacks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.shelf import arn, put, shelf, take
from snapbase.sandbox.aws.wire import Call

_PAGE = 20
_GONE = "NotFoundException"
_TAKEN = "InvalidInputException"


def handlers() -> dict[str, Handler]:
    """By operation name, as `lightsail:GetDiskSnapshots`."""
    found: dict[str, Handler] = {
        "lightsail:CreateInstances": create_instances,
        "lightsail:CreateDisk": _creator("Disk", "diskName"),
        "lightsail:CreateRelationalDatabase": _creator("RelationalDatabase", "relationalDatabaseName"),
    }
    for sort in ("Instance", "Disk", "RelationalDatabase"):
        found[f"lightsail:Create{sort}Snapshot"] = _snapshotter(sort)
        found[f"lightsail:Delete{sort}Snapshot"] = _deleter(sort)
        found[f"lightsail:Get{sort}Snapshots"] = _lister(sort)
    return found


def create_instances(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in parameters["instanceNames"]:
        _make(call, "Instance", name)
    return {"operations": []}


def _creator(sort: str, field: str) -> Handler:
    def create(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        _make(call, sort, parameters[field])
        return {"operations": []}

    return create


def _make(call: Call, sort: str, name: str) -> dict[str, Any]:
    return put(call, sort, name, _TAKEN, {"name": name, "arn": arn(call, f"{sort}/{uuid4()}")})


def _snapshotter(sort: str) -> Handler:
    lower = sort[0].lower() + sort[1:]

    def create(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        source = take(call, sort, parameters[f"{lower}Name"], _GONE)
        name = parameters[f"{lower}SnapshotName"]
        snapshot = {
            "name": name,
            "arn": arn(call, f"{sort}Snapshot/{uuid4()}"),
            "createdAt": datetime.now(UTC),
            "location": {"availabilityZone": "all", "regionName": call.region},
            "resourceType": f"{sort}Snapshot",
            "tags": list(parameters.get("tags", ())),
            "state": "available",
            "sizeInGb": 40,
            f"from{sort}Name": source["name"],
            f"from{sort}Arn": source["arn"],
        }
        put(call, f"{sort}Snapshot", name, _TAKEN, snapshot)
        return {"operations": []}

    return create


def _deleter(sort: str) -> Handler:
    lower = sort[0].lower() + sort[1:]

    def delete(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        name = parameters[f"{lower}SnapshotName"]
        take(call, f"{sort}Snapshot", name, _GONE)
        shelf(call, f"{sort}Snapshot").pop(name)
        return {"operations": []}

    return delete


def _lister(sort: str) -> Handler:
    items = f"{sort[0].lower()}{sort[1:]}Snapshots"

    def get(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        found = [each for _, each in sorted(shelf(call, f"{sort}Snapshot").items())]
        some, following = page(found, {**parameters, "size": _PAGE}, size="size", token="pageToken")
        return {items: list(some)} | ({"nextPageToken": following} if following else {})

    return get
