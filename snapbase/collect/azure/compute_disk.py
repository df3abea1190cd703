"""Managed disks with a live download link: as good as a snapshot to whoever holds it. Other disks are no way out."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import lower
from snapbase.collect.azure.managed import is_live, observe_each, storage
from snapbase.collect.azure.roles import DISK
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

LIST_DISKS = "Microsoft.Compute/disks/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every disk of the subscription that somebody can download now."""
    pages = subscription.pages(LIST_DISKS, subscription.compute.disks.list)
    disks = (resource_of(each, scope.account) for page in pages for each in page if is_live(each))
    return observe_each(subscription, DISK, disks)


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A disk as ARM describes it (Compute REST API, Disk)."""
    return storage(listed, account, source=lower(listed.get("managedBy")), attributes={}, sort=ResourceType.DISK)


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
