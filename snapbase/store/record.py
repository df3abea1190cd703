"""Writing one reading of one scope: only what changed, in one transaction, on one clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from snapbase.errors import StaleReading
from snapbase.model import ANYWHERE, Aspect, Coverage, Observation, Outcome, Reading, ResourceType, Scope
from snapbase.store import codec, tables
from snapbase.store.events import watermark
from snapbase.store.history import chunks
from snapbase.store.writer import Writer, next_id

# Asked for every scope, and so built once.
_SCOPE = select(tables.scope.c.id).where(
    *(tables.scope.c[name] == bindparam(name) for name in ("cloud", "account", "location", "kind"))
)
_NEW_SCOPE = insert(tables.scope)
_STATE = select(tables.scope_state).where(tables.scope_state.c.scope_id == bindparam("scope"))
_TOUCH = update(tables.scope_state).where(tables.scope_state.c.scope_id == bindparam("scope"))
_COVERAGE = select(
    tables.coverage.c.id, tables.coverage.c.aspect, tables.coverage.c.outcome, tables.coverage.c.reason
).where(tables.coverage.c.scope_id == bindparam("scope"), tables.coverage.c.closed.is_(None))

_FENCES = (ResourceType.GUARDRAIL, ResourceType.CONTAINER)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one reading changed; `rev` is None where nothing did."""

    rev: int | None
    opened: int = 0
    closed: int = 0


@dataclass(slots=True)
class Known:
    """One resource of the scope as the store has it: ids of the open rows."""

    resource_id: int
    shared_before: bool
    version_id: int | None = None
    digest: str = ""
    grants: dict[codec.GrantKey, int] = field(default_factory=dict)
    unread: tuple[int, str] | None = None


def record(connection: Connection, run_id: int, reading: Reading, at: str) -> Recorded:
    """Records a reading inside a write transaction.

    A list that is not complete closes nothing. Grants that were not read keep the last known ones. Raises
    `StaleReading` where the scope was read again by somebody who began later and recorded first.
    """
    scope_id = scope_of(connection, reading.scope)
    state = scope_state(connection, scope_id)
    started = codec.stamp(reading.started_at)
    if state is not None and started < state["read_at"]:
        raise StaleReading(f"{reading.scope} was read again meanwhile; the newer reading stays.")
    writer = Writer(connection, run_id, scope_id, at)
    listed = _outcome(reading.coverage, Aspect.LIST)
    seen = {codec.clean(each.resource.uid): each for each in reading.observations}
    whole = listed == Outcome.COMPLETE and all(each.miss is None for each in reading.observations)
    last = state["set_digest"] if state is not None and whole else None
    digests = {} if last is None else {uid: codec.encode(each.resource)[-1] for uid, each in seen.items()}
    set_digest = None if last is None else _set_digest(seen, digests)
    if last is None or last != set_digest:
        # A scope without a state was never written to.
        known = known_rows(connection, scope_id, seen) if state is not None else {}
        _compare(writer, scope_id, known, seen, digests, gone=listed == Outcome.COMPLETE)
        if listed == Outcome.PARTIAL:
            unshown = {row.resource_id: row for uid, row in known.items() if uid not in seen and row.unread is None}
            _miss_fences(connection, writer, unshown, reading.coverage)
    if whole and set_digest is None:
        set_digest = _set_digest(seen, digests)
    cover(connection, writer, scope_id, reading.coverage)
    if reading.scope.location == ANYWHERE and listed != Outcome.COMPLETE:
        _cover_account(connection, writer, reading)
    writer.flush()
    complete_at = (writer.rev if writer.wrote else writer.rev - 1) if listed == Outcome.COMPLETE else None
    touch(connection, scope_id, state, run_id, started, len(seen), set_digest, complete_at)
    return Recorded(writer.rev if writer.wrote else None, writer.versions_opened, writer.versions_closed)


def scope_of(connection: Connection, scope: Scope) -> int:
    """The scope's row, made if it is new."""
    place = {"cloud": scope.cloud, "account": scope.account, "location": scope.location, "kind": scope.kind}
    found = connection.execute(_SCOPE, place).scalar()
    if found is not None:
        return int(found)
    new = next_id(connection, tables.scope)
    connection.execute(_NEW_SCOPE, [{"id": new, **place}])
    return new


def _set_digest(seen: Mapping[str, Observation], digests: Mapping[str, str]) -> str:
    """Stands for all that was seen, in whatever order. A sum would be quicker, and can be hit by choosing tags."""
    shared = {uid: codec.digest_with(digests[uid], each.grants) for uid, each in seen.items() if each.grants}
    last = {**digests, **shared}
    uids = sorted(last)
    return codec.digest("\0".join(uids).encode(), "\0".join(map(last.__getitem__, uids)).encode())


def _compare(
    writer: Writer,
    scope_id: int,
    known: Mapping[str, Known],
    seen: Mapping[str, Observation],
    digests: dict[str, str],
    *,
    gone: bool,
) -> None:
    """Writes what differs, and adds the missing `digests`. `gone`: what was not seen is no longer there."""
    whole_aspect = _whole_aspect_failed(seen.values())
    for uid, observation in seen.items():
        row = known.get(uid)
        if row is None:
            digests[uid] = _first_sight(writer, scope_id, uid, observation, whole_aspect)
            continue
        if uid not in digests:
            digests[uid] = codec.encode(observation.resource)[-1]
        if row.digest != digests[uid]:
            if row.version_id is not None:
                writer.close(tables.version, row.version_id)
            # Only what changed is encoded a second time: all of a scope's documents at once would be too much.
            writer.version(row.resource_id, *codec.encode(observation.resource))
        _grants(writer, row, observation)
        if row.unread is not None or observation.miss is not None:
            _unread(writer, row, observation, whole_aspect=whole_aspect)
    for row in (row for uid, row in known.items() if uid not in seen) if gone else ():
        close_resource(writer, row)


def _whole_aspect_failed(observations: Collection[Observation]) -> bool:
    """One coverage interval says it for all: no row per resource."""
    misses = sum(1 for each in observations if each.miss is not None)
    if misses < 2:
        return False
    return misses == sum(1 for each in observations if each.miss is not None or not each.resource.inferred)


def _first_sight(writer: Writer, scope_id: int, uid: str, observation: Observation, whole_aspect: bool) -> str:
    """Writes a resource that was never seen before; returns the digest of its content."""
    resource, miss, grants = observation.resource, observation.miss, observation.grants
    profile, document, digest = codec.encode(resource)
    subject = codec.clean(resource.subject) if resource.subject else None
    address = uid if resource.address == resource.uid else codec.clean(resource.address)
    row_id = writer.resource(scope_id, uid, address, subject, grants is not None)
    for grant in grants or ():
        writer.grant(row_id, codec.grant_key(grant))
    if miss is not None and not whole_aspect:
        writer.unread(row_id, miss.outcome, codec.clean(miss.reason))
    # Last: a full batch is written with it, and whole resources only.
    writer.version(row_id, profile, document, digest)
    return digest


def _grants(writer: Writer, row: Known, observation: Observation) -> None:
    if observation.grants is None:
        return
    if not row.shared_before:
        writer.first_shared(row.resource_id)
    if not observation.grants and not row.grants:
        return
    present = set(map(codec.grant_key, observation.grants))
    for key, grant_id in row.grants.items():
        if key not in present:
            writer.close(tables.grant, grant_id)
    for key in present - row.grants.keys():
        writer.grant(row.resource_id, key)


def _unread(writer: Writer, row: Known, observation: Observation, *, whole_aspect: bool) -> None:
    # One that was gone and is back unread would look unshared if only the scope's coverage said so.
    back = row.version_id is None and row.shared_before
    miss = observation.miss if back or not whole_aspect else None
    if row.unread is not None and (miss is None or row.unread[1] != miss.outcome):
        if miss is not None or observation.grants is not None:
            writer.close(tables.unread, row.unread[0])
    elif row.unread is not None:
        return
    if miss is not None:
        writer.unread(row.resource_id, miss.outcome, codec.clean(miss.reason))


def _miss_fences(
    connection: Connection, writer: Writer, unshown: Mapping[int, Known], coverage: Sequence[Coverage]
) -> None:
    """Says of each guardrail that a list did not show: what lies behind it is worth whatever it is by now."""
    version, profile = tables.version.c, tables.profile.c
    reason = next(each.reason for each in coverage if each.aspect == Aspect.LIST)
    query = select(version.resource_id).join_from(tables.version, tables.profile, profile.id == version.profile_id)
    for part in chunks(sorted(unshown)):
        fences = query.where(version.resource_id.in_(part), version.closed.is_(None), profile.type.in_(_FENCES))
        for row_id in connection.scalars(fences):
            writer.unread(row_id, Outcome.PARTIAL, codec.clean(reason))


def close_resource(writer: Writer, row: Known) -> None:
    if row.version_id is None:
        return
    writer.close(tables.version, row.version_id)
    for grant_id in row.grants.values():
        writer.close(tables.grant, grant_id)
    if row.unread is not None:
        writer.close(tables.unread, row.unread[0])


def known_rows(connection: Connection, scope_id: int, uids: Collection[str]) -> dict[str, Known]:
    """What is open in a scope, and of `uids` also what was there once: not its whole past, which only grows."""
    resource, version = tables.resource, tables.version
    was_open = (version.c.resource_id == resource.c.id) & version.c.closed.is_(None)
    columns = (resource.c.uid, resource.c.id, resource.c.first_shared)
    query = select(*columns, version.c.id, version.c.digest).join_from(resource, version, was_open)
    known: dict[str, Known] = {}
    by_id: dict[int, Known] = {}

    def add(uid: str, resource_id: int, first_shared: int | None, version_id: int | None, digest: str) -> None:
        known[uid] = by_id[resource_id] = Known(resource_id, first_shared is not None, version_id, digest)

    for uid, row_id, shared, version_id, digest in connection.execute(query.where(resource.c.scope_id == scope_id)):
        add(uid, row_id, shared, version_id, digest)
    for part in chunks(sorted(uid for uid in uids if uid not in known)):
        once = select(*columns).where(resource.c.scope_id == scope_id, resource.c.uid.in_(part))
        for uid, row_id, shared in connection.execute(once):
            add(uid, row_id, shared, None, "")
    for part in chunks(sorted(by_id)):
        _open_sharing(connection, part, by_id)
    return known


def _open_sharing(connection: Connection, ids: Sequence[int], by_id: Mapping[int, Known]) -> None:
    """Adds the open grants and misses of some resources."""
    grant, principal, unread = tables.grant, tables.principal, tables.unread
    columns = (grant.c.resource_id, grant.c.id, principal.c.kind, principal.c.key)
    terms = (grant.c.access, grant.c.mechanism, grant.c.condition, grant.c.expires_at)
    open_grants = select(*columns, *terms).join_from(grant, principal)
    open_grants = open_grants.where(grant.c.resource_id.in_(ids), grant.c.closed.is_(None))
    for resource_id, grant_id, *key in connection.execute(open_grants):
        by_id[resource_id].grants[(key[0], key[1], key[2], key[3], key[4], key[5])] = grant_id
    open_unread = select(unread.c.resource_id, unread.c.id, unread.c.outcome)
    open_unread = open_unread.where(unread.c.resource_id.in_(ids), unread.c.closed.is_(None))
    for resource_id, unread_id, outcome in connection.execute(open_unread):
        by_id[resource_id].unread = (unread_id, outcome)


def _outcome(coverage: Sequence[Coverage], aspect: str) -> str:
    return next((each.outcome for each in coverage if each.aspect == aspect), Outcome.COMPLETE)


def cover(connection: Connection, writer: Writer, scope_id: int, found: Sequence[Coverage]) -> None:
    rows = connection.execute(_COVERAGE, {"scope": scope_id})
    known = {aspect: (row, outcome, reason) for row, aspect, outcome, reason in rows}
    for each in found:
        row = known.get(each.aspect)
        reason = codec.clean(each.reason)
        if row is not None and (row[1], row[2]) == (each.outcome, reason):
            continue
        if row is not None:
            writer.close(tables.coverage, row[0])
        writer.coverage(scope_id, each.aspect, each.outcome, reason)


def _cover_account(connection: Connection, writer: Writer, reading: Reading) -> None:
    """An account that could not be entered: none of its known scopes was read either.

    But its audit logs, which a run may leave alone: what was last said of them stays, also which of their records will
    never be read.
    """
    failure = next(each for each in reading.coverage if each.aspect == Aspect.LIST)
    columns, coverage = tables.scope.c, tables.coverage
    query = (
        select(columns.id, coverage.c.aspect)
        .join_from(tables.scope, coverage, coverage.c.scope_id == columns.id)
        .where(columns.cloud == reading.scope.cloud, columns.account == reading.scope.account)
        .where(columns.kind != ANYWHERE, columns.kind.not_in(select(watermark.c.log)), coverage.c.closed.is_(None))
    )
    for scope_id, aspect in connection.execute(query).all():
        cover(connection, writer, scope_id, [Coverage(reading.scope, aspect, failure.outcome, failure.reason)])


def scope_state(connection: Connection, scope_id: int) -> Mapping[str, Any] | None:
    row = connection.execute(_STATE, {"scope": scope_id}).mappings().first()
    return dict(row) if row is not None else None


def touch(
    connection: Connection,
    scope_id: int,
    state: Mapping[str, Any] | None,
    run_id: int,
    started: str,
    seen: int,
    digest: str | None,
    complete_at: int | None,
) -> None:
    """The only thing an unchanged scope costs: one row, updated in place."""
    values: dict[str, Any] = {"read_at": started, "last_attempt_run": run_id, "seen": seen, "set_digest": digest}
    if complete_at is not None:
        values["last_complete_run"] = run_id
    elif state is not None:
        # What a listing that was not complete did not show may still be there.
        values["seen"] = max(seen, state["seen"])
    if complete_at is not None and (state is None or state["first_complete"] is None):
        values["first_complete"] = complete_at
    if state is None:
        connection.execute(insert(tables.scope_state), [{"scope_id": scope_id, **values}])
    else:
        connection.execute(_TOUCH, {"scope": scope_id, **values})
