"""Pure: (what came or went, approved cohorts) -> expected, violated, or not covered.

Only existence can be expected: grants, encryption, network policies and locks of each resource are compared whatever
the cohort says.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from snapbase.model import State
from snapbase.rotation.cohort import Approved, Cohort, PolicyNow, Rhythm, is_old_enough, place_of, words
from snapbase.rotation.deeds import UNTOLD, Deeds
from snapbase.rotation.origin import Evidence, Origin, Plan, origins_of
from snapbase.rotation.posture import destination_of, posture_of

UNREAD = "not read"
TOO_CLOSE = 0.6
"""A point this much sooner than the series' shortest usual distance is one too many: between two regular ones there is
no room for it."""
_REMEMBERED = 20_000


class Invariant(StrEnum):
    KIND = "kind"
    ACCOUNT = "account"
    REGION = "region"
    SOURCE = "source"
    RULE = "rule"
    KEY = "key"
    ENCRYPTION = "encryption"
    GRANTS = "grants"
    DESTINATION = "destination"
    POSTURE = "posture"
    POLICY = "policy"
    PLAN = "plan"
    MAKER = "maker"
    CADENCE = "cadence"
    COUNT = "count"
    RETENTION = "retention"
    RESTORE_POINTS = "restore-points"
    DELETER = "deleter"


EARLY = frozenset({Invariant.RETENTION, Invariant.RESTORE_POINTS, Invariant.DELETER})
"""What makes a deletion early; whatever else is broken is about how the thing was made."""


@dataclass(frozen=True, slots=True)
class Jury:
    """Everything that is approved, by origin."""

    cohorts: Mapping[str, Approved]
    policies: Mapping[str, PolicyNow] = field(default_factory=dict)
    judged: dict[tuple[Hashable, str], "_Standing"] = field(default_factory=dict, compare=False)
    """What was found out once for all of a kin, by kin and origin."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One resource that came, went, or both, between an approved revision and a run."""

    row: int
    """The store's name for it."""
    state: State
    """As it is; as it last was, where it is gone."""
    came: bool
    """It was not there as approved, and that was a fact."""
    was_there: bool
    went_at: datetime | None
    """The end of the run that saw it gone."""
    run: int = 0
    """The run that first saw it as it is."""
    changed: bool = False
    """It was there as approved, and was altered before it went."""
    bare: bool = True
    """Nobody ever held a grant on it and all was read: beside its existence there is nothing to compare."""
    plan: Plan | None = None
    """What its recovery point says of what made it; None: it has none, or none was read."""
    unread: bool = False
    """It came and is there, and nobody's sharing in its scope can be read now: its grants are of an older reading."""
    kin: Hashable = None
    """Equal for all bare ones of a scope that differ only by identity, name and times; None: like no other."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the thing itself."""

    gap: timedelta | None = None
    """To the point before; None: there is none, or it is not known."""
    points: int | None = None
    """How many there are now of the same origin, source and scope; None: not counted."""
    deeds: Deeds = UNTOLD


class Fate(StrEnum):
    EXPECTED = "expected"
    VIOLATED = "violated"
    UNCOVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Broken:
    invariant: Invariant
    value: str
    """What it is instead."""


@dataclass(frozen=True, slots=True)
class Verdict:
    fate: Fate
    origin: str = ""
    broken: tuple[Broken, ...] = ()


_UNCOVERED = Verdict(Fate.UNCOVERED)


def cover(state: State, jury: Jury, service: str = "", plan: Plan | None = None) -> tuple[Origin, Approved] | None:
    """The one approved cohort that a resource can belong to; None where there is none, or more than one.

    `service` is what made it by itself, where a log says so; `plan`, what its recovery point says. A cohort that was
    approved before its plans could be told apart goes on covering what no approved plan's cohort knows the kind of.
    Nothing covers what is known to be no plan's: somebody asked for it.
    """
    if plan is not None and not plan.origin:
        return None
    found = _approved(origins_of(state.scope, state.resource, service, plan), jury)
    if plan is not None and not any(state.scope.kind in approved.cohort.kinds for _, approved in found):
        found = _approved(origins_of(state.scope, state.resource, service), jury) or found
    if len(found) != 1:
        return None
    origin, approved = found[0]
    if not origin.strong and not approved.low_trust:
        return None
    weaker = Evidence(origin.evidence).rank > Evidence(approved.cohort.evidence).rank
    return None if weaker else (origin, approved)


def _approved(origins: Iterable[Origin], jury: Jury) -> list[tuple[Origin, Approved]]:
    return [(origin, approved) for origin in origins if (approved := jury.cohorts.get(origin.id)) is not None]


def judge(passage: Passage, jury: Jury, around: Around = Around()) -> Verdict:
    """Whether it is one of those that an approved cohort expects to come and go."""
    return judge_covered(passage, cover(passage.state, jury, around.deeds.service, passage.plan), jury, around)


def judge_covered(passage: Passage, covered: tuple[Origin, Approved] | None, jury: Jury, around: Around) -> Verdict:
    """The same, where the cohort that can cover it is known already."""
    if covered is None or not (passage.came or passage.went_at):
        return _UNCOVERED
    origin, approved = covered
    if passage.changed and not origin.strong:
        return _UNCOVERED  # a tag set on the day before is no reason to let it go
    cohort = approved.cohort
    standing = _standing_of(passage, origin, cohort, jury)
    broken, strains, rhythm = list(standing.broken), standing.strains, standing.rhythm
    if not passage.came and any(each.invariant == Invariant.GRANTS for each in broken):
        return _UNCOVERED  # what somebody else could use went: that is said of it alone
    if passage.came:
        broken += _changed(cohort, passage, jury.policies.get(origin.id))
        broken += _made(cohort, origin, around.deeds)
    if passage.came and rhythm is not None:
        broken += _coming(rhythm, strains, around)
    if passage.went_at is not None:
        broken += _deleted(cohort, around.deeds)
    if passage.went_at is not None and rhythm is not None:
        broken += _going(passage, rhythm, strains, around, passage.went_at)
    if passage.went_at is not None and rhythm is None:
        broken += _going_unknown(passage, cohort, passage.went_at)
    return Verdict(Fate.VIOLATED if broken else Fate.EXPECTED, origin.id, tuple(broken))


class _Standing(NamedTuple):
    """What does not depend on when it was made or went: what it breaks by being there, and the rhythms of its place."""

    broken: tuple[Broken, ...]
    strains: Mapping[str, Rhythm]
    rhythm: Rhythm | None


def _standing_of(passage: Passage, origin: Origin, cohort: Cohort, jury: Jury) -> _Standing:
    key = (passage.kin, origin.id)
    found = jury.judged.get(key) if passage.kin is not None else None
    if found is None:
        strains = cohort.series.get(place_of(passage.state), {})
        found = _Standing(tuple(_standing(cohort, origin, passage)), strains, strains.get(origin.strain))
        if len(jury.judged) >= _REMEMBERED:
            jury.judged.clear()
        if passage.kin is not None:
            jury.judged[key] = found
    return found


def _standing(cohort: Cohort, origin: Origin, passage: Passage) -> Iterator[Broken]:
    """What must hold of one of them as long as it is there."""
    state = passage.state
    resource = state.resource
    yield from _where(cohort, origin, state)
    if (resource.key or "") not in cohort.keys:
        yield Broken(Invariant.KEY, resource.key or "no key")
    if resource.encrypted not in cohort.encrypted:
        yield Broken(Invariant.ENCRYPTION, "not encrypted" if resource.encrypted is False else "another")
    yield from _shared(cohort, passage)
    if (destination := destination_of(resource)) not in cohort.destinations:
        yield Broken(Invariant.DESTINATION, destination or "nowhere said")
    posture = posture_of(resource)
    for name in sorted({*posture, *cohort.postures}):
        if posture.get(name, "") not in cohort.postures.get(name, _ABSENT):
            yield Broken(Invariant.POSTURE, f"{name.replace('_', ' ')}: {posture.get(name) or 'not set'}")


_ABSENT = frozenset({""})


def _where(cohort: Cohort, origin: Origin, state: State) -> Iterator[Broken]:
    scope, place = state.scope, place_of(state)
    if scope.kind not in cohort.kinds:
        yield Broken(Invariant.KIND, scope.kind)
    elif (scope.cloud, scope.account) not in cohort.accounts:
        yield Broken(Invariant.ACCOUNT, scope.account)
    elif scope not in cohort.scopes:
        yield Broken(Invariant.REGION, f"{scope.account}/{scope.location}")
    elif place.source not in cohort.sources:
        yield Broken(Invariant.SOURCE, place.source or "no source")
    elif place not in cohort.series:
        yield Broken(Invariant.REGION, f"{place.source or 'no source'} in {scope.account}/{scope.location}")
    elif origin.strain not in cohort.series[place]:
        yield Broken(Invariant.RULE, origin.strain or "no rule")


def _shared(cohort: Cohort, passage: Passage) -> Iterator[Broken]:
    state = passage.state
    if state.grants is None or state.miss is not None or passage.unread:
        if cohort.grants is not None:
            yield Broken(Invariant.GRANTS, UNREAD)
        if not state.grants:
            return
    if state.grants != (cohort.grants or frozenset()):
        holders = sorted({str(grant.principal) for grant in state.grants or ()})
        yield Broken(Invariant.GRANTS, ", ".join(holders[:5]) or "nobody")


def _changed(cohort: Cohort, passage: Passage, policy: PolicyNow | None) -> Iterator[Broken]:
    if not cohort.policy:
        return
    now = policy or PolicyNow("", 0)
    if now.digest != cohort.policy and passage.run >= now.changed_run:
        yield Broken(Invariant.POLICY, now.altered or "it is another now" if now.digest else "it is gone")


def _made(cohort: Cohort, origin: Origin, deeds: Deeds) -> Iterator[Broken]:
    """A tag or a name is only a claim: a log that names another maker than the approval knows speaks against it."""
    maker = deeds.maker
    if maker and not origin.is_proof and not maker.by_itself and maker.name not in cohort.actors:
        yield Broken(Invariant.MAKER, maker.name)


def _deleted(cohort: Cohort, deeds: Deeds) -> Iterator[Broken]:
    """However old it is: what somebody else deleted did not go by its lifecycle."""
    for each in deeds.deleters:
        if not each.by_itself and each.name not in cohort.actors:
            yield Broken(Invariant.DELETER, each.name)


def _coming(rhythm: Rhythm, strains: Mapping[str, Rhythm], around: Around) -> Iterator[Broken]:
    if around.gap is not None and around.gap.total_seconds() < rhythm.low * TOO_CLOSE:
        yield Broken(Invariant.CADENCE, "sooner after the last one than usual")
    most = sum(each.most for each in strains.values())
    if around.points is not None and around.points > most:
        yield Broken(Invariant.COUNT, "more of one source than usual")


def _going_unknown(passage: Passage, cohort: Cohort, went_at: datetime) -> Iterator[Broken]:
    """Of a source or rule that was not approved: kept for as long at least as the shortest that was."""
    keeps = [each.keep for strains in cohort.series.values() for each in strains.values() if each.keep is not None]
    made, least = passage.state.resource.created_at, min(keeps, default=None)
    if least is not None and (made is None or not is_old_enough(went_at - made, least)):
        yield Broken(Invariant.RETENTION, f"kept for less than {words(timedelta(hours=least))}")


def _going(
    passage: Passage, rhythm: Rhythm, strains: Mapping[str, Rhythm], around: Around, went_at: datetime
) -> Iterator[Broken]:
    made = passage.state.resource.created_at
    if made is None or rhythm.keep is None:
        yield Broken(Invariant.RETENTION, "how long it is kept is not known")
    elif not is_old_enough(went_at - made, rhythm.keep):
        yield Broken(Invariant.RETENTION, f"kept for less than {words(timedelta(hours=rhythm.keep))}")
    usual = sum(each.points for each in strains.values() if not each.retired)
    if around.points is not None and around.points < usual // 2:
        yield Broken(Invariant.RESTORE_POINTS, "less than half of its restore points are left")
