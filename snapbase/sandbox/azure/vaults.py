"""Recovery Services vaults and backup vaults. Their field names are those of azure-mgmt-recoveryservices 4.3.0 and
azure-mgmt-dataprotection 2.2.0, which are not installed here."""

from functools import partial

from snapbase.sandbox.azure.bodies import Shape, check_shape
from snapbase.sandbox.azure.estate import Body, now
from snapbase.sandbox.azure.routing import Tracked

_ENVELOPE: Shape = dict.fromkeys(("id", "name", "type", "location", "tags", "sku", "identity", "systemData"))
_RECOVERY: Shape = {
    **_ENVELOPE,
    "properties": {
        "provisioningState": None,
        "publicNetworkAccess": None,
        "encryption": {"keyVaultProperties": {"keyUri": None}, "infrastructureEncryption": None},
        "redundancySettings": {"standardTierStorageRedundancy": None, "crossRegionRestore": None},
        "restoreSettings": {"crossSubscriptionRestoreSettings": {"crossSubscriptionRestoreState": None}},
        "securitySettings": {
            "immutabilitySettings": {"state": None},
            "softDeleteSettings": {"softDeleteState": None, "softDeleteRetentionPeriodInDays": None},
            "multiUserAuthorization": None,
        },
    },
}
_BACKUP: Shape = {
    **{name: None for name in _ENVELOPE if name != "sku"},
    "properties": {
        "provisioningState": None,
        "storageSettings": None,
        "isVaultProtectedByResourceGuard": None,
        "featureSettings": {
            "crossSubscriptionRestoreSettings": {"state": None},
            "crossRegionRestoreSettings": {"state": None},
        },
        "securitySettings": {
            "immutabilitySettings": {"state": None},
            "softDeleteSettings": {"state": None, "retentionDurationInDays": None},
            "encryptionSettings": None,
        },
    },
}


def _vault(kind: str, shape: Shape, defaults: Body) -> Tracked:
    return Tracked(
        kind,
        check=partial(check_shape, name=kind, shape=shape),
        born=lambda _: {"provisioningState": "Succeeded", **defaults},
        stamp=lambda: {"systemData": {"createdAt": now(), "createdByType": "User"}},
        at_once=True,
    )


VAULTS = _vault("Microsoft.RecoveryServices/vaults", _RECOVERY, {"publicNetworkAccess": "Enabled"})
BACKUP_VAULTS = _vault("Microsoft.DataProtection/backupVaults", _BACKUP, {})
ROUTES = (*VAULTS.routes(), *BACKUP_VAULTS.routes())
