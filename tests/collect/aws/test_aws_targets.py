"""Which accounts and regions there are, and who is in the organisation."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from moto.organizations.models import organizations_backends

from snapbase.collect.aws.errors import CallFailed, classify
from snapbase.collect.aws.session import Clients, home_region
from snapbase.collect.collector import Where, collectors
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Outcome, Scope
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, OUTSIDER, REGIONS
from snapbase.sandbox.faults import Fault, FaultKind
from snapbase.settings import AwsEntry
from tests.collect.aws.reader import HOME, Amazon, plain_client, read, runtime

BASE = {"ec2:DescribeRegions", "organizations:ListAccounts", "sts:AssumeRole", "sts:GetCallerIdentity"}
"""What entering accounts takes, whatever the kinds."""


def test_every_region_of_every_account_is_a_target_and_the_organisation_is_one(amazon: Amazon) -> None:
    targets = amazon.targets()

    assert {(each.account, each.location) for each in targets if each.where == Where.REGIONAL} == {
        (account, region) for account in (MANAGEMENT, MEMBER) for region in REGIONS
    }
    assert [each.account for each in targets if each.where == Where.MANAGEMENT] == [MANAGEMENT]
    assert not any(each.failure for each in targets)


def test_all_regions_that_an_account_has_enabled_are_read(amazon: Amazon) -> None:
    listed = plain_client(amazon.url, "ec2").describe_regions(AllRegions=True)["Regions"]
    enabled = {each["RegionName"] for each in listed if each["OptInStatus"] != "not-opted-in"}

    targets = amazon.targets(regions=(), accounts=(MEMBER,))

    assert {each.location for each in targets if each.where == Where.REGIONAL} == enabled
    assert len(enabled) > len(REGIONS)


def test_an_account_whose_regions_are_not_told_is_one_failed_target(amazon: Amazon) -> None:
    amazon.switchboard.break_(Fault(FaultKind.DENIED, account=MEMBER, operation="ec2:DescribeRegions"))

    [failed] = [each for each in amazon.targets(regions=()) if each.failure]

    assert (failed.account, failed.location) == (MEMBER, ANYWHERE)
    assert failed.failure is not None
    assert "ec2:DescribeRegions" in failed.failure.reason


def test_an_account_of_its_own_is_not_asked_for_an_organisation(amazon: Amazon) -> None:
    assert {each.where for each in amazon.targets(organization=False)} == {Where.REGIONAL}


def test_an_account_that_cannot_be_entered_is_one_failed_target(amazon: Amazon) -> None:
    outside, inside = amazon.targets(accounts=(OUTSIDER, MEMBER))[1:3]

    assert (outside.account, outside.location) == (OUTSIDER, ANYWHERE)
    assert outside.failure is not None
    assert outside.failure.outcome == Outcome.DENIED
    assert "sts:AssumeRole" in outside.failure.reason
    assert inside.failure is None


def test_without_credentials_it_says_so(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(CredentialsError):
        amazon.connect().identity()


def test_all_kinds_read_the_estate_and_call_only_what_they_declare(amazon: Amazon) -> None:
    for target in amazon.targets():
        for collector in collectors("aws"):
            if target.where in collector.where:
                list(collector.read(target.handle, Scope("aws", target.account, target.location, collector.kind)))

    declared = {permission for each in collectors("aws") for permission in each.permissions}
    assert amazon.runtime.operations <= declared | BASE
    assert all(name.partition(":")[2].startswith(("Describe", "Get", "List")) for name in declared)


def test_the_organisation_names_its_accounts_and_where_they_hang(amazon: Amazon) -> None:
    home = next(each.handle for each in amazon.targets() if each.where == Where.MANAGEMENT)
    seen = [each.resource for each in read(home, "aws.organizations").values()]

    assert {each.facts.get("account_id") for each in seen} == {None, MANAGEMENT, MEMBER}
    organization = next(each for each in seen if "account_id" not in each.facts)
    number = str(organization.facts["organization_id"])
    assert number.startswith("o-")
    root = plain_client(amazon.url, "organizations").list_roots()["Roots"][0]["Id"]
    assert {str(each.attributes["paths"]) for each in seen if "account_id" in each.facts} == {f"['{number}/{root}/']"}


def test_an_account_moved_to_a_unit_says_so_and_nothing_else(amazon: Amazon) -> None:
    home = next(each.handle for each in amazon.targets() if each.where == Where.MANAGEMENT)
    organizations = plain_client(amazon.url, "organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    upper = organizations.create_organizational_unit(ParentId=root, Name="upper")["OrganizationalUnit"]["Id"]
    lower = organizations.create_organizational_unit(ParentId=upper, Name="lower")["OrganizationalUnit"]["Id"]
    before = read(home, "aws.organizations")["payments"].resource
    organizations.move_account(AccountId=MEMBER, SourceParentId=root, DestinationParentId=lower)

    after = read(home, "aws.organizations")["payments"].resource

    organizations.move_account(AccountId=MEMBER, SourceParentId=lower, DestinationParentId=root)
    assert str(after.attributes["paths"]).endswith(f"/{root}/{upper}/{lower}/']")
    assert {**before.attributes, "paths": None} == {**after.attributes, "paths": None}
    assert before.facts == after.facts


@pytest.mark.parametrize(
    ("state", "status", "told"),
    [("SUSPENDED", "ACTIVE", "SUSPENDED"), ("", "SUSPENDED", "SUSPENDED"), ("PENDING_CLOSURE", "", "PENDING_CLOSURE")],
)
def test_state_of_an_account_and_status_where_there_is_none(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, state: str, status: str, told: str
) -> None:
    member = organizations_backends[MANAGEMENT]["aws"].get_account_by_id(MEMBER)
    monkeypatch.setattr(member, "state", state)
    monkeypatch.setattr(member, "status", status)

    targets = amazon.targets()
    home = next(each.handle for each in targets if each.where == Where.MANAGEMENT)

    [failed] = [each for each in targets if each.failure]
    assert failed.account == MEMBER
    assert failed.failure is not None
    assert failed.failure.outcome == Outcome.DISABLED
    assert told.lower().replace("_", " ") in failed.failure.reason
    assert read(home, "aws.organizations")["payments"].resource.attributes["state"] == told


@pytest.mark.parametrize(
    ("partition", "given", "home"),
    [
        ("aws", "us-east-1", "us-east-1"),
        ("aws", "eu-west-1", "eu-west-1"),
        ("aws-cn", "us-east-1", "cn-northwest-1"),
        ("aws-cn", "cn-north-1", "cn-north-1"),
        ("aws-us-gov", "us-east-1", "us-gov-west-1"),
        ("aws-eusc", "us-east-1", "eusc-de-east-1"),
    ],
)
def test_each_partition_has_a_home_of_its_own(amazon: Amazon, partition: str, given: str, home: str) -> None:
    entry = AwsEntry.model_validate({"partition": partition, "home_region": given})

    assert home_region(entry) == home
    clients = Clients(entry, runtime())
    assert clients.session.get_partition_for_region(home) == partition
    assert home in clients.session.get_available_regions("ec2", partition_name=partition)


@pytest.mark.parametrize(
    ("partition", "suffix"),
    [("aws", ".amazonaws.com"), ("aws-cn", ".amazonaws.com.cn"), ("aws-us-gov", ".amazonaws.com"),
     ("aws-eusc", ".amazonaws.eu")],
)  # fmt: skip
def test_every_service_is_asked_in_the_entry_s_partition(amazon: Amazon, partition: str, suffix: str) -> None:
    clients = Clients(AwsEntry.model_validate({"partition": partition}), runtime())

    for service in ("sts", "organizations", "ec2"):
        host = urlsplit(clients.own(service, clients.home).meta.endpoint_url).hostname
        assert host is not None
        assert host.endswith(suffix)


@pytest.mark.parametrize("role", [None, "auditor", "arn:{partition}:iam::{account}:role/x/auditor"])
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_roles_and_settings_are_of_the_entry_s_partition(amazon: Amazon, partition: str, role: str | None) -> None:
    entry = SimpleNamespace(**{**amazon.entry().model_dump(), "partition": partition, "role": role})
    connection = amazon.connect()
    connection._entry = entry  # type: ignore[assignment]

    assert connection._role(MEMBER).startswith(f"arn:{partition}:iam::{MEMBER}:role/")


def test_a_region_s_settings_are_named_by_partition(amazon: Amazon) -> None:
    assert amazon.region().settings_uid == f"arn:aws:ec2:{HOME}:{MEMBER}:region-settings"


def test_members_that_cannot_be_listed_leave_the_own_account_and_a_gap(amazon: Amazon) -> None:
    amazon.switchboard.break_(Fault(FaultKind.DENIED, operation="organizations:ListAccounts"))
    targets = amazon.targets()

    assert {each.account for each in targets if each.failure is None} == {MANAGEMENT}
    [unknown] = [each for each in targets if each.failure]
    assert (unknown.account, unknown.location) == (ANYWHERE, ANYWHERE)
    assert unknown.failure is not None
    assert "organizations:ListAccounts" in unknown.failure.reason
    with pytest.raises(CallFailed):
        read(targets[0].handle, "aws.organizations")


def test_classify_leaves_bugs_alone() -> None:
    assert classify(KeyError("SnapshotId")) is None
