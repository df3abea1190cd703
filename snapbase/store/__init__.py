"""The store: takes and returns model values only; SQL stays inside."""

import gc
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, select

from snapbase.diff import Candidate
from snapbase.event import Event
from snapbase.model import Baseline, Coverage, Pin, Principal, Reading, Run, RunState, Scope, State
from snapbase.rotation.verdict import Passage
from snapbase.store import (
    baselines,
    bulk,
    bundle,
    candidates,
    claims,
    codec,
    cohorts,
    events,
    evidence,
    guards,
    history,
    horizon,
    lookup,
    pins,
    present,
    record,
    restore,
    rotation,
    runs,
    schema,
    tables,
    writer,
)
from snapbase.store.cohorts import Approvals
from snapbase.store.database import connect, reading, words, writing
from snapbase.store.horizon import Stretch, as_of
from snapbase.store.locking import locked
from snapbase.store.pins import NO_PINS, InForce
from snapbase.store.present import Points
from snapbase.store.record import Recorded
from snapbase.store.rotation import Tick
from snapbase.store.shares import Holding, holdings
from snapbase.ticket import Claim

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
            bulk.analyze(connection)
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

    def last_full_run(self, *, complete: bool = False) -> Run | None:
        """The last finished run of everything; `complete`: nothing was unread after it."""
        with reading(self._engine) as connection:
            return runs.last_full(connection, complete=complete)

    def horizon(self) -> horizon.Horizon | None:
        """From when on everything is kept; None where nothing was ever pruned."""
        with reading(self._engine) as connection:
            return horizon.read(connection)

    def trust(self, trust_id: int) -> bytes:
        with reading(self._engine) as connection:
            query = select(tables.trust.c.body).where(tables.trust.c.id == trust_id)
            return str(connection.execute(query).scalar_one()).encode()

    def known_scopes(self) -> Mapping[Scope, int]:
        with reading(self._engine) as connection:
            return history.known_scopes(connection)

    def coverage(self, rev: int) -> list[tuple[Coverage, int | None]]:
        """Every reading that is not complete as of a revision, with the run since which it is not."""
        with as_of(self._engine, rev) as connection:
            return history.gaps(connection, rev)

    def coverage_at(self, rev: int) -> dict[tuple[Scope, str], Coverage]:
        with as_of(self._engine, rev, pins=True) as connection:
            return {key: each for key, (each, _) in history.coverage_at(connection, rev).items()}

    def changes(
        self,
        before: int,
        after: int,
        *,
        pins: InForce = NO_PINS,
        at: datetime | None = None,
        principals: Collection[Principal] = (),
        without: Collection[int] = (),
    ) -> Iterator[Candidate]:
        """Every resource that may differ, but those judged already; see `snapbase.store.candidates.changes`."""
        with as_of(self._engine, before, after) as connection:
            yield from candidates.changes(connection, before, after, pins, at, principals, without)

    def passages(
        self, before: int, after: int, uids: Collection[str] | None = None, *, gone_after: int = 0
    ) -> Iterator[list[Passage]]:
        """What came and went, one list for each scope; see `snapbase.store.rotation.passages`."""
        with as_of(self._engine, before, after) as connection:
            yield from rotation.passages(connection, before, after, uids, gone_after)

    def points(self, before: int, after: int) -> Iterator[Points]:
        """How many snapshots each named origin has of each source; see `snapbase.store.present.points`."""
        with as_of(self._engine, before, after) as connection:
            yield from present.points(connection, before, after)

    def unnamed(self, rev: int) -> Iterator[tuple[State, int]]:
        """Snapshots of which only they themselves tell their origin; see `snapbase.store.present.unnamed`."""
        with as_of(self._engine, rev) as connection:
            yield from present.unnamed(connection, rev)

    def policies(self, rev: int) -> list[tuple[State, int]]:
        """Every policy with the revision of its last change."""
        with as_of(self._engine, rev) as connection:
            return present.policies(connection, rev)

    def ticks(self, revs: Collection[int]) -> dict[int, Tick]:
        """Which run wrote each revision, and when that run ended."""
        with reading(self._engine) as connection:
            return rotation.runs_of(connection, revs)

    def listed_at(self, rev: int) -> dict[Scope, datetime]:
        """When each completely listed scope was last read."""
        with as_of(self._engine, rev) as connection:
            return present.listed_at(connection, rev)

    def cohorts(self, at: datetime, up_to: int | None = None) -> Approvals:
        """The approved cohorts that count at a moment, by the log up to one of its lines."""
        with reading(self._engine) as connection:
            return cohorts.approved(connection, at, up_to)

    def save_cohorts(self, baseline_id: int, bodies: Mapping[str, bytes]) -> None:
        with writing(self._engine) as connection:
            cohorts.save(connection, baseline_id, bodies)

    def initial(self, before: int, after: int) -> dict[str, int]:
        with as_of(self._engine, before, after) as connection:
            return present.initial(connection, before, after)

    def states(
        self, rev: int, *, kinds: Collection[str] = (), accounts: Collection[str] = (), match: str = ""
    ) -> Iterator[State]:
        with as_of(self._engine, rev) as connection:
            yield from history.states(connection, rev, kinds=kinds, accounts=accounts, match=match)

    def history(self, uid: str) -> list[Stretch]:
        with reading(self._engine) as connection:
            return horizon.told(connection, history.history(connection, uid))

    def guards(self, rev: int, uids: Collection[str], *, pins: bool = False) -> dict[str, State]:
        """`pins`: as of a single approval, of what stood in front of what was approved."""
        with as_of(self._engine, rev, pins=pins) as connection:
            return guards.standing(connection, rev, uids)

    def below(self, rev: int, uids: Collection[str]) -> dict[str, int]:
        with as_of(self._engine, rev) as connection:
            return history.below(connection, rev, uids)

    def counts(self, rev: int) -> dict[str, int]:
        with as_of(self._engine, rev) as connection:
            return present.counts(connection, rev)

    def holdings(self, rev: int) -> list[Holding]:
        """Who holds what, counted by principal and scope."""
        with as_of(self._engine, rev) as connection:
            return holdings(connection, rev)

    def states_held_by(self, rev: int, principals: Collection[Principal]) -> Iterator[State]:
        """Every resource on which one of the principals holds a grant."""
        with as_of(self._engine, rev) as connection:
            yield from history.states_held_by(connection, rev, principals)

    def principals(self, rev: int) -> list[tuple[Principal, int]]:
        with as_of(self._engine, rev) as connection:
            return history.principals(connection, rev)

    def add_events(self, found: Iterable[Event], *, since: datetime | None = None) -> int:
        """Keeps events of audit logs that are not kept yet and no older than `since`; returns how many are new."""
        with writing(self._engine) as connection:
            return events.add(connection, found, since)

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """In order of time."""
        with reading(self._engine) as connection:
            yield from events.between(connection, since, until)

    def events_about(self, subjects: Collection[str]) -> list[Event]:
        """What was done to some resources, in order of time."""
        with reading(self._engine) as connection:
            return events.about(connection, subjects)

    def keep_claims(self, found: Iterable[Claim]) -> None:
        """Change tickets that snapshots claim; the newest answer about a snapshot stands."""
        with writing(self._engine) as connection:
            claims.keep(connection, found)

    def claims(self, uids: Collection[str]) -> dict[str, Claim]:
        with reading(self._engine) as connection:
            return claims.of(connection, uids)

    def telling_events(self, since: datetime, until: datetime, *, after: int | None = None) -> Iterator[Event]:
        """In order of time, without the polling of single ids; `after`: kept after the event of that number."""
        with reading(self._engine) as connection:
            yield from lookup.telling(connection, since, until, after)

    def named_events(self, keys: Collection[tuple[str, str]], *, after: int = 0) -> list[Event]:
        """Those of some clouds with some ids that are still kept; `after`: kept after the event of that number."""
        with reading(self._engine) as connection:
            return lookup.named(connection, keys, after)

    def newest_event(self) -> int:
        """The number of the event that was kept last; 0 before any was."""
        with reading(self._engine) as connection:
            return lookup.newest(connection)

    def events_kept_after(self, number: int) -> Iterator[Event]:
        """What was kept after the event of that number, whenever it happened, but for listings."""
        with reading(self._engine) as connection:
            yield from lookup.kept_after(connection, number)

    def habits(self, since: datetime, until: datetime) -> dict[tuple[str, str, str], tuple[int, ...]]:
        """By cloud, actor and action: how often in each hour in which it was done."""
        with reading(self._engine) as connection:
            return lookup.habits(connection, since, until)

    def first_events(self) -> dict[str, datetime]:
        """By cloud: when the oldest event happened that is kept."""
        with reading(self._engine) as connection:
            return lookup.beginnings(connection)

    def met(self, cloud: str, addresses: Collection[str], then: int, rev: int) -> dict[str, lookup.Met]:
        """What is known of some addresses, also of what is gone; see `snapbase.store.lookup`."""
        with as_of(self._engine, rev) as connection:
            return lookup.met(connection, cloud, addresses, then, rev)

    def prune_events(self, before: datetime, bound: Collection[tuple[str, str]] = ()) -> int:
        """Forgets what happened before a moment, but for some events (cloud, id); returns how many."""
        with writing(self._engine) as connection:
            return events.prune(connection, before, bound)

    def logs_read(self) -> dict[tuple[str, str, str], tuple[datetime, datetime]]:
        """From when until when each source (log, account, region) of audit logs was read without a hole."""
        with reading(self._engine) as connection:
            return events.read_until(connection)

    def mark_log(self, source: tuple[str, str, str], since: datetime, until: datetime) -> None:
        """A source of audit logs was read from `since` until `until`."""
        with writing(self._engine) as connection:
            events.mark(connection, source, since, until)

    def append_baseline(self, line: baselines.NewLine, *, sign: baselines.Sign | None = None) -> Baseline:
        """One line of the log; see `snapbase.store.baselines`. Raises `NotFound` where the run was pruned."""
        with writing(self._engine) as connection:
            if line.scope in baselines.APPROVALS:
                horizon.require(connection, (line.rev, runs.one(connection, line.run_id).last_rev))
            return baselines.append(connection, line, sign=sign)

    def verify_baselines(self, *, head: str = "", check: evidence.Check | None = None) -> evidence.Verified:
        """Recomputes the log and all it covered; see `snapbase.store.evidence`."""
        with reading(self._engine) as connection:
            return evidence.verify(connection, head=head, check=check)

    def export_baselines(self) -> Iterator[str]:
        """The approved state, line by line; see `snapbase.store.bundle`."""
        with reading(self._engine) as connection:
            yield from bundle.export(connection)

    def import_baselines(
        self,
        found: bundle.Bundle,
        *,
        claimed: Mapping[str, str],
        at: datetime,
        pending: bool = False,
        sign: baselines.Sign | None = None,
    ) -> restore.Restored:
        """Writes an exported approved state; see `snapbase.store.restore`."""
        with writing(self._engine) as connection:
            return restore.restore(connection, found, claimed=claimed, at=at, pending=pending, sign=sign)

    def baselines(self) -> list[Baseline]:
        """Oldest first."""
        with reading(self._engine) as connection:
            return baselines.every(connection)

    def pins(self, baseline_id: int) -> tuple[Pin, ...]:
        """Those of one line, newest first."""
        with reading(self._engine) as connection:
            return pins.of_line(connection, baseline_id)

    def effective(self, baseline_id: int | None = None) -> tuple[Baseline | None, InForce]:
        """The newest approval in force, or that of a line, and which pins count; see `snapbase.store.baselines`."""
        with reading(self._engine) as connection:
            return baselines.effective(connection, baseline_id)

    def pins_on(self, chosen: InForce, subjects: Collection[str]) -> dict[str, list[Pin]]:
        """Of those that count: the pins of each of some subjects, newest first."""
        with reading(self._engine) as connection:
            return pins.on(connection, chosen, subjects)

    def pins_of(self, chosen: InForce, entries: Collection[str]) -> tuple[Pin, ...]:
        """Of those that count: the pins of some entries, newest first."""
        with reading(self._engine) as connection:
            return pins.of_entries(connection, chosen, entries)


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
