"""EBS snapshots of other accounts that are shared with this one: what our people may build on and did not make."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.session import Region, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Those that name this account; public ones are everybody's. Its own come in the same list (EC2 API: `self`)."""
    listed = region.pages("ec2", "DescribeSnapshots", "Snapshots", RestorableByUserIds=["self"], MaxResults=1000)
    return (Observation(_resource(region, each)) for each in listed if each.get("OwnerId") != region.account)


def _resource(region: Region, snapshot: dict[str, Any]) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::snapshot/{snapshot['SnapshotId']}"
    labels = tags(snapshot.get("Tags"))
    return Resource(
        uid=f"{arn}@incoming:{region.account}",
        address=arn,
        name=labels.get("Name") or snapshot.get("Description") or None,
        created_at=snapshot.get("StartTime"),
        owner=snapshot.get("OwnerId"),
        encrypted=snapshot.get("Encrypted"),
        key=snapshot.get("KmsKeyId"),
        attributes={"direction": "incoming"},
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.incoming-snapshot",
    title="EBS snapshots shared with us",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeSnapshots",),
    calls="1 per 1,000 snapshots, own ones too",
    blind="Public snapshots; whether anybody used one.",
    shares=False,
)
