"""ElastiCache snapshots in pages and with their times, on moto's state; serverless caches, which moto lacks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.elasticache.models import elasticache_backends

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.shelf import arn, put, shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal


def handlers() -> dict[str, Handler]:
    """By operation name, as `elasticache:DescribeSnapshots`."""
    return {
        "elasticache:CreateSnapshot": create_snapshot,
        "elasticache:DescribeSnapshots": describe_snapshots,
        "elasticache:CreateServerlessCache": create_cache,
        "elasticache:CreateServerlessCacheSnapshot": create_serverless,
        "elasticache:DeleteServerlessCacheSnapshot": delete_serverless,
        "elasticache:DescribeServerlessCacheSnapshots": describe_serverless,
    }


def create_snapshot(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Moto's, with the time that moto does not keep."""
    snapshot = elasticache_backends[call.account][call.region].create_snapshot(
        parameters["SnapshotName"],
        parameters.get("ReplicationGroupId"),
        parameters.get("CacheClusterId"),
        parameters.get("KmsKeyId"),
        parameters.get("Tags"),
    )
    snapshot.made = datetime.now(UTC)
    return {"Snapshot": _snapshot(snapshot)}


def describe_snapshots(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = int(parameters.get("MaxRecords") or 50)
    if not 20 <= asked <= 50:
        raise Refusal("InvalidParameterValue", f"Invalid value {asked} for MaxRecords. Must be between 20 and 50")
    found = elasticache_backends[call.account][call.region].snapshots.values()
    ordered = sorted(found, key=lambda each: str(each.snapshot_name))
    some, following = page(ordered, {**parameters, "MaxRecords": asked}, size="MaxRecords", token="Marker")
    return {"Snapshots": [_snapshot(each) for each in some], "Marker": following}


def _snapshot(snapshot: Any) -> dict[str, Any]:
    node = {"CacheNodeId": "0001", "CacheSize": "12 MB", "SnapshotCreateTime": snapshot.made}
    described = {
        "SnapshotName": snapshot.snapshot_name,
        "CacheClusterId": snapshot.cache_cluster_id,
        "ReplicationGroupId": snapshot.replication_group_id,
        "SnapshotStatus": snapshot.snapshot_status,
        "SnapshotSource": snapshot.snapshot_source,
        "CacheNodeType": snapshot.cache_node_type,
        "Engine": snapshot.engine,
        "EngineVersion": snapshot.engine_version,
        "NodeSnapshots": [node],
        "KmsKeyId": snapshot.kms_key_id,
        "ARN": snapshot.arn,
    }
    return {name: value for name, value in described.items() if value is not None}


def create_cache(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    name = parameters["ServerlessCacheName"]
    made = {"ServerlessCacheName": name, "Engine": parameters["Engine"], "MajorEngineVersion": "8"}
    return {"ServerlessCache": put(call, "cache", name, "ServerlessCacheAlreadyExistsFault", made)}


def create_serverless(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    cache = take(call, "cache", parameters["ServerlessCacheName"], "ServerlessCacheNotFoundFault")
    name = parameters["ServerlessCacheSnapshotName"]
    made = {
        "ServerlessCacheSnapshotName": name,
        "ARN": arn(call, f"serverlesscachesnapshot:{name}"),
        "SnapshotType": "manual",
        "Status": "available",
        "CreateTime": datetime.now(UTC),
        "ServerlessCacheConfiguration": cache,
        **({"KmsKeyId": parameters["KmsKeyId"]} if parameters.get("KmsKeyId") else {}),
    }
    code = "ServerlessCacheSnapshotAlreadyExistsFault"
    return {"ServerlessCacheSnapshot": put(call, "snapshot", name, code, made)}


def delete_serverless(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    name = parameters["ServerlessCacheSnapshotName"]
    snapshot = take(call, "snapshot", name, "ServerlessCacheSnapshotNotFoundFault")
    shelf(call, "snapshot").pop(name)
    return {"ServerlessCacheSnapshot": {**snapshot, "Status": "deleting"}}


def describe_serverless(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = [each for _, each in sorted(shelf(call, "snapshot").items())]
    some, following = page(found, {"MaxResults": 50, **parameters}, size="MaxResults", token="NextToken")
    return {"ServerlessCacheSnapshots": list(some), "NextToken": following}
