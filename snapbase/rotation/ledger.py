"""Pure: verdicts -> what a report says of the cohorts: heartbeats, and one change for each broken invariant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from snapbase.diff import PRESENCE, Change, ChangeType
from snapbase.finding import Heartbeat
from snapbase.model import Json, Scope
from snapbase.rotation.cohort import SUBJECT, Approved, Cohort, Place
from snapbase.rotation.verdict import EARLY, Fate, Passage, Verdict

EXAMPLES = 3
_VALUES = 20


@dataclass(slots=True)
class _Group:
    """Everything that breaks one invariant of one cohort."""

    things: set[str] = field(default_factory=set)
    """Each once, however many views of it were read."""
    values: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)
    covers: list[tuple[str, str]] = field(default_factory=list)
    scopes: set[Scope] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.things)


@dataclass(slots=True)
class _Count:
    appeared: int = 0
    disappeared: int = 0
    samples: list[tuple[str, str]] = field(default_factory=list)


class Ledger:
    """Takes what was judged, and adds it up."""

    def __init__(self, cohorts: Mapping[str, Approved], salt: str) -> None:
        self._cohorts = cohorts
        self._salt = salt
        """Varies which few of a low-trust cohort are shown: nobody can be sure to stay out of the sample."""
        self._counts = {origin: _Count() for origin in cohorts}
        self._weak = {origin for origin, approved in cohorts.items() if not approved.cohort.strong}
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, passage: Passage, verdict: Verdict) -> None:
        if verdict.fate == Fate.EXPECTED:
            count = self._counts[verdict.origin]
            count.appeared += passage.came
            count.disappeared += passage.went_at is not None
            if passage.came and verdict.origin in self._weak:
                self._sample(count, passage)
        resource = passage.state.resource
        for broken in verdict.broken:
            group = self._groups.setdefault((verdict.origin, broken.invariant), _Group())
            group.things.add(resource.subject or resource.uid)
            group.values.add(broken.value)
            group.covers.append((resource.uid, PRESENCE))
            group.scopes.add(passage.state.scope)
            if len(group.examples) < EXAMPLES and resource.address not in group.examples:
                group.examples.append(resource.address)

    def _sample(self, count: _Count, passage: Passage) -> None:
        address = passage.state.resource.address
        count.samples.append((sha256(f"{self._salt}{address}".encode()).hexdigest(), address))
        if len(count.samples) > 100 * EXAMPLES:
            count.samples = sorted(count.samples)[:EXAMPLES]

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """One per cohort, the busiest first."""
        found = [
            Heartbeat(
                origin=origin,
                evidence=approved.cohort.evidence,
                low_trust=approved.low_trust,
                appeared=count.appeared,
                disappeared=count.disappeared,
                sources=len(approved.cohort.series),
                samples=tuple(address for _, address in sorted(count.samples)[:EXAMPLES]),
                violations=sum(group.count for (name, _), group in self._groups.items() if name == origin),
            )
            for origin, approved in self._cohorts.items()
            for count in (self._counts[origin],)
        ]
        return tuple(sorted(found, key=lambda each: (-each.appeared - each.disappeared, each.origin)))

    def changes(self) -> Iterator[Change]:
        """One for each broken invariant of each cohort."""
        for (origin, invariant), group in sorted(self._groups.items()):
            early = invariant in EARLY
            yield Change(
                type=ChangeType.EARLY_DELETION if early else ChangeType.ORIGIN_VIOLATED,
                scope=_common(group.scopes),
                uid=f"{SUBJECT}{origin}",
                entry=f"cohort:{invariant}",
                now=_listed(group.values),
                count=group.count,
                examples=tuple(group.examples),
                covers=tuple(group.covers),
            )


def stopped(
    cohort: Cohort, newest: Mapping[Place, datetime], seen: Mapping[Scope, datetime]
) -> Iterator[tuple[Place, datetime | None]]:
    """Sources without a new point for twice their cadence, by `seen`: when each completely read scope was read."""
    for place, strains in cohort.series.items():
        at = seen.get(place.scope)
        # What is gone before twice its cadence has passed says nothing by its absence.
        rhythms = [
            each
            for each in strains.values()
            if not each.retired and each.high and (each.keep is None or each.keep * 3600 > 2 * each.high)
        ]
        if at is None or not rhythms:
            continue
        last = newest.get(place)
        if last is None or (at - last).total_seconds() > 2 * min(each.high for each in rhythms):
            yield place, last


def stopped_change(origin: str, found: Iterable[tuple[Place, datetime | None]]) -> Change | None:
    """One line for all the sources of a policy that have no new point."""
    places = sorted(found, key=lambda each: each[0])
    if not places:
        return None
    last = max((at for _, at in places if at is not None), default=None)
    return Change(
        type=ChangeType.BACKUP_STOPPED,
        scope=_common({place.scope for place, _ in places}),
        uid=f"{SUBJECT}{origin}",
        entry="cohort:stopped",
        was=f"{last:%Y-%m-%d %H:%M}" if last else None,
        now=_listed({place.source for place, _ in places}),
        count=len(places),
        examples=tuple(place.source for place, _ in places[:EXAMPLES]),
        covers=tuple((f"{SUBJECT}{origin}", stopped_entry(place)) for place, _ in places),
    )


def stopped_entry(place: Place) -> str:
    """The pin entry that says: that this source has no new points is fine."""
    scope = place.scope
    return f"stopped:{scope.account}/{scope.location}/{scope.kind}/{place.source}"


def _listed(values: Iterable[str]) -> Json:
    """As a value of the finding: another set of values is another finding."""
    ordered = sorted(values)
    if len(ordered) <= _VALUES:
        return ordered
    rest = sha256("\0".join(ordered).encode("utf-8", "replace")).hexdigest()[:12]
    return [*ordered[:_VALUES], f"and {len(ordered) - _VALUES} more ({rest})"]


def _common(scopes: Iterable[Scope]) -> Scope:
    """What all have in common; empty where they differ."""
    found = list(scopes)
    first = found[0]
    same = [
        name for name in ("cloud", "account", "location", "kind") if len({getattr(each, name) for each in found}) == 1
    ]
    return Scope(
        **{name: getattr(first, name) if name in same else "" for name in ("cloud", "account", "location", "kind")}
    )
