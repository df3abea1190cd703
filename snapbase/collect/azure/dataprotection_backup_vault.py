"""Backup vaults (Microsoft.DataProtection): whether backups can be restored elsewhere, and deleted for good.

Read through the generic pipeline: azure-mgmt-dataprotection would be one more package for this one list. Its models
(2.2.0, BackupVaultResource) name the fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import flag, lower, section
from snapbase.collect.azure.roles import BACKUP_VAULT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.vaults import Vaults, immutability, observe_vaults, protects, state, vault
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_VAULTS = Vaults("Microsoft.DataProtection/backupVaults", "2024-04-01")


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every backup vault of the subscription."""
    found = _VAULTS.listed(subscription)
    return observe_vaults(subscription, BACKUP_VAULT, (resource_of(each, scope.account) for each in found))


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A vault as ARM describes it (Data Protection REST API, Backup Vault)."""
    properties = section(listed.get("properties"))
    security = section(properties.get("securitySettings"))
    features = section(properties.get("featureSettings"))
    key = section(section(security.get("encryptionSettings")).get("keyVaultProperties"))
    posture = {
        "immutability": immutability(security),
        **protects(section(security.get("softDeleteSettings")).get("state")),
        "cross_subscription_restore": state(section(features.get("crossSubscriptionRestoreSettings")).get("state")),
        "cross_region_restore": state(section(features.get("crossRegionRestoreSettings")).get("state")),
        "resource_guard": flag(properties.get("isVaultProtectedByResourceGuard")),
        "customer_key": lower(key.get("keyUri")),
    }
    return vault(listed, account, posture)


COLLECTOR = Collector(
    kind="azure.dataprotection.backup-vault",
    title="Backup vaults",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(_VAULTS.operation, *PERMISSIONS),
    calls=f"1 per page of vaults + {CALLS}",
    blind="The backup instances and recovery points in it, backup policies, resource guards of other tenants.",
)
