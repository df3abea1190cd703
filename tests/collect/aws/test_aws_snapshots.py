"""EBS snapshots, images and region settings through boto3 and HTTP against the sandbox."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from snapbase.collect.aws.errors import CallFailed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import collectors
from snapbase.model import Limits, Observation, Principal, PrincipalKind, ResourceType, Scope
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER, PARTNER
from snapbase.sandbox.faults import Fault, FaultKind
from tests.collect.aws.reader import ELSEWHERE, HOME, Amazon, holders, read

ATTRIBUTE = "ec2:DescribeSnapshotAttribute"


def _take(ec2: Any, description: str, **more: Any) -> str:
    volume = ec2.create_volume(AvailabilityZone=f"{ec2.meta.region_name}a", Size=1)["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=volume, Description=description, **more)["SnapshotId"])


def test_encryption_decides_what_is_asked(amazon: Amazon) -> None:
    region = amazon.region()
    seen = read(region, "aws.ec2.snapshot")

    managed, own = seen["build cache"].resource, seen["exchange with the partner"].resource
    assert managed.inferred is not None
    assert managed.guards == (region.settings_uid,)
    assert own.inferred is None
    assert own.guards == (region.settings_uid, own.key)
    asked = [each for each in amazon.switchboard.calls if each[3] == ATTRIBUTE]
    assert len(asked) == len(seen) - 1
    amazon.switchboard.calls.clear()
    region.clients.sample = 1.0
    read(region, "aws.ec2.snapshot")
    assert len([each for each in amazon.switchboard.calls if each[3] == ATTRIBUTE]) == len(seen)


def test_a_key_that_cannot_be_described_is_no_reason_not_to_look(amazon: Amazon) -> None:
    amazon.switchboard.break_(Fault(FaultKind.DENIED, operation="kms:DescribeKey"))

    seen = read(amazon.region(), "aws.ec2.snapshot")

    assert {each.principal.id for each in seen["exchange with the partner"].grants or ()} == {PARTNER}
    assert seen["build cache"].resource.inferred is None


def test_pages_are_followed_to_the_end(amazon: Amazon) -> None:
    region = amazon.region()
    everything = {each["SnapshotId"] for each in region.pages("ec2", "DescribeSnapshots", "Snapshots")}

    paged = [each["SnapshotId"] for each in region.pages("ec2", "DescribeSnapshots", "Snapshots", MaxResults=3)]

    assert len(paged) > 6
    assert set(paged) == everything
    assert len(paged) == len(everything)


@pytest.mark.parametrize(
    ("service", "operation", "tokens"),
    [
        ("ec2", "DescribeSnapshots", ("NextToken", "NextToken")),
        ("ec2", "DescribeLockedSnapshots", ("NextToken", "NextToken")),
        ("rds", "DescribeDBSnapshots", ("Marker", "Marker")),
        ("kms", "ListKeys", ("NextMarker", "Marker")),
        ("dynamodb", "ListBackups", ("LastEvaluatedBackupArn", "ExclusiveStartBackupArn")),
        ("lightsail", "GetDiskSnapshots", ("nextPageToken", "pageToken")),
        ("redshift-serverless", "ListSnapshots", ("nextToken", "nextToken")),
        ("ram", "ListResources", ("nextToken", "nextToken")),
        ("dlm", "GetLifecyclePolicies", ("NextToken", "NextToken")),
    ],
)
def test_each_operation_names_its_next_page_its_own_way(
    amazon: Amazon, service: str, operation: str, tokens: tuple[str, str]
) -> None:
    assert amazon.region().clients.tokens(service, operation) == tokens


def test_a_page_that_comes_again_is_an_error_and_not_a_circle(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    region = amazon.region()
    monkeypatch.setattr(Region, "call", lambda *_, **__: {"Snapshots": [{}], "NextToken": "same"})

    with pytest.raises(CallFailed):
        list(region.pages("ec2", "DescribeSnapshots", "Snapshots"))


def test_throttled_once_then_everything(amazon: Amazon) -> None:
    calm = read(amazon.region(), "aws.ec2.snapshot")
    for operation in (ATTRIBUTE, "ec2:DescribeSnapshots"):
        amazon.switchboard.break_(Fault(FaultKind.THROTTLED, operation=operation, times=1))

    assert read(amazon.region(), "aws.ec2.snapshot") == calm


def test_a_list_cut_off_after_its_sweep_keeps_nothing_back(amazon: Amazon) -> None:
    """The second of two list calls fails: raising says that the list is not complete."""
    amazon.switchboard.break_(Fault(FaultKind.DENIED, operation="ec2:DescribeSnapshots", skip=1))

    with pytest.raises(CallFailed):
        read(amazon.region(), "aws.ec2.snapshot")


def test_a_snapshot_gone_between_list_and_sharing_is_not_reported(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = amazon.region(region=ELSEWHERE)
    ec2 = amazon.client("ec2", region=ELSEWHERE)
    # One whose sharing is asked for: those under an AWS-managed key are not, and would be reported as listed.
    victim = _take(ec2, "about to go")
    listed = list(region.pages("ec2", "DescribeSnapshots", "Snapshots"))
    real = Region.pages

    def gone(self: Region, *words: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
        for each in list(real(self, *words, **parameters)):
            if each["SnapshotId"] == victim:
                ec2.delete_snapshot(SnapshotId=victim)
            yield each

    collector = next(each for each in collectors("aws") if each.kind == "aws.ec2.snapshot")
    monkeypatch.setattr(Region, "pages", gone)
    seen = list(collector.read(region, Scope("aws", MEMBER, ELSEWHERE, collector.kind)))

    assert len(seen) == len(listed) - 1
    assert all(each.grants is not None for each in seen)


def test_hostile_text_is_carried_as_it_is(amazon: Amazon) -> None:
    nasty = "=cmd|'/c calc'!A0 <script>&amp; \u202e 日本"
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": nasty}]}]
    _take(amazon.client("ec2"), nasty, TagSpecifications=tags)

    assert read(amazon.region(), "aws.ec2.snapshot")[nasty].resource.name == nasty


def test_image_shared_with_an_organisation_and_a_unit(amazon: Amazon) -> None:
    ec2 = amazon.client("ec2", region=ELSEWHERE)
    image = ec2.register_image(Name="shared", RootDeviceName="/dev/sda1")["ImageId"]
    organization = f"arn:aws:organizations::{OUTSIDER}:organization/o-abcdefghij"
    unit = f"arn:aws:organizations::{OUTSIDER}:ou/o-abcdefghij/ou-abcd-12345678"
    added = [{"OrganizationArn": organization}, {"OrganizationalUnitArn": unit}]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": added})

    assert holders(read(amazon.region(region=ELSEWHERE), "aws.ec2.image")["shared"]) == {
        Principal(PrincipalKind.ORGANIZATION, organization),
        Principal(PrincipalKind.ORGANIZATIONAL_UNIT, unit),
    }


def test_an_image_that_ec2_still_lists_after_its_end_is_gone(amazon: Amazon) -> None:
    image = amazon.client("ec2", region=ELSEWHERE).register_image(Name="ended", RootDeviceName="/dev/sda1")["ImageId"]
    assert "ended" in read(amazon.region(region=ELSEWHERE), "aws.ec2.image")

    ec2_backends[MEMBER][ELSEWHERE].amis[image].state = "deregistered"

    assert "ended" not in read(amazon.region(region=ELSEWHERE), "aws.ec2.image")


def test_region_settings_and_what_they_block(amazon: Amazon) -> None:
    region = amazon.region(region=ELSEWHERE)
    open_ = read(region, "aws.ec2.region-settings")
    amazon.client("ec2", region=ELSEWHERE).enable_snapshot_block_public_access(State="block-all-sharing")
    shut = read(region, "aws.ec2.region-settings")

    name = f"snapshot block public access of {ELSEWHERE}"
    assert {each.resource.type for each in open_.values()} == {ResourceType.GUARDRAIL}
    assert open_[name].resource.uid == region.settings_uid
    assert [each[name].resource.limits for each in (open_, shut)] == [Limits(), Limits(blocks=("public",))]
    assert shut[name].resource.attributes["snapshot_block_public_access"] == "block-all-sharing"
    assert shut[f"encryption by default of {ELSEWHERE}"].resource.attributes["encryption_by_default"] is False


def test_an_unreadable_setting_hides_no_other_and_is_not_half_reported(amazon: Amazon) -> None:
    amazon.switchboard.break_(Fault(FaultKind.DENIED, operation="ec2:GetSnapshotBlockPublicAccessState"))
    collector = next(each for each in collectors("aws") if each.kind == "aws.ec2.region-settings")
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(collector.read(amazon.region(), Scope("aws", MEMBER, HOME, collector.kind)))

    read_ = {name: value for each in seen for name, value in each.resource.attributes.items()}
    assert "snapshot_block_public_access" not in read_
    assert read_["image_block_public_access"] == "block-new-sharing"
    assert amazon.region().settings_uid not in {each.resource.uid for each in seen}
