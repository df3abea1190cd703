"""What else can be done with EBS snapshots and images: lock them, restore them fast, write them to S3."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.ec2.models import ec2_backends

from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal

_MISSING = "InvalidSnapshot.NotFound"


def _page(name: str, found: Sequence[Any], parameters: Parameters) -> Mapping[str, Any]:
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {name: some, "NextToken": following}


def lock_snapshot(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    snapshot_id, mode = parameters["SnapshotId"], parameters["LockMode"]
    if snapshot_id not in ec2_backends[call.account][call.region].snapshots:
        raise Refusal(_MISSING, f"The snapshot '{snapshot_id}' does not exist.")
    now, hours = datetime.now(UTC), parameters.get("CoolOffPeriod")
    lock = {
        "SnapshotId": snapshot_id,
        "OwnerId": call.account,
        "LockState": "compliance-cooloff" if mode == "compliance" and hours else mode,
        "LockDuration": parameters.get("LockDuration"),
        "CoolOffPeriod": hours,
        "CoolOffPeriodExpiresOn": now + timedelta(hours=hours) if hours else None,
        "LockCreatedOn": now,
        "LockDurationStartTime": now,
        "LockExpiresOn": now + timedelta(days=parameters.get("LockDuration") or 1),
    }
    shelf(call, "locks")[snapshot_id] = lock
    return lock


def unlock_snapshot(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    lock = take(call, "locks", parameters["SnapshotId"], _MISSING)
    if lock["LockState"] == "compliance":
        raise Refusal("OperationNotPermitted", "A snapshot locked in compliance mode cannot be unlocked")
    del shelf(call, "locks")[parameters["SnapshotId"]]
    return {"SnapshotId": parameters["SnapshotId"]}


def describe_locks(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _page("Snapshots", [each for _, each in sorted(shelf(call, "locks").items())], parameters)


def enable_fast_restore(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """By the owner or by whom a snapshot is shared with; kept at the owner, who sees it here."""
    enabled = []
    for snapshot_id in parameters["SourceSnapshotIds"]:
        owner = _owner(call, snapshot_id)
        for zone in parameters["AvailabilityZones"]:
            one = {"SnapshotId": snapshot_id, "AvailabilityZone": zone, "State": "enabled", "OwnerId": call.account}
            shelf(replace(call, account=owner), "fast-restores")[f"{snapshot_id}/{zone}/{call.account}"] = one
            enabled.append(one)
    return {"Successful": enabled, "Unsuccessful": []}


def _owner(call: Call, snapshot_id: str) -> str:
    for account in list(ec2_backends):
        snapshot = ec2_backends[account][call.region].snapshots.get(snapshot_id)
        if snapshot is not None and call.account in {account, *snapshot.create_volume_permission_userids}:
            return account
    raise Refusal(_MISSING, f"The snapshot '{snapshot_id}' does not exist.")


def describe_fast_restores(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    found = [each for _, each in sorted(shelf(call, "fast-restores").items())]
    return _page("FastSnapshotRestores", found, parameters)


def export_image(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    _own_image(call, parameters["ImageId"])
    task = {
        "ExportImageTaskId": f"export-ami-{uuid4().hex[:17]}",
        "ImageId": parameters["ImageId"],
        "S3ExportLocation": parameters["S3ExportLocation"],
        "Status": "active",
        "Progress": "10",
    }
    shelf(call, "image-exports")[task["ExportImageTaskId"]] = task
    return task


def describe_exports(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _page("ExportImageTasks", [each for _, each in sorted(shelf(call, "image-exports").items())], parameters)


def store_image(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    image_id = _own_image(call, parameters["ImageId"])
    task = {
        "AmiId": image_id,
        "Bucket": parameters["Bucket"],
        "S3objectKey": f"{image_id}.bin",
        "StoreTaskState": "InProgress",
        "TaskStartTime": datetime.now(UTC),
    }
    shelf(call, "image-stores")[f"{image_id}/{parameters['Bucket']}"] = task
    return {"ObjectKey": task["S3objectKey"]}


def describe_stores(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _page("StoreImageTaskResults", [each for _, each in sorted(shelf(call, "image-stores").items())], parameters)


def _own_image(call: Call, image_id: str) -> str:
    if image_id not in ec2_backends[call.account][call.region].amis:
        raise Refusal("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    return image_id


def handlers() -> dict[str, Handler]:
    """By operation name, as `ec2:LockSnapshot`."""
    return {
        "ec2:CreateStoreImageTask": store_image,
        "ec2:DescribeExportImageTasks": describe_exports,
        "ec2:DescribeFastSnapshotRestores": describe_fast_restores,
        "ec2:DescribeLockedSnapshots": describe_locks,
        "ec2:DescribeStoreImageTasks": describe_stores,
        "ec2:EnableFastSnapshotRestores": enable_fast_restore,
        "ec2:ExportImage": export_image,
        "ec2:LockSnapshot": lock_snapshot,
        "ec2:UnlockSnapshot": unlock_snapshot,
    }
