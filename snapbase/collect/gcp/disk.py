"""`gcp.compute.disk`: disks with bindings of their own. Whoever may use a disk can clone it, into any project."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.errors import Unread
from snapbase.collect.gcp.resource import Api, Encryption, aggregated, compute_resource, observe, policies, root
from snapbase.collect.gcp.roles import DISK
from snapbase.collect.gcp.session import Project
from snapbase.model import Miss, Observation, Resource, ResourceType, Scope

_APIS = {"zones": Api("DisksClient", "disks"), "regions": Api("RegionDisksClient", "regionDisks")}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """Disks that grant nothing are no copies and come and go every day, so they are left out.

    Which ones those are is known only for disks whose policy was read: one that was not makes the list incomplete.
    """
    found = aggregated(project, scope.location, _APIS["zones"], "disks")
    resources = (_resource(project, place, each) for place, each in found)
    unread: Miss | None = None
    for seen in observe(project, policies(project, _APIS), DISK, resources):
        if seen.miss is not None:
            unread = unread or seen.miss
        elif seen.grants:
            yield seen
    if unread is not None:
        raise Unread(unread)


def _resource(project: Project, place: str, disk: Any) -> Resource:
    """Who has it attached, and since when, changes with every restart and is left out."""
    return compute_resource(
        project,
        root(project, place, "disks"),
        disk,
        Encryption.of(disk.disk_encryption_key),
        source=disk.source_snapshot or disk.source_image or disk.source_disk or disk.source_instant_snapshot,
        attributes={"architecture": disk.architecture, "disk_size_gb": disk.size_gb},
        sort=ResourceType.DISK,
    )


COLLECTOR = Collector(
    kind="gcp.compute.disk",
    title="Compute Engine disks with bindings of their own",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("compute.disks.list", "compute.disks.getIamPolicy", "iam.roles.get"),
    calls="1 per 500 + 1 per disk",
    blind="Disks without bindings of their own; asynchronous replicas; members of groups and of identity pools; custom "
    "roles that cannot be read (their grants count as unknown); deny policies and access boundaries.",
)
