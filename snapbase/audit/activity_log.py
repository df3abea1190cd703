"""`azure.activity-log`: the Azure Activity Log's administrative records, as the REST API answers them and as diagnostic
settings export them.

One operation is several records: begun, accepted, and how it ended. `fold` joins them by correlation id, operation and
resource; an operation's own id is not the same in all of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from snapbase.audit.activity_names import OPERATIONS, Shape, rule
from snapbase.audit.activity_record import LONGEST, Record, kind_of, operation, value
from snapbase.audit.activity_shapes import READERS
from snapbase.audit.log import AuditLog, Behaviour, Broken, Parsed
from snapbase.event import Action, Actor, ActorKind, Event, Result

REGION = "global"
"""A subscription has one log for all regions."""
_CATEGORIES = frozenset({"", "administrative", "write", "delete", "action"})
"""The last three are how the exports of log profiles, before diagnostic settings, called it."""
_MACHINES = ("microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets")
_PLACES = ("time", "eventTimestamp", "resourceId", "correlationId")


def recognise(entry: Mapping[str, Any]) -> bool:
    """By its operation's name: Azure's other logs look the same, and are passed over when they are parsed."""
    name = entry.get("operationName")
    told = isinstance(name, str) or (isinstance(name, dict) and isinstance(name.get("value"), str))
    return told and any(each in entry for each in _PLACES)


def parse(entry: Mapping[str, Any]) -> Parsed:
    """One record as an event; None if it is in order but not about snapshots, their sources, keys or policies."""
    name = operation(entry)
    if not name:
        return Broken("operationName is missing")
    found = rule(name)
    if found is None or value(entry.get("category")).lower() not in _CATEGORIES:
        return None
    return _event(Record.of(entry), *found)


def fold(events: Iterable[Event]) -> Iterator[Event]:
    """The records of one operation as one event, in the order they were read first: what any of them says was asked,
    and how the last ended. Of a machine's write nothing is said unless a record tells of its disks."""
    joined: dict[str, Event] = {}
    for event in _apart(list(events)):
        joined[event.id] = _joined(joined[event.id], event) if event.id in joined else event
    return (each for each in joined.values() if not _is_bare(each))


def _apart(events: list[Event]) -> Iterator[Event]:
    """A share and its end by the same call are two operations, though the caller gave both one correlation id."""
    shared = {each.id for each in events if each.action == Action.SHARE}
    for each in events:
        yield replace(each, id=f"{each.id}/unshare") if each.action == Action.UNSHARE and each.id in shared else each


def _joined(one: Event, other: Event) -> Event:
    first, last = sorted((one, other), key=lambda each: (_FINAL.get(each.result, 1), each.at))
    told, rest = (last, first) if _tells_more(last, first) else (first, last)
    failed = last.result in _FAILURES
    asked = rest.detail if not _is_bare(rest) and rest.result == Result.STARTED else ""
    detail = ("" if told.result in _FAILURES else told.detail) or asked
    changes = told.action == Action.MODIFY
    twice = first.result == last.result == Result.SUCCEEDED and told.action == rest.action
    known = first if first.actor.kind != ActorKind.UNKNOWN else last
    return replace(
        told,
        at=min(one.at, other.at),
        actor=known.actor,
        source_ip=known.source_ip or first.source_ip or last.source_ip,
        user_agent=known.user_agent or first.user_agent or last.user_agent,
        source=told.source or ("" if changes else rest.source),
        made=told.made or ("" if changes else rest.made),
        subjects=_both(told.subjects, rest.subjects) if twice else told.subjects,
        targets=_both(told.targets, rest.targets) if twice else told.targets or rest.targets,
        result=last.result,
        detail=last.detail if failed else detail,
    )


_FINAL: Mapping[str, int] = {Result.STARTED: 0, Result.SUCCEEDED: 2}
"""What succeeded has happened: a later call with the same correlation id, which callers choose, takes nothing back."""
_FAILURES = (Result.FAILED, Result.DENIED)
_T = TypeVar("_T")


def _both(one: tuple[_T, ...], other: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _tells_more(one: Event, other: Event) -> bool:
    """Whether one says what the operation's name leaves open and the other does not."""
    if _is_bare(one) or _is_bare(other):
        return _is_bare(other) and not _is_bare(one)
    found = rule(one.name)
    usual = found[1] if found else one.action
    if (one.action != usual) != (other.action != usual):
        return one.action != usual
    return _weight(one) > _weight(other)


def _weight(event: Event) -> int:
    return len(event.subjects) + len(event.targets) + bool(event.source) + bool(event.made)


def _is_bare(event: Event) -> bool:
    """A record of a machine that tells nothing of its disks."""
    return event.action == Action.MOUNT and kind_of("".join(event.subjects[:1])) in _MACHINES


def _event(record: Record, name: str, action: str, shape: Shape) -> Parsed:
    at = record.at
    if at is None:
        return Broken("the time is missing or no time")
    if not record.correlation:
        return Broken("correlationId is missing")
    if not record.resource and shape != Shape.ELEVATION:
        return Broken("names no resource")
    told = READERS[shape](record, action)
    if told is None:
        return None
    result, actor = record.result(), record.actor()
    failure = record.error() or result if result in _FAILURES else ""
    return Event(
        cloud="azure",
        id=_id(record, name, actor),
        at=at,
        name=name,
        action=told.action,
        actor=actor,
        account=record.account,
        region=REGION,
        source_ip=record.source_ip,
        user_agent=record.user_agent,
        subjects=told.subjects,
        source=told.source,
        made=told.made,
        targets=told.targets,
        result=result,
        detail=(failure or told.detail)[:LONGEST],
    )


def _id(record: Record, name: str, actor: Actor) -> str:
    """The correlation id, by which the portal finds the records, and which of its operations this is: a deployment's
    all have one. Whose it is belongs to it, as callers choose the id: somebody else's would hide them."""
    what = f"{name.lower()} {record.resource} {actor.id.lower()}".encode(errors="replace")
    return f"{record.correlation.lower()}/{sha256(what).hexdigest()[:16]}"


def _behaviours() -> tuple[Behaviour, ...]:
    """By action; what only the bodies tell is listed by hand."""
    named: dict[str, list[str]] = {}
    for name, (action, _) in OPERATIONS.items():
        named.setdefault(action, []).append(name)
    for action, name in _BY_BODY:
        named.setdefault(action, []).append(name)
    return tuple(Behaviour(action, tuple(dict.fromkeys(names)), action in _SEEN) for action, names in named.items())


_BY_BODY = (
    (Action.MODIFY, "Microsoft.Compute/snapshots/write"),
    (Action.MODIFY, "Microsoft.Compute/disks/write"),
    (Action.COPY, "Microsoft.Compute/snapshots/write"),
    (Action.COPY, "Microsoft.Compute/disks/write"),
    (Action.COPY, "Microsoft.Compute/images/write"),
    (Action.COPY, "Microsoft.Compute/galleries/images/versions/write"),
    (Action.RESTORE, "Microsoft.Compute/disks/write"),
    (Action.RESTORE, "Microsoft.Compute/virtualMachines/write"),
    (Action.SHARE, "Microsoft.Authorization/roleAssignments/write"),
    (Action.SHARE, "Microsoft.Authorization/roleEligibilityScheduleRequests/write"),
    (Action.SHARE, "Microsoft.Compute/galleries/share/action"),
    (Action.SHARE, "Microsoft.Compute/diskAccesses/privateEndpointConnections/write"),
    (Action.UNSHARE, "Microsoft.Compute/galleries/share/action"),
    (Action.INHIBIT, "Microsoft.RecoveryServices/vaults/write"),
    (Action.INHIBIT, "Microsoft.DataProtection/backupVaults/write"),
    (Action.INHIBIT, "Microsoft.RecoveryServices/*/delete"),
    (Action.INHIBIT, "Microsoft.DataProtection/*/delete"),
)
_SEEN = frozenset({Action.EXPORT})
"""Of these, records that others published were read; of all others only some of our own making, in the same shapes."""

AUDIT_LOG = AuditLog(
    name="azure.activity-log",
    cloud="azure",
    title="Azure Activity Log",
    recognise=recognise,
    parse=parse,
    fold=fold,
    behaviours=_behaviours(),
    blind="Reads and lists: nobody is seen who looks for snapshots. Downloads through a link (SAS), by whom and how "
    "often. What was asked for, where the log leaves the request's body out: a snapshot's making and its change then "
    "look the same, and so do a gallery's share and un-share. User agents; the application's id stands in for them. "
    "The deletion of a key is in its vault's own log. Copies that another subscription makes are in that one's log, "
    "and what happens above subscriptions is in the tenant's. History before 90 days.",
    latency="3 to 20 minutes.",
)
