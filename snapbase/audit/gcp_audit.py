"""`gcp.audit-log`: Google Cloud's audit logs of Admin Activity, System Events and, where switched on, Data Access.

A long operation is two records with one `operation.id`: the first says what was asked, the last how it ended. Both
become events with that id, which `fold` joins. Source: Cloud Logging, "Understanding audit logs".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from snapbase.audit.gcp_names import METHODS, SERVICES, Shape, rule
from snapbase.audit.gcp_record import LONGEST, Record, log_of, mapping
from snapbase.audit.gcp_shapes import READERS
from snapbase.audit.log import AuditLog, Behaviour, Broken, Parsed
from snapbase.event import Action, Event, Result

_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
_END = "the end of an operation whose beginning was not read"


def recognise(entry: Mapping[str, Any]) -> bool:
    """An audit log by its type and its name: only Google writes to the logs of these names."""
    payload = mapping(entry.get("protoPayload"))
    return payload.get("@type") == _TYPE and ("logName" not in entry or log_of(entry)[1] != "")


def parse(entry: Mapping[str, Any]) -> Parsed:
    """One LogEntry as an event; None if it is in order but not about snapshots, their sources, keys or policies."""
    payload = entry.get("protoPayload")
    if not isinstance(payload, dict):
        return Broken("protoPayload is no object")
    method, service = payload.get("methodName"), payload.get("serviceName")
    if method and isinstance(method, str) and isinstance(service, str) and rule(method, service) is None:
        return None
    if not recognise(entry):
        return Broken("not from an audit log")
    record = Record.of(entry)
    if not record.name:
        return Broken("methodName is missing")
    found = rule(record.name, record.service)
    return _event(record, *found) if found else None


def fold(events: Iterable[Event]) -> Iterator[Event]:
    """The records of one operation as one event, in the order of their beginnings: what the first says was asked, and
    how the last ended. Nothing is said of a machine's end alone: whether it was about snapshots is not known."""
    joined: dict[tuple[str, str], Event] = {}
    for event in events:
        key = (event.account, event.id)
        joined[key] = _joined(joined[key], event) if key in joined else event
    machines = ("compute.instances.", "compute.regionInstances.")
    return (each for each in joined.values() if each.detail != _END or not each.name.startswith(machines))


def _joined(one: Event, other: Event) -> Event:
    """What the first record says was asked, with the outcome of the last; a repeated record adds nothing."""
    if other.result == Result.STARTED:
        one, other = other, one
    if one.result != Result.STARTED or other.result == Result.STARTED:
        return other if one.detail == _END else one
    failure = other.detail if other.result in (Result.FAILED, Result.DENIED) else ""
    return replace(one, result=other.result, detail=failure or one.detail, made=one.made or other.made)


def _event(record: Record, action: str, shape: Shape) -> Parsed:
    at = record.at
    if at is None:
        return Broken("timestamp is missing or no time")
    if not record.id:
        return Broken("insertId is missing")
    if not record.account:
        return Broken("logName names no project, folder or organisation")
    told = READERS[shape](record, action)
    if told is None:
        return None
    if not told.subjects and told.action != Action.ENUMERATE:
        return Broken("names no resource")
    result, bare = record.result(), record.is_end and set(record.request) <= {"@type"}
    failure = record.error() if result in (Result.FAILED, Result.DENIED) else ""
    return Event(
        cloud="gcp",
        id=record.id,
        at=at,
        name=record.name,
        action=told.action,
        actor=record.actor(),
        account=record.account,
        region=record.region,
        source_ip=record.caller("callerIp"),
        user_agent=record.caller("callerSuppliedUserAgent"),
        subjects=told.subjects,
        source=told.source,
        made=told.made,
        targets=told.targets,
        result=result,
        detail=(failure or (_END if bare else told.detail))[:LONGEST],
        ids=told.ids,
    )


def _behaviours() -> tuple[Behaviour, ...]:
    """By action; what only the record tells apart (a restore, an un-share) is listed by hand."""
    named: dict[str, list[str]] = {}
    for name, (action, _) in METHODS.items():
        named.setdefault(action, []).append(name)
    for service, verbs in SERVICES.items():
        for verb, (action, _) in verbs.items():
            named.setdefault(action, []).append(f"{service.partition('.')[0]} {verb}")
    policies = [name for name, (_, shape) in METHODS.items() if shape == Shape.SHARED]
    named.setdefault(Action.UNSHARE, []).extend(policies)
    for action, name in _BY_RECORD:
        named.setdefault(action, []).append(name)
    return tuple(Behaviour(action, tuple(dict.fromkeys(names)), action in _SEEN) for action, names in named.items())


_BY_RECORD = (
    (Action.RESTORE, "compute.disks.insert"),
    (Action.RESTORE, "compute.regionDisks.insert"),
    (Action.COPY, "compute.disks.insert"),
    (Action.COPY, "compute.images.insert"),
    (Action.MOUNT, "compute.instances.insert"),
)
_SEEN = frozenset({Action.CREATE, Action.SHARE})
"""Of these, records that others published were read; of all others only some of our own making, in the same shapes."""

AUDIT_LOG = AuditLog(
    name="gcp.audit-log",
    cloud="gcp",
    title="Cloud Audit Logs",
    recognise=recognise,
    parse=parse,
    fold=fold,
    behaviours=_behaviours(),
    blind="Lists and reads, and with them the use of a shared snapshot, unless Data Access logs are switched on and "
    "the reader may see them (roles/logging.privateLogViewer): entries it may not see are left out without a word. "
    "What is made of a shared snapshot in somebody else's project is in that project's log. A policy of Compute Engine "
    "is logged whole, so that an un-share that leaves others in it reads like a share. Exports of images are builds of "
    "Cloud Build. An organisation's log does not hold those of its projects, unless a sink collects them.",
    latency="Mostly within a minute; Google promises nothing.",
)
