"""Round after round: what the audit logs say was touched is read again at once, and what is new is told.

A finding is told in the round after its event reached the log. How soon that is, the log decides: Azure's and Google's
come within seconds to minutes, CloudTrail's event history within 15 minutes as a rule and a trail's bucket every five.
There is no faster source than polling here: a queue of EventBridge events would have to be emptied, and snapbase only
ever reads.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from snapbase.audit.log import audit_logs
from snapbase.collect.engine import Selection
from snapbase.collect.stopping import Interrupted
from snapbase.errors import Busy, CredentialsError, SnapbaseError
from snapbase.event import Event, Result
from snapbase.finding import Report
from snapbase.model import Miss, Outcome, Run, Scope
from snapbase.operations import audit, tickets
from snapbase.operations.collect import collect, known_scopes, reread
from snapbase.operations.diff import against_baseline, diff
from snapbase.operations.touching import touched
from snapbase.settings import Config
from snapbase.store import Store

_TRIES = 3
"""How often a scope that could not be read is tried again; then it waits for the next round that reads everything."""
_LONGEST = 10
"""Doublings of the time for which a throttled log is left alone."""
_CLOSED = Miss(Outcome.FAILED, "its account could not be entered; check the credentials.")
_OPEN = 1_000
"""Operations whose end is waited for."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found out."""

    fresh: Report | None = None
    """The report, of which only the findings that were not told before; None where there is nothing to tell."""
    whole: Report | None = None
    """The last one with everything in it."""
    notes: tuple[str, ...] = ()
    """What must be said of the watch itself."""


def rounds(
    store: Store,
    config: Config,
    *,
    count: int | None,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Round]:
    """Round after round until `count`, or until stopped. Each holds the store's lock for itself only.

    The first one reads everything, and raises what stops a run; later ones say it and go on.
    """
    watch = _Watch(store, config, stop, clock)
    number = 0
    while not stop.is_set():
        begun = clock()
        try:
            with store.lock():
                found = watch.round()
        except Busy as error:
            found = Round(whole=watch.whole, notes=watch.news({"busy": error.message}))
        except CredentialsError as error:
            if watch.whole is None:
                raise
            found = Round(whole=watch.whole, notes=watch.news({"credentials": error.message}))
        except (SnapbaseError, Interrupted):
            if stop.is_set():
                return
            raise
        yield found
        number += 1
        if count is not None and number >= count:
            return
        stop.wait(max(0.0, config.watch.every - (clock() - begun)))


@dataclass(slots=True)
class _Pause:
    """A log that was throttled."""

    until: float
    times: int


class _Watch:
    """What is remembered from one round to the next."""

    def __init__(self, store: Store, config: Config, stop: threading.Event, clock: Callable[[], float]) -> None:
        self.whole: Report | None = None
        self._store, self._config, self._stop, self._clock = store, config, stop, clock
        self._full_at: float | None = None
        self._told = 0
        """The number of the last event that was looked at."""
        self._marks: dict[Scope, datetime] = {}
        self._pauses: dict[Scope, _Pause] = {}
        self._missed: dict[Scope, Miss | None] = {}
        self._pending: Counter[Scope] = Counter()
        self._open: dict[tuple[str, str], Event] = {}
        self._said: dict[str, str] = {}
        self._known: set[str] = set()

    def round(self) -> Round:
        """Reads everything where that is due; else asks the logs, and reads what they name."""
        now = self._clock()
        if self._full_at is None or now - self._full_at >= self._config.watch.full:
            return self._full(now)
        return self._quick(now)

    def _full(self, now: float) -> Round:
        first, self._full_at = self._full_at is None, now
        done = collect(self._store, self._config, Selection(), progress=lambda _: None, stop=self._stop)
        # Events that came while all was read may be about what had been read by then.
        self._told = done.told
        self._pending.clear()
        gaps = {gap for gap, _ in self._store.coverage(done.run.last_rev)}
        logs = {each.scope: Miss(each.outcome, each.reason) for each in gaps if each.scope.kind in _log_names()}
        self._missed = {**dict.fromkeys(self._missed), **logs}
        return self._judged(done.run, self.news(self._unread(logs)), always=first)

    def _quick(self, now: float) -> Round:
        skip = {scope for scope, pause in self._pauses.items() if pause.until > now}
        every = self._config.watch.every
        hasty = self._config.collect.model_copy(
            update={"give_up_after": min(every, self._config.collect.give_up_after)}
        )
        told = self._config.model_copy(update={"collect": hasty})
        taken = audit.poll(self._store, told, self._marks, skip=skip, stop=self._stop)
        logs = dict.fromkeys(self._marks.keys() - skip, _CLOSED) | taken.logs
        self._back_off(logs, now)
        changed = {scope: miss for scope, miss in logs.items() if self._missed.get(scope) != miss}
        newest = self._store.newest_event()
        events = [*self._store.events_kept_after(self._told), *self._finished()]
        scopes = touched(events, known_scopes(self._store)) if events else frozenset()
        scopes |= {scope for scope, tries in self._pending.items() if tries <= _TRIES}
        notes = self.news(self._unread(logs | {scope: self._missed.get(scope) for scope in skip}))
        if not (events or scopes or changed):
            return Round(whole=self.whole, notes=notes)
        done = reread(self._store, self._config, scopes, changed, give_up_after=every, stop=self._stop)
        self._told = newest
        self._missed |= changed
        self._remember(events)
        self._pending = Counter({scope: self._pending[scope] + 1 for scope in done.missed})
        return self._judged(done.run, notes, always=False)

    def _finished(self) -> list[Event]:
        """Operations that had only begun when they were looked at, and have ended since."""
        found = self._store.named_events(self._open.keys()) if self._open else []
        return [each for each in found if each.result != Result.STARTED]

    def _remember(self, events: list[Event]) -> None:
        for each in events:
            self._open.pop((each.cloud, each.id), None)
            if each.result == Result.STARTED:
                self._open[each.cloud, each.id] = each
        for key in list(self._open)[:-_OPEN]:
            del self._open[key]

    def _back_off(self, logs: Mapping[Scope, Miss | None], now: float) -> None:
        """Each time that a log is throttled it is left alone for twice as long, but asked once in a full round."""
        for scope, miss in logs.items():
            before = self._pauses.pop(scope, None)
            if miss is not None and miss.outcome == Outcome.THROTTLED:
                times = min(before.times + 1 if before else 1, _LONGEST)
                wait = min(self._config.watch.every * 2**times, self._config.watch.full)
                self._pauses[scope] = _Pause(now + wait, times)

    def _unread(self, logs: Mapping[Scope, Miss | None]) -> dict[str, str]:
        full = self._config.watch.full
        return {
            str(scope): f"{scope} is not read ({miss.outcome}): {miss.reason} What is done there is seen only when"
            f" everything is read, every {full / 60:g} minutes."
            for scope, miss in sorted(logs.items())
            if miss is not None
        }

    def news(self, notes: Mapping[str, str]) -> tuple[str, ...]:
        """Of what is to be said, what was not said in the round before."""
        fresh = tuple(words for about, words in notes.items() if about not in self._said)
        self._said = dict(notes)
        return fresh

    def _judged(self, run: Run, notes: tuple[str, ...], *, always: bool) -> Round:
        against = against_baseline(self._store, run)
        report = diff(self._store, run, against)
        if tickets.check(self._store, self._config.tickets, report):
            report = diff(self._store, run, against)
        found = tuple(each for each in report.findings if each.id not in self._known)
        self._known |= {each.id for each in found}
        self.whole = report
        return Round(replace(report, findings=found) if found or always else None, report, notes)


def _log_names() -> frozenset[str]:
    return frozenset(each.name for each in audit_logs())
