"""Azure's built-in roles that the sandbox knows, with their real ids (Azure built-in roles, learn.microsoft.com)."""

from typing import Any

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
DISK_SNAPSHOT_CONTRIBUTOR = "7efff54f-a5b4-42b5-a1c5-5411624893ce"


def address(role: str, subscription: str | None = None) -> str:
    """The ARM id of a role definition, as seen from a subscription or from nowhere in particular."""
    prefix = f"/subscriptions/{subscription}" if subscription else ""
    return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def builtin() -> dict[str, dict[str, Any]]:
    """Role definition bodies by GUID."""
    return {
        OWNER: _role(OWNER, "Owner", ["*"]),
        CONTRIBUTOR: _role(CONTRIBUTOR, "Contributor", ["*"], _NOT_CONTRIBUTOR),
        READER: _role(READER, "Reader", ["*/read"]),
        USER_ACCESS_ADMINISTRATOR: _role(
            USER_ACCESS_ADMINISTRATOR,
            "User Access Administrator",
            ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        ),
        DISK_SNAPSHOT_CONTRIBUTOR: _role(DISK_SNAPSHOT_CONTRIBUTOR, "Disk Snapshot Contributor", _SNAPSHOT_ACTIONS),
    }


_NOT_CONTRIBUTOR = [
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
    "Microsoft.Blueprint/blueprintAssignments/write",
    "Microsoft.Blueprint/blueprintAssignments/delete",
    "Microsoft.Compute/galleries/share/action",
]
_SNAPSHOT_ACTIONS = [
    "Microsoft.Authorization/*/read",
    "Microsoft.Compute/snapshots/delete",
    "Microsoft.Compute/snapshots/read",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/snapshots/beginGetAccess/action",
    "Microsoft.Compute/snapshots/endGetAccess/action",
    "Microsoft.Compute/disks/beginGetAccess/action",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
]


def _role(role: str, name: str, actions: list[str], not_actions: list[str] | None = None) -> dict[str, Any]:
    permission = {"actions": actions, "notActions": not_actions or [], "dataActions": [], "notDataActions": []}
    return {
        "id": address(role),
        "name": role,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": "",
            "assignableScopes": ["/"],
            "permissions": [permission],
        },
    }
