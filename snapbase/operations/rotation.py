"""What came and went since the approval, judged by the approved cohorts: never who may use it, only that it exists."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from snapbase.diff import PRESENCE, WHOLE, Change, ChangeType
from snapbase.finding import Heartbeat
from snapbase.model import Pin, Run, Scope, State
from snapbase.operations.plans import Planned
from snapbase.operations.witnesses import Witnesses
from snapbase.rotation.altered import altered
from snapbase.rotation.cohort import SUBJECT, Approved, Place, PolicyNow, by_name, place_of, policy_of
from snapbase.rotation.deeds import UNTOLD
from snapbase.rotation.ledger import Ledger, stopped, stopped_change, stopped_entry
from snapbase.rotation.origin import ACTOR, Origin, is_named, origins_of, said_by, teller
from snapbase.rotation.rhythm import digest_of
from snapbase.rotation.verdict import Around, Fate, Jury, Passage, Verdict, cover, judge_covered
from snapbase.store import Store
from snapbase.store.pins import NO_PINS, InForce

_BATCH = 1_000
"""Snapshots of which the logs are asked at a time."""
_PRESENCE = (ChangeType.APPEARED, ChangeType.DISAPPEARED)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the approved cohorts account for."""

    judged: frozenset[int] = frozenset()
    """Rows of which nothing else can differ: they need not be compared."""
    settled: frozenset[tuple[Scope, str]] = frozenset()
    """What else they account for: only its existence, everything beside it is compared."""
    changes: tuple[Change, ...] = ()
    heartbeats: tuple[Heartbeat, ...] = ()
    notes: tuple[str, ...] = ()

    def settles(self, change: Change) -> bool:
        return change.type in _PRESENCE and (change.scope, change.uid) in self.settled


@dataclass(frozen=True, slots=True)
class Window:
    """From what was approved to the run."""

    before: int
    run: Run
    at: datetime
    pins: InForce = NO_PINS
    up_to: int | None = None
    """The line of the log up to which approvals count; None: all."""


def judged(store: Store, window: Window) -> Rotation:
    """Everything that came or went, by the cohorts that count; nothing at all where none is approved."""
    approvals = store.cohorts(window.at, window.up_to)
    notes = tuple(
        f"The approval of the origin {origin} by {approval.by} ended {approval.until:%Y-%m-%d %H:%M} UTC."
        for origin, approval in approvals.ended
    ) + tuple(
        f"The cohort of the origin {origin} is not what was approved: it was altered, and counts for nothing."
        for origin in approvals.altered
    )
    if not approvals.cohorts:
        return Rotation(notes=notes)
    rotation = judged_by(store, window, approvals.cohorts)
    return replace(rotation, notes=(*notes, *rotation.notes))


def judged_by(store: Store, window: Window, cohorts: Mapping[str, Approved]) -> Rotation:
    """The same, by cohorts that need not be approved."""
    return _Court(store, window, cohorts).rotation()


def timeless(pins: Iterable[Pin], at: datetime) -> dict[str, int]:
    """For each subject whose existence was approved by itself: the revision of the newest such approval in force."""
    found: dict[str, int] = {}
    for pin in pins:
        live = pin.approval.until is None or at < pin.approval.until
        if live and pin.entry in (PRESENCE, WHOLE) and not pin.subject.startswith(SUBJECT):
            found.setdefault(pin.subject, pin.rev)
    return found


class _Seat(NamedTuple):
    """The cohort that covers a passage, its series, and how many points that has now."""

    found: tuple[Origin, Approved]
    place: tuple[str, Place]
    points: int | None
    """None where its recovery points are counted instead."""


class _Court:
    """One window under judgement: what there is beside each passage, and what was said of it."""

    def __init__(self, store: Store, window: Window, cohorts: Mapping[str, Approved]) -> None:
        self._store, self._window = store, window
        listed = store.listed_at(window.run.last_rev)
        self._listed = {scope: min(at, window.at) for scope, at in listed.items()}
        self._planned = Planned(cohorts, self._listed)
        self._jury = Jury(cohorts, _policies(store, window, cohorts, self._listed))
        self._ledger = Ledger(cohorts, str(window.run.id))
        self._witnesses = Witnesses(store)
        self._asks_each = not all(map(is_named, cohorts))
        """Only each resource by itself tells whether one of the cohorts made it."""
        self._went = self._unwitnessed = 0
        self._count: dict[tuple[str, Place], int] = {}
        self._newest: dict[tuple[str, Place], datetime] = {}
        self._newest_before: dict[tuple[str, Place], datetime] = {}
        self._judged: set[int] = set()
        self._settled: set[tuple[Scope, str]] = set()

    def rotation(self) -> Rotation:
        self._look()
        for passages in self._by_scope():
            self._scope(passages)
        stops = [change for change in self._stopped() if change is not None]
        return Rotation(
            frozenset(self._judged),
            frozenset(self._settled),
            (*self._ledger.changes(), *stops),
            self._ledger.heartbeats(),
            self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        said = (*self._planned.notes(), *self._stale())
        if not self._unwitnessed:
            return said
        which = f"{self._unwitnessed:,} of the {self._went:,}" if self._unwitnessed < self._went else f"{self._went:,}"
        by_age = f"Who deleted {which} snapshots that were expected to go no audit log says: by their age alone."
        return (by_age, *said)

    def _stale(self) -> Iterator[str]:
        found = sorted(origin for origin, policy in self._jury.policies.items() if policy.unread)
        if found:
            more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
            which = f"{', '.join(found[:3])}{more}"
            yield f"Whether the policies of {which} are as approved is not known: they were not read."

    def _look(self) -> None:
        """What there is of each origin and source; one by one where only each resource itself tells its origin."""
        before, last = self._window.before, self._window.run.last_rev
        for scope, said, source, count, newest, older in self._store.points(before, last):
            origin = said_by(scope, said)
            if origin in self._jury.cohorts:
                self._counted((origin, Place(scope, source)), count, newest, older)
        if not self._asks_each:
            return
        for state, opened, service in self._unnamed(last):
            made = state.resource.created_at
            for each in origins_of(state.scope, state.resource, service):
                if each.id in self._jury.cohorts:
                    self._counted((each.id, place_of(state)), 1, made, made if opened <= before else None)

    def _unnamed(self, rev: int) -> Iterator[tuple[State, int, str]]:
        """With the service that made each, where that alone is the name of a cohort."""
        found = iter(self._store.unnamed(rev))
        asks = any(origin.startswith(ACTOR) for origin in self._jury.cohorts)
        while some := list(islice(found, _BATCH)):
            services = self._witnesses.services([state for state, _ in some]) if asks else [""] * len(some)
            for (state, opened), service in zip(some, services, strict=True):
                yield state, opened, service

    def _counted(self, key: tuple[str, Place], count: int, newest: datetime | None, older: datetime | None) -> None:
        self._count[key] = self._count.get(key, 0) + count
        _later(self._newest, key, newest)
        _later(self._newest_before, key, older)

    def _by_scope(self) -> Iterator[list[Passage]]:
        """The passages of each scope; of what was approved by itself, since that approval."""
        window, last = self._window, self._window.run.last_rev
        pinned = timeless(self._store.pins_of(window.pins, (PRESENCE, WHOLE)), window.at)
        by_rev: dict[int, set[str]] = {}
        for uid, rev in pinned.items():
            by_rev.setdefault(rev, set()).add(uid)
        apart: dict[Scope, list[Passage]] = {}
        for rev, uids in sorted(by_rev.items()):
            for passages in self._store.passages(rev, last, uids):
                # A subject can be known in several scopes under one uid; a newer pin speaks for all of them.
                apart.setdefault(passages[0].state.scope, []).extend(passages)
        for passages in self._store.passages(window.before, last):
            rest = [each for each in passages if each.state.resource.uid not in pinned]
            yield rest + apart.pop(passages[0].state.scope, [])
        yield from apart.values()

    def _scope(self, passages: Sequence[Passage]) -> None:
        gone = {each.state.resource.address for each in passages if each.was_there and each.went_at}
        back = {each.state.resource.address for each in passages if each.came and not each.went_at} & gone
        told = self._witnesses.of_passages(filter(self._asks, passages))
        covered: list[tuple[Passage, _Seat]] = []
        seats: dict[Hashable, _Seat | None] = {}
        for passage in passages:
            seat = self._seat(passage, told.get(passage.row, UNTOLD).service, seats)
            # What came back under an address is a replacement, whoever made it: that is said of it alone.
            if passage.state.resource.address in back:
                continue
            if seat is not None:
                covered.append((passage, seat))
                self._planned.sat(passage, seat.found[0].id)
            elif untold := self._planned.untold(passage):
                self._say(passage, untold)
        gaps = self._gaps(covered)
        for passage, seat in covered:
            around = Around(gaps.get(passage.row), seat.points, told.get(passage.row, UNTOLD))
            self._say(passage, judge_covered(passage, seat.found, self._jury, around))
            if passage.went_at is not None:
                self._went += 1
                self._unwitnessed += not around.deeds.deleters

    def _seat(self, passage: Passage, service: str, seats: dict[Hashable, "_Seat | None"]) -> "_Seat | None":
        """Where it belongs: worked out once for all of a kin whose origin the cloud itself names."""
        named = passage.kin is not None and passage.state.resource.origin is not None
        if named and passage.kin in seats:
            return seats[passage.kin]
        found = cover(passage.state, self._jury, service, passage.plan)
        seat = None
        if found is not None:
            place = (found[0].id, place_of(passage.state))
            is_counted = teller(passage.state.scope, found[0].id) is None
            seat = _Seat(found, place, self._count.get(place, 0) if is_counted else None)
        if named:
            seats[passage.kin] = seat
        return seat

    def _asks(self, passage: Passage) -> bool:
        """Whether it matters who made it, or who deleted it."""
        said = said_by(passage.state.scope, passage.state.resource.origin)
        if not said:
            return self._asks_each
        cohorts, plan = self._jury.cohorts, passage.plan
        return passage.went_at is not None and (said in cohorts or bool(plan and plan.origin in cohorts))

    def _gaps(self, covered: Iterable[tuple[Passage, "_Seat"]]) -> dict[int, timedelta]:
        """From each point that came to the one before it in its series."""
        series: dict[tuple[tuple[str, Place], str], list[tuple[datetime, int]]] = {}
        newest, before = self._newest, self._newest_before
        for passage, ((origin, _), place, _) in covered:
            made = passage.state.resource.created_at
            if made is not None and passage.came:
                series.setdefault((place, origin.strain), []).append((made, passage.row))
                _later(newest, place, made)
            elif passage.was_there:
                _later(before, place, made)
        gaps: dict[int, timedelta] = {}
        for ((origin_id, where), _), made_rows in series.items():
            strains = self._jury.cohorts[origin_id].cohort.series.get(where, {})
            last = before.get((origin_id, where)) if len(strains) == 1 else None
            for made, row in sorted(made_rows):
                if last is not None and last < made:
                    gaps[row] = made - last
                last = made
        return gaps

    def _say(self, passage: Passage, verdict: Verdict) -> None:
        if verdict.fate == Fate.UNCOVERED:
            return
        self._ledger.add(passage, verdict)
        if passage.bare:
            self._judged.add(passage.row)
        else:
            self._settled.add((passage.state.scope, passage.state.resource.uid))

    def _stopped(self) -> Iterator[Change | None]:
        window = self._window
        tick = self._store.ticks({window.before}).get(window.before)
        newest, before = _grouped(self._newest), _grouped(self._newest_before)
        for origin, approved in self._jury.cohorts.items():
            seen = self._planned.seen(origin)
            now, then = newest.get(origin, {}), before.get(origin, {})
            was_so = dict(stopped(approved.cohort, then, dict.fromkeys(seen, tick.at))) if tick else {}
            said = self._said_of(origin)
            found = []
            for place, last in stopped(approved.cohort, now, seen):
                pin = said.get(stopped_entry(place))
                if pin is not None:  # held back, or said to be fine after its last point
                    fine = not pin.held and (last is None or last <= pin.approval.at)
                else:
                    fine = place in was_so and _same(last, was_so[place], approved, tick.at if tick else None)
                if not fine:
                    found.append((place, last))
            yield stopped_change(origin, found)

    def _said_of(self, origin: str) -> dict[str, Pin]:
        """The newest approval in force of each entry of an origin."""
        found: dict[str, Pin] = {}
        for pin in self._window.pins.around:
            live = pin.approval.until is None or self._window.at < pin.approval.until
            if live and pin.subject == f"{SUBJECT}{origin}":
                found.setdefault(pin.entry, pin)
        return found


def _same(last: datetime | None, then: datetime | None, approved: Approved, at: datetime | None) -> bool:
    """It had stopped as approved, and made nothing since; with no point then, only if it was a cohort's by then."""
    if then is None:
        return last is None and at is not None and approved.approval.at <= at
    return last is None or last <= then


def _grouped(found: Mapping[tuple[str, Place], datetime]) -> dict[str, dict[Place, datetime]]:
    grouped: dict[str, dict[Place, datetime]] = {}
    for (origin, place), at in found.items():
        grouped.setdefault(origin, {})[place] = at
    return grouped


def _later(found: dict[tuple[str, Place], datetime], key: tuple[str, Place], at: datetime | None) -> None:
    if at is not None and (key not in found or found[key] < at):
        found[key] = at


def _policies(
    store: Store, window: Window, cohorts: Mapping[str, Approved], listed: Collection[Scope]
) -> dict[str, PolicyNow]:
    bound = [origin for origin, approved in cohorts.items() if approved.cohort.policy]
    if not bound:
        return {}
    states = store.policies(window.run.last_rev)
    changed = {state.resource.uid: rev for state, rev in states}
    ticks = store.ticks({rev for rev in changed.values() if rev > window.before})
    named = by_name(state for state, _ in states)
    found: dict[str, PolicyNow] = {}
    for origin in bound:
        policy = policy_of(origin, named)
        if policy is None:
            found[origin] = PolicyNow("", 0)
            continue
        tick = ticks.get(changed[policy.resource.uid])
        now = digest_of(policy)
        said = "" if now == cohorts[origin].cohort.policy else _altered(store, policy, cohorts[origin].cohort.policy)
        found[origin] = PolicyNow(now, tick.run if tick else 0, said, unread=policy.scope not in listed)
    return found


def _altered(store: Store, policy: State, approved: str) -> str:
    """In words what a policy says otherwise than when its digest was approved, as far as that is kept."""
    for stretch in reversed(store.history(policy.resource.uid)):
        if stretch.state.scope == policy.scope and digest_of(stretch.state) == approved:
            return altered(stretch.state, policy)
    return ""
