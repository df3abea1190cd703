"""Where EBS snapshots and images go beside a share, and what of others' comes in."""

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Grant, Principal, PrincipalKind
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, HOSTILE, Aws, grants

FAST = "aws.ec2.fast-restore"
EXPORT = "aws.ec2.image-export"
SNAPSHOT_IN = "aws.ec2.incoming-snapshot"
IMAGE_IN = "aws.ec2.incoming-image"
BUCKET = {"S3Bucket": "away", "S3Prefix": "x/"}


def _share(aws: Aws, snapshot: str, account: str) -> None:
    add = {"Add": [{"UserId": account}]}
    aws.client("ec2").modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=add)


def _theirs(aws: Aws, account: str, permission: dict[str, str] | None, name: str = "theirs") -> str:
    """An image of another account, with a launch permission."""
    ec2 = aws.client("ec2", account)
    image = str(ec2.register_image(Name=name)["ImageId"])
    if permission:
        ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [permission]})
    return image


def test_fast_restore_shows_who_else_uses_a_snapshot(aws: Aws) -> None:
    snapshot, other = aws.snapshot(), aws.member()
    _share(aws, snapshot, other)
    zones = [f"{HOME}b", f"{HOME}a"]
    for account in (ACCOUNT, other):
        aws.client("ec2", account).enable_fast_snapshot_restores(AvailabilityZones=zones, SourceSnapshotIds=[snapshot])

    seen = aws.one(FAST)

    who = Principal(PrincipalKind.ACCOUNT, other)
    assert grants(seen) == {Grant(who, "read", "ec2:EnableFastSnapshotRestores")}
    assert seen.resource.attributes["zones"] == sorted(zones)
    assert seen.resource.subject == aws.one("aws.ec2.snapshot").resource.uid


def test_images_written_to_s3_name_the_buckets(aws: Aws) -> None:
    image, ec2 = aws.image(), aws.client("ec2")
    ec2.export_image(DiskImageFormat="RAW", ImageId=image, S3ExportLocation=BUCKET)
    ec2.create_store_image_task(ImageId=image, Bucket="backups")

    seen = aws.one(EXPORT)

    assert grants(seen) == {
        Grant(Principal(PrincipalKind.OTHER, "s3://away"), "read", "ec2:ExportImage"),
        Grant(Principal(PrincipalKind.OTHER, "s3://backups"), "read", "ec2:CreateStoreImageTask"),
    }
    assert seen.resource.subject == aws.one("aws.ec2.image").resource.uid


@pytest.mark.parametrize("operation", ["ec2:DescribeExportImageTasks", "ec2:DescribeStoreImageTasks"])
def test_half_of_the_exports_are_not_told(aws: Aws, operation: str) -> None:
    image = aws.image()
    aws.client("ec2").export_image(DiskImageFormat="RAW", ImageId=image, S3ExportLocation=BUCKET)
    aws.client("ec2").create_store_image_task(ImageId=image, Bucket="backups")
    aws.break_(FaultKind.DENIED, operation)

    with pytest.raises(CallFailed):
        next(aws.reading(EXPORT))


def test_snapshots_shared_with_us_are_those_of_others(aws: Aws) -> None:
    aws.snapshot()
    other = aws.member()
    theirs = aws.client("ec2", other)
    made = []
    for share in ({"UserId": ACCOUNT}, {"Group": "all"}, None):
        volume = theirs.create_volume(AvailabilityZone=f"{HOME}a", Size=1)["VolumeId"]
        made.append(theirs.create_snapshot(VolumeId=volume, Description=HOSTILE)["SnapshotId"])
        if share:
            theirs.modify_snapshot_attribute(SnapshotId=made[-1], CreateVolumePermission={"Add": [share]})

    seen = aws.one(SNAPSHOT_IN).resource

    assert seen.subject is not None
    assert seen.subject.endswith(made[0])
    assert (seen.owner, seen.name) == (other, HOSTILE)


def test_images_shared_with_us_by_name_by_organisation_and_by_unit(aws: Aws) -> None:
    aws.image("ours")
    other = aws.member()
    organizations = aws.client("organizations")
    organization = organizations.describe_organization()["Organization"]["Arn"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="builders")["OrganizationalUnit"]
    organizations.move_account(AccountId=ACCOUNT, SourceParentId=root, DestinationParentId=unit["Id"])
    strangers = organization.replace(ACCOUNT, "999988887777").rpartition("/")[0] + "/o-strangers00"
    by_name = _theirs(aws, other, {"UserId": ACCOUNT}, HOSTILE)
    by_organization = _theirs(aws, other, {"OrganizationArn": organization})
    by_unit = _theirs(aws, other, {"OrganizationalUnitArn": unit["Arn"]})
    for permission in ({"Group": "all"}, {"OrganizationArn": strangers}, None):
        _theirs(aws, other, permission)

    seen = {each.resource.address.rpartition("/")[2]: each.resource for each in aws.read(IMAGE_IN)}

    assert set(seen) == {by_name, by_organization, by_unit}
    assert {each.owner for each in seen.values()} == {other}
    assert seen[by_name].name == HOSTILE


def test_the_snapshots_behind_an_image_are_facts_of_it(aws: Aws) -> None:
    aws.image()

    image, snapshot = aws.one("aws.ec2.image").resource, aws.one("aws.ec2.snapshot").resource

    assert image.facts["snapshots"] == [snapshot.uid]


def test_an_archived_snapshot_cannot_be_used_by_whom_it_is_shared_with(aws: Aws) -> None:
    from moto.ec2.models import ec2_backends

    snapshot = aws.snapshot()
    assert aws.one("aws.ec2.snapshot").resource.limits is None
    ec2_backends[ACCOUNT][HOME].snapshots[snapshot].storage_tier = "archive"

    limits = aws.one("aws.ec2.snapshot").resource.limits

    assert limits is not None
    assert set(limits.blocks) == {PrincipalKind.ACCOUNT, PrincipalKind.PUBLIC}


def test_pages_of_all_four(aws: Aws) -> None:
    images, other = [aws.image(f"image-{number}") for number in range(3)], aws.member()
    ec2, theirs = aws.client("ec2"), aws.client("ec2", other)
    for image in images:
        ec2.export_image(DiskImageFormat="RAW", ImageId=image, S3ExportLocation=BUCKET)
        ec2.create_store_image_task(ImageId=image, Bucket="backups")
        _theirs(aws, other, {"UserId": ACCOUNT}, image)
    snapshot = aws.snapshot()
    _share(aws, snapshot, other)
    zones = [f"{HOME}{letter}" for letter in "abc"]
    theirs.enable_fast_snapshot_restores(AvailabilityZones=zones, SourceSnapshotIds=[snapshot])

    region = aws.region()
    for operation, items in (
        ("DescribeExportImageTasks", "ExportImageTasks"),
        ("DescribeStoreImageTasks", "StoreImageTaskResults"),
        ("DescribeFastSnapshotRestores", "FastSnapshotRestores"),
    ):
        assert len(list(region.pages("ec2", operation, items, MaxResults=2))) == 3, operation
    shared = region.pages("ec2", "DescribeImages", "Images", ExecutableUsers=["self"], MaxResults=2)
    assert len(list(shared)) == 3


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        (FAST, "ec2:DescribeFastSnapshotRestores"),
        (EXPORT, "ec2:DescribeStoreImageTasks"),
        (SNAPSHOT_IN, "ec2:DescribeSnapshots"),
        (IMAGE_IN, "ec2:DescribeImages"),
    ],
)
def test_what_cannot_be_read_is_not_taken_for_empty(aws: Aws, kind: str, operation: str, fault: FaultKind) -> None:
    aws.break_(fault, operation)

    with pytest.raises(CallFailed):
        aws.read(kind)
