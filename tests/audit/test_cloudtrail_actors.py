"""Who did it, with what outcome, and to whom: from records in AWS's own shapes."""

import json
from typing import Any

import pytest

from snapbase.event import Action, ActorKind, Result
from snapbase.model import Principal, PrincipalKind
from tests.audit.cloudtrail_records import (
    ACCOUNT,
    IMAGE,
    KEY,
    OTHER,
    POINT,
    RDS,
    REGION,
    SNAP,
    SNAPSHOT,
    VAULT,
    parsed,
    record,
    service_event,
    session,
    share,
)

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{OTHER}:root", ACCOUNT]}, "Action": "*"},
            {"Effect": "Deny", "Principal": {"AWS": "555566667777"}, "Action": "*"},
        ],
    }
)


def account(number: str) -> Principal:
    return Principal(PrincipalKind.ACCOUNT, number)


@pytest.mark.parametrize(
    ("raw", "action", "targets"),
    [
        (share({"userId": OTHER}), Action.SHARE, {account(OTHER)}),
        (share({"group": "all"}), Action.SHARE, {Principal(PrincipalKind.PUBLIC, "all")}),
        (
            share({"group": "all"}, {"userId": OTHER}),
            Action.SHARE,
            {Principal(PrincipalKind.PUBLIC, "all"), account(OTHER)},
        ),
        (share({"userId": OTHER}, way="remove"), Action.UNSHARE, {account(OTHER)}),
        (share(), Action.MODIFY, set()),
        (
            record(
                "ec2",
                "ModifySnapshotAttribute",
                {"snapshotId": SNAPSHOT, "operationType": "remove", "userIds": {"items": [{"userId": OTHER}]}},
            ),
            Action.UNSHARE,
            {account(OTHER)},
        ),
        (
            record(
                "ec2",
                "ModifyImageAttribute",
                {
                    "imageId": IMAGE,
                    "attributeType": "launchPermission",
                    "launchPermission": {
                        "add": {"items": [{"organizationArn": "arn:aws:organizations::1:organization/o-1"}]}
                    },
                },
            ),
            Action.SHARE,
            {Principal(PrincipalKind.ORGANIZATION, "arn:aws:organizations::1:organization/o-1")},
        ),
        (
            record(
                "ec2",
                "ModifyImageAttribute",
                {
                    "imageId": IMAGE,
                    "operationType": "add",
                    "organizationArns": ["arn:aws:organizations::1:organization/o-1"],
                    "organizationalUnitArns": {
                        "items": [{"organizationalUnitArn": "arn:aws:organizations::1:ou/o-1/u"}]
                    },
                },
            ),
            Action.SHARE,
            {
                Principal(PrincipalKind.ORGANIZATION, "arn:aws:organizations::1:organization/o-1"),
                Principal(PrincipalKind.ORGANIZATIONAL_UNIT, "arn:aws:organizations::1:ou/o-1/u"),
            },
        ),
        (
            record("ec2", "ModifyImageAttribute", {"imageId": IMAGE, "description": {"value": "x"}}),
            Action.MODIFY,
            set(),
        ),
        (
            record(
                "rds",
                "ModifyDBSnapshotAttribute",
                {"dBSnapshotIdentifier": "n", "attributeName": "restore", "valuesToAdd": [OTHER, "all"]},
            ),
            Action.SHARE,
            {account(OTHER), Principal(PrincipalKind.PUBLIC, "all")},
        ),
        (
            record(
                "rds",
                "ModifyDBClusterSnapshotAttribute",
                {"dBClusterSnapshotIdentifier": "n", "attributeName": "restore", "valuesToRemove": [OTHER]},
            ),
            Action.UNSHARE,
            {account(OTHER)},
        ),
        (
            record(
                "rds",
                "ModifyDBSnapshotAttribute",
                {"dBSnapshotIdentifier": "n", "attributeName": "other", "valuesToAdd": [OTHER]},
            ),
            Action.MODIFY,
            set(),
        ),
        (
            record(
                "redshift", "AuthorizeSnapshotAccess", {"snapshotIdentifier": "n", "accountWithRestoreAccess": OTHER}
            ),
            Action.SHARE,
            {account(OTHER)},
        ),
        (
            record("redshift-serverless", "PutResourcePolicy", {"resourceArn": "arn:aws:x", "policy": POLICY}),
            Action.POLICY,
            {account(OTHER)},
        ),
        (
            record("backup", "PutBackupVaultAccessPolicy", {"backupVaultName": "v", "policy": POLICY}),
            Action.POLICY,
            {account(OTHER)},
        ),
        (record("backup", "DeleteBackupVaultAccessPolicy", {"backupVaultName": "v"}), Action.UNSHARE, set()),
        (
            record(
                "backup",
                "StartCopyJob",
                {
                    "recoveryPointArn": POINT,
                    "destinationBackupVaultArn": f"arn:aws:backup:{REGION}:{OTHER}:backup-vault:x",
                },
            ),
            Action.COPY,
            {account(OTHER)},
        ),
        (record("kms", "PutKeyPolicy", {"keyId": KEY, "policy": POLICY}), Action.POLICY, {account(OTHER)}),
        (
            record("kms", "CreateGrant", {"keyId": KEY, "granteePrincipal": f"arn:aws:iam::{OTHER}:root"}),
            Action.SHARE,
            {account(OTHER)},
        ),
        (
            record(
                "dlm",
                "UpdateLifecyclePolicy",
                {"policyId": "p", "policyDetails": {"schedules": [{"shareRules": [{"targetAccounts": [OTHER]}]}]}},
            ),
            Action.POLICY,
            {account(OTHER)},
        ),
        (
            record("ram", "CreateResourceShare", {"principals": [OTHER], "resourceArns": [VAULT]}),
            Action.SHARE,
            {account(OTHER)},
        ),
        (
            record("rds", "StartExportTask", {"sourceArn": f"{RDS}:snapshot:n", "s3BucketName": "b"}),
            Action.EXPORT,
            {Principal(PrincipalKind.OTHER, "s3://b")},
        ),
    ],
)
def test_to_whom(raw: dict[str, Any], action: str, targets: set[Principal]) -> None:
    event = parsed(raw)

    assert (event.action, set(event.targets)) == (action, targets)


def test_a_database_export_is_named_as_it_is_collected() -> None:
    source = f"{RDS}:snapshot:n"
    asked = {"sourceArn": source, "s3BucketName": "b", "exportTaskIdentifier": "quarter"}

    assert parsed(record("rds", "StartExportTask", asked)).made == f"{source}/exports/quarter"


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (share({"userId": OTHER}), Result.SUCCEEDED),
        (
            share({"userId": OTHER}, errorCode="Client.DryRunOperation", errorMessage="would have succeeded"),
            Result.DRY_RUN,
        ),
        (share({"userId": OTHER}, errorCode="Client.UnauthorizedOperation"), Result.DENIED),
        (share({"userId": OTHER}, errorCode="AccessDenied"), Result.DENIED),
        (share({"userId": OTHER}, errorCode="Client.InvalidSnapshot.NotFound"), Result.FAILED),
        (share({"userId": OTHER}, errorMessage="something"), Result.FAILED),
        (share({"userId": OTHER}, errorCode=17), Result.FAILED),
        ({**share({"userId": OTHER}), "responseElements": {"_return": False}}, Result.FAILED),
        (record("backup", "StartRestoreJob", {"recoveryPointArn": POINT}), Result.STARTED),
        (
            service_event("backup", "RestoreCompleted", {"recoveryPointArn": POINT, "state": "COMPLETED"}),
            Result.SUCCEEDED,
        ),
        (
            service_event("backup", "CopyJobCompleted", {"sourceRecoveryPointArn": POINT, "state": "FAILED"}),
            Result.FAILED,
        ),
        (
            service_event("backup", "CopyJobCompleted", {"sourceRecoveryPointArn": POINT, "state": "PARTIAL"}),
            Result.SUCCEEDED,
        ),
    ],
)
def test_outcomes(raw: dict[str, Any], result: str) -> None:
    assert parsed(raw).result == result


@pytest.mark.parametrize("name", ["rds.eu-west-1.amazonaws.com", "rds.cn-north-1.amazonaws.com.cn"])
def test_a_grant_to_a_service_is_to_no_stranger(name: str) -> None:
    event = parsed(record("kms", "CreateGrant", {"keyId": KEY, "granteePrincipal": name}))

    assert event.targets == (Principal(PrincipalKind.SERVICE, name),)


@pytest.mark.parametrize(
    ("identity", "kind", "via"),
    [
        (session("admin"), ActorKind.ROLE, ""),
        (session("admin", invokedBy="cloudformation.amazonaws.com"), ActorKind.ROLE, "cloudformation.amazonaws.com"),
        (
            session("service-role/AWSBackupDefaultServiceRole", invokedBy="backup.amazonaws.com"),
            ActorKind.SERVICE,
            "backup.amazonaws.com",
        ),
        (
            session("AWSDataLifecycleManagerDefaultRole", invokedBy="dlm.amazonaws.com"),
            ActorKind.SERVICE,
            "dlm.amazonaws.com",
        ),
        (
            session(
                "aws-service-role/malware-protection.guardduty.amazonaws.com/AWSServiceRoleForAmazonGuardDutyMalwareProtection"
            ),
            ActorKind.SERVICE,
            "",
        ),
        (
            session("aws-service-role/agentless.inspector2.amazonaws.com/AWSServiceRoleForAmazonInspector2Agentless"),
            ActorKind.SERVICE,
            "",
        ),
        (session("AWSServiceRoleForAmazonGuardDutyMalwareProtection"), ActorKind.ROLE, ""),
        ({"type": "AWSService", "invokedBy": "backup.amazonaws.com"}, ActorKind.SERVICE, "backup.amazonaws.com"),
        ({"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/m", "accountId": ACCOUNT}, ActorKind.HUMAN, ""),
        ({"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}, ActorKind.HUMAN, ""),
        ({"type": "AWSAccount", "accountId": OTHER}, ActorKind.FOREIGN, ""),
        ({"type": "AssumedRole", "accountId": OTHER, "arn": "x"}, ActorKind.FOREIGN, ""),
        (None, ActorKind.UNKNOWN, ""),
    ],
)
def test_actors(identity: Any, kind: str, via: str) -> None:
    actor = parsed(share({"userId": OTHER}, userIdentity=identity)).actor

    assert (actor.kind, actor.via) == (kind, via)


def test_a_role_session_is_its_role_across_sessions() -> None:
    first, second = (parsed(share({"group": "all"}, userIdentity=session("ops", name))).actor for name in ("a", "b"))

    assert first.id != second.id
    assert first.principal == second.principal == f"arn:aws:iam::{ACCOUNT}:role/ops"


@pytest.mark.parametrize(
    ("name", "action"), [("SharedSnapshotCopyInitiated", "copy"), ("SharedSnapshotVolumeCreated", "restore")]
)
def test_use_by_another_account_is_told_from_ones_own(name: str, action: str) -> None:
    theirs = parsed(service_event("ec2", name, {"snapshotId": SNAPSHOT}, actor=OTHER))
    ours = parsed(service_event("ec2", name, {"snapshotId": SNAPSHOT}))

    assert (theirs.action, theirs.subjects, theirs.actor.account) == (action, (SNAP,), OTHER)
    assert theirs.actor.kind == ActorKind.FOREIGN
    assert ours.actor.kind != ActorKind.FOREIGN
    assert ours.targets == theirs.targets == ()
