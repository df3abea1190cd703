"""Managed disk snapshots (`Microsoft.Compute/snapshots`): who can mint a link to the data, and whether one is live."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import choice, flag, lower, moment, number, section, text
from snapbase.collect.azure.managed import observe_each, storage, unborn
from snapbase.collect.azure.roles import SNAPSHOT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.urls import bare
from snapbase.collect.collector import Collector, Where
from snapbase.model import Json, Observation, Resource, Scope

LIST_SNAPSHOTS = "Microsoft.Compute/snapshots/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every snapshot of the subscription, in all its regions."""
    pages = subscription.pages(LIST_SNAPSHOTS, subscription.compute.snapshots.list)
    snapshots = (resource_of(each, scope.account) for page in pages for each in page if not unborn(each))
    return observe_each(subscription, SNAPSHOT, snapshots)


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A snapshot as ARM describes it (Compute REST API, Snapshot)."""
    properties = section(listed.get("properties"))
    creation = section(properties.get("creationData"))
    attributes, facts = _attributes(listed, properties, creation), _facts(listed, properties, creation)
    return storage(listed, account, source=_source(creation), attributes=attributes, facts=facts)


def _source(creation: Mapping[str, Any]) -> str | None:
    for name in ("sourceResourceId", "elasticSanResourceId", "storageAccountId"):
        if found := lower(creation.get(name)):
            return "/" + found.lstrip("/")
    return bare(creation.get("sourceUri"))


def _attributes(
    listed: Mapping[str, Any], properties: Mapping[str, Any], creation: Mapping[str, Any]
) -> Mapping[str, Json]:
    security = section(properties.get("securityProfile"))
    immutability = section(properties.get("immutabilityPolicy"))
    return {
        "security_type": text(security.get("securityType")),
        "secure_vm_disk_encryption_set": lower(security.get("secureVMDiskEncryptionSetId")),
        "guest_encryption": flag(section(properties.get("encryptionSettingsCollection")).get("enabled")),
        "immutability": choice(immutability.get("type"), "Unlocked", "Locked"),
        "immutability_days": number(immutability.get("immutabilityDurationDays")),
        "incremental": flag(properties.get("incremental")),
        "create_option": text(creation.get("createOption")),
        "hyper_v_generation": text(properties.get("hyperVGeneration")),
        "supports_hibernation": flag(properties.get("supportsHibernation")),
        "created_by_type": text(section(listed.get("systemData")).get("createdByType")),
    }


def _facts(listed: Mapping[str, Any], properties: Mapping[str, Any], creation: Mapping[str, Any]) -> Mapping[str, Json]:
    ends = moment(section(properties.get("immutabilityPolicy")).get("policyExpirationTime"))
    error = section(properties.get("copyCompletionError"))
    facts = {
        "source_unique_id": lower(creation.get("sourceUniqueId")),
        "incremental_family": lower(properties.get("incrementalSnapshotFamilyId")),
        "immutability_expires_at": ends.isoformat() if ends else None,
        "copy_error": text(error.get("errorCode")),
        "created_by": text(section(listed.get("systemData")).get("createdBy")),
    }
    return {name: value for name, value in facts.items() if value is not None}


COLLECTOR = Collector(
    kind="azure.compute.snapshot",
    title="Managed disk snapshots",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_SNAPSHOTS, *PERMISSIONS),
    calls=f"1 per page of snapshots + {CALLS}",
    blind=(
        "Who asked for a live SAS and until when; downloads; a SAS minted and revoked between two runs; members of "
        "groups; whom a deny assignment leaves out through a group."
    ),
)
