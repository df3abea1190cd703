"""`gcp.compute.snapshot-schedule`: the resource policies that take snapshots and delete them again."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import Api, aggregated, described, failed, guards, instant, known, root
from snapbase.collect.gcp.session import Project
from snapbase.model import Json, Observation, Resource, ResourceType, Scope

_API = Api("ResourcePoliciesClient", "resourcePolicies")
_CYCLES = ("hourly_schedule", "daily_schedule", "weekly_schedule")


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """Resource policies of other sorts (placement, instance start and stop) have no such field and are left out."""
    for place, policy in aggregated(project, scope.location, _API, "resource_policies"):
        if "snapshot_schedule_policy" in policy:
            yield Observation(_resource(project, place, policy))


def _resource(project: Project, place: str, policy: Any) -> Resource:
    """The address is what the snapshots it took name as their origin."""
    path = root(project, place, "resourcePolicies")
    taken, kept = policy.snapshot_schedule_policy.snapshot_properties, policy.snapshot_schedule_policy.retention_policy
    attributes = {
        "status": failed(policy.status),
        "schedule": _schedule(policy.snapshot_schedule_policy.schedule),
        "retention_days": kept.max_retention_days,
        "on_source_disk_delete": kept.on_source_disk_delete,
        "storage_locations": sorted(taken.storage_locations),
        "guest_flush": taken.guest_flush,
        "snapshot_labels": dict(taken.labels) or None,
    }
    return Resource(
        uid=f"{path}/{policy.id}",
        address=f"{path}/{policy.name}",
        type=ResourceType.POLICY,
        name=policy.name,
        created_at=instant(policy.creation_timestamp),
        owner=project.id,
        guards=guards(project, None),
        attributes=known(attributes),
        facts=known({"description": described(policy.description), "chain_name": taken.chain_name}),
    )


def _schedule(schedule: Any) -> Json:
    """`every 1 days at 04:00`, or for a weekly one the days with their times."""
    for cycle in _CYCLES:
        if cycle not in schedule:
            continue
        found = getattr(schedule, cycle)
        if cycle == "weekly_schedule":
            return sorted(f"{each.day} at {each.start_time}" for each in found.day_of_weeks)
        every = f"{found.hours_in_cycle} hours" if cycle == "hourly_schedule" else f"{found.days_in_cycle} days"
        return f"every {every} from {found.start_time}"
    return None


COLLECTOR = Collector(
    kind="gcp.compute.snapshot-schedule",
    title="Compute Engine snapshot schedules",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("compute.resourcePolicies.list",),
    calls="1 per 500",
    blind="Which disks a schedule is attached to; who may change it.",
    shares=False,
)
