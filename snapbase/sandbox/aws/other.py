"""What moto answers differently from AWS in RDS, KMS, Organizations and STS, on moto's own state."""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.kms.models import kms_backends
from moto.organizations.models import organizations_backends
from moto.rds.models import rds_backends
from moto.sts.models import sts_backends

from snapbase.sandbox.aws.accounts import account_number
from snapbase.sandbox.aws.ec2 import Handler, is_aws_managed, managed_by_aws, page
from snapbase.sandbox.aws.wire import Call, Refusal


def handlers() -> dict[str, Handler]:
    """By operation name, as `sts:AssumeRole`."""
    return {
        "rds:DescribeDBSnapshots": describe_db_snapshots,
        "rds:DescribeDBClusterSnapshots": describe_db_cluster_snapshots,
        "rds:DescribeExportTasks": describe_export_tasks,
        "rds:ModifyDBSnapshotAttribute": refuse_impossible_share,
        "rds:ModifyDBClusterSnapshotAttribute": refuse_impossible_share,
        "kms:DescribeKey": mark_aws_managed_keys,
        "kms:ListKeys": list_keys,
        "organizations:CreateAccount": create_account,
        "organizations:ListAccounts": list_accounts,
        "sts:AssumeRole": assume_role,
    }


def describe_db_snapshots(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = rds_backends[call.account][call.region].describe_db_snapshots(
        parameters.get("DBInstanceIdentifier"), parameters.get("DBSnapshotIdentifier"), **_narrowing(parameters)
    )
    return _records(found, "DBSnapshots", parameters)


def describe_db_cluster_snapshots(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = rds_backends[call.account][call.region].describe_db_cluster_snapshots(
        parameters.get("DBClusterIdentifier"), parameters.get("DBClusterSnapshotIdentifier"), **_narrowing(parameters)
    )
    return _records(found, "DBClusterSnapshots", parameters)


def describe_export_tasks(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = rds_backends[call.account][call.region].describe_export_tasks(parameters.get("ExportTaskIdentifier"))
    tasks = sorted((_export_task(each) for each in found), key=lambda each: str(each["ExportTaskIdentifier"]))
    return _paged(tasks, "ExportTasks", parameters)


def _export_task(task: Any) -> dict[str, Any]:
    """With the times, and the words that AWS uses (API reference, ExportTask); a task is done as it begins."""
    is_snapshot = "snapshot" in task.source_arn.split(":")[5]
    return {
        "ExportTaskIdentifier": task.export_task_identifier,
        "SourceArn": task.source_arn,
        "SourceType": "SNAPSHOT" if is_snapshot else "CLUSTER",
        "SnapshotTime": task.snapshot.snapshot_create_time,
        "TaskStartTime": task.created_at,
        "TaskEndTime": task.created_at,
        "S3Bucket": task.s3_bucket,
        "S3Prefix": task.s3_prefix,
        "IamRoleArn": task.iam_role_arn,
        "KmsKeyId": task.kms_key_id,
        "ExportOnly": task.export_only,
        "Status": task.status.upper(),
        "PercentProgress": 100,
    }


def _narrowing(parameters: Mapping[str, Any]) -> dict[str, Any]:
    filters = {each["Name"]: each["Values"] for each in parameters.get("Filters") or []}
    return {"snapshot_type": parameters.get("SnapshotType"), "filters": filters}


def _records(found: Sequence[Any], name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return _paged(sorted(found, key=lambda each: str(each.arn)), name, parameters)


def _paged(ordered: Sequence[Any], name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = parameters.get("MaxRecords")
    if asked is not None and not 20 <= int(asked) <= 100:
        raise Refusal("InvalidParameterValue", f"Invalid value {asked} for MaxRecords. Must be between 20 and 100")
    some, following = page(ordered, {"MaxRecords": 100, **parameters}, size="MaxRecords", token="Marker")
    return {name: list(some), "Marker": following or None}


def refuse_impossible_share(call: Call, parameters: Mapping[str, Any]) -> None:
    """What ModifyDBSnapshotAttribute refuses, per its API reference; the rest is moto's."""
    backend = rds_backends[call.account][call.region]
    name = parameters.get("DBSnapshotIdentifier") or parameters.get("DBClusterSnapshotIdentifier")
    snapshot = {**backend.database_snapshots, **backend.cluster_snapshots}.get(name)
    wanted = parameters.get("ValuesToAdd")
    if snapshot is None or not wanted:
        return
    if snapshot.snapshot_type != "manual":
        raise Refusal("InvalidDBSnapshotState", "Only manual snapshots can be shared")
    if snapshot.storage_encrypted and "all" in wanted:
        raise Refusal("InvalidDBSnapshotState", "Encrypted snapshots cannot be made public")
    if snapshot.storage_encrypted and is_aws_managed(call, snapshot.kms_key_id):
        raise Refusal("InvalidDBSnapshotState", "Snapshots encrypted with the default key cannot be shared")


def mark_aws_managed_keys(call: Call, _: Mapping[str, Any]) -> None:
    """Moto says that customers manage the keys behind `alias/aws/...`."""
    backend = kms_backends[call.account][call.region]
    for key in backend.keys.values():
        if managed_by_aws(key):
            key.key_manager = "AWS"


def list_keys(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    keys = sorted(kms_backends[call.account][call.region].keys.values(), key=lambda each: str(each.id))
    some, following = page(keys, {"Limit": 100, **parameters}, size="Limit", token="Marker")
    listed = [{"KeyId": key.id, "KeyArn": key.arn} for key in some]
    return {"Keys": listed, "Truncated": bool(following)} | ({"NextMarker": following} if following else {})


def create_account(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    backend = organizations_backends[call.account]["aws"]
    status = backend.create_account(**parameters)["CreateAccountStatus"]
    account = backend.get_account_by_id(status["AccountId"])
    number = account_number(parameters["Email"])
    organizations_backends.master_accounts[number] = organizations_backends.master_accounts.pop(account.id)
    account.id = number
    return {"CreateAccountStatus": {**status, "AccountId": number}}


def list_accounts(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """With where each account hangs; moto knows no `Paths`, and gives all accounts at once."""
    backend = organizations_backends[call.account]["aws"]
    members = sorted(backend.accounts, key=lambda each: str(each.id))
    some, following = page(members, {"MaxResults": 20, **parameters}, size="MaxResults", token="NextToken")
    return {"Accounts": [_account(backend, each) for each in some], "NextToken": following}


def _account(backend: Any, account: Any) -> dict[str, Any]:
    """Without what is empty: not every answer has had `State`, which replaces `Status` (API reference, Account)."""
    units = {each.id: each for each in backend.ou}
    path, place = "", account.parent_id
    while place in units:
        path, place = f"{place}/{path}", units[place].parent_id
    described = {
        **account.describe(),
        "JoinedTimestamp": account.create_time,
        "State": account.state,
        "Status": account.status,
        "Paths": [f"{account.organization_id}/{path}"],
    }
    return {name: value for name, value in described.items() if value}


def assume_role(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Only into accounts of the caller's organisation; the trust policies themselves are not evaluated."""
    role = parameters["RoleArn"]
    backend = organizations_backends[call.account]["aws"]
    members = {account.id for account in backend.accounts} | {call.account}
    if role.split(":")[4] not in members:
        who = f"User: arn:aws:iam::{call.account}:user/sandbox"
        raise Refusal("AccessDenied", f"{who} is not authorized to perform: sts:AssumeRole on resource: {role}")
    seconds = getattr(sts_backends[call.account]["aws"], "session_seconds", None)
    return None if seconds is None else _brief_session(call, parameters, seconds)


def shorten_sessions(account: str, seconds: float) -> None:
    """Roles that `account` assumes from now on end after so long; AWS allows no less than 15 minutes."""
    sts_backends[account]["aws"].session_seconds = seconds


def _brief_session(call: Call, parameters: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    role = sts_backends[call.account]["aws"].assume_role(
        region_name=call.region,
        role_session_name=parameters["RoleSessionName"],
        role_arn=parameters["RoleArn"],
        policy=None,
        duration=seconds,
        external_id=parameters.get("ExternalId"),
    )
    return {"Credentials": role, "AssumedRoleUser": {"AssumedRoleId": role.user_id, "Arn": role.arn}}
