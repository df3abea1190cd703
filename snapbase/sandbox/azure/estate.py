"""What exists in the sandbox's Azure: subscriptions, resource groups, snapshots, roles and their assignments.

Keys are ARM ids in lower case, as ARM compares them; the bodies keep the case they were written in.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.bodies import check_authorization, check_compute

Body = dict[str, Any]


class ArmError(Exception):
    """An answer in ARM's error form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(slots=True)
class Estate:
    """The state behind the endpoint. Everything that changes it goes through its methods."""

    tenant: str
    subscriptions: dict[str, Body]
    management_groups: tuple[str, ...]
    """Ids of the management groups above every subscription."""
    strict: bool = True
    """Refuse bodies that the SDK's models would not understand."""
    groups: dict[str, Body] = field(default_factory=dict)
    snapshots: dict[str, Body] = field(default_factory=dict)
    assignments: dict[str, Body] = field(default_factory=dict)
    definitions: dict[str, Body] = field(default_factory=roles.builtin)
    """By GUID."""
    unlisted: dict[str, Body] = field(default_factory=dict)
    """Definitions that are only found when asked for by id, as those of another scope are."""

    def put_group(self, address: str, body: Body) -> Body:
        name = address.rpartition("/")[2]
        stored: Body = {"id": address, "name": name, "type": "Microsoft.Resources/resourceGroups"}
        stored |= {key: body[key] for key in ("location", "tags", "managedBy") if key in body}
        stored["properties"] = {"provisioningState": "Succeeded"}
        self.groups[address.lower()] = stored
        return stored

    def put_snapshot(self, address: str, body: Body) -> Body:
        """Creates a snapshot, or updates one: what the server assigned at creation stays."""
        group = address.lower().partition("/providers/")[0]
        if group not in self.groups:
            name = group.rpartition("/")[2]
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        self._check(check_compute, body, "Snapshot")
        old = self.snapshots.get(address.lower())
        properties = (old["properties"] if old else self._born(body)) | body.get("properties", {})
        stored = {"id": address, "name": address.rpartition("/")[2], "type": "Microsoft.Compute/snapshots"}
        stored |= (old or {}) | {key: body[key] for key in ("location", "tags", "sku") if key in body}
        stored["properties"] = properties
        self.snapshots[address.lower()] = stored
        return stored

    def patch_snapshot(self, address: str, body: Body) -> Body:
        self._check(check_compute, body, "SnapshotUpdate")
        stored = self.snapshot(address)
        stored["properties"] |= body.get("properties", {})
        stored |= {key: body[key] for key in ("tags", "sku") if key in body}
        return stored

    def snapshot(self, address: str) -> Body:
        stored = self.snapshots.get(address.lower())
        if stored is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{address}' was not found.")
        return stored

    def begin_access(self, address: str, body: Body) -> Body:
        """Mints a link. The answer is the only place where it can be seen."""
        self._check(check_compute, body, "GrantAccessData")
        properties = self.snapshot(address)["properties"]
        if properties.get("networkAccessPolicy") == "DenyAll":
            raise ArmError(409, "OperationNotAllowed", "Export is denied by the network access policy of the snapshot.")
        properties["diskState"] = "ActiveSAS"
        return {"accessSAS": "https://md-sandbox.invalid/vhd/abcd?sv=2018-03-28&sr=b&sig=sandboxsignature&sp=r"}

    def end_access(self, address: str) -> None:
        self.snapshot(address)["properties"]["diskState"] = "Unattached"

    def put_assignment(self, scope: str, name: str, body: Body) -> Body:
        self._check(check_authorization, body, "RoleAssignmentCreateParameters")
        if any(each["name"] == name and each["properties"]["scope"] != scope for each in self.assignments.values()):
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
        now = _now()
        address = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"
        stamps = {"scope": scope, "createdOn": now, "updatedOn": now}
        stored = {
            "id": address,
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {"principalType": "User", **body["properties"], **stamps},
        }
        self.assignments[address.lower()] = stored
        return stored

    def assignments_for(self, subscription: str, *, at_scope: bool) -> list[Body]:
        """At and above a subscription; unless `at_scope`, below it too (Role Assignments REST API, $filter)."""
        here = f"/subscriptions/{subscription}"
        above = {
            "/",
            *(f"/providers/microsoft.management/managementgroups/{g}".lower() for g in self.management_groups),
        }
        found = []
        for stored in self.assignments.values():
            scope = stored["properties"]["scope"].lower()
            below = scope.startswith(f"{here}/")
            if scope == here or scope in above or (below and not at_scope):
                found.append(stored)
        return found

    def put_definition(self, role: str, body: Body) -> Body:
        self._check(check_authorization, body, "RoleDefinition")
        stored: Body = {"id": roles.address(role), "name": role, "type": "Microsoft.Authorization/roleDefinitions"}
        stored["properties"] = {"type": "CustomRole", **body["properties"]}
        self.definitions[role] = stored
        return stored

    def _born(self, body: Body) -> Body:
        """What the server assigns to a new snapshot, and its permissive defaults."""
        customer_key = body.get("properties", {}).get("encryption", {}).get("diskEncryptionSetId")
        kind = "EncryptionAtRestWithCustomerKey" if customer_key else "EncryptionAtRestWithPlatformKey"
        return {
            "uniqueId": str(uuid.uuid4()),
            "timeCreated": _now(),
            "provisioningState": "Succeeded",
            "diskState": "Unattached",
            "networkAccessPolicy": "AllowAll",
            "publicNetworkAccess": "Enabled",
            "dataAccessAuthMode": "None",
            "encryption": {"type": kind},
            "incremental": False,
        }

    def _check(self, check: Callable[[Body, str], None], body: Body, model: str) -> None:
        if self.strict:
            check(body, model)


def _now() -> str:
    return datetime.now(UTC).isoformat()
