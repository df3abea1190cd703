"""What stays though it closed before the horizon: approvals and detections still ask for it."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from snapbase.store import codec, events, horizon, tables
from snapbase.store.history import chunks


@dataclass(slots=True)
class Needs:
    """What must stay though it closed before the horizon."""

    points: Sequence[int]
    """Approved revisions: whatever was open as of one of them."""
    uids: Collection[str]
    """Named by approvals: with its whole story."""
    addresses: Collection[str]
    """The same, in lower case: detections know resources by address."""
    heard_since: str | None
    """None: no event is kept."""
    pinned: Sequence[int] = ()
    """Revisions at which something was approved by itself."""
    guards: Collection[str] = ()
    """What stood in front of any of it: what it was worth then depends on what they were."""
    policies: Collection[int] = field(default=())
    """Whose grants tell when a policy was changed last."""

    def of(self, connection: Connection, table: Table, rows: Sequence[Any]) -> set[int]:
        """Of some rows of one table, the ids of those that stay."""
        stay = {row.id for row in rows if spans(self.points, row.opened, row.closed)}
        stay |= self._in_front(connection, [row for row in rows if row.id not in stay])
        whole: set[int] = set()
        for part in chunks(sorted({row.resource_id for row in rows if row.id not in stay})):
            whole |= self._whole(connection, part)
        if table is tables.grant:
            whole |= set(self.policies)
        return stay | {row.id for row in rows if row.resource_id in whole}

    def _in_front(self, connection: Connection, rows: Sequence[Any]) -> set[int]:
        """Of some rows those of what stood in front of something as of the revision it was approved at."""
        by_resource: dict[int, list[int]] = {}
        for row in rows if self.guards else ():
            if spans(self.pinned, row.opened, row.closed):
                by_resource.setdefault(row.resource_id, []).append(row.id)
        resource, found = tables.resource.c, set[int]()
        for part in chunks(sorted(by_resource)):
            named = connection.execute(select(resource.id, resource.uid).where(resource.id.in_(part)))
            found |= {each for row_id, uid in named if uid in self.guards for each in by_resource[row_id]}
        return found

    def _whole(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Of some resources those of which everything stays."""
        resource = tables.resource.c
        query = select(resource.id, resource.uid, resource.address).where(resource.id.in_(ids))
        found = {
            row_id
            for row_id, uid, address in connection.execute(query)
            if uid in self.uids or address.lower() in self.addresses
        }
        if self.heard_since is None:
            return found
        event, subject = events.event.c, events.event_subject
        heard = (
            select(1)
            .join_from(subject, events.event, event.id == subject.c.event_id)
            .where(subject.c.subject.in_([resource.address, func.lower(resource.address)]))
            .where(event.at >= self.heard_since)
        )
        named = select(resource.id).where(resource.id.in_(ids), heard.correlate(tables.resource).exists())
        return found | set(connection.execute(named).scalars())


def spans(points: Sequence[int], opened: int, closed: int) -> bool:
    """Whether something was open as of any of some revisions, in order."""
    place = bisect_left(points, opened)
    return place < len(points) and points[place] < closed


def gathered(connection: Connection, rev: int, heard_since: datetime) -> Needs:
    resource, event = tables.resource.c, events.event.c
    uids = set(connection.execute(select(tables.pin.c.subject).distinct()).scalars())
    addresses, guards = set[str](), set[str]()
    for part in chunks(sorted(uids)):
        named = connection.execute(select(resource.address).where(resource.uid.in_(part)))
        addresses |= {address.lower() for address in named.scalars()}
        guards |= set(connection.execute(_in_front_of(part)).scalars())
    since = codec.stamp(heard_since)
    heard = connection.execute(select(event.id).where(event.at >= since).limit(1)).first() is not None
    points = sorted(each for each in horizon.approved(connection) if each < rev)
    pinned = sorted(each for each in horizon.pinned(connection) if each < rev)
    return Needs(points, uids, addresses, since if heard else None, pinned, guards)


def _in_front_of(uids: Sequence[str]) -> Select[Any]:
    """Whatever some resources ever lay behind."""
    resource, version, guard = tables.resource, tables.version, tables.profile_guard
    return (
        select(guard.c.guard)
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .join(guard, guard.c.profile_id == version.c.profile_id)
        .where(resource.c.uid.in_(uids))
        .distinct()
    )
