"""`gcp.compute.machine-image`: whole machines with all their disks, and who may make machines of them."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import (
    Api,
    Encryption,
    described,
    failed,
    full_name,
    guards,
    instant,
    known,
    observe,
    policies,
    root,
)
from snapbase.collect.gcp.roles import MACHINE_IMAGE
from snapbase.collect.gcp.session import PAGE, UNRETRIED, Project
from snapbase.model import Observation, Resource, Scope

_APIS = {"global": Api("MachineImagesClient", "machineImages")}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    client = project.session.compute("MachineImagesClient")

    def page(token: str) -> Any:
        request = {"project": project.id, "max_results": PAGE, "page_token": token}
        return client.list(request=request, **UNRETRIED)

    pages = project.pages("compute.machineImages.list", scope.location, page)
    resources = (_resource(project, each) for listed in pages for each in listed.items)
    return observe(project, policies(project, _APIS), MACHINE_IMAGE, resources)


def _resource(project: Project, image: Any) -> Resource:
    """The instance's own properties (metadata, and with it secrets) are left where they are."""
    path = root(project, "global", "machineImages")
    encryption = Encryption.of(image.machine_image_encryption_key)
    attributes = {
        "status": failed(image.status),
        "storage_locations": sorted(image.storage_locations),
        "disks": len(image.saved_disks),
        "encryption": encryption.name,
    }
    return Resource(
        uid=f"{path}/{image.id}",
        address=f"{path}/{image.name}",
        name=image.name,
        created_at=instant(image.creation_timestamp),
        owner=project.id,
        source=full_name(image.source_instance),
        encrypted=True,
        key=encryption.key,
        guards=guards(project, encryption.key),
        limits=encryption.limits,
        attributes=known(attributes),
        facts=known({"description": described(image.description)}),
        tags=dict(image.labels),
    )


COLLECTOR = Collector(
    kind="gcp.compute.machine-image",
    title="Compute Engine machine images",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("compute.machineImages.list", "compute.machineImages.getIamPolicy", "iam.roles.get"),
    calls="1 per 500 + 1 per machine image",
    blind="Members of groups and of identity pools; custom roles that cannot be read (their grants count as unknown); "
    "deny policies and access boundaries; "
    "who may make a machine image of a running instance.",
    events={
        "compute.machineImages.insert": "created",
        "compute.machineImages.delete": "deleted",
        "compute.machineImages.setIamPolicy": "shared",
        "compute.machineImages.setLabels": "modified",
    },
)
