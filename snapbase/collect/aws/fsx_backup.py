"""FSx backups. None can be shared by itself; AWS Backup can copy one to another account."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import key, listed
from snapbase.collect.aws.session import Region, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_ORIGINS = {"AUTOMATIC": "fsx-automatic", "AWS_BACKUP": "aws-backup"}


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every backup of the account."""
    for backup in listed(region, "fsx", "DescribeBackups", "Backups", MaxResults=100):
        if backup.get("Lifecycle") != "DELETED":
            yield Observation(_resource(region, backup))


def _resource(region: Region, backup: dict[str, Any]) -> Resource:
    file_system, volume = backup.get("FileSystem") or {}, backup.get("Volume") or {}
    labels = tags(backup.get("Tags"))
    key_arn, guards = key(region, backup.get("KmsKeyId"))
    return Resource(
        uid=backup["ResourceARN"],
        address=backup["ResourceARN"],
        name=labels.get("Name") or backup["BackupId"],
        created_at=backup.get("CreationTime"),
        owner=backup.get("OwnerId") or region.account,
        source=volume.get("VolumeId") or file_system.get("FileSystemId"),
        origin=_ORIGINS.get(str(backup.get("Type"))),
        encrypted=True if key_arn else None,
        key=key_arn,
        guards=guards,
        attributes={
            "type": backup.get("Type"),
            "resource_type": backup.get("ResourceType"),
            "file_system": file_system.get("FileSystemType"),
            "source_region": backup.get("SourceBackupRegion"),
        },
        facts={"copied_from": backup["SourceBackupId"]} if backup.get("SourceBackupId") else {},
        tags=labels,
    )


COLLECTOR = Collector(
    kind="aws.fsx.backup",
    title="FSx backups",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("fsx:DescribeBackups", "kms:DescribeKey"),
    calls="1 per 100",
    blind="Snapshots inside a file system; copies that AWS Backup makes in another account.",
    shares=False,
)
