"""Pinned resources that are as they were approved, told from the revisions of their rows: nothing of them is loaded.

A row that is open as of the run, and was opened no later than some revision before it, was the same then.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from snapbase.diff import PRESENCE, WHOLE, grant_entry
from snapbase.model import Grant, Pin, Principal, Scope, State
from snapbase.store import codec, tables
from snapbase.store.history import alive, among, chunks, scope_columns, within
from snapbase.store.proofs import is_resource

_PART = 20_000


@dataclass(frozen=True, slots=True)
class Held:
    """One grant of some rows that are as they were approved."""

    grant: Grant
    state: State
    """Of any of them, as far as it decides what the grant is worth."""
    trust_id: int
    """The list it was approved under; 0: the baseline's."""
    rev: int
    """As of which it was approved."""
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Unmoved:
    """The rows of pinned resources, by whether they must be compared."""

    same: frozenset[int] = frozenset()
    """Nothing of them differs from what was approved, but what their grants may be worth by now."""
    held: Sequence[Held] = ()
    """Those grants."""
    other: frozenset[int] = frozenset()
    """They may differ."""


def unmoved(connection: Connection, before: int, after: int, pins: Iterable[Pin], at: datetime) -> Unmoved:
    """Sorts the rows of pinned resources, in doubt into the others. `at`: pins that ended by then count for nothing."""
    live: dict[str, list[Pin]] = {}
    for pin in pins:
        if is_resource(pin.subject):
            own = live.setdefault(pin.subject, [])
            if pin.approval.until is None or at < pin.approval.until:
                own.append(pin)
    if not live:
        return Unmoved()
    lowest = min([before, *(pin.rev for own in live.values() for pin in own)])
    names = _principals(connection)
    sorting = _Sorting(before, after, live, _moved(connection, lowest, after), _listed(connection), names)
    for part in chunks(live, _PART):
        for row in _rows(connection, after, part):
            sorting.take(row)
    same = frozenset(sorting.seen - sorting.other)
    return Unmoved(same, list(_held(connection, sorting.cases, names)) if same else (), frozenset(sorting.other))


class _Case(NamedTuple):
    """All that decides what a grant is worth, by its place in the tables."""

    principal: int
    access: str
    mechanism: str
    condition: str
    expires: str
    profile: int
    scope: int
    trust: int
    rev: int


@dataclass(slots=True)
class _Sorting:
    before: int
    after: int
    pins: Mapping[str, Sequence[Pin]]
    """Of each subject those that have not ended, newest first."""
    moved: Collection[int]
    listed: Mapping[int, int | None]
    """When each scope was first listed completely: from then on, absence was a fact."""
    names: Mapping[int, Principal]
    seen: set[int] = field(default_factory=set)
    other: set[int] = field(default_factory=set)
    cases: dict[_Case, list[int]] = field(default_factory=dict)
    _entries: dict[tuple[int, str, str], str] = field(default_factory=dict)

    def take(self, row: Sequence[Any]) -> None:
        """A grant of a pinned resource; one without any, or that is gone, has one row without it."""
        row_id, uid, scope, profile, opened, granted, principal, access, mechanism, condition, expires = row
        self.seen.add(row_id)
        pins = self.pins[uid]
        if opened is None or row_id in self.moved or not self._stands(pins, scope, opened):
            self.other.add(row_id)
            return
        if granted is None:
            return
        rev, trust = self._approved(pins, self._entry(principal, access, mechanism))
        if opened > rev or granted > rev:
            self.other.add(row_id)
            return
        case = _Case(principal, access, mechanism, condition, expires, profile, scope, trust, rev)
        self.cases.setdefault(case, []).append(row_id)

    def _stands(self, pins: Sequence[Pin], scope: int, opened: int) -> bool:
        """Whether its presence and its attributes are as approved, for a version that was opened then."""
        rev = next((pin.rev for pin in pins if pin.entry in (PRESENCE, WHOLE)), self.before)
        if max(rev, self.before, *(pin.rev for pin in pins)) > self.after:
            return False
        if opened <= rev:
            return all(opened <= pin.rev for pin in pins if pin.entry.startswith("attr:"))
        first = self.listed[scope]
        return first is None or first > rev

    def _approved(self, pins: Sequence[Pin], entry: str) -> tuple[int, int]:
        """The revision as of which an entry is approved, and the row of the list it was approved under."""
        for pin in pins:
            if pin.entry in (entry, WHOLE):
                return pin.rev, pin.trust_id or 0
        return self.before, 0

    def _entry(self, principal: int, access: str, mechanism: str) -> str:
        key = (principal, access, mechanism)
        found = self._entries.get(key)
        if found is None:
            found = self._entries[key] = grant_entry(Grant(self.names[principal], access, mechanism))
        return found


def _rows(connection: Connection, rev: int, subjects: Collection[str]) -> Sequence[Sequence[Any]]:
    resource, version, grant = tables.resource, tables.version, tables.grant
    terms = (grant.c.principal_id, grant.c.access, grant.c.mechanism, grant.c.condition, grant.c.expires_at)
    query = (
        select(resource.c.id, resource.c.uid, resource.c.scope_id, version.c.profile_id, version.c.opened,
               grant.c.opened, *terms)
        .join_from(resource, version, and_(version.c.resource_id == resource.c.id, alive(version, rev)), isouter=True)
        .join(grant, and_(grant.c.resource_id == resource.c.id, alive(grant, rev)), isouter=True)
        .where(among(connection, resource.c.uid, subjects))
    )  # fmt: skip
    return connection.execute(query).all()


def _moved(connection: Connection, lowest: int, after: int) -> set[int]:
    """Resources of which something ended since the lowest revision, or whose grants were not read the last time."""
    version, grant, unread = tables.version, tables.grant, tables.unread
    queries = [select(table.c.resource_id).where(within(table.c.closed, lowest, after)) for table in (version, grant)]
    queries.append(select(unread.c.resource_id).where(alive(unread, after)))
    return {row_id for query in queries for (row_id,) in connection.execute(query).all()}


def _listed(connection: Connection) -> dict[int, int | None]:
    columns = tables.scope_state.c
    rows = connection.execute(select(columns.scope_id, columns.first_complete))
    return dict(rows.tuples().all())


def _principals(connection: Connection) -> dict[int, Principal]:
    columns = tables.principal.c
    query = select(columns.id, columns.kind, columns.key)
    return {row_id: Principal(kind, key) for row_id, kind, key in connection.execute(query)}


def _held(
    connection: Connection, cases: Mapping[_Case, Sequence[int]], names: Mapping[int, Principal]
) -> Iterator[Held]:
    places = connection.execute(select(tables.scope.c.id, *scope_columns()))
    scopes = {row_id: Scope(*place) for row_id, *place in places}
    profile, bodies = tables.profile.c, dict[int, str]()
    for part in chunks({case.profile for case in cases}, _PART):
        query = select(profile.id, profile.body).where(among(connection, profile.id, part))
        bodies |= dict(connection.execute(query).tuples().all())
    for case, rows in cases.items():
        who = names[case.principal]
        grant = codec.grant_of(who.kind, who.id, case.access, case.mechanism, case.condition, case.expires)
        state = State(scopes[case.scope], codec.outline(bodies[case.profile]), frozenset({grant}), None)
        yield Held(grant, state, case.trust, case.rev, rows)
