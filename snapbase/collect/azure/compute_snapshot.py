"""Managed disk snapshots (`Microsoft.Compute/snapshots`): who can mint a link to the data, and whether one is live."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import choice, flag, labels, lower, moment, number, section, text
from snapbase.collect.azure.managed import (
    SAS,
    containers,
    incarnation,
    is_live,
    network_attributes,
    network_limits,
    observe,
    shared_of,
    unborn,
)
from snapbase.collect.azure.roles import SNAPSHOT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.azure.urls import bare
from snapbase.collect.collector import Collector, Where
from snapbase.model import Json, Observation, Resource, Scope

LIST_SNAPSHOTS = "Microsoft.Compute/snapshots/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every snapshot of the subscription, in all its regions."""
    shared = shared_of(subscription)
    seen = set()
    for page in subscription.pages(LIST_SNAPSHOTS, subscription.compute.snapshots.list):
        for listed in page:
            if unborn(listed):
                continue
            resource = resource_of(listed, scope.account)
            # Lists are not transactions: what is created or deleted meanwhile moves others to another page.
            if resource.uid not in seen:
                seen.add(resource.uid)
                live = is_live(listed)
                yield observe(resource, SNAPSHOT, shared, (SAS,) if live else (), "a SAS is live on it" if live else "")


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A snapshot as ARM describes it (Compute REST API, Snapshot).

    `encrypted` is always true: managed storage encrypts at rest, and `key` is the disk encryption set where the key is
    the customer's.
    """
    properties = section(listed.get("properties"))
    creation = section(properties.get("creationData"))
    address = text(listed.get("id")) or ""
    return Resource(
        uid=_uid(address, properties),
        address=address,
        name=text(listed.get("name")),
        created_at=moment(properties.get("timeCreated")),
        owner=account,
        source=_source(creation),
        encrypted=True,
        key=lower(section(properties.get("encryption")).get("diskEncryptionSetId")),
        guards=containers(address, account),
        limits=network_limits(properties),
        attributes=_attributes(listed, properties, creation),
        facts=_facts(listed, properties, creation),
        tags=labels(listed.get("tags")),
    )


def _uid(address: str, properties: Mapping[str, Any]) -> str:
    """The incarnation: names come back, uniqueId never does. API versions before 2020 do not send it."""
    return lower(properties.get("uniqueId")) or incarnation(address, properties.get("timeCreated"))


def _source(creation: Mapping[str, Any]) -> str | None:
    for name in ("sourceResourceId", "elasticSanResourceId", "storageAccountId"):
        if found := lower(creation.get(name)):
            return "/" + found.lstrip("/")
    return bare(creation.get("sourceUri"))


def _attributes(
    listed: Mapping[str, Any], properties: Mapping[str, Any], creation: Mapping[str, Any]
) -> Mapping[str, Json]:
    encryption = section(properties.get("encryption"))
    security = section(properties.get("securityProfile"))
    immutability = section(properties.get("immutabilityPolicy"))
    return {
        "location": lower(listed.get("location")),
        "sku": text(section(listed.get("sku")).get("name")),
        **network_attributes(properties),
        "data_access_auth_mode": choice(properties.get("dataAccessAuthMode"), "AzureActiveDirectory", "None"),
        "encryption_type": text(encryption.get("type")),
        "security_type": text(security.get("securityType")),
        "secure_vm_disk_encryption_set": lower(security.get("secureVMDiskEncryptionSetId")),
        "guest_encryption": flag(section(properties.get("encryptionSettingsCollection")).get("enabled")),
        "immutability": choice(immutability.get("type"), "Unlocked", "Locked"),
        "immutability_days": number(immutability.get("immutabilityDurationDays")),
        "incremental": flag(properties.get("incremental")),
        "size_gb": number(properties.get("diskSizeGB")),
        "create_option": text(creation.get("createOption")),
        "os_type": text(properties.get("osType")),
        "hyper_v_generation": text(properties.get("hyperVGeneration")),
        "supports_hibernation": flag(properties.get("supportsHibernation")),
        "live_sas": is_live(listed) or None,  # a grant too; this shows it while the roles beside it cannot be read
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
