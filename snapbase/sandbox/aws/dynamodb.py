"""DynamoDB backups in pages and by type, as AWS lists them, on moto's own state."""

from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from snapbase.sandbox.aws.ec2 import Handler
from snapbase.sandbox.aws.wire import Call, Refusal


def handlers() -> dict[str, Handler]:
    """By operation name, as `dynamodb:ListBackups`."""
    return {"dynamodb:ListBackups": list_backups}


def list_backups(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    limit = int(parameters.get("Limit") or 100)
    if not 1 <= limit <= 100:
        raise Refusal("ValidationException", "Member must have value less than or equal to 100")
    backend = dynamodb_backends[call.account][call.region]
    wanted = parameters.get("BackupType", "USER")
    found = sorted(
        (each for each in backend.backups.values() if wanted in (each.type, "ALL")), key=lambda e: str(e.arn)
    )
    after = parameters.get("ExclusiveStartBackupArn", "")
    left = [each for each in found if str(each.arn) > after]
    last = {"LastEvaluatedBackupArn": left[limit - 1].arn} if len(left) > limit else {}
    return {"BackupSummaries": [each.summary for each in left[:limit]], **last}
