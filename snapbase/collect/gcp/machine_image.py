"""`gcp.compute.machine-image`: whole machines with all their disks, and who may make machines of them."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import Api, Encryption, compute_resource, listed, observe, policies, root
from snapbase.collect.gcp.roles import MACHINE_IMAGE
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, Scope

_APIS = {"global": Api("MachineImagesClient", "machineImages")}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    resources = (_resource(project, each) for each in listed(project, _APIS["global"], scope.location))
    return observe(project, policies(project, _APIS), MACHINE_IMAGE, resources)


def _resource(project: Project, image: Any) -> Resource:
    """The instance's own properties (metadata, and with it secrets) are left where they are."""
    return compute_resource(
        project,
        root(project, "global", "machineImages"),
        image,
        Encryption.of(image.machine_image_encryption_key),
        source=image.source_instance,
        attributes={"storage_locations": sorted(image.storage_locations), "disks": len(image.saved_disks)},
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
)
