"""The store: takes and returns model values only; SQL stays inside."""

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, select

from snapbase.diff import Candidate
from snapbase.model import Approval, Baseline, Coverage, Pin, Principal, Reading, Run, RunState, Scope, State
from snapbase.store import baselines, codec, history, record, runs, schema, tables, writer
from snapbase.store.database import connect, reading, words, writing
from snapbase.store.locking import locked
from snapbase.store.record import Recorded

__all__ = ["Recorded", "Store"]


class Store:
    """One open store. Every method is one transaction; iterators hold theirs until they are exhausted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str, *, write: bool = False) -> Self:
        """Opens a store; one opened for writing is created or upgraded first. Raises `StoreError`."""
        if write:
            schema.upgrade(url)
        engine = connect(url, write=write)
        with words(), engine.connect() as connection:
            schema.require(connection, url)
        return cls(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._engine.dispose()

    def lock(self) -> AbstractContextManager[None]:
        """Held by every command that writes; raises `Busy` where another one does."""
        return locked(self._engine)

    def begin_run(self, selection: str, config_digest: str, at: datetime) -> int:
        with writing(self._engine) as connection:
            return runs.begin(connection, selection, config_digest, codec.stamp(at))

    def finish_run(self, run_id: int, *, trust: bytes, at: datetime) -> Run:
        with writing(self._engine) as connection:
            trust_id = runs.intern_trust(connection, trust)
            return runs.end(connection, run_id, RunState.FINISHED, trust_id, codec.stamp(at))

    def abandon_run(self, run_id: int, at: datetime) -> Run:
        with writing(self._engine) as connection:
            return runs.end(connection, run_id, RunState.ABANDONED, None, codec.stamp(at))

    def record(self, run_id: int, found: Reading) -> Recorded:
        """One scope, one transaction; see `snapbase.store.record.record`."""
        with _no_collection(), writing(self._engine) as connection:
            return record.record(connection, run_id, found, codec.stamp(datetime.now(UTC)))

    def head(self) -> int:
        with reading(self._engine) as connection:
            return writer.head(connection)

    def run(self, run_id: int) -> Run:
        """Raises `NotFound`."""
        with reading(self._engine) as connection:
            return runs.one(connection, run_id)

    def runs(self, *, limit: int | None) -> list[Run]:
        """Newest first."""
        with reading(self._engine) as connection:
            return runs.latest(connection, limit)

    def last_run(self) -> Run | None:
        """The last finished run."""
        with reading(self._engine) as connection:
            return runs.last_finished(connection)

    def trust(self, trust_id: int) -> bytes:
        with reading(self._engine) as connection:
            query = select(tables.trust.c.body).where(tables.trust.c.id == trust_id)
            return str(connection.execute(query).scalar_one()).encode()

    def known_scopes(self) -> Mapping[Scope, int]:
        with reading(self._engine) as connection:
            return history.known_scopes(connection)

    def coverage(self, rev: int) -> list[tuple[Coverage, int | None]]:
        """Every reading that is not complete as of a revision, with the run since which it is not."""
        with reading(self._engine) as connection:
            return history.gaps(connection, rev)

    def coverage_at(self, rev: int) -> dict[tuple[Scope, str], Coverage]:
        with reading(self._engine) as connection:
            return {key: each for key, (each, _) in history.coverage_at(connection, rev).items()}

    def changes(
        self, before: int, after: int, *, pins: Sequence[Pin] = (), principals: Collection[Principal] = ()
    ) -> Iterator[Candidate]:
        """Every resource that may differ; see `snapbase.store.history.changes`."""
        with reading(self._engine) as connection:
            yield from history.changes(connection, before, after, pins, principals)

    def initial(self, before: int, after: int) -> dict[str, int]:
        with reading(self._engine) as connection:
            return history.initial(connection, before, after)

    def states(
        self, rev: int, *, kinds: Collection[str] = (), accounts: Collection[str] = (), match: str = ""
    ) -> Iterator[State]:
        with reading(self._engine) as connection:
            yield from history.states(connection, rev, kinds=kinds, accounts=accounts, match=match)

    def history(self, uid: str) -> list[tuple[datetime, datetime | None, int, State]]:
        with reading(self._engine) as connection:
            return history.history(connection, uid)

    def guards(self, rev: int, uids: Collection[str]) -> dict[str, State]:
        with reading(self._engine) as connection:
            return history.guards(connection, rev, uids)

    def below(self, rev: int, uids: Collection[str]) -> dict[str, int]:
        with reading(self._engine) as connection:
            return history.below(connection, rev, uids)

    def counts(self, rev: int) -> dict[str, int]:
        with reading(self._engine) as connection:
            return history.counts(connection, rev)

    def principals(self, rev: int) -> list[tuple[Principal, int]]:
        with reading(self._engine) as connection:
            return history.principals(connection, rev)

    def append_baseline(
        self,
        *,
        scope: str,
        run_id: int,
        rev: int,
        trust_id: int | None,
        approval: Approval,
        pins: Sequence[Pin],
        claimed: Mapping[str, str],
        entries: int,
    ) -> Baseline:
        with writing(self._engine) as connection:
            return baselines.append(
                connection,
                scope=scope,
                run_id=run_id,
                rev=rev,
                trust_id=trust_id,
                approval=approval,
                pins=pins,
                claimed=claimed,
                entries=entries,
            )

    def baselines(self) -> list[Baseline]:
        """Oldest first."""
        with reading(self._engine) as connection:
            return baselines.every(connection)

    def pins(self, baseline_id: int) -> tuple[Pin, ...]:
        with reading(self._engine) as connection:
            return baselines.pins_of(connection, baseline_id, baseline_id)

    def effective(self, baseline_id: int | None = None) -> tuple[Baseline | None, tuple[Pin, ...]]:
        with reading(self._engine) as connection:
            return baselines.effective(connection, baseline_id)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Writing makes no cycles: the garbage collector would only walk a large reading again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
