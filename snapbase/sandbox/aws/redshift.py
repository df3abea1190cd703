"""Redshift snapshots as AWS lists and shares them, on moto's own state."""

from collections.abc import Mapping
from typing import Any

from moto.redshift.models import redshift_backends

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.wire import Call, Refusal


def handlers() -> dict[str, Handler]:
    """By operation name, as `redshift:DescribeClusterSnapshots`."""
    return {
        "redshift:DescribeClusterSnapshots": describe,
        "redshift:AuthorizeSnapshotAccess": authorize,
        "redshift:RevokeSnapshotAccess": revoke,
        "redshift:DeleteClusterSnapshot": refuse_deleting_what_is_shared,
    }


def describe(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = int(parameters.get("MaxRecords") or 100)
    if not 20 <= asked <= 100:
        raise Refusal("InvalidParameterValue", f"Invalid value {asked} for MaxRecords. Must be between 20 and 100")
    backend = redshift_backends[call.account][call.region]
    found = backend.describe_cluster_snapshots(
        parameters.get("ClusterIdentifier"), parameters.get("SnapshotIdentifier"), parameters.get("SnapshotType")
    )
    # Moto narrows by type only together with a cluster.
    typed = [each for each in found if parameters.get("SnapshotType") in (each.snapshot_type, None)]
    ordered = sorted(typed, key=lambda each: each.arn)
    some, following = page(ordered, {**parameters, "MaxRecords": asked}, size="MaxRecords", token="Marker")
    return {"Snapshots": [_snapshot(backend, each) for each in some], "Marker": following}


def _snapshot(backend: Any, snapshot: Any) -> dict[str, Any]:
    cluster = backend.clusters.get(snapshot.cluster_identifier)
    encrypted = str(snapshot.encrypted).lower() == "true"
    return {
        "SnapshotIdentifier": snapshot.snapshot_identifier,
        "ClusterIdentifier": snapshot.cluster_identifier,
        "SnapshotCreateTime": snapshot.create_time,
        "Status": snapshot.status,
        "SnapshotType": snapshot.snapshot_type,
        "NodeType": snapshot.node_type,
        "NumberOfNodes": snapshot.number_of_nodes,
        "DBName": snapshot.db_name,
        "Encrypted": encrypted,
        **({"KmsKeyId": cluster.kms_key_id} if encrypted and cluster is not None and cluster.kms_key_id else {}),
        "AccountsWithRestoreAccess": [_holder(each) for each in sorted(_accounts(snapshot))],
        "OwnerAccount": snapshot.account_id,
        "Tags": snapshot.tags,
        "ManualSnapshotRetentionPeriod": -1,
        # Both move while nobody touches the snapshot.
        "ManualSnapshotRemainingDays": -1,
        "TotalBackupSizeInMegaBytes": 12.0,
        "SnapshotArn": snapshot.arn,
    }


def _holder(account: str) -> dict[str, str]:
    return {"AccountId": account} if account.isdigit() else {"AccountAlias": account}


def _accounts(snapshot: Any) -> set[str]:
    accounts: set[str] = snapshot.__dict__.setdefault("accounts_with_restore_access", set())
    return accounts


def authorize(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Manual snapshots only, and each account once (AuthorizeSnapshotAccess API reference)."""
    backend, snapshot = _named(call, parameters)
    account = parameters["AccountWithRestoreAccess"]
    if snapshot.snapshot_type != "manual":
        raise Refusal("InvalidClusterSnapshotState", "Only manual snapshots can be shared")
    if account in _accounts(snapshot):
        raise Refusal("AuthorizationAlreadyExists", f"{account} is authorized already")
    _accounts(snapshot).add(account)
    return {"Snapshot": _snapshot(backend, snapshot)}


def revoke(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    backend, snapshot = _named(call, parameters)
    _accounts(snapshot).discard(parameters["AccountWithRestoreAccess"])
    return {"Snapshot": _snapshot(backend, snapshot)}


def refuse_deleting_what_is_shared(call: Call, parameters: Mapping[str, Any]) -> None:
    _, snapshot = _named(call, parameters)
    if _accounts(snapshot):
        raise Refusal("InvalidClusterSnapshotState", "Revoke the authorizations of the snapshot first")


def _named(call: Call, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    backend = redshift_backends[call.account][call.region]
    snapshot = backend.snapshots.get(parameters["SnapshotIdentifier"])
    if snapshot is None:
        raise Refusal("ClusterSnapshotNotFound", f"Snapshot {parameters['SnapshotIdentifier']} not found.")
    return backend, snapshot
