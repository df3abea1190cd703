"""Round after round: what the audit logs say was touched is read again at once, and what is new is told.

A finding is told in the round after its event reached the log. How soon that is, the log decides: Azure's and Google's
come within seconds to minutes, CloudTrail's event history within 15 minutes as a rule and a trail's bucket every five.
Where a queue is configured, an event in it begins a round at once, which asks no log and reads what the event names:
the finding is told seconds after. The queue is a hint. Who did it is said once the log has it, and the finding then
told once more; what a queue does not tell, the logs do, and coverage is judged by them alone.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from snapbase.audit.attribute import Certainty, attribute
from snapbase.audit.log import audit_logs
from snapbase.collect.engine import Selection
from snapbase.collect.stopping import Interrupted
from snapbase.errors import Busy, CredentialsError, SnapbaseError
from snapbase.event import Event, Result
from snapbase.finding import Finding, Report
from snapbase.model import Miss, Outcome, Run, Scope
from snapbase.operations import audit, tickets
from snapbase.operations.collect import collect, known_scopes, reread
from snapbase.operations.diff import against_baseline, diff
from snapbase.operations.queues import Queues
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
_HINTS = 1_000
"""Events of queues that are remembered until a log has them."""
_CALM = 5.0
"""Seconds from the end of a round to one that a queue began, at least: who can send to it may not keep us busy."""
_SKEW = timedelta(minutes=5)
"""How far a cloud's clock may be ahead of ours."""
_LAG = timedelta(hours=1)
"""How long before everything was read a thing was done that a queue need not tell any more: clocks differ, and what
had only begun may not have been seen."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found out."""

    fresh: Report | None = None
    """The report, of which only the findings that were not told before; None where there is nothing to tell."""
    whole: Report | None = None
    """The last one with everything in it."""
    notes: tuple[str, ...] = ()
    """What must be said of the watch itself."""
    failure: SnapbaseError | None = None
    """Why not even one cloud could be read when everything was to be; it stands until that works again."""


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
    queues = Queues(config, stop)
    try:
        yield from _rounds(_Watch(store, config, stop, clock, queues), count)
    finally:
        queues.close()


def _rounds(watch: "_Watch", count: int | None) -> Iterator[Round]:
    number, stop = 0, watch.stop
    while not stop.is_set():
        begun = watch.clock()
        try:
            with watch.store.lock():
                found = watch.round()
        except Busy as error:
            found = Round(whole=watch.whole, notes=watch.news({"busy": error.message}))
        except CredentialsError as error:
            if watch.whole is None:
                raise
            watch.failure = error
            found = Round(whole=watch.whole, notes=watch.news({"credentials": error.message}))
        except (SnapbaseError, Interrupted):
            if stop.is_set():
                return
            raise
        yield replace(found, failure=watch.failure)
        number += 1
        if count is not None and number >= count:
            return
        watch.rest(watch.clock() - begun)


@dataclass(slots=True)
class _Pause:
    """A log that was throttled."""

    until: float
    times: int


class _Watch:
    """What is remembered from one round to the next."""

    def __init__(
        self, store: Store, config: Config, stop: threading.Event, clock: Callable[[], float], queues: Queues
    ) -> None:
        self.whole: Report | None = None
        self.failure: SnapbaseError | None = None
        self.store, self.stop, self.clock = store, stop, clock
        self._config, self._queues = config, queues
        self._full_at: float | None = None
        self._asked_at: float | None = None
        """When the logs were asked last."""
        self._hinted = False
        """Whether a queue, and not the time, began the round."""
        self._hints: deque[Event] = deque(maxlen=_HINTS)
        self._unread: dict[str, str] = {}
        self._told = 0
        """The number of the last event that was looked at."""
        self._marks: dict[Scope, datetime] = {}
        self._pauses: dict[Scope, _Pause] = {}
        self._missed: dict[Scope, Miss | None] = {}
        self._pending: Counter[Scope] = Counter()
        self._open: dict[tuple[str, str], Event] = {}
        self._said: dict[str, str] = {}
        self._known: dict[str, bool] = {}
        """The findings that were told, and whether with the event that did it."""

    def rest(self, took: float) -> None:
        """Until the next round is due, or a queue begins it."""
        every = self._config.watch.every
        left = max(0.0, every - took)
        calm = min(left, max(_CALM, took))
        self.stop.wait(calm if self._hinted else 0.0)
        self._hinted = self._queues.wait(left - calm if self._hinted else left)

    def round(self) -> Round:
        """Reads everything where that is due; else asks the logs, and reads what they name."""
        now = self.clock()
        if self._full_at is None or now - self._full_at >= self._config.watch.full:
            return self._full(now)
        return self._quick(now)

    def _full(self, now: float) -> Round:
        first, self._full_at, self._asked_at = self._full_at is None, now, now
        began = datetime.now(UTC)
        done = collect(self.store, self._config, Selection(), progress=lambda _: None, stop=self.stop)
        self.failure = None
        self._queues.pass_over(began - _LAG)
        # Events that came while all was read may be about what had been read by then.
        self._told = done.told
        self._pending.clear()
        gaps = {gap for gap, _ in self.store.coverage(done.run.last_rev)}
        logs = {each.scope: Miss(each.outcome, each.reason) for each in gaps if each.scope.kind in _log_names()}
        self._missed = {**dict.fromkeys(self._missed), **logs}
        self._unread = self._words(logs)
        return self._judged(done.run, self.news(self._unread), always=first)

    def _quick(self, now: float) -> Round:
        every = self._config.watch.every
        due = not self._hinted or self._asked_at is None or now - self._asked_at >= every
        changed = self._ask(now) if due else {}
        newest = self.store.newest_event()
        events = [*self.store.events_kept_after(self._told), *self._finished()]
        hints = self._queues.take()
        self._hints.extend(hints)
        scopes = touched((*events, *hints), known_scopes(self.store)) if events or hints else frozenset()
        scopes |= {scope for scope, tries in self._pending.items() if tries <= _TRIES}
        notes = self.news(self._unread)
        if not (events or scopes or changed):
            return Round(whole=self.whole, notes=notes)
        done = reread(self.store, self._config, scopes, changed, give_up_after=every, stop=self.stop)
        self._told = newest
        self._missed |= changed
        self._remember(events)
        self._pending = Counter({scope: self._pending[scope] + 1 for scope in done.missed})
        return self._judged(done.run, notes, always=False)

    def _ask(self, now: float) -> dict[Scope, Miss | None]:
        """Asks every log that is not left alone, and returns what is otherwise with any than it was."""
        self._asked_at = now
        skip = {scope for scope, pause in self._pauses.items() if pause.until > now}
        every = self._config.watch.every
        hasty = self._config.collect.model_copy(
            update={"give_up_after": min(every, self._config.collect.give_up_after)}
        )
        told = self._config.model_copy(update={"collect": hasty})
        taken = audit.poll(self.store, told, self._marks, skip=skip, stop=self.stop)
        logs = dict.fromkeys(self._marks.keys() - skip, _CLOSED) | taken.logs
        self._back_off(logs, now)
        self._unread = self._words(logs | {scope: self._missed.get(scope) for scope in skip})
        return {scope: miss for scope, miss in logs.items() if self._missed.get(scope) != miss}

    def _finished(self) -> list[Event]:
        """Operations that had only begun when they were looked at, and have ended since."""
        found = self.store.named_events(self._open.keys()) if self._open else []
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

    def _words(self, logs: Mapping[Scope, Miss | None]) -> dict[str, str]:
        full = self._config.watch.full
        return {
            str(scope): f"{scope} is not read ({miss.outcome}): {miss.reason} What is done there is seen only when"
            f" everything is read, every {full / 60:g} minutes."
            for scope, miss in sorted(logs.items())
            if miss is not None
        }

    def news(self, notes: Mapping[str, str]) -> tuple[str, ...]:
        """Of what is to be said, what was not said in the round before."""
        now = {**notes, **self._queues.notes()}
        fresh = tuple(words for about, words in now.items() if about not in self._said)
        self._said = now
        return fresh

    def _judged(self, run: Run, notes: tuple[str, ...], *, always: bool) -> Round:
        against = against_baseline(self.store, run)
        report = diff(self.store, run, against)
        if tickets.check(self.store, self._config.tickets, report):
            report = diff(self.store, run, against)
        # What does not stand any more is news when it comes back.
        self._known = {each.id: self._known[each.id] for each in report.findings if each.id in self._known}
        found = tuple(each for each in report.findings if self._is_news(each))
        self.whole = report
        notes = (*notes, *self._hearsay(found, report.evaluated_at))
        return Round(replace(report, findings=found) if found or always else None, report, notes)

    def _is_news(self, finding: Finding) -> bool:
        """Whether it was not told yet, or not with the event that a log now has for it."""
        before, named = self._known.get(finding.id), _is_named(finding)
        self._known[finding.id] = named or bool(before)
        return before is None or (named and not before)

    def _hearsay(self, found: Sequence[Finding], at: datetime) -> Iterator[str]:
        """What a queue says of findings that no log explains yet: for whoever looks now, and in no report."""
        silent = [replace(each, attribution=()) for each in found if not _is_named(each)] if self._hints else []
        for each in filter(_is_named, attribute(silent, self._hints, since=None, until=at + _SKEW)):
            for event in each.attribution:
                where = f" from {event.source_ip}" if event.source_ip else ""
                what = f"{event.action} at {event.at:%H:%M:%S} UTC{where}"
                yield (
                    f"{each.subject.uid}: {event.actor or 'somebody'} ({what}), a queue says; whoever may send to it"
                    " can write that, and the audit log does not have it yet."
                )


def _is_named(finding: Finding) -> bool:
    """Whether an event says that it did exactly this."""
    return any(each.certainty == Certainty.EXACT for each in finding.attribution)


def _log_names() -> frozenset[str]:
    return frozenset(each.name for each in audit_logs())
