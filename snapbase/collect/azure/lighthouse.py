"""Azure Lighthouse: what people of other tenants may do here. They appear in no list of role assignments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from snapbase.collect.azure.assignments import READ_ROLES, Assignments, Held, roles_of
from snapbase.collect.azure.errors import Unread, is_gone
from snapbase.collect.azure.fields import items, lower, section, text
from snapbase.collect.azure.generic import LIST_GROUPS, groups_of, optional
from snapbase.collect.azure.rbac_eligible import LATENT
from snapbase.collect.azure.roles import role_id
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import (
    Access,
    Grant,
    Limits,
    Miss,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
)

LIST_DELEGATIONS = "Microsoft.ManagedServices/registrationAssignments/read"
READ_DEFINITIONS = "Microsoft.ManagedServices/registrationDefinitions/read"
_API = "2022-10-01"
_ONLY_SOME = "only the roles it was given to hand out, to managed identities"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every delegation of the subscription, or of one of its resource groups, to another tenant."""
    places = [subscription.uid, *(text(each.get("id")) or "" for each in groups_of(subscription))]
    seen = set()
    for delegations in subscription.runtime.map(partial(_delegations, subscription), places):
        for each in delegations:
            address = lower(each.get("id"))
            if address not in seen:
                seen.add(address)
                yield from _observe(subscription, each, scope.account)


def _delegations(subscription: Subscription, place: str) -> list[Mapping[str, Any]]:
    """Made exactly there (Managed Services REST API, Registration Assignments), each with its definition."""
    path = f"{place}/providers/Microsoft.ManagedServices/registrationAssignments?$expandRegistrationDefinition=true"
    try:
        return list(optional(subscription, LIST_DELEGATIONS, path, _API))
    except Unread as error:
        if place != subscription.uid and is_gone(error):
            return []
        raise


def _observe(subscription: Subscription, delegation: Mapping[str, Any], account: str) -> Iterator[Observation]:
    definition = section(section(section(delegation.get("properties")).get("registrationDefinition")).get("properties"))
    resource = _resource(delegation, definition, account)
    tenant = lower(definition.get("managedByTenantId"))
    if tenant is None:
        yield Observation(resource, None, Miss(Outcome.FAILED, "what it delegates, and to whom, was not answered"))
        return
    now, later = items(definition.get("authorizations")), items(definition.get("eligibleAuthorizations"))
    yield _judged(subscription, resource, tenant, now)
    if later:
        eligible = replace(resource, uid=f"{resource.uid}#eligible", address=f"{resource.address}#eligible")
        yield _judged(subscription, replace(eligible, limits=LATENT), tenant, later)


def _judged(subscription: Subscription, resource: Resource, tenant: str, authorizations: list[Any]) -> Observation:
    given = [(role_id(section(each).get("roleDefinitionId")), section(each)) for each in authorizations]
    roles = roles_of(subscription, {key for key, _ in given})
    miss = next((each for each in roles.values() if isinstance(each, Miss)), None)
    if miss is not None:
        return Observation(resource, None, miss)
    principal = Principal(PrincipalKind.TENANT, tenant)
    held = tuple(Held(principal, role) for key, _ in given if not isinstance(role := roles[key], Miss))
    found = Assignments({resource.uid: held}, {}).inside(resource.uid)
    return Observation(resource, frozenset(_delegated(found)))


def _delegated(grants: Iterable[Grant]) -> Iterator[Grant]:
    """Handing out roles is held down to a list, and to managed identities (Lighthouse, learn.microsoft.com)."""
    for grant in grants:
        condition = _ONLY_SOME if grant.access == Access.RESHARE else grant.condition
        yield replace(grant, mechanism=f"azure.lighthouse/{grant.mechanism.partition('/')[2]}", condition=condition)


def _resource(delegation: Mapping[str, Any], definition: Mapping[str, Any], account: str) -> Resource:
    address = text(delegation.get("id")) or ""
    people = {lower(section(each).get("principalId")) for each in items(definition.get("authorizations"))}
    where = address.lower().partition("/providers/microsoft.managedservices/")[0]
    return Resource(
        uid=address.lower(),
        address=address,
        type=ResourceType.CONTAINER,
        name=text(definition.get("registrationDefinitionName")),
        owner=account,
        limits=_unfinished(delegation),
        attributes={"level": "delegation", "scope": where, "tenant": lower(definition.get("managedByTenantId"))},
        facts={"principals": sorted(each for each in people if each)},
    )


def _unfinished(delegation: Mapping[str, Any]) -> Limits | None:
    """A delegation that failed or is being taken away gives nothing."""
    state = lower(section(delegation.get("properties")).get("provisioningState")) or ""
    return LATENT if state in ("failed", "canceled", "deleted", "deleting") else None


COLLECTOR = Collector(
    kind="azure.lighthouse",
    title="Delegations to other tenants (Lighthouse)",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_DELEGATIONS, READ_DEFINITIONS, LIST_GROUPS, READ_ROLES),
    calls="1 per subscription + 1 per resource group + 1 for the roles",
    blind="Who in the other tenant is behind a principal; partners' access on behalf of a customer (GDAP, CSP).",
)
