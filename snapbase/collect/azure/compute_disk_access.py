"""Disk accesses (`Microsoft.Compute/diskAccesses`): whose private endpoints reach what is only privately reachable."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.fields import items, labels, lower, moment, section, text
from snapbase.collect.azure.managed import containers, incarnation
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import (
    Access,
    Grant,
    Miss,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
)

LIST_ACCESSES = "Microsoft.Compute/diskAccesses/read"
MECHANISM = "azure.disk-access/private-endpoint"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every disk access of the subscription, with the subscriptions whose private endpoints are let in."""
    for page in subscription.pages(LIST_ACCESSES, subscription.compute.disk_accesses.list):
        for listed in page:
            yield _observe(listed, scope.account)


def _observe(listed: Mapping[str, Any], account: str) -> Observation:
    connections = section(listed.get("properties")).get("privateEndpointConnections")
    resource = _resource(listed, account, items(connections))
    if connections is not None and not isinstance(connections, list):
        return Observation(resource, None, Miss(Outcome.FAILED, "its private endpoint connections are not a list"))
    approved = [each for each in items(connections) if _status(each) == "approved"]
    return Observation(resource, frozenset(_grant(each) for each in approved))


def _resource(listed: Mapping[str, Any], account: str, connections: list[Any]) -> Resource:
    address = text(listed.get("id")) or ""
    created = section(listed.get("properties")).get("timeCreated")
    waiting = sorted({_endpoint(each) or "unknown" for each in connections if _status(each) == "pending"})
    return Resource(
        uid=incarnation(address, created),
        address=address,
        type=ResourceType.CONTAINER,
        name=text(listed.get("name")),
        created_at=moment(created),
        owner=account,
        guards=containers(address, account),
        attributes={"location": lower(listed.get("location")), "waiting_for_approval": waiting or None},
        tags=labels(listed.get("tags")),
    )


def _grant(connection: Any) -> Grant:
    """The endpoint's subscription is in its id; of which tenant that is, only that tenant could say."""
    endpoint = _endpoint(connection) or ""
    parts = endpoint.strip("/").split("/")
    if len(parts) > 1 and parts[0] == "subscriptions":
        principal = Principal(PrincipalKind.SUBSCRIPTION, parts[1])
    else:
        principal = Principal(PrincipalKind.OTHER, endpoint or "unknown private endpoint")
    return Grant(principal, Access.READ, MECHANISM)


def _endpoint(connection: Any) -> str | None:
    properties = section(section(connection).get("properties"))
    return lower(section(properties.get("privateEndpoint")).get("id"))


def _status(connection: Any) -> str | None:
    properties = section(section(connection).get("properties"))
    return lower(section(properties.get("privateLinkServiceConnectionState")).get("status"))


COLLECTOR = Collector(
    kind="azure.compute.disk-access",
    title="Disk accesses and their private endpoints",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_ACCESSES,),
    calls="1 per page of disk accesses",
    blind="The tenant of another's subscription; who sits behind a private endpoint's network.",
)
