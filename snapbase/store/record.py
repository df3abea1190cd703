"""Writing one reading of one scope: only what changed, in one transaction, on one clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from snapbase.errors import StaleReading, StoreError
from snapbase.model import ANYWHERE, Aspect, Coverage, Observation, Outcome, Reading, Scope
from snapbase.store import codec, tables
from snapbase.store.bulk import insert_rows

CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one reading changed; `rev` is None where nothing did."""

    rev: int | None
    opened: int = 0
    closed: int = 0


@dataclass(slots=True)
class _Known:
    """One resource of the scope as the store has it: ids of the open rows."""

    resource_id: int
    shared_before: bool
    version_id: int | None = None
    digest: str = ""
    grants: dict[codec.GrantKey, int] = field(default_factory=dict)
    unread: tuple[int, str, str] | None = None


@dataclass(slots=True)
class _Writes:
    """Rows to add and to close, gathered before anything is written."""

    resources: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    coverage: list[dict[str, Any]] = field(default_factory=list)
    first_shared: list[int] = field(default_factory=list)
    closed: dict[str, list[int]] = field(
        default_factory=lambda: {"version": [], "grant": [], "unread": [], "coverage": []}
    )

    @property
    def content(self) -> bool:
        added = (self.resources, self.versions, self.grants, self.unread, self.coverage, self.first_shared)
        return any(added) or any(self.closed.values())


def record(connection: Connection, run_id: int, reading: Reading, at: str) -> Recorded:
    """Records a reading inside a write transaction.

    A list that is not complete closes nothing. Grants that were not read keep the last known ones. Raises
    `StaleReading` where the scope was read again by somebody who began later and recorded first.
    """
    scope_id = scope_of(connection, reading.scope)
    state = _scope_state(connection, scope_id)
    started = codec.stamp(reading.started_at)
    if state is not None and started < state["read_at"]:
        raise StaleReading(f"{reading.scope} was read again meanwhile; the newer reading stays.")
    writes = _Writes()
    known = _known(connection, scope_id)
    ids = _Ids(connection)
    listed = _outcome(reading.coverage, Aspect.LIST)
    seen = _observed(writes, ids, scope_id, known, reading)
    if listed == Outcome.COMPLETE:
        for uid, row in known.items():
            if uid not in seen:
                _close_resource(writes, row)
    _cover(connection, writes, ids, scope_id, reading.coverage)
    if reading.scope.location == ANYWHERE and listed != Outcome.COMPLETE:
        _cover_account(connection, writes, ids, reading)
    rev = _apply(connection, writes, ids, run_id, scope_id, at) if writes.content else None
    complete = listed == Outcome.COMPLETE
    clock = rev if rev is not None else head(connection)
    _touch(connection, scope_id, state, run_id, started, len(seen), clock if complete else None)
    return Recorded(rev, len(writes.versions), len(writes.closed["version"]))


def head(connection: Connection) -> int:
    """The newest revision; 0 before the first."""
    return int(connection.execute(select(func.coalesce(func.max(tables.rev.c.id), 0))).scalar_one())


def scope_of(connection: Connection, scope: Scope) -> int:
    """The scope's row, made if it is new."""
    columns = tables.scope.c
    query = select(columns.id).where(columns.cloud == scope.cloud, columns.account == scope.account)
    query = query.where(columns.location == scope.location, columns.kind == scope.kind)
    found = connection.execute(query).scalar()
    if found is not None:
        return int(found)
    new = next_id(connection, tables.scope)
    values = {"id": new, "cloud": scope.cloud, "account": scope.account}
    connection.execute(insert(tables.scope), [{**values, "location": scope.location, "kind": scope.kind}])
    return new


def next_id(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


class _Ids:
    """Hands out row ids; safe because there is one writer at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next: dict[str, int] = {}
        self.profiles: dict[str, tuple[str, tuple[str, ...]]] = {}
        """Body -> (type, guards) of every profile a new version has."""
        self.principals: dict[tuple[str, str], int] = {}

    def new(self, table: Table) -> int:
        if table.name not in self._next:
            self._next[table.name] = next_id(self._connection, table)
        given = self._next[table.name]
        self._next[table.name] += 1
        return given

    def intern_profiles(self) -> dict[str, int]:
        """The row of every profile in `profiles`, by body; those that are new are written."""
        digests = {codec.digest(body): body for body in self.profiles}
        known: dict[str, int] = {}
        columns = tables.profile.c
        asked = list(digests)
        for start in range(0, len(asked), CHUNK):
            query = select(columns.digest, columns.id).where(columns.digest.in_(asked[start : start + CHUNK]))
            known |= {digests[digest]: row for digest, row in self._connection.execute(query)}
        rows, guarded = [], []
        for digest, body in digests.items():
            if body in known:
                continue
            known[body] = new = self.new(tables.profile)
            resource_type, guards = self.profiles[body]
            rows.append({"id": new, "digest": digest, "type": resource_type, "body": body})
            guarded += [{"profile_id": new, "guard": guard} for guard in sorted({codec.clean(each) for each in guards})]
        insert_rows(self._connection, tables.profile, rows)
        insert_rows(self._connection, tables.profile_guard, guarded)
        return known

    def principal(self, kind: str, name: str) -> int:
        key = (kind, name)
        found = self.principals.get(key)
        if found is not None:
            return found
        columns = tables.principal.c
        found = self._connection.execute(
            select(columns.id).where(columns.kind == key[0], columns.key == key[1])
        ).scalar()
        if found is None:
            found = self.new(tables.principal)
            self._connection.execute(insert(tables.principal), [{"id": found, "kind": key[0], "key": key[1]}])
        self.principals[key] = found
        return found


def _known(connection: Connection, scope_id: int) -> dict[str, _Known]:
    resource, version = tables.resource, tables.version
    query = (
        select(resource.c.uid, resource.c.id, resource.c.first_shared, version.c.id, version.c.digest)
        .join_from(
            resource, version, (version.c.resource_id == resource.c.id) & version.c.closed.is_(None), isouter=True
        )
        .where(resource.c.scope_id == scope_id)
    )
    known: dict[str, _Known] = {}
    by_id: dict[int, _Known] = {}
    for uid, resource_id, first_shared, version_id, digest in connection.execute(query):
        row = _Known(resource_id, first_shared is not None, version_id, digest or "")
        known[uid] = by_id[resource_id] = row
    if not known:
        return known
    grant, principal = tables.grant, tables.principal
    columns = (grant.c.resource_id, grant.c.id, principal.c.kind, principal.c.key)
    terms = (grant.c.access, grant.c.mechanism, grant.c.condition, grant.c.expires_at)
    open_grants = (
        select(*columns, *terms)
        .join_from(grant, principal)
        .join(resource, resource.c.id == grant.c.resource_id)
        .where(resource.c.scope_id == scope_id, grant.c.closed.is_(None))
    )
    for resource_id, grant_id, *key in connection.execute(open_grants):
        by_id[resource_id].grants[(key[0], key[1], key[2], key[3], key[4], key[5])] = grant_id
    unread = tables.unread
    open_unread = (
        select(unread.c.resource_id, unread.c.id, unread.c.outcome, unread.c.reason)
        .join(resource, resource.c.id == unread.c.resource_id)
        .where(resource.c.scope_id == scope_id, unread.c.closed.is_(None))
    )
    for resource_id, unread_id, outcome, reason in connection.execute(open_unread):
        by_id[resource_id].unread = (unread_id, outcome, reason)
    return known


def _observed(
    writes: _Writes,
    ids: _Ids,
    scope_id: int,
    known: Mapping[str, _Known],
    reading: Reading,
) -> set[str]:
    """Gathers the writes for everything that was seen; the last of several sightings of one uid counts."""
    latest = {codec.clean(each.resource.uid): each for each in reading.observations}
    whole_aspect = _whole_aspect_failed(latest.values())
    for uid, observation in latest.items():
        row = known.get(uid)
        resource = observation.resource
        if row is None:
            row = _Known(ids.new(tables.resource), shared_before=observation.grants is not None)
            writes.resources.append(
                {
                    "id": row.resource_id,
                    "scope_id": scope_id,
                    "uid": uid,
                    "address": codec.clean(resource.address),
                    "subject": codec.clean(resource.subject) if resource.subject else None,
                    "first_shared": row.shared_before,
                }
            )
        _version(writes, ids, row, observation)
        _grants(writes, ids, row, observation)
        _unread(writes, ids, row, observation, whole_aspect=whole_aspect)
    return set(latest)


def _version(writes: _Writes, ids: _Ids, row: _Known, observation: Observation) -> None:
    resource = observation.resource
    body, document, digest = codec.encode(resource)
    if row.version_id is not None and row.digest == digest:
        return
    if row.version_id is not None:
        writes.closed["version"].append(row.version_id)
    ids.profiles[body] = (resource.type, resource.guards)
    values = {"id": ids.new(tables.version), "resource_id": row.resource_id, "profile_id": body}
    writes.versions.append({**values, "digest": digest, "document": document})


def _grants(writes: _Writes, ids: _Ids, row: _Known, observation: Observation) -> None:
    if observation.grants is None:
        return
    if not row.shared_before:
        writes.first_shared.append(row.resource_id)
    present = {codec.grant_key(each): each for each in observation.grants}
    writes.closed["grant"] += [grant_id for key, grant_id in row.grants.items() if key not in present]
    for key in present:
        if key not in row.grants:
            writes.grants.append(
                {
                    "id": ids.new(tables.grant),
                    "resource_id": row.resource_id,
                    "principal_id": ids.principal(key[0], key[1]),
                    "access": key[2],
                    "mechanism": key[3],
                    "condition": key[4],
                    "expires_at": key[5],
                }
            )


def _unread(writes: _Writes, ids: _Ids, row: _Known, observation: Observation, *, whole_aspect: bool) -> None:
    # One that was gone and is back unread would look unshared if only the scope's coverage said so.
    back = row.version_id is None and row.shared_before
    miss = observation.miss if back or not whole_aspect else None
    if row.unread is not None and (miss is None or row.unread[1] != miss.outcome):
        if miss is not None or observation.grants is not None:
            writes.closed["unread"].append(row.unread[0])
    elif row.unread is not None:
        return
    if miss is not None:
        values = {"id": ids.new(tables.unread), "resource_id": row.resource_id}
        writes.unread.append({**values, "outcome": miss.outcome, "reason": codec.clean(miss.reason)})


def _whole_aspect_failed(observations: Collection[Observation]) -> bool:
    """One coverage interval says it for all: no row per resource."""
    misses = sum(1 for each in observations if each.miss is not None)
    asked = sum(1 for each in observations if each.miss is not None or not each.resource.inferred)
    return misses > 1 and misses == asked


def _close_resource(writes: _Writes, row: _Known) -> None:
    if row.version_id is None:
        return
    writes.closed["version"].append(row.version_id)
    writes.closed["grant"] += row.grants.values()
    if row.unread is not None:
        writes.closed["unread"].append(row.unread[0])


def _outcome(coverage: Sequence[Coverage], aspect: str) -> str:
    return next((each.outcome for each in coverage if each.aspect == aspect), Outcome.COMPLETE)


def _cover(connection: Connection, writes: _Writes, ids: _Ids, scope_id: int, found: Sequence[Coverage]) -> None:
    columns = tables.coverage.c
    query = select(columns.id, columns.aspect, columns.outcome, columns.reason)
    query = query.where(columns.scope_id == scope_id, columns.closed.is_(None))
    known = {aspect: (row, outcome, reason) for row, aspect, outcome, reason in connection.execute(query)}
    for each in found:
        row = known.get(each.aspect)
        reason = codec.clean(each.reason)
        if row is not None and (row[1], row[2]) == (each.outcome, reason):
            continue
        if row is not None:
            writes.closed["coverage"].append(row[0])
        values = {"id": ids.new(tables.coverage), "scope_id": scope_id, "aspect": each.aspect}
        writes.coverage.append({**values, "outcome": each.outcome, "reason": reason})


def _cover_account(connection: Connection, writes: _Writes, ids: _Ids, reading: Reading) -> None:
    """An account that could not be entered: none of its known scopes was read either."""
    failure = next(each for each in reading.coverage if each.aspect == Aspect.LIST)
    columns, coverage = tables.scope.c, tables.coverage
    query = (
        select(columns.id, coverage.c.aspect)
        .join_from(tables.scope, coverage, coverage.c.scope_id == columns.id)
        .where(columns.cloud == reading.scope.cloud, columns.account == reading.scope.account)
        .where(columns.kind != ANYWHERE, coverage.c.closed.is_(None))
    )
    for scope_id, aspect in connection.execute(query).all():
        _cover(connection, writes, ids, scope_id, [Coverage(reading.scope, aspect, failure.outcome, failure.reason)])


def _apply(connection: Connection, writes: _Writes, ids: _Ids, run_id: int, scope_id: int, at: str) -> int:
    rev = ids.new(tables.rev)
    connection.execute(insert(tables.rev), [{"id": rev, "run_id": run_id, "scope_id": scope_id, "at": at}])
    for name, closed in writes.closed.items():
        _close(connection, tables.metadata.tables[name], closed, rev)
    opened = ((tables.version, writes.versions), (tables.grant, writes.grants), (tables.unread, writes.unread))
    profiles = ids.intern_profiles()
    for row in writes.versions:
        row["profile_id"] = profiles[row["profile_id"]]
    for row in writes.resources:
        row["first_shared"] = rev if row["first_shared"] else None
    insert_rows(connection, tables.resource, writes.resources)
    for table, rows in (*opened, (tables.coverage, writes.coverage)):
        for row in rows:
            row["opened"] = rev
        insert_rows(connection, table, rows)
    if writes.first_shared:
        statement = update(tables.resource).where(tables.resource.c.id == bindparam("row")).values(first_shared=rev)
        connection.execute(statement, [{"row": row} for row in writes.first_shared])
    return rev


def _close(connection: Connection, table: Table, rows: Sequence[int], rev: int) -> None:
    """Closes by id and counts: a unique index alone would not stop a writer with an old picture."""
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        statement = update(table).where(table.c.id.in_(part), table.c.closed.is_(None)).values(closed=rev)
        if connection.execute(statement).rowcount != len(part):
            raise StoreError(f"The store changed under this run ({table.name}); nothing of it was written.")


def _scope_state(connection: Connection, scope_id: int) -> Mapping[str, Any] | None:
    query = select(tables.scope_state).where(tables.scope_state.c.scope_id == scope_id)
    row = connection.execute(query).mappings().first()
    return dict(row) if row is not None else None


def _touch(
    connection: Connection,
    scope_id: int,
    state: Mapping[str, Any] | None,
    run_id: int,
    started: str,
    seen: int,
    complete_at: int | None,
) -> None:
    """The only thing an unchanged scope costs: one row, updated in place."""
    columns = tables.scope_state.c
    values: dict[str, Any] = {"read_at": started, "last_attempt_run": run_id, "seen": seen}
    if complete_at is not None:
        values["last_complete_run"] = run_id
    if complete_at is not None and (state is None or state["first_complete"] is None):
        values["first_complete"] = complete_at
    if state is None:
        connection.execute(insert(tables.scope_state), [{"scope_id": scope_id, **values}])
    else:
        connection.execute(update(tables.scope_state).where(columns.scope_id == scope_id).values(**values))
