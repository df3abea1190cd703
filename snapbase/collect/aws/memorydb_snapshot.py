"""MemoryDB snapshots. They leave as copies in a bucket, not by being shared."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import incarnation, key, listed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot of the account that has been made completely; a new one is counted once it is."""
    # Creation times are told of shards only, and those only on request.
    for snapshot in listed(region, "memorydb", "DescribeSnapshots", "Snapshots", ShowDetail=True):
        if snapshot.get("Status") != "creating":
            yield Observation(_resource(region, snapshot))


def _resource(region: Region, snapshot: dict[str, Any]) -> Resource:
    cluster = snapshot.get("ClusterConfiguration") or {}
    shards = cluster.get("Shards") or ()
    made = min((each["SnapshotCreationTime"] for each in shards if each.get("SnapshotCreationTime")), default=None)
    kind = str(snapshot.get("Source") or "")
    key_arn, guards = key(region, snapshot.get("KmsKeyId"))
    return Resource(
        uid=incarnation(snapshot["ARN"], made) if made else snapshot["ARN"],
        address=snapshot["ARN"],
        name=snapshot["Name"],
        created_at=made,
        owner=region.account,
        source=cluster.get("Name"),
        origin="memorydb-automated" if kind == "automated" else None,
        # MemoryDB Developer Guide, "At-Rest Encryption": always on.
        encrypted=True,
        key=key_arn,
        guards=guards,
        attributes={
            "type": kind,
            "engine": cluster.get("Engine"),
            "engine_version": cluster.get("EngineVersion"),
            "node_type": cluster.get("NodeType"),
        },
    )


COLLECTOR = Collector(
    kind="aws.memorydb.snapshot",
    title="MemoryDB snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("memorydb:DescribeSnapshots", "kms:DescribeKey"),
    calls="1 per 50",
    blind="Copies exported to a bucket, and who may read that; tags.",
    shares=False,
)
