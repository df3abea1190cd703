"""Guests and other tenants' applications that hold roles here: whose they are, as Microsoft Graph tells.

A role assignment names an object id and nothing more. Grants keep that id whether Graph answers or not; what Graph
knows is read as a kind of its own, so that a refusal of Graph is lost coverage and no change of anybody's access.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from snapbase.collect.azure.assignments import CALLS, PERMISSIONS, assignments_of
from snapbase.collect.azure.errors import Unread
from snapbase.collect.azure.fields import lower, text
from snapbase.collect.azure.paging import pager
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Grant, Miss, Observation, Outcome, Principal, PrincipalKind, Resource, ResourceType, Scope

LIST_USERS = "graph:User.Read.All"
LIST_APPLICATIONS = "graph:Application.Read.All"
_USERS = "/v1.0/users?$select=id,userType,userPrincipalName,mail,creationType,externalUserState&$filter=id in ({})"
_APPLICATIONS = "/v1.0/servicePrincipals?$select=id,appId,displayName,appOwnerOrganizationId&$filter=id in ({})"
_BATCH = 15
"""The most values Graph takes in one `in` (Use the $filter query parameter, learn.microsoft.com)."""
_MICROSOFT = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
"""Microsoft's own tenants, which own its first-party applications."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Everybody from outside who holds a role that reaches data in the subscription, under the name of their home."""
    held = _held(subscription)
    users = sorted(each.id for each in held if each.kind == PrincipalKind.USER)
    applications = sorted(each.id for each in held if each.kind == PrincipalKind.SERVICE_PRINCIPAL)
    if not users and not applications:
        return
    tenant = lower(subscription.listed.get("tenantId"))
    for listed in _asked(subscription, LIST_USERS, _USERS, users):
        home = guest(listed)
        if home is not None:
            kept = held[Principal(PrincipalKind.USER, lower(listed.get("id")) or "")]
            yield _observe(subscription, listed, home, "guest", kept, scope.account)
    for listed in _asked(subscription, LIST_APPLICATIONS, _APPLICATIONS, applications):
        owner = lower(listed.get("appOwnerOrganizationId"))
        if owner not in (None, tenant):
            kept = held[Principal(PrincipalKind.SERVICE_PRINCIPAL, lower(listed.get("id")) or "")]
            yield _observe(subscription, listed, application(listed), "application", kept, scope.account)


def _held(subscription: Subscription) -> dict[Principal, frozenset[Grant]]:
    """What each principal may do somewhere in the subscription. Raises `Unread`."""
    assignments = assignments_of(subscription)
    found: dict[Principal, frozenset[Grant]] = {}
    for scope in assignments.held:
        for grant in assignments.reaching(scope):
            if _ID.fullmatch(grant.principal.id):
                found[grant.principal] = found.get(grant.principal, frozenset()) | {grant}
    return found


def _asked(subscription: Subscription, operation: str, path: str, ids: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """What Graph knows of the objects with these ids; the deleted and those of other directories are not in it."""
    waiting = iter(ids)
    while batch := list(islice(waiting, _BATCH)):
        asked = path.format(",".join(f"'{each}'" for each in batch)).replace(" ", "%20")
        if not subscription.graph:
            raise _no_graph(subscription, operation)
        listing = partial(pager, subscription.directory().send_request, f"{subscription.graph}{asked}", "")
        for page in subscription.pages(operation, listing):
            yield from (each for each in page if lower(each.get("id")) in batch)


def _no_graph(subscription: Subscription, operation: str) -> Unread:
    from azure.core.exceptions import ServiceRequestError

    return Unread(operation, subscription.id, ServiceRequestError("no Microsoft Graph is known beside this endpoint"))


def guest(user: Mapping[str, Any]) -> Principal | None:
    """Who a guest is at home; None for a member. Their name here is their address there, `@` written as `_`, then
    `#EXT#` and the name of this directory (Microsoft Entra B2B, learn.microsoft.com)."""
    name = lower(user.get("userPrincipalName")) or ""
    local, mark, _ = name.partition("#ext#")
    if not mark and not _is_external(user):
        return None
    account, joint, domain = local.rpartition("_") if mark else ("", "", "")
    at_home = f"{account}@{domain}" if joint and account and "." in domain else text(user.get("mail"))
    if at_home is None or "@" not in at_home:
        return Principal(PrincipalKind.OTHER, f"guest {lower(user.get('id'))}")
    return Principal(PrincipalKind.USER, at_home.lower())


def _is_external(user: Mapping[str, Any]) -> bool:
    """Also one who was renamed, and made a member: how they came here stays with them (Microsoft Graph, user)."""
    came = lower(user.get("creationType")) in ("invitation", "selfservicesignup")
    return came or lower(user.get("userType")) == "guest" or text(user.get("externalUserState")) is not None


def application(listed: Mapping[str, Any]) -> Principal:
    """Whose application it is: Microsoft's own are a service of the provider."""
    owner = lower(listed.get("appOwnerOrganizationId")) or "unknown"
    if owner in _MICROSOFT:
        return Principal(PrincipalKind.SERVICE, text(listed.get("displayName")) or lower(listed.get("appId")) or owner)
    return Principal(PrincipalKind.TENANT, owner)


def _observe(
    subscription: Subscription,
    listed: Mapping[str, Any],
    home: Principal,
    level: str,
    held: frozenset[Grant],
    account: str,
) -> Observation:
    key = lower(listed.get("id")) or ""
    uid = f"{subscription.uid}#{level}:{key}"
    resource = Resource(
        uid=uid,
        address=uid,
        type=ResourceType.CONTAINER,
        name=text(listed.get("displayName")) or text(listed.get("userPrincipalName")),
        owner=account,
        attributes={"level": level, "object_id": key},
    )
    if home.kind == PrincipalKind.OTHER:
        return Observation(resource, None, Miss(Outcome.PARTIAL, "a guest whose home is not told"))
    grants = (
        replace(each, principal=home, mechanism=f"azure.entra/{each.mechanism.partition('/')[2]}") for each in held
    )
    return Observation(resource, frozenset(grants))


COLLECTOR = Collector(
    kind="azure.entra.guest",
    title="Guests and other tenants' applications with roles",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_USERS, LIST_APPLICATIONS, *PERMISSIONS),
    calls=f"1 to Microsoft Graph per 15 users or applications that hold roles + {CALLS}",
    blind=(
        "Members of groups, guests among them; deleted principals; principals of a tenant other than the credential's; "
        "a managed identity that somebody outside controls."
    ),
)
