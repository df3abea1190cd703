"""Small clouds for the store's tests, and the oracle: a full copy of everything at every revision."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from snapbase.model import (
    Aspect,
    Coverage,
    Grant,
    Miss,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    Scope,
)
from snapbase.store import Store

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EUROPE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
AMERICA = Scope("aws", "111122223333", "us-east-1", "aws.ec2.snapshot")
PUBLIC = Principal(PrincipalKind.PUBLIC, "all")
OUTSIDER = Principal(PrincipalKind.ACCOUNT, "999988887777")
DENIED = Miss(Outcome.DENIED, "ec2:DescribeSnapshotAttribute denied: grant it to the collector role")


def minute(number: int) -> datetime:
    return EPOCH + timedelta(minutes=number)


def url_of(store: Store) -> str:
    """As another process would open it."""
    return store._engine.url.render_as_string(hide_password=False)


def grant(principal: Principal = OUTSIDER, condition: str = "") -> Grant:
    return Grant(principal, "read", "ec2:createVolumePermission", condition)


def snapshot(name: str, *, value: int = 0, guards: tuple[str, ...] = ()) -> Resource:
    arn = f"arn:aws:ec2:eu-west-1::snapshot/{name}"
    return Resource(
        uid=arn,
        address=arn,
        name=name,
        created_at=EPOCH,
        owner="111122223333",
        source=f"vol-{value % 2}",
        encrypted=bool(value % 3),
        guards=guards,
        attributes={"state": "completed"},
        facts={"size": value},
        tags={"env": "test"},
    )


def seen(resource: Resource, grants: Iterable[Grant] | None = (), miss: Miss = DENIED) -> Observation:
    return Observation(resource, None, miss) if grants is None else Observation(resource, frozenset(grants))


def reading(
    scope: Scope,
    at: int,
    observations: Iterable[Observation] = (),
    listed: str = Outcome.COMPLETE,
    shared: str | None = None,
) -> Reading:
    """A reading that began at minute `at`; sharing counts as partly read where something was missed."""
    found = tuple(observations)
    if shared is None:
        shared = Outcome.PARTIAL if any(each.miss for each in found) else Outcome.COMPLETE
    words = {Aspect.LIST: listed, Aspect.SHARING: shared}
    coverage = tuple(
        Coverage(scope, aspect, outcome, "" if outcome == Outcome.COMPLETE else f"{aspect} {outcome}")
        for aspect, outcome in words.items()
    )
    return Reading(scope, minute(at), found, coverage)


@dataclass(frozen=True, slots=True)
class Known:
    """One resource in a full copy."""

    resource: Resource
    grants: frozenset[Grant] | None
    miss: Miss | None

    @property
    def folded(self) -> bool:
        """Nothing to say of its own: no news in a scope read for the first time."""
        return not self.grants and self.miss is None


Copy = Mapping[tuple[Scope, str], Known]


@dataclass(slots=True)
class Oracle:
    """What the store should say, kept the wasteful way."""

    now: dict[tuple[Scope, str], Known] = field(default_factory=dict)
    coverage: dict[tuple[Scope, str], Coverage] = field(default_factory=dict)
    read_at: dict[Scope, datetime] = field(default_factory=dict)
    read: set[tuple[Scope, str]] = field(default_factory=set)
    """Whose grants were ever read."""
    first_complete: dict[Scope, int] = field(default_factory=dict)
    copies: dict[int, Copy] = field(default_factory=lambda: {0: {}})
    coverages: dict[int, dict[tuple[Scope, str], Coverage]] = field(default_factory=lambda: {0: {}})

    def stale(self, reading: Reading) -> bool:
        return reading.scope in self.read_at and reading.started_at < self.read_at[reading.scope]

    def apply(self, reading: Reading) -> bool:
        """Records it; returns whether anything differs from before."""
        before, before_coverage = dict(self.now), dict(self.coverage)
        self.read_at[reading.scope] = reading.started_at
        found = {each.resource.uid: each for each in reading.observations}
        misses = [each.miss is not None for each in found.values()]
        whole = len(misses) > 1 and all(misses)
        for uid, each in found.items():
            key = (reading.scope, uid)
            self.now[key] = self._seen(key, each, whole=whole)
        for coverage in reading.coverage:
            self.coverage[reading.scope, coverage.aspect] = coverage
            if coverage.aspect == Aspect.LIST and coverage.complete:
                for key in [key for key in self.now if key[0] == reading.scope and key[1] not in found]:
                    del self.now[key]
        return (before, before_coverage) != (self.now, self.coverage)

    def _seen(self, key: tuple[Scope, str], each: Observation, *, whole: bool) -> Known:
        """Where no grants at all could be read, the scope's coverage says so, and not every resource again."""
        if each.grants is not None:
            self.read.add(key)
            return Known(each.resource, each.grants, None)
        known = self.now.get(key)
        last = known.grants if known else frozenset() if key in self.read else None
        back = known is None and key in self.read
        miss = each.miss if back or not whole else known.miss if known else None
        return Known(each.resource, last, miss)

    def keep(self, rev: int, reading: Reading) -> None:
        self.copies[rev] = dict(self.now)
        self.coverages[rev] = dict(self.coverage)
        if any(each.aspect == Aspect.LIST and each.complete for each in reading.coverage):
            self.first_complete.setdefault(reading.scope, rev)

    def absence_known(self, scope: Scope, rev: int) -> bool:
        return scope in self.first_complete and self.first_complete[scope] <= rev
