"""Backup policies of Recovery Services vaults: when they back up, and how long they keep it.

Read through the generic pipeline, like the vaults. The models of azure-mgmt-recoveryservicesbackup (9.2.0,
ProtectionPolicyResource and the kinds of its `properties`) name the fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.backup_policies import policy
from snapbase.collect.azure.fields import number, section, text
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.vaults import Vaults
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_VAULTS = Vaults("Microsoft.RecoveryServices/vaults", "2024-04-01")
_COUNTED, _TYPE = "protectedItemsCount", "backupManagementType"
_REQUESTS = "resourceGuardOperationRequests"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every policy of every Recovery Services vault of the subscription."""
    for listed in _VAULTS.policies(subscription):
        yield Observation(resource_of(listed, scope.account))


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A policy as ARM describes it; what it says of schedules and retentions stays in ARM's own words."""
    properties = section(listed.get("properties"))
    protects = number(properties.get(_COUNTED))
    attributes = {"type": text(properties.get(_TYPE)), "assigned": None if protects is None else protects > 0}
    facts = {name: value for name, value in properties.items() if name not in (_COUNTED, _TYPE, _REQUESTS)}
    return policy(listed, account, attributes, facts)


COLLECTOR = Collector(
    kind="azure.recoveryservices.policy",
    title="Backup policies of Recovery Services vaults",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(_VAULTS.operation, _VAULTS.policy_operation),
    calls="1 per page of vaults + 1 per page of policies of each",
    blind="Which machines, disks and databases it protects, and who may change it, which the vault's roles say.",
    shares=False,
)
