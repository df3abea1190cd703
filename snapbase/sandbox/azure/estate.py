"""What exists in the sandbox's Azure: subscriptions, resource groups, resources, roles and their assignments.

Keys are ARM ids in lower case, as ARM compares them; the bodies keep the case they were written in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.bodies import check_authorization

Body = dict[str, Any]
Check = Callable[[Body], None]


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
    resources: dict[str, Body] = field(default_factory=dict)
    """Snapshots, disks, images, vaults… and what lies inside them."""
    assignments: dict[str, Body] = field(default_factory=dict)
    definitions: dict[str, Body] = field(default_factory=roles.builtin)
    """By GUID."""
    unlisted: dict[str, Body] = field(default_factory=dict)
    """Definitions that are only found when asked for by id, as those of another scope are."""
    directory: dict[str, Body] = field(default_factory=dict)
    """What Microsoft Graph tells of users and service principals, by object id."""

    def put_group(self, address: str, body: Body) -> Body:
        name = address.rpartition("/")[2]
        stored: Body = {"id": address, "name": name, "type": "Microsoft.Resources/resourceGroups"}
        stored |= {key: body[key] for key in ("location", "tags", "managedBy") if key in body}
        stored["properties"] = {"provisioningState": "Succeeded"}
        self.groups[address.lower()] = stored
        return stored

    def put(self, kind: str, address: str, body: Body, check: Check, born: Callable[[Body], Body]) -> Body:
        """Creates a resource, or updates one: what the server assigned at creation stays."""
        self._in_group(address)
        self._check(check, body)
        old = self.resources.get(address.lower())
        properties = (old["properties"] if old else born(body)) | body.get("properties", {})
        stored = {"id": address, "name": address.rpartition("/")[2], "type": kind}
        stored |= (old or {}) | {key: body[key] for key in _ENVELOPE if key in body}
        stored["properties"] = properties
        self.resources[address.lower()] = stored
        return stored

    def patch(self, address: str, body: Body, check: Check) -> Body:
        self._check(check, body)
        stored = self.resource(address)
        stored["properties"] |= body.get("properties", {})
        stored |= {key: body[key] for key in _ENVELOPE if key in body}
        return stored

    def remove(self, address: str) -> bool:
        """Removes a resource and what lies inside it; whether there was one."""
        key = address.lower()
        inside = [each for each in self.resources if each.startswith(f"{key}/")]
        for each in inside:
            del self.resources[each]
        return self.resources.pop(key, None) is not None

    def resource(self, address: str) -> Body:
        stored = self.resources.get(address.lower())
        if stored is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{address}' was not found.")
        return stored

    def of_type(self, kind: str, container: str) -> list[Body]:
        """Every resource of a type somewhere below a container."""
        found = below(self.resources, f"{container}/")
        return [each for each in found if each["type"].lower() == kind.lower()]

    def begin_access(self, address: str, body: Body, check: Check) -> Body:
        """Mints a link. The answer is the only place where it can be seen."""
        self._check(check, body)
        properties = self.resource(address)["properties"]
        if properties.get("networkAccessPolicy") == "DenyAll":
            raise ArmError(409, "OperationNotAllowed", "Export is denied by the network access policy of the resource.")
        properties["diskState"] = "ActiveSAS"
        return {"accessSAS": "https://md-sandbox.invalid/vhd/abcd?sv=2018-03-28&sr=b&sig=sandboxsignature&sp=r"}

    def end_access(self, address: str) -> None:
        self.resource(address)["properties"]["diskState"] = "Unattached"

    def put_assignment(self, scope: str, name: str, body: Body) -> Body:
        self._check(lambda each: check_authorization(each, "RoleAssignmentCreateParameters"), body)
        if any(each["name"] == name and each["properties"]["scope"] != scope for each in self.assignments.values()):
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
        stamps = {"scope": scope, "createdOn": now(), "updatedOn": now()}
        address = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"
        stored = {
            "id": address,
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {"principalType": "User", **body["properties"], **stamps},
        }
        self.assignments[address.lower()] = stored
        return stored

    def at_or_around(self, scope: str, subscription: str) -> bool:
        """Whether something made at a scope is listed for a subscription: at it, above it or below it."""
        here = f"/subscriptions/{subscription}"
        return scope.lower() in {here, *self._above()} or scope.lower().startswith(f"{here}/")

    def assignments_for(self, subscription: str, *, at_scope: bool) -> list[Body]:
        """Assignments at and above a subscription; below it too unless `at_scope`."""
        wanted = {f"/subscriptions/{subscription}", *self._above()}
        found = []
        for stored in self.assignments.values():
            scope = stored["properties"]["scope"].lower()
            if scope in wanted or (not at_scope and self.at_or_around(scope, subscription)):
                found.append(stored)
        return found

    def put_definition(self, role: str, body: Body) -> Body:
        self._check(lambda each: check_authorization(each, "RoleDefinition"), body)
        stored: Body = {"id": roles.address(role), "name": role, "type": "Microsoft.Authorization/roleDefinitions"}
        stored["properties"] = {"type": "CustomRole", **body["properties"]}
        self.definitions[role] = stored
        return stored

    def _above(self) -> set[str]:
        prefix = "/providers/microsoft.management/managementgroups/"
        return {"/", *(f"{prefix}{each}".lower() for each in self.management_groups)}

    def _in_group(self, address: str) -> None:
        group = address.lower().partition("/providers/")[0]
        if group not in self.groups:
            name = group.rpartition("/")[2]
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")

    def _check(self, check: Check, body: Body) -> None:
        if self.strict:
            check(body)


_ENVELOPE = ("location", "tags", "sku", "zones", "identity", "managedBy", "systemData")


def below(found: Mapping[str, Body], prefix: str) -> list[Body]:
    return [body for key, body in found.items() if key.startswith(prefix.lower())]


def now() -> str:
    return datetime.now(UTC).isoformat()
