"""From which revision on the store keeps everything. What lay before was pruned, but for what approvals cover.

As of every revision from the horizon on, and as of every one that was approved as a whole, the answers are those from
before pruning. Anything else is refused: it could only be answered wrongly.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Column, Connection, Engine, Table, Text, delete, insert, select

from snapbase.errors import NotFound
from snapbase.model import BaselineScope, State
from snapbase.store import codec
from snapbase.store.database import reading
from snapbase.store.tables import Id, baseline, metadata, pin

horizon = Table(
    "horizon",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("rev", Id, nullable=False),
    Column("since", Text, nullable=False),
    Column("pruned_at", Text, nullable=False),
)


class Stretch(NamedTuple):
    """Of a resource's life, between two changes of it."""

    since: datetime
    until: datetime | None
    rev: int
    state: State
    older: bool = False
    """It began before the horizon; since when it was so is not known."""


@dataclass(frozen=True, slots=True)
class Horizon:
    rev: int
    since: datetime
    """When that revision was written."""
    pruned_at: datetime
    """When the store was pruned last."""


def read(connection: Connection) -> Horizon | None:
    """None where nothing was ever pruned."""
    row = connection.execute(select(horizon.c.rev, horizon.c.since, horizon.c.pruned_at)).first()
    return Horizon(row.rev, codec.moment(row.since), codec.moment(row.pruned_at)) if row else None


def move(connection: Connection, to: Horizon) -> None:
    values = {"id": 1, "rev": to.rev, "since": codec.stamp(to.since), "pruned_at": codec.stamp(to.pruned_at)}
    connection.execute(delete(horizon))
    connection.execute(insert(horizon), [values])


def approved(connection: Connection) -> set[int]:
    """Every revision that was ever approved as a whole: kept whole, whatever came of the approval."""
    query = select(baseline.c.rev).where(baseline.c.scope == BaselineScope.WHOLE)
    return set(connection.execute(query.distinct()).scalars())


def pinned(connection: Connection) -> set[int]:
    """Every revision at which something was approved by itself: kept for coverage, for what was named and for what
    stood in front of it."""
    return set(connection.execute(select(pin.c.rev).distinct()).scalars())


def require(connection: Connection, revs: Iterable[int], *, pins: bool = False) -> None:
    """Raises `NotFound` where one of the revisions was pruned. `pins`: those of single approvals will do."""
    kept = read(connection)
    older = {rev for rev in revs if kept is not None and 0 < rev < kept.rev}
    if not older:
        return
    older -= approved(connection) | (pinned(connection) if pins else set())
    if older and kept is not None:
        raise NotFound(
            f"Revision {min(older)} was pruned: the store keeps everything since {kept.since:%Y-%m-%d %H:%M} UTC"
            f" (revision {kept.rev}), and of what lay before what approvals cover.",
            hint="Ask for a later run, or compare with one that was approved as a whole (`snapbase baselines list`).",
        )


@contextmanager
def as_of(engine: Engine, *revs: int, pins: bool = False) -> Iterator[Connection]:
    """To read what was so as of some revisions; raises `NotFound` as `require` does."""
    with reading(engine) as connection:
        require(connection, revs, pins=pins)
        yield connection


def told(connection: Connection, stretches: Iterable[tuple[datetime, datetime | None, int, State]]) -> list[Stretch]:
    """Of a resource's life what is known for sure: it begins with the horizon, where it is older."""
    kept = read(connection)
    found = []
    for since, until, rev, state in stretches:
        if kept is None or rev >= kept.rev:
            found.append(Stretch(since, until, rev, state))
        elif until is None or until > kept.since:
            found.append(Stretch(kept.since, until, kept.rev, state, older=True))
    return found
