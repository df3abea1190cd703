"""Data carried out of the snapshot service: into a bucket, through a link, or block by block."""

from collections.abc import Iterator

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.detection import Detection, Sighting, few, sentences, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import BACKUP, BEGIN, INSPECTOR, case, did, estate, failed, line, used_to
from snapbase.rules.timeline import CHANGES, Timeline, by_actor


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    for action in (Action.EXPORT, Action.READ_BLOCKS):
        asked = [
            each
            for each in timeline.fresh(action)
            if each.actor.kind != ActorKind.FOREIGN and not estate.is_apart(each) and _is_news(each, timeline, estate)
        ]
        for done in (True, False):
            for events in by_actor(each for each in asked if (each.result in CHANGES) == done).values():
                yield _sighting(events, timeline, estate, done=done)


def _is_news(event: Event, timeline: Timeline, estate: Estate) -> bool:
    """An export counts too where nothing can tell whether it is usual; reads of blocks would be every backup tool's."""
    is_untold = event.action == Action.EXPORT and not (event.actor.principal and timeline.knows(event))
    return is_untold or timeline.is_new(event, estate.tuning.window) or estate.is_outside(event)


def _sighting(events: list[Event], timeline: Timeline, estate: Estate, *, done: bool) -> Sighting:
    first = events[0]
    is_new = timeline.is_new(first, estate.tuning.window)
    revoked = _revoked(events, timeline) if done else None
    base = Severity.HIGH if is_new or revoked else Severity.MEDIUM
    things_ = list(dict.fromkeys(name for each in events for name in each.subjects[:1]))
    shown = (*events, *([revoked] if revoked else []))
    into = sorted({each.id for event in events for each in event.targets if each.kind != PrincipalKind.BEARER})
    verb = "read the blocks of" if first.action == Action.READ_BLOCKS else "exported"
    return Sighting(
        severity=estate.severity(base if done else Severity.LOW, events),
        title=f"{who(first)}{', new to it,' if is_new else ''} {verb if done else 'tried to export'} "
        f"{few(things_, 1) or 'a snapshot'}",
        detail=sentences(
            f"{first.name} {first.at:%Y-%m-%d %H:%M} UTC" + (f" to {few(into)}." if into else "."),
            f"{len(things_):,} of them: {few(things_)}." if len(things_) > 1 else "",
            "Through a link that anybody can use who has it." if _is_link(first) else "",
            "The link was revoked soon after." if revoked else "",
            "" if is_new or timeline.knows(first) else "The log is too young to tell whether this is usual.",
            where(events),
        ),
        events=tuple(sorted(shown, key=lambda each: (each.at, each.id))),
        subject=things_[0] if len(things_) == 1 else "",
    )


def _is_link(event: Event) -> bool:
    return any(each.kind == PrincipalKind.BEARER for each in event.targets)


def _revoked(events: list[Event], timeline: Timeline) -> Event | None:
    """A link that was taken back soon leaves no grant to be seen."""
    for event in filter(_is_link, events):
        for each in timeline.later(event, Action.UNSHARE):
            if each.result in CHANGES:
                return each
    return None


_LINK = (Principal(PrincipalKind.BEARER, "sas"),)
_OUT = did(Action.EXPORT, 1, targets=(Principal(PrincipalKind.OTHER, "s3://loot"),))
_SAS = did(Action.EXPORT, 1, name="Microsoft.Compute/snapshots/beginGetAccess/action", targets=_LINK)
_REVOKED = did(Action.UNSHARE, 9, targets=_LINK)

DETECTION = Detection(
    id="snapshot-export",
    title="A snapshot exported, linked to or read block by block by a principal that never did",
    detect=_detect,
    attack=Attack(("T1537", "T1567.002"), ("DC0058",)),
    severities="high; medium from outside our networks by one who does so usually, or where the log is too young to "
    "tell; low where it was refused; a step worse for sensitive sources",
    tunables=("UserContext", "TimeWindow", "GeoLocation", "VolumeSensitivity"),
    blind="Reads of blocks where the trail records no data events; downloads through a link; what leaves a bucket.",
    examples=(
        case("into a bucket", line(_OUT), Severity.HIGH),
        case("block by block", line(did(Action.READ_BLOCKS)), Severity.HIGH),
        case("through a link", line(_SAS), Severity.HIGH),
        case("a link that was revoked", line(_SAS, _REVOKED, **used_to(Action.EXPORT)), None),
        case("refused", line(failed(_OUT)), Severity.LOW),
        case("a dry run", line(failed(_OUT, Result.DRY_RUN)), None),
        case("one who exports usually", line(_OUT, **used_to(Action.EXPORT)), None),
        case("usually, but from elsewhere", line(_OUT, **used_to(Action.EXPORT)), Severity.HIGH,
             estate(networks=("192.0.2.0/24",))),
        case("a log of yesterday", line(_OUT, learnt={("aws", ""): BEGIN}), Severity.MEDIUM),
        case("by nobody whom the log names", line(did(Action.EXPORT, 1, Actor(""))), Severity.MEDIUM),
        case("blocks in a log of yesterday", line(did(Action.READ_BLOCKS), learnt={("aws", ""): BEGIN}), None),
        case("of what is sensitive", line(did(Action.EXPORT, source="vol-7")), Severity.CRITICAL,
             estate(sensitive=("vol-7",))),
        case("Inspector reads blocks", line(did(Action.READ_BLOCKS, 1, INSPECTOR)), None),
        case("AWS Backup", line(did(Action.EXPORT, 1, BACKUP)), None),
    ),
)  # fmt: skip
