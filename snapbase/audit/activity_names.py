"""Which of Azure's operations concern snapshots, their sources, keys and policies, and what each of them does.

Source: Azure RBAC, "Azure permissions" (the operations of each resource provider), and Entra's list of first-party
applications.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from snapbase.event import Action


class Shape(StrEnum):
    """How the bodies of an operation are read."""

    THING = "thing"
    SNAPSHOT = "snapshot"
    DISK = "disk"
    LINK = "link"
    MACHINE = "machine"
    GALLERY = "gallery"
    SHARING = "sharing"
    ENDPOINT = "endpoint"
    ROLE = "role"
    KEPT = "kept"
    """How long a snapshot cannot be deleted."""
    ELEVATION = "elevation"
    DELEGATION = "delegation"
    GUARD = "guard"
    """A lock or a policy assignment: what it is on is named by the beginning of its id."""
    VAULT = "vault"
    BACKUP = "backup"
    """Something within a vault."""


_COMPUTE = "Microsoft.Compute"
_POINTS = f"{_COMPUTE}/restorePointCollections"
_ROLES = "Microsoft.Authorization"
_RECOVERY = "Microsoft.RecoveryServices/vaults"
_ITEMS = f"{_RECOVERY}/backupFabrics/protectionContainers"
_ITEM = f"{_ITEMS}/protectedItems"
_BACKUP = "Microsoft.DataProtection/backupVaults"
_INSTANCE = f"{_BACKUP}/backupInstances"
_DELEGATED = "Microsoft.ManagedServices"

OPERATIONS: Final[Mapping[str, tuple[Action, Shape]]] = {
    f"{_COMPUTE}/snapshots/write": (Action.CREATE, Shape.SNAPSHOT),
    f"{_COMPUTE}/snapshots/delete": (Action.DELETE, Shape.THING),
    f"{_COMPUTE}/snapshots/beginGetAccess/action": (Action.EXPORT, Shape.LINK),
    f"{_COMPUTE}/snapshots/endGetAccess/action": (Action.UNSHARE, Shape.LINK),
    f"{_COMPUTE}/snapshots/updateImmutabilityPolicy/action": (Action.POLICY, Shape.KEPT),
    f"{_COMPUTE}/snapshots/updateImmutabilityPolicyLock/action": (Action.POLICY, Shape.KEPT),
    f"{_COMPUTE}/disks/write": (Action.CREATE, Shape.DISK),
    f"{_COMPUTE}/disks/delete": (Action.DELETE, Shape.THING),
    f"{_COMPUTE}/disks/beginGetAccess/action": (Action.EXPORT, Shape.LINK),
    f"{_COMPUTE}/disks/endGetAccess/action": (Action.UNSHARE, Shape.LINK),
    f"{_COMPUTE}/virtualMachineScaleSets/disks/beginGetAccess/action": (Action.EXPORT, Shape.LINK),
    f"{_POINTS}/write": (Action.CREATE, Shape.SNAPSHOT),
    f"{_POINTS}/delete": (Action.DELETE, Shape.THING),
    f"{_POINTS}/restorePoints/write": (Action.CREATE, Shape.SNAPSHOT),
    f"{_POINTS}/restorePoints/delete": (Action.DELETE, Shape.THING),
    f"{_POINTS}/restorePoints/retrieveSasUris/action": (Action.EXPORT, Shape.LINK),
    f"{_POINTS}/restorePoints/diskRestorePoints/beginGetAccess/action": (Action.EXPORT, Shape.LINK),
    f"{_POINTS}/restorePoints/diskRestorePoints/endGetAccess/action": (Action.UNSHARE, Shape.LINK),
    f"{_COMPUTE}/images/write": (Action.CREATE, Shape.SNAPSHOT),
    f"{_COMPUTE}/images/delete": (Action.DELETE, Shape.THING),
    f"{_COMPUTE}/galleries/write": (Action.POLICY, Shape.GALLERY),
    f"{_COMPUTE}/galleries/delete": (Action.DELETE, Shape.THING),
    f"{_COMPUTE}/galleries/share/action": (Action.POLICY, Shape.SHARING),
    f"{_COMPUTE}/galleries/images/versions/write": (Action.CREATE, Shape.SNAPSHOT),
    f"{_COMPUTE}/galleries/images/versions/delete": (Action.DELETE, Shape.THING),
    f"{_COMPUTE}/virtualMachines/write": (Action.MOUNT, Shape.MACHINE),
    f"{_COMPUTE}/virtualMachines/attachDetachDataDisks/action": (Action.MOUNT, Shape.MACHINE),
    f"{_COMPUTE}/virtualMachineScaleSets/write": (Action.MOUNT, Shape.MACHINE),
    f"{_COMPUTE}/diskAccesses/write": (Action.POLICY, Shape.THING),
    f"{_COMPUTE}/diskAccesses/delete": (Action.POLICY, Shape.THING),
    f"{_COMPUTE}/diskAccesses/privateEndpointConnections/write": (Action.POLICY, Shape.ENDPOINT),
    f"{_COMPUTE}/diskAccesses/privateEndpointConnections/delete": (Action.UNSHARE, Shape.ENDPOINT),
    f"{_COMPUTE}/diskAccesses/privateEndpointConnectionsApproval/action": (Action.POLICY, Shape.THING),
    f"{_COMPUTE}/diskEncryptionSets/write": (Action.POLICY, Shape.THING),
    f"{_COMPUTE}/diskEncryptionSets/delete": (Action.INHIBIT, Shape.THING),
    "Microsoft.Resources/subscriptions/resourceGroups/delete": (Action.DELETE, Shape.THING),
    f"{_ROLES}/roleAssignments/write": (Action.POLICY, Shape.ROLE),
    f"{_ROLES}/roleAssignments/delete": (Action.UNSHARE, Shape.ROLE),
    f"{_ROLES}/roleAssignmentScheduleRequests/write": (Action.POLICY, Shape.ROLE),
    f"{_ROLES}/roleEligibilityScheduleRequests/write": (Action.POLICY, Shape.ROLE),
    f"{_ROLES}/roleDefinitions/write": (Action.POLICY, Shape.THING),
    f"{_ROLES}/roleDefinitions/delete": (Action.POLICY, Shape.THING),
    f"{_ROLES}/elevateAccess/action": (Action.SHARE, Shape.ELEVATION),
    f"{_ROLES}/locks/write": (Action.POLICY, Shape.GUARD),
    f"{_ROLES}/locks/delete": (Action.INHIBIT, Shape.GUARD),
    f"{_ROLES}/policyAssignments/write": (Action.POLICY, Shape.GUARD),
    f"{_ROLES}/policyAssignments/delete": (Action.INHIBIT, Shape.GUARD),
    f"{_ROLES}/policyExemptions/write": (Action.POLICY, Shape.GUARD),
    f"{_DELEGATED}/registrationAssignments/write": (Action.SHARE, Shape.DELEGATION),
    f"{_DELEGATED}/registrationAssignments/delete": (Action.UNSHARE, Shape.DELEGATION),
    f"{_DELEGATED}/registrationDefinitions/write": (Action.POLICY, Shape.DELEGATION),
    f"{_RECOVERY}/write": (Action.POLICY, Shape.VAULT),
    f"{_RECOVERY}/delete": (Action.INHIBIT, Shape.THING),
    f"{_RECOVERY}/backupconfig/write": (Action.POLICY, Shape.VAULT),
    f"{_RECOVERY}/backupPolicies/write": (Action.POLICY, Shape.BACKUP),
    f"{_RECOVERY}/backupJobs/cancel/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_RECOVERY}/backupResourceGuardProxies/unlockDelete/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_ITEMS}/unregister/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_ITEM}/write": (Action.POLICY, Shape.BACKUP),
    f"{_ITEM}/delete": (Action.DELETE, Shape.BACKUP),
    f"{_ITEM}/backup/action": (Action.CREATE, Shape.BACKUP),
    f"{_ITEM}/recoveryPoints/restore/action": (Action.RESTORE, Shape.BACKUP),
    f"{_ITEM}/recoveryPoints/provisionInstantItemRecovery/action": (Action.MOUNT, Shape.BACKUP),
    "Microsoft.RecoveryServices/locations/backupCrossRegionRestore/action": (Action.RESTORE, Shape.BACKUP),
    f"{_BACKUP}/write": (Action.POLICY, Shape.VAULT),
    f"{_BACKUP}/delete": (Action.INHIBIT, Shape.THING),
    f"{_BACKUP}/backupPolicies/write": (Action.POLICY, Shape.BACKUP),
    f"{_BACKUP}/unlockDelete/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_BACKUP}/deletedBackupInstances/undelete/action": (Action.RECYCLE, Shape.BACKUP),
    f"{_INSTANCE}/write": (Action.POLICY, Shape.BACKUP),
    f"{_INSTANCE}/delete": (Action.DELETE, Shape.BACKUP),
    f"{_INSTANCE}/backup/action": (Action.CREATE, Shape.BACKUP),
    f"{_INSTANCE}/restore/action": (Action.RESTORE, Shape.BACKUP),
    f"{_INSTANCE}/stopProtection/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_INSTANCE}/suspendBackups/action": (Action.INHIBIT, Shape.BACKUP),
    f"{_INSTANCE}/resumeProtection/action": (Action.POLICY, Shape.BACKUP),
    f"{_INSTANCE}/resumeBackups/action": (Action.POLICY, Shape.BACKUP),
    "Microsoft.DataProtection/locations/crossRegionRestore/action": (Action.RESTORE, Shape.BACKUP),
    "Microsoft.KeyVault/vaults/write": (Action.POLICY, Shape.THING),
    "Microsoft.KeyVault/vaults/delete": (Action.INHIBIT, Shape.THING),
    "Microsoft.KeyVault/vaults/accessPolicies/write": (Action.POLICY, Shape.THING),
    "Microsoft.KeyVault/locations/deletedVaults/purge/action": (Action.INHIBIT, Shape.THING),
    "Microsoft.KeyVault/managedHSMs/delete": (Action.INHIBIT, Shape.THING),
    "Microsoft.KeyVault/locations/deletedManagedHSMs/purge/action": (Action.INHIBIT, Shape.THING),
}
"""By the documented name: the default action, which the bodies may tell more of."""
BACKUP_PROVIDERS = ("Microsoft.RecoveryServices", "Microsoft.DataProtection")
"""Of these, whatever is deleted guarded or held backups."""
PROVIDERS = tuple(dict.fromkeys(name.partition("/")[0] for name in OPERATIONS))

_BY_NAME = {name.lower(): (name, action, shape) for name, (action, shape) in OPERATIONS.items()}
_BACKUPS = {f"{each.lower()}/": each for each in BACKUP_PROVIDERS}


def rule(operation: str) -> tuple[str, Action, Shape] | None:
    """The documented name, action and shape of an operation in any case; None where it does not concern us. What is
    known by its end alone has no documented case."""
    lowered = operation.lower()
    if found := _BY_NAME.get(lowered):
        return found
    provider = next((name for prefix, name in _BACKUPS.items() if lowered.startswith(prefix)), "")
    if not provider or not lowered.endswith("/delete"):
        return None
    return provider + lowered[len(provider) :], Action.INHIBIT, Shape.BACKUP


SERVICES: Final[Mapping[str, str]] = {
    "262044b1-e2ce-469f-a196-69ab7ada62d3": "Backup Management Service",
    "0c7668b5-3260-4ad0-9f53-34ed54fa19b2": "Microsoft Defender for Cloud Servers Scanner",
    "8edd93e1-2103-40b4-bd70-6e34e586362d": "Microsoft Defender for Cloud",
    "60e6cd67-9c8c-4951-9b3c-23c25a2169af": "Compute Resource Provider",
}
"""Azure's own applications that make, use and delete snapshots by themselves, by application id. Not among them are
those that do what somebody tells them in a request (Privileged Identity Management, Resource Manager)."""
SERVICE_IDENTITIES = ("microsoft.recoveryservices/vaults", "microsoft.dataprotection/backupvaults")
"""Types of resources whose own managed identity nobody but the service itself can use."""
CLIENTS: Final[Mapping[str, str]] = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "Azure portal",
}
REACHING: Final[Mapping[str, str]] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "7efff54f-a5b4-42b5-a1c5-5411624893ce": "Disk Snapshot Contributor",
    "3e5e47e6-65f7-47ef-90b5-e5dd4d455f24": "Disk Backup Reader",
    "b50d9833-a0cb-478e-945f-707fcc997c13": "Disk Restore Operator",
    "959f8984-c045-4866-89c7-12bf9737be2e": "Data Operator for Managed Disks",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "5e467623-bb1f-42f4-a55d-6e525e11384b": "Backup Contributor",
    "00c29273-979b-4161-815c-10b084fb9324": "Backup Operator",
    "f54b6d04-23c6-443e-b462-9c16ab7b4a52": "Backup MUA Operator",
    "dfce8971-25e3-42e3-ba33-6055438e3080": "VM Restore Operator",
    "afc680e2-a938-412d-b213-9a49efa7fb83": "Azure Backup Snapshot Contributor",
    "90e8b822-3e73-47b5-868a-787dc80c008f": "Elastic SAN Volume Importer",
    "d24ecba3-c1f4-40fa-a7bb-4588a071e8fd": "Defender Agentless VM Scan",
    "df2711a6-406d-41cf-b366-b0250bff9ad1": "Compute Diagnostics Role",
    "4f8fab4f-1852-4a58-a46a-8eaf358af14a": "Avere Contributor",
    "5b7237c5-45e1-49d6-bc18-a1f62f400748": "Azure Red Hat OpenShift Disk Storage Operator",
    "fd8ea4d5-6509-4db0-bada-356ab233b4fa": "Azure Migrate Owner",
    "1cfa4eac-9a23-481c-a793-bfb6958e836b": "Azure Migrate Execute Expert",
    "7859c0b0-0bb9-4994-bd12-cd529af7d646": "Azure Migrate Decide and Plan Expert",
    "fd8ea4d5-6509-4db0-bada-356ab233b4fb": "Azure Local Migrate Owner",
}
"""Built-in roles that reach data, or may hand themselves those that do (Azure built-in roles, learn.microsoft.com; the
definitions as of 22 August 2026, iann0036/iam-dataset, azure/built-in-roles-raw.json)."""
DATA = (
    "microsoft.compute/snapshots",
    "microsoft.compute/disks",
    "microsoft.compute/images",
    "microsoft.compute/galleries",
    "microsoft.compute/restorepointcollections",
    "microsoft.recoveryservices/vaults",
    "microsoft.dataprotection/backupvaults",
)
"""On these, any role is a share: to read an image is to start machines from it."""
