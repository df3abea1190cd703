"""Events in order of time, found by who did what to what; and what each actor did before."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind

CHANGES = frozenset({Result.SUCCEEDED, Result.STARTED})
ATTEMPTS = frozenset({Result.DENIED, Result.FAILED})
HOUR = timedelta(hours=1)
LEARNING = timedelta(days=7)
"""A log that is known for less cannot tell who is new in it."""

EventKey = tuple[str, str]
"""A cloud and an event's id."""


def key_of(event: Event) -> EventKey:
    return event.cloud, event.id


@dataclass(frozen=True, slots=True)
class Habit:
    """What an actor did of one sort before: how often in each hour in which it did."""

    hours: tuple[int, ...]

    @property
    def busy(self) -> int:
        """The 99th percentile."""
        ordered = sorted(self.hours)
        return ordered[max(0, math.ceil(len(ordered) * 0.99) - 1)] if ordered else 0


@dataclass(frozen=True)
class Timeline:
    """Events in order of time: since what was approved, with some from before it so that chains are whole."""

    events: tuple[Event, ...]
    begin: datetime
    """From when on events are news."""
    habits: Mapping[tuple[str, str, str], Habit] = field(default_factory=dict)
    """By cloud, actor and action: what was done before the first of these events."""
    learnt: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """By cloud and account (or by cloud and ""): since when its log is known. Not here: for long."""
    accepted: frozenset[EventKey] = frozenset()
    """Events that somebody approved: they are history, and no news."""
    held: frozenset[EventKey] = frozenset()
    """Events from before `begin` that somebody held back when the rest was approved, or that no log had told by then:
    still news."""

    def is_fresh(self, event: Event) -> bool:
        key = key_of(event)
        return key not in self.accepted and (event.at > self.begin or key in self.held)

    def of(self, *actions: str) -> list[Event]:
        """Everything but dry runs, in order of time."""
        if len(actions) == 1:
            return self._by_action.get(actions[0], [])
        wanted = {id(each) for action in actions for each in self._by_action.get(action, ())}
        return [each for each in self.events if id(each) in wanted]

    def fresh(self, *actions: str) -> Iterator[Event]:
        return (each for each in self.of(*actions) if self.is_fresh(each))

    def later(self, event: Event, *actions: str) -> Iterator[Event]:
        """What was done after an event to what it was done to; the next hundred of each action."""
        found = {
            id(each): each
            for action in actions
            for name in event.subjects
            for each in _after(self._by_subject.get((action, event.cloud, name), ()), event)
        }
        return iter(sorted(found.values(), key=_order))

    def before(self, event: Event, *actions: str) -> Iterator[Event]:
        """Everything done before an event to what it was done to, but the oldest where there are hundreds."""
        for action in actions:
            for name in event.subjects:
                done = self._by_subject.get((action, event.cloud, name), [])
                end = bisect_right(done, _order(event), key=_order)
                yield from done[max(0, end - _MOST) : end]

    def end_of(self, event: Event, holder: str) -> Event | None:
        """The first later event that took from a holder what an event gave, or deleted it."""
        ends = []
        for name in event.subjects:
            for taken in (holder, _DELETED):
                ends += list(islice(_after(self._ends.get((event.cloud, name, taken), ()), event), 1))
            resets = _after(self._ends.get((event.cloud, name, _RESET), ()), event)
            ends += list(islice((each for each in resets if _same_subjects(each, event)), 1))
        return min(ends, key=_order, default=None)

    def overwritten(self, event: Event, holder: str) -> Event | None:
        """The first later whole policy on the same thing in which a holder is no more."""
        for each in self.later(event, Action.POLICY):
            if each.result in CHANGES and all(holder_of(one) != holder for one in each.targets):
                return each
        return None

    def maker(self, event: Event) -> Event | None:
        """What made the thing that an event is about, the last one before it."""
        made = []
        for name in event.subjects:
            makers = self._makers.get((event.cloud, name), [])
            position = bisect_right(makers, _order(event), key=_order)
            made += [each for each in makers[max(0, position - 2) : position] if each is not event]
        return max(made, key=_order, default=None)

    def done_by(self, event: Event, action: str, within: timedelta) -> list[Event]:
        """What an event's actor did of an action around it."""
        done = self._by_actor.get((event.cloud, event.actor.principal, action), [])
        return [each for each in done if abs(each.at - event.at) <= within]

    def knows(self, event: Event) -> bool:
        """Whether the log was known for long enough by then to tell who is new in it."""
        since = self.learnt.get((event.cloud, event.account), self.learnt.get((event.cloud, "")))
        return since is None or event.at - since >= LEARNING

    def is_new(self, event: Event, window: timedelta) -> bool:
        """Whether its actor never did this before, or did it for the first time within `window`."""
        who = event.actor.principal
        if not who or not self.knows(event) or (event.cloud, who, event.action) in self.habits:
            return False
        first = self._first.get((event.cloud, who, event.action))
        return first is None or event.at - first < window

    def busy_hour(self, event: Event, *actions: str) -> int:
        """How much of these actions the actor did in a busy hour of its own."""
        who = event.actor.principal
        return sum(habit.busy for each in actions if (habit := self.habits.get((event.cloud, who, each))))

    @cached_property
    def _by_action(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.result != Result.DRY_RUN:
                found.setdefault(event.action, []).append(event)
        return found

    @cached_property
    def _by_subject(self) -> dict[tuple[str, str, str], list[Event]]:
        found: dict[tuple[str, str, str], list[Event]] = {}
        for action, events in self._by_action.items():
            for event in events if action != Action.ENUMERATE else ():
                for name in event.subjects:
                    found.setdefault((action, event.cloud, name), []).append(event)
        return found

    @cached_property
    def _by_actor(self) -> dict[tuple[str, str, str], list[Event]]:
        found: dict[tuple[str, str, str], list[Event]] = {}
        for action in (Action.DELETE, Action.INHIBIT):
            for event in self._by_action.get(action, ()):
                if event.result in CHANGES:
                    found.setdefault((event.cloud, event.actor.principal, action), []).append(event)
        return found

    @cached_property
    def _makers(self) -> dict[tuple[str, str], list[Event]]:
        found: dict[tuple[str, str], list[Event]] = {}
        for event in self.events:
            if event.action in _MAKING and event.result in CHANGES:
                for name in _products(event):
                    found.setdefault((event.cloud, name), []).append(event)
        return found

    @cached_property
    def _ends(self) -> dict[tuple[str, str, str], list[Event]]:
        found: dict[tuple[str, str, str], list[Event]] = {}
        for event in self.of(Action.UNSHARE, Action.DELETE):
            if event.result not in CHANGES:
                continue
            holders = [holder_of(each) for each in event.targets] or [_RESET]
            for holder in [_DELETED] if event.action == Action.DELETE else holders:
                for name in event.subjects:
                    found.setdefault((event.cloud, name, holder), []).append(event)
        return found

    @cached_property
    def _first(self) -> dict[tuple[str, str, str], datetime]:
        found: dict[tuple[str, str, str], datetime] = {}
        for event in self.events:
            is_listing = event.action == Action.ENUMERATE
            counts = event.result in ATTEMPTS | CHANGES and not event.ids if is_listing else event.result in CHANGES
            if counts and (who := event.actor.principal):
                found.setdefault((event.cloud, who, event.action), event.at)
        return found


def _order(event: Event) -> tuple[datetime, int, str, str]:
    """CloudTrail knows whole seconds only: within one, what was made was shared, used, taken back and deleted."""
    return event.at, _WITHIN_A_SECOND.get(event.action, 2), event.cloud, event.id


_WITHIN_A_SECOND: Mapping[str, int] = {
    Action.CREATE: 0,
    Action.COPY: 0,
    Action.RECYCLE: 0,
    Action.SHARE: 1,
    Action.UNSHARE: 3,
    Action.DELETE: 4,
}


def timeline(events: Iterable[Event], begin: datetime, **more: Any) -> Timeline:
    return Timeline(tuple(sorted(events, key=_order)), begin, **more)


_MAKING = frozenset({Action.CREATE, Action.COPY, Action.RESTORE, Action.RECYCLE})


def _products(event: Event) -> tuple[str, ...]:
    """What came of it. A foreign account's copy names only what it took."""
    if event.made:
        return (event.made,)
    is_whole = event.action in (Action.CREATE, Action.RECYCLE) and event.actor.kind != ActorKind.FOREIGN
    return event.subjects if is_whole else ()


_DELETED, _RESET = "\0deleted", "\0reset"
"""No holder is called so."""
_MOST = 100


def holder_of(principal: Principal) -> str:
    """Whom a share or an un-share names, as both name it: the log of an un-share may not know what sort it was."""
    return "\0everyone" if principal.kind == PrincipalKind.PUBLIC else principal.id.lower()


def _after(events: Sequence[Event], event: Event) -> Iterator[Event]:
    begin = bisect_right(events, _order(event), key=_order)
    return islice(events, begin, begin + _MOST)


def _same_subjects(one: Event, other: Event) -> bool:
    these, those = set(one.subjects), set(other.subjects)
    return these <= those or those <= these


def bursts(events: list[Event], least: int) -> Iterator[list[Event]]:
    """Stretches of events of which some hour has at least `least` things in it."""
    hot: list[list[Event]] = []
    start, total, taken = 0, 0, 0
    for end, event in enumerate(events):
        total += weight(event)
        while event.at - events[start].at >= HOUR:
            total -= weight(events[start])
            start += 1
        if total >= least:
            if taken <= start or not hot:
                hot.append([])
            hot[-1] += events[max(start, taken) : end + 1]
            taken = end + 1
    yield from hot


def sessions(events: Iterable[Event], pause: timedelta) -> Iterator[list[Event]]:
    """Events without a longer pause between two of them."""
    some: list[Event] = []
    for event in events:
        if some and event.at - some[-1].at > pause:
            yield some
            some = []
        some.append(event)
    if some:
        yield some


def by_actor(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    found: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        found.setdefault((event.cloud, event.actor.principal or event.actor.id), []).append(event)
    return found


def weight(event: Event) -> int:
    """How many things one event is about; what made one thing from others is about one."""
    return 1 if event.made else max(1, len(event.subjects))
