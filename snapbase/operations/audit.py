"""Audit logs into the store, and from there to the findings: who did it, when, from where."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from snapbase.audit.attribute import attribute, names
from snapbase.audit.files import read_file
from snapbase.audit.log import OVERLAP, AuditLog, Broken, Fetched, audit_logs
from snapbase.collect import engine
from snapbase.collect.runtime import Runtime
from snapbase.diff import Change, ChangeType
from snapbase.errors import StaleReading, UsageError
from snapbase.event import Event
from snapbase.finding import Finding
from snapbase.model import SKIPPED, Aspect, Cloud, Coverage, Miss, Outcome, Reading, Run, Scope
from snapbase.operations import narrowing, retention, skips
from snapbase.operations.holes import beside, hole_of, open_holes
from snapbase.operations.logs import READERS, Read
from snapbase.settings import Config
from snapbase.store import Store

_Source = tuple[str, str, str]
_Span = tuple[datetime, datetime]
_BATCH = 5_000
_GLOBAL = "global"
FIRST = timedelta(days=1)
"""How far back a log is read the first time."""
_RECENT = timedelta(minutes=30)
"""How far behind its mark a log is polled again: what comes later than that, the next `fetch` finds."""


@dataclass(slots=True)
class Taken:
    """What was taken in."""

    events: int = 0
    new: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    """Records that could not be read, by what is wrong with them."""
    places: dict[str, list[str]] = field(default_factory=dict)
    """The files or logs that they are in."""
    forgotten: int = 0
    """Events that happened too long ago to be kept, and are not."""
    undigested: dict[Scope, Miss] = field(default_factory=dict)
    """Logs with such records: what these tell of, nobody was told."""
    unread: dict[str, str] = field(default_factory=dict)
    """Sources that could not be read to the end, and why."""
    logs: dict[Scope, Miss | None] = field(default_factory=dict)
    """Every log that was asked for, as a scope, and what was missed of it."""

    @property
    def holes(self) -> set[Scope]:
        """Logs that were asked for and not read as they should be."""
        return {scope for scope, miss in self.logs.items() if miss is not None} | set(self.undigested)


def import_files(store: Store, config: Config, paths: Iterable[Path]) -> Taken:
    """Keeps the events of log files, but for those that the next run would forget again: these are counted.

    Needs the store's lock. Raises `UsageError` where a file cannot be opened.
    """
    taken, oldest = Taken(), retention.events_before(config, datetime.now(UTC))
    batch: list[Event] = []
    for path in paths:
        try:
            for each in read_file(path):
                if isinstance(each, Broken):
                    _broken(taken, each.why, 1, str(path))
                    continue
                batch.append(each)
                if len(batch) >= _BATCH:
                    _keep(store, taken, batch, oldest)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or 'no such file'}.") from error
    _keep(store, taken, batch, oldest)
    return taken


def _broken(taken: Taken, why: str, count: int, place: str) -> None:
    taken.broken[why] += count
    named = taken.places.setdefault(why, [])
    if place not in named:
        named.append(place)


def _keep(store: Store, taken: Taken, batch: list[Event], oldest: datetime) -> None:
    by_log: dict[str, list[Event]] = {}
    for each in batch:
        by_log.setdefault(each.cloud, []).append(each)
    for log in _main_logs():
        found = list(log.fold(by_log.get(log.cloud, ())))
        taken.events += len(found)
        taken.new += store.add_events(found, since=oldest)
        taken.forgotten += _not_kept(store, (each for each in found if each.at < oldest))
    batch.clear()


def _not_kept(store: Store, old: Iterable[Event]) -> int:
    """How many; some old events are kept, because an approval names them."""
    keys = {(each.cloud, each.id) for each in old}
    return len(keys) - len(store.named_events(keys)) if keys else 0


def fetch(
    store: Store,
    config: Config,
    selection: engine.Selection,
    *,
    run_id: int,
    stop: threading.Event,
    progress: Callable[[str], None] = lambda _: None,
    places: Collection[Scope] | None = None,
) -> Taken:
    """Reads every log of the selected accounts from where it was read to the last time. Needs the store's lock.

    What could not be read is coverage like any other scope's: its kind is the log's name; what `skip` leaves out is
    complete, with the words for that. With `places`, only the logs that tell what was done in one of these scopes.
    """
    taken = Taken()
    marks, until = store.logs_read(), datetime.now(UTC)
    holes = open_holes(store, until)
    oldest = retention.events_before(config, until)
    runtime = Runtime(threads=config.collect.threads, stop=stop, give_up_after=config.collect.give_up_after)
    shut: dict[str, Miss] = {}
    asked: set[Scope] = set()
    skipped: set[Scope] = set()
    try:
        jobs = _jobs(config, selection, marks, until, runtime, shut, skipped)
        wanted = jobs if places is None else (each for each in jobs if _tells_of(each.scope, places))
        for job, stretches in runtime.map(_read, wanted):
            missed = _take(store, taken, job, stretches, oldest)
            if hole := hole_of(stretches, until) or holes.get(job.scope):
                taken.undigested[job.scope] = hole
                missed = beside(missed, hole)
            _cover(store, run_id, job.scope, until, missed)
            asked.add(job.scope)
            progress(f"{job.log.title} of {job.scope.account}/{job.scope.location}")
    finally:
        runtime.close()
    for scope in skipped - asked:
        _cover(store, run_id, scope, until, None, SKIPPED)
    taken.unread |= {where: miss.reason for where, miss in shut.items()}
    if places is None and shut and not stop.is_set():
        _unasked(store, run_id, selection, asked | skipped, next(iter(shut.values())), until, holes)
    return taken


def _unasked(
    store: Store,
    run_id: int,
    selection: engine.Selection,
    asked: Collection[Scope],
    miss: Miss,
    at: datetime,
    holes: Mapping[Scope, Miss],
) -> None:
    """Logs that were read once and could not even be asked now: they must not stay complete."""
    for scope in _known(store, selection) - set(asked):
        _cover(store, run_id, scope, at, beside(miss, holes.get(scope)))


def leave_out(store: Store, run_id: int, selection: engine.Selection) -> None:
    """Logs that were read once and that a run does not ask, because `[audit] enabled` says so: as what `skip` names."""
    for scope in _known(store, selection):
        _cover(store, run_id, scope, datetime.now(UTC), None, SKIPPED)


def _known(store: Store, selection: engine.Selection) -> set[Scope]:
    logs = {log.name for log in audit_logs()}
    return {scope for scope in store.known_scopes() if scope.kind in logs and selection.takes(scope)}


def _tells_of(log: Scope, places: Collection[Scope]) -> bool:
    """Google's and Azure's logs are one for all locations; AWS's global services write to a region's."""
    own = (each for each in places if (each.cloud, each.account) == (log.cloud, log.account))
    return any(_GLOBAL in (log.location, each.location) or each.location == log.location for each in own)


def poll(
    store: Store, config: Config, marks: dict[Scope, datetime], *, skip: Collection[Scope], stop: threading.Event
) -> Taken:
    """Of every log but those to `skip`, what changed something since its mark, into the store. Needs its lock.

    Cheaper than `fetch`, which reads listings too: so no watermark of the store moves, and the marks, which do, are the
    caller's.
    """
    taken, until, stored = Taken(), datetime.now(UTC), store.logs_read()
    oldest = retention.events_before(config, until)
    runtime = Runtime(threads=config.collect.threads, stop=stop, give_up_after=config.collect.give_up_after)
    try:
        jobs = _jobs(config, engine.Selection(), stored, until, runtime, {}, set(), changes=True)
        nearer = OVERLAP - _RECENT
        asked = (replace(job, since=marks.get(job.scope, job.since) + nearer) for job in jobs if job.scope not in skip)
        for job, stretches in runtime.map(_read, asked):
            if _take(store, taken, job, stretches, oldest, mark=False) is None:
                marks[job.scope] = until
    finally:
        runtime.close()
    return taken


def cover(store: Store, run_id: int, logs: Mapping[Scope, Miss | None], at: datetime) -> None:
    """What was read of logs, and what not, as coverage."""
    holes = open_holes(store, at) if logs else {}
    for scope, missed in logs.items():
        _cover(store, run_id, scope, at, beside(missed, holes.get(scope)))


@dataclass(frozen=True, slots=True)
class _Job:
    """One log of one place, from where it was read to the last time."""

    log: AuditLog
    read: Read
    source: tuple[str, str, str]
    handle: object
    since: datetime
    until: datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.log.cloud, *self.source[1:], self.log.name)


def _jobs(
    config: Config,
    selection: engine.Selection,
    marks: Mapping[_Source, _Span],
    until: datetime,
    runtime: Runtime,
    shut: dict[str, Miss],
    skipped: set[Scope],
    *,
    changes: bool = False,
) -> Iterator[_Job]:
    """Each log of each place once, whichever entries reach it; `skipped` takes what an entry says not to read."""
    found: set[_Source] = set()
    for cloud, target, skip in engine.targets(config, selection, stop=runtime.stop, runtime=runtime, shut=shut):
        for log in _main_logs() if changes else audit_logs():
            reader = READERS.get(log.name)
            if log.cloud != cloud or reader is None or target.where not in reader.where:
                continue
            source = (log.name, reader.of(target.handle) if reader.of else target.account, target.location)
            if skips.has(skip, log.name):
                skipped.add(Scope(cloud, *source[1:], log.name))
                continue
            if source in found:
                continue
            found.add(source)
            _, since = marks.get(source, (until, until - FIRST))
            read = (reader.changes if changes else None) or reader.read
            yield _Job(log, read, source, target.handle, since, until)


def _main_logs() -> list[AuditLog]:
    """One of each cloud, which tells who did what."""
    return [each for each in audit_logs() if not each.beside]


def _read(job: _Job) -> tuple[_Job, list[Fetched]]:
    _, account, location = job.source
    return job, list(job.read(job.handle, account, location, job.since, job.until))


def fetch_alone(
    store: Store,
    config: Config,
    selection: engine.Selection,
    *,
    stop: threading.Event,
    progress: Callable[[str], None] = lambda _: None,
) -> Taken:
    """As `fetch`, in a run of its own that reads nothing else."""
    skips.refuse_unknown(config)
    narrowing.refuse_unreadable(config, selection, store.known_scopes())
    selected = " ".join(filter(None, ("audit logs", str(selection))))
    run_id = store.begin_run(selected, config.digest(), datetime.now(UTC))
    try:
        return fetch(store, config, selection, run_id=run_id, stop=stop, progress=progress)
    finally:
        store.abandon_run(run_id, datetime.now(UTC))


def _take(
    store: Store, taken: Taken, job: _Job, found: Iterable[Fetched], oldest: datetime, *, mark: bool = True
) -> Miss | None:
    """`oldest`: what happened before would be forgotten again, and some logs are read from before their mark."""
    missed: Miss | None = None
    for each in found:
        taken.events += len(each.events)
        taken.new += store.add_events(each.events, since=oldest)
        for why, count in each.broken.items():
            _broken(taken, why, count, str(job.scope))
        if mark and each.miss is None and missed is None:
            store.mark_log(job.source, each.since, each.until)
        missed = missed or each.miss
    missed = _with_way_out(job.log, missed)
    taken.logs[job.scope] = missed
    if missed is not None:
        taken.unread[str(job.scope)] = missed.reason
    return missed


def _with_way_out(log: AuditLog, missed: Miss | None) -> Miss | None:
    """Who will not be given what a log beside the main one takes may say so, once and for all to see."""
    if missed is None or missed.outcome != Outcome.DENIED or not log.beside:
        return missed
    way_out = f'or leave it out on purpose, which every report says: skip = ["{log.name}"] in [[{log.cloud}]]'
    return replace(missed, reason=f"{missed.reason}; {way_out}")


def _cover(store: Store, run_id: int, scope: Scope, at: datetime, missed: Miss | None, words: str = "") -> None:
    """`words`: why it counts as complete, where nobody read it."""
    outcome, reason = (Outcome.COMPLETE, words) if missed is None else (missed.outcome, missed.reason)
    coverage = (Coverage(scope, Aspect.LIST, outcome, reason),)
    try:
        store.record(run_id, Reading(scope, at, (), coverage))
    except StaleReading:
        return


def attributed(
    store: Store,
    found: Sequence[Finding],
    changes: Iterable[Change],
    *,
    since: datetime | None,
    until: datetime,
) -> tuple[Finding, ...]:
    """The findings with the events that explain them; without any log read, as they are."""
    if not store.newest_event():
        return tuple(found)
    guards = {each.uid: _guards(each) for each in changes if each.type == ChangeType.GRANT_WORSE}
    asked = {name for each in found for name in _names(each) if name}
    events = store.events_about(asked.union(*guards.values()))
    return attribute(found, events, since=since, until=until, guards=guards) if events else tuple(found)


def _guards(change: Change) -> tuple[str, ...]:
    """What stands in front of a grant: where it fell, that is the thing that was done."""
    return change.state.resource.guards if change.state else ()


def _names(finding: Finding) -> Iterator[str | None]:
    before = finding.change.before
    for name in (*names(finding), *finding.also, before if isinstance(before, str) else None):
        yield name
        if name and finding.cloud == Cloud.AZURE:  # ARM ids differ in case, and the log's events have them lowered
            yield name.lower()


def reach(store: Store, run: Run, found: Sequence[Finding]) -> tuple[str, ...]:
    """What must be said of findings that no event explains: how far the logs were read, or that none was."""
    silent = [each for each in found if not each.attribution and each.cloud and each.rule not in _NOBODY]
    if not silent:
        return ()
    marks = store.logs_read()
    if not marks:
        return ("No audit log was read: nothing here says who did it. `snapbase audit fetch` reads them.",)
    end = run.finished_at or run.started_at
    words = []
    for log in _main_logs():
        mine = [span for (name, *_), span in marks.items() if name == log.name]
        count = sum(1 for each in silent if each.cloud == log.cloud)
        if not count:
            continue
        if not mine:
            words.append(f"{log.title} was not read: {count} findings of {log.cloud} have no name.")
            continue
        first, last = min(span[0] for span in mine), max(span[1] for span in mine)
        behind = " It comes late: ask again." if last > end - timedelta(minutes=15) else ""
        words.append(
            f"No event explains {count} of the findings in {log.cloud}; {log.title} was read from"
            f" {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC.{behind}"
        )
    return tuple(words)


_NOBODY = frozenset({"coverage-lost", "sharing-unreadable", "backup-stopped", "trust-lost", "trust-widened"})
"""Rules whose findings nobody did in a cloud."""


def listing(
    kept: Iterable[Event],
    *,
    match: str = "",
    clouds: Collection[str] = (),
    accounts: Collection[str] = (),
) -> Iterator[Event]:
    """Those that are wanted, in their order; `match` is part of a subject, actor or name."""
    for each in kept:
        if (clouds and each.cloud not in clouds) or (accounts and each.account not in accounts):
            continue
        texts = (each.name, each.actor.id, each.actor.issuer, each.made, each.source, *each.subjects)
        if not match or any(match.lower() in text.lower() for text in texts):
            yield each
