"""`gcp.backupdr.vault`: Backup and DR's vaults, where their data may go, and what keeps it from being deleted."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from snapbase.collect.collector import Collector, Where
from snapbase.collect.gcp.resource import described, guards, instant, known
from snapbase.collect.gcp.session import Project
from snapbase.model import Observation, Resource, ResourceType, Scope

_PASSING = frozenset({"CREATING", "UPDATING", "ACTIVE", "DELETING", ""})


def _read(project: Project, scope: Scope) -> Iterator[Observation]:
    """The location `-` stands for all of them."""
    operation, path = (
        "backupdr.projects.locations.backupVaults.list",
        f"v1/projects/{project.id}/locations/-/backupVaults",
    )
    for page in project.get_pages(operation, scope.location, "backupdr", path):
        yield from (Observation(_resource(project, each)) for each in page.get("backupVaults", []))


def _resource(project: Project, vault: Mapping[str, Any]) -> Resource:
    """How many backups it holds, and how large they are, changes every day and is left out."""
    address, state = f"//backupdr.googleapis.com/{vault.get('name', '')}", str(vault.get("state", ""))
    key = str(vault.get("encryptionConfig", {}).get("kmsKeyName", "")) or None
    attributes = {
        "status": None if state in _PASSING else state,
        "access_restriction": vault.get("accessRestriction"),
        "minimum_retention": vault.get("backupMinimumEnforcedRetentionDuration"),
        "retention_inheritance": vault.get("backupRetentionInheritance"),
        "lock": _lock(vault),
        "encryption": "cmek" if key else "google",
    }
    facts = {
        "description": described(str(vault.get("description", ""))),
        "locked_from": vault.get("effectiveTime"),
        "service_account": vault.get("serviceAccount"),
    }
    return Resource(
        uid=f"{address.rpartition('/')[0]}/{vault.get('uid', '')}",
        address=address,
        type=ResourceType.POLICY,
        name=address.rpartition("/")[2],
        created_at=instant(str(vault.get("createTime", ""))),
        owner=project.id,
        encrypted=True,
        key=key,
        guards=guards(project, key),
        attributes=known(attributes),
        facts=known(facts),
        tags=dict(vault.get("labels", {})),
    )


def _lock(vault: Mapping[str, Any]) -> str:
    """The minimum retention holds for everybody once the vault is locked, which `effectiveTime` sets (backupdr.v1)."""
    locked = instant(str(vault.get("effectiveTime", "")))
    if locked is None:
        return "governance"
    return "compliance" if locked <= datetime.now(UTC) else "compliance-cooloff"


COLLECTOR = Collector(
    kind="gcp.backupdr.vault",
    title="Backup and DR vaults",
    where=frozenset({Where.GLOBAL}),
    read=_read,
    permissions=("backupdr.backupVaults.list",),
    calls="1 per 500",
    blind="The data sources and backups in a vault. A vault has no policy of its own: who may restore from it is bound "
    "to its project or above (gcp.iam).",
    shares=False,
)
