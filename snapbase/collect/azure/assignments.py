"""Azure RBAC as far as it reaches data: every role assignment at, above and below one subscription, read once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from snapbase.collect.azure.denials import LIST_DENIALS, Denial, Hold, denials_of
from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.fields import lower, section, text
from snapbase.collect.azure.roles import (
    OF_THE_ROLE,
    OTHER_THINGS,
    SNAPSHOT,
    Role,
    Thing,
    download_grant,
    holder_of,
    is_container,
    role_id,
    role_of,
    thing_at,
)
from snapbase.collect.azure.session import Subscription
from snapbase.model import Access, Grant, Miss, Principal

LIST_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
READ_ROLES = "Microsoft.Authorization/roleDefinitions/read"
PERMISSIONS = (LIST_ASSIGNMENTS, READ_ROLES, LIST_DENIALS)
CALLS = "1 per page of role assignments and deny assignments + 1 for the roles (all kinds of a subscription share them)"


@dataclass(frozen=True, slots=True)
class Held:
    """One role, held by one principal at one scope."""

    principal: Principal
    role: Role
    condition: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assignments:
    """Role assignments by the scope they were made at (lower-case ARM id)."""

    held: Mapping[str, tuple[Held, ...]]
    """Every scope with an assignment, also where none reaches data."""
    misses: Mapping[str, Miss]
    """Scopes with an assignment whose role could not be read: what it gives is unknown."""
    denials: tuple[Denial, ...] = ()

    def on(self, scope: str, thing: Thing) -> frozenset[Grant]:
        """What assignments made exactly on one resource give."""
        found: set[Grant] = set()
        for held in self.held.get(scope, ()):
            found.update(self._grants(held, scope, thing, "azure.rbac", inside=False))
        return frozenset(found)

    def inside(self, scope: str) -> frozenset[Grant]:
        """What assignments made exactly at one container give to the data inside it. Somebody who can read snapshots
        needs no other way; who cannot may read disks, restore points or backups."""
        found: set[Grant] = set()
        for held in self.held.get(scope, ()):
            found.update(grants := list(self._grants(held, scope, SNAPSHOT, "azure.rbac", inside=True)))
            if any(each.access == Access.READ and not each.condition for each in grants):
                continue
            for thing in OTHER_THINGS:
                mechanism = f"azure.rbac.{thing.name.replace(' ', '-')}"
                others = self._grants(held, scope, thing, mechanism, inside=True)
                found.update(each for each in others if each.access != Access.RESHARE)
        return frozenset(found)

    def reaching(self, scope: str) -> frozenset[Grant]:
        """What assignments made exactly at a scope give, whatever lies there; nothing at a resource without data."""
        if is_container(scope):
            return self.inside(scope)
        thing = thing_at(scope)
        return self.on(scope, thing) if thing else frozenset()

    def _grants(self, held: Held, scope: str, thing: Thing, mechanism: str, *, inside: bool) -> Iterator[Grant]:
        ways, reads = held.role.ways(thing), False
        for access, actions in ways.items():
            hold, name = self._hold(held.principal, actions, scope, inside=inside)
            if hold == Hold.YES:
                continue
            own = OF_THE_ROLE if held.role.is_conditional(actions) else ""
            words = [held.condition, own, f"unless deny assignment {name[:80]!r} holds it back" if hold else ""]
            condition = "; ".join(filter(None, words))
            yield Grant(held.principal, access, f"{mechanism}/{held.role.name}", condition, held.until)
            reads = reads or access == Access.READ
        if not reads and held.role.downloads(thing):
            yield download_grant(held.principal, held.role)

    def _hold(self, principal: Principal, actions: Iterable[str], scope: str, *, inside: bool) -> tuple[Hold, str]:
        found = [(each.holds(principal, actions, scope, inside=inside), each.name) for each in self.denials]
        return max(found, default=(Hold.NO, ""))


def assignments_of(subscription: Subscription) -> Assignments:
    """The subscription's assignments; all kinds that need them share one listing. Raises `Unread`."""
    return subscription.runtime.once(("azure.assignments", subscription.id), lambda: _read(subscription))


def _read(subscription: Subscription) -> Assignments:
    # No filter: the API then answers with assignments at, above and below the subscription.
    listing = subscription.authorization.role_assignments.list_for_subscription
    listed = [each for page in subscription.pages(LIST_ASSIGNMENTS, listing) for each in page]
    roles = roles_of(
        subscription, {role_id(section(each.get("properties")).get("roleDefinitionId")) for each in listed}
    )
    held: dict[str, list[Held]] = {}
    misses: dict[str, Miss] = {}
    for assignment in listed:
        properties = section(assignment.get("properties"))
        at = held.setdefault(at_scope(assignment), [])
        role = roles[role_id(properties.get("roleDefinitionId"))]
        if isinstance(role, Miss):
            misses[at_scope(assignment)] = role
        else:
            at.append(Held(holder_of(properties), role, text(properties.get("condition")) or ""))
    denials = denials_of(subscription) if listed else ()
    return Assignments({scope: tuple(each) for scope, each in held.items()}, misses, denials)


def at_scope(assignment: Mapping[str, Any]) -> str:
    """Where an assignment was made."""
    scope = lower(section(assignment.get("properties")).get("scope"))
    if scope is None:
        scope = (lower(assignment.get("id")) or "").partition("/providers/microsoft.authorization/")[0]
    return "/" + scope.strip("/")


def roles_of(subscription: Subscription, needed: set[str]) -> dict[str, Role | Miss]:
    """Every needed role by GUID: from one listing, and one by one what that leaves out."""
    if not needed:
        return {}
    listed = subscription.runtime.once(("azure.roles", subscription.id), lambda: _listed_roles(subscription))
    found: dict[str, Role | Miss] = {key: listed[key] for key in needed & listed.keys()}
    for key in sorted(needed - found.keys()):
        found[key] = subscription.runtime.once(("azure.role", subscription.id, key), partial(_role, subscription, key))
    return found


def _listed_roles(subscription: Subscription) -> dict[str, Role]:
    definitions = subscription.authorization.role_definitions

    def listing(**options: Any) -> Any:
        return definitions.list(subscription.uid.lstrip("/"), filter="atScopeAndBelow()", **options)

    pages = subscription.pages(READ_ROLES, listing)
    return {role_id(each.get("id")): role_of(each) for page in pages for each in page}


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
