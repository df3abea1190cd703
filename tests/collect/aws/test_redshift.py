"""Who may restore Redshift snapshots, by the list itself and by resource policies."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from snapbase.collect.aws import redshift_snapshot
from snapbase.collect.aws.session import Region
from snapbase.model import Access, Grant, Observation, Outcome, Principal, PrincipalKind, Scope
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, OUTSIDER, PARTNER, Aws, grants
from tests.collect.aws.databases import LOGIN

PROVISIONED = "aws.redshift.snapshot"
SERVERLESS = "aws.redshift-serverless.snapshot"
ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-abcde12345"}}
ROLE = f"arn:aws:iam::{PARTNER}:role/restore"


def _provisioned(aws: Aws, **cluster: Any) -> Any:
    redshift = aws.client("redshift")
    redshift.create_cluster(ClusterIdentifier="sales", NodeType="ra3.large", **LOGIN, **cluster)
    redshift.create_cluster_snapshot(SnapshotIdentifier="monthly", ClusterIdentifier="sales")
    return redshift


def _monthly(aws: Aws) -> Observation:
    return next(each for each in aws.read(PROVISIONED) if each.resource.name == "monthly")


def _serverless(aws: Aws, **namespace: Any) -> str:
    serverless = aws.client("redshift-serverless")
    serverless.create_namespace(namespaceName="sales", **namespace)
    made = serverless.create_snapshot(snapshotName="monthly", namespaceName="sales")
    return str(made["snapshot"]["snapshotArn"])


def _policy(aws: Aws, address: str, **statement: Any) -> None:
    allow = {"Effect": "Allow", "Action": "redshift-serverless:RestoreFromSnapshot", **statement}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.client("redshift-serverless").put_resource_policy(resourceArn=address, policy=document)


def test_accounts_that_may_restore_are_grants_until_they_are_revoked(aws: Aws) -> None:
    redshift = _provisioned(aws)
    whom = {"SnapshotIdentifier": "monthly", "AccountWithRestoreAccess": OUTSIDER}
    redshift.authorize_snapshot_access(**whom)
    shared = _monthly(aws)
    redshift.revoke_snapshot_access(**whom)

    assert grants(shared) == {Grant(Principal(PrincipalKind.ACCOUNT, OUTSIDER), Access.RESTORE, "redshift:restore")}
    assert grants(_monthly(aws)) == frozenset()
    assert shared.resource == _monthly(aws).resource


def test_aws_support_is_a_service_and_no_account(aws: Aws) -> None:
    redshift = _provisioned(aws)
    for whom in ("amazon-redshift-support", PARTNER):
        redshift.authorize_snapshot_access(SnapshotIdentifier="monthly", AccountWithRestoreAccess=whom)

    assert {each.principal for each in grants(_monthly(aws))} == {
        Principal(PrincipalKind.SERVICE, "amazon-redshift-support"),
        Principal(PrincipalKind.ACCOUNT, PARTNER),
    }


@pytest.mark.parametrize(
    ("listed", "kind", "key"),
    [
        ({"AccountId": PARTNER, "AccountAlias": "amazon-redshift-support"}, PrincipalKind.ACCOUNT, PARTNER),
        ({"AccountId": "amazon-redshift-support"}, PrincipalKind.SERVICE, "amazon-redshift-support"),
        ({"AccountAlias": "somebody"}, PrincipalKind.OTHER, "somebody"),
        ({}, PrincipalKind.OTHER, "unnamed"),
    ],
)
def test_an_alias_vouches_for_no_account(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, listed: dict[str, str], kind: str, key: str
) -> None:
    snapshot = {
        "SnapshotIdentifier": "monthly",
        "ClusterIdentifier": "sales",
        "SnapshotCreateTime": datetime(2026, 11, 1, tzinfo=UTC),
        "AccountsWithRestoreAccess": [listed],
    }
    monkeypatch.setattr(Region, "pages", lambda *_, **__: iter([snapshot]))

    [seen] = redshift_snapshot.read(aws.region(), Scope("aws", ACCOUNT, HOME, PROVISIONED))

    assert {each.principal for each in grants(seen)} == {Principal(kind, key)}
    assert seen.resource.address == f"arn:aws:redshift:{HOME}:{ACCOUNT}:snapshot:sales/monthly"


def test_automated_snapshots_say_that_they_are(aws: Aws) -> None:
    _provisioned(aws)

    origins = {each.resource.name: each.resource.origin for each in aws.read(PROVISIONED)}

    assert origins.pop("monthly") is None
    assert set(origins.values()) == {"redshift-automated"}


def test_a_snapshot_being_made_is_counted_once_it_is(aws: Aws) -> None:
    from moto.redshift.models import redshift_backends

    _provisioned(aws)
    redshift_backends[ACCOUNT][HOME].snapshots["monthly"].status = "creating"

    assert "monthly" not in {each.resource.name for each in aws.read(PROVISIONED)}


@pytest.mark.parametrize("managed", [False, True])
def test_a_customers_key_is_a_guard(aws: Aws, managed: bool) -> None:
    kms = aws.client("kms")
    made = kms.describe_key(KeyId="alias/aws/redshift") if managed else kms.create_key()
    key = made["KeyMetadata"]["Arn"]
    _provisioned(aws, Encrypted=True, KmsKeyId=key)

    resource = _monthly(aws).resource

    assert (resource.encrypted, resource.key) == (True, key)
    assert resource.guards == (() if managed else (key,))


@pytest.mark.parametrize(
    ("statement", "principal", "condition"),
    [
        ({"Principal": {"AWS": [OUTSIDER]}}, Principal(PrincipalKind.ACCOUNT, OUTSIDER), ""),
        ({"Principal": {"AWS": ROLE}}, Principal(PrincipalKind.ACCOUNT, PARTNER), f"only {ROLE}"),
        ({"Principal": "*"}, Principal(PrincipalKind.PUBLIC, "*"), ""),
        ({"Principal": "*", "Condition": ORGANIZATION}, Principal(PrincipalKind.ORGANIZATION, "o-abcde12345"), ""),
        (
            {"Principal": {"Service": "backup.amazonaws.com"}},
            Principal(PrincipalKind.SERVICE, "backup.amazonaws.com"),
            "",
        ),
    ],
)
def test_a_policy_names_who_may_restore(aws: Aws, statement: Any, principal: Principal, condition: str) -> None:
    _policy(aws, _serverless(aws), **statement)

    assert grants(aws.one(SERVERLESS)) == {Grant(principal, Access.RESTORE, "redshift-serverless:restore", condition)}


def test_an_account_of_the_list_counts_even_where_no_policy_names_it(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from snapbase.sandbox.aws import redshift_serverless

    real = redshift_serverless._shown

    def shown(*words: Any) -> dict[str, Any]:
        return {**real(*words), "accountsWithProvisionedRestoreAccess": [OUTSIDER]}

    monkeypatch.setattr(redshift_serverless, "_shown", shown)
    _serverless(aws)

    assert {each.principal.id for each in grants(aws.one(SERVERLESS))} == {OUTSIDER}


@pytest.mark.parametrize(
    ("fault", "outcome"), [(FaultKind.DENIED, Outcome.DENIED), (FaultKind.THROTTLED, Outcome.THROTTLED)]
)
@pytest.mark.parametrize("operation", ["GetResourcePolicy", "GetSnapshot"])
def test_a_policy_that_cannot_be_read_is_not_none(aws: Aws, fault: FaultKind, outcome: Outcome, operation: str) -> None:
    _serverless(aws)
    aws.break_(fault, f"redshift-serverless:{operation}")

    seen = aws.one(SERVERLESS)

    assert seen.grants is None
    assert seen.miss is not None
    assert seen.miss.outcome == outcome
    assert operation in seen.miss.reason


def test_a_policy_that_cannot_be_parsed_is_not_none(aws: Aws) -> None:
    address = _serverless(aws)
    aws.client("redshift-serverless").put_resource_policy(resourceArn=address, policy='{"Statement": [7]}')

    seen = aws.one(SERVERLESS)

    assert seen.grants is None
    assert seen.miss is not None
    assert "policy" in seen.miss.reason


def test_a_serverless_snapshot_deleted_meanwhile_is_skipped(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    _serverless(aws)
    serverless = aws.client("redshift-serverless")
    aws.after("ListSnapshots", lambda: serverless.delete_snapshot(snapshotName="monthly"), monkeypatch)

    assert aws.read(SERVERLESS) == []


def test_a_strangers_snapshot_is_not_ours(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from snapbase.sandbox.aws import redshift_serverless

    real = redshift_serverless._shown
    monkeypatch.setattr(redshift_serverless, "_shown", lambda *words: {**real(*words), "ownerAccount": OUTSIDER})
    _serverless(aws)

    assert aws.read(SERVERLESS) == []


def test_the_key_of_a_namespace_guards_its_snapshots(aws: Aws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]
    _serverless(aws, kmsKeyId=key["KeyId"])

    resource = aws.one(SERVERLESS).resource

    assert (resource.key, resource.guards) == (key["Arn"], (key["Arn"],))


def test_a_key_that_aws_owns_is_none_of_ours(aws: Aws) -> None:
    _serverless(aws)

    resource = aws.one(SERVERLESS).resource

    assert (resource.encrypted, resource.key, resource.guards) == (True, None, ())
