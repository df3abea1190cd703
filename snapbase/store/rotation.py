"""What came and went between two revisions, scope by scope, and how many points of which source there are."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, select

from snapbase.model import Aspect, Grant, Limits, Miss, Outcome, Principal, Resource, ResourceType, Scope, State
from snapbase.rotation.cohort import Passage
from snapbase.store import codec, tables
from snapbase.store.history import alive, chunks, states_of

_BATCH = 50
"""Revisions asked for in one query; those of one scope stay together."""
_PROFILES = 20_000
"""Profiles kept parsed."""
_ID, _SCOPE = 0, 1
"""Places in `_columns`."""
_MADE = 60
"""A document begins with its creation time: canonical JSON is sorted, and no key comes before `created_at`."""


class Tick(NamedTuple):
    """When a revision was written: by which run, and when that run ended."""

    run: int
    at: datetime


def passages(
    connection: Connection, before: int, after: int, uids: Collection[str] | None = None, gone_after: int = 0
) -> Iterator[list[Passage]]:
    """Everything that came or went in (before, after], one list for each scope that had any.

    A resource that came and went is one passage; one that only changed is none. With `uids`, only of those; what went
    up to `gone_after` is left out.
    """
    version, profiles = tables.version.c, _Profiles(connection)
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
    profiles: "_Profiles",
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
    window = _Window(before, after, ticks, profiles, shared, missed)
    for _, group in groupby(rows, key=itemgetter(_SCOPE)):
        found = list(group)
        first = found[0]
        scope = Scope(first.cloud, first.account, first.location, first.kind)
        yield [_passage(row, scope, window) for row in found]


def _batches(connection: Connection, before: int, after: int) -> Iterator[dict[int, Tick]]:
    """The revisions of the window, whole scopes together."""
    clock, run = tables.rev, tables.run
    query = (
        select(clock.c.id, clock.c.scope_id, run.c.id, func.coalesce(run.c.finished_at, run.c.started_at))
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
    profiles: "_Profiles"
    shared: dict[int, list[tuple[Grant, int, int | None]]]
    missed: dict[int, Miss]


def _passage(row: Any, scope: Scope, window: _Window) -> Passage:
    """Unpacked, not asked for by name: there are hundreds of thousands."""
    (row_id, _, uid, address, subject, first_shared, opened, closed, profile_id, document, first_complete,
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
    return Passage(
        row=row_id,
        state=State(
            scope,
            window.profiles.resource(uid, address, subject, profile_id, document),
            grants if read else None,
            window.missed.get(row_id) if was_missed else None,
        ),
        came=not was_there and first_complete is not None and first_complete <= window.before,
        was_there=bool(was_there),
        went_at=ticks[closed].at if gone else None,
        run=tick.run if tick else 0,
        changed=bool(was_there) and opened > window.before,
        bare=read and not was_shared and not was_missed,
    )


_NOBODY: frozenset[Grant] = frozenset()


class _Profiles:
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

    def resource(self, uid: str, address: str, subject: str | None, profile_id: int, document: str) -> Resource:
        own = orjson.loads(document)
        return Resource(
            uid=uid,
            address=address,
            subject=subject,
            name=own["name"],
            created_at=codec.optional_moment(own["created_at"]),
            facts=own["facts"],
            tags=own["tags"],
            **self._bodies[profile_id],
        )


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


class Points(NamedTuple):
    """Open snapshots of one profile in one scope."""

    scope: Scope
    origin: str
    source: str
    number: int
    newest: datetime | None
    before: datetime | None
    """The newest of those that were as they are at the older revision."""


def points(connection: Connection, before: int, after: int) -> Iterator[Points]:
    """Snapshots as of a revision whose origin the cloud itself names, by profile and scope: counted by the database."""
    resource, version, profile, scope = tables.resource, tables.version, tables.profile, tables.scope
    made = func.substr(version.c.document, 1, _MADE)
    open_now = (
        select(
            resource.c.scope_id,
            version.c.profile_id,
            func.count().label("count"),
            func.max(made).label("newest"),
            func.max(case((version.c.opened <= before, made))).label("before"),
        )
        .join_from(version, resource, resource.c.id == version.c.resource_id)
        .where(alive(version, after))
        .group_by(resource.c.scope_id, version.c.profile_id)
        .subquery()
    )
    query = (
        select(profile.c.body, open_now.c.count, open_now.c.newest, open_now.c.before, scope.c.id,
               scope.c.cloud, scope.c.account, scope.c.location, scope.c.kind)
        .join_from(open_now, profile, profile.c.id == open_now.c.profile_id)
        .join(scope, scope.c.id == open_now.c.scope_id)
        .where(profile.c.type == ResourceType.SNAPSHOT, ~profile.c.body.contains(_UNNAMED, autoescape=True))
    )  # fmt: skip
    scopes: dict[int, Scope] = {}
    for body, number, newest, older, scope_id, *place in connection.execute(query):
        where = scopes.get(scope_id)
        if where is None:
            where = scopes[scope_id] = Scope(*place)
        origin, source = _origin_and_source(body)
        yield Points(where, origin, source, number, made_at(newest), made_at(older))


_UNNAMED = '"origin":null'


def _origin_and_source(body: str) -> tuple[str, str]:
    """Out of a profile's body, whose keys are sorted: the end of it, from the last `origin` on, has both.

    A quote inside a value is escaped, so no value looks like that key.
    """
    read = orjson.loads("{" + body[body.rindex('"origin":') :])
    return read["origin"] or "", read["source"] or ""


def unnamed(connection: Connection, rev: int) -> Iterator[tuple[State, int]]:
    """Open snapshots whose origin the cloud does not name, one by one: only their own tags and names tell.

    With each the revision since which it is as it is.
    """
    resource, version, profile = tables.resource, tables.version, tables.profile
    query = (
        select(resource.c.id, version.c.opened)
        .join_from(version, resource, resource.c.id == version.c.resource_id)
        .join(profile, profile.c.id == version.c.profile_id)
        .where(alive(version, rev), profile.c.type == ResourceType.SNAPSHOT)
        .where(profile.c.body.contains(_UNNAMED, autoescape=True))
        .order_by(resource.c.id)
    )
    opened: dict[int, int] = {row_id: int(since) for row_id, since in connection.execute(query)}
    for part in chunks(opened):
        yield from ((state, opened[row_id]) for row_id, state in states_of(connection, rev, part).items())


def made_at(beginning: str | None) -> datetime | None:
    """The creation time in the beginning of a document."""
    if not beginning or not beginning.startswith('{"created_at":"'):
        return None
    return codec.moment(beginning[15:].partition('"')[0])


def policies(connection: Connection, rev: int) -> list[tuple[State, int]]:
    """Every policy as of a revision, with the revision of its last change."""
    resource, version, profile, grant = tables.resource, tables.version, tables.profile, tables.grant
    query = (
        select(resource.c.id, version.c.opened)
        .join_from(version, resource, resource.c.id == version.c.resource_id)
        .join(profile, profile.c.id == version.c.profile_id)
        .where(profile.c.type == ResourceType.POLICY, alive(version, rev))
    )
    changed: dict[int, int] = {row_id: int(opened) for row_id, opened in connection.execute(query)}
    found: list[tuple[State, int]] = []
    for part in chunks(sorted(changed)):
        for column in (grant.c.opened, grant.c.closed):
            moved = select(grant.c.resource_id, func.max(column)).where(grant.c.resource_id.in_(part), column <= rev)
            for row_id, last in connection.execute(moved.group_by(grant.c.resource_id)):
                changed[row_id] = max(changed[row_id], last)
        found += [(state, changed[row_id]) for row_id, state in states_of(connection, rev, part).items()]
    return found


def runs_of(connection: Connection, revs: Collection[int]) -> dict[int, Tick]:
    clock, run = tables.rev, tables.run
    found: dict[int, Tick] = {}
    for part in chunks(sorted(revs)):
        query = select(clock.c.id, run.c.id, func.coalesce(run.c.finished_at, run.c.started_at))
        query = query.join_from(clock, run, run.c.id == clock.c.run_id).where(clock.c.id.in_(part))
        found |= {rev: Tick(run_id, codec.moment(at)) for rev, run_id, at in connection.execute(query)}
    return found


def listed_at(connection: Connection, rev: int) -> dict[Scope, datetime]:
    """When each scope was last read, of those whose list is complete as of a revision."""
    coverage, state, scope = tables.coverage, tables.scope_state, tables.scope
    query = (
        select(state.c.read_at, scope.c.cloud, scope.c.account, scope.c.location, scope.c.kind)
        .join_from(coverage, state, state.c.scope_id == coverage.c.scope_id)
        .join(scope, scope.c.id == coverage.c.scope_id)
        .where(alive(coverage, rev), coverage.c.aspect == Aspect.LIST, coverage.c.outcome == Outcome.COMPLETE)
    )
    return {Scope(*place): codec.moment(at) for at, *place in connection.execute(query)}
