"""Restore points of machines, each with the disks it holds: links to their data are minted like those of snapshots."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS
from snapbase.collect.azure.compute_restore_point_collection import LIST_COLLECTIONS, collections_of
from snapbase.collect.azure.compute_restore_point_collection import resource_of as collection_of
from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import choice, flag, items, lower, moment, section, text
from snapbase.collect.azure.managed import (
    NETWORK,
    PUBLIC_ACCESS,
    group_and_name,
    incarnation,
    observe,
    shared_of,
    unborn,
)
from snapbase.collect.azure.roles import RESTORE_POINT
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Json, Observation, Resource, Scope

LIST_DISKS = "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints/read"
Listed = Mapping[str, Any]


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every restore point of the subscription."""
    shared = shared_of(subscription)
    ask = partial(_points, subscription)
    collections = [collection_of(each, scope.account) for each in collections_of(subscription)]
    for collection, points in zip(collections, subscription.runtime.map(ask, collections), strict=True):
        for point, disks in points:
            inner = filter(None, (text(each.get("id")) for each in disks))
            yield observe(resource_of(point, disks, collection), RESTORE_POINT, shared, also=inner)


def _points(subscription: Subscription, collection: Resource) -> list[tuple[Listed, list[Listed]]]:
    """A collection's restore points, each with its disks; without what is deleted meanwhile."""
    compute = subscription.compute
    place = group_and_name(collection.address)
    try:
        body = subscription.get(
            LIST_COLLECTIONS, partial(compute.restore_point_collections.get, *place, expand="restorePoints")
        )
    except Unread as error:
        if is_gone(error):
            return []
        raise
    found = []
    for point in items(section(body.get("properties")).get("restorePoints")):
        if isinstance(point, Mapping) and not unborn(point):
            disks = _disks(subscription, place, text(point.get("name")) or "")
            if disks is not None:
                found.append((point, disks))
    return found


def _disks(subscription: Subscription, place: tuple[str, str], point: str) -> list[Listed] | None:
    listing = partial(subscription.compute.disk_restore_point.list_by_restore_point, *place, point)
    try:
        return [each for page in subscription.pages(LIST_DISKS, listing) for each in page]
    except Unread as error:
        if is_gone(error):
            return None
        raise


def resource_of(listed: Listed, disks: list[Listed], collection: Resource) -> Resource:
    """A restore point as ARM describes it (Compute REST API, Restore Point and Disk Restore Point). Its network
    settings are those of its most open disk."""
    properties = section(listed.get("properties"))
    inner = [section(each.get("properties")) for each in disks]
    address = text(listed.get("id")) or ""
    keys = sorted(filter(None, (lower(section(each.get("encryption")).get("diskEncryptionSetId")) for each in inner)))
    return Resource(
        uid=incarnation(address, properties.get("timeCreated")),
        address=address,
        name=text(listed.get("name")),
        created_at=moment(properties.get("timeCreated")),
        owner=collection.owner,
        source=collection.source,
        encrypted=True,
        key=keys[0] if keys else None,
        guards=(collection.uid, *collection.guards),
        attributes={
            "location": collection.attributes.get("location"),
            "network_access_policy": _most_open(inner, "networkAccessPolicy", NETWORK),
            "public_network_access": _most_open(inner, "publicNetworkAccess", PUBLIC_ACCESS),
            "disk_access": next(iter(sorted(filter(None, (lower(e.get("diskAccessId")) for e in inner)))), None),
            "consistency": text(properties.get("consistencyMode")),
            "supports_hibernation": any(flag(each.get("supportsHibernation")) for each in inner),
        },
        facts=_facts(properties, inner),
    )


def _facts(properties: Mapping[str, Any], disks: list[Mapping[str, Any]]) -> Mapping[str, Json]:
    sources = sorted(filter(None, (lower(each.get("sourceResourceId")) for each in disks)))
    copied = lower(section(properties.get("sourceRestorePoint")).get("id"))
    return {"disks": sources, "copied_from": copied} if copied else {"disks": sources}


def _most_open(disks: list[Mapping[str, Any]], name: str, known: tuple[str, ...]) -> str | None:
    """The most open value of any disk; one that this version does not know counts as open."""
    found = [value for each in disks if (value := choice(each.get(name), *known))]
    return min(found, key=lambda value: known.index(value) if value in known else -1, default=None)


COLLECTOR = Collector(
    kind="azure.compute.restore-point",
    title="Restore points of machines",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_COLLECTIONS, LIST_DISKS, *PERMISSIONS),
    calls=f"1 per restore point collection + 1 per restore point + {CALLS}",
    blind="Whether a SAS is live on one (no field tells), who asked for it, and downloads.",
)
