"""Recovery points: what made them, where they are, and which snapshots they are other views of."""

from datetime import UTC, datetime
from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Resource
from snapbase.sandbox.aws import backup
from snapbase.sandbox.aws.wire import Call
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, HOSTILE, Aws

KIND = "aws.backup.recovery-point"
LISTED = "backup:ListRecoveryPointsByBackupVault"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"


@pytest.fixture
def aws(running: Aws) -> Aws:
    running.reset()
    running.client("backup").create_backup_vault(BackupVaultName="vault")
    return running


def _back_up(aws: Aws, source: str, vault: str = "vault") -> str:
    made = aws.client("backup").start_backup_job(BackupVaultName=vault, ResourceArn=source, IamRoleArn=ROLE)
    return str(made["RecoveryPointArn"])


def _volume(aws: Aws) -> str:
    volume = aws.client("ec2").create_volume(AvailabilityZone=f"{HOME}a", Size=8)["VolumeId"]
    return f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{volume}"


def _files(number: int = 0) -> str:
    return f"arn:aws:elasticfilesystem:{HOME}:{ACCOUNT}:file-system/fs-{number:08}"


def _point(**fields: Any) -> None:
    """As a plan leaves one, or a service that the sandbox does not back up."""
    call = Call(ACCOUNT, HOME, "backup", "StartBackupJob", b"", {})
    point = {"Status": "COMPLETED", "CreationDate": datetime(2026, 11, 1, tzinfo=UTC), "ResourceType": "EFS", **fields}
    backup._vault(call, "vault")["points"].append(point)


def _resources(aws: Aws) -> dict[str, Resource]:
    return {each.resource.address: each.resource for each in aws.read(KIND)}


def test_the_recovery_point_of_a_volume_is_its_ebs_snapshot(aws: Aws) -> None:
    arn = _back_up(aws, _volume(aws))

    [point] = _resources(aws).values()
    [snapshot] = aws.read("aws.ec2.snapshot")

    assert point.subject == snapshot.resource.uid == arn
    assert point.uid != snapshot.resource.uid
    assert snapshot.resource.origin == "aws-backup"


def test_the_recovery_point_of_a_database_is_its_rds_snapshot(aws: Aws) -> None:
    rds = aws.client("rds")
    login = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret", "Engine": "postgres"}
    rds.create_db_instance(DBInstanceIdentifier="db", DBInstanceClass="db.t3.small", AllocatedStorage=20, **login)
    rds.create_db_snapshot(DBInstanceIdentifier="db", DBSnapshotIdentifier="awsbackup-job-1")
    aws.mark_as_backup("awsbackup-job-1")
    [snapshot] = [each for each in aws.read("aws.rds.snapshot") if each.resource.origin == "aws-backup"]
    _point(RecoveryPointArn=snapshot.resource.address)

    assert _resources(aws)[snapshot.resource.address].subject == snapshot.resource.uid


def test_without_leave_to_list_databases_nothing_is_linked_and_nothing_lost(aws: Aws) -> None:
    arn = f"arn:aws:rds:{HOME}:{ACCOUNT}:snapshot:awsbackup-job-1"
    _point(RecoveryPointArn=arn)
    aws.break_(FaultKind.DENIED, "rds:*")

    assert _resources(aws)[arn].subject is None


def test_a_plan_is_an_origin_and_a_backup_on_demand_has_none(aws: Aws) -> None:
    by_hand = _back_up(aws, _files())
    by_plan = f"arn:aws:backup:{HOME}:{ACCOUNT}:recovery-point:planned"
    plan = {"BackupPlanId": "3f5c", "BackupRuleId": "daily"}
    _point(RecoveryPointArn=by_plan, CreatedBy=plan, ResourceName=HOSTILE, SourceBackupVaultArn="arn:aws:backup:else")

    seen = _resources(aws)

    assert (seen[by_hand].origin, seen[by_plan].origin) == (None, "backup-plan:3f5c")
    assert seen[by_plan].name == HOSTILE
    assert seen[by_plan].facts == {"plan_rule": "daily", "source_vault": "arn:aws:backup:else"}
    [vault] = aws.read("aws.backup.vault")
    assert seen[by_plan].guards == (vault.resource.uid,)


def test_one_that_is_still_being_made_is_not_counted(aws: Aws) -> None:
    _point(RecoveryPointArn="arn:aws:backup:x", Status="CREATING")

    assert aws.read(KIND) == []


def test_the_same_address_made_again_is_another_one(aws: Aws) -> None:
    arn = f"arn:aws:backup:{HOME}:{ACCOUNT}:recovery-point:continuous:again"
    _point(RecoveryPointArn=arn)
    before = _resources(aws)[arn]
    aws.client("backup").delete_recovery_point(BackupVaultName="vault", RecoveryPointArn=arn)
    _point(RecoveryPointArn=arn, CreationDate=datetime(2026, 11, 2, tzinfo=UTC))

    assert _resources(aws)[arn].uid != before.uid


def test_pages_of_every_vault_are_followed_to_the_end(aws: Aws) -> None:
    aws.client("backup").create_backup_vault(BackupVaultName="second")
    made = {_back_up(aws, _files(number)) for number in range(3)} | {_back_up(aws, _files(9), "second")}
    listed = aws.region().pages(
        "backup", "ListRecoveryPointsByBackupVault", "RecoveryPoints", BackupVaultName="vault", MaxResults=2
    )

    assert len(list(listed)) == 3
    assert set(_resources(aws)) == made


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
def test_a_vault_that_cannot_be_listed_leaves_the_list_incomplete(aws: Aws, fault: FaultKind) -> None:
    _back_up(aws, _files())
    aws.break_(fault, LISTED)

    with pytest.raises(CallFailed):
        aws.read(KIND)


def test_a_vault_deleted_since_it_was_listed_is_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    _back_up(aws, _files())
    aws.after(
        "ListBackupVaults", lambda: aws.client("backup").delete_backup_vault(BackupVaultName="vault"), monkeypatch
    )

    assert aws.read(KIND) == []
