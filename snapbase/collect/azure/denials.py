"""Deny assignments: what they take away from the grants of role assignments, and where that cannot be told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from snapbase.collect.azure.fields import flag, items, lower, section, text
from snapbase.collect.azure.roles import Permission, permissions_of
from snapbase.collect.azure.session import Subscription
from snapbase.model import Principal, PrincipalKind

LIST_DENIALS = "Microsoft.Authorization/denyAssignments/read"
_EVERYONE = "00000000-0000-0000-0000-000000000000"
"""Type SystemDefined: all principals (Understand Azure deny assignments, learn.microsoft.com)."""

_MANY = (PrincipalKind.GROUP, PrincipalKind.FOREIGN_GROUP, PrincipalKind.OTHER)
"""Who may be several: also whoever an assignment names without saying what they are."""


class Hold(IntEnum):
    """Whether a deny assignment keeps somebody from doing something."""

    NO = 0
    PERHAPS = 1
    """By a condition, or unless a group they may be in is left out of it."""
    YES = 2


@dataclass(frozen=True, slots=True)
class Denial:
    """One deny assignment."""

    name: str
    scope: str
    children: bool
    permissions: tuple[Permission, ...]
    principals: frozenset[str]
    left_out: frozenset[str]
    groups_left_out: bool
    conditional: bool

    def holds(self, principal: Principal, actions: Iterable[str], scope: str, *, inside: bool) -> Hold:
        """Whether it denies every one of `actions` at a scope, or (`inside`) on what lies inside that scope."""
        if not self._reaches(scope, inside=inside):
            return Hold.NO
        if not all(any(each.allows(action) for each in self.permissions) for action in actions):
            return Hold.NO
        if principal.id in self.left_out or not self.principals & {principal.id, _EVERYONE}:
            return Hold.NO
        members_left_out = principal.kind in _MANY and bool(self.left_out)
        return Hold.PERHAPS if self.conditional or self.groups_left_out or members_left_out else Hold.YES

    def _reaches(self, scope: str, *, inside: bool) -> bool:
        if scope == self.scope:
            return self.children or not inside
        if not self.children:
            return False
        # What is listed for a subscription from above it is in force in all of it.
        from_above = not self.scope.startswith("/subscriptions/") and scope.startswith("/subscriptions/")
        return self.scope == "/" or from_above or scope.startswith(f"{self.scope}/")


def denials_of(subscription: Subscription) -> tuple[Denial, ...]:
    """Every deny assignment at, above and below the subscription; raises `Unread`."""
    listing = subscription.authorization.deny_assignments.list
    return tuple(_denial(each) for page in subscription.pages(LIST_DENIALS, listing) for each in page)


def _denial(listed: Mapping[str, Any]) -> Denial:
    properties = section(listed.get("properties"))
    permissions = items(properties.get("permissions"))
    left_out = [section(each) for each in items(properties.get("excludePrincipals"))]
    return Denial(
        name=text(properties.get("denyAssignmentName")) or text(listed.get("name")) or "",
        scope="/" + (lower(properties.get("scope")) or "").strip("/"),
        children=not flag(properties.get("doNotApplyToChildScopes")),
        permissions=permissions_of(properties),
        principals=_ids([section(each) for each in items(properties.get("principals"))]),
        left_out=_ids(left_out),
        groups_left_out=any(lower(each.get("type")) not in ("user", "serviceprincipal") for each in left_out),
        conditional=any(text(section(each).get("condition")) for each in (properties, *permissions))
        or not text(properties.get("scope")),  # as if it were everywhere, but not for certain
    )


def _ids(principals: list[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(found for each in principals if (found := lower(each.get("id"))))
