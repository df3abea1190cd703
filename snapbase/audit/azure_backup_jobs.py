"""`azure.backup.jobs`: what Azure Backup restored, as its vaults' own lists of jobs tell it -> events.

The Activity Log tells who asked, and that it was accepted. How it ended and where the data went is in the job: of
Recovery Services vaults (Backup REST API, Job Details) and of backup vaults (Data Protection REST API, Backup Jobs).
"""

from collections.abc import Mapping
from typing import Any, Final

from snapbase.audit.activity_log import REGION
from snapbase.audit.activity_record import LONGEST, address, kind_of, mapping, moment, text
from snapbase.audit.backup_jobs import fold
from snapbase.audit.log import AuditLog, Behaviour, Broken, Parsed
from snapbase.event import Action, Actor, ActorKind, Event, Result

SERVICE: Final = "Azure Backup"
RECOVERY: Final = "microsoft.recoveryservices/vaults/backupjobs"
PROTECTION: Final = "microsoft.dataprotection/backupvaults/backupjobs"
_NAMES: Final[Mapping[str, str]] = {
    RECOVERY: "Microsoft.RecoveryServices/vaults/backupJobs/restore",
    PROTECTION: "Microsoft.DataProtection/backupVaults/backupJobs/restore",
}
_RESULTS: Final[Mapping[str, str]] = {
    "inprogress": Result.STARTED,
    "cancelling": Result.STARTED,
    "completed": Result.SUCCEEDED,
    "completedwithwarnings": Result.SUCCEEDED,
    "failed": Result.FAILED,
    "cancelled": Result.FAILED,
}
_MACHINE = "iaasvmcontainerv2"
"""Of Resource Manager; a container of the kind before it has another beginning."""


def recognise(record: Mapping[str, Any]) -> bool:
    return kind_of(address(record.get("id"))) in _NAMES and isinstance(record.get("properties"), dict)


def parse(record: Mapping[str, Any]) -> Parsed:
    """One job as ARM lists or shows it; None for what is no restore."""
    job = address(record.get("id"))
    name = _NAMES.get(kind_of(job))
    if name is None:
        return Broken("the id is none of a backup job")
    told = mapping(record.get("properties"))
    sort = text(told.get("operationCategory")) or text(told.get("operation"))
    if not sort:
        return Broken("the job says neither operation nor operationCategory")
    if "restore" not in sort.lower():
        return None
    return _event(name, job, told)


def _event(name: str, job: str, told: Mapping[str, Any]) -> Parsed:
    at, result = moment(told.get("startTime")), _RESULTS.get(text(told.get("status")).lower(), "")
    vault, _, own = job.rpartition("/backupjobs/")
    subscription = job.split("/")[2] if job.startswith("/subscriptions/") else ""
    if at is None:
        return Broken("startTime is missing or no time")
    if not result:
        return Broken("the job's status is none that is known")
    if not (own and subscription):
        return Broken("the id names no job of a subscription")
    source = _source(told, subscription)
    made = _destination(told)
    return Event(
        cloud="azure",
        id=f"backup-job/{own}",
        at=at,
        name=name,
        action=Action.RESTORE,
        actor=_actor(told),
        account=subscription,
        region=REGION,
        subjects=tuple(dict.fromkeys(filter(None, (vault, source, address(told.get("backupInstanceId")), made)))),
        source=source,
        made=made,
        result=result,
        detail=_detail(told, own),
    )


def _actor(told: Mapping[str, Any]) -> Actor:
    """A job names nobody; whether it was a schedule's, it says."""
    kind = ActorKind.SERVICE if told.get("isUserTriggered") is False else ActorKind.UNKNOWN
    return Actor(id="", kind=kind, via=SERVICE)


def _source(told: Mapping[str, Any], subscription: str) -> str:
    """What was backed up; a machine's container is named by its group and its name, in the vault's subscription."""
    if source := address(told.get("dataSourceId")):
        return source
    _, found, rest = text(told.get("containerName")).lower().rpartition(f"{_MACHINE};")
    group, _, machine = rest.partition(";")
    if not (found and group and machine) or "/" in rest:
        return ""
    return f"/subscriptions/{subscription}/resourcegroups/{group}/providers/microsoft.compute/virtualmachines/{machine}"


def _destination(told: Mapping[str, Any]) -> str:
    """What a backup vault's job restored to, where it is a resource."""
    into = text(mapping(told.get("extendedInfo")).get("recoveryDestination"))
    return address(into) if into.lower().startswith("/subscriptions/") else ""


def _detail(told: Mapping[str, Any], own: str) -> str:
    extended = mapping(told.get("extendedInfo"))
    bag = mapping(extended.get("propertyBag"))
    # Other entries of the bag are links to what was restored, and may open it.
    named = sorted((text(key), text(each)) for key, each in bag.items() if _tells(key))
    into = text(extended.get("recoveryDestination")).partition("?")[0]
    name = text(told.get("entityFriendlyName")) or text(told.get("dataSourceName"))
    said = (
        f"backupJob={own} {text(told.get('status'))}",
        f"of {name}" if name else "",
        text(told.get("restoreType")),
        f"into {into}" if into else "",
        *(f"{key}: {each.partition('?')[0]}" for key, each in named if each),
    )
    return " ".join(" ".join(filter(None, said)).split())[:LONGEST]


def _tells(key: Any) -> bool:
    return isinstance(key, str) and key.strip().lower().startswith(("target", "job type"))


AUDIT_LOG = AuditLog(
    name="azure.backup.jobs",
    cloud="azure",
    title="Azure Backup jobs",
    recognise=recognise,
    parse=parse,
    fold=fold,
    behaviours=(Behaviour(Action.RESTORE, tuple(_NAMES.values()), seen=False),),
    blind="Who asked for a restore (the Activity Log does); restores of single files; restores into a paired region, "
    "which are jobs of that region; what a vault that is gone restored.",
    latency="at once",
    beside=True,
)
