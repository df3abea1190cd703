"""What may differ between two revisions, or from what was approved by itself since: found by what moved.

Nothing is loaded to find out that it is as it was: a row that was opened no later than an approval of its entry, and is
open yet, is what was approved. In doubt a resource is a candidate; comparing tells.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, exists, func, literal, or_, select, union_all

from snapbase.diff import PRESENCE, SHOWING, WHOLE, Candidate, PinnedState
from snapbase.model import Aspect, Pin, Principal, Scope
from snapbase.store import pins, tables
from snapbase.store.history import alive, among, chunks, held_by, scope_columns, states_of, within
from snapbase.store.pins import InForce

_PART = 5_000
"""Resources that are loaded together."""


def changes(
    connection: Connection,
    before: int,
    after: int,
    chosen: InForce,
    at: datetime | None,
    principals: Collection[Principal],
    without: Collection[int] = (),
) -> Iterator[Candidate]:
    """Every resource that may differ between two revisions or from a pinned value, both sides loaded.

    `at`: pins that ended by then count for nothing; None: none has. `principals`: those who are trusted less by now.
    `without`: what was judged already.
    """
    live = chosen.live(at) if chosen.lines else None
    ids = _touched(connection, before, after, live)
    ids |= held_by(connection, after, principals) | _showing(connection, before, after)
    guards = _guards_moved(connection, after)
    if before:  # as of the beginning no grant was approved, so none is worth more by now
        ids |= _behind(connection, after, [uid for uid, rev in guards.items() if rev > before])
    if live is not None:
        ids |= _moved_since_pinned(connection, after, live)
        ids |= _pinned_behind(connection, after, live, guards)
    for part in chunks(sorted(ids.difference(without)), _PART):
        yield from _candidates(connection, before, after, part, chosen)


def _touched(connection: Connection, before: int, after: int, live: ColumnElement[bool] | None) -> set[int]:
    """What was opened or closed in between, but what was approved by itself after that."""
    version, grant, unread = tables.version, tables.grant, tables.unread
    known = select(tables.scope_state.c.scope_id).where(tables.scope_state.c.first_complete <= before)
    clock = tables.rev
    # A version is opened by a revision of its own scope: few revisions lead to few versions, whatever the scope holds.
    opened = (
        select(version.c.resource_id)
        .join_from(clock, version, version.c.opened == clock.c.id)
        .where(within(clock.c.id, before, after), clock.c.scope_id.in_(known), alive(version, after))
    )
    queries = [_unapproved(opened, version.c.opened, live)] if before else []  # as of the beginning none was listed
    for table in (version, grant, unread):
        closed = select(table.c.resource_id).where(within(table.c.closed, before, after), table.c.opened <= before)
        queries.append(closed if table is unread else _unapproved(closed, table.c.closed, live))
    for table in (grant, unread):
        begun = select(table.c.resource_id).where(within(table.c.opened, before, after), alive(table, after))
        queries.append(begun if table is unread else _unapproved(begun, table.c.opened, live))
    return {row_id for query in queries for (row_id,) in connection.execute(query)}


def _showing(connection: Connection, before: int, after: int) -> set[int]:
    """In scopes that had not been listed yet: what shows by itself that it is exposed, though nobody could read how."""
    resource, version, profile, state = tables.resource, tables.version, tables.profile.c, tables.scope_state.c
    shows = (profile.body.contains(f'"{each.removeprefix("attr:")}":true', autoescape=True) for each in SHOWING)
    late = select(state.scope_id).where(or_(state.first_complete.is_(None), state.first_complete > before))
    late = late.where(state.seen > 0)  # one that is denied for good holds nothing, and must cost nothing
    if connection.execute(late.limit(1)).first() is None:
        return set()
    found: set[int] = set()
    for part in chunks(connection.scalars(select(profile.id).where(or_(*shows))), _PART):
        query = select(resource.c.id).join_from(version, resource, resource.c.id == version.c.resource_id)
        query = query.where(among(connection, version.c.profile_id, part), resource.c.scope_id.in_(late))
        found |= set(connection.scalars(query.where(alive(version, after))))
    return found


def _unapproved(query: Select[Any], moved: Any, live: ColumnElement[bool] | None) -> Select[Any]:
    """Of rows of versions or grants that were opened or closed then: those without a later approval of their entry."""
    if live is None:
        return query
    table, resource, pin, principal = moved.table, tables.resource, tables.pin, tables.principal
    query = query.join(resource, resource.c.id == table.c.resource_id)
    if table is tables.grant:
        query = query.join(principal, principal.c.id == table.c.principal_id)
        approves = pin.c.entry == _entry()
    else:
        # Who approves that it is there, and what it is, has not approved what its grants are worth by that.
        shared = exists().where(tables.grant.c.resource_id == resource.c.id, tables.grant.c.closed.is_(None))
        approves = and_(pin.c.entry == PRESENCE, ~shared)
    later = exists().where(
        pin.c.subject == resource.c.uid, pin.c.rev >= moved, or_(pin.c.entry == WHOLE, approves), live
    )
    return query.where(~later)


def _entry() -> ColumnElement[str]:
    """`snapbase.diff.grant_entry`, in the words of the database."""
    grant, principal = tables.grant.c, tables.principal.c
    who = literal("grant:") + principal.kind + literal(":") + principal.key
    return who + literal("|") + grant.access + literal("|") + grant.mechanism


def _moved_since_pinned(connection: Connection, after: int, live: ColumnElement[bool]) -> set[int]:
    """Pinned resources of which anything was opened or closed since."""
    resource, pin, unread = tables.resource, tables.pin, tables.unread
    moved = [
        exists().where(
            table.c.resource_id == resource.c.id,
            or_(within(table.c.opened, pin.c.rev, after), within(table.c.closed, pin.c.rev, after)),
        )
        for table in (tables.version, tables.grant)
    ]
    missed = resource.c.id.in_(select(unread.c.resource_id).where(alive(unread, after)))
    query = select(resource.c.id).join_from(pin, resource, resource.c.uid == pin.c.subject)
    query = query.where(live, or_(pin.c.rev > after, *moved, missed))
    return set(connection.scalars(query))


def _guards_moved(connection: Connection, after: int) -> dict[str, int]:
    """When anything of each guardrail in front of something, or of who may act in it, was seen to change last.

    Of several views of one, how well each is read decides which counts; see `snapbase.store.guards`.
    """
    resource, coverage, fences = tables.resource, tables.coverage, _fences()
    behind = select(resource.c.uid).join_from(fences, resource, resource.c.uid == fences.c.guard)
    marks = [behind.add_columns(resource.c.first_shared.label("rev"))]
    for table in (tables.version, tables.grant, tables.unread):
        of_guard = behind.join(table, table.c.resource_id == resource.c.id)
        marks += [of_guard.add_columns(column.label("rev")) for column in (table.c.opened, table.c.closed)]
    other = resource.alias()
    listed = and_(coverage.c.scope_id == resource.c.scope_id, coverage.c.aspect == Aspect.LIST)
    elsewhere = exists().where(other.c.uid == resource.c.uid, other.c.id != resource.c.id)
    marks.append(behind.join(coverage, listed).where(elsewhere).add_columns(coverage.c.opened.label("rev")))
    every = union_all(*marks).subquery()
    query = select(every.c.uid, func.max(every.c.rev)).where(every.c.rev <= after).group_by(every.c.uid)
    return dict(connection.execute(query).tuples().all())


def _fences() -> CTE:
    """Every guardrail in front of anything: from one to the next by the index, since a million things share few."""
    guard = tables.profile_guard.c.guard
    fences = select(func.min(guard).label("guard")).cte("fences", recursive=True)
    following = select(func.min(guard)).where(guard > fences.c.guard).scalar_subquery()
    return fences.union_all(select(following).where(fences.c.guard.is_not(None)))


def _behind(connection: Connection, after: int, fences: Collection[str]) -> set[int]:
    """Shared resources behind some guardrails: where one is another now, their grants may be worth more."""
    grant, version, guard = tables.grant, tables.version, tables.profile_guard
    found: set[int] = set()
    for part in chunks(sorted(fences), _PART):
        query = (
            select(grant.c.resource_id)
            .join_from(grant, version, version.c.resource_id == grant.c.resource_id)
            .join(guard, guard.c.profile_id == version.c.profile_id)
            .where(alive(grant, after), alive(version, after), among(connection, guard.c.guard, part))
        )
        found |= set(connection.scalars(query))
    return found


def _pinned_behind(
    connection: Connection, after: int, live: ColumnElement[bool], guards: Mapping[str, int]
) -> set[int]:
    """Pinned resources behind a guardrail that became another since their approval."""
    resource, pin, version, guard = tables.resource, tables.pin, tables.version, tables.profile_guard
    found: set[int] = set()
    if not guards:
        return found
    lowest = connection.execute(select(func.min(pin.c.rev)).where(live)).scalar() or 0
    for part in chunks((uid for uid, rev in guards.items() if rev > lowest), _PART):
        query = (
            select(resource.c.id, guard.c.guard, func.min(pin.c.rev))
            .join_from(pin, resource, resource.c.uid == pin.c.subject)
            .join(version, and_(version.c.resource_id == resource.c.id, alive(version, after)))
            .join(guard, guard.c.profile_id == version.c.profile_id)
            .where(live, among(connection, guard.c.guard, part))
            .group_by(resource.c.id, guard.c.guard)
        )
        found |= {row_id for row_id, uid, rev in connection.execute(query) if guards[uid] > rev}
    return found


def _candidates(
    connection: Connection, before: int, after: int, ids: Sequence[int], chosen: InForce
) -> Iterator[Candidate]:
    resource, scope, state = tables.resource, tables.scope, tables.scope_state
    query = (
        select(resource.c.id, resource.c.uid, state.c.first_complete, *scope_columns())
        .join_from(resource, scope, scope.c.id == resource.c.scope_id)
        .join(state, state.c.scope_id == scope.c.id)
        .where(among(connection, resource.c.id, ids))
        .order_by(resource.c.id)
    )
    rows = connection.execute(query).all()
    approved: Mapping[str, Sequence[Pin]] = pins.on(connection, chosen, {row[1] for row in rows})
    revs = {before, after, *(pin.rev for found in approved.values() for pin in found)}
    loaded = {rev: states_of(connection, rev, ids) for rev in sorted(revs)}
    for row_id, uid, first, *place in rows:
        own = tuple(
            PinnedState(pin, loaded[pin.rev].get(row_id), first is not None and first <= pin.rev)
            for pin in approved.get(uid, ())
        )
        then, now = loaded[before].get(row_id), loaded[after].get(row_id)
        if then is not None or now is not None or any(pinned.state for pinned in own):
            yield Candidate(Scope(*place), uid, then, now, first is not None and first <= before, own)
