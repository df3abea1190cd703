"""FSx backups in pages, as AWS lists them, on moto's own state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.fsx.models import fsx_backends

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.wire import Call


def handlers() -> dict[str, Handler]:
    """By operation name, as `fsx:DescribeBackups`."""
    return {"fsx:DescribeBackups": describe_backups}


def describe_backups(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    backend = fsx_backends[call.account][call.region]
    found = sorted(backend.backups.values(), key=lambda each: str(each.backup_id))
    some, following = page(found, {"MaxResults": 100, **parameters}, size="MaxResults", token="NextToken")
    return {"Backups": [_backup(backend, each) for each in some]} | ({"NextToken": following} if following else {})


def _backup(backend: Any, backup: Any) -> dict[str, Any]:
    """Moto names the file system only by id, and never ends the creation."""
    file_system = backend.file_systems[backup.file_system_id]
    key = getattr(file_system, "kms_key_id", None)
    return {
        "BackupId": backup.backup_id,
        "Lifecycle": "AVAILABLE",
        "Type": "USER_INITIATED",
        "CreationTime": datetime.fromtimestamp(backup.creation_time, UTC),
        "ResourceARN": backup.resource_arn,
        "Tags": backend.list_tags_for_resource(backup.resource_arn),
        "FileSystem": {"FileSystemId": file_system.file_system_id, "FileSystemType": file_system.file_system_type},
        "ResourceType": "FILE_SYSTEM",
        "OwnerId": backend.account_id,
        **({"KmsKeyId": key} if key else {}),
    }
