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
    token: str = "faketoken"
    """What the sandbox takes the caller from."""

    @cached_property
    def _options(self) -> dict[str, Any]:
        from azure.core.pipeline import policies

        # azure-core refuses to sign plain http, so the token that opens nothing is a header like any other.
        token = policies.HeadersPolicy({"Authorization": f"Bearer {self.token}"})
        pipeline = [policies.RequestIdPolicy(), policies.ContentDecodePolicy(), token]
        return {"credential": object(), "base_url": self.url, "policies": pipeline, "use_env_settings": False}

    @property
    def snapshots(self) -> Any:
        """azure-mgmt-compute's snapshot operations."""
        return self.compute.snapshots

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
        return self.put(
            f"/subscriptions/{self.subscription}/resourceGroups/{name}", "2021-04-01", {"location": location}
        )

    def put(self, address: str, version: str, body: dict[str, Any]) -> str:
        """Writes what no installed SDK writes; returns its ARM id."""
        self._send("PUT", address, version, body)
        return address

    def delete(self, address: str, version: str) -> None:
        self._send("DELETE", address, version, None)

    def snapshot(self, group: str, name: str, disk: str, **properties: Any) -> str:
        """Takes a snapshot of a disk (named, in the same group); returns its ARM id. `properties` in wire names."""
        source = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{disk}"
        body = {
            "location": "westeurope",
            "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": source}, **properties},
        }
        made = self.snapshots.begin_create_or_update(group, name, body).result()
        return str(made.id)

    def disk(self, group: str, name: str, **properties: Any) -> str:
        """Makes an empty disk; returns its ARM id. `properties` in wire names."""
        body = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, **properties}}
        return str(self.compute.disks.begin_create_or_update(group, name, body).result().id)

    def image(self, group: str, name: str, disk: str) -> str:
        """Makes a managed image of a disk (by ARM id); returns its ARM id."""
        system = {"osType": "Linux", "osState": "Generalized", "managedDisk": {"id": disk}}
        body = {"location": "westeurope", "properties": {"storageProfile": {"osDisk": system}}}
        return str(self.compute.images.begin_create_or_update(group, name, body).result().id)

    def gallery(self, group: str, name: str, sharing: str | None = None) -> str:
        """Makes a compute gallery, its sharing Private, Groups or Community; returns its ARM id."""
        properties = {"sharingProfile": {"permissions": sharing}} if sharing else {}
        body = {"location": "westeurope", "properties": properties}
        return str(self.compute.galleries.begin_create_or_update(group, name, body).result().id)

    def version(self, group: str, gallery: str, image: str, version: str, source: str) -> str:
        """Publishes an image version from another resource (by ARM id), and its definition; returns its ARM id."""
        names = {"publisher": "shop", "offer": image, "sku": "one"}
        definition = {
            "location": "westeurope",
            "properties": {"osType": "Linux", "osState": "Generalized", "identifier": names},
        }
        self.compute.gallery_images.begin_create_or_update(group, gallery, image, definition).result()
        body = {"location": "westeurope", "properties": {"storageProfile": {"source": {"id": source}}}}
        versions = self.compute.gallery_image_versions
        return str(versions.begin_create_or_update(group, gallery, image, version, body).result().id)

    def restore_point(self, group: str, collection: str, name: str) -> str:
        """Takes a restore point of the machine a collection is named after; returns its ARM id."""
        machine = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
        source = {"source": {"id": f"{machine}/virtualMachines/{collection}"}}
        collections = self.compute.restore_point_collections
        collections.create_or_update(group, collection, {"location": "westeurope", "properties": source})
        return str(self.compute.restore_points.begin_create(group, collection, name, {}).result().id)

    def vault(self, group: str, name: str, kind: str = "RecoveryServices/vaults", **properties: Any) -> str:
        """Makes a backup vault of either kind; returns its ARM id. `properties` in wire names."""
        address = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.{kind}/{name}"
        return self.put(address, "2024-04-01", {"location": "westeurope", "properties": properties})

    def delegate(self, scope: str, tenant: str, role: str, *, eligible: bool = False) -> str:
        """Lets another tenant in by Azure Lighthouse with one role (by GUID); returns the assignment's ARM id."""
        given = [{"principalId": str(uuid.uuid4()), "principalIdDisplayName": "Support", "roleDefinitionId": role}]
        names = (
            ("eligibleAuthorizations", "authorizations") if eligible else ("authorizations", "eligibleAuthorizations")
        )
        properties = {
            "registrationDefinitionName": "Managed service",
            "managedByTenantId": tenant,
            names[0]: given,
            names[1]: [],
        }
        base = f"/subscriptions/{self.subscription}/providers/Microsoft.ManagedServices/registrationDefinitions"
        definition = self.put(f"{base}/{uuid.uuid4()}", "2022-10-01", {"properties": properties})
        address = f"{scope}/providers/Microsoft.ManagedServices/registrationAssignments/{uuid.uuid4()}"
        return self.put(address, "2022-10-01", {"properties": {"registrationDefinitionId": definition}})

    def make_eligible(self, scope: str, role: str, principal: str, kind: str = "User") -> str:
        """Lets somebody activate a role (by GUID) at an ARM scope whenever they want; returns the request's ARM id."""
        from azure.mgmt.authorization.v2020_10_01 import AuthorizationManagementClient

        client = AuthorizationManagementClient(subscription_id=self.subscription, **self._options)
        properties = {
            "roleDefinitionId": roles.address(role, self.subscription),
            "principalId": principal,
            "principalType": kind,
            "requestType": "AdminAssign",
        }
        requests = client.role_eligibility_schedule_requests
        return str(requests.create(scope.strip("/"), str(uuid.uuid4()), {"properties": properties}).id)

    def let_in(self, group: str, access: str, endpoint: str) -> str:
        """Approves a private endpoint (by ARM id, of whichever subscription) of a disk access; returns its ARM id."""
        accesses = self.compute.disk_accesses
        made = accesses.begin_create_or_update(group, access, {"location": "westeurope"}).result()
        state = {"status": "Approved", "description": "", "actionsRequired": "None"}
        body = {"properties": {"privateEndpoint": {"id": endpoint}, "privateLinkServiceConnectionState": state}}
        accesses.begin_update_a_private_endpoint_connection(group, access, endpoint.rpartition("/")[2], body).result()
        return str(made.id)

    def invite(self, mail: str) -> str:
        """Invites a guest into the directory; returns their object id there (Microsoft Graph, Create invitation)."""
        from azure.core.rest import HttpRequest

        body = {"invitedUserEmailAddress": mail, "inviteRedirectUrl": "https://portal.azure.com"}
        answer = self.compute.send_request(HttpRequest("POST", "{endpoint}/v1.0/invitations", json=body))
        answer.raise_for_status()
        return str(answer.json()["invitedUser"]["id"])

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

    def _send(self, method: str, address: str, version: str, body: dict[str, Any] | None) -> None:
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, f"{{endpoint}}{address}?api-version={version}", json=body)
        self.compute.send_request(request).raise_for_status()

    @cached_property
    def compute(self) -> Any:
        """azure-mgmt-compute's client."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(subscription_id=self.subscription, polling_interval=0, **self._options)

    @cached_property
    def _authorization(self) -> Any:
        from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

        return AuthorizationManagementClient(subscription_id=self.subscription, **self._options)
