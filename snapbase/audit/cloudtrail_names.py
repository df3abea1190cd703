"""CloudTrail event names by service -> what they do, and where their records say to what.

Names: API references and "Logging ... with CloudTrail" pages of the services; spelling (`dBSnapshot...`,
lower-cased RDS names) and item lists of EC2 as in recorded events. Volumes, instances and databases are named as the
collectors' `Resource.source` names them; everything else by its address.
"""

from typing import Final

from snapbase.audit.cloudtrail_databases import DATABASES
from snapbase.audit.cloudtrail_record import Find, Names, Record, text
from snapbase.audit.cloudtrail_shape import (
    Judge,
    Row,
    answered,
    asked,
    both,
    bucket,
    detail,
    ec2,
    first,
    grants_abroad,
    only_if,
    other_account,
    own,
    parties,
    permission,
    policy,
    region_setting,
    succeeded,
    switched,
    told,
    words,
)
from snapbase.event import Action

_SNAPSHOT = ec2("snapshot", asked("snapshotId", "snapshotIds"))
_SOURCE_SNAPSHOT = ec2("snapshot", asked("sourceSnapshotId"), abroad="sourceRegion")
_IMAGE = ec2("image", asked("imageId", "imageIds"))
_NEW_IMAGE = ec2("image", told("imageId"))
_IMAGE_EXPORTS = ec2("image", asked("imageId"), suffix="/exports")
_SHARE_SNAPSHOT, _SNAPSHOT_HOLDERS = permission("createVolumePermission")
_SHARE_IMAGE, _IMAGE_HOLDERS = permission("launchPermission")
_FAST = ec2("snapshot", asked("sourceSnapshotIds", "sourceSnapshotId", "sourceSnapshotIdSet"))
_SNAPSHOT_BLOCK, _IMAGE_BLOCK = region_setting(), region_setting("image-block-public-access")


def _set(setting: Find) -> Row:
    return Row(Action.POLICY, setting, tell=words("state", "imageBlockPublicAccessState", "kmsKeyId"))


def _fast_restores(record: Record) -> Names:
    """Of one's own account; the collector knows them by who enabled them."""
    return tuple(f"{each}/fast-restore/{record.owner}" for each in _FAST(record))


_EC2: dict[str, Row] = {
    "CreateSnapshot": Row(
        Action.CREATE, made=ec2("snapshot", told("snapshotId")), source=asked("volumeId"), tell=words("description")
    ),
    "CreateSnapshots": Row(
        Action.CREATE,
        on=ec2("snapshot", answered("snapshotId")),
        source=asked("instanceId"),
        tell=words("description"),
    ),
    "ImportSnapshot": Row(Action.CREATE, started=True, tell=words("description")),
    "ImportImage": Row(Action.CREATE, made=_NEW_IMAGE, started=True, tell=words("description")),
    "CreateImage": Row(Action.CREATE, made=_NEW_IMAGE, source=asked("instanceId"), tell=words("name")),
    "RegisterImage": Row(
        Action.CREATE,
        on=_SNAPSHOT,
        made=_NEW_IMAGE,
        source=_SNAPSHOT,
        tell=words("name"),
    ),
    "CreateRestoreImageTask": Row(Action.RESTORE, made=_NEW_IMAGE, tell=words("bucket", "objectKey")),
    "CopySnapshot": Row(
        Action.COPY,
        on=_SOURCE_SNAPSHOT,
        made=ec2("snapshot", told("snapshotId")),
        source=_SOURCE_SNAPSHOT,
        tell=words("sourceRegion", "kmsKeyId"),
    ),
    "CopyImage": Row(
        Action.COPY,
        on=ec2("image", asked("sourceImageId"), abroad="sourceRegion"),
        made=_NEW_IMAGE,
        source=ec2("image", asked("sourceImageId"), abroad="sourceRegion"),
        tell=words("sourceRegion", "kmsKeyId"),
    ),
    "SharedSnapshotCopyInitiated": Row(Action.COPY, on=ec2("snapshot", detail("snapshotId"))),
    "SharedSnapshotVolumeCreated": Row(Action.RESTORE, on=ec2("snapshot", detail("snapshotId"))),
    "ModifySnapshotAttribute": Row(_SHARE_SNAPSHOT, _SNAPSHOT, whom=_SNAPSHOT_HOLDERS, tell=words("attributeType")),
    "ResetSnapshotAttribute": Row(Action.UNSHARE, _SNAPSHOT),
    "ModifyImageAttribute": Row(_SHARE_IMAGE, _IMAGE, whom=_IMAGE_HOLDERS, tell=words("attributeType")),
    "ResetImageAttribute": Row(Action.UNSHARE, _IMAGE),
    "CancelImageLaunchPermission": Row(Action.UNSHARE, _IMAGE),
    "EnableSnapshotBlockPublicAccess": _set(_SNAPSHOT_BLOCK),
    "DisableSnapshotBlockPublicAccess": _set(_SNAPSHOT_BLOCK),
    "EnableImageBlockPublicAccess": _set(_IMAGE_BLOCK),
    "DisableImageBlockPublicAccess": _set(_IMAGE_BLOCK),
    "EnableEbsEncryptionByDefault": _set(region_setting("encryption-by-default")),
    "DisableEbsEncryptionByDefault": _set(region_setting("encryption-by-default")),
    "ModifyEbsDefaultKmsKeyId": _set(region_setting("default-key")),
    "ResetEbsDefaultKmsKeyId": _set(region_setting("default-key")),
    "CreateVolume": Row(
        only_if("snapshotId", Action.RESTORE), _SNAPSHOT, made=told("volumeId"), source=_SNAPSHOT, tell=words("zone")
    ),
    "RunInstances": Row(
        lambda record: Action.RESTORE if _SNAPSHOT(record) else "",
        _SNAPSHOT,
        made=first(answered("instanceId")),
        source=_SNAPSHOT,
    ),
    "CreateReplaceRootVolumeTask": Row(
        only_if("snapshotId", Action.RESTORE), _SNAPSHOT, source=_SNAPSHOT, tell=words("instanceId"), started=True
    ),
    "AttachVolume": Row(Action.MOUNT, asked("volumeId"), source=asked("volumeId"), tell=words("instanceId", "device")),
    "ModifySnapshotTier": Row(Action.MODIFY, _SNAPSHOT, tell=words("storageTier")),
    "RestoreSnapshotTier": Row(Action.MODIFY, _SNAPSHOT, tell=words("permanentRestore", "temporaryRestoreDays")),
    "EnableFastSnapshotRestores": Row(Action.MODIFY, both(_FAST, _fast_restores), made=_fast_restores),
    "DisableFastSnapshotRestores": Row(Action.DELETE, _fast_restores),
    "RestoreSnapshotFromRecycleBin": Row(Action.RECYCLE, _SNAPSHOT),
    "RestoreImageFromRecycleBin": Row(Action.RECYCLE, _IMAGE),
    "LockSnapshot": Row(
        Action.POLICY,
        both(_SNAPSHOT, ec2("snapshot", asked("snapshotId"), suffix="/lock")),
        made=ec2("snapshot", asked("snapshotId"), suffix="/lock"),
        tell=words("lockMode", "lockDuration"),
    ),
    "UnlockSnapshot": Row(Action.INHIBIT, both(_SNAPSHOT, ec2("snapshot", asked("snapshotId"), suffix="/lock"))),
    "DeleteSnapshot": Row(Action.DELETE, _SNAPSHOT),
    "DeregisterImage": Row(
        Action.DELETE,
        both(_IMAGE, ec2("snapshot", succeeded("snapshotId"))),
        tell=words("deleteAssociatedSnapshots"),
    ),
    "DisableImage": Row(Action.MODIFY, _IMAGE),
    "EnableImage": Row(Action.MODIFY, _IMAGE),
    "DisableImageDeregistrationProtection": Row(Action.INHIBIT, _IMAGE),
    "CreateStoreImageTask": Row(
        Action.EXPORT,
        both(_IMAGE, _IMAGE_EXPORTS),
        made=_IMAGE_EXPORTS,
        whom=bucket("bucket"),
        tell=words("bucket"),
        started=True,
    ),
    "ExportImage": Row(
        Action.EXPORT,
        both(_IMAGE, _IMAGE_EXPORTS),
        made=_IMAGE_EXPORTS,
        whom=bucket("s3ExportLocation.s3Bucket"),
        tell=words("s3ExportLocation.s3Bucket", "roleName"),
        started=True,
    ),
    "CreateInstanceExportTask": Row(
        Action.EXPORT,
        asked("instanceId"),
        source=asked("instanceId"),
        whom=bucket("exportToS3.s3Bucket", "exportToS3Task.s3Bucket"),
        tell=words("targetEnvironment"),
        started=True,
    ),
    **{
        name: Row(Action.ENUMERATE, _SNAPSHOT, listing=True)
        for name in (
            "DescribeSnapshots",
            "DescribeLockedSnapshots",
            "DescribeSnapshotAttribute",
            "DescribeSnapshotTierStatus",
            "DescribeFastSnapshotRestores",
            "ListSnapshotsInRecycleBin",
        )
    },
    **{
        name: Row(Action.ENUMERATE, _IMAGE, listing=True)
        for name in (
            "DescribeImages",
            "DescribeImageAttribute",
            "ListImagesInRecycleBin",
            "DescribeStoreImageTasks",
            "DescribeExportImageTasks",
        )
    },
    "GetSnapshotBlockPublicAccessState": Row(Action.ENUMERATE, _SNAPSHOT_BLOCK),
    "GetImageBlockPublicAccessState": Row(Action.ENUMERATE, _IMAGE_BLOCK),
}


_BLOCKS = ec2("snapshot", asked("snapshotId", "firstSnapshotId", "secondSnapshotId"))
_EBS: dict[str, Row] = {
    "StartSnapshot": Row(
        Action.CREATE,
        made=ec2("snapshot", told("snapshotId")),
        source=ec2("snapshot", asked("parentSnapshotId")),
        tell=words("description"),
    ),
    "CompleteSnapshot": Row(Action.MODIFY, _BLOCKS),
    "GetSnapshotBlock": Row(Action.READ_BLOCKS, _BLOCKS),
    "ListSnapshotBlocks": Row(Action.READ_BLOCKS, _BLOCKS),
    "ListChangedBlocks": Row(Action.READ_BLOCKS, _BLOCKS),
}

_VAULT = own("backup", "backup-vault:", asked("backupVaultName"))
_POINT = asked("recoveryPointArn")
_DONE = detail("recoveryPointArn")
_COPIED = detail("destinationRecoveryPointArn", "recoveryPointArn")
_BACKUP: dict[str, Row] = {
    "StartBackupJob": Row(
        Action.CREATE,
        made=told("recoveryPointArn"),
        source=asked("resourceArn"),
        tell=words("backupVaultName"),
        started=True,
    ),
    "BackupJobCompleted": Row(Action.CREATE, made=_DONE, source=detail("resourceArn")),
    "StartCopyJob": Row(
        Action.COPY,
        _POINT,
        source=_POINT,
        whom=other_account("destinationBackupVaultArn"),
        tell=words("destinationBackupVaultArn"),
        started=True,
    ),
    "CopyJobCompleted": Row(
        Action.COPY,
        detail("sourceRecoveryPointArn"),
        made=_COPIED,
        source=detail("sourceRecoveryPointArn", "resourceArn"),
    ),
    "StartRestoreJob": Row(
        Action.RESTORE, _POINT, source=_POINT, tell=words("resourceType", "iamRoleArn"), started=True
    ),
    "RestoreCompleted": Row(Action.RESTORE, _DONE, made=detail("createdResourceArn"), source=_DONE),
    "RestoreJobCompleted": Row(Action.RESTORE, _DONE, made=detail("createdResourceArn"), source=_DONE),
    "BackupDeleted": Row(Action.DELETE, _DONE),
    "DeleteRecoveryPoint": Row(Action.DELETE, _POINT, source=_VAULT, tell=words("backupVaultName")),
    "DisassociateRecoveryPoint": Row(Action.INHIBIT, _POINT, tell=words("backupVaultName")),
    "DisassociateRecoveryPointFromParent": Row(Action.MODIFY, _POINT),
    "UpdateRecoveryPointLifecycle": Row(
        Action.INHIBIT, _POINT, tell=words("lifecycle.deleteAfterDays", "lifecycle.moveToColdStorageAfterDays")
    ),
    "CreateBackupVault": Row(Action.CREATE, made=_VAULT),
    "CreateLogicallyAirGappedBackupVault": Row(Action.CREATE, made=_VAULT),
    "CreateRestoreAccessBackupVault": Row(Action.POLICY, asked("sourceBackupVaultArn"), tell=words("requesterComment")),
    "RevokeRestoreAccessBackupVault": Row(Action.POLICY, _VAULT),
    "PutBackupVaultAccessPolicy": Row(Action.POLICY, _VAULT, whom=policy("policy")),
    "DeleteBackupVaultAccessPolicy": Row(Action.UNSHARE, _VAULT),
    "PutBackupVaultLockConfiguration": Row(
        Action.POLICY, _VAULT, tell=words("minRetentionDays", "maxRetentionDays", "changeableForDays")
    ),
    "DeleteBackupVaultLockConfiguration": Row(Action.INHIBIT, _VAULT),
    "DeleteBackupVault": Row(Action.INHIBIT, _VAULT),
    "AssociateBackupVaultMpaApprovalTeam": Row(Action.POLICY, _VAULT, tell=words("mpaApprovalTeamArn")),
    "DisassociateBackupVaultMpaApprovalTeam": Row(Action.INHIBIT, _VAULT),
    "CreateBackupPlan": Row(Action.POLICY, made=own("backup", "backup-plan:", told("backupPlanId"))),
    "CreateBackupSelection": Row(Action.POLICY, own("backup", "backup-plan:", asked("backupPlanId"))),
    "UpdateBackupPlan": Row(Action.POLICY, own("backup", "backup-plan:", asked("backupPlanId"))),
    "DeleteBackupPlan": Row(Action.INHIBIT, own("backup", "backup-plan:", asked("backupPlanId"))),
    "DeleteBackupSelection": Row(Action.INHIBIT, own("backup", "backup-plan:", asked("backupPlanId"))),
    "UpdateGlobalSettings": Row(Action.POLICY, tell=words("globalSettings.isCrossAccountBackupEnabled")),
    "UpdateRegionSettings": Row(Action.POLICY),
    "StopBackupJob": Row(Action.MODIFY, tell=words("backupJobId")),
    **{
        name: Row(Action.ENUMERATE, both(_POINT, _VAULT), listing=True)
        for name in (
            "ListRecoveryPointsByBackupVault",
            "ListRecoveryPointsByResource",
            "ListBackupVaults",
            "ListProtectedResources",
        )
    },
}

_LIFECYCLE = own("dlm", "policy/", asked("policyId"))
_LIFECYCLE_MADE = own("dlm", "policy/", told("policyId"))
_DLM: dict[str, Row] = {
    "CreateLifecyclePolicy": Row(
        Action.POLICY, made=_LIFECYCLE_MADE, whom=parties("targetAccounts"), tell=words("description", "state")
    ),
    "UpdateLifecyclePolicy": Row(
        switched("state", "DISABLED", Action.INHIBIT, Action.POLICY),
        _LIFECYCLE,
        whom=parties("targetAccounts"),
        tell=words("state"),
    ),
    "DeleteLifecyclePolicy": Row(Action.INHIBIT, _LIFECYCLE),
    "GetLifecyclePolicies": Row(Action.ENUMERATE, _LIFECYCLE, listing=True),
}

_RULE = own("rbin", "rule/", asked("identifier"))
_KEPT = words("resourceType", "retentionPeriod.retentionPeriodValue", "retentionPeriod.retentionPeriodUnit")
_RBIN: dict[str, Row] = {
    "CreateRule": Row(Action.POLICY, made=own("rbin", "rule/", told("ruleArn", "identifier")), tell=_KEPT),
    "UpdateRule": Row(Action.POLICY, _RULE, tell=_KEPT),
    "LockRule": Row(Action.POLICY, _RULE),
    "UnlockRule": Row(Action.INHIBIT, _RULE),
    "DeleteRule": Row(Action.INHIBIT, _RULE),
}


def _key(record: Record) -> Names:
    """By the ARN that the record lists: the parameter may be an alias."""
    listed = (text(each.get("ARN")) for each in record.resources)
    found = tuple(each for each in listed if ":kms:" in each and ":key/" in each)
    return found[:1] or own("kms", "key/", asked("keyId"))(record)


_KMS: dict[str, Row] = {
    "PutKeyPolicy": Row(Action.POLICY, _key, whom=policy("policy")),
    "CreateGrant": Row(grants_abroad, _key, whom=parties("granteePrincipal"), tell=words("name")),
    "RevokeGrant": Row(lambda record: "" if record.via else Action.UNSHARE, _key, tell=words("grantId")),
    "ScheduleKeyDeletion": Row(Action.INHIBIT, _key, tell=words("pendingWindowInDays")),
    "DisableKey": Row(Action.INHIBIT, _key),
    "DeleteImportedKeyMaterial": Row(Action.INHIBIT, _key),
    "CancelKeyDeletion": Row(Action.MODIFY, _key),
    "EnableKey": Row(Action.MODIFY, _key),
}

_SHARED = ("backup", "rds", "redshift", "redshift-serverless", "fsx", "dynamodb")
"""Services of ours whose data RAM can share; EC2's subnets, gateways and lists hold none (RAM User Guide, "Shareable
AWS resources")."""


def _shares(action: str) -> Judge:
    """RAM shares subnets and much else too: only where a resource named is one of ours, or none is named."""

    def judge(record: Record) -> str:
        named = asked("resourceArns", "resourceArn")(record)
        return action if not named or any(each.split(":")[2:3] in [[s] for s in _SHARED] for each in named) else ""

    return judge


_SHARE_PARTS = both(asked("resourceArns", "resourceArn"), asked("resourceShareArn"))
_RAM: dict[str, Row] = {
    "CreateResourceShare": Row(
        _shares(Action.SHARE), _SHARE_PARTS, made=told("resourceShare.resourceShareArn"), whom=parties("principals")
    ),
    "AssociateResourceShare": Row(_shares(Action.SHARE), _SHARE_PARTS, whom=parties("principals")),
    "DisassociateResourceShare": Row(_shares(Action.UNSHARE), _SHARE_PARTS, whom=parties("principals")),
    "DeleteResourceShare": Row(Action.UNSHARE, _SHARE_PARTS),
    "AcceptResourceShareInvitation": Row(Action.POLICY, asked("resourceShareInvitationArn")),
    "EnableSharingWithAwsOrganization": Row(Action.POLICY),
}


def _member(record: Record) -> Names:
    """Without the organisation's id, which records do not have; Organizations is in no region."""
    found = asked("accountId")(record)
    return tuple(f"arn:{record.partition}:organizations::{record.account}:account/{each}" for each in found)


_ORGANIZATIONS: dict[str, Row] = {
    name: Row(Action.POLICY, _member, tell=words("servicePrincipal", "policyId", "targetId", "destinationParentId"))
    for name in (
        "InviteAccountToOrganization",
        "AcceptHandshake",
        "CreateAccount",
        "CloseAccount",
        "MoveAccount",
        "RemoveAccountFromOrganization",
        "LeaveOrganization",
        "DeleteOrganization",
        "EnableAWSServiceAccess",
        "DisableAWSServiceAccess",
        "RegisterDelegatedAdministrator",
        "DeregisterDelegatedAdministrator",
        "AttachPolicy",
        "DetachPolicy",
        "UpdatePolicy",
        "DeletePolicy",
        "DisablePolicyType",
    )
}

NAMES: Final[dict[str, dict[str, Row]]] = {
    "ec2.amazonaws.com": _EC2,
    "ebs.amazonaws.com": _EBS,
    "backup.amazonaws.com": _BACKUP,
    "dlm.amazonaws.com": _DLM,
    "rbin.amazonaws.com": _RBIN,
    "kms.amazonaws.com": _KMS,
    "ram.amazonaws.com": _RAM,
    "organizations.amazonaws.com": _ORGANIZATIONS,
    **DATABASES,
}
"""Everything that concerns snapshots, their sources, keys and policies; what is not here is passed over."""
