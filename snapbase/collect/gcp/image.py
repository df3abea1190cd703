"""`gcp.compute.image`: custom images, and who may make disks of them."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import Api, Encryption, compute_resource, listed, observe, policies, root
from snapbase.collect.gcp.roles import IMAGE
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, Scope

_APIS = {"global": Api("ImagesClient", "images")}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    resources = (_resource(project, each) for each in listed(project, _APIS["global"], scope.location))
    return observe(project, policies(project, _APIS), IMAGE, resources)


def _resource(project: Project, image: Any) -> Resource:
    attributes = {
        "family": image.family,
        "deprecated": image.deprecated.state,
        "storage_locations": sorted(image.storage_locations),
        "architecture": image.architecture,
        "disk_size_gb": image.disk_size_gb,
    }
    facts = {
        "source_disk_id": image.source_disk_id,
        "source_image_id": image.source_image_id,
        "source_snapshot_id": image.source_snapshot_id,
    }
    return compute_resource(
        project,
        root(project, "global", "images"),
        image,
        Encryption.of(image.image_encryption_key),
        source=image.source_disk or image.source_snapshot or image.source_image or image.raw_disk.source,
        attributes=attributes,
        facts=facts,
    )


COLLECTOR = Collector(
    kind="gcp.compute.image",
    title="Compute Engine images",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("compute.images.list", "compute.images.getIamPolicy", "iam.roles.get"),
    calls="1 per 500 + 1 per image",
    blind="Members of groups and of identity pools; custom roles that cannot be read (their grants count as unknown); "
    "deny policies and access boundaries; "
    "exports of an image to a bucket.",
)
