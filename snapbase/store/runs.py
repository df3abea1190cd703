"""Runs and the trust lists they were judged by."""

from bisect import bisect_right
from collections.abc import Mapping
from math import inf
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from snapbase.errors import NotFound
from snapbase.model import Outcome, Run, RunState
from snapbase.store import codec, horizon, lookup, tables
from snapbase.store.writer import head, next_id

_MOST = 2**63 - 1
"""No database counts further."""


def begin(connection: Connection, selection: str, config_digest: str, at: str) -> int:
    """A new run. Runs that a killed process left behind are marked abandoned: the caller holds the store's lock."""
    columns = tables.run.c
    left = update(tables.run).where(columns.state == RunState.RUNNING)
    connection.execute(left.values(state=RunState.ABANDONED, finished_at=at))
    new = next_id(connection, tables.run)
    values: dict[str, Any] = {"id": new, "state": RunState.RUNNING, "selection": selection}
    values |= {"config_digest": config_digest, "started_at": at, "last_rev": head(connection)}
    connection.execute(insert(tables.run), [values])
    return new


def end(connection: Connection, run_id: int, state: RunState, trust_id: int | None, at: str) -> Run:
    columns = tables.run.c
    values = {"state": state, "finished_at": at, "last_rev": head(connection), "trust_id": trust_id}
    values["heard"] = lookup.newest(connection)
    connection.execute(update(tables.run).where(columns.id == run_id).values(**values))
    return one(connection, run_id)


def intern_trust(connection: Connection, body: bytes) -> int:
    """The id of a trust list, stored once however many runs it judged."""
    text = body.decode()
    digest = codec.digest(text.encode())
    found = connection.execute(select(tables.trust.c.id).where(tables.trust.c.digest == digest)).scalar()
    if found is not None:
        return int(found)
    new = next_id(connection, tables.trust)
    connection.execute(insert(tables.trust), [{"id": new, "digest": digest, "body": text}])
    return new


def one(connection: Connection, run_id: int) -> Run:
    query = select(tables.run).where(tables.run.c.id == run_id)
    row = connection.execute(query).mappings().first() if 0 < run_id <= _MOST else None
    if row is None:
        kept = horizon.read(connection) if 0 < run_id < next_id(connection, tables.run) else None
        gone = f": what came before {kept.since:%Y-%m-%d %H:%M} UTC was pruned" if kept else ""
        raise NotFound(f"There is no run {run_id}{gone}.", hint="`snapbase status` names the last one.")
    return _run(row)


def latest(connection: Connection, limit: int | None) -> list[Run]:
    """Runs, newest first."""
    query = select(tables.run).order_by(tables.run.c.id.desc()).limit(limit)
    return [_run(row) for row in connection.execute(query).mappings()]


def last_finished(connection: Connection) -> Run | None:
    query = select(tables.run).where(tables.run.c.state == RunState.FINISHED)
    row = connection.execute(query.order_by(tables.run.c.id.desc()).limit(1)).mappings().first()
    return _run(row) if row is not None else None


def last_full(connection: Connection, *, complete: bool = False) -> Run | None:
    """The last finished run that read everything there is; `complete`: and could read all of it."""
    run, coverage = tables.run.c, tables.coverage.c
    query = select(run.id, run.last_rev).where(run.state == RunState.FINISHED, run.selection == "")
    kept = horizon.read(connection) if complete else None
    if kept is not None:
        query = query.where(run.last_rev >= kept.rev)
    broken: list[list[int | float]] = []
    missed = select(coverage.opened, coverage.closed).where(coverage.outcome != Outcome.COMPLETE)
    for opened, closed in connection.execute(missed.order_by(coverage.opened)) if complete else ():
        end = inf if closed is None else closed
        if broken and opened <= broken[-1][1]:
            broken[-1][1] = max(broken[-1][1], end)
        else:
            broken.append([opened, end])
    for run_id, rev in connection.execute(query.order_by(run.id.desc())):
        place = bisect_right(broken, rev, key=itemgetter(0)) - 1
        if place < 0 or broken[place][1] <= rev:
            return one(connection, run_id)
    return None


def _run(row: Mapping[str, Any] | RowMapping) -> Run:
    return Run(
        id=row["id"],
        state=row["state"],
        started_at=codec.moment(row["started_at"]),
        finished_at=codec.optional_moment(row["finished_at"]),
        last_rev=row["last_rev"],
        trust_id=row["trust_id"],
        selection=row["selection"],
        config_digest=row["config_digest"],
        heard=row["heard"],
    )
