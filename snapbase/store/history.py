"""Reading the intervals: states as of a revision, what may differ between two, and what is counted."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, FromClause, and_, any_, bindparam, func, or_, select

from snapbase.model import (
    ANYWHERE,
    Aspect,
    Coverage,
    Grant,
    Miss,
    Outcome,
    Principal,
    ResourceType,
    Scope,
    State,
)
from snapbase.store import codec, tables

CHUNK = 500


def alive(table: FromClause, rev: int) -> ColumnElement[bool]:
    """The rows that were open as of a revision."""
    return and_(table.c.opened <= rev, or_(table.c.closed.is_(None), table.c.closed > rev))


def within(column: Any, after: Any, until: int) -> ColumnElement[bool]:
    return and_(column > after, column <= until)


def among(connection: Connection, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """One of however many values, as one parameter: a statement of a thousand marks costs more than what it finds."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    listed = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    part: list[Any] = []
    for value in values:
        part.append(value)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def states_of(connection: Connection, rev: int, ids: Sequence[int]) -> dict[int, State]:
    """The states of some resources (by row id) as of a revision; those that were not there are left out."""
    resource, version, profile, scope = tables.resource, tables.version, tables.profile, tables.scope
    query = (
        select(resource.c.id, resource.c.uid, resource.c.address, resource.c.subject, resource.c.first_shared,
               profile.c.body, version.c.document, *scope_columns())
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .join(profile, profile.c.id == version.c.profile_id)
        .join(scope, scope.c.id == resource.c.scope_id)
        .where(among(connection, resource.c.id, ids), alive(version, rev))
    )  # fmt: skip
    grants = _grants_of(connection, rev, ids)
    misses = _misses_of(connection, rev, ids)
    found: dict[int, State] = {}
    for row_id, uid, address, subject, first_shared, body, document, *place in connection.execute(query).all():
        read = first_shared is not None and first_shared <= rev
        found[row_id] = State(
            Scope(*place),
            codec.decode(uid, address, subject, body, document),
            frozenset(grants.get(row_id, ())) if read else None,
            misses.get(row_id),
        )
    return found


def scope_columns() -> tuple[Any, ...]:
    columns = tables.scope.c
    return columns.cloud, columns.account, columns.location, columns.kind


def _grants_of(connection: Connection, rev: int, ids: Sequence[int]) -> dict[int, list[Grant]]:
    grant, principal = tables.grant, tables.principal
    columns = (grant.c.resource_id, principal.c.kind, principal.c.key, grant.c.access, grant.c.mechanism)
    query = (
        select(*columns, grant.c.condition, grant.c.expires_at)
        .join_from(grant, principal)
        .where(among(connection, grant.c.resource_id, ids), alive(grant, rev))
    )
    found: dict[int, list[Grant]] = {}
    for row_id, *terms in connection.execute(query).all():
        found.setdefault(row_id, []).append(codec.grant_of(*terms))
    return found


def _misses_of(connection: Connection, rev: int, ids: Sequence[int]) -> dict[int, Miss]:
    unread = tables.unread
    query = select(unread.c.resource_id, unread.c.outcome, unread.c.reason)
    query = query.where(among(connection, unread.c.resource_id, ids), alive(unread, rev))
    return {row_id: Miss(outcome, reason) for row_id, outcome, reason in connection.execute(query).all()}


def states(
    connection: Connection,
    rev: int,
    *,
    kinds: Collection[str] = (),
    accounts: Collection[str] = (),
    match: str = "",
) -> Iterator[State]:
    """The inventory as of a revision, scope by scope; `kinds` are globs, `match` is part of a uid, address or name."""
    resource, version, scope = tables.resource, tables.version, tables.scope
    query = (
        select(resource.c.id)
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .join(scope, scope.c.id == resource.c.scope_id)
        .where(alive(version, rev))
        .order_by(scope.c.cloud, scope.c.account, scope.c.kind, scope.c.location, resource.c.uid)
    )
    if kinds:
        scopes = [(each, kind) for each, kind in connection.execute(select(scope.c.id, scope.c.kind))]
        wanted = [each for each, kind in scopes if any(fnmatchcase(kind, glob) for glob in kinds)]
        query = query.where(among(connection, resource.c.scope_id, wanted))
    if accounts:
        query = query.where(scope.c.account.in_(accounts))
    if match:
        places = (resource.c.uid, resource.c.address, version.c.document)
        query = query.where(or_(*(place.contains(match, autoescape=True) for place in places)))
    for part in chunks(list(connection.scalars(query))):
        found = states_of(connection, rev, part)
        for row_id in part:
            if not match or _matches(found[row_id], match):
                yield found[row_id]


def _matches(state: State, match: str) -> bool:
    resource = state.resource
    return any(match in text for text in (resource.uid, resource.address, resource.name or ""))


def held_by(connection: Connection, rev: int, principals: Collection[Principal]) -> set[int]:
    grant, principal = tables.grant, tables.principal
    found: set[int] = set()
    for each in principals:
        query = select(grant.c.resource_id).join_from(grant, principal)
        query = query.where(principal.c.kind == each.kind, principal.c.key == each.id, alive(grant, rev))
        found |= {row_id for (row_id,) in connection.execute(query)}
    return found


def below(connection: Connection, rev: int, guards: Collection[str]) -> dict[str, int]:
    """Open snapshots behind each container or guardrail."""
    guard, version, profile = tables.profile_guard, tables.version, tables.profile
    found: dict[str, int] = {}
    for part in chunks(sorted(guards)):
        query = (
            select(guard.c.guard, func.count())
            .join_from(version, profile, profile.c.id == version.c.profile_id)
            .join(guard, guard.c.profile_id == profile.c.id)
            .where(guard.c.guard.in_(part), alive(version, rev), profile.c.type == ResourceType.SNAPSHOT)
            .group_by(guard.c.guard)
        )
        found |= {str(name): int(count) for name, count in connection.execute(query)}
    return found


def states_held_by(connection: Connection, rev: int, principals: Collection[Principal]) -> Iterator[State]:
    """The states of everything on which one of some principals holds a grant, by uid."""
    for part in chunks(sorted(held_by(connection, rev, principals))):
        found = states_of(connection, rev, part).values()
        yield from sorted(found, key=lambda state: state.resource.uid)


def principals(connection: Connection, rev: int) -> list[tuple[Principal, int]]:
    """Everybody who holds a grant, with how many."""
    grant, principal = tables.grant, tables.principal
    query = (
        select(principal.c.kind, principal.c.key, func.count())
        .join_from(grant, principal)
        .where(alive(grant, rev))
        .group_by(principal.c.kind, principal.c.key)
        .order_by(principal.c.kind, principal.c.key)
    )
    return [(Principal(kind, key), count) for kind, key, count in connection.execute(query)]


def coverage_at(connection: Connection, rev: int) -> dict[tuple[Scope, str], tuple[Coverage, int | None]]:
    """How well every scope was read as of a revision, and since which run it is complete, or not."""
    coverage, scope, clock = tables.coverage, tables.scope, tables.rev
    whole, other = coverage.c.outcome == Outcome.COMPLETE, coverage.alias()
    # The chain of readings of the same sort begins where the last one of the other sort ended.
    turned = (
        select(func.max(other.c.closed))
        .where(other.c.scope_id == coverage.c.scope_id, other.c.aspect == coverage.c.aspect)
        .where((other.c.outcome == Outcome.COMPLETE) != whole, other.c.closed <= coverage.c.opened)
        .scalar_subquery()
    )
    first = (
        select(func.min(other.c.opened))
        .where(other.c.scope_id == coverage.c.scope_id, other.c.aspect == coverage.c.aspect)
        .scalar_subquery()
    )
    query = (
        select(coverage.c.aspect, coverage.c.outcome, coverage.c.reason, clock.c.run_id, *scope_columns())
        .join_from(coverage, scope, scope.c.id == coverage.c.scope_id)
        .join(clock, clock.c.id == func.coalesce(turned, first))
        .where(alive(coverage, rev))
    )
    found = {}
    for aspect, outcome, reason, run_id, *place in connection.execute(query):
        where = Scope(*place)
        found[where, aspect] = (Coverage(where, aspect, outcome, reason), run_id)
    return found


def gaps(connection: Connection, rev: int) -> list[tuple[Coverage, int | None]]:
    """Every reading that is not complete. Sharing is not said again where not even the list was read."""
    found = coverage_at(connection, rev)
    shown = []
    for (scope, aspect), (each, run_id) in sorted(found.items(), key=lambda item: item[0]):
        listed = found.get((scope, Aspect.LIST))
        hidden = aspect == Aspect.SHARING and listed is not None and listed[0].outcome not in LISTED
        if not each.complete and not hidden:
            shown.append((each, run_id))
    return shown


LISTED = (Outcome.COMPLETE, Outcome.PARTIAL)
"""How a list was read that shows anything."""


def known_scopes(connection: Connection) -> dict[Scope, int]:
    """Every scope ever read, with how many resources it last had."""
    state, scope = tables.scope_state, tables.scope
    query = select(state.c.seen, *scope_columns()).join_from(state, scope, scope.c.id == state.c.scope_id)
    return {Scope(*place): seen for seen, *place in connection.execute(query) if place[3] != ANYWHERE}


def history(connection: Connection, uid: str) -> list[tuple[datetime, datetime | None, int, State]]:
    """Every stretch of a resource's life between two changes of it: (from, until, revision, state)."""
    columns = tables.resource.c
    ids = [row_id for (row_id,) in connection.execute(select(columns.id).where(columns.uid == uid))]
    if not ids:
        return []
    found = []
    for row_id in ids:
        marks = sorted(_marks(connection, row_id))
        times = {rev: codec.moment(at) for rev, at in connection.execute(
            select(tables.rev.c.id, tables.rev.c.at).where(tables.rev.c.id.in_(marks)))}  # fmt: skip
        for position, rev in enumerate(marks):
            state = states_of(connection, rev, [row_id]).get(row_id)
            if state is not None:
                until = times[marks[position + 1]] if position + 1 < len(marks) else None
                found.append((times[rev], until, rev, state))
    return found


def _marks(connection: Connection, row_id: int) -> set[int]:
    marks: set[int] = set()
    for table in (tables.version, tables.grant, tables.unread):
        query = select(table.c.opened, table.c.closed).where(table.c.resource_id == row_id)
        for opened, closed in connection.execute(query):
            marks |= {opened} if closed is None else {opened, closed}
    return marks
