"""Machine images (AMIs) and who may launch them, which reads the snapshots behind them too."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from snapbase.collect.aws.ec2_snapshot import origin, principal
from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.session import Region, missed, observed, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Limits, Observation, Principal, PrincipalKind, Resource, Scope

_READY = {"pending": "available"}
"""One still being made can be shared already: that it gets ready is no change, that it fails is one."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every image that the account owns, disabled and deprecated ones too, with its launchPermission."""
    images = region.pages(
        "ec2",
        "DescribeImages",
        "Images",
        Owners=["self"],
        IncludeDisabled=True,
        IncludeDeprecated=True,
        MaxResults=1000,
    )
    # EC2 lists one for a while after it was deregistered (EC2 API reference, DescribeImages).
    there = (each for each in images if each.get("State") != "deregistered")
    for observation in region.runtime.map(partial(_observe, region), there):
        if observation is not None:
            yield observation


def _observe(region: Region, image: dict[str, Any]) -> Observation | None:
    return observed(_resource(region, image), lambda: _grants(region, image))


def _grants(region: Region, image: dict[str, Any]) -> frozenset[Grant]:
    answer = region.call("ec2", "DescribeImageAttribute", ImageId=image["ImageId"], Attribute="launchPermission")
    holders = {principal(each) for each in answer.get("LaunchPermissions") or ()}
    if image.get("Public"):
        holders.add(Principal(PrincipalKind.PUBLIC, "all"))
    return frozenset(Grant(each, Access.LAUNCH, "ec2:launchPermission") for each in holders)


def _resource(region: Region, image: dict[str, Any]) -> Resource:
    uid = f"arn:{region.partition}:ec2:{region.region}::image/{image['ImageId']}"
    labels = tags(image.get("Tags"))
    devices = [each["Ebs"] for each in image.get("BlockDeviceMappings") or () if each.get("Ebs")]
    keys, limits = _keys(region, devices)
    return Resource(
        uid=uid,
        address=uid,
        name=image.get("Name"),
        created_at=_moment(image.get("CreationDate")),
        owner=image.get("OwnerId"),
        source=image.get("SourceInstanceId") or image.get("SourceImageId"),
        origin=origin(labels),
        encrypted=all(each.get("Encrypted") for each in devices) if devices else None,
        key=keys[0] if keys else None,
        guards=keys,
        limits=limits,
        attributes={
            "state": _READY.get(image.get("State", ""), image.get("State")),
            "type": image.get("ImageType"),
            **({"public": True} if image.get("Public") else {}),
        },
        facts={
            # The uids of the snapshots that a launch reads, whatever their own createVolumePermission says.
            "snapshots": sorted(
                f"arn:{region.partition}:ec2:{region.region}::snapshot/{each['SnapshotId']}"
                for each in devices
                if each.get("SnapshotId")
            ),
            **({"description": image["Description"]} if image.get("Description") else {}),
        },
        tags=labels,
    )


def _keys(region: Region, devices: list[dict[str, Any]]) -> tuple[tuple[str, ...], Limits | None]:
    """The keys that a launch must be able to use, and what is unknown about them."""
    keys = {each["KmsKeyId"] for each in devices if each.get("KmsKeyId")}
    hidden = [each for each in devices if each.get("Encrypted") and not each.get("KmsKeyId")]
    unnamed = sorted(each["SnapshotId"] for each in hidden if each.get("SnapshotId"))
    if not unnamed:
        return tuple(sorted(keys)), None
    try:
        listed = region.call("ec2", "DescribeSnapshots", SnapshotIds=unnamed)["Snapshots"]
    except CallFailed as error:
        return tuple(sorted(keys)), Limits(unknown=f"the keys of its snapshots were not read: {missed(error).reason}")
    return tuple(sorted(keys | {each["KmsKeyId"] for each in listed if each.get("KmsKeyId")})), None


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


COLLECTOR = Collector(
    kind="aws.ec2.image",
    title="machine images",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeImages", "ec2:DescribeImageAttribute", "ec2:DescribeSnapshots"),
    calls="1 per 1,000 + 1 per image, 2 where it is encrypted",
    blind="Images in the recycle bin; who launched one. Copies in S3 are aws.ec2.image-export.",
)
