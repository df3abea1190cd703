"""Pure: what an Azure role definition lets its holder do with the data of a snapshot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from snapbase.collect.azure.fields import items, lower, section, text
from snapbase.model import Access, Grant, Principal, PrincipalKind

ACTIONS: Mapping[Access, str] = {
    Access.READ: "Microsoft.Compute/snapshots/beginGetAccess/action",
    Access.RESHARE: "Microsoft.Authorization/roleAssignments/write",
}
"""The action that decides each access. beginGetAccess mints a download link, and is what ARM checks on the source when
somebody copies a snapshot or makes a disk of it (Azure RBAC resource provider operations, Microsoft.Compute)."""

_KINDS = {
    "user": PrincipalKind.USER,
    "group": PrincipalKind.GROUP,
    "serviceprincipal": PrincipalKind.SERVICE_PRINCIPAL,
    "foreigngroup": PrincipalKind.FOREIGN_GROUP,
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition, as far as it reaches data. A role without any access is of no interest here."""

    name: str
    access: frozenset[Access]


def role_of(definition: Mapping[str, Any]) -> Role:
    """A role definition as the API answers it. Its permissions add up; each is its actions minus its notActions."""
    properties = section(definition.get("properties"))
    permissions = [section(each) for each in items(properties.get("permissions"))]
    access = {level for level, action in ACTIONS.items() if any(_allows(each, action) for each in permissions)}
    name = text(properties.get("roleName")) or role_id(definition.get("id"))
    return Role(name, frozenset(access))


def role_id(definition_id: Any) -> str:
    """The GUID a role definition is known by: its ARM id differs with the scope it is read at."""
    return (lower(definition_id) or "").rpartition("/")[2]


def grants_of(assignment: Mapping[str, Any], role: Role) -> frozenset[Grant]:
    """What one role assignment gives its principal."""
    properties = section(assignment.get("properties"))
    kind = _KINDS.get(lower(properties.get("principalType")) or "", PrincipalKind.OTHER)
    principal = Principal(kind, lower(properties.get("principalId")) or "unknown")
    condition = text(properties.get("condition")) or ""
    return frozenset(Grant(principal, level, f"azure.rbac/{role.name}", condition) for level in role.access)


def _allows(permission: Mapping[str, Any], action: str) -> bool:
    return _matches(permission.get("actions"), action) and not _matches(permission.get("notActions"), action)


def _matches(patterns: Any, action: str) -> bool:
    return any(_pattern(each).fullmatch(action) for each in items(patterns) if isinstance(each, str))


@lru_cache(maxsize=4096)
def _pattern(action: str) -> re.Pattern[str]:
    """`*` stands for anything, slashes too; case does not count."""
    return re.compile(".*".join(re.escape(part) for part in action.split("*")), re.IGNORECASE | re.DOTALL)
