"""Pure: events of audit logs -> the scopes whose resources they may have changed."""

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

from snapbase.event import Action, Event, Result
from snapbase.model import Cloud, Scope

TOUCHING = frozenset(
    {
        Action.SHARE,
        Action.UNSHARE,
        Action.CREATE,
        Action.COPY,
        Action.DELETE,
        Action.RECYCLE,
        Action.MODIFY,
        Action.POLICY,
        Action.INHIBIT,
        Action.EXPORT,
    }
)
"""What can change what a collector sees; the rest uses snapshots, and leaves them as they are."""
_CHANGES = frozenset({Result.SUCCEEDED, Result.STARTED})
_GLOBAL = "global"

_EC2 = "arn:*:ec2:*:"
_COMPUTE = "*/providers/microsoft.compute/"
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"{_EC2}snapshot/*/lock", ("aws.ec2.snapshot-lock",)),
    (f"{_EC2}snapshot/*/fast-restore/*", ("aws.ec2.fast-restore",)),
    (f"{_EC2}snapshot/*", ("aws.ec2.snapshot",)),
    (f"{_EC2}image/*/exports", ("aws.ec2.image-export",)),
    (f"{_EC2}image/*", ("aws.ec2.image",)),
    (f"{_EC2}region-settings*", ("aws.ec2.region-settings",)),
    ("arn:*:backup:*:backup-plan:*", ("aws.backup.plan",)),
    ("arn:*:backup:*:backup-vault:*", ("aws.backup.vault",)),
    ("arn:*:backup:*:recovery-point:*", ("aws.backup.recovery-point",)),
    ("arn:*:rds:*:cluster-snapshot:*", ("aws.rds.cluster-snapshot",)),
    ("arn:*:rds:*:snapshot:*", ("aws.rds.snapshot",)),
    ("*/providers/microsoft.authorization/*", ("azure.rbac", "azure.rbac.eligible")),
    ("*/providers/microsoft.managedservices/*", ("azure.lighthouse",)),
    (f"{_COMPUTE}snapshots/*", ("azure.compute.snapshot",)),
    (f"{_COMPUTE}disks/*", ("azure.compute.disk",)),
    (f"{_COMPUTE}images/*", ("azure.compute.image",)),
    (f"{_COMPUTE}galleries/*/versions/*", ("azure.compute.gallery-version",)),
    (f"{_COMPUTE}galleries/*", ("azure.compute.gallery", "azure.compute.gallery-version")),
    (f"{_COMPUTE}diskaccesses/*", ("azure.compute.disk-access",)),
    (f"{_COMPUTE}restorepointcollections/*/restorepoints/*", ("azure.compute.restore-point",)),
    (f"{_COMPUTE}restorepointcollections/*", ("azure.compute.restore-point-collection", "azure.compute.restore-point")),
    ("*/providers/microsoft.recoveryservices/vaults/*/backuppolicies/*", ("azure.recoveryservices.policy",)),
    ("*/providers/microsoft.dataprotection/backupvaults/*/backuppolicies/*", ("azure.dataprotection.policy",)),
    ("*/providers/microsoft.recoveryservices/*", ("azure.recoveryservices.vault",)),
    ("*/providers/microsoft.dataprotection/*", ("azure.dataprotection.backup-vault",)),
    ("//compute.googleapis.com/*/snapshots/*", ("gcp.compute.snapshot",)),
    ("//compute.googleapis.com/*/instantsnapshots/*", ("gcp.compute.instant-snapshot",)),
    ("//compute.googleapis.com/*/machineimages/*", ("gcp.compute.machine-image",)),
    ("//compute.googleapis.com/*/images/*", ("gcp.compute.image",)),
    ("//compute.googleapis.com/*/disks/*", ("gcp.compute.disk",)),
    ("//compute.googleapis.com/*/resourcepolicies/*", ("gcp.compute.snapshot-schedule",)),
    ("//cloudsql.googleapis.com/*", ("gcp.sql.backup",)),
    ("//backupdr.googleapis.com/*", ("gcp.backupdr.vault",)),
    ("//cloudresourcemanager.googleapis.com/*", ("gcp.iam",)),
    ("//iam.googleapis.com/*", ("gcp.iam",)),
    ("//orgpolicy.googleapis.com/*", ("gcp.iam",)),
    ("projects/*/keyrings/*", ("gcp.kms.key",)),
)
"""The shape of an address, in lower case -> kinds; the first that fits. A new snapshot has no other mark."""
_SERVICES = {"organizations": ("aws.organizations",), "ebs": ("aws.ec2.snapshot",), "memory-db": ("aws.memorydb.*",)}
"""AWS's services whose kinds are not called after them."""
_BINS = frozenset({"aws.ec2.snapshot", "aws.ec2.image"})
_EXPORTED = frozenset({"aws.rds.snapshot", "aws.rds.cluster-snapshot"})


def touched(events: Iterable[Event], known: Collection[Scope]) -> frozenset[Scope]:
    """Of the scopes that are known, those that hold what the events may have changed."""
    found: set[Scope] = set()
    places: dict[tuple[str, str, str], list[Scope]] = {}
    for scope in known:
        places.setdefault((scope.cloud, scope.account, scope.location), []).append(scope)
    for event in events:
        if not touches(event):
            continue
        globs = set(_kinds(event))
        for location in _locations(event):
            here = places.get((event.cloud, event.account, location), ())
            found.update(each for each in here if any(fnmatchcase(each.kind, glob) for glob in globs))
    return frozenset(found)


def touches(event: Event) -> bool:
    """Whether something may be otherwise than before; what was refused or only tried changed nothing."""
    return event.action in TOUCHING and event.result in _CHANGES


def _kinds(event: Event) -> Iterator[str]:
    """The kinds of everything named; where no address tells any, all of the service."""
    found: set[str] = set()
    for name in filter(None, (*event.subjects, event.made)):
        found.update(_of_address(name.lower()))
    if not found and event.cloud == Cloud.AWS:
        found.update(_of_service(event.name.partition(":")[0]))
    if event.cloud == Cloud.AZURE and event.name.lower().startswith("microsoft.authorization/"):
        found |= {"azure.rbac", "azure.rbac.eligible"}
    if event.action in (Action.DELETE, Action.RECYCLE) and found & _BINS:
        found.add("aws.ec2.recycled-snapshot")
    if event.action == Action.EXPORT and found & _EXPORTED:
        found.add("aws.rds.export-task")
    yield from found


def _of_address(name: str) -> tuple[str, ...]:
    for shape, kinds in _KINDS:
        if fnmatchcase(name, shape):
            return kinds
    return _of_service(name.split(":")[2]) if name.startswith("arn:") and name.count(":") >= 3 else ()


def _of_service(service: str) -> tuple[str, ...]:
    return _SERVICES.get(service, (f"aws.{service}.*",))


def _locations(event: Event) -> set[str]:
    """Where collectors may have found it: zones are in the scope of the whole project."""
    arns = (each.split(":") for each in (*event.subjects, event.made) if each.startswith("arn:"))
    return {_GLOBAL, event.region, *(parts[3] for parts in arns if len(parts) > 3)}
