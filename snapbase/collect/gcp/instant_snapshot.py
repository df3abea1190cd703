"""`gcp.compute.instant-snapshot`: copies that lie beside their disk, zonal and regional, and who may use them."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import Api, Encryption, aggregated, compute_resource, observe, policies, root
from snapbase.collect.gcp.roles import INSTANT_SNAPSHOT
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, Scope

_APIS = {
    "zones": Api("InstantSnapshotsClient", "instantSnapshots"),
    "regions": Api("RegionInstantSnapshotsClient", "regionInstantSnapshots"),
}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """One list for all zones and regions."""
    found = aggregated(project, scope.location, _APIS["zones"], "instant_snapshots")
    resources = (_resource(project, place, each) for place, each in found)
    return observe(project, policies(project, _APIS), INSTANT_SNAPSHOT, resources)


def _resource(project: Project, place: str, snapshot: Any) -> Resource:
    group = snapshot.source_instant_snapshot_group_id
    return compute_resource(
        project,
        root(project, place, "instantSnapshots"),
        snapshot,
        Encryption(),
        source=snapshot.source_disk,
        attributes={"architecture": snapshot.architecture, "disk_size_gb": snapshot.disk_size_gb},
        facts={"source_disk_id": snapshot.source_disk_id, "source_group_id": group},
    )


COLLECTOR = Collector(
    kind="gcp.compute.instant-snapshot",
    title="Compute Engine instant snapshots",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("compute.instantSnapshots.list", "compute.instantSnapshots.getIamPolicy", "iam.roles.get"),
    calls="1 per 500 + 1 per instant snapshot",
    blind="The disk's key, which encrypts them and is not named; members of groups and of identity pools; custom roles "
    "that cannot be read (their grants count as unknown); deny policies and access boundaries.",
)
