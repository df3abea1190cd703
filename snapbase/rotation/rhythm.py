"""Pure: a stored history -> the cohorts that it shows, each with its rhythm, for somebody to approve or not.

What is rare is not left out: it is counted, so that whoever approves sees the one snapshot under another key. What
went before its time is: a stranger's snapshot that was found and deleted must not be approved with the rest.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeVar

from snapbase.diff import entries
from snapbase.model import Grant, State
from snapbase.rotation.cohort import Cohort, Place, Rhythm, by_name, is_old_enough, place_of, policy_of
from snapbase.rotation.deeds import UNTOLD, Deeds
from snapbase.rotation.origin import Evidence, Origin, origins_of
from snapbase.rotation.posture import destination_of, posture_of
from snapbase.rotation.verdict import Passage

SAMPLES = 20
_RARE = 0.01
_FEW = 3
"""Deletions of one series from which its own retention is taken; with fewer, those of the whole strain are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A cohort as the history shows it, and what a person needs to judge it."""

    cohort: Cohort
    live: int
    seen: int
    went: int
    rare: tuple[tuple[str, str, int], ...]
    """(invariant, value, how many) of values that hardly any have."""
    samples: tuple[str, ...]
    policy: str = ""
    """Address of the policy whose document is part of the cohort."""


class _Facts(NamedTuple):
    """All that must hold of one of them; many have the same."""

    place: Place
    strain: str
    key: str
    encrypted: bool | None
    grants: frozenset[Grant] | None
    destination: str
    posture: frozenset[tuple[str, str]]
    maker: str


@dataclass(slots=True)
class _Had:
    """How many with the same facts are there, and how old those that went became."""

    live: int = 0
    ages: list[float] = field(default_factory=list)
    deleters: dict[str, list[float]] = field(default_factory=dict)
    """How old those became that each deleted."""


@dataclass(slots=True)
class _Series:
    made: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    told: int | None = None


@dataclass(slots=True)
class _Draft:
    evidence: str
    series: dict[tuple[Place, str], _Series] = field(default_factory=dict)
    facts: dict[_Facts, _Had] = field(default_factory=dict)
    samples: list[tuple[str, str]] = field(default_factory=list)
    seen: int = 0
    live: int = 0


class History:
    """Gathers passages, one by one, into drafts."""

    def __init__(self) -> None:
        self._drafts: dict[str, _Draft] = {}

    def add(self, passage: Passage, deeds: Deeds = UNTOLD) -> None:
        for origin in origins_of(passage.state.scope, passage.state.resource, deeds.service, passage.plan):
            draft = self._drafts.setdefault(origin.id, _Draft(origin.evidence))
            if Evidence(origin.evidence).rank > Evidence(draft.evidence).rank:
                draft.evidence = origin.evidence
            _add(draft, origin, passage, deeds)

    def proposals(self, at: datetime, policies: Sequence[State]) -> list[Proposal]:
        """Every origin that made more than one, the largest first; rhythms as of a moment."""
        named = by_name(policies)
        tried = [_proposal(name, draft, at, named) for name, draft in self._drafts.items() if draft.seen > 1]
        found = [each for each in tried if each is not None]
        return sorted(found, key=lambda each: (-each.live, each.cohort.origin))


def _add(draft: _Draft, origin: Origin, passage: Passage, deeds: Deeds) -> None:
    state, resource = passage.state, passage.state.resource
    place = place_of(state)
    facts = _Facts(
        place,
        origin.strain,
        resource.key or "",
        resource.encrypted,
        None if state.miss is not None else state.grants,
        destination_of(resource),
        frozenset(posture_of(resource).items()),
        _maker(origin, deeds),
    )
    had = draft.facts.setdefault(facts, _Had())
    draft.seen += 1
    series = draft.series.setdefault((place, origin.strain), _Series())
    made = resource.created_at.timestamp() if resource.created_at else None
    if made is not None:
        series.made.append(made)
    if passage.went_at is None:
        draft.live += 1
        had.live += 1
        _sample(draft, resource.uid)
        series.live.append(made if made is not None else 0.0)
    elif made is not None:
        age = passage.went_at.timestamp() - made
        series.ages.append(age)
        had.ages.append(age)
        for name in _deleters(origin, deeds):
            had.deleters.setdefault(name, []).append(age)
    told = resource.attributes.get("kept_days") or resource.attributes.get("retention_days")
    if isinstance(told, int) and told > 0:
        series.told = told * 24


def _maker(origin: Origin, deeds: Deeds) -> str:
    """Where the cloud itself names the origin, the role it works with; a person who asked it to is not that."""
    maker = deeds.maker
    return "" if maker is None or (origin.is_proof and maker.is_person) else maker.name


def _deleters(origin: Origin, deeds: Deeds) -> set[str]:
    """What is made by software can be cleared by other software; what the cloud makes, the cloud deletes."""
    return set() if origin.is_proof else {each.name for each in deeds.deleters if not each.is_person}


def _sample(draft: _Draft, uid: str) -> None:
    """The same few whenever it is asked, and not for whoever makes one to choose."""
    insort(draft.samples, (sha256(uid.encode()).hexdigest(), uid))
    del draft.samples[SAMPLES:]


def _proposal(name: str, draft: _Draft, at: datetime, policies: Mapping[str, Sequence[State]]) -> Proposal | None:
    policy = policy_of(name, policies)
    pools = _pools(draft.series)
    rhythms = {key: _rhythm(each, pools[key[1]], at.timestamp()) for key, each in draft.series.items()}
    regular = {
        facts: count
        for facts, had in draft.facts.items()
        if (count := had.live + _on_time(had.ages, rhythms[facts.place, facts.strain].keep))
    }
    if not regular:
        return None
    series: dict[Place, dict[str, Rhythm]] = {}
    for facts in regular:
        series.setdefault(facts.place, {})[facts.strain] = rhythms[facts.place, facts.strain]
    deleters = _counted(
        (name, _on_time(ages, rhythms[facts.place, facts.strain].keep))
        for facts in regular
        for name, ages in draft.facts[facts].deleters.items()
    )
    grants = _counted((facts.grants, count) for facts, count in regular.items())
    cohort = Cohort(
        origin=name,
        evidence=draft.evidence,
        series=series,
        keys=frozenset(facts.key for facts in regular),
        encrypted=frozenset(facts.encrypted for facts in regular),
        grants=max(grants, key=lambda each: (grants[each], each is None, _holders(each))),
        destinations=frozenset(facts.destination for facts in regular),
        postures=_postures(regular),
        policy=digest_of(policy) if policy else "",
        actors=frozenset({facts.maker for facts in regular if facts.maker} | {*(+deleters)}),
    )
    return Proposal(
        cohort=cohort,
        live=draft.live,
        seen=draft.seen,
        went=draft.seen - draft.live,
        rare=tuple(_rare(regular, +deleters)),
        samples=tuple(uid for _, uid in draft.samples),
        policy=policy.resource.address if policy else "",
    )


def _on_time(ages: Iterable[float], keep: int | None) -> int:
    """How many went when their retention had ended."""
    return sum(1 for age in ages if keep is not None and is_old_enough(timedelta(seconds=age), keep))


def _postures(regular: Iterable[_Facts]) -> dict[str, frozenset[str]]:
    """For each property every value; where some have none of it, nothing is one of them."""
    sets = {facts.posture for facts in regular}
    names = {name for each in sets for name, _ in each}
    return {name: frozenset(dict(each).get(name, "") for each in sets) for name in sorted(names)}


def digest_of(policy: State) -> str:
    """Stands for everything that a policy document says, whom it shares with included."""
    limits = policy.resource.limits
    text = repr(sorted(entries(policy).items())) + repr(limits)
    return sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Pool:
    """What the series of one strain have in common, for those too young to tell by themselves."""

    gap: float
    low: float
    high: float
    keep: float | None
    oldest: float


def _pools(series: Mapping[tuple[Place, str], _Series]) -> dict[str, _Pool]:
    gaps: dict[str, list[float]] = {}
    ages: dict[str, list[float]] = {}
    oldest: dict[str, list[float]] = {}
    for (_, strain), each in series.items():
        gaps.setdefault(strain, []).extend(_gaps(each.made))
        ages.setdefault(strain, []).extend(each.ages)
        if each.made and each.live:
            oldest.setdefault(strain, []).append(max(each.made) - min(each.live))
    return {
        strain: _Pool(
            gap=median(found) if found else 0.0,
            low=_share(found, 0.05),
            high=_share(found, 0.95),
            keep=median(ages[strain]) if len(ages[strain]) >= _FEW else None,
            oldest=_share(oldest.get(strain, ()), 0.9),
        )
        for strain, found in gaps.items()
    }


def _rhythm(series: _Series, pool: _Pool, at: float) -> Rhythm:
    gaps = _gaps(series.made)
    known = len(gaps) > _FEW
    low = _share(gaps, 0.05) if known else pool.low
    high = _share(gaps, 0.95) if known else pool.high
    keep = _keep(series, pool)
    points = len(series.live)
    usual = median(gaps) if known else pool.gap
    expected = keep / usual + 2 if keep and usual else points + 1
    # A point is being made while the oldest has not been deleted yet.
    most = int(max(points, expected) * 1.1) + 1
    retired = bool(high) and (not series.made or at - max(series.made) > 2 * high)
    return Rhythm(round(keep / 3600) if keep else None, int(low), int(high), points, most, retired)


def _keep(series: _Series, pool: _Pool) -> float | None:
    """How long points are kept: as seen; else as declared; else at least as long as they have lived."""
    if len(series.ages) >= _FEW:
        return median(series.ages)
    lived = max(series.made) - min(series.live) if series.made and series.live else 0.0
    if pool.keep is not None:
        return max(pool.keep, lived)
    if series.told is not None:
        return series.told * 3600.0
    return max(lived, pool.oldest) or None


def _gaps(made: Sequence[float]) -> list[float]:
    ordered = sorted(made)
    return [later - sooner for sooner, later in pairwise(ordered)]


def _share(values: Iterable[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] if ordered else 0.0


_T = TypeVar("_T")


def _counted(pairs: Iterable[tuple[_T, int]]) -> Counter[_T]:
    found: Counter[_T] = Counter()
    for value, count in pairs:
        found[value] += count
    return found


def _rare(regular: Mapping[_Facts, int], deleters: Counter[str]) -> Iterator[tuple[str, str, int]]:
    pairs = list(regular.items())
    counted: list[tuple[str, Counter[str]]] = [
        ("key", _counted((facts.key, count) for facts, count in pairs)),
        ("encryption", _counted((str(facts.encrypted), count) for facts, count in pairs)),
        ("grants", _counted((_holders(facts.grants), count) for facts, count in pairs)),
        ("destination", _counted((facts.destination, count) for facts, count in pairs)),
        ("posture", _counted((f"{name}: {value}", count) for facts, count in pairs for name, value in facts.posture)),
        ("maker", _counted((facts.maker, count) for facts, count in pairs if facts.maker)),
        ("deleter", deleters),
        ("region", _counted((f"{each.place.scope.account}/{each.place.scope.location}", n) for each, n in pairs)),
    ]
    few = max(1, sum(regular.values()) * _RARE)
    for name, values in counted:
        for value, count in sorted(values.items()):
            if len(values) > 1 and count <= few:
                yield name, value, count


def _holders(grants: frozenset[Grant] | None) -> str:
    if grants is None:
        return "not read"
    return ", ".join(sorted({str(grant.principal) for grant in grants})) or "nobody"
