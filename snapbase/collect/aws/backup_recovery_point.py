"""AWS Backup recovery points: what each vault holds, what made it, and which snapshot it is another view of."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from snapbase.collect.aws.backup_vault import vault_uid, vaults
from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_RDS = {
    "snapshot": ("DescribeDBSnapshots", "DBSnapshots", "DBSnapshotArn", ("awsbackup",)),
    "cluster-snapshot": ("DescribeDBClusterSnapshots", "DBClusterSnapshots", "DBClusterSnapshotArn", ("", "awsbackup")),
}
"""By the resource type in the ARN: how to list them, and of which types; Aurora's are not of the type `awsbackup`."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every recovery point of every vault that has been made completely."""
    for vault in vaults(region):
        try:
            for point in _points(region, vault):
                yield Observation(_resource(region, vault, point))
        except CallFailed as error:
            if not vanished(error):
                raise


def _points(region: Region, vault: dict[str, Any]) -> Iterator[dict[str, Any]]:
    name = vault["BackupVaultName"]
    listed = region.pages(
        "backup", "ListRecoveryPointsByBackupVault", "RecoveryPoints", BackupVaultName=name, MaxResults=1000
    )
    # Until then its size and members move.
    return (each for each in listed if each.get("Status") != "CREATING")


def _resource(region: Region, vault: dict[str, Any], point: dict[str, Any]) -> Resource:
    arn = str(point["RecoveryPointArn"])
    home = vault_uid(vault)
    # A copy keeps its source's creation date (AWS Backup Developer Guide), so this does not move.
    made = _text(point.get("CreationDate"))
    facts = {
        "source_vault": point.get("SourceBackupVaultArn"),
        "parent": point.get("ParentRecoveryPointArn"),
        "plan_rule": (point.get("CreatedBy") or {}).get("BackupRuleId"),
        "kept_until": _text((point.get("CalculatedLifecycle") or {}).get("DeleteAt")),
    }
    lifecycle = point.get("Lifecycle") or {}
    return Resource(
        uid=f"{vault['BackupVaultArn']}/{arn}@{made}",
        address=arn,
        name=point.get("ResourceName"),
        created_at=point.get("CreationDate"),
        owner=region.account,
        source=point.get("ResourceArn"),
        origin=_origin(point),
        encrypted=point.get("IsEncrypted"),
        key=point.get("EncryptionKeyArn"),
        guards=(home,),
        attributes={
            "vault": vault["BackupVaultName"],
            "vault_type": vault.get("VaultType"),
            "resource_type": point.get("ResourceType"),
            "kept_days": lifecycle.get("DeleteAfterDays"),
            "cold_after_days": lifecycle.get("MoveToColdStorageAfterDays"),
        },
        facts={name: value for name, value in facts.items() if value},
        subject=_subject(region, arn),
    )


def _origin(point: dict[str, Any]) -> str | None:
    """The plan that made it, which AWS Backup itself fills in; a backup on demand has none."""
    plan = (point.get("CreatedBy") or {}).get("BackupPlanId")
    return f"backup-plan:{plan}" if plan else None


def _subject(region: Region, arn: str) -> str | None:
    """The uid of the EBS snapshot, image or RDS snapshot that the recovery point is; None where it is itself alone."""
    parts = arn.split(":", 6)
    if parts[2:3] == ["ec2"]:
        return arn
    if parts[2:3] == ["rds"] and len(parts) == 7 and parts[5] in _RDS:
        return region.runtime.once(
            ("aws-rds-uids", region.account, region.region, parts[5]), lambda: _rds_uids(region, parts[5])
        ).get(arn)
    return None


def _rds_uids(region: Region, kind: str) -> dict[str, str]:
    """Uid by ARN of the snapshots that AWS Backup made; empty where they may not be listed, and nothing is linked."""
    operation, items, field, types = _RDS[kind]
    made: dict[str, Any] = {}
    try:
        for each in types:
            narrowing = {"SnapshotType": each} if each else {}
            for snapshot in region.pages("rds", operation, items, MaxRecords=100, **narrowing):
                made[str(snapshot[field])] = snapshot.get("SnapshotCreateTime")
    except CallFailed:
        return {}
    return {arn: f"{arn}@{_text(at)}" for arn, at in made.items() if at}


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


COLLECTOR = Collector(
    kind="aws.backup.recovery-point",
    title="recovery points",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=(
        "backup:ListBackupVaults",
        "backup:ListRecoveryPointsByBackupVault",
        "rds:DescribeDBSnapshots",
        "rds:DescribeDBClusterSnapshots",
    ),
    calls="1 per 1,000 vaults + 1 per 1,000 recovery points of each",
    blind="Who may restore them, which their vault decides (aws.backup.vault); S3 access points; restores.",
    shares=False,
)
