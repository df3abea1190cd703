"""Restore point collections: what holds the restore points of one machine, and who holds roles on it."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.fields import labels, lower, section, text
from snapbase.collect.azure.managed import containers, incarnation, made_at, observe_each
from snapbase.collect.azure.roles import RESTORE_POINT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

LIST_COLLECTIONS = "Microsoft.Compute/restorePointCollections/read"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every restore point collection of the subscription."""
    found = collections_of(subscription)
    yield from observe_each(subscription, RESTORE_POINT, (resource_of(each, scope.account) for each in found))


def collections_of(subscription: Subscription) -> list[Mapping[str, Any]]:
    """The subscription's collections, listed once for both kinds. Raises `Unread`."""
    return subscription.runtime.once(("azure.restore-points", subscription.id), lambda: _listed(subscription))


def _listed(subscription: Subscription) -> list[Mapping[str, Any]]:
    listing = subscription.compute.restore_point_collections.list_all
    found = {}
    for page in subscription.pages(LIST_COLLECTIONS, listing):
        found.update({lower(each.get("id")): each for each in page})
    return list(found.values())


def resource_of(listed: Mapping[str, Any], account: str) -> Resource:
    """A collection as ARM describes it (Compute REST API, Restore Point Collection). It may lie in another region than
    its machine: then its restore points are copies."""
    properties = section(listed.get("properties"))
    source = section(properties.get("source"))
    address = text(listed.get("id")) or ""
    return Resource(
        uid=lower(properties.get("restorePointCollectionId")) or incarnation(address, made_at(listed)),
        address=address,
        type=ResourceType.CONTAINER,
        name=text(listed.get("name")),
        owner=account,
        source=lower(source.get("id")),
        guards=containers(address, account),
        attributes={"location": lower(listed.get("location")), "source_location": lower(source.get("location"))},
        tags=labels(listed.get("tags")),
    )


COLLECTOR = Collector(
    kind="azure.compute.restore-point-collection",
    title="Restore point collections",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_COLLECTIONS, *PERMISSIONS),
    calls=f"1 per page of restore point collections + {CALLS}",
    blind="Nothing of its own; its restore points are another kind.",
)
