"""Role assignments on what lies above snapshots: resource groups, subscriptions, management groups, the tenant root."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.azure.assignments import LIST_ASSIGNMENTS, READ_ROLES, Assignments, assignments_of
from snapbase.collect.azure.fields import labels, lower, text
from snapbase.collect.azure.session import Subscription, managing_tenants
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

LIST_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
_GROUPS_API = "2021-04-01"
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """The subscription, its resource groups, and every scope above it that has a role assignment, each with the
    assignments made exactly there that reach the data of snapshots."""
    assignments = assignments_of(subscription)
    above = sorted(each for each in assignments.grants if each == "/" or each.startswith(_MANAGEMENT_GROUP))
    for each in above:
        yield _observe(_above(each), assignments)
    yield _observe(_subscription(subscription, tuple(above)), assignments)
    for page in subscription.pages(LIST_GROUPS, partial(_resource_groups, subscription)):
        for listed in page:
            yield _observe(_resource_group(listed, scope.account), assignments)


def _observe(container: Resource, assignments: Assignments) -> Observation:
    miss = assignments.misses.get(container.uid)
    if miss is not None:
        return Observation(container, None, miss)
    return Observation(container, assignments.grants.get(container.uid, frozenset()))


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


def _resource_groups(subscription: Subscription, **options: Any) -> Any:
    """Resource groups as an SDK pager (Resources REST API): their own SDK would be one more to install for one call."""
    from azure.core.paging import ItemPaged
    from azure.core.rest import HttpRequest

    def get_next(link: str | None) -> Any:
        url = link or f"{{endpoint}}/subscriptions/{subscription.id}/resourcegroups?api-version={_GROUPS_API}"
        response = subscription.compute.send_request(HttpRequest("GET", url), **options)
        response.raise_for_status()
        return response.json()

    def extract(body: Any) -> tuple[str | None, Iterator[Any]]:
        return body.get("nextLink") or None, iter(body["value"])

    return ItemPaged(get_next, extract)


COLLECTOR = Collector(
    kind="azure.rbac",
    title="Role assignments above snapshots",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_ASSIGNMENTS, READ_ROLES, LIST_GROUPS),
    calls="1 per page of role assignments (shared with the snapshots) + 1 per page of resource groups",
    blind=(
        "Members of groups; guests; PIM-eligible roles; deny assignments; what Azure Lighthouse lets a managing tenant "
        "do (only that there is one); management groups that have no assignment of their own."
    ),
)
