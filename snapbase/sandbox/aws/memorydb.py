"""MemoryDB snapshots in pages, as AWS lists them, on moto's own state."""

from collections.abc import Mapping
from typing import Any

from moto.memorydb.models import memorydb_backends

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.wire import Call


def handlers() -> dict[str, Handler]:
    """By operation name, as `memorydb:DescribeSnapshots`."""
    return {"memorydb:DescribeSnapshots": describe_snapshots}


def describe_snapshots(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    regions = memorydb_backends[call.account]
    # Moto knows MemoryDB in some regions only.
    snapshots = regions[call.region].snapshots if call.region in regions.regions else {}
    found = [each for _, each in sorted(snapshots.items())]
    some, following = page(found, {"MaxResults": 50, **parameters}, size="MaxResults", token="NextToken")
    shown = [_snapshot(each, detailed=bool(parameters.get("ShowDetail"))) for each in some]
    return {"Snapshots": shown} | ({"NextToken": following} if following else {})


def _snapshot(snapshot: Any, *, detailed: bool) -> dict[str, Any]:
    """Moto's, without the settings that the cluster lacks."""
    described: dict[str, Any] = snapshot.to_desc_dict() if detailed else snapshot.to_dict()
    cluster = {name: value for name, value in described["ClusterConfiguration"].items() if value is not None}
    return {**described, "ClusterConfiguration": cluster}
