"""`gcp.compute.snapshot`: disk snapshots, global and regional, and who may make disks of them."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import (
    Api,
    Encryption,
    compute_resource,
    full_name,
    listed,
    observe,
    policies,
    root,
)
from snapbase.collect.gcp.roles import SNAPSHOT
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, Scope

_APIS = {
    "global": Api("SnapshotsClient", "snapshots"),
    "regions": Api("RegionSnapshotsClient", "regionSnapshots"),
}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """`snapshots.list` holds the global ones only; regional ones are listed region by region."""
    place = "global" if scope.location == "global" else f"regions/{scope.location}"
    found = listed(project, _APIS[place.partition("/")[0]], scope.location)
    resources = (_resource(project, place, each) for each in found)
    return observe(project, policies(project, _APIS), SNAPSHOT, resources)


def _resource(project: Project, place: str, snapshot: Any) -> Resource:
    """Sizes in storage, label fingerprints and the way to READY change by themselves and are left out."""
    attributes = {
        "snapshot_type": snapshot.snapshot_type,
        "storage_locations": sorted(snapshot.storage_locations),
        "architecture": snapshot.architecture,
        "disk_size_gb": snapshot.disk_size_gb,
    }
    facts = {
        "chain_name": snapshot.chain_name,
        "source_disk_id": snapshot.source_disk_id,
        "source_instant_snapshot_id": snapshot.source_instant_snapshot_id,
        "source_snapshot_schedule_policy_id": snapshot.source_snapshot_schedule_policy_id,
    }
    return compute_resource(
        project,
        root(project, place, "snapshots"),
        snapshot,
        Encryption.of(snapshot.snapshot_encryption_key),
        source=snapshot.source_disk or snapshot.source_instant_snapshot,
        origin=_origin(snapshot),
        attributes=attributes,
        facts=facts,
    )


def _origin(snapshot: Any) -> str | None:
    """Output-only fields, so nobody can pretend to be a schedule (compute.v1 discovery, Snapshot.autoCreated)."""
    policy = full_name(snapshot.source_snapshot_schedule_policy)
    if policy:
        return f"schedule:{policy}"
    return "automated" if snapshot.auto_created else None


COLLECTOR = Collector(
    kind="gcp.compute.snapshot",
    title="Compute Engine snapshots",
    where=frozenset({Where.GLOBAL, Where.REGIONAL}),
    read=_read,
    permissions=("compute.regions.list", "compute.snapshots.list", "compute.snapshots.getIamPolicy", "iam.roles.get"),
    calls="1 per 500 + 1 per snapshot, in every region",
    blind="Members of groups and of identity pools; custom roles that cannot be read (their grants count as unknown); "
    "deny policies and access boundaries; "
    "predefined roles that Google changed after the table of roles was made; "
    "anything in a project whose Compute Engine API is off.",
)
