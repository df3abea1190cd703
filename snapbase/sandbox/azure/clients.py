"""The real management SDKs, pointed at a sandbox: how the story and the tests write."""

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from snapbase.sandbox.azure import roles


@dataclass(frozen=True)
class Writer:
    """Somebody with every right in one subscription of the sandbox at `url`."""

    url: str
    subscription: str

    @cached_property
    def _options(self) -> dict[str, Any]:
        from azure.core.pipeline import policies

        # azure-core refuses to sign plain http, so the token that opens nothing is a header like any other.
        token = policies.HeadersPolicy({"Authorization": "Bearer faketoken"})
        pipeline = [policies.RequestIdPolicy(), policies.ContentDecodePolicy(), token]
        return {"credential": object(), "base_url": self.url, "policies": pipeline, "use_env_settings": False}

    @cached_property
    def snapshots(self) -> Any:
        """azure-mgmt-compute's snapshot operations."""
        return self._compute.snapshots

    @cached_property
    def assignments(self) -> Any:
        """azure-mgmt-authorization's role assignment operations."""
        return self._authorization.role_assignments

    @cached_property
    def definitions(self) -> Any:
        """azure-mgmt-authorization's role definition operations."""
        return self._authorization.role_definitions

    def group(self, name: str, location: str = "westeurope") -> str:
        """Creates a resource group; returns its ARM id."""
        from azure.core.rest import HttpRequest

        address = f"/subscriptions/{self.subscription}/resourceGroups/{name}"
        request = HttpRequest("PUT", f"{{endpoint}}{address}?api-version=2021-04-01", json={"location": location})
        self._compute.send_request(request).raise_for_status()
        return address

    def snapshot(self, group: str, name: str, disk: str, **properties: Any) -> str:
        """Takes a snapshot of a disk (named, in the same group); returns its ARM id. `properties` in wire names."""
        source = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}"
        body = {
            "location": "westeurope",
            "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": source}, **properties},
        }
        made = self.snapshots.begin_create_or_update(group, name, body).result()
        return str(made.id)

    def assign(self, scope: str, role: str, principal: str, kind: str, condition: str | None = None) -> str:
        """Assigns a role (by GUID) at an ARM scope; returns the assignment's name."""
        name = str(uuid.uuid4())
        properties = {
            "roleDefinitionId": roles.address(role, self.subscription),
            "principalId": principal,
            "principalType": kind,
        }
        if condition is not None:
            properties |= {"condition": condition, "conditionVersion": "2.0"}
        self.assignments.create(scope.strip("/"), name, {"properties": properties})
        return name

    @cached_property
    def _compute(self) -> Any:
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(subscription_id=self.subscription, polling_interval=0, **self._options)

    @cached_property
    def _authorization(self) -> Any:
        from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

        return AuthorizationManagementClient(subscription_id=self.subscription, **self._options)
