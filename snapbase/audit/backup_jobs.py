"""`aws.backup.jobs`: what AWS Backup copied and restored, as its own lists of jobs tell it -> events.

CloudTrail tells who asked. How a job ended, in whose vault the copy is, which resource a restore made and with which
role are in the job (AWS Backup API reference, CopyJob and RestoreJobsListMember). Both speak of one job by its id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from re import compile as pattern
from typing import Any, Final

from snapbase.audit.cloudtrail_record import is_account, mapping, text
from snapbase.audit.log import AuditLog, Behaviour, Broken, Parsed
from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind

SERVICE: Final = "backup.amazonaws.com"
_ID = pattern(r"[0-9A-Za-z-]{8,64}")
_RESULTS: Final[Mapping[str, str]] = {
    "CREATED": Result.STARTED,
    "PENDING": Result.STARTED,
    "RUNNING": Result.STARTED,
    "COMPLETED": Result.SUCCEEDED,
    # Some of a composite's members are where the job was to bring them.
    "PARTIAL": Result.SUCCEEDED,
    "FAILED": Result.FAILED,
    "ABORTED": Result.FAILED,
}
_LONGEST = 500


def recognise(record: Mapping[str, Any]) -> bool:
    return ("CopyJobId" in record or "RestoreJobId" in record) and "CreationDate" in record


def parse(record: Mapping[str, Any]) -> Parsed:
    """One job, as the API or the command line shows it."""
    return _event(_copy(record) if "CopyJobId" in record else _restore(record))


@dataclass(frozen=True, slots=True)
class _Job:
    """What the two sorts of job have in common."""

    record: Mapping[str, Any]
    sort: str
    """`copy` or `restore`."""
    action: str
    state: str
    home: str
    """An ARN in the account and region of the job."""
    subject: str
    made: str
    into: str
    """The vault of a copy."""
    source: str
    """The resource that was backed up."""
    scheduled: bool

    @property
    def id(self) -> str:
        return text(self.record.get(f"{self.sort.capitalize()}JobId"))

    @property
    def account(self) -> str:
        own = self.record.get("AccountId")
        return own if isinstance(own, str) and is_account(own) else _part(self.home, 4)

    @property
    def result(self) -> str:
        """A category of AWS's own, where there is one, tells a refusal from another failure."""
        found = _RESULTS.get(self.state, "")
        refused = found == Result.FAILED and text(self.record.get("MessageCategory")).lower() == "accessdenied"
        return Result.DENIED if refused else found


def _copy(record: Mapping[str, Any]) -> _Job:
    """The plan in `CreatedBy` may be the backup's; what names a backup job was started by no caller (CopyJob)."""
    return _Job(
        record,
        sort="copy",
        action=Action.COPY,
        state=text(record.get("State")),
        home=text(record.get("SourceBackupVaultArn")),
        subject=text(record.get("SourceRecoveryPointArn")),
        made=text(record.get("DestinationRecoveryPointArn")),
        into=text(record.get("DestinationBackupVaultArn")),
        source=text(record.get("ResourceArn")),
        scheduled=bool(text(record.get("CreatedByBackupJobId"))),
    )


def _restore(record: Mapping[str, Any]) -> _Job:
    return _Job(
        record,
        sort="restore",
        action=Action.RESTORE,
        state=text(record.get("Status")),
        home=text(record.get("BackupVaultArn")) or text(record.get("CreatedResourceArn")),
        subject=text(record.get("RecoveryPointArn")),
        made=text(record.get("CreatedResourceArn")),
        into="",
        source=text(record.get("SourceResourceArn")),
        scheduled=bool(text(mapping(record.get("CreatedBy")).get("RestoreTestingPlanArn"))),
    )


def _event(job: _Job) -> Parsed:
    at = _moment(job.record.get("CreationDate"))
    if not _ID.fullmatch(job.id):
        return Broken("the job has no id")
    if at is None:
        return Broken("CreationDate is not a time")
    if not is_account(job.account):
        return Broken("no account: neither AccountId nor the vault's ARN has one")
    if not job.result:
        return Broken("the job's state is none that is known")
    if not job.subject:
        return Broken("the job names no recovery point")
    return Event(
        cloud="aws",
        id=f"{job.sort}-job/{job.id}",
        at=at,
        name=f"backup:{job.sort.capitalize()}Job",
        action=job.action,
        actor=_actor(job),
        account=job.account,
        region=_part(job.home, 3),
        subjects=tuple(dict.fromkeys(filter(None, (job.subject, job.made)))),
        source=job.subject,
        made=job.made,
        targets=_targets(job),
        result=job.result,
        detail=_detail(job),
    )


def _actor(job: _Job) -> Actor:
    """The role that the job worked with: a plan's or a test's by itself, else for somebody whom CloudTrail names."""
    role = text(job.record.get("IamRoleArn"))
    by_itself = job.scheduled or not role or ":role/aws-service-role/" in role
    kind = ActorKind.SERVICE if by_itself else ActorKind.ROLE
    return Actor(id=role or SERVICE, kind=kind, issuer=role, via=SERVICE, account=_part(role, 4) or job.account)


def _targets(job: _Job) -> tuple[Principal, ...]:
    """Whose vault the copy is in, where it is another account's."""
    owner = _part(job.into, 4)
    return (Principal(PrincipalKind.ACCOUNT, owner),) if is_account(owner) and owner != job.account else ()


def _detail(job: _Job) -> str:
    ended = _moment(job.record.get("CompletionDate"))
    said = (
        f"{job.sort}JobId={job.id} {job.state}",
        f"at {ended:%Y-%m-%d %H:%M:%S} UTC" if ended else "",
        f"into {job.into}" if job.into else "",
        f"of {job.source}" if job.source else "",
        text(job.record.get("StatusMessage")) if job.result in (Result.FAILED, Result.DENIED) else "",
    )
    return " ".join(" ".join(filter(None, said)).split())[:_LONGEST]


def _part(arn: str, number: int) -> str:
    parts = arn.split(":", 6)
    return parts[number] if len(parts) == 7 or (len(parts) == 6 and parts[0] == "arn") else ""


def _moment(value: Any) -> datetime | None:
    """As the SDK has it, as the command line writes it, or in seconds since 1970."""
    try:
        if isinstance(value, str) and len(value) <= 40:
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if not isinstance(value, datetime):
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def fold(events: Iterable[Event]) -> Iterator[Event]:
    """Each job once, as it ended if that was read."""
    found: dict[str, Event] = {}
    for event in events:
        kept = found.get(event.id)
        if kept is None or kept.result == Result.STARTED:
            found[event.id] = event
    yield from found.values()


AUDIT_LOG = AuditLog(
    name="aws.backup.jobs",
    cloud="aws",
    title="AWS Backup jobs",
    recognise=recognise,
    parse=parse,
    fold=fold,
    behaviours=(
        Behaviour(Action.COPY, ("backup:CopyJob",), seen=False),
        Behaviour(Action.RESTORE, ("backup:RestoreJob",), seen=False),
    ),
    blind="Who asked for a job, which CloudTrail has: only the role that it worked with; jobs that AWS Backup has "
    "forgotten, after 30 days; backups, which are read as recovery points; copies and restores past AWS Backup.",
    latency="at once",
    beside=True,
)
