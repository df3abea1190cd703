"""AWS Backup: vaults with access policies and locks, recovery points, and vaults for restoring from another account's.

Moto has vaults without any of it, so all of them are kept here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.ec2.models import ec2_backends

from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal

_PLAIN = "BACKUP_VAULT"
_AIR_GAPPED = "LOGICALLY_AIR_GAPPED_BACKUP_VAULT"
_RESTORE_ACCESS = "RESTORE_ACCESS_BACKUP_VAULT"


def _vaults(call: Call) -> dict[str, Any]:
    return shelf(call, "vaults")


def _vault(call: Call, name: str) -> dict[str, Any]:
    return take(call, "vaults", name, "ResourceNotFoundException")


def create_vault(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _create(call, parameters["BackupVaultName"], _PLAIN, EncryptionKeyArn=parameters.get("EncryptionKeyArn"))


def create_air_gapped_vault(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    kept = {name: parameters[name] for name in ("MinRetentionDays", "MaxRetentionDays")}
    return _create(call, parameters["BackupVaultName"], _AIR_GAPPED, Locked=True, **kept)


def create_restore_access_vault(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """In the caller's account; the owner of the source sees that it exists."""
    source = parameters["SourceBackupVaultArn"]
    _, _, _, region, account, _, name = source.split(":")
    owner = Call(account, region, "backup", "DescribeBackupVault", b"", {})
    released = _vault(owner, name)
    if released["VaultType"] != _AIR_GAPPED:
        raise Refusal("InvalidRequestException", "The source is not a logically air-gapped vault")
    own = parameters.get("BackupVaultName") or f"restore-access-{uuid4()}"
    made = _create(call, own, _RESTORE_ACCESS, SourceBackupVaultArn=source)
    shown = {"RestoreAccessBackupVaultArn": made["BackupVaultArn"], "VaultState": "AVAILABLE"}
    released["restore_access"].append({**shown, "CreationDate": made["CreationDate"]})
    return {**shown, "RestoreAccessBackupVaultName": own, "CreationDate": made["CreationDate"]}


def _create(call: Call, name: str, kind: str, **more: Any) -> dict[str, Any]:
    if name in _vaults(call):
        raise Refusal("AlreadyExistsException", f"Backup vault {name} exists")
    arn = f"arn:aws:backup:{call.region}:{call.account}:backup-vault:{name}"
    own_key = more.get("EncryptionKeyArn")
    vault = {
        "BackupVaultName": name,
        "BackupVaultArn": arn,
        "VaultType": kind,
        "VaultState": "AVAILABLE",
        "CreationDate": datetime.now(UTC),
        "EncryptionKeyType": "CUSTOMER_MANAGED_KMS_KEY" if own_key else "AWS_OWNED_KMS_KEY",
        "Locked": False,
        "policy": None,
        "points": [],
        "restore_access": [],
        **{field: value for field, value in more.items() if value is not None},
    }
    _vaults(call)[name] = vault
    return _shown(vault)


def _shown(vault: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vault.items() if name[0].isupper()} | {
        "NumberOfRecoveryPoints": len(vault["points"])
    }


def list_vaults(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    found = sorted(_vaults(call).values(), key=lambda each: str(each["BackupVaultName"]))
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {"BackupVaultList": [_shown(each) for each in some], "NextToken": following}


def describe_vault(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _shown(_vault(call, parameters["BackupVaultName"]))


def delete_vault(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    _vault(call, parameters["BackupVaultName"])
    del _vaults(call)[parameters["BackupVaultName"]]
    return {}


def get_policy(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    vault = _vault(call, parameters["BackupVaultName"])
    if vault["policy"] is None:
        raise Refusal("ResourceNotFoundException", "The backup vault has no access policy")
    return {"BackupVaultName": vault["BackupVaultName"], "Policy": vault["policy"]}


def put_policy(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    _vault(call, parameters["BackupVaultName"])["policy"] = parameters["Policy"]
    return {}


def delete_policy(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    _vault(call, parameters["BackupVaultName"])["policy"] = None
    return {}


def put_lock(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    vault = _vault(call, parameters["BackupVaultName"])
    vault["Locked"] = True
    vault |= {name: parameters[name] for name in ("MinRetentionDays", "MaxRetentionDays") if name in parameters}
    if parameters.get("ChangeableForDays"):
        vault["LockDate"] = datetime.now(UTC) + timedelta(days=parameters["ChangeableForDays"])
    return {}


def delete_lock(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    vault = _vault(call, parameters["BackupVaultName"])
    for name in ("LockDate", "MinRetentionDays", "MaxRetentionDays"):
        vault.pop(name, None)
    vault["Locked"] = False
    return {}


def start_backup_job(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """A finished backup on demand, of an EBS volume (an EBS snapshot too) or of anything else (nothing beside)."""
    return _back_up(call, parameters)


def _back_up(call: Call, parameters: Parameters, by: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    vault, source = _vault(call, parameters["BackupVaultName"]), parameters["ResourceArn"]
    if ":volume/" in source:
        backend = ec2_backends[call.account][call.region]
        snapshot = backend.create_snapshot(source.rpartition("/")[2], "Backup", call.account)
        snapshot.add_tags({"aws:backup:source-resource": source})
        arn, kind = f"arn:aws:ec2:{call.region}::snapshot/{snapshot.id}", "EBS"
    else:
        arn, kind = f"arn:aws:backup:{call.region}:{call.account}:recovery-point:{uuid4()}", "EFS"
    now = datetime.now(UTC)
    vault["points"].append(
        {
            "RecoveryPointArn": arn,
            "BackupVaultName": vault["BackupVaultName"],
            "BackupVaultArn": vault["BackupVaultArn"],
            "ResourceArn": source,
            "ResourceType": kind,
            "IamRoleArn": parameters["IamRoleArn"],
            "Status": "COMPLETED",
            "CreationDate": now,
            "IsEncrypted": kind != "EBS",
            "VaultType": vault["VaultType"],
            "Lifecycle": parameters.get("Lifecycle"),
            **({"CreatedBy": by} if by else {}),
        }
    )
    return {"BackupJobId": str(uuid4()), "RecoveryPointArn": arn, "CreationDate": now}


def run_plan(call: Call, plan: Mapping[str, Any], source: str) -> str:
    """What the plan's first rule does when its hour comes; returns the recovery point's ARN."""
    rule = plan["BackupPlan"]["Rules"][0]
    by = {name: plan[name] for name in ("BackupPlanArn", "BackupPlanId") if name in plan}
    by |= {"BackupPlanVersion": plan["VersionId"], "BackupRuleId": rule["RuleId"]}
    asked = {"BackupVaultName": rule["TargetBackupVaultName"], "ResourceArn": source, "IamRoleArn": ""}
    return str(_back_up(call, {**asked, "Lifecycle": rule.get("Lifecycle")}, by)["RecoveryPointArn"])


def list_points(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    points = sorted(
        _vault(call, parameters["BackupVaultName"])["points"], key=lambda each: str(each["RecoveryPointArn"])
    )
    some, following = page(points, parameters, size="MaxResults", token="NextToken")
    return {"RecoveryPoints": some, "NextToken": following}


def delete_point(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    vault = _vault(call, parameters["BackupVaultName"])
    kept = [each for each in vault["points"] if each["RecoveryPointArn"] != parameters["RecoveryPointArn"]]
    if len(kept) == len(vault["points"]):
        raise Refusal("ResourceNotFoundException", "The recovery point was not found")
    vault["points"] = kept
    return {}


def list_restore_access(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    found = _vault(call, parameters["BackupVaultName"])["restore_access"]
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {"RestoreAccessBackupVaults": some, "NextToken": following}


def handlers() -> dict[str, Handler]:
    """By operation name, as `backup:ListBackupVaults`."""
    return {
        "backup:CreateBackupVault": create_vault,
        "backup:CreateLogicallyAirGappedBackupVault": create_air_gapped_vault,
        "backup:CreateRestoreAccessBackupVault": create_restore_access_vault,
        "backup:DeleteBackupVault": delete_vault,
        "backup:DeleteBackupVaultAccessPolicy": delete_policy,
        "backup:DeleteBackupVaultLockConfiguration": delete_lock,
        "backup:DeleteRecoveryPoint": delete_point,
        "backup:DescribeBackupVault": describe_vault,
        "backup:GetBackupVaultAccessPolicy": get_policy,
        "backup:ListBackupVaults": list_vaults,
        "backup:ListRecoveryPointsByBackupVault": list_points,
        "backup:ListRestoreAccessBackupVaults": list_restore_access,
        "backup:PutBackupVaultAccessPolicy": put_policy,
        "backup:PutBackupVaultLockConfiguration": put_lock,
        "backup:StartBackupJob": start_backup_job,
    }
