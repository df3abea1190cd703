"""Azure RBAC as far as it reaches snapshots: every role assignment at, above and below one subscription, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.fields import lower, section
from snapbase.collect.azure.roles import Role, grants_of, role_id, role_of
from snapbase.collect.azure.session import Subscription
from snapbase.model import Grant, Miss

LIST_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
READ_ROLES = "Microsoft.Authorization/roleDefinitions/read"


@dataclass(frozen=True, slots=True)
class Assignments:
    """Grants by the scope they were made at (lower-case ARM id)."""

    grants: Mapping[str, frozenset[Grant]]
    """Every scope with an assignment, also where none reaches data."""
    misses: Mapping[str, Miss]
    """Scopes with an assignment whose role could not be read: what it gives is unknown."""


def assignments_of(subscription: Subscription) -> Assignments:
    """The subscription's assignments; both kinds that need them share one listing. Raises `Unread`."""
    return subscription.runtime.once(("azure.assignments", subscription.id), lambda: _read(subscription))


def _read(subscription: Subscription) -> Assignments:
    # No filter: the API then answers with assignments at, above and below the subscription.
    listing = subscription.authorization.role_assignments.list_for_subscription
    listed = [each for page in subscription.pages(LIST_ASSIGNMENTS, listing) for each in page]
    roles = _roles(subscription, {_role_of(each) for each in listed})
    grants: dict[str, frozenset[Grant]] = {}
    misses: dict[str, Miss] = {}
    for assignment in listed:
        scope = _scope(assignment)
        role = roles[_role_of(assignment)]
        if isinstance(role, Miss):
            misses[scope] = role
            grants.setdefault(scope, frozenset())
        else:
            grants[scope] = grants.get(scope, frozenset()) | grants_of(assignment, role)
    return Assignments(grants, misses)


def _scope(assignment: Mapping[str, Any]) -> str:
    scope = lower(section(assignment.get("properties")).get("scope"))
    if scope is None:
        scope = (lower(assignment.get("id")) or "").partition("/providers/microsoft.authorization/roleassignments/")[0]
    return "/" + scope.strip("/")


def _role_of(assignment: Mapping[str, Any]) -> str:
    return role_id(section(assignment.get("properties")).get("roleDefinitionId"))


def _roles(subscription: Subscription, needed: set[str]) -> dict[str, Role | Miss]:
    """Every needed role by GUID: in one listing, and one by one what that leaves out."""
    definitions = subscription.authorization.role_definitions
    found: dict[str, Role | Miss] = {}

    def listing(**options: Any) -> Any:
        return definitions.list(subscription.uid.lstrip("/"), filter="atScopeAndBelow()", **options)

    for page in subscription.pages(READ_ROLES, listing) if needed else ():
        found.update({key: role_of(each) for each in page if (key := role_id(each.get("id"))) in needed})
    for key in sorted(needed - found.keys()):
        found[key] = _role(subscription, key)
    return found


def _role(subscription: Subscription, key: str) -> Role | Miss:
    address = f"{subscription.uid}/providers/Microsoft.Authorization/roleDefinitions/{key}".lstrip("/")
    get = subscription.authorization.role_definitions.get_by_id
    try:
        return role_of(subscription.get(READ_ROLES, lambda **options: get(address, **options)))
    except Unread as error:
        miss = classify(error)
        if miss is None:
            raise
        return Miss(miss.outcome, f"role {key[:36]} of an assignment is unknown: {miss.reason}")
