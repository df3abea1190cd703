"""Events of audit logs: kept once each, found by subject, actor and time, forgotten after their time."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)

from snapbase.event import Actor, Event, Result
from snapbase.model import Principal
from snapbase.store import codec
from snapbase.store.bulk import Row, insert_rows
from snapbase.store.tables import Id, metadata
from snapbase.store.writer import next_id

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("cloud", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("cloud", "event_id"),
)
Index("ix_event_at", event.c.at)

event_subject = Table(
    "event_subject",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("event_id", Id, ForeignKey("event.id", ondelete="CASCADE"), primary_key=True),
)
Index("ix_event_subject_event_id", event_subject.c.event_id)

watermark = Table(
    "watermark",
    metadata,
    Column("log", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("since", Text, nullable=False),
    Column("until", Text, nullable=False),
)

_IN = 500
_SUCCEEDED = event.c.body.contains(f'"result":"{Result.SUCCEEDED}"', autoescape=True)
"""Of a body's canonical JSON; quotes within values are escaped, so that no value can look like it."""


def add(connection: Connection, found: Iterable[Event], since: datetime | None = None) -> int:
    """Keeps what is not kept yet; returns how many are new. One that had only begun takes the outcome it has now.

    `since`: what happened before is too old to be kept; a log that tells it again would make it look new.
    """
    latest = {(each.cloud, codec.clean(each.id)): each for each in found}
    known = _known(connection, list(latest))
    unsettled = _unsettled(connection, known.values())
    again = [key for key, row in known.items() if row in unsettled and _succeeds(unsettled[row], latest[key])]
    if again:
        tried = [latest.pop(key) for key in again]
        latest |= {(each.cloud, codec.clean(each.id)): each for each in map(_apart, tried)}
        known = _known(connection, list(latest))
    number = next_id(connection, event)
    rows: list[Row] = []
    subjects: list[Row] = []
    for key, each in latest.items():
        row = known.get(key)
        if row is not None:
            if row in unsettled:
                _finish(connection, row, unsettled[row], each)
            continue
        if since is not None and each.at < since:
            continue
        stamp, actor = codec.stamp(each.at), codec.clean(each.actor.principal)
        rows.append((number, *key, stamp, each.action, actor, _body(each)))
        subjects += [(subject, number) for subject in sorted(_subjects(each))]
        number += 1
    insert_rows(connection, event, rows)
    insert_rows(connection, event_subject, subjects)
    return len(rows)


def _known(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    wanted = set(keys)
    ids = sorted({key[1] for key in keys})
    for start in range(0, len(ids), _IN):
        query = select(event.c.cloud, event.c.event_id, event.c.id)
        query = query.where(event.c.event_id.in_(ids[start : start + _IN]))
        found |= {(cloud, key): row for cloud, key, row in connection.execute(query) if (cloud, key) in wanted}
    return found


def _unsettled(connection: Connection, rows: Collection[int]) -> dict[int, Event]:
    """Of some rows, the events that have not succeeded, or not yet."""
    found: dict[int, Event] = {}
    ids = sorted(rows)
    for start in range(0, len(ids), _IN):
        query = select(event.c.id, event.c.body).where(event.c.id.in_(ids[start : start + _IN]), ~_SUCCEEDED)
        found |= {row: from_body(body) for row, body in connection.execute(query)}
    return found


def _succeeds(kept: Event, each: Event) -> bool:
    """Whether a call succeeded under the id of one that did not."""
    return kept.result in (Result.DENIED, Result.FAILED) and each.result == Result.SUCCEEDED


def _apart(each: Event) -> Event:
    """Callers choose the id in some logs: somebody may have judged, and approved, that it failed."""
    return replace(each, id=f"{each.id}/succeeded")


def _finish(connection: Connection, row: int, kept: Event, each: Event) -> None:
    """An operation that had only begun when it was read first has an outcome now."""
    if kept.result != Result.STARTED or each.result == Result.STARTED:
        return
    # The end of an operation may say less than its beginning: what it leaves out stays.
    told = {part.name: getattr(each, part.name) or getattr(kept, part.name) for part in fields(Event)}
    each = replace(Event(**told), at=kept.at, action=kept.action if not each.subjects else each.action)
    connection.execute(update(event).where(event.c.id == row).values(body=_body(each), action=each.action))
    known = set(connection.execute(select(event_subject.c.subject).where(event_subject.c.event_id == row)).scalars())
    fresh = sorted(_subjects(each) - known)
    if fresh:
        connection.execute(insert(event_subject), [{"subject": subject, "event_id": row} for subject in fresh])


def _subjects(each: Event) -> set[str]:
    return {codec.clean(subject) for subject in (*each.subjects, each.made, each.source) if subject}


def _body(each: Event) -> str:
    return codec.canonical(asdict(each)).decode()


def from_body(body: str) -> Event:
    """An event as it was kept."""
    told: dict[str, Any] = orjson.loads(body)
    told["at"] = codec.moment(told["at"])
    told["actor"] = Actor(**told["actor"])
    told["subjects"] = tuple(told["subjects"])
    told["targets"] = tuple(Principal(**each) for each in told["targets"])
    return Event(**told)


def between(connection: Connection, since: datetime, until: datetime) -> Iterator[Event]:
    """Everything kept that happened after `since`, up to and with `until`, in order of time."""
    query = select(event.c.body).where(event.c.at > codec.stamp(since), event.c.at <= codec.stamp(until))
    for (body,) in connection.execute(query.order_by(event.c.at, event.c.event_id)):
        yield from_body(body)


def about(connection: Connection, subjects: Collection[str]) -> list[Event]:
    """Everything kept about some subjects, in order of time."""
    found: dict[int, str] = {}
    wanted = sorted({codec.clean(subject) for subject in subjects})
    for start in range(0, len(wanted), _IN):
        query = select(event.c.id, event.c.body).join_from(event_subject, event)
        query = query.where(event_subject.c.subject.in_(wanted[start : start + _IN]))
        found |= {int(row): str(body) for row, body in connection.execute(query)}
    return sorted(map(from_body, found.values()), key=lambda each: (each.at, each.id))


def actors(connection: Connection, before: datetime) -> dict[tuple[str, str], datetime]:
    """When each actor was first seen doing each action, of what happened before a moment."""
    query = select(event.c.actor, event.c.action, event.c.at).where(event.c.at < codec.stamp(before))
    first: dict[tuple[str, str], datetime] = {}
    for actor, action, at in connection.execute(query.order_by(event.c.at)):
        first.setdefault((actor, action), codec.moment(at))
    return first


def prune(
    connection: Connection, before: datetime, bound: Collection[tuple[str, str]] = (), limit: int | None = None
) -> int:
    """Forgets what happened before a moment, but for some events (cloud, id); returns how many, `limit` at most."""
    old = forgotten(connection, before, bound, limit)
    for start in range(0, len(old), _IN):
        part = old[start : start + _IN]
        connection.execute(delete(event_subject).where(event_subject.c.event_id.in_(part)))
        connection.execute(delete(event).where(event.c.id.in_(part)))
    return len(old)


def forgotten(
    connection: Connection, before: datetime, bound: Collection[tuple[str, str]] = (), limit: int | None = None
) -> list[int]:
    """The rows that `prune` deletes. The newest one stays: its number says what was looked at already."""
    newest = select(func.max(event.c.id)).scalar_subquery()
    old = select(event.c.id).where(event.c.at < codec.stamp(before), event.c.id < newest).order_by(event.c.at)
    spared = set(_known(connection, list(bound)).values())
    if limit is not None:
        old = old.limit(limit + len(spared))
    return [row for row in connection.execute(old).scalars() if row not in spared][:limit]


def read_until(connection: Connection) -> dict[tuple[str, str, str], tuple[datetime, datetime]]:
    """From when until when each source (log, account, region) was read without a hole."""
    rows = connection.execute(select(watermark))
    return {(log, account, region): (codec.moment(a), codec.moment(b)) for log, account, region, a, b in rows}


def mark(connection: Connection, source: tuple[str, str, str], since: datetime, until: datetime) -> None:
    """A source was read from `since` to `until`; a stretch that does not touch the one before begins a new one."""
    known = read_until(connection).get(source)
    if known is not None and since <= known[1]:
        since, until = min(since, known[0]), max(until, known[1])
    log, account, region = source
    where = (watermark.c.log == log, watermark.c.account == account, watermark.c.region == region)
    values = {"since": codec.stamp(since), "until": codec.stamp(until)}
    if known is None:
        connection.execute(insert(watermark), [{"log": log, "account": account, "region": region, **values}])
    else:
        connection.execute(update(watermark).where(*where).values(**values))
