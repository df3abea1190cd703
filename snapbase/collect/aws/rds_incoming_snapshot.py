"""RDS snapshots of other accounts that are shared with this one: what our people may restore without having made it."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import incarnation
from snapbase.collect.aws.rds import Flavour
from snapbase.collect.aws.rds_cluster_snapshot import CLUSTER
from snapbase.collect.aws.rds_snapshot import INSTANCE
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Those of instances and of clusters that name this account; public ones are everybody's."""
    for flavour in (INSTANCE, CLUSTER):
        for snapshot in _listed(region, flavour):
            yield Observation(_resource(region, flavour, snapshot))


def _listed(region: Region, flavour: Flavour) -> Iterator[dict[str, Any]]:
    for snapshot in flavour.pages(region, SnapshotType="shared"):
        if snapshot.get("SnapshotCreateTime") and _owner(flavour, snapshot) != region.account:
            yield snapshot


def _owner(flavour: Flavour, snapshot: dict[str, Any]) -> str:
    return str(snapshot[flavour.arn]).split(":")[4]


def _resource(region: Region, flavour: Flavour, snapshot: dict[str, Any]) -> Resource:
    address, made = str(snapshot[flavour.arn]), snapshot["SnapshotCreateTime"]
    theirs = incarnation(address, made)
    return Resource(
        uid=f"{theirs}@incoming:{region.account}",
        address=address,
        name=address.split(":", 6)[6],
        created_at=made,
        owner=_owner(flavour, snapshot),
        encrypted=snapshot.get(flavour.encrypted),
        key=snapshot.get("KmsKeyId"),
        attributes={"direction": "incoming", "engine": snapshot.get("Engine")},
        subject=theirs,
    )


COLLECTOR = Collector(
    kind="aws.rds.incoming-snapshot",
    title="RDS snapshots shared with us",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("rds:DescribeDBSnapshots", "rds:DescribeDBClusterSnapshots"),
    calls="1 per 100 of each of 2 lists",
    blind="Public snapshots; whether anybody restored one.",
    shares=False,
)
