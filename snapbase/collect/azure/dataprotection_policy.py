"""Backup policies of backup vaults (Microsoft.DataProtection): when they back up, how long they keep it, and where.

Read through the generic pipeline, like the vaults. The models of azure-mgmt-dataprotection (2.2.0,
BaseBackupPolicyResource) name the fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.backup_policies import policy
from snapbase.collect.azure.fields import items, section, text
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.vaults import Vaults
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, Scope

_VAULTS = Vaults("Microsoft.DataProtection/backupVaults", "2024-04-01")


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every policy of every backup vault of the subscription."""
    for listed in _VAULTS.policies(subscription):
        yield Observation(resource_of(listed, scope.account))


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A policy as ARM describes it, each of its rules in ARM's own words."""
    properties = section(listed.get("properties"))
    rules = [section(each) for each in items(properties.get("policyRules"))]
    sources = sorted(each for each in items(properties.get("datasourceTypes")) if isinstance(each, str))
    facts = {f"rule {text(each.get('name')) or number}": each for number, each in enumerate(rules, 1)}
    return policy(listed, account, {"type": ", ".join(sources) or None}, facts)


COLLECTOR = Collector(
    kind="azure.dataprotection.policy",
    title="Backup policies of backup vaults",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(_VAULTS.operation, _VAULTS.policy_operation),
    calls="1 per page of vaults + 1 per page of policies of each",
    blind="Which disks and databases it protects, and who may change it, which the vault's roles say.",
    shares=False,
)
