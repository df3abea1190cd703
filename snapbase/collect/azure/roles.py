"""Pure: what an Azure role definition lets its holder do with the data of each kind of resource."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from snapbase.collect.azure.fields import items, lower, section, text
from snapbase.model import Access, Grant, Principal, PrincipalKind

_ASSIGN = "Microsoft.Authorization/roleAssignments/write"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that holds data, and the actions any one of which gives an access to it."""

    name: str
    ways: Mapping[Access, tuple[str, ...]]
    download: str = ""
    """The data action that a link's user needs where dataAccessAuthMode is AzureActiveDirectory."""


SNAPSHOT = Thing(
    "snapshots",
    {Access.READ: ("Microsoft.Compute/snapshots/beginGetAccess/action",), Access.RESHARE: (_ASSIGN,)},
    download="Microsoft.Compute/snapshots/download/action",
)
"""beginGetAccess mints a download link, and is what ARM checks on the source when somebody copies a snapshot or makes a
disk of it (Azure RBAC resource provider operations, Microsoft.Compute)."""
DISK = Thing(
    "disks",
    {Access.READ: ("Microsoft.Compute/disks/beginGetAccess/action",), Access.RESHARE: (_ASSIGN,)},
    download="Microsoft.Compute/disks/download/action",
)
_RESTORE_POINTS = "Microsoft.Compute/restorePointCollections/restorePoints"
RESTORE_POINT = Thing(
    "restore points",
    {
        Access.READ: (
            f"{_RESTORE_POINTS}/retrieveSasUris/action",
            f"{_RESTORE_POINTS}/diskRestorePoints/beginGetAccess/action",
        ),
        Access.RESHARE: (_ASSIGN,),
    },
)
IMAGE = Thing("images", {Access.LAUNCH: ("Microsoft.Compute/images/read",), Access.RESHARE: (_ASSIGN,)})
"""A machine of one's own is made from an image with read on the image alone."""
GALLERY = Thing(
    "galleries",
    {
        Access.LAUNCH: ("Microsoft.Compute/galleries/images/versions/read",),
        Access.RESHARE: (_ASSIGN, "Microsoft.Compute/galleries/share/action"),
    },
)
"""Reader on a gallery is how it is shared by role (Share gallery resources using RBAC, learn.microsoft.com)."""
_RECOVERY_POINTS = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints"
VAULT = Thing(
    "recovery points",
    {
        Access.RESTORE: (
            f"{_RECOVERY_POINTS}/restore/action",
            f"{_RECOVERY_POINTS}/provisionInstantItemRecovery/action",
        ),
        Access.RESHARE: (_ASSIGN,),
    },
)
"""Item recovery mounts the disks of a recovery point, whole, on any machine that runs the script it hands out."""
BACKUP_VAULT = Thing(
    "backups",
    {
        Access.RESTORE: ("Microsoft.DataProtection/backupVaults/backupInstances/restore/action",),
        Access.RESHARE: (_ASSIGN,),
    },
)
OTHER_THINGS = (DISK, RESTORE_POINT, VAULT, BACKUP_VAULT)
"""What roles above resources are asked for beside snapshots. Not images and galleries: every Reader may launch them."""
_AT = {
    "microsoft.compute/snapshots": SNAPSHOT,
    "microsoft.compute/disks": DISK,
    "microsoft.compute/images": IMAGE,
    "microsoft.compute/galleries": GALLERY,
    "microsoft.compute/restorepointcollections": RESTORE_POINT,
    "microsoft.recoveryservices/vaults": VAULT,
    "microsoft.dataprotection/backupvaults": BACKUP_VAULT,
}
"""By the type that an ARM id begins with: what lies within is reached in the same ways."""
_GROUPS = "/providers/microsoft.management/managementgroups/"
OF_THE_ROLE = "as far as the role's own condition goes"
SOMEBODY_ELSES_LINK = "only through a download link that somebody else mints"

_KINDS = {
    "user": PrincipalKind.USER,
    "group": PrincipalKind.GROUP,
    "serviceprincipal": PrincipalKind.SERVICE_PRINCIPAL,
    "foreigngroup": PrincipalKind.FOREIGN_GROUP,
}


@dataclass(frozen=True, slots=True)
class Permission:
    """Actions minus notActions."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    data: tuple[str, ...]
    not_data: tuple[str, ...]
    conditional: bool

    def allows(self, action: str) -> bool:
        return _matches(self.actions, action) and not _matches(self.not_actions, action)

    def allows_data(self, action: str) -> bool:
        return _matches(self.data, action) and not _matches(self.not_data, action)


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition."""

    name: str
    permissions: tuple[Permission, ...]

    def allows(self, action: str) -> bool:
        """Permissions add up: what one takes away, another may give."""
        return any(each.allows(action) for each in self.permissions)

    def ways(self, thing: Thing) -> dict[Access, tuple[str, ...]]:
        """Each access it gives to a thing, with the actions that give it."""
        found = {level: tuple(filter(self.allows, actions)) for level, actions in thing.ways.items()}
        return {level: actions for level, actions in found.items() if actions}

    def is_conditional(self, actions: tuple[str, ...]) -> bool:
        """Whether it allows each of these only as far as a condition of its own goes: many that may hand out roles are
        held down to a few (roleDefinitions, `permissions[].condition`)."""
        return not any(each.allows(action) for each in self.permissions if not each.conditional for action in actions)

    def downloads(self, thing: Thing) -> bool:
        return bool(thing.download) and any(each.allows_data(thing.download) for each in self.permissions)


def role_of(definition: Mapping[str, Any]) -> Role:
    """A role definition as the API answers it."""
    properties = section(definition.get("properties"))
    name = text(properties.get("roleName")) or role_id(definition.get("id"))
    return Role(name, permissions_of(properties))


def permissions_of(properties: Mapping[str, Any]) -> tuple[Permission, ...]:
    """The permissions of a role definition, or of a deny assignment: both are written alike."""
    return tuple(_permission(section(each)) for each in items(properties.get("permissions")))


def _permission(told: Mapping[str, Any]) -> Permission:
    return Permission(
        actions=_strings(told.get("actions")),
        not_actions=_strings(told.get("notActions")),
        data=_strings(told.get("dataActions")),
        not_data=_strings(told.get("notDataActions")),
        conditional=bool(text(told.get("condition"))),
    )


def is_container(scope: str) -> bool:
    """Whether resources lie at a scope (lower case): a resource group, a subscription, a management group, the root."""
    return "/providers/" not in scope or scope.startswith(_GROUPS)


def thing_at(scope: str) -> Thing | None:
    """What data a resource's own scope (lower case) is a way to; None for the many that hold none."""
    return _AT.get("/".join(scope.partition("/providers/")[2].split("/")[:2]))


def role_id(definition_id: Any) -> str:
    """The GUID a role definition is known by: its ARM id differs with the scope it is read at."""
    return (lower(definition_id) or "").rpartition("/")[2]


def holder_of(properties: Mapping[str, Any]) -> Principal:
    """Whom an assignment is made to."""
    kind = _KINDS.get(lower(properties.get("principalType")) or "", PrincipalKind.OTHER)
    return Principal(kind, lower(properties.get("principalId")) or "unknown")


def download_grant(principal: Principal, role: Role) -> Grant:
    """What a data action alone is worth."""
    return Grant(principal, Access.READ, f"azure.rbac.data/{role.name}", SOMEBODY_ELSES_LINK)


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(each for each in items(value) if isinstance(each, str))


def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(each).fullmatch(action) for each in patterns)


@lru_cache(maxsize=4096)
def _pattern(action: str) -> re.Pattern[str]:
    """`*` stands for anything, slashes too; case does not count."""
    return re.compile(".*".join(re.escape(part) for part in action.split("*")), re.IGNORECASE | re.DOTALL)
