"""AWS Backup vaults: who may copy into them, restore from them, and what keeps their recovery points from deletion."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from snapbase.collect.aws import policy
from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region, observed
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, ResourceType, Scope

PLAIN = "BACKUP_VAULT"
AIR_GAPPED = "LOGICALLY_AIR_GAPPED_BACKUP_VAULT"
COPY_IN = "copy into"
"""The access of a grant that lets its principal bring data in, not take it away."""

_WAYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (COPY_IN, "backup:CopyIntoBackupVault", ("backup:CopyIntoBackupVault",)),
    (
        Access.RESTORE,
        "backup:StartRestoreJob",
        ("backup:StartRestoreJob", "backup:StartCopyJob", "backup:CopyFromBackupVault"),
    ),
    (
        Access.RESHARE,
        "backup:PutBackupVaultAccessPolicy",
        ("backup:PutBackupVaultAccessPolicy", "backup:DeleteBackupVaultAccessPolicy"),
    ),
)
"""Access, mechanism, and the actions of a vault's access policy that give it (Service Authorization Reference)."""

_ENDED = frozenset({"FAILED", "DISASSOCIATED", "DISASSOCIATING"})


def vaults(region: Region) -> Iterator[dict[str, Any]]:
    """Every vault of the account itself; one that another account shares with it is that account's to tell of."""
    listed = region.pages("backup", "ListBackupVaults", "BackupVaultList", MaxResults=1000)
    return (each for each in listed if each["BackupVaultArn"].split(":")[4] == region.account)


def vault_uid(vault: dict[str, Any]) -> str:
    """A vault's name, and so its ARN, comes back after it was deleted."""
    return f"{vault['BackupVaultArn']}@{vault['CreationDate'].astimezone(UTC).isoformat()}"


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every vault with its grants; raises at the end if one could not be described."""
    failed: list[CallFailed] = []
    for observation in region.runtime.map(partial(_observe, region, failed), vaults(region)):
        if observation is not None:
            yield observation
    if failed:
        raise failed[0]


def _observe(region: Region, failed: list[CallFailed], vault: dict[str, Any]) -> Observation | None:
    """None where the vault was deleted since it was listed, or could not be described: a partial one would read as
    changed."""
    try:
        resource = _resource(region, vault)
    except CallFailed as error:
        if not vanished(error):
            failed.append(error)
        return None
    return observed(resource, lambda: _grants(region, vault))


def _resource(region: Region, vault: dict[str, Any]) -> Resource:
    kind = str(vault.get("VaultType") or PLAIN)
    described = {} if kind == PLAIN else _described(region, vault)
    key = vault.get("EncryptionKeyArn")
    own_key = vault.get("EncryptionKeyType") == "CUSTOMER_MANAGED_KMS_KEY"
    facts = {
        "lock_date": vault["LockDate"].astimezone(UTC).isoformat() if vault.get("LockDate") else None,
        "source_vault": described.get("SourceBackupVaultArn"),
        "approval_team": described.get("MpaApprovalTeamArn"),
    }
    return Resource(
        uid=vault_uid(vault),
        address=vault["BackupVaultArn"],
        type=ResourceType.POLICY,
        name=vault["BackupVaultName"],
        created_at=vault.get("CreationDate"),
        owner=region.account,
        encrypted=True,
        key=key,
        # Whoever restores from a shared vault needs its key; copying into a vault does not.
        guards=(key,) if key and own_key and kind == AIR_GAPPED else (),
        attributes={
            "vault_type": kind,
            "lock": _lock(vault, kind),
            "min_retention_days": vault.get("MinRetentionDays"),
            "max_retention_days": vault.get("MaxRetentionDays"),
        },
        facts={name: value for name, value in facts.items() if value},
    )


def _described(region: Region, vault: dict[str, Any]) -> dict[str, Any]:
    return region.call("backup", "DescribeBackupVault", BackupVaultName=vault["BackupVaultName"])


def _lock(vault: dict[str, Any], kind: str) -> str | None:
    """How firmly the vault is locked, in the words of EBS snapshot locks.

    A lock without a date can be taken off (governance), one with a date cannot after it (compliance); an air-gapped
    vault is in compliance mode from its creation (AWS Backup Developer Guide, "Vault Lock").
    """
    if kind == AIR_GAPPED:
        return "compliance"
    if not vault.get("Locked"):
        return None
    if not vault.get("LockDate"):
        return "governance"
    return "compliance" if vault["LockDate"] <= datetime.now(UTC) else "compliance-cooloff"


def _grants(region: Region, vault: dict[str, Any]) -> frozenset[Grant]:
    document = _policy(region, vault)
    found = {
        grant
        for access, mechanism, actions in _WAYS
        if document
        for grant in policy.grants(document, access, mechanism, region.account, actions)
    }
    if vault.get("VaultType") == AIR_GAPPED:
        found |= {*_shared(region, vault), *_approved(region, vault)}
    return frozenset(found)


def _policy(region: Region, vault: dict[str, Any]) -> str:
    """The access policy's text; empty where the vault has none, which AWS answers like a vault that is gone."""
    try:
        answer = region.call("backup", "GetBackupVaultAccessPolicy", BackupVaultName=vault["BackupVaultName"])
    except CallFailed as error:
        if not vanished(error):
            raise
        _described(region, vault)
        return ""
    return str(answer.get("Policy") or "")


def _shared(region: Region, vault: dict[str, Any]) -> Iterator[Grant]:
    """Whom AWS RAM lets restore; an invitation that nobody has accepted yet counts."""
    shares = {
        each["resourceShareArn"]
        for each in _associations(region, associationType="RESOURCE", resourceArn=vault["BackupVaultArn"])
    }
    if not shares:
        return
    for each in _associations(region, associationType="PRINCIPAL", resourceShareArns=sorted(shares)):
        who, only = _ram_principal(str(each["associatedEntity"]))
        yield Grant(who, Access.RESTORE, "ram:ResourceShare", only)


def _associations(region: Region, **narrowing: Any) -> Iterator[dict[str, Any]]:
    listed = region.pages("ram", "GetResourceShareAssociations", "resourceShareAssociations", **narrowing)
    return (each for each in listed if each.get("status") not in _ENDED)


def _ram_principal(entity: str) -> tuple[Principal, str]:
    """A principal of a resource share: an account id, or the ARN of an organisation, unit, role or user."""
    parts = entity.split(":", 5)
    if entity.isdigit():
        return Principal(PrincipalKind.ACCOUNT, entity), ""
    if parts[2:3] == ["organizations"]:
        unit = parts[-1].startswith("ou/")
        return Principal(PrincipalKind.ORGANIZATIONAL_UNIT if unit else PrincipalKind.ORGANIZATION, entity), ""
    if parts[2:3] == ["iam"]:
        return Principal(PrincipalKind.ACCOUNT, parts[4]), "" if parts[5] == "root" else f"only {entity}"
    service = entity.endswith(".amazonaws.com")
    return Principal(PrincipalKind.SERVICE if service else PrincipalKind.OTHER, entity), ""


def _approved(region: Region, vault: dict[str, Any]) -> Iterator[Grant]:
    """Accounts that an approval team let restore without the owner (multi-party approval)."""
    listed = region.pages(
        "backup", "ListRestoreAccessBackupVaults", "RestoreAccessBackupVaults", BackupVaultName=vault["BackupVaultName"]
    )
    for each in listed:
        account = str(each["RestoreAccessBackupVaultArn"]).split(":")[4]
        if each.get("VaultState") != "FAILED" and account != region.account:
            yield Grant(Principal(PrincipalKind.ACCOUNT, account), Access.RESTORE, "backup:RestoreAccessBackupVault")


COLLECTOR = Collector(
    kind="aws.backup.vault",
    title="backup vaults",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=(
        "backup:ListBackupVaults",
        "backup:DescribeBackupVault",
        "backup:GetBackupVaultAccessPolicy",
        "backup:ListRestoreAccessBackupVaults",
        "ram:GetResourceShareAssociations",
    ),
    calls="1 per 1,000 + 1 or 2 per vault, 5 per logically air-gapped one",
    blind=(
        "What a policy denies to the owner's own people; vaults elsewhere that take copies of ours; S3 access points "
        "of recovery points."
    ),
)
