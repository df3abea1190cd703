"""Forgetting what closed long ago and no approval needs: in batches, so that a writer never waits long.

The horizon moves first, in a transaction of its own: from then on nobody is told anything as of what is about to go,
and whatever is approved from then on is kept already. What a killed pruning leaves, the next one takes.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, Engine, Select, Table, and_, delete, func, or_, select

from snapbase.errors import StoreError
from snapbase.model import Outcome, ResourceType, RunState
from snapbase.store import baselines, codec, cohorts, events, horizon, tables
from snapbase.store.claims import claim
from snapbase.store.database import connect, reading, words, writing
from snapbase.store.history import chunks
from snapbase.store.horizon import Horizon
from snapbase.store.locking import locked
from snapbase.store.needs import Needs, gathered, spans

_BATCH = 5_000
"""Rows of one transaction: some tenths of a second."""
_ORPHANS = 50_000
"""The same for rows that nothing refers to: looking for references costs more than the deletion."""
_SUBJECTS = (tables.version, tables.grant, tables.unread)
_INTERVALS = (*_SUBJECTS, tables.coverage)
_PATIENCE = "1s"
"""How long pruning waits for readers, and others for it."""
_LOCK_NOT_AVAILABLE = "55P03"
"""https://www.postgresql.org/docs/current/errcodes-appendix.html"""
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before every moment."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one pruning did; of a dry one, what it would do to intervals and audit events."""

    horizon: Horizon | None
    """None: no run is that old."""
    rows: Mapping[str, int]
    """Deleted, by table."""
    needed: int = 0
    """Rows that closed before the horizon and stay, for what approvals and detections need them."""
    held_by: int | None = None
    """The approval that keeps the horizon from moving further."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much to keep, and what somebody outside the store needs beside."""

    before: datetime
    """What was over by then goes."""
    events_before: datetime
    heard_since: datetime
    """What audit events since then name keeps its whole story: detections ask who ever held it."""
    bound: Collection[tuple[str, str]] = ()
    """(cloud, id) of the events that approvals name."""


def prune(url: str, wanted: Wanted, *, dry: bool = False) -> Pruned:
    """Needs no lock: it waits for a writer, and a writer for one batch of it."""
    engine = connect(url, write=False)
    try:
        with (reading if dry else writing)(engine) as connection:
            kept, held_by = _horizon(connection, codec.stamp(wanted.before))
            if kept is not None and not dry:
                horizon.move(connection, kept)
        found = Counter[str]()
        needed = 0
        if kept is not None:
            found, needed = _intervals(engine, kept.rev, wanted, dry=dry)
            if not dry:
                found += _unreferenced(engine, kept.rev)
        found["event"] += _events(engine, wanted, dry=dry)
        return Pruned(kept, +found, needed, held_by)
    finally:
        engine.dispose()


def _horizon(connection: Connection, before: str) -> tuple[Horizon | None, int | None]:
    """The end of the last run that was over by then, but never earlier than it was, nor later than rotation allows."""
    run, now = tables.run.c, datetime.now(UTC)
    over = select(run.last_rev).where(run.state == RunState.FINISHED, run.finished_at <= before)
    rev = connection.execute(over.order_by(run.id.desc()).limit(1)).scalar() or 0
    held_by, last = None, horizon.read(connection)
    base, _ = baselines.effective(connection, None)
    if base is not None and 0 < base.rev < rev and cohorts.approved(connection, BEGINNING, None).cohorts:
        # Rotation is judged by everything that came and went since what the next run is compared with.
        rev, held_by = base.rev, base.id
    if last is not None:
        rev = max(rev, last.rev)
    if not rev:
        return None, held_by
    since = connection.execute(select(tables.rev.c.at).where(tables.rev.c.id == rev)).scalar_one()
    return Horizon(int(rev), codec.moment(since), now), held_by


def _intervals(engine: Engine, rev: int, wanted: Wanted, *, dry: bool) -> tuple[Counter[str], int]:
    """Deletes what closed by the horizon and is not needed; returns how much of which table, and how much is needed."""
    found = Counter[str]()
    needed = 0
    with reading(engine) as connection:
        needs = gathered(connection, rev, wanted.heard_since)
        doomed, stay = _coverage(connection, rev, needs)
    needed += stay
    found["coverage"] = _delete(engine, tables.coverage, doomed, dry=dry)
    for table in _SUBJECTS:
        if table is tables.grant:
            with reading(engine) as connection:
                needs.policies = _policies(connection)
        for rows in _closed(engine, table, rev):
            with reading(engine) as connection:
                staying = needs.of(connection, table, rows)
            doomed = [row.id for row in rows if row.id not in staying]
            needed += len(staying)
            found[table.name] += _delete(engine, table, doomed, dry=dry)
    return found, needed


def _closed(engine: Engine, table: Table, rev: int) -> Iterator[Sequence[Any]]:
    """Everything that closed by a revision, batch by batch."""
    columns, last = table.c, (0, 0)
    while True:
        after = or_(columns.closed > last[0], and_(columns.closed == last[0], columns.id > last[1]))
        query = select(columns.id, columns.resource_id, columns.opened, columns.closed)
        query = query.where(columns.closed >= last[0], columns.closed <= rev, after)
        with reading(engine) as connection:
            rows = connection.execute(query.order_by(columns.closed, columns.id).limit(_BATCH)).all()
        if not rows:
            return
        yield rows
        last = (rows[-1].closed, rows[-1].id)


def _policies(connection: Connection) -> set[int]:
    version, profile = tables.version.c, tables.profile.c
    query = select(version.resource_id).join_from(tables.version, tables.profile, profile.id == version.profile_id)
    return set(connection.execute(query.where(profile.type == ResourceType.POLICY).distinct()).scalars())


def _coverage(connection: Connection, rev: int, needs: Needs) -> tuple[list[int], int]:
    """Readings that can go. Of what stays, also where its chain of readings of one sort began: since when it is so."""
    columns = tables.coverage.c
    query = select(columns.id, columns.scope_id, columns.aspect, columns.outcome, columns.opened, columns.closed)
    points = sorted({*needs.points, *needs.pinned})
    doomed: list[int] = []
    needed = 0
    rows = connection.execute(query.order_by(columns.scope_id, columns.aspect, columns.opened, columns.id))
    for _, group in groupby(rows, key=attrgetter("scope_id", "aspect")):
        chain, stay = list(group), set[int]()
        last: dict[bool, int] = {}
        for row in chain:
            whole = row.outcome == Outcome.COMPLETE
            if row.closed is None or row.closed > rev or spans(points, row.opened, row.closed):
                # Beside it the end of the readings of the other sort, or the very first: since then it is so.
                stay |= {row.id, last.get(not whole, chain[0].id)}
            last[whole] = row.id
        old = [row.id for row in chain if row.closed is not None and row.closed <= rev]
        needed += len(stay.intersection(old))
        doomed += [each for each in old if each not in stay]
    return doomed, needed


def _unreferenced(engine: Engine, rev: int) -> Counter[str]:
    """Deletes what nothing refers to any more."""
    resource, run, clock = tables.resource.c, tables.run.c, tables.rev.c
    state, line, pin = tables.scope_state.c, tables.baseline.c, tables.pin.c
    old = select(run.id).where(run.last_rev < rev, run.state != RunState.RUNNING)
    old = old.where(run.id < select(func.max(run.id)).scalar_subquery())
    marks = [column for table in _INTERVALS for column in (table.c.opened, table.c.closed)]
    found = Counter[str]()
    # What approvals name has kept its story, so its resource is referred to.
    found["resource"] = _orphans(engine, select(resource.id), indexed=[table.c.resource_id for table in _SUBJECTS])
    found["profile"] = _orphans(engine, select(tables.profile.c.id), large=[tables.version.c.profile_id])
    found["principal"] = _orphans(engine, select(tables.principal.c.id), large=[tables.grant.c.principal_id])
    found["rev"] = _orphans(engine, select(clock.id).where(clock.id < rev), loose=[*marks, line.rev, pin.rev])
    tried = [state.last_attempt_run, state.last_complete_run]
    found["run"] = _orphans(engine, old, large=[clock.run_id, line.run_id], loose=tried)
    lists = [run.trust_id, line.trust_id, pin.trust_id]
    found["trust"] = _orphans(engine, select(tables.trust.c.id), large=lists)
    with writing(engine) as connection:
        known = select(1).where(resource.uid == claim.c.uid).correlate(claim).exists()
        found["claim"] = connection.execute(delete(claim).where(~known)).rowcount
    return found


def _orphans(
    engine: Engine,
    candidates: Select[Any],
    *,
    indexed: Sequence[Column[Any]] = (),
    large: Sequence[Column[Any]] = (),
    loose: Sequence[Column[Any]] = (),
) -> int:
    """Deletes those candidates to which nothing refers.

    `indexed`, `large`: foreign keys with an index, and those that get one only while something is deleted; a writer may
    use them at any time. `loose`: what refers without being a foreign key, and never to anything old again.
    """
    (key,) = candidates.selected_columns
    parent: Any = key.table
    free_of = [~select(1).where(column == key).correlate(parent).exists() for column in (*indexed, *large)]
    with reading(engine) as connection:
        free = set(connection.execute(candidates.where(*free_of[: len(indexed)])).scalars())
        for column in (*large, *loose):
            free.difference_update(connection.execute(select(column).where(column.is_not(None)).distinct()).scalars())
    gone, ids = 0, iter(sorted(free))
    while batch := list(islice(ids, _ORPHANS)):
        deleted = 0
        try:
            with writing(engine) as connection, _indexed(connection, large):
                for part in chunks(batch):
                    unused = connection.execute(select(key).where(key.in_(part), *free_of)).scalars().all()
                    if parent is tables.profile:
                        connection.execute(
                            delete(tables.profile_guard).where(tables.profile_guard.c.profile_id.in_(unused))
                        )
                    deleted += connection.execute(delete(parent).where(key.in_(unused))).rowcount
        except StoreError as error:
            if _waited(error):
                return gone
            raise
        gone += deleted
    return gone


def _waited(error: StoreError) -> bool:
    """Whether PostgreSQL gave up waiting for a reader: what is left then, the next pruning takes."""
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", "") == _LOCK_NOT_AVAILABLE


@contextmanager
def _indexed(connection: Connection, columns: Sequence[Column[Any]]) -> Iterator[None]:
    """Indexes for the foreign keys of what is deleted, gone again with the transaction: nobody else asks that way."""
    if columns and connection.dialect.name == "postgresql":
        # To drop an index waits for every reader of its table, and all that come later wait for that.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    quote = connection.dialect.identifier_preparer.quote
    names = {f"pruning_{column.table.name}_{column.name}": column for column in columns}
    for name, column in names.items():
        connection.exec_driver_sql(f"CREATE INDEX {name} ON {quote(column.table.name)} ({quote(column.name)})")
    yield
    for name in names:
        connection.exec_driver_sql(f"DROP INDEX {name}")


def _delete(engine: Engine, table: Table, ids: Sequence[int], *, dry: bool) -> int:
    if dry:
        return len(ids)
    gone = 0
    for start in range(0, len(ids), _BATCH):
        with writing(engine) as connection:
            for part in chunks(ids[start : start + _BATCH]):
                gone += connection.execute(delete(table).where(table.c.id.in_(part))).rowcount
    return gone


def _events(engine: Engine, wanted: Wanted, *, dry: bool) -> int:
    if dry:
        with reading(engine) as connection:
            return len(events.forgotten(connection, wanted.events_before, wanted.bound))
    gone = 0
    while True:
        with writing(engine) as connection:
            found = events.prune(connection, wanted.events_before, wanted.bound, limit=_BATCH)
        if not found:
            return gone
        gone += found


def spare(url: str) -> int | None:
    """Bytes inside a SQLite file that are free for new rows; None where the database sees to that itself."""
    engine = connect(url, write=False)
    try:
        if engine.dialect.name != "sqlite":
            return None
        with reading(engine) as connection:
            pages = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    finally:
        engine.dispose()


def shrink(url: str) -> None:
    """Writes a SQLite file anew without its free pages. Takes as much space again meanwhile, and the store's lock."""
    engine = connect(url, write=False)
    try:
        if engine.dialect.name != "sqlite":
            return
        with words(), locked(engine):
            raw: Any = engine.raw_connection()
            try:
                raw.driver_connection.execute("VACUUM")
                raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise StoreError(
                    f"The file was not written anew: {error}.", hint="What was pruned stays so."
                ) from error
            finally:
                raw.close()
    finally:
        engine.dispose()
