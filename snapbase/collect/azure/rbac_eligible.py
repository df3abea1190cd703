"""Roles that somebody may take whenever they want (Privileged Identity Management): no access yet, one click away."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from snapbase.collect.azure.assignments import READ_ROLES, Assignments, Held, at_scope, roles_of
from snapbase.collect.azure.errors import Unread, has_code
from snapbase.collect.azure.fields import moment, section, text
from snapbase.collect.azure.roles import holder_of, role_id
from snapbase.collect.azure.session import Subscription
from snapbase.collect.collector import Collector, Where
from snapbase.model import Grant, Limits, Miss, Observation, PrincipalKind, Resource, ResourceType, Scope

LIST_ELIGIBLE = "Microsoft.Authorization/roleEligibilityScheduleInstances/read"
LATENT = Limits(
    blocks=(
        PrincipalKind.USER,
        PrincipalKind.GROUP,
        PrincipalKind.SERVICE_PRINCIPAL,
        PrincipalKind.FOREIGN_GROUP,
        PrincipalKind.TENANT,
        PrincipalKind.OTHER,
    )
)
"""Nobody has a role before activating it."""
_NOT_LICENSED = "AadPremiumLicenseRequired"


def read(subscription: Subscription, scope: Scope) -> Iterator[Observation]:
    """Every scope at, above or below the subscription at which somebody may take a role, and what that role reaches."""
    listed = list(_instances(subscription))
    needed = {role_id(section(each.get("properties")).get("roleDefinitionId")) for each in listed}
    roles = roles_of(subscription, needed)
    held: dict[str, list[Held]] = {}
    misses: dict[str, Miss] = {}
    for each in listed:
        properties = section(each.get("properties"))
        at = held.setdefault(at_scope(each), [])
        role = roles[role_id(properties.get("roleDefinitionId"))]
        if isinstance(role, Miss):
            misses[at_scope(each)] = role
        else:
            condition, until = text(properties.get("condition")) or "", moment(properties.get("endDateTime"))
            at.append(Held(holder_of(properties), role, condition, until))
    eligible = Assignments({key: tuple(value) for key, value in held.items()}, misses)
    for place in sorted(held):
        yield _observe(place, eligible, scope.account)


def _instances(subscription: Subscription) -> Iterator[Mapping[str, Any]]:
    """No filter: at, above and below the subscription. Without a licence for it, nobody can be eligible."""
    listing = subscription.eligibility.role_eligibility_schedule_instances.list_for_scope

    def pager(**options: Any) -> Any:
        return listing(subscription.uid.lstrip("/"), **options)

    try:
        for page in subscription.pages(LIST_ELIGIBLE, pager):
            yield from page
    except Unread as error:
        if not has_code(error, _NOT_LICENSED):
            raise


def _observe(scope: str, eligible: Assignments, account: str) -> Observation:
    resource = Resource(
        uid=f"{scope}#eligible",
        address=f"{scope}#eligible",
        type=ResourceType.CONTAINER,
        name=f"eligible for roles on {scope.rpartition('/')[2] or 'the tenant root'}",
        owner=account,
        limits=LATENT,
        attributes={"level": "eligible"},
    )
    miss = eligible.misses.get(scope)
    if miss is not None:
        return Observation(resource, None, miss)
    return Observation(resource, frozenset(_pim(each) for each in eligible.reaching(scope)))


def _pim(grant: Grant) -> Grant:
    return replace(grant, mechanism=f"azure.pim/{grant.mechanism.partition('/')[2]}")


COLLECTOR = Collector(
    kind="azure.rbac.eligible",
    title="Roles that can be activated (PIM)",
    where=frozenset({Where.GLOBAL}),
    read=read,
    permissions=(LIST_ELIGIBLE, READ_ROLES),
    calls="1 per page of eligible assignments + 1 for the roles, per subscription",
    blind="Who activated what and when; eligible members of groups; whether an approver stands in between.",
)
