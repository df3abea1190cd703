"""`gcp.compute.snapshot`: disk snapshots, global and regional, and who may make disks of them."""

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
from snapbase.collect.gcp.roles import SNAPSHOT
from snapbase.collect.gcp.session import PAGE, UNRETRIED, Project
from snapbase.model import Observation, Resource, Scope

_APIS = {
    "global": Api("SnapshotsClient", "snapshots"),
    "regions": Api("RegionSnapshotsClient", "regionSnapshots"),
}


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """`snapshots.list` holds the global ones only; regional ones are listed region by region."""
    if scope.location == "global":
        api, where = _APIS["global"], {"project": project.id}
    else:
        api, where = _APIS["regions"], {"project": project.id, "region": scope.location}
    client = project.session.compute(api.client)

    def page(token: str) -> Any:
        return client.list(request={**where, "max_results": PAGE, "page_token": token}, **UNRETRIED)

    pages = project.pages(f"compute.{api.name}.list", scope.location, page)
    resources = (_resource(project, scope.location, each) for listed in pages for each in listed.items)
    return observe(project, policies(project, _APIS), SNAPSHOT, resources)


def _resource(project: Project, location: str, snapshot: Any) -> Resource:
    """Sizes in storage, label fingerprints and the way to READY change by themselves and are left out."""
    path = root(project, "global" if location == "global" else f"regions/{location}", "snapshots")
    encryption = Encryption.of(snapshot.snapshot_encryption_key)
    attributes = {
        "status": failed(snapshot.status),
        "snapshot_type": snapshot.snapshot_type,
        "storage_locations": sorted(snapshot.storage_locations),
        "architecture": snapshot.architecture,
        "disk_size_gb": snapshot.disk_size_gb,
        "encryption": encryption.name,
    }
    facts = {
        "chain_name": snapshot.chain_name,
        "description": described(snapshot.description),
        "source_disk_id": snapshot.source_disk_id,
        "source_instant_snapshot_id": snapshot.source_instant_snapshot_id,
        "source_snapshot_schedule_policy_id": snapshot.source_snapshot_schedule_policy_id,
    }
    return Resource(
        uid=f"{path}/{snapshot.id}",
        address=f"{path}/{snapshot.name}",
        name=snapshot.name,
        created_at=instant(snapshot.creation_timestamp),
        owner=project.id,
        source=full_name(snapshot.source_disk or snapshot.source_instant_snapshot),
        origin=_origin(snapshot),
        encrypted=True,
        key=encryption.key,
        guards=guards(project, encryption.key),
        limits=encryption.limits,
        attributes=known(attributes),
        facts=known(facts),
        tags=dict(snapshot.labels),
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
    events={
        "compute.snapshots.insert": "created",
        "compute.snapshots.delete": "deleted",
        "compute.snapshots.setIamPolicy": "shared",
        "compute.snapshots.setLabels": "modified",
        "compute.snapshots.updateKmsKey": "modified",
        "compute.regionSnapshots.insert": "created",
        "compute.regionSnapshots.delete": "deleted",
        "compute.regionSnapshots.setIamPolicy": "shared",
        "compute.regionSnapshots.setLabels": "modified",
        "compute.regionSnapshots.updateKmsKey": "modified",
        "compute.disks.createSnapshot": "created",
        "ScheduledSnapshots": "created",
    },
)
