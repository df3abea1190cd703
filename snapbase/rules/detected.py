"""Sightings -> findings. One file per detection; the folder is the registry."""

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache

from snapbase.event import Event
from snapbase.finding import Attribution, Delta, Finding, Grantee, Subject, SubjectType
from snapbase.rules.detection import Detection, Sighting
from snapbase.rules.estate import Estate, Known
from snapbase.rules.timeline import EventKey, Timeline, key_of

SUBJECT = "event:"
"""What the subject of an event's pin begins with; its cloud and id follow."""
ENTRY = "event"
_TOLD = 5
"""Events of one finding that are written out; of more, the first ones and the last."""


@cache
def detections() -> tuple[Detection, ...]:
    """Every detection, by id."""
    package = importlib.import_module("snapbase.rules")
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        detection = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "DETECTION", None)
        if detection is not None:
            found.append(detection)
    return tuple(sorted(found, key=lambda each: each.id))


def detected(timeline: Timeline, estate: Estate, logs: Mapping[str, str]) -> tuple[Finding, ...]:
    """What the detections see, in the order of a report; `logs` names each cloud's log.

    Where all that shows it was accepted, nothing is said; of a part, all is said again.
    """
    found: dict[str, Finding] = {}
    for detection in detections():
        for sighting in detection.detect(timeline, estate):
            if any(timeline.is_fresh(each) for each in sighting.events):
                finding = _finding(detection, sighting, timeline, estate, logs)
                found.setdefault(finding.id, finding)
    return merged(found.values())


def merged(*several: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of a report."""
    every = (each for some in several for each in some)
    return tuple(sorted(every, key=lambda each: (each.severity.rank, each.rule, each.subject.uid, each.entry, each.id)))


def subject_of(key: EventKey) -> str:
    cloud, event_id = key
    return f"{SUBJECT}{cloud}:{event_id}"


def key_in(subject: str) -> EventKey | None:
    """The event that a pin's subject names; None where it names none."""
    if not subject.startswith(SUBJECT):
        return None
    cloud, _, event_id = subject.removeprefix(SUBJECT).partition(":")
    return (cloud, event_id) if event_id else None


def _finding(
    detection: Detection, sighting: Sighting, timeline: Timeline, estate: Estate, logs: Mapping[str, str]
) -> Finding:
    fresh = [each for each in sighting.events if timeline.is_fresh(each)]
    first = fresh[0]
    known = estate.look(first.cloud, (sighting.subject,))[sighting.subject].known if sighting.subject else None
    accepted = sum(key_of(each) in timeline.accepted for each in sighting.events)
    partly = f"{accepted:,} of {len(sighting.events):,} events of it were approved." if accepted else ""
    covers = tuple((subject_of(key_of(each)), ENTRY) for each in sighting.events)
    return Finding(
        id=_fingerprint(detection, covers),
        rule=detection.id,
        severity=sighting.severity,
        title=sighting.title,
        detail=" ".join(filter(None, (sighting.detail, partly))),
        cloud=first.cloud,
        account=first.account,
        location=first.region,
        kind=known.kind if known else logs.get(first.cloud, first.cloud),
        subject=_subject(sighting, first, known),
        entry=ENTRY,
        count=len(sighting.events),
        grantee=_grantee(sighting),
        change=Delta("seen", None, [each.name for each in _told(sighting.events)]),
        attribution=tuple(Attribution.of(each, "exact") for each in reversed(_told(sighting.events))),
        attack=detection.attack,
        covers=covers,
    )


def _grantee(sighting: Sighting) -> Grantee | None:
    if sighting.principal is None or sighting.judgement is None:
        return None
    return Grantee(sighting.principal, sighting.judgement.trust, sighting.judgement.label)


def _subject(sighting: Sighting, first: Event, known: Known | None) -> Subject:
    resource = known.resource if known else None
    return Subject(
        type=SubjectType.EVENT,
        uid=subject_of(key_of(first)),
        address=sighting.subject or None,
        name=resource.name if resource else None,
        created_at=resource.created_at if resource else None,
        encrypted=resource.encrypted if resource else None,
        source=(resource.source if resource else None) or first.source or None,
        origin=resource.origin if resource else None,
        owner=resource.owner if resource else None,
    )


def _fingerprint(detection: Detection, covers: Iterable[tuple[str, str]]) -> str:
    """The same events give the same finding in every run; one more event is another finding."""
    text = json.dumps([detection.id, sorted(subject for subject, _ in covers)])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _told(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Those of one finding that are written out, in order of time."""
    return events if len(events) <= _TOLD else (*events[: _TOLD - 1], events[-1])
