"""DynamoDB backups on demand. None can be shared; exports of a table to a foreign bucket need no backup at all."""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from snapbase.collect.aws.plain import listed
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_ORIGINS = {"SYSTEM": "dynamodb-system", "AWS_BACKUP": "aws-backup"}
"""SYSTEM: taken by DynamoDB itself when a table with point-in-time recovery is deleted."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every backup that DynamoDB lists; by default it would list only those that users made."""
    for backup in listed(region, "dynamodb", "ListBackups", "BackupSummaries", BackupType="ALL", Limit=100):
        if backup.get("BackupStatus") != "DELETED":
            yield Observation(_resource(region, backup))


def _resource(region: Region, backup: dict[str, Any]) -> Resource:
    kind = str(backup.get("BackupType") or "")
    expires = backup.get("BackupExpiryDateTime")
    facts = {"table_id": backup.get("TableId"), "expires": expires.astimezone(UTC).isoformat() if expires else None}
    return Resource(
        # The ARN ends in a time and a random part; the name can come back.
        uid=backup["BackupArn"],
        address=backup["BackupArn"],
        name=backup.get("BackupName"),
        created_at=backup.get("BackupCreationDateTime"),
        owner=region.account,
        source=backup.get("TableArn") or backup.get("TableName"),
        origin=_ORIGINS.get(kind),
        # DynamoDB Developer Guide, "Encryption at rest": backups too, always.
        encrypted=True,
        attributes={"type": kind},
        facts={name: value for name, value in facts.items() if value},
    )


COLLECTOR = Collector(
    kind="aws.dynamodb.backup",
    title="DynamoDB backups",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("dynamodb:ListBackups",),
    calls="1 per 100",
    blind="Backups made by AWS Backup (its vaults show them), point-in-time exports, and which key encrypts a backup.",
    shares=False,
)
