"""EBS snapshots, and the accounts and groups that may make volumes of them."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.aws.session import Region, observed, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Limits, Observation, Principal, PrincipalKind, Resource, Scope

_HOLDERS = {
    "UserId": PrincipalKind.ACCOUNT,
    "OrganizationArn": PrincipalKind.ORGANIZATION,
    "OrganizationalUnitArn": PrincipalKind.ORGANIZATIONAL_UNIT,
}
_ARCHIVED = Limits(blocks=(PrincipalKind.ACCOUNT, PrincipalKind.PUBLIC))
"""Nobody can use an archived snapshot before its owner restores it; who may then stays listed (EBS User Guide)."""
_READY = {"pending": "completed"}
"""One still being made can be shared already: that it gets ready is no change, that it fails is one."""
_MANAGED_KEY = "encrypted with a key that AWS manages: such a snapshot cannot be shared"


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot that the account owns, with its createVolumePermission where it can have one."""
    public = _public(region)
    listed = region.pages("ec2", "DescribeSnapshots", "Snapshots", OwnerIds=["self"], MaxResults=1000)
    for observation in region.runtime.map(partial(_observe, region, public), listed):
        if observation is not None:
            yield observation


def _public(region: Region) -> frozenset[str]:
    """Ids of every public snapshot of ours, in one call: a cross-check of what is inferred."""
    swept = region.pages(
        "ec2", "DescribeSnapshots", "Snapshots", OwnerIds=["self"], RestorableByUserIds=["all"], MaxResults=1000
    )
    return frozenset(str(each["SnapshotId"]) for each in swept)


def _observe(region: Region, public: frozenset[str], snapshot: dict[str, Any]) -> Observation | None:
    """None where the snapshot was deleted since it was listed."""
    snapshot_id = str(snapshot["SnapshotId"])
    resource = _resource(region, snapshot, public=snapshot_id in public)
    if resource.inferred and snapshot_id not in public and not region.sampled(resource.uid):
        return Observation(resource)
    return observed(resource, lambda: _grants(region, snapshot_id))


def _grants(region: Region, snapshot_id: str) -> frozenset[Grant]:
    answer = region.call("ec2", "DescribeSnapshotAttribute", SnapshotId=snapshot_id, Attribute="createVolumePermission")
    holders = {principal(each) for each in answer.get("CreateVolumePermissions") or ()}
    return frozenset(Grant(each, Access.READ, "ec2:createVolumePermission") for each in holders)


def principal(permission: Mapping[str, Any]) -> Principal:
    """Whom one createVolumePermission or launchPermission names (EC2 API: LaunchPermission)."""
    for field, kind in _HOLDERS.items():
        if permission.get(field):
            return Principal(kind, str(permission[field]))
    if permission.get("Group") == "all":
        return Principal(PrincipalKind.PUBLIC, "all")
    return Principal(PrincipalKind.OTHER, str(permission.get("Group") or "unnamed"))


def _resource(region: Region, snapshot: dict[str, Any], *, public: bool) -> Resource:
    """A snapshot as a resource. Progress and growing sizes are left out."""
    snapshot_id = str(snapshot["SnapshotId"])
    arn = f"arn:{region.partition}:ec2:{region.region}::snapshot/{snapshot_id}"
    labels = tags(snapshot.get("Tags"))
    key = snapshot.get("KmsKeyId")
    managed = bool(snapshot.get("Encrypted") and key) and region.key_manager(str(key)) == "AWS"
    return Resource(
        uid=arn,
        address=arn,
        name=labels.get("Name"),
        created_at=snapshot.get("StartTime"),
        owner=snapshot.get("OwnerId"),
        source=snapshot.get("VolumeId"),
        origin=origin(labels),
        encrypted=snapshot.get("Encrypted"),
        key=key,
        guards=(region.settings_uid, *((key,) if key and not managed else ())),
        limits=_ARCHIVED if snapshot.get("StorageTier") == "archive" else None,
        attributes={
            # A grant too; this shows it while the permissions cannot be read.
            **({"public": True} if public else {}),
            "state": _READY.get(snapshot.get("State", ""), snapshot.get("State")),
            "storage_tier": snapshot.get("StorageTier"),
            "size_gib": snapshot.get("VolumeSize"),
        },
        facts={
            name: snapshot[field]
            for name, field in (("description", "Description"), ("data_key", "DataEncryptionKeyId"))
            if snapshot.get(field)
        },
        tags=labels,
        inferred=_MANAGED_KEY if managed else None,
    )


def origin(tags: Mapping[str, str]) -> str | None:
    """What made it, by tags in AWS's reserved `aws:` namespace, which nobody else can set."""
    if policy := tags.get("aws:dlm:lifecycle-policy-id"):
        return f"dlm:{policy}"
    return "aws-backup" if "aws:backup:source-resource" in tags else None


COLLECTOR = Collector(
    kind="aws.ec2.snapshot",
    title="EBS snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeSnapshots", "ec2:DescribeSnapshotAttribute", "kms:DescribeKey"),
    calls="1 per 1,000 snapshots, 1 for the public ones, 1 per shareable snapshot",
    blind="Reads of blocks through the EBS direct APIs. Deleted ones that can come back are aws.ec2.recycled-snapshot.",
)
