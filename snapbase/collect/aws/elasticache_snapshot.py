"""ElastiCache snapshots, of nodes and of serverless caches. They leave as copies in a bucket, not by being shared."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import incarnation, key, listed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_AUTOMATED = "elasticache-automated"


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot of the account that has been made completely; a new one is counted once it is."""
    for snapshot in listed(region, "elasticache", "DescribeSnapshots", "Snapshots", MaxRecords=50):
        if snapshot.get("SnapshotStatus") != "creating":
            yield Observation(_of_nodes(region, snapshot))
    operation, items = "DescribeServerlessCacheSnapshots", "ServerlessCacheSnapshots"
    for snapshot in listed(region, "elasticache", operation, items, MaxResults=50):
        if snapshot.get("Status") != "creating":
            yield Observation(_serverless(region, snapshot))


def _of_nodes(region: Region, snapshot: dict[str, Any]) -> Resource:
    # Each shard has a time of its own, and the snapshot none.
    shards = snapshot.get("NodeSnapshots") or ()
    made = min((each["SnapshotCreateTime"] for each in shards if each.get("SnapshotCreateTime")), default=None)
    kind = str(snapshot.get("SnapshotSource") or "")
    key_arn, guards = key(region, snapshot.get("KmsKeyId"))
    return Resource(
        uid=incarnation(snapshot["ARN"], made) if made else snapshot["ARN"],
        address=snapshot["ARN"],
        name=snapshot["SnapshotName"],
        created_at=made,
        owner=region.account,
        source=snapshot.get("ReplicationGroupId") or snapshot.get("CacheClusterId"),
        origin=_AUTOMATED if kind == "automated" else None,
        encrypted=True if key_arn else None,
        key=key_arn,
        guards=guards,
        attributes={
            "type": kind,
            "engine": snapshot.get("Engine"),
            "engine_version": snapshot.get("EngineVersion"),
            "node_type": snapshot.get("CacheNodeType"),
        },
    )


def _serverless(region: Region, snapshot: dict[str, Any]) -> Resource:
    made = snapshot.get("CreateTime")
    kind = str(snapshot.get("SnapshotType") or "")
    cache = snapshot.get("ServerlessCacheConfiguration") or {}
    key_arn, guards = key(region, snapshot.get("KmsKeyId"))
    return Resource(
        uid=incarnation(snapshot["ARN"], made) if made else snapshot["ARN"],
        address=snapshot["ARN"],
        name=snapshot["ServerlessCacheSnapshotName"],
        created_at=made,
        owner=region.account,
        source=cache.get("ServerlessCacheName"),
        origin=_AUTOMATED if kind == "automated" else None,
        # ElastiCache User Guide, "At-Rest Encryption": always on for serverless caches.
        encrypted=True,
        key=key_arn,
        guards=guards,
        attributes={"type": kind, "engine": cache.get("Engine"), "engine_version": cache.get("MajorEngineVersion")},
    )


COLLECTOR = Collector(
    kind="aws.elasticache.snapshot",
    title="ElastiCache snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=(
        "elasticache:DescribeSnapshots",
        "elasticache:DescribeServerlessCacheSnapshots",
        "kms:DescribeKey",
    ),
    calls="1 per 50 + 1 per 50 serverless ones",
    blind="Copies exported to a bucket, and who may read that; tags.",
    shares=False,
)
