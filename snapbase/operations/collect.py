"""Enumerate the clouds into the store: one run, one lock, whatever happens in the middle."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from snapbase.audit.log import audit_logs
from snapbase.collect import engine
from snapbase.collect.stopping import Interrupted
from snapbase.errors import CredentialsError, SnapbaseError, StaleReading
from snapbase.model import ANYWHERE, Aspect, Miss, Reading, Run, Scope
from snapbase.operations import audit, detecting, narrowing, retention, skips, trusting
from snapbase.operations.touching import touched
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.trust import TrustList
from snapbase.vendors import names


@dataclass(frozen=True, slots=True)
class Collected:
    """What one run did."""

    run: Run
    scopes: int
    """Scopes read completely."""
    unread: int
    """Scopes that were not."""
    resources: int
    changed: int
    """Scopes whose content or outcome changed."""
    told: int = 0
    """The number of the last event that was kept before anything was read."""


@dataclass(slots=True)
class _Tally:
    scopes: int = 0
    unread: int = 0
    resources: int = 0
    whole: set[Scope] = field(default_factory=set)
    places: set[Scope] = field(default_factory=set)
    """Whose content or outcome changed."""
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reading: Reading, *, changed: bool) -> None:
        self.reasons.update(each.reason for each in reading.coverage if each.aspect == Aspect.LIST and each.reason)
        if changed:
            self.places.add(reading.scope)
        if reading.scope.kind == ANYWHERE:
            self.unread += any(not each.complete for each in reading.coverage)
            return
        listed = all(each.complete for each in reading.coverage)
        if listed:
            self.whole.add(reading.scope)
        self.scopes += listed
        self.unread += not listed
        self.resources += len(reading.observations)


def collect(
    store: Store,
    config: Config,
    selection: engine.Selection,
    *,
    progress: Callable[[engine.Progress], None],
    stop: threading.Event,
) -> Collected:
    """Reads everything selected and records it. Needs the store's lock.

    The audit logs come first, and then what they say was touched: a share is seen within minutes, however long the
    rest takes. Raises `CredentialsError` where no cloud could be entered at all, `UsageError` where the selection names
    what is not there, and `Interrupted` when stopped; what was recorded until then stays true, and the run counts as
    abandoned.
    """
    previous = trusting.of_run(store, store.last_run())
    check(config, selection, store.known_scopes())
    with _run(store, config, str(selection)) as run_id:
        known = known_scopes(store)
        whole = not (selection.kinds or selection.locations)
        logs = whole and config.audit.enabled
        if whole and not logs:
            audit.leave_out(store, run_id, selection)
        heard: list[audit.Taken] = []
        first, bug = _logs(store, config, selection, run_id, known, stop, heard) if logs else (frozenset[Scope](), None)
        told = store.newest_event()
        # What could not be entered as a whole holds nothing, and its gap closes once it is entered.
        shut = {gap.scope: 0 for gap, _ in store.coverage(store.head()) if gap.scope.kind == ANYWHERE}
        readings = engine.collect(config, selection, known=shut | known, first=first, progress=progress, stop=stop)
        tally = _record(store, run_id, readings)
        if stop.is_set():
            raise Interrupted
        _refuse_nothing(tally)
        if logs and known and tally.places:
            # What was done while all this was read: asked for only where something is to be explained.
            heard.append(audit.fetch(store, config, selection, run_id=run_id, stop=stop, places=tally.places))
        if logs:
            retention.forget_events(store, config, _now())
        if bug is not None:
            raise bug
        run = _finish(store, config, run_id, previous)
    unread = tally.unread + len({scope for each in heard for scope in each.holes})
    # An account that cannot be entered is counted once, unless that was so while its logs were to be read only.
    unread = unread or len({where for each in heard for where in each.unread})
    return Collected(run, tally.scopes, unread, tally.resources, len(tally.places), told)


def check(config: Config, selection: engine.Selection, known: Mapping[Scope, int]) -> None:
    """What is wrong with the configuration or the selection stops a run before anything is read, or a number used."""
    skips.refuse_unknown(config)
    detecting.settings(config)
    names(config.trust.vendors)
    narrowing.refuse_unreadable(config, selection, known)


def plan(config: Config, selection: engine.Selection, known: Mapping[Scope, int]) -> tuple[str, ...]:
    """What a run would read, in words. Raises `CredentialsError` where nothing can be entered."""
    check(config, selection, known)
    seen = engine.plan(config, selection, known=known)
    if not seen.scopes:
        reason = f": {'; '.join(seen.failures)}" if seen.failures else "."
        raise CredentialsError(f"Nothing would be read{reason}", hint=narrowing.DOCTOR)
    return seen.lines


@dataclass(frozen=True, slots=True)
class Reread:
    """What came of reading some scopes once more."""

    run: Run
    missed: frozenset[Scope]
    """Those that were not read completely."""


def reread(
    store: Store,
    config: Config,
    scopes: Collection[Scope],
    logs: Mapping[Scope, Miss | None],
    *,
    give_up_after: float,
    stop: threading.Event,
) -> Reread:
    """Reads exactly some scopes, in a run of their own, and no log. Needs the store's lock.

    `logs`: what was read of logs before, to be kept with the run. Without any scope the run is a moment to judge.
    """
    previous = trusting.of_run(store, store.last_run())
    selection = engine.Selection.of(scopes)
    hasty = config.collect.model_copy(update={"give_up_after": min(give_up_after, config.collect.give_up_after)})
    known = known_scopes(store)
    with _run(store, config, str(selection) or "audit logs") as run_id:
        audit.cover(store, run_id, logs, _now())
        tally = _Tally()
        if scopes:
            told = config.model_copy(update={"collect": hasty})
            known = {each: known.get(each, 0) for each in scopes}
            readings = engine.collect(told, selection, known=known, progress=lambda _: None, stop=stop)
            tally = _record(store, run_id, readings)
        if stop.is_set():
            raise Interrupted
        run = _finish(store, config, run_id, previous)
    return Reread(run, frozenset(scopes) - tally.whole)


def _finish(store: Store, config: Config, run_id: int, previous: TrustList) -> Run:
    """Ends a run with what it is judged by: what people wrote, and what the clouds say of themselves."""
    rev = store.head()
    told = list(store.states(rev, kinds=trusting.TELLING))
    trust = trusting.trust_now(store, config, rev, previous, told)
    return store.finish_run(run_id, trust=trusting.to_bytes(trust, detecting.settings(config, told)), at=_now())


@contextmanager
def _run(store: Store, config: Config, selection: str) -> Iterator[int]:
    run_id = store.begin_run(selection, config.digest(), _now())
    try:
        yield run_id
    except Interrupted:
        store.abandon_run(run_id, _now())
        raise SnapbaseError("Stopped. What was read until now is recorded; nothing is taken for deleted.") from None
    except BaseException:
        store.abandon_run(run_id, _now())
        raise


def _record(store: Store, run_id: int, readings: Iterable[Reading]) -> _Tally:
    tally = _Tally()
    for reading in readings:
        try:
            changed = store.record(run_id, reading).rev is not None
        except StaleReading:
            continue
        tally.add(reading, changed=changed)
    return tally


def _logs(
    store: Store,
    config: Config,
    selection: engine.Selection,
    run_id: int,
    known: Collection[Scope],
    stop: threading.Event,
    heard: list[audit.Taken],
) -> tuple[frozenset[Scope], Exception | None]:
    """What was touched since the last time; a bug in here is told once everything else is read."""
    before = store.newest_event()
    try:
        heard.append(audit.fetch(store, config, selection, run_id=run_id, stop=stop))
        return touched(store.events_kept_after(before) if known else (), known), None
    except (SnapbaseError, Interrupted):
        raise
    except Exception as error:
        return frozenset(), error


def known_scopes(store: Store) -> dict[Scope, int]:
    """The scopes that collectors read; the logs are read by themselves."""
    logs = {log.name for log in audit_logs()}
    return {scope: held for scope, held in store.known_scopes().items() if scope.kind not in logs}


def _refuse_nothing(tally: _Tally) -> None:
    if tally.scopes or tally.resources:
        return
    reason = next((f": {words}" for words, _ in tally.reasons.most_common(1)), ".")
    raise CredentialsError(f"Nothing could be read{reason}", hint=narrowing.DOCTOR)


def _now() -> datetime:
    return datetime.now(UTC)
