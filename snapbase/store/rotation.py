"""What came and went between two revisions, scope by scope."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, case, literal, select

from snapbase.model import Aspect, Grant, Limits, Miss, Outcome, Principal, Resource, RunState, Scope, State
from snapbase.rotation.origin import IMAGED, PLANNED, Plan, viewed
from snapbase.rotation.verdict import Passage
from snapbase.store import codec, linked, tables
from snapbase.store.history import alive, chunks

_BATCH = 50
"""Revisions asked for in one query; those of one scope stay together."""
_PROFILES = 20_000
"""Profiles kept parsed."""
_ID, _SCOPE = 0, 1
"""Places in `_columns`."""


class Tick(NamedTuple):
    """When a revision was written: by which run, and when that run ended, if it did."""

    run: int
    at: datetime


def passages(
    connection: Connection, before: int, after: int, uids: Collection[str] | None = None, gone_after: int = 0
) -> Iterator[list[Passage]]:
    """Everything that came or went in (before, after], one list for each scope that had any.

    A resource that came and went is one passage; one that only changed is none. With `uids`, only of those; what went
    up to `gone_after` is left out.
    """
    version, profiles = tables.version.c, Profiles(connection)
    if uids is not None:
        for part in chunks(sorted(uids)):
            named = tables.resource.c.uid.in_(part)
            came = and_(named, version.opened > before, version.opened <= after)
            went = and_(named, version.closed > before, version.closed <= after)
            yield from _loaded(connection, before, after, [(came, went)], None, profiles)
        return
    for ticks in _batches(connection, before, after):
        revs = [
            (version.opened.in_(part), and_(version.closed.in_(part), version.closed > gone_after))
            for part in chunks(sorted(ticks))
        ]
        yield from _loaded(connection, before, after, revs, ticks, profiles)


def _loaded(
    connection: Connection,
    before: int,
    after: int,
    wheres: Sequence[tuple[ColumnElement[bool], ColumnElement[bool]]],
    ticks: dict[int, Tick] | None,
    profiles: "Profiles",
) -> Iterator[list[Passage]]:
    rows: list[Any] = []
    for came, went in wheres:
        rows += connection.execute(_came(before, after, came)).all()
        rows += connection.execute(_went(before, after, went)).all()
    rows.sort(key=itemgetter(_SCOPE, _ID))
    if ticks is None:
        ticks = runs_of(connection, {row.opened for row in rows} | {row.closed for row in rows if row.closed})
    shared = _grants(connection, [row.id for row in rows if row.shared])
    missed = _misses(connection, after, [row.id for row in rows if row.missed])
    profiles.load({row.profile_id for row in rows})
    planned = {row.id: _viewed(row) for row in rows if profiles.origin(row.profile_id) in PLANNED}
    plans = linked.plans(connection, before, after, planned.values())
    unread = _unread_scopes(connection, after)
    window = _Window(before, after, ticks, profiles, shared, missed, unread, planned, plans)
    for _, group in groupby(rows, key=itemgetter(_SCOPE)):
        found = list(group)
        first = found[0]
        scope = Scope(first.cloud, first.account, first.location, first.kind)
        yield [_passage(row, scope, window) for row in found]


def _batches(connection: Connection, before: int, after: int) -> Iterator[dict[int, Tick]]:
    """The revisions of the window, whole scopes together."""
    clock, run = tables.rev, tables.run
    query = (
        select(clock.c.id, clock.c.scope_id, run.c.id, _when())
        .join_from(clock, run, run.c.id == clock.c.run_id)
        .where(clock.c.id > before, clock.c.id <= after)
        .order_by(clock.c.scope_id)
    )
    times: dict[str, datetime] = {}
    batch: dict[int, Tick] = {}
    last = None
    for rev, scope_id, run_id, at in connection.execute(query).all():
        if len(batch) >= _BATCH and scope_id != last:
            yield batch
            batch = {}
        when = times.get(at)
        if when is None:
            when = times[at] = codec.moment(at)
        batch[rev], last = Tick(run_id, when), scope_id
    if batch:
        yield batch


def _columns() -> tuple[Any, ...]:
    resource, version, scope, state = tables.resource.c, tables.version.c, tables.scope.c, tables.scope_state.c
    grant, unread = tables.grant, tables.unread
    shared = select(1).where(grant.c.resource_id == resource.id).exists()
    missed = select(1).where(unread.c.resource_id == resource.id).exists()
    return (
        resource.id, resource.scope_id, resource.uid, resource.address, resource.subject, resource.first_shared,
        version.opened, version.closed, version.profile_id, version.document, state.first_complete,
        scope.cloud, scope.account, scope.location, scope.kind, shared.label("shared"), missed.label("missed"),
    )  # fmt: skip


def _query(where: ColumnElement[bool], was_there: Any) -> Any:
    resource, version = tables.resource, tables.version
    return (
        select(*_columns(), was_there.label("was_there"))
        .join_from(version, resource, resource.c.id == version.c.resource_id)
        .join(tables.scope, tables.scope.c.id == resource.c.scope_id)
        .join(tables.scope_state, tables.scope_state.c.scope_id == resource.c.scope_id)
        .where(where)
    )


def _there(other: Any, rev: int) -> ColumnElement[bool]:
    """Whether the resource of a version had one as of a revision."""
    return select(1).where(other.c.resource_id == tables.version.c.resource_id, alive(other, rev)).exists()


def _came(before: int, after: int, where: ColumnElement[bool]) -> Any:
    """Versions open as of `after` of resources that were not there as of `before`."""
    version, other = tables.version, tables.version.alias()
    return _query(and_(where, alive(version, after), ~_there(other, before)), literal(value=False))


def _went(before: int, after: int, where: ColumnElement[bool]) -> Any:
    """The last versions of resources that are not there as of `after`."""
    version, other = tables.version, tables.version.alias()
    later = select(1).where(
        other.c.resource_id == version.c.resource_id, other.c.opened >= version.c.closed, other.c.opened <= after
    )
    then = tables.version.alias()
    return _query(and_(where, ~later.exists()), _there(then, before))


@dataclass(frozen=True, slots=True)
class _Window:
    """What is beside the rows of one query."""

    before: int
    after: int
    ticks: dict[int, Tick]
    profiles: "Profiles"
    shared: dict[int, list[tuple[Grant, int, int | None]]]
    missed: dict[int, Miss]
    unread: frozenset[int]
    planned: Mapping[int, str]
    """Those of which another view tells the plan, each with the uid of what that is a view of."""
    plans: Mapping[linked.Home, Plan]


def _passage(row: Any, scope: Scope, window: _Window) -> Passage:
    """Unpacked, not asked for by name: there are hundreds of thousands."""
    (row_id, scope_id, uid, address, subject, first_shared, opened, closed, profile_id, document, first_complete,
     *_, was_shared, was_missed, was_there) = row  # fmt: skip
    after, ticks = window.after, window.ticks
    gone = closed is not None and closed <= after
    read = first_shared is not None and first_shared <= after
    grants = _NOBODY
    if was_shared:
        last = closed - 1 if gone else after
        found = window.shared.get(row_id, ())
        grants = frozenset(grant for grant, since, until in found if since <= last and (until is None or until > last))
    tick = ticks.get(opened)
    bare = read and not was_shared and not was_missed
    resource, own = window.profiles.resource(uid, address, subject, profile_id, document)
    came = not was_there and first_complete is not None and first_complete <= window.before
    unread = came and not gone and scope_id in window.unread and not resource.inferred
    seen_as = window.planned.get(row_id)
    plan = window.plans.get(linked.home(scope, seen_as)) if seen_as else None
    return Passage(
        row=row_id,
        state=State(
            scope,
            resource,
            grants if read else None,
            window.missed.get(row_id) if was_missed else None,
        ),
        came=came,
        was_there=bool(was_there),
        went_at=ticks[closed].at if gone else None,
        run=tick.run if tick else 0,
        changed=bool(was_there) and opened > window.before,
        bare=bare,
        plan=plan,
        unread=unread,
        kin=(scope_id, profile_id, own, unread, plan) if bare else None,
    )


def _viewed(row: Any) -> str:
    return viewed(row.uid, orjson.loads(row.document)["facts"]) if IMAGED in row.document else str(row.uid)


_NOBODY: frozenset[Grant] = frozenset()


class Profiles:
    """Profiles by id: parsed once for all the versions that share one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._bodies: dict[int, dict[str, Any]] = {}

    def load(self, ids: set[int]) -> None:
        if len(self._bodies) > _PROFILES:
            self._bodies.clear()
        columns = tables.profile.c
        for part in chunks(sorted(ids - self._bodies.keys())):
            query = select(columns.id, columns.body).where(columns.id.in_(part))
            self._bodies |= {row_id: parsed(text) for row_id, text in self._connection.execute(query)}

    def origin(self, profile_id: int) -> str | None:
        origin: str | None = self._bodies[profile_id]["origin"]
        return origin

    def resource(
        self, uid: str, address: str, subject: str | None, profile_id: int, document: str
    ) -> tuple[Resource, bytes]:
        """The resource, and its own facts and tags as they are stored: what it does not share by its profile."""
        own = orjson.loads(document)
        facts, tags = own["facts"], own["tags"]
        resource = Resource(
            uid=uid,
            address=address,
            subject=subject,
            name=own["name"],
            created_at=codec.optional_moment(own["created_at"]),
            facts=facts,
            tags=tags,
            **self._bodies[profile_id],
        )
        return resource, orjson.dumps((facts, tags))


def parsed(text: str) -> dict[str, Any]:
    """A profile's body as the fields of a resource."""
    body: dict[str, Any] = orjson.loads(text)
    limits = body["limits"]
    if limits:
        admits = limits["admits"]
        limits = Limits(tuple(limits["blocks"]), None if admits is None else tuple(admits), limits["unknown"])
    return body | {"limits": limits or None, "guards": tuple(body["guards"])}


def _grants(connection: Connection, ids: Sequence[int]) -> dict[int, list[tuple[Grant, int, int | None]]]:
    """Every grant that ever was on some resources, with its interval."""
    grant, principal = tables.grant, tables.principal
    columns = (principal.c.kind, principal.c.key, grant.c.access, grant.c.mechanism, grant.c.condition)
    found: dict[int, list[tuple[Grant, int, int | None]]] = {}
    for part in chunks(ids):
        query = select(grant.c.resource_id, grant.c.opened, grant.c.closed, grant.c.expires_at, *columns)
        query = query.join_from(grant, principal).where(grant.c.resource_id.in_(part))
        for row_id, opened, closed, expires, kind, key, access, mechanism, condition in connection.execute(query):
            each = Grant(Principal(kind, key), access, mechanism, condition, codec.optional_moment(expires))
            found.setdefault(row_id, []).append((each, opened, closed))
    return found


def _misses(connection: Connection, rev: int, ids: Sequence[int]) -> dict[int, Miss]:
    unread = tables.unread
    found: dict[int, Miss] = {}
    for part in chunks(ids):
        query = select(unread.c.resource_id, unread.c.outcome, unread.c.reason)
        query = query.where(unread.c.resource_id.in_(part), alive(unread, rev))
        found |= {row_id: Miss(outcome, reason) for row_id, outcome, reason in connection.execute(query)}
    return found


def _unread_scopes(connection: Connection, rev: int) -> frozenset[int]:
    """Scopes whose list was read as of a revision, and nobody's sharing in them.

    Where some could be read, each that could not has a row of its own; where not even the list was, nothing is new.
    """
    coverage, listed = tables.coverage, tables.coverage.alias()
    query = (
        select(coverage.c.scope_id)
        .join_from(coverage, listed, listed.c.scope_id == coverage.c.scope_id)
        .where(alive(coverage, rev), coverage.c.aspect == Aspect.SHARING)
        .where(coverage.c.outcome.not_in((Outcome.COMPLETE, Outcome.PARTIAL)))
        .where(alive(listed, rev), listed.c.aspect == Aspect.LIST)
        .where(listed.c.outcome.in_((Outcome.COMPLETE, Outcome.PARTIAL)))
    )
    return frozenset(scope_id for (scope_id,) in connection.execute(query))


def _when() -> ColumnElement[str]:
    """When a revision was written, by the end of its run. One that was killed is given an end when the next begins,
    which may be weeks later: what it saw gone would look as old as that."""
    run = tables.run.c
    return case((run.state.in_((RunState.FINISHED, RunState.IMPORTED)), run.finished_at), else_=tables.rev.c.at)


def runs_of(connection: Connection, revs: Collection[int]) -> dict[int, Tick]:
    clock, run = tables.rev, tables.run
    found: dict[int, Tick] = {}
    for part in chunks(sorted(revs)):
        query = select(clock.c.id, run.c.id, _when())
        query = query.join_from(clock, run, run.c.id == clock.c.run_id).where(clock.c.id.in_(part))
        found |= {rev: Tick(run_id, codec.moment(at)) for rev, run_id, at in connection.execute(query)}
    return found
