"""AWS Backup's copies and restores: jobs that end at once, unless a test lets one run on."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.backup import create_vault
from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal

_MISSING = "ResourceNotFoundException"


def start_copy(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """Into a vault of any account here; the job fails where there is no such vault."""
    vault = take(call, "vaults", parameters["SourceBackupVaultName"], _MISSING)
    point = _point((vault,), parameters["RecoveryPointArn"])
    _, _, _, region, account, _, name = parameters["DestinationBackupVaultArn"].split(":", 6)
    abroad = shelf(Call(account, region, "backup", "DescribeBackupVault", b"", {}), "vaults").get(name)
    made = f"arn:aws:backup:{region}:{account}:recovery-point:{uuid4()}"
    job = {
        **_begun(call, "CopyJobId", parameters["IamRoleArn"], point),
        "SourceBackupVaultArn": vault["BackupVaultArn"],
        "SourceRecoveryPointArn": point["RecoveryPointArn"],
        "DestinationBackupVaultArn": parameters["DestinationBackupVaultArn"],
        "ResourceArn": point["ResourceArn"],
        "IsParent": False,
    }
    if abroad is None:
        job |= {"State": "FAILED", "StatusMessage": "Access Denied trying to call AWS Backup service"}
        job |= {"MessageCategory": "AccessDenied"}
    else:
        abroad["points"].append({**point, "RecoveryPointArn": made, "BackupVaultArn": abroad["BackupVaultArn"]})
        job |= {"State": "COMPLETED", "DestinationRecoveryPointArn": made, "MessageCategory": "SUCCESS"}
    shelf(call, "copy-jobs")[job["CopyJobId"]] = job
    return {"CopyJobId": job["CopyJobId"], "CreationDate": job["CreationDate"], "IsParent": False}


def start_restore(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    point = _point(tuple(shelf(call, "vaults").values()), parameters["RecoveryPointArn"])
    job = {
        **_begun(call, "RestoreJobId", parameters["IamRoleArn"], point),
        "RecoveryPointArn": point["RecoveryPointArn"],
        "RecoveryPointCreationDate": point["CreationDate"],
        "SourceResourceArn": point["ResourceArn"],
        "BackupVaultArn": point["BackupVaultArn"],
        "Status": "COMPLETED",
        "PercentDone": "100.00%",
        "CreatedResourceArn": f"{point['ResourceArn'].rpartition('/')[0]}/restored-{uuid4().hex[:8]}",
        "IsParent": False,
    }
    shelf(call, "restore-jobs")[job["RestoreJobId"]] = job
    return {"RestoreJobId": job["RestoreJobId"]}


def _point(vaults: tuple[dict[str, Any], ...], arn: str) -> dict[str, Any]:
    for vault in vaults:
        for point in vault["points"]:
            if point["RecoveryPointArn"] == arn:
                return dict(point)
    raise Refusal(_MISSING, f"Recovery point {arn} not found.")


def _begun(call: Call, name: str, role: str, point: Mapping[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "AccountId": call.account,
        name: str(uuid4()).upper(),
        "CreationDate": now,
        "CompletionDate": now,
        "IamRoleArn": role,
        "ResourceType": point["ResourceType"],
        "BackupSizeInBytes": 8 << 30,
    }


def vault_of(account: str, region: str, name: str) -> str:
    """A vault in an account that nobody here may enter; returns its ARN."""
    call = Call(account, region, "backup", "CreateBackupVault", b"", {})
    return str(create_vault(call, {"BackupVaultName": name})["BackupVaultArn"])


def forget(account: str, region: str) -> None:
    """No job was ever begun."""
    for name in ("copy-jobs", "restore-jobs"):
        shelf(Call(account, region, "backup", "ListCopyJobs", b"", {}), name).clear()


def run_on(account: str, region: str, job: str) -> None:
    """The job runs, and has not ended."""
    found = _job(account, region, job)
    found["State" if "State" in found else "Status"] = "RUNNING"
    for name in ("CompletionDate", "DestinationRecoveryPointArn", "CreatedResourceArn"):
        if name in found:
            found[f"_{name}"] = found.pop(name)


def end(account: str, region: str, job: str, state: str = "COMPLETED", *, began: timedelta = timedelta()) -> None:
    """The job ends now, having begun so much earlier than it did."""
    found = _job(account, region, job)
    for name in [each for each in found if each.startswith("_")]:
        found[name[1:]] = found.pop(name)
    found["State" if "State" in found else "Status"] = state
    found |= {"CompletionDate": datetime.now(UTC), "CreationDate": found["CreationDate"] - began}


def _job(account: str, region: str, job: str) -> dict[str, Any]:
    call = Call(account, region, "backup", "DescribeCopyJob", b"", {})
    return (shelf(call, "copy-jobs") | shelf(call, "restore-jobs"))[job]


def _list(call: Call, parameters: Parameters, shelved: str, items: str) -> Mapping[str, Any]:
    found = [each for each in shelf(call, shelved).values() if _within(each, parameters)]
    found.sort(key=lambda each: each["CreationDate"], reverse=True)
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    shown = [{name: value for name, value in each.items() if name[0] != "_"} for each in some]
    return {items: shown, "NextToken": following}


def _within(job: Mapping[str, Any], parameters: Parameters) -> bool:
    """By the two times that a list can be narrowed by; what runs has not completed at any."""
    for asked, told in (("Created", "CreationDate"), ("Complete", "CompletionDate")):
        after, before = (_moment(parameters.get(f"By{asked}{side}")) for side in ("After", "Before"))
        at = job.get(told)
        if (after or before) and at is None:
            return False
        if at is not None and ((after and at < after) or (before and at > before)):
            return False
    return True


def _moment(asked: Any) -> datetime | None:
    if asked is None or (isinstance(asked, datetime) and asked.tzinfo):
        return asked
    read = asked if isinstance(asked, datetime) else datetime.fromisoformat(str(asked))
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def list_copies(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _list(call, parameters, "copy-jobs", "CopyJobs")


def list_restores(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _list(call, parameters, "restore-jobs", "RestoreJobs")


def handlers() -> dict[str, Handler]:
    """By operation name, as `backup:ListCopyJobs`."""
    return {
        "backup:ListCopyJobs": list_copies,
        "backup:ListRestoreJobs": list_restores,
        "backup:StartCopyJob": start_copy,
        "backup:StartRestoreJob": start_restore,
    }
