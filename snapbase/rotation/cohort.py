"""Pure: an approved origin with the invariants that its snapshots held when somebody approved it: never a list of ids.

What fits exactly one cohort and every one of its invariants is expected (`verdict`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from snapbase.model import Approval, Grant, Scope, State
from snapbase.rotation.origin import Evidence

SUBJECT = "origin:"
"""What the subject of an approved cohort's pin begins with."""
TOLERANCE = 0.1
SLACK = timedelta(hours=6)
"""Lifecycle services delete within hours of the end of a retention, and runs see it later still."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How one rule makes and keeps the points of one source."""

    keep: int | None
    """Hours that a point is kept, at least; None: nothing tells."""
    low: int
    """Seconds between two points, usually at least."""
    high: int
    """Seconds between two points, usually at most; 0: not known yet."""
    points: int
    """How many there were when it was approved."""
    most: int
    retired: bool = False
    """It had made no new point for twice its cadence when it was approved: the rest may age and go."""


class Place(NamedTuple):
    """One source in one scope."""

    scope: Scope
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """One origin and what held for all that it made."""

    origin: str
    evidence: str
    series: Mapping[Place, Mapping[str, Rhythm]]
    """By strain: a policy can have several schedules for one source."""
    keys: frozenset[str]
    encrypted: frozenset[bool | None]
    grants: frozenset[Grant] | None
    """Exactly these; None: sharing was not read when it was approved."""
    destinations: frozenset[str]
    postures: Mapping[str, frozenset[str]]
    policy: str = ""
    """Digest of the policy document, where the policy is itself in the inventory."""
    actors: frozenset[str] = frozenset()
    """Who else makes them than a service by itself, and where anybody can, deletes them, as far as logs told."""
    scopes: frozenset[Scope] = field(init=False)
    kinds: frozenset[str] = field(init=False)
    accounts: frozenset[tuple[str, str]] = field(init=False)
    sources: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        scopes = frozenset(place.scope for place in self.series)
        object.__setattr__(self, "scopes", scopes)
        object.__setattr__(self, "kinds", frozenset(each.kind for each in scopes))
        object.__setattr__(self, "accounts", frozenset((each.cloud, each.account) for each in scopes))
        object.__setattr__(self, "sources", frozenset(place.source for place in self.series))

    @property
    def strong(self) -> bool:
        return Evidence(self.evidence).strong


@dataclass(frozen=True, slots=True)
class Approved:
    """A cohort that somebody approved, and may until some day count on."""

    cohort: Cohort
    approval: Approval
    low_trust: bool = False


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """The policy behind an origin as of the run; no digest: it is gone."""

    digest: str
    changed_run: int
    """The run that saw its last change; 0: before the approved revision."""
    altered: str = ""
    """What it says otherwise than as approved, in words; empty where that is not kept any more."""
    unread: bool = False
    """It could not be read in the run, and is as it was known last."""


def place_of(state: State) -> Place:
    return Place(state.scope, state.resource.source or "")


def is_old_enough(age: timedelta, keep: int) -> bool:
    """Whether one of that age may go, by a retention of so many hours."""
    kept = timedelta(hours=keep)
    return age >= kept - max(kept * TOLERANCE, min(SLACK, kept / 2))


def words(span: timedelta) -> str:
    """`14 days`, `36 hours`."""
    hours = round(span.total_seconds() / 3600)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24, 1):g} days"


def by_name(policies: Iterable[State]) -> dict[str, list[State]]:
    """Inventoried policies by the names that origins know them by: the whole address, or its last part."""
    found: dict[str, list[State]] = {}
    for each in policies:
        address = each.resource.address
        for name in {address, address.rpartition("/")[2], address.rpartition(":")[2]}:
            found.setdefault(name, []).append(each)
    return found


def policy_of(origin: str, policies: Mapping[str, Sequence[State]]) -> State | None:
    """The policy that an origin names, where there is exactly one."""
    found = policies.get(origin.partition(":")[2], ())
    return found[0] if len(found) == 1 else None
