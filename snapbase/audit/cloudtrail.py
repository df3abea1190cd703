"""AWS CloudTrail: records of API calls and of what AWS services did by themselves -> events.

Record contents and their meaning: CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity
element". A record is looked up by service and name first, so that what does not concern us costs two lookups.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from snapbase.audit.cloudtrail_names import NAMES
from snapbase.audit.cloudtrail_record import (
    MOST,
    Names,
    Record,
    is_account,
    many,
    mapping,
    partition_of,
    text,
    unwrapped,
)
from snapbase.audit.cloudtrail_shape import Row
from snapbase.audit.log import AuditLog, Behaviour, Broken, Parsed
from snapbase.event import Action, Actor, ActorKind, Event, Result

_BY_ITSELF: Final = frozenset(
    {
        "backup.amazonaws.com",
        "dlm.amazonaws.com",
        "guardduty.amazonaws.com",
        "malware-protection.guardduty.amazonaws.com",
        "inspector2.amazonaws.com",
        "agentless.inspector2.amazonaws.com",
        "rds.amazonaws.com",
        "rbin.amazonaws.com",
        "imagebuilder.amazonaws.com",
        "scheduler.amazonaws.com",
    }
)
"""Services that work with a role on a schedule or by themselves; others (CloudFormation) do what a caller asked for."""
_PEOPLE: Final = frozenset({"IAMUser", "Root", "FederatedUser", "SAMLUser", "WebIdentityUser", "IdentityCenterUser"})
_DENIED: Final = ("AccessDenied", "UnauthorizedOperation", "NotAuthorized", "AuthFailure", "ExplicitDeny")
_OVER: Final = frozenset({"FAILED", "ABORTED", "EXPIRED"})
"""Not PARTIAL: some of a composite's members are where the job was to bring them."""
_REMEMBERED: Final = 100_000
"""Event ids that `fold` keeps to know a record it has seen; copies of one lie close together."""


def recognise(record: Mapping[str, Any]) -> bool:
    """Every CloudTrail record has a source and a name; S3's own notifications have them too, as `aws:s3`."""
    if "eventSource" not in record or "eventName" not in record:
        return False
    if not ("eventVersion" in record or "userIdentity" in record or "eventID" in record or "eventTime" in record):
        return False
    source = record["eventSource"]
    return not (isinstance(source, str) and source.startswith("aws:"))


def parse(record: Mapping[str, Any]) -> Parsed:
    source, name = record.get("eventSource"), record.get("eventName")
    if not isinstance(source, str) or not isinstance(name, str):
        return Broken("eventSource or eventName is not a string")
    rows = NAMES.get(source)
    row = rows.get(name) if rows else None
    return None if row is None else _parse(record, row, f"{source.partition('.')[0]}:{name}")


def _parse(record: Mapping[str, Any], row: Row, name: str) -> Parsed:
    when = _moment(record.get("eventTime"))
    if when is None:
        return Broken("eventTime is not a time")
    identity = mapping(record.get("userIdentity"))
    account = text(record.get("recipientAccountId")) or text(identity.get("accountId"))
    if not is_account(account):
        return Broken("no account: neither recipientAccountId nor userIdentity.accountId is one")
    region = text(record.get("awsRegion"))
    if not region:
        return Broken("awsRegion is not a string")
    read = _read(record, name.partition(":")[2], account, region, identity)
    action = row.action if isinstance(row.action, str) else row.action(read)
    if not action:
        return None
    subjects, made, whence = _subjects(read, row)
    event = Event(
        cloud="aws",
        id=text(record.get("eventID")) or _digest(when, name, account, region, *subjects, *made),
        at=when,
        name=name,
        action=action,
        actor=_actor(identity, account),
        account=account,
        region=region,
        source_ip=text(record.get("sourceIPAddress"))[:100],
        user_agent=text(record.get("userAgent"))[:300],
        subjects=subjects,
        source=whence[0] if whence else "",
        made=made[0] if made else "",
        targets=row.whom(read),
        result=_result(record, row, read),
        detail=_detail(record, row, read),
    )
    return replace(event, ids=len(row.on(read))) if row.listing else event


def _read(record: Mapping[str, Any], operation: str, account: str, region: str, identity: Mapping[str, Any]) -> Record:
    return Record(
        name=operation,
        account=account,
        region=region,
        request=unwrapped(record.get("requestParameters"), operation, "Request"),
        response=unwrapped(record.get("responseElements"), operation, "Response"),
        service=mapping(record.get("serviceEventDetails")),
        resources=tuple(each for each in many(record.get("resources")) if isinstance(each, dict)),
        owner=text(identity.get("accountId")) or account,
        via=text(identity.get("invokedBy")),
        partition=partition_of(region),
    )


def _subjects(read: Record, row: Row) -> tuple[Names, Names, Names]:
    made = row.made(read)
    whence = row.source(read)
    return tuple(dict.fromkeys((*row.on(read), *made)))[:MOST], made, whence


def _moment(value: Any) -> datetime | None:
    """`2024-08-01T12:28:02Z`, or as warehouses write it again, with a space and without the zone."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _digest(when: datetime, *parts: str) -> str:
    """An id for records that documentation and exports show without one: the same for the same record."""
    joined = "\0".join((when.isoformat(), *parts))
    return f"digest:{blake2b(joined.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _actor(identity: Mapping[str, Any], account: str) -> Actor:
    kind, own = text(identity.get("type")), text(identity.get("accountId"))
    issuer = text(mapping(mapping(identity.get("sessionContext")).get("sessionIssuer")).get("arn"))
    via = text(identity.get("invokedBy"))
    named = text(identity.get("arn")) or text(identity.get("principalId")) or text(identity.get("userName"))
    return Actor(
        id=named or (via if kind == "AWSService" else own) or via,
        kind=_kind(kind, own, account, issuer, via),
        issuer=issuer,
        via=via,
        account=own,
    )


def _kind(kind: str, own: str, account: str, issuer: str, via: str) -> str:
    if own and own != account:
        return ActorKind.FOREIGN
    if kind == "AWSService" or ":role/aws-service-role/" in issuer:
        return ActorKind.SERVICE
    if kind == "AssumedRole":
        return ActorKind.SERVICE if via in _BY_ITSELF else ActorKind.ROLE
    if kind in _PEOPLE:
        return ActorKind.HUMAN
    return ActorKind.SERVICE if via and not kind.startswith("AWSAccount") else ActorKind.UNKNOWN


def _result(record: Mapping[str, Any], row: Row, read: Record) -> str:
    code = record.get("errorCode")
    if code or record.get("errorMessage"):
        said = code if isinstance(code, str) else ""
        if "DryRunOperation" in said:
            return Result.DRY_RUN
        return Result.DENIED if any(each in said for each in _DENIED) else Result.FAILED
    if read.response.get("_return") is False or text(read.service.get("state")) in _OVER:
        return Result.FAILED
    return Result.STARTED if row.started else Result.SUCCEEDED


def _detail(record: Mapping[str, Any], row: Row, read: Record) -> str:
    said = (text(record.get("errorCode")), row.tell(read), _job(read))
    return " ".join(" ".join(filter(None, said)).split())[:500]


def _job(read: Record) -> str:
    """What a start and its end have in common, and what came of it."""
    for name in ("backupJobId", "copyJobId", "restoreJobId"):
        found = text(read.response.get(name)) or text(read.service.get(name))
        if found:
            return f"{name}={found} {text(read.service.get('state'))}"
    return ""


def fold(events: Iterable[Event]) -> Iterator[Event]:
    """Each event once, by its id; reads of a snapshot's blocks, one for each half megabyte, as one event an hour."""
    seen: dict[str, None] = {}
    for event in events:
        one = _hour_of_reading(event) if event.action == Action.READ_BLOCKS else event
        if one.id in seen:
            continue
        seen[one.id] = None
        if len(seen) > _REMEMBERED:
            seen.pop(next(iter(seen)))
        yield one


def _hour_of_reading(event: Event) -> Event:
    """Named by what its hour's reads have in common, so that overlapping stretches tell of it once."""
    hour = event.at.replace(minute=0, second=0, microsecond=0)
    same = (event.account, event.region, event.actor.id, event.source_ip, event.result, *event.subjects)
    return replace(
        event, id=_digest(hour, "blocks", *same), detail=f"reads of {hour:%Y-%m-%d %H}:00 UTC {event.detail}"
    )


_SAMPLES: Final = frozenset(
    {
        "ec2:ModifySnapshotAttribute",
        "ec2:ModifyImageAttribute",
        "ec2:SharedSnapshotCopyInitiated",
        "ec2:CreateImage",
        "ec2:CreateVolume",
        "rds:ModifyDBSnapshotAttribute",
        "rds:CreateDBSnapshot",
        "rds:StartExportTask",
        "rds:ModifyDBInstance",
        "rds:ModifyDBCluster",
    }
)
"""Names of which published records were read; the others are of our own making in the same shapes."""


def _behaviours() -> Iterator[Behaviour]:
    """By the class that a name mostly has: where parameters decide, the worst."""
    named: dict[str, list[str]] = {}
    for source, rows in NAMES.items():
        for name, row in rows.items():
            named.setdefault(_worst(name, row), []).append(f"{source.partition('.')[0]}:{name}")
    for action in Action:
        names = tuple(dict.fromkeys(named.get(action, ())))
        for seen in (True, False):
            some = tuple(each for each in names if (each in _SAMPLES) == seen)
            if some:
                yield Behaviour(action, some, seen)


def _worst(name: str, row: Row) -> str:
    if isinstance(row.action, str):
        return row.action
    if name in ("CreateGrant", "CreateResourceShare", "AssociateResourceShare") or name.endswith("Attribute"):
        return Action.SHARE
    if name in ("RevokeGrant", "DisassociateResourceShare"):
        return Action.UNSHARE
    if name == "CopySnapshot":
        return Action.EXPORT
    return Action.RESTORE if name.startswith(("Create", "Run")) else Action.INHIBIT


AUDIT_LOG = AuditLog(
    name="aws.cloudtrail",
    cloud="aws",
    title="AWS CloudTrail",
    recognise=recognise,
    parse=parse,
    fold=fold,
    behaviours=tuple(_behaviours()),
    blind=(
        "Block reads of EBS snapshots where the trail has no data events, and the event history never; what a foreign "
        "account does with a shared RDS snapshot or image; launches of an image that name no snapshot themselves; "
        "automated RDS snapshots; which database a shared snapshot became elsewhere."
    ),
    latency="usually 5 minutes, 15 at most as a rule, and not guaranteed",
)
