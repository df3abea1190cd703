"""EBS snapshots in the recycle bin: deleted, not destroyed. They can be had back until they leave it."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot in the bin. One that is restored and deleted again is in it anew."""
    for snapshot in region.pages("ec2", "ListSnapshotsInRecycleBin", "Snapshots", MaxResults=1000):
        yield Observation(_resource(region, snapshot))


def _resource(region: Region, snapshot: dict[str, Any]) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::snapshot/{snapshot['SnapshotId']}"
    entered, leaves = (
        snapshot[name].astimezone(UTC) if snapshot.get(name) else None
        for name in ("RecycleBinEnterTime", "RecycleBinExitTime")
    )
    return Resource(
        uid=f"{arn}@recycled:{entered.isoformat() if entered else ''}",
        address=arn,
        name=snapshot.get("Description") or None,
        created_at=entered,
        owner=region.account,
        source=snapshot.get("VolumeId"),
        origin="recycle-bin",
        attributes={"state": "recycled"},
        facts={"destroyed_at": leaves.isoformat()} if leaves else {},
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.recycled-snapshot",
    title="EBS snapshots in the recycle bin",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:ListSnapshotsInRecycleBin",),
    calls="1 per 1,000",
    blind="Tags, encryption and sharing, which the bin does not show; whether it left the bin restored or destroyed.",
    shares=False,
)
