"""`gcp.sql.backup`: Cloud SQL's backups of a project, also those that outlived their instance."""

from collections.abc import Iterator, Mapping
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import described, guards, instant, known
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, Scope

_ROOT = "//cloudsql.googleapis.com"
_PASSING = frozenset({"ENQUEUED", "RUNNING", "SUCCESSFUL", "DELETING", ""})


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    path = f"v1/projects/{project.id}/backups"
    for page in project.get_pages("sql.Backups.ListBackups", scope.location, "sqladmin", path):
        yield from (Observation(_resource(project, each)) for each in page.get("backups", []))


def _resource(project: Project, backup: Mapping[str, Any]) -> Resource:
    """The service names a backup, so nobody can put another one under an old name (sqladmin.v1 discovery)."""
    name, made = str(backup.get("name", "")), backup.get("backupInterval", {})
    state, key = str(backup.get("state", "")), str(backup.get("kmsKey", "")) or None
    attributes = {
        "status": None if state in _PASSING else state,
        "backup_type": backup.get("type"),
        "backup_kind": backup.get("backupKind"),
        "engine": backup.get("databaseVersion"),
        "storage_locations": [backup["location"]] if backup.get("location") else None,
        "encryption": "cmek" if key else "google",
    }
    facts = {
        "description": described(str(backup.get("description", ""))),
        "expires_at": backup.get("expiryTime"),
        "instance_deleted_at": backup.get("instanceDeletionTime"),
    }
    instance = str(backup.get("instance", ""))
    return Resource(
        uid=f"{_ROOT}/{name}",
        address=f"{_ROOT}/{name}",
        name=name.rpartition("/")[2],
        created_at=instant(str(made.get("startTime", ""))),
        owner=project.id,
        source=f"{_ROOT}/projects/{project.id}/instances/{instance}" if instance else None,
        origin="automated" if backup.get("type") == "AUTOMATED" else None,
        encrypted=True,
        key=key,
        guards=guards(project, key),
        attributes=known(attributes),
        facts=known(facts),
    )


COLLECTOR = Collector(
    kind="gcp.sql.backup",
    title="Cloud SQL backups",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("cloudsql.backupRuns.list",),
    calls="1 per 500",
    blind="Exports to buckets, clones and restores into other projects while they happen. A backup has no policy of "
    "its own: who may take it home is bound to its project or above (gcp.iam).",
    shares=False,
)
