"""Lightsail snapshots of instances, disks and databases. Exported, one becomes an EC2 snapshot, which can be shared."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import listed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_LISTS = (
    ("GetInstanceSnapshots", "instanceSnapshots", "fromInstanceArn"),
    ("GetDiskSnapshots", "diskSnapshots", "fromDiskArn"),
    ("GetRelationalDatabaseSnapshots", "relationalDatabaseSnapshots", "fromRelationalDatabaseArn"),
)


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot of the account, of all three sorts."""
    for operation, items, source in _LISTS:
        for snapshot in listed(region, "lightsail", operation, items):
            yield Observation(_resource(region, snapshot, source))


def _resource(region: Region, snapshot: dict[str, Any], source: str) -> Resource:
    return Resource(
        # The ARN ends in a UUID (Service Authorization Reference, Lightsail); the name can come back.
        uid=snapshot["arn"],
        address=snapshot["arn"],
        name=snapshot["name"],
        created_at=snapshot.get("createdAt"),
        owner=region.account,
        # A disk snapshot may be of an instance's system disk.
        source=snapshot.get(source) or snapshot.get("fromInstanceArn"),
        attributes={
            "type": snapshot.get("resourceType"),
            "size_gib": snapshot.get("sizeInGb"),
            "engine": snapshot.get("engine"),
            "copied_from_automatic": snapshot.get("isFromAutoSnapshot"),
        },
        tags={str(each["key"]): str(each.get("value", "")) for each in snapshot.get("tags") or ()},
    )


COLLECTOR = Collector(
    kind="aws.lightsail.snapshot",
    title="Lightsail snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=tuple(f"lightsail:{operation}" for operation, _, _ in _LISTS),
    calls="1 per page of each of 3 lists",
    blind="Automatic snapshots, which go with their instance or disk; exports, until they arrive in EC2.",
    shares=False,
)
