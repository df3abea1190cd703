"""Made-up events for the detections' own examples."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.finding import Severity
from snapbase.model import Cloud, Principal, PrincipalKind, Resource
from snapbase.rules.detection import Case
from snapbase.rules.estate import Estate, Facts, Known, Tuning
from snapbase.rules.timeline import Habit, Timeline, timeline
from snapbase.trust import TrustedEntry, TrustList

OURS, THEIRS, PARTNER = "111122223333", "999988887777", "777788889999"
SNAPSHOT = "arn:aws:ec2:eu-west-1::snapshot/snap-0a1b2c3d4e5f60718"
EVERYONE = Principal(PrincipalKind.PUBLIC, "all")
STRANGER = Principal(PrincipalKind.ACCOUNT, THEIRS)
TRUST = TrustList(own=frozenset({OURS}), entries=(TrustedEntry(PARTNER, "Backup partner"),))
BEGIN = datetime(2026, 11, 25, tzinfo=UTC)
EVE = Actor("arn:aws:iam::111122223333:user/eve", ActorKind.HUMAN, account=OURS)
OPS = Actor(
    "arn:aws:sts::111122223333:assumed-role/ops/ann",
    ActorKind.ROLE,
    "arn:aws:iam::111122223333:role/ops",
    account=OURS,
)
GUARDDUTY = Actor(
    "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForAmazonGuardDutyMalwareProtection/x",
    ActorKind.SERVICE,
    "arn:aws:iam::111122223333:role/aws-service-role/malware-protection.guardduty.amazonaws.com/"
    "AWSServiceRoleForAmazonGuardDutyMalwareProtection",
    account=OURS,
)
INSPECTOR = replace(GUARDDUTY, issuer="arn:aws:iam::111122223333:role/aws-service-role/agentless.inspector2/x")
BACKUP = Actor(
    "arn:aws:sts::111122223333:assumed-role/backup/AWSBackup-x",
    ActorKind.SERVICE,
    "arn:aws:iam::111122223333:role/backup",
    "backup.amazonaws.com",
    OURS,
)
DLM = replace(BACKUP, issuer="arn:aws:iam::111122223333:role/dlm", via="dlm.amazonaws.com")
THIEF = Actor(THEIRS, ActorKind.FOREIGN, account=THEIRS)

_NAMES = {
    Action.CREATE: "ec2:CreateSnapshot",
    Action.COPY: "ec2:CopySnapshot",
    Action.SHARE: "ec2:ModifySnapshotAttribute",
    Action.UNSHARE: "ec2:ModifySnapshotAttribute",
    Action.RESTORE: "ec2:CreateVolume",
    Action.MOUNT: "ec2:AttachVolume",
    Action.EXPORT: "ec2:ExportImage",
    Action.READ_BLOCKS: "ebs:GetSnapshotBlock",
    Action.DELETE: "ec2:DeleteSnapshot",
    Action.INHIBIT: "backup:DeleteBackupVaultLockConfiguration",
    Action.ENUMERATE: "ec2:DescribeSnapshots",
}


def did(action: Action, minutes: float = 1, actor: Actor = EVE, **fields: Any) -> Event:
    """One event, so many minutes after what was approved."""
    told: dict[str, Any] = {
        "cloud": Cloud.AWS,
        "name": _NAMES.get(action, ""),
        "account": OURS,
        "region": "eu-west-1",
        "source_ip": "203.0.113.9",
        "subjects": () if action == Action.ENUMERATE else (SNAPSHOT,),
        "ids": 0 if action == Action.ENUMERATE else 1,
    }
    if action in (Action.SHARE, Action.UNSHARE):
        told["targets"] = (STRANGER,)
    told |= {"made": SNAPSHOT, "source": "vol-1"} if action == Action.CREATE else {}
    at = BEGIN + timedelta(minutes=minutes)
    # Named by what it is, so that the same example always gives the same ids.
    name = "-".join((action, f"{minutes:g}", *(str(each) for each in fields.values() if isinstance(each, str))))
    return Event(**{"id": name, "at": at, "action": action, "actor": actor, **told, **fields})


def many(action: Action, count: int, within: float = 30, **fields: Any) -> list[Event]:
    """As many events about as many snapshots, spread over some minutes."""
    found = []
    for number in range(count):
        name = f"{SNAPSHOT}{number:04}"
        event = did(action, 1 + within * number / count, **{"subjects": (name,), **fields})
        found.append(replace(event, made=name if action == Action.CREATE else event.made, id=f"{event.id}-{number}"))
    return found


def listings(count: int, regions: int = 1, **fields: Any) -> list[Event]:
    """Listings without an id, over some regions."""
    names = ("ec2:DescribeSnapshots", "ec2:DescribeImages", "rds:DescribeDBSnapshots", "backup:ListBackupVaults")
    return [
        did(Action.ENUMERATE, 1 + number, name=names[number % 4], region=f"region-{number % regions}", **fields)
        for number in range(count)
    ]


def line(*events: Event | Iterable[Event], **more: Any) -> Timeline:
    flat = [one for each in events for one in ((each,) if isinstance(each, Event) else each)]
    return timeline(flat, BEGIN, **more)


def used_to(action: Action, actor: Actor = EVE, hours: tuple[int, ...] = (1, 2, 1)) -> dict[str, Any]:
    """An actor who did this before."""
    return {"habits": {(Cloud.AWS, actor.principal, action): Habit(hours)}}


def known(address: str = SNAPSHOT, **fields: Any) -> Known:
    """`ever`: who was seen to hold it since the day before what was approved, `until` so many minutes after that."""
    until = BEGIN + timedelta(minutes=fields.pop("until")) if "until" in fields else None
    fields["ever"] = frozenset((each, BEGIN - timedelta(days=1), until) for each in fields.get("ever", ()))
    more = {name: fields.pop(name) for name in ("ever", "approved", "rotated") if name in fields}
    resource = Resource(**{"uid": address, "address": address, "name": "orders-db", "source": "vol-1", **fields})
    return Known("aws.ec2.snapshot", resource, **more)


def estate(*resources: Known, made: Collection[str] = (), **tuning: Any) -> Estate:
    """What is known: some resources, and what our own logs say was made here."""
    by_address = {each.resource.address: each for each in resources}

    def look(_: str, addresses: Collection[str]) -> Mapping[str, Facts]:
        return {each: Facts(by_address.get(each), each in made or each in by_address) for each in addresses}

    return Estate(TRUST, date(2026, 11, 25), Tuning(**tuning), look)


def case(name: str, events: Timeline, severity: Severity | None, about: Estate | None = None) -> Case:
    return Case(name, events, severity, about or estate(known()))


def failed(event: Event, result: str = Result.DENIED) -> Event:
    return replace(event, result=result, made="")
