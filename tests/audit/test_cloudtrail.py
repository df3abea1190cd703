"""Every service's events by class, subject, target, actor and outcome, from records in AWS's own shapes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.cloudtrail_names import NAMES
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind
from tests.audit.cloudtrail_records import (
    ACCOUNT,
    IMAGE,
    KEY,
    OTHER,
    REGION,
    SNAPSHOT,
    record,
    service_event,
    session,
    share,
)

EC2 = f"arn:aws:ec2:{REGION}:"
SNAP, AMI = f"{EC2}:snapshot/{SNAPSHOT}", f"{EC2}:image/{IMAGE}"
RDS = f"arn:aws:rds:{REGION}:{ACCOUNT}"
HOUSE = f"arn:aws:redshift:{REGION}:{ACCOUNT}:snapshot:house/night"
VAULT = f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:daily"
POINT = f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:0a1b"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{OTHER}:root", ACCOUNT]}, "Action": "*"},
            {"Effect": "Deny", "Principal": {"AWS": "555566667777"}, "Action": "*"},
        ],
    }
)


def parsed(raw: dict[str, Any]) -> Event:
    assert AUDIT_LOG.recognise(raw)
    event = AUDIT_LOG.parse(raw)
    assert isinstance(event, Event), event
    return event


def account(number: str) -> Principal:
    return Principal(PrincipalKind.ACCOUNT, number)


CASES = [
    # service, name, request, response, action, one subject, made, source
    ("ec2", "CreateSnapshot", {"volumeId": "vol-1"}, {"snapshotId": SNAPSHOT}, "create", SNAP, SNAP, "vol-1"),
    (
        "ec2",
        "CreateSnapshots",
        {"CreateSnapshotsRequest": {"InstanceSpecification": {"InstanceId": "i-1"}}},
        {"CreateSnapshotsResponse": {"snapshotSet": {"item": [{"snapshotId": SNAPSHOT}]}}},
        "create",
        SNAP,
        "",
        "i-1",
    ),
    ("ec2", "CreateImage", {"instanceId": "i-1"}, {"imageId": IMAGE}, "create", AMI, AMI, "i-1"),
    (
        "ec2",
        "RegisterImage",
        {"blockDeviceMapping": {"items": [{"ebs": {"snapshotId": SNAPSHOT}}]}},
        {"imageId": IMAGE},
        "create",
        AMI,
        AMI,
        SNAP,
    ),
    (
        "ec2",
        "CopySnapshot",
        {"sourceRegion": "us-west-2", "sourceSnapshotId": "snap-9"},
        {"snapshotId": SNAPSHOT},
        "copy",
        SNAP,
        SNAP,
        "arn:aws:ec2:us-west-2::snapshot/snap-9",
    ),
    ("ec2", "ResetSnapshotAttribute", {"snapshotId": SNAPSHOT}, None, "unshare", SNAP, "", ""),
    ("ec2", "CreateVolume", {"snapshotId": SNAPSHOT}, {"volumeId": "vol-2"}, "restore", SNAP, "vol-2", SNAP),
    ("ec2", "AttachVolume", {"volumeId": "vol-2", "instanceId": "i-1"}, None, "mount", "vol-2", "", "vol-2"),
    (
        "ec2",
        "RunInstances",
        {"blockDeviceMapping": {"items": [{"ebs": {"snapshotId": SNAPSHOT}}]}},
        {"instancesSet": {"items": [{"instanceId": "i-7"}]}},
        "restore",
        SNAP,
        "i-7",
        SNAP,
    ),
    ("ec2", "DeleteSnapshot", {"snapshotId": SNAPSHOT}, {"_return": True}, "delete", SNAP, "", ""),
    ("ec2", "DeregisterImage", {"imageId": IMAGE}, {"_return": True}, "delete", AMI, "", ""),
    ("ec2", "RestoreSnapshotFromRecycleBin", {"snapshotId": SNAPSHOT}, None, "recycle", SNAP, "", ""),
    ("ec2", "UnlockSnapshot", {"snapshotId": SNAPSHOT}, None, "inhibit", f"{SNAP}/lock", "", ""),
    (
        "ec2",
        "LockSnapshot",
        {"LockSnapshotRequest": {"SnapshotId": SNAPSHOT, "LockMode": "governance"}},
        None,
        "policy-change",
        f"{SNAP}/lock",
        f"{SNAP}/lock",
        "",
    ),
    (
        "ec2",
        "EnableFastSnapshotRestores",
        {"EnableFastSnapshotRestoresRequest": {"SourceSnapshotId": {"content": SNAPSHOT, "tag": 1}}},
        None,
        "modify",
        SNAP,
        f"{SNAP}/fast-restore/{ACCOUNT}",
        "",
    ),
    ("ec2", "DisableImageBlockPublicAccess", {}, None, "policy-change", f"{EC2}{ACCOUNT}:region-settings", "", ""),
    ("ec2", "CreateStoreImageTask", {"imageId": IMAGE, "bucket": "b"}, None, "export", AMI, f"{AMI}/exports", ""),
    ("ebs", "StartSnapshot", {"volumeSize": 8}, {"snapshotId": SNAPSHOT}, "create", SNAP, SNAP, ""),
    ("ebs", "GetSnapshotBlock", {"snapshotId": SNAPSHOT, "blockIndex": 1}, None, "read-blocks", SNAP, "", ""),
    (
        "ebs",
        "ListChangedBlocks",
        {"firstSnapshotId": "snap-8", "secondSnapshotId": SNAPSHOT},
        None,
        "read-blocks",
        SNAP,
        "",
        "",
    ),
    (
        "rds",
        "CreateDBSnapshot",
        {"dBSnapshotIdentifier": "Night", "dBInstanceIdentifier": "orders"},
        {"dBSnapshotArn": f"{RDS}:snapshot:night"},
        "create",
        f"{RDS}:snapshot:night",
        f"{RDS}:snapshot:night",
        "orders",
    ),
    (
        "rds",
        "CopyDBClusterSnapshot",
        {"sourceDBClusterSnapshotIdentifier": "a", "targetDBClusterSnapshotIdentifier": "B"},
        None,
        "copy",
        f"{RDS}:cluster-snapshot:a",
        f"{RDS}:cluster-snapshot:b",
        f"{RDS}:cluster-snapshot:a",
    ),
    (
        "rds",
        "RestoreDBInstanceFromDBSnapshot",
        {"dBSnapshotIdentifier": "night", "dBInstanceIdentifier": "copy", "publiclyAccessible": True},
        None,
        "restore",
        f"{RDS}:snapshot:night",
        "copy",
        f"{RDS}:snapshot:night",
    ),
    (
        "rds",
        "RestoreDBClusterFromSnapshot",
        {"snapshotIdentifier": "night", "dBClusterIdentifier": "copy"},
        None,
        "restore",
        f"{RDS}:cluster-snapshot:night",
        "copy",
        f"{RDS}:snapshot:night",
    ),
    ("rds", "DeleteDBSnapshot", {"dBSnapshotIdentifier": "NIGHT"}, None, "delete", f"{RDS}:snapshot:night", "", ""),
    (
        "rds",
        "DeleteDBInstance",
        {"dBInstanceIdentifier": "o", "skipFinalSnapshot": True},
        None,
        "inhibit",
        "o",
        "",
        "o",
    ),
    (
        "rds",
        "ModifyDBInstance",
        {"dBInstanceIdentifier": "o", "backupRetentionPeriod": 0},
        None,
        "inhibit",
        "o",
        "",
        "",
    ),
    (
        "rds",
        "ModifyDBInstance",
        {"dBInstanceIdentifier": "o", "backupRetentionPeriod": 7},
        None,
        "policy-change",
        "o",
        "",
        "",
    ),
    (
        "backup",
        "DeleteRecoveryPoint",
        {"recoveryPointArn": POINT, "backupVaultName": "daily"},
        None,
        "delete",
        POINT,
        "",
        VAULT,
    ),
    ("backup", "StartRestoreJob", {"recoveryPointArn": POINT}, {"restoreJobId": "j"}, "restore", POINT, "", POINT),
    ("backup", "DeleteBackupVaultLockConfiguration", {"backupVaultName": "daily"}, None, "inhibit", VAULT, "", ""),
    ("backup", "DeleteBackupVault", {"backupVaultName": "daily"}, None, "inhibit", VAULT, "", ""),
    (
        "dlm",
        "DeleteLifecyclePolicy",
        {"policyId": "policy-1"},
        None,
        "inhibit",
        f"arn:aws:dlm:{REGION}:{ACCOUNT}:policy/policy-1",
        "",
        "",
    ),
    (
        "dlm",
        "UpdateLifecyclePolicy",
        {"policyId": "policy-1", "state": "DISABLED"},
        None,
        "inhibit",
        f"arn:aws:dlm:{REGION}:{ACCOUNT}:policy/policy-1",
        "",
        "",
    ),
    ("rbin", "DeleteRule", {"identifier": "r1"}, None, "inhibit", f"arn:aws:rbin:{REGION}:{ACCOUNT}:rule/r1", "", ""),
    ("kms", "ScheduleKeyDeletion", {"keyId": KEY}, None, "inhibit", KEY, "", ""),
    (
        "redshift",
        "CreateClusterSnapshot",
        {"snapshotIdentifier": "night", "clusterIdentifier": "house"},
        None,
        "create",
        HOUSE,
        HOUSE,
        "house",
    ),
    (
        "redshift",
        "DeleteClusterSnapshot",
        {"snapshotIdentifier": "night", "snapshotClusterIdentifier": "house"},
        None,
        "delete",
        HOUSE,
        "",
        "",
    ),
    (
        "redshift",
        "ModifyCluster",
        {"clusterIdentifier": "house", "automatedSnapshotRetentionPeriod": 0},
        None,
        "inhibit",
        "house",
        "",
        "",
    ),
    (
        "fsx",
        "DeleteBackup",
        {"backupId": "backup-1"},
        None,
        "delete",
        f"arn:aws:fsx:{REGION}:{ACCOUNT}:backup/backup-1",
        "",
        "",
    ),
    (
        "dynamodb",
        "CreateBackup",
        {"tableName": "carts"},
        {"backupDetails": {"backupArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/carts/backup/1"}},
        "create",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/carts/backup/1",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/carts/backup/1",
        "carts",
    ),
    (
        "elasticache",
        "DeleteSnapshot",
        {"snapshotName": "s"},
        None,
        "delete",
        f"arn:aws:elasticache:{REGION}:{ACCOUNT}:snapshot:s",
        "",
        "",
    ),
    (
        "elasticache",
        "CopySnapshot",
        {"sourceSnapshotName": "s", "targetSnapshotName": "t", "targetBucket": "b"},
        None,
        "export",
        f"arn:aws:elasticache:{REGION}:{ACCOUNT}:snapshot:s",
        f"arn:aws:elasticache:{REGION}:{ACCOUNT}:snapshot:t",
        f"arn:aws:elasticache:{REGION}:{ACCOUNT}:snapshot:s",
    ),
    (
        "memorydb",
        "CreateSnapshot",
        {"snapshotName": "s", "clusterName": "scores"},
        None,
        "create",
        f"arn:aws:memorydb:{REGION}:{ACCOUNT}:snapshot/s",
        f"arn:aws:memorydb:{REGION}:{ACCOUNT}:snapshot/s",
        "scores",
    ),
    (
        "lightsail",
        "DeleteDiskSnapshot",
        {"diskSnapshotName": "d"},
        None,
        "delete",
        f"arn:aws:lightsail:{REGION}:{ACCOUNT}:DiskSnapshot/d",
        "",
        "",
    ),
    (
        "organizations",
        "RemoveAccountFromOrganization",
        {"accountId": OTHER},
        None,
        "policy-change",
        f"arn:aws:organizations::{ACCOUNT}:account/{OTHER}",
        "",
        "",
    ),
]


@pytest.mark.parametrize(("service", "name", "request_", "response", "action", "subject", "made", "source"), CASES)
def test_each_service_is_read(
    service: str, name: str, request_: Any, response: Any, action: str, subject: str, made: str, source: str
) -> None:
    event = parsed(record(service, name, request_, response))

    assert (event.name, event.action, event.made, event.source) == (f"{service}:{name}", action, made, source)
    assert subject in event.subjects
    assert event.at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert (event.account, event.region, event.source_ip) == (ACCOUNT, REGION, "203.0.113.9")


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
    ],
)
def test_outcomes(raw: dict[str, Any], result: str) -> None:
    assert parsed(raw).result == result


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


def test_a_completed_job_names_what_it_made_and_its_start() -> None:
    start = parsed(record("backup", "StartRestoreJob", {"recoveryPointArn": POINT}, {"restoreJobId": "job-1"}))
    details = {
        "restoreJobId": "job-1",
        "recoveryPointArn": POINT,
        "createdResourceArn": "arn:aws:x",
        "state": "COMPLETED",
    }
    end = parsed(service_event("backup", "RestoreCompleted", details))

    assert "restoreJobId=job-1" in start.detail
    assert "restoreJobId=job-1" in end.detail
    assert (end.action, end.made, end.source) == (Action.RESTORE, "arn:aws:x", POINT)


@pytest.mark.parametrize(
    ("service", "name", "request_", "ids"),
    [
        ("ec2", "DescribeSnapshots", {"snapshotSet": {}, "ownersSet": {"items": [{"owner": "self"}]}}, 0),
        ("ec2", "DescribeSnapshots", {"snapshotSet": {"items": [{"snapshotId": SNAPSHOT}]}}, 1),
        ("ec2", "DescribeSnapshots", None, 0),
        ("ec2", "DescribeSnapshotAttribute", {"snapshotId": SNAPSHOT}, 1),
        ("ec2", "DescribeImages", {"imagesSet": {"items": [{"imageId": IMAGE}, {"imageId": "ami-2"}]}}, 2),
        ("ec2", "GetSnapshotBlockPublicAccessState", {}, 1),
        ("rds", "DescribeDBSnapshots", {"includePublic": True}, 0),
        ("rds", "DescribeDBSnapshots", {"dBSnapshotIdentifier": "n"}, 1),
        ("redshift", "DescribeClusterSnapshots", {}, 0),
        ("lightsail", "GetDiskSnapshots", {}, 0),
    ],
)
def test_listings_count_what_they_ask_for(service: str, name: str, request_: Any, ids: int) -> None:
    event = parsed(record(service, name, request_, readOnly=True))

    assert (event.action, event.ids) == (Action.ENUMERATE, ids)


@pytest.mark.parametrize(
    "raw",
    [
        record("ec2", "RunInstances", {"instancesSet": {"items": [{"imageId": IMAGE}]}}),
        record("ec2", "CreateVolume", {"size": "8"}),
        record("ec2", "DescribeInstances", {}),
        record("cloudtrail", "StopLogging", {}),
        record("rds", "ModifyDBInstance", {"dBInstanceIdentifier": "o", "dBInstanceClass": "x"}),
        record("kms", "CreateGrant", {"keyId": KEY, "granteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/x"}),
        record("ram", "CreateResourceShare", {"principals": [OTHER], "resourceArns": ["arn:aws:ec2-x:r:a:subnet/s"]}),
        record("elasticache", "CreateCacheCluster", {"cacheClusterId": "c"}),
    ],
)
def test_what_does_not_concern_us_is_passed_over(raw: dict[str, Any]) -> None:
    assert AUDIT_LOG.recognise(raw)
    assert AUDIT_LOG.parse(raw) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": 1700000000}, "eventTime"),
        ({"eventTime": "0001-01-01T00:00:00+23:59"}, "eventTime"),
        ({"recipientAccountId": "someone", "userIdentity": {}}, "account"),
        ({"recipientAccountId": ["1"], "userIdentity": "x"}, "account"),
        ({"awsRegion": None}, "awsRegion"),
        ({"eventName": ["DeleteSnapshot"]}, "eventName"),
        ({"eventSource": {}}, "eventSource"),
    ],
)
def test_what_is_broken_is_named(change: dict[str, Any], why: str) -> None:
    read = AUDIT_LOG.parse({**share({"group": "all"}), **change})

    assert isinstance(read, Broken)
    assert why in read.why


def test_addresses_follow_the_partition_and_hostile_names_stay_values() -> None:
    china = parsed(share({"userId": OTHER}, awsRegion="cn-north-1"))
    hostile = parsed(record("rds", "DeleteDBSnapshot", {"dBSnapshotIdentifier": "a:b/c\n' OR 1=1"}))

    assert china.subjects == (f"arn:aws-cn:ec2:cn-north-1::snapshot/{SNAPSHOT}",)
    assert hostile.subjects == (f"{RDS}:snapshot:a:b/c\n' or 1=1",)


def test_a_tag_cannot_name_a_snapshot() -> None:
    tags = {"tagSpecificationSet": {"items": [{"tags": [{"key": "snapshotId", "value": "snap-victim"}]}]}}

    event = parsed(record("ec2", "CreateSnapshot", {"volumeId": "vol-1", **tags}, {"snapshotId": SNAPSHOT}))

    assert event.subjects == (SNAP,)


def test_a_record_without_an_id_has_the_same_one_every_time() -> None:
    raw = share({"group": "all"})
    del raw["eventID"]

    assert parsed(raw).id == parsed(dict(raw)).id
    assert parsed(raw).id != parsed({**raw, "eventTime": "2026-03-04T05:06:08Z"}).id


def test_folding_tells_each_event_once_and_reads_of_blocks_by_the_hour() -> None:
    shares = [parsed(share({"group": "all"}, eventID=each)) for each in ("a", "b", "a")]
    blocks = [
        parsed(
            record(
                "ebs",
                "GetSnapshotBlock",
                {"snapshotId": SNAPSHOT},
                eventID=f"b{n}",
                eventTime=f"2026-03-04T0{5 + n // 3}:0{n}:00Z",
            )
        )
        for n in range(6)
    ]

    assert [each.id for each in AUDIT_LOG.fold(shares)] == ["a", "b"]
    first, again = list(AUDIT_LOG.fold(blocks)), list(AUDIT_LOG.fold(blocks[1:]))
    assert len(first) == 2
    assert {each.id for each in again} == {each.id for each in first}


def test_the_log_is_found_and_its_table_is_whole() -> None:
    assert AUDIT_LOG in audit_logs()
    told = {name for each in AUDIT_LOG.behaviours for name in each.names}
    known = {f"{source.partition('.')[0]}:{name}" for source, rows in NAMES.items() for name in rows}

    assert told == known
    assert {each.action for each in AUDIT_LOG.behaviours} == set(Action)
