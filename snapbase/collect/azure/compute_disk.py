"""Managed disks with a live download link: as good as a snapshot to whoever holds it. Other disks are no way out."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import choice, labels, lower, moment, number, section, text
from snapbase.collect.azure.managed import (
    SAS,
    containers,
    incarnation,
    is_live,
    network_attributes,
    network_limits,
    observe,
    shared_of,
)
from snapbase.collect.azure.roles import DISK
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

LIST_DISKS = "Microsoft.Compute/disks/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every disk of the subscription that somebody can download now."""
    shared = shared_of(subscription)
    seen = set()
    for page in subscription.pages(LIST_DISKS, subscription.compute.disks.list):
        for listed in page:
            if not is_live(listed):
                continue
            resource = resource_of(listed, scope.account)
            if resource.uid not in seen:
                seen.add(resource.uid)
                yield observe(resource, DISK, shared, (SAS,), "a SAS is live on it")


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A disk as ARM describes it (Compute REST API, Disk)."""
    properties = section(listed.get("properties"))
    encryption = section(properties.get("encryption"))
    address = text(listed.get("id")) or ""
    return Resource(
        uid=lower(properties.get("uniqueId")) or incarnation(address, properties.get("timeCreated")),
        address=address,
        type=ResourceType.DISK,
        name=text(listed.get("name")),
        created_at=moment(properties.get("timeCreated")),
        owner=account,
        source=lower(listed.get("managedBy")),
        encrypted=True,
        key=lower(encryption.get("diskEncryptionSetId")),
        guards=containers(address, account),
        limits=network_limits(properties),
        attributes={
            "location": lower(listed.get("location")),
            "sku": text(section(listed.get("sku")).get("name")),
            **network_attributes(properties),
            "data_access_auth_mode": choice(properties.get("dataAccessAuthMode"), "AzureActiveDirectory", "None"),
            "encryption_type": text(encryption.get("type")),
            "size_gb": number(properties.get("diskSizeGB")),
            "os_type": text(properties.get("osType")),
            "live_sas": True,
        },
        tags=labels(listed.get("tags")),
    )


COLLECTOR = Collector(
    kind="azure.compute.disk",
    title="Managed disks with a live download link",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_DISKS, *PERMISSIONS),
    calls=f"1 per page of disks + {CALLS}",
    blind=(
        "Who asked for a live SAS and until when; downloads; a SAS minted and revoked between two runs; disks without "
        "one, and with them the roles held on such a disk."
    ),
)
