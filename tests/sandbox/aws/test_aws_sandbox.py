"""The sandbox's AWS pages, refuses and throttles as the real one does."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.faults import Switchboard

REGION = "us-east-1"
ACCOUNT = "123456789012"


@pytest.fixture
def sandbox() -> Iterator[AwsSandbox]:
    made = AwsSandbox(Switchboard())
    yield made
    made.stop()


@pytest.fixture
def session(sandbox: AwsSandbox) -> Any:
    url = sandbox.start()
    once = Config(retries={"total_max_attempts": 1})
    keys = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=REGION)
    return lambda service: keys.client(service, endpoint_url=url, config=once)


def _snapshot(ec2: Any, **volume: Any) -> str:
    made = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8, **volume)["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=made)["SnapshotId"])


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_snapshots_come_in_pages_and_each_once(session: Any) -> None:
    ec2 = session("ec2")
    made = {_snapshot(ec2) for _ in range(12)}

    pages = list(ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], MaxResults=5))

    assert [len(page["Snapshots"]) for page in pages] == [5, 5, 2]
    assert {each["SnapshotId"] for page in pages for each in page["Snapshots"]} == made


def test_images_come_in_pages_and_keep_their_snapshots(session: Any) -> None:
    ec2 = session("ec2")
    root = _snapshot(ec2)
    device = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": root}}]
    made = [ec2.register_image(Name=f"image-{n}", BlockDeviceMappings=device)["ImageId"] for n in range(3)]
    ec2.disable_image(ImageId=made[0])

    enabled = ec2.describe_images(Owners=["self"])["Images"]
    first = ec2.describe_images(Owners=["self"], IncludeDisabled=True, MaxResults=2)

    assert {each["ImageId"] for each in enabled} == set(made[1:])
    assert {each["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for each in enabled} == {root}
    assert len(first["Images"]) == 2
    assert first["NextToken"]


def test_restorable_by_all_is_the_public_ones(session: Any) -> None:
    ec2 = session("ec2")
    public, shared = _snapshot(ec2), _snapshot(ec2)
    for snapshot, holder in ((public, {"Group": "all"}), (shared, {"UserId": "444455556666"})):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [holder]})

    def restorable(by: str) -> list[str]:
        return [each["SnapshotId"] for each in ec2.describe_snapshots(RestorableByUserIds=[by])["Snapshots"]]

    assert restorable("all") == [public]
    assert restorable("444455556666") == [shared]
    assert sorted(restorable("self")) == sorted([public, shared])


@pytest.mark.parametrize("holder", [{"Group": "all"}, {"UserId": "444455556666"}])
def test_what_aws_refuses_to_share_cannot_be_shared(session: Any, holder: dict[str, str]) -> None:
    ec2 = session("ec2")
    managed = _snapshot(ec2, Encrypted=True)

    with pytest.raises(ClientError) as refused:
        ec2.modify_snapshot_attribute(SnapshotId=managed, CreateVolumePermission={"Add": [holder]})

    assert _code(refused) == "OperationNotPermitted"


def test_no_public_share_where_public_access_is_blocked(session: Any) -> None:
    ec2 = session("ec2")
    snapshot = _snapshot(ec2)
    ec2.enable_snapshot_block_public_access(State="block-new-sharing")

    with pytest.raises(ClientError):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"Group": "all"}]})
    ec2.disable_snapshot_block_public_access()
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"Group": "all"}]})
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")

    told = ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert told["CreateVolumePermissions"] == []


def test_what_is_not_there_is_named(session: Any) -> None:
    with pytest.raises(ClientError, match="snap-0123456789abcdef0") as missing:
        session("ec2").describe_snapshot_attribute(
            SnapshotId="snap-0123456789abcdef0", Attribute="createVolumePermission"
        )

    assert _code(missing) == "InvalidSnapshot.NotFound"


def test_rds_snapshots_come_in_pages(session: Any) -> None:
    rds = session("rds")
    login = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret"}
    rds.create_db_instance(
        DBInstanceIdentifier="db", DBInstanceClass="db.t3.small", Engine="postgres", AllocatedStorage=20, **login
    )
    for number in range(24):
        rds.create_db_snapshot(DBInstanceIdentifier="db", DBSnapshotIdentifier=f"snap-{number:02}")

    pages = list(rds.get_paginator("describe_db_snapshots").paginate(MaxRecords=20, SnapshotType="manual"))

    assert [len(page["DBSnapshots"]) for page in pages] == [20, 4]


def test_a_role_in_a_strangers_account_cannot_be_assumed(session: Any) -> None:
    with pytest.raises(ClientError) as refused:
        session("sts").assume_role(RoleArn="arn:aws:iam::999988887777:role/any", RoleSessionName="tests")

    assert _code(refused) == "AccessDenied"


def test_a_token_bucket_throttles_what_exceeds_it(sandbox: AwsSandbox, session: Any) -> None:
    ec2 = session("ec2")
    sandbox.limit(ACCOUNT, REGION, "ec2:DescribeSnapshots", capacity=2, refill=0)
    for _ in range(2):
        ec2.describe_snapshots(OwnerIds=["self"])

    with pytest.raises(ClientError) as throttled:
        ec2.describe_snapshots(OwnerIds=["self"])

    assert _code(throttled) == "RequestLimitExceeded"
