"""Every service's events by class, subject and source, from records in AWS's own shapes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.audit.cloudtrail_records import (
    ACCOUNT,
    AMI,
    EC2,
    HOUSE,
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
)

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
        "AuthorizeSnapshotAccess",
        {"snapshotArn": HOUSE, "accountWithRestoreAccess": OTHER},
        None,
        "share",
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
    ("names", "setting"),
    [
        (("EnableSnapshotBlockPublicAccess", "DisableSnapshotBlockPublicAccess"), ""),
        (("EnableImageBlockPublicAccess", "DisableImageBlockPublicAccess"), "/image-block-public-access"),
        (("EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault"), "/encryption-by-default"),
        (("ModifyEbsDefaultKmsKeyId", "ResetEbsDefaultKmsKeyId"), "/default-key"),
    ],
)
def test_a_region_s_setting_is_named_as_its_collector_does_and_no_other(names: tuple[str, ...], setting: str) -> None:
    for name in names:
        event = parsed(record("ec2", name, {}))

        assert (event.action, event.subjects) == ("policy-change", (f"{EC2}{ACCOUNT}:region-settings{setting}",))


def test_of_the_snapshots_of_an_image_only_those_that_its_end_deleted_are_deleted() -> None:
    results = [
        {"snapshotId": f"snap-{code or 'untold'}", "returnCode": code}
        for code in ("success", "skipped", "missing-permissions", "internal-error", "")
    ]
    answer = {"_return": True, "deleteSnapshotResultSet": {"items": results}}
    asked = {"imageId": IMAGE, "deleteAssociatedSnapshots": True}

    found = parsed(record("ec2", "DeregisterImage", asked, answer))

    assert [each.rpartition("/")[2] for each in found.subjects] == [IMAGE, "snap-success"]
