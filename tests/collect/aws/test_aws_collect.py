"""Every AWS kind through boto3 and HTTP against the sandbox, in good order and in every kind of trouble."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests

from snapbase.collect.aws import cloud as aws_cloud
from snapbase.collect.aws.errors import CallFailed, classify
from snapbase.collect.aws.kms_key import admits
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Target, Where, collectors
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.config import AwsEntry
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Observation, Outcome, Principal, PrincipalKind, ResourceType, Scope
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, OUTSIDER, PARTNER, REGIONS, ROLE, attack, seed
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard

READ_ONLY = {
    "ec2:DescribeImageAttribute",
    "ec2:DescribeImages",
    "ec2:DescribeRegions",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:GetEbsDefaultKmsKeyId",
    "ec2:GetEbsEncryptionByDefault",
    "ec2:GetImageBlockPublicAccessState",
    "ec2:GetSnapshotBlockPublicAccessState",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "kms:ListKeys",
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "rds:DescribeDBClusterSnapshotAttributes",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBSnapshotAttributes",
    "rds:DescribeDBSnapshots",
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
}
HOME = REGIONS[0]
ATTRIBUTE = "ec2:DescribeSnapshotAttribute"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture(scope="module")
def server(switchboard: Switchboard) -> Iterator[str]:
    sandbox = AwsSandbox(switchboard)
    yield sandbox.start()
    sandbox.stop()


@pytest.fixture
def url(seeded: str, switchboard: Switchboard) -> Iterator[str]:
    requests.post(f"{seeded}/moto-api/reset", timeout=10)
    seed(seeded)
    yield seeded
    switchboard.heal()


@pytest.fixture(scope="module")
def seeded(server: str) -> str:
    seed(server)
    return server


@pytest.fixture
def any_url(seeded: str, switchboard: Switchboard) -> Iterator[str]:
    """For tests that only read; whatever other tests did to the estate stays."""
    yield seeded
    switchboard.heal()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    made = Runtime(threads=4, limiter=Limiter(attempts=2))
    yield made
    made.close()


def _entry(url: str, **more: Any) -> AwsEntry:
    return AwsEntry(endpoint_url=url, organization=True, role=ROLE, regions=REGIONS, **more)


def _targets(url: str, runtime: Runtime, **more: Any) -> list[Target]:
    return list(aws_cloud.CLOUD.connect(_entry(url, **more), runtime).targets())


def _region(url: str, runtime: Runtime, account: str = MEMBER, region: str = HOME) -> Region:
    found = next(each.handle for each in _targets(url, runtime) if (each.account, each.location) == (account, region))
    assert isinstance(found, Region)
    found.clients.sample = 0
    return found


def _read(region: Region, kind: str) -> dict[str, Observation]:
    """By description or name."""
    collector = next(each for each in collectors("aws") if each.kind == kind)
    scope = Scope("aws", region.account, region.region, kind)
    seen = list(collector.read(region, scope))
    assert len({each.resource.uid for each in seen}) == len(seen)
    return {str(each.resource.facts.get("description") or each.resource.name): each for each in seen}


def _holders(observation: Observation) -> set[Principal]:
    assert observation.grants is not None, observation.miss
    return {grant.principal for grant in observation.grants}


def _ec2(url: str, region: Region) -> Any:
    return _client(url, region, "ec2")


def _client(url: str, region: Region, service: str) -> Any:
    sts = boto3.client("sts", region_name=HOME, endpoint_url=url)
    role = f"arn:aws:iam::{region.account}:role/{ROLE}"
    told = sts.assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    keys = (told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
    return boto3.Session(*keys).client(service, region_name=region.region, endpoint_url=url)


def test_every_region_of_every_account_is_a_target_and_the_organisation_is_one(url: str, runtime: Runtime) -> None:
    targets = _targets(url, runtime)

    assert {(each.account, each.location) for each in targets if each.where == Where.REGIONAL} == {
        (account, region) for account in (MANAGEMENT, MEMBER) for region in REGIONS
    }
    assert [each.account for each in targets if each.where == Where.MANAGEMENT] == [MANAGEMENT]
    assert not any(each.failure for each in targets)


def test_an_account_of_its_own_is_not_asked_for_an_organisation(url: str, runtime: Runtime) -> None:
    targets = aws_cloud.CLOUD.connect(AwsEntry(endpoint_url=url, regions=REGIONS), runtime).targets()

    assert {each.where for each in targets} == {Where.REGIONAL}


def test_an_account_that_cannot_be_entered_is_one_failed_target(url: str, runtime: Runtime) -> None:
    outside, inside = _targets(url, runtime, accounts=(OUTSIDER, MEMBER))[1:3]

    assert (outside.account, outside.location) == (OUTSIDER, ANYWHERE)
    assert outside.failure is not None
    assert outside.failure.outcome == Outcome.DENIED
    assert "sts:AssumeRole" in outside.failure.reason
    assert inside.failure is None


def test_without_credentials_it_says_so(url: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(CredentialsError):
        aws_cloud.CLOUD.connect(_entry(url), runtime).identity()


def test_all_kinds_read_the_estate_and_call_nothing_that_writes(url: str, runtime: Runtime) -> None:
    kinds = [each.kind for each in collectors("aws")]
    for target in _targets(url, runtime):
        for collector in collectors("aws"):
            if target.where in collector.where:
                list(collector.read(target.handle, Scope("aws", target.account, target.location, collector.kind)))

    assert kinds == [
        "aws.ec2.image",
        "aws.ec2.region-settings",
        "aws.ec2.snapshot",
        "aws.kms.key",
        "aws.organizations",
        "aws.rds.cluster-snapshot",
        "aws.rds.snapshot",
    ]
    assert runtime.operations <= READ_ONLY
    declared = {permission for each in collectors("aws") for permission in each.permissions}
    assert declared <= READ_ONLY
    assert runtime.operations - declared <= {"sts:AssumeRole", "sts:GetCallerIdentity"}


def test_grants_of_snapshots_before_and_after_the_theft(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    partner, outsider = (Principal(PrincipalKind.ACCOUNT, each) for each in (PARTNER, OUTSIDER))
    everyone = Principal(PrincipalKind.PUBLIC, "all")
    before = _read(region, "aws.ec2.snapshot")
    assert {name: _holders(each) for name, each in before.items() if each.grants} == {
        "catalogue, for the partner": {partner},
        "exchange with the partner": {partner},
    }

    acts = attack(url)

    after = _read(region, "aws.ec2.snapshot")
    assert {name: _holders(each) for name, each in after.items() if each.grants} == {
        "catalogue, for the partner": {partner, outsider},
        "exchange with the partner": {partner},
        "ledger, before the migration": {outsider},
        "warehouse, for the analysts": {everyone},
    }
    assert set(before) - set(after) == {"web tier, weekly"}
    assert _holders(_read(region, "aws.ec2.image")["golden-web"]) == {outsider}
    databases = _read(region, "aws.rds.snapshot")
    assert _holders(databases["orders-year-end"]) == {outsider}
    assert len(acts) == 7


def test_the_attack_leaves_the_second_region_alone(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime, region=REGIONS[1])
    before = _read(region, "aws.ec2.snapshot")

    attack(url)

    assert before
    assert _read(region, "aws.ec2.snapshot") == before


def test_encryption_decides_what_is_asked(url: str, runtime: Runtime, switchboard: Switchboard) -> None:
    region = _region(url, runtime)
    switchboard.calls.clear()
    seen = _read(region, "aws.ec2.snapshot")

    managed, own = seen["build cache"].resource, seen["exchange with the partner"].resource
    assert managed.inferred is not None
    assert managed.guards == (region.settings_uid,)
    assert own.inferred is None
    assert own.guards == (region.settings_uid, own.key)
    asked = [each for each in switchboard.calls if each[3] == ATTRIBUTE]
    assert len(asked) == len(seen) - 1
    switchboard.calls.clear()
    region.clients.sample = 1.0
    _read(region, "aws.ec2.snapshot")
    assert len([each for each in switchboard.calls if each[3] == ATTRIBUTE]) == len(seen)


def test_a_key_that_cannot_be_described_is_no_reason_not_to_look(
    url: str, runtime: Runtime, switchboard: Switchboard
) -> None:
    region = _region(url, runtime)
    switchboard.break_(Fault(FaultKind.DENIED, operation="kms:DescribeKey"))

    seen = _read(region, "aws.ec2.snapshot")

    assert {each.principal.id for each in seen["exchange with the partner"].grants or ()} == {PARTNER}
    assert seen["build cache"].resource.inferred is None


def test_pages_are_followed_to_the_end(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    everything = {each["SnapshotId"] for each in region.pages("ec2", "DescribeSnapshots", "Snapshots")}

    paged = [each["SnapshotId"] for each in region.pages("ec2", "DescribeSnapshots", "Snapshots", MaxResults=3)]

    assert len(paged) > 6
    assert set(paged) == everything
    assert len(paged) == len(everything)


def test_more_rds_snapshots_than_one_page(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    rds = _client(url, region, "rds")
    for number in range(101):
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=f"nightly-{number}")

    seen = _read(region, "aws.rds.snapshot")

    assert len([name for name in seen if name.startswith("nightly-")]) == 101


def test_rds_types_and_a_name_that_came_back(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    before = _read(region, "aws.rds.snapshot")
    attack(url)
    after = _read(region, "aws.rds.snapshot")

    old, new = before["orders-before-upgrade"].resource, after["orders-before-upgrade"].resource
    assert old.address == new.address
    assert old.uid != new.uid
    automated = next(each.resource for name, each in before.items() if name.startswith("rds:"))
    assert automated.origin == "rds-automated"
    assert automated.inferred is not None


def test_cluster_snapshots_with_a_public_and_an_account_grant(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    _client(url, region, "rds").modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="search-monthly", AttributeName="restore", ValuesToAdd=["all", OUTSIDER]
    )

    monthly = _read(region, "aws.rds.cluster-snapshot")["search-monthly"]

    assert _holders(monthly) == {
        Principal(PrincipalKind.PUBLIC, "all"),
        Principal(PrincipalKind.ACCOUNT, OUTSIDER),
    }


def test_image_shared_with_an_organisation_and_a_unit(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    ec2 = _ec2(url, region)
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    organization = f"arn:aws:organizations::{OUTSIDER}:organization/o-abcdefghij"
    unit = f"arn:aws:organizations::{OUTSIDER}:ou/o-abcdefghij/ou-abcd-12345678"
    added = [{"OrganizationArn": organization}, {"OrganizationalUnitArn": unit}]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": added})

    assert _holders(_read(region, "aws.ec2.image")["golden-web"]) == {
        Principal(PrincipalKind.ORGANIZATION, organization),
        Principal(PrincipalKind.ORGANIZATIONAL_UNIT, unit),
    }


def test_region_settings_and_what_they_block(url: str, runtime: Runtime, switchboard: Switchboard) -> None:
    region = _region(url, runtime)
    [open_] = _read(region, "aws.ec2.region-settings").values()
    _ec2(url, region).enable_snapshot_block_public_access(State="block-all-sharing")
    [shut] = _read(region, "aws.ec2.region-settings").values()

    assert open_.resource.type == ResourceType.GUARDRAIL
    assert open_.resource.uid == region.settings_uid
    assert open_.resource.limits is not None
    assert shut.resource.limits is not None
    assert (open_.resource.limits.blocks, shut.resource.limits.blocks) == ((), ("public",))
    assert shut.resource.attributes["snapshot_block_public_access"] == "block-all-sharing"
    assert shut.resource.attributes["encryption_by_default"] is False


def test_one_unreadable_setting_hides_no_other(url: str, runtime: Runtime, switchboard: Switchboard) -> None:
    region = _region(url, runtime)
    switchboard.break_(Fault(FaultKind.DENIED, operation="ec2:GetSnapshotBlockPublicAccessState"))
    collector = next(each for each in collectors("aws") if each.kind == "aws.ec2.region-settings")
    reading = collector.read(region, Scope("aws", MEMBER, HOME, collector.kind))

    resource = next(reading).resource
    with pytest.raises(CallFailed):
        next(reading)

    assert "snapshot_block_public_access" not in resource.attributes
    assert resource.attributes["image_block_public_access"] == "block-new-sharing"
    assert resource.limits is not None
    assert "denied" in resource.limits.unknown


def test_keys_admit_whom_their_policies_name(url: str, runtime: Runtime) -> None:
    [key] = _read(_region(url, runtime), "aws.kms.key").values()

    assert key.resource.limits is not None
    assert key.resource.limits.admits == tuple(sorted((MEMBER, PARTNER)))
    assert key.resource.limits.unknown == ""


def _policy(**statement: Any) -> str:
    return json.dumps({"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", **statement}})


@pytest.mark.parametrize(
    ("policy", "accounts", "unsure"),
    [
        (_policy(Principal="*"), {"*"}, False),
        (_policy(Principal={"AWS": ["111122223333", "arn:aws:iam::444455556666:role/x"]}),
         {"111122223333", "444455556666"}, False),
        (_policy(Principal={"AWS": "*"}, Condition={"StringEquals": {"kms:CallerAccount": "111122223333"}}),
         {"111122223333"}, False),
        (_policy(Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}), set(), True),
        (_policy(Principal={"AWS": "111122223333"}, Action="kms:DescribeKey"), set(), False),
        (_policy(Principal={"AWS": "111122223333"}, Effect="Deny"), set(), False),
        (_policy(NotPrincipal={"AWS": "111122223333"}), set(), True),
        ("not json", set(), True),
    ],
)  # fmt: skip
def test_whom_a_key_policy_admits(policy: str, accounts: set[str], unsure: bool) -> None:
    found, unknown = admits(policy)

    assert found == accounts
    assert bool(unknown) == unsure


def test_the_organisation_names_its_accounts(url: str, runtime: Runtime) -> None:
    home = next(each.handle for each in _targets(url, runtime) if each.where == Where.MANAGEMENT)
    seen = [each.resource for each in _read(home, "aws.organizations").values()]

    assert {each.facts.get("account_id") for each in seen} == {None, MANAGEMENT, MEMBER}
    organization = next(each for each in seen if "account_id" not in each.facts)
    assert str(organization.facts["organization_id"]).startswith("o-")


TROUBLE = [
    (FaultKind.DENIED, Outcome.DENIED, "grant it"),
    (FaultKind.SCP_DENIED, Outcome.DENIED, "service control policy"),
    (FaultKind.EXPIRED, Outcome.DENIED, "credentials expired"),
    (FaultKind.THROTTLED, Outcome.THROTTLED, "throttled"),
    (FaultKind.ERROR, Outcome.FAILED, "Internal"),
    (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "no usable answer"),
    (FaultKind.TRUNCATED, Outcome.FAILED, "no usable answer"),
    (FaultKind.RESET, Outcome.FAILED, "no usable answer"),
    (FaultKind.DISABLED, Outcome.DISABLED, "not enabled"),
]


@pytest.mark.parametrize("kind", ["aws.ec2.snapshot", "aws.rds.snapshot", "aws.kms.key"])
@pytest.mark.parametrize(("fault", "outcome", "words"), TROUBLE)
def test_a_list_in_trouble_is_never_an_empty_one(
    any_url: str, runtime: Runtime, switchboard: Switchboard, kind: str, fault: FaultKind, outcome: str, words: str
) -> None:
    region = _region(any_url, runtime)
    operation = {"ec2": "ec2:DescribeSnapshots", "rds": "rds:DescribeDBSnapshots", "kms": "kms:ListKeys"}
    switchboard.break_(Fault(fault, account=MEMBER, location=HOME, operation=operation[kind.split(".")[1]]))

    with pytest.raises(CallFailed) as caught:
        _read(region, kind)

    miss = classify(caught.value)
    assert miss is not None
    assert miss.outcome == outcome
    assert words in miss.reason
    assert f"{MEMBER}/{HOME}" in miss.reason


@pytest.mark.parametrize(("fault", "outcome", "words"), TROUBLE)
def test_unread_sharing_is_a_miss_and_never_not_shared(
    any_url: str, runtime: Runtime, switchboard: Switchboard, fault: FaultKind, outcome: str, words: str
) -> None:
    region = _region(any_url, runtime)
    switchboard.break_(Fault(fault, operation=ATTRIBUTE))

    seen = _read(region, "aws.ec2.snapshot")

    for observation in seen.values():
        if observation.resource.inferred is None:
            assert observation.grants is None
            assert observation.miss is not None
            assert observation.miss.outcome == outcome
            assert words in observation.miss.reason


def test_throttled_once_then_everything(url: str, runtime: Runtime, switchboard: Switchboard) -> None:
    region = _region(url, runtime)
    calm = _read(region, "aws.ec2.snapshot")
    for operation in (ATTRIBUTE, "ec2:DescribeSnapshots"):
        switchboard.break_(Fault(FaultKind.THROTTLED, operation=operation, times=1))

    assert _read(region, "aws.ec2.snapshot") == calm


def test_a_list_cut_off_after_its_sweep_keeps_nothing_back(
    url: str, runtime: Runtime, switchboard: Switchboard
) -> None:
    """The second of two list calls fails: raising says that the list is not complete."""
    region = _region(url, runtime)
    switchboard.break_(Fault(FaultKind.DENIED, operation="ec2:DescribeSnapshots", skip=1))

    with pytest.raises(CallFailed):
        _read(region, "aws.ec2.snapshot")


def test_a_snapshot_gone_between_list_and_sharing_is_not_reported(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    collector = next(each for each in collectors("aws") if each.kind == "aws.ec2.snapshot")
    listed = list(region.pages("ec2", "DescribeSnapshots", "Snapshots"))
    # One whose sharing is asked for: those under an AWS-managed key are not, and would be reported as listed.
    victim = next(each["SnapshotId"] for each in listed if not each["Encrypted"])
    ec2 = _ec2(url, region)
    real = Region.pages

    def gone(self: Region, *words: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
        for each in list(real(self, *words, **parameters)):
            if each["SnapshotId"] == victim:
                ec2.delete_snapshot(SnapshotId=victim)
            yield each

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Region, "pages", gone)
        seen = list(collector.read(region, Scope("aws", MEMBER, HOME, collector.kind)))

    assert len(seen) == len(listed) - 1
    assert all(each.grants is not None for each in seen)


def test_hostile_text_is_carried_as_it_is(url: str, runtime: Runtime) -> None:
    region = _region(url, runtime)
    ec2 = _ec2(url, region)
    nasty = "=cmd|'/c calc'!A0 <script>&amp; \u202e 日本"
    volume = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1)["VolumeId"]
    ec2.create_snapshot(
        VolumeId=volume,
        Description=nasty,
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "Name", "Value": nasty}]}],
    )

    assert _read(region, "aws.ec2.snapshot")[nasty].resource.name == nasty


def test_classify_leaves_bugs_alone() -> None:
    assert classify(KeyError("SnapshotId")) is None
