"""Pure: (findings, events between two runs) -> who did it, and how certain that is.

`exact`: the event names the finding's subject, does what the change shows, and for shares to the same principal.
`window`: it names the subject within the time, and could have done it, but does not say that it did. Reads, uses and
failed attempts change nothing, and an event after the run cannot have caused what the run saw.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from snapbase.event import Action, Event, Result
from snapbase.finding import Attribution, Finding, SubjectType
from snapbase.model import Cloud, Principal, PrincipalKind

SKEW = timedelta(minutes=5)
"""How far the clocks of a cloud's services and of a run may be apart; allowed at the beginning only."""

_CHANGES = frozenset({Result.SUCCEEDED, Result.STARTED})
_MAKING = frozenset({Action.CREATE, Action.COPY, Action.RECYCLE})
_UNMAKING = frozenset({Action.DELETE, Action.INHIBIT})
_MODIFYING = frozenset({Action.MODIFY, Action.POLICY, Action.INHIBIT})
_INERT = frozenset({Action.ENUMERATE, Action.READ_BLOCKS, Action.MOUNT, Action.RESTORE})
"""What leaves its subject as it was."""


class Certainty(StrEnum):
    EXACT = "exact"
    WINDOW = "window"


class _Fit(StrEnum):
    """How an event is about a subject."""

    MADE = "made"
    ITSELF = "itself"
    NEAR = "near"
    """Through its address though the finding is about something beside it, its source, or its guard."""


@dataclass(slots=True)
class Index:
    """Events by what they name, so that findings and events are each gone through once."""

    _by_key: dict[str, list[tuple[Event, bool]]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Index":
        index = cls()
        for event in events:
            index.add(event)
        return index

    def add(self, event: Event) -> None:
        if event.result not in _CHANGES or event.action in _INERT:
            return
        named = dict.fromkeys((*event.subjects, event.made))
        for name in filter(None, named):
            self._by_key.setdefault(_key(event.cloud, name), []).append((event, name == event.made))

    def find(self, cloud: str, name: str) -> Iterable[tuple[Event, bool]]:
        """Every event that names it, and whether as what it made."""
        return self._by_key.get(_key(cloud, name), ())


def attribute(
    findings: Sequence[Finding],
    events: Iterable[Event],
    *,
    since: datetime | None,
    until: datetime,
    guards: Mapping[str, Collection[str]] | None = None,
) -> tuple[Finding, ...]:
    """The findings with what explains them; `guards` maps a subject's uid to the addresses of what limits its grants.

    `since` is the end of the run that is compared with, None where there is none; a finding that has an attribution
    already keeps it.
    """
    index = Index.of(events)
    return tuple(
        each if each.attribution else replace(each, attribution=explain(each, index, since, until, guards or {}))
        for each in findings
    )


def explain(
    finding: Finding,
    index: Index,
    since: datetime | None,
    until: datetime,
    guards: Mapping[str, Collection[str]],
) -> tuple[Attribution, ...]:
    """The newest event of the best certainty; of a replacement, what ended the old and what made the new."""
    begin = since - SKEW if since else None
    found: dict[str, tuple[Event, str]] = {}
    for event, fit in _about(finding, index, guards):
        if event.at > until or (begin and event.at < begin) or not _same_place(event, finding):
            continue
        certainty = _certainty(finding, event, fit)
        if certainty is None:
            continue
        part = _part(finding, event)
        best = found.get(part)
        if best is None or (certainty == Certainty.EXACT, event.at, event.id) > (
            best[1] == Certainty.EXACT,
            best[0].at,
            best[0].id,
        ):
            found[part] = (event, certainty)
    ordered = sorted(found.values(), key=lambda each: each[0].at, reverse=True)
    return tuple(Attribution.of(event, certainty) for event, certainty in ordered)


def names(finding: Finding) -> tuple[str, ...]:
    """Every name by which an event can be about a finding: what to look events up by."""
    subject = finding.subject
    address = subject.address or ""
    found = (subject.uid, subject.uid.rpartition("@")[0], address, *spellings(address, subject.name), subject.source)
    return tuple(dict.fromkeys(filter(None, found)))


def _part(finding: Finding, event: Event) -> str:
    if finding.change.type != "replaced":
        return ""
    return "old" if event.action in _UNMAKING else "new"


def _same_place(event: Event, finding: Finding) -> bool:
    if event.cloud != finding.cloud:
        return False
    return not event.account or not finding.account or event.account.lower() == finding.account.lower()


def _about(finding: Finding, index: Index, guards: Mapping[str, Collection[str]]) -> Iterable[tuple[Event, _Fit]]:
    """Every event about the finding's subject, each once, its closest fit first."""
    subject, seen = finding.subject, set()
    beside = _beside(subject.uid, subject.address)
    places: list[tuple[str, bool]] = [(subject.uid, False), (subject.uid.rpartition("@")[0], False)]
    if subject.address:
        places.append((subject.address, beside))
        places += [(each, beside) for each in spellings(subject.address, subject.name)]
    places += [(each, True) for each in guards.get(subject.uid, ())]
    for name, near in places:
        for event, made in index.find(finding.cloud, name) if name else ():
            if event.id not in seen:
                seen.add(event.id)
                yield event, _Fit.NEAR if near else _Fit.MADE if made else _Fit.ITSELF
    for event, _ in index.find(finding.cloud, subject.source) if subject.source else ():
        if event.id not in seen and _same_service(event, finding):
            seen.add(event.id)
            yield event, _Fit.NEAR


def _same_service(event: Event, finding: Finding) -> bool:
    """AWS names a database or cluster by a word that other services and regions may use for something else."""
    if finding.cloud != Cloud.AWS:
        return True
    parts = (finding.subject.address or finding.subject.uid).split(":")
    return parts[2:3] == [event.name.partition(":")[0]] and event.region == finding.location


def _beside(uid: str, address: str | None) -> bool:
    """Whether the subject is a thing of its own at another's address: a snapshot's lock, an image's exports."""
    return address is not None and uid.startswith(f"{address}/")


def _certainty(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    """None: it cannot have been this event."""
    judge = _JUDGES.get(finding.change.type)
    return judge(finding, event, fit) if judge else None


def _appeared(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    if "@recycled:" in finding.subject.uid:
        return Certainty.EXACT if event.action == Action.DELETE and fit == _Fit.ITSELF else None
    if event.action in _UNMAKING or event.action in (Action.SHARE, Action.UNSHARE):
        return None
    if fit == _Fit.MADE:
        return Certainty.EXACT
    # What names it and made something else copied it, or wrote it out: it was there before.
    if event.made or fit == _Fit.NEAR:
        return None
    return Certainty.EXACT if event.action in _MAKING else Certainty.WINDOW


def _disappeared(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    if "@recycled:" in finding.subject.uid:
        return Certainty.EXACT if event.action == Action.RECYCLE else None
    if event.action not in _UNMAKING:
        return None
    # Unlocking a snapshot only prepares its end; a lock, a rule or a vault it ends.
    prepares = event.action == Action.INHIBIT and finding.subject.type == SubjectType.SNAPSHOT
    return Certainty.WINDOW if prepares or fit == _Fit.NEAR else Certainty.EXACT


def _replaced(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    return _disappeared(finding, event, fit) or _appeared(finding, event, fit)


def _granted(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    if event.action in _UNMAKING or event.action == Action.UNSHARE:
        return None
    named = _names(event.targets, finding)
    if event.action in (Action.SHARE, Action.EXPORT):
        if not event.targets:
            return Certainty.WINDOW
        return (Certainty.WINDOW if fit == _Fit.NEAR else Certainty.EXACT) if named else None
    if event.action == Action.POLICY and named and fit != _Fit.NEAR:
        return Certainty.EXACT
    # A policy that names whom it lets in, and not this one, did not let this one in.
    return None if event.action == Action.POLICY and event.targets and fit != _Fit.NEAR else Certainty.WINDOW


def _ungranted(finding: Finding, event: Event, fit: _Fit) -> Certainty | None:
    named = _names(event.targets, finding)
    if event.action == Action.UNSHARE:
        if event.targets and not named:
            return None
        return Certainty.WINDOW if fit == _Fit.NEAR else Certainty.EXACT
    if event.action in (Action.POLICY, Action.MODIFY, Action.INHIBIT, Action.SHARE):
        return None if named else Certainty.WINDOW
    return None


def _worse(_: Finding, event: Event, fit: _Fit) -> Certainty | None:
    """The grant is the same: what stood in front of it fell, or who holds it is trusted less. A key that is destroyed
    or a lock that is gone lets nobody in."""
    loosening = event.action in (Action.MODIFY, Action.POLICY) or (event.action == Action.SHARE and fit == _Fit.NEAR)
    return Certainty.WINDOW if loosening else None


def _modified(_: Finding, event: Event, fit: _Fit) -> Certainty | None:
    if event.action in _MODIFYING:
        return Certainty.WINDOW if fit == _Fit.NEAR else Certainty.EXACT
    if event.action in (Action.CREATE, Action.COPY, Action.DELETE) or fit == _Fit.NEAR:
        return None
    return Certainty.WINDOW


_JUDGES = {
    "appeared": _appeared,
    "disappeared": _disappeared,
    "replaced": _replaced,
    "modified": _modified,
    "grant-added": _granted,
    "grant-changed": _granted,
    "grant-removed": _ungranted,
    "grant-worse": _worse,
}
"""By a change's name; what else a finding can be about (coverage, the trust list) no event of a cloud explains."""


def _names(targets: Iterable[Principal], finding: Finding) -> bool:
    """Whether a share's targets have the finding's principal."""
    if finding.grantee is None:
        return False
    wanted = finding.grantee.principal
    return any(_same(each, wanted) for each in targets)


def _same(one: Principal, other: Principal) -> bool:
    if one.kind == PrincipalKind.PUBLIC or other.kind == PrincipalKind.PUBLIC:
        return one.kind == other.kind
    return one.id.lower() == other.id.lower()


def _key(cloud: str, name: str) -> str:
    """Azure's ids come in any case; the others' are their own."""
    return name.lower() if cloud == Cloud.AZURE else name


def spellings(address: str, name: str | None) -> Iterable[str]:
    """An ARN as calls can name it that do not know its last part: by the resource's name, or without its cluster."""
    parts = address.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return ()
    rest = parts[5]
    kind = min((each for each in (rest.partition(":")[0], rest.partition("/")[0])), key=len)
    if kind == rest:
        return ()
    separator, tail = rest[len(kind)], rest.rpartition("/")[2] if "/" in rest else rest.rpartition(":")[2]
    head = ":".join(parts[:5])
    return tuple(
        found
        for each in dict.fromkeys(filter(None, (tail, name)))
        if (found := f"{head}:{kind}{separator}{each}") != address
    )
