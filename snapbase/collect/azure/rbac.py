"""Role assignments on what lies above snapshots: resource groups, subscriptions, management groups, the tenant root."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS, Assignments, assignments_of
from snapbase.collect.azure.fields import labels, lower, text
from snapbase.collect.azure.generic import LIST_GROUPS, groups_of
from snapbase.collect.azure.session import Subscription, managing_tenants
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """The subscription, its resource groups, and every scope above it that has a role assignment, each with the
    assignments made exactly there that reach the data of snapshots."""
    assignments = assignments_of(subscription)
    above = sorted(each for each in assignments.held if each == "/" or each.startswith(_MANAGEMENT_GROUP))
    for each in above:
        yield _observe(_above(each), assignments)
    yield _observe(_subscription(subscription, tuple(above)), assignments)
    for listed in groups_of(subscription):
        yield _observe(_resource_group(listed, scope.account), assignments)


def _observe(container: Resource, assignments: Assignments) -> Observation:
    miss = assignments.misses.get(container.uid)
    if miss is not None:
        return Observation(container, None, miss)
    return Observation(container, assignments.inside(container.uid))


def _above(scope: str) -> Resource:
    level = "management-group" if scope.startswith(_MANAGEMENT_GROUP) else "tenant-root"
    name = scope.rpartition("/")[2] or "tenant root"
    attributes = {"level": level}
    return Resource(uid=scope, address=scope, type=ResourceType.CONTAINER, name=name, attributes=attributes)


def _subscription(subscription: Subscription, above: tuple[str, ...]) -> Resource:
    listed = subscription.listed
    return Resource(
        uid=subscription.uid,
        address=subscription.uid,
        type=ResourceType.CONTAINER,
        name=text(listed.get("displayName")),
        owner=subscription.id,
        guards=above,
        attributes={
            "level": "subscription",
            "subscription_id": subscription.id,
            "tenant_id": lower(listed.get("tenantId")),
            "state": text(listed.get("state")),
            "managed_by_tenants": managing_tenants(listed),
        },
        tags=labels(listed.get("tags")),
    )


def _resource_group(listed: Mapping[str, Any], account: str) -> Resource:
    address = text(listed.get("id")) or ""
    return Resource(
        uid=address.lower(),
        address=address,
        type=ResourceType.CONTAINER,
        name=text(listed.get("name")),
        owner=account,
        guards=(f"/subscriptions/{account}",),
        attributes={
            "level": "resource-group",
            "location": lower(listed.get("location")),
            "managed_by": lower(listed.get("managedBy")),
        },
        tags=labels(listed.get("tags")),
    )


COLLECTOR = Collector(
    kind="azure.rbac",
    title="Role assignments above snapshots",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(*PERMISSIONS, LIST_GROUPS),
    calls=f"1 per page of resource groups + {CALLS}",
    blind=(
        "Members of groups; management groups that have no assignment of their own; deny assignments below the scope "
        "of a role; Reader above images and galleries, which lets its holder launch machines from them."
    ),
)
