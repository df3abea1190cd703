"""Recovery Services vaults: whether backups can be restored into another subscription, and deleted for good.

Read through the generic pipeline: azure-mgmt-recoveryservices would be one more package for this one list. Its models
(4.3.0, Vault) name the fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import choice, lower, section, text
from snapbase.collect.azure.roles import VAULT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.vaults import Vaults, immutability, observe_vaults, protects, state, vault
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_VAULTS = Vaults("Microsoft.RecoveryServices/vaults", "2024-04-01")


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every Recovery Services vault of the subscription."""
    found = _VAULTS.listed(subscription)
    return observe_vaults(subscription, VAULT, (resource_of(each, scope.account) for each in found))


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A vault as ARM describes it (Recovery Services REST API, Vault)."""
    properties = section(listed.get("properties"))
    security = section(properties.get("securitySettings"))
    restore = section(section(properties.get("restoreSettings")).get("crossSubscriptionRestoreSettings"))
    redundancy = section(properties.get("redundancySettings"))
    key = section(section(properties.get("encryption")).get("keyVaultProperties"))
    posture = {
        "immutability": immutability(security),
        **protects(section(security.get("softDeleteSettings")).get("softDeleteState")),
        "cross_subscription_restore": state(restore.get("crossSubscriptionRestoreState")),
        "cross_region_restore": state(redundancy.get("crossRegionRestore")),
        "multi_user_authorization": text(security.get("multiUserAuthorization")),
        "public_network_access": choice(properties.get("publicNetworkAccess"), "Enabled", "Disabled"),
        "customer_key": lower(key.get("keyUri")),
    }
    return vault(listed, account, posture)


COLLECTOR = Collector(
    kind="azure.recoveryservices.vault",
    title="Recovery Services vaults",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(_VAULTS.operation, *PERMISSIONS),
    calls=f"1 per page of vaults + {CALLS}",
    blind="The recovery points in it, what is backed up at all, backup policies, resource guards of other tenants.",
)
