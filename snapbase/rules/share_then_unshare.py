"""Shared and taken back: worse than a share that stands, because whoever did it knew why."""

from collections.abc import Iterator

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.detection import Detection, Sighting, few, lasting, sentences, where, who
from snapbase.rules.estate import Estate, step
from snapbase.rules.event_shares import Share, ends_of, foreign_shares, was_seen
from snapbase.rules.example_events import (
    EVERYONE,
    GUARDDUTY,
    OPS,
    PARTNER,
    STRANGER,
    case,
    did,
    estate,
    failed,
    known,
    line,
)
from snapbase.rules.timeline import Timeline


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    for each in foreign_shares(timeline, estate):
        for share, end in ends_of(each, timeline):
            if end.action == Action.DELETE or end.at - share.event.at > estate.tuning.window:
                continue
            fresh = timeline.is_fresh(share.event) or timeline.is_fresh(end)
            if fresh and was_seen(share, end, estate):
                yield taken_back(share, end, estate)


def taken_back(share: Share, end: Event, estate: Estate, *, unseen: bool = False) -> Sighting:
    """By another hand it may well have been the answer to the first: the data was open all the same."""
    event = share.event
    is_other = end.action != Action.DELETE and end.actor.principal != event.actor.principal
    what = "deleted it" if end.action == Action.DELETE else "took it back"
    return Sighting(
        severity=estate.severity(step(share.severity, 1) if is_other else share.severity, (event,)),
        title=f"{who(event)} shared {few(event.subjects[:1])} with {share.holder} and "
        + (f"{who(end)} {what}" if is_other else what),
        detail=sentences(
            f"It was open for {lasting(end.at - event.at)} from {event.at:%Y-%m-%d %H:%M:%S} UTC; "
            "a copy made in that time stays.",
            "No run of the inventory saw it." if unseen else "",
            where((event, end)),
        ),
        events=(event, end),
        subject=event.subjects[0] if event.subjects else "",
        principal=share.principal,
        judgement=share.judgement,
    )


_SEEN = estate(known(ever=frozenset({STRANGER})))
_SHARED, _BACK = did(Action.SHARE, 1), did(Action.UNSHARE, 2)
_BEFORE = estate(known(ever=frozenset({STRANGER}), until=-60))
_TO_PARTNER = (Principal(PrincipalKind.ACCOUNT, PARTNER),)

DETECTION = Detection(
    id="share-then-unshare",
    title="Shared with somebody unknown and taken back soon after, while a run saw it",
    detect=_detect,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="critical; high where somebody else took it back; lower for directory objects that are not resolved",
    tunables=("TimeWindow", "CrossAccountIDList", "GeoLocation", "VolumeSensitivity"),
    blind="Whether it was used: no cloud tells that of every kind (`foreign-copy` where it is told). Links to Azure's "
    "snapshots are `snapshot-export`.",
    examples=(
        case("29 seconds", line(_SHARED, did(Action.UNSHARE, 1.5)), Severity.CRITICAL, _SEEN),
        case("public", line(did(Action.SHARE, 1, targets=(EVERYONE,)), did(Action.UNSHARE, 2, targets=(EVERYONE,))),
             Severity.CRITICAL, estate(known(ever=frozenset({EVERYONE})))),
        case("all permissions reset", line(_SHARED, did(Action.UNSHARE, 2, targets=())), Severity.CRITICAL, _SEEN),
        case("somebody else took it back", line(_SHARED, did(Action.UNSHARE, 2, OPS)), Severity.HIGH, _SEEN),
        case("another holder was taken away", line(_SHARED, did(Action.UNSHARE, 2, targets=_TO_PARTNER)), None, _SEEN),
        case("only taken back", line(_BACK), None, _SEEN),
        case("the share failed", line(failed(_SHARED), _BACK), None, _SEEN),
        case("a dry run took it back", line(_SHARED, failed(_BACK, Result.DRY_RUN)), None, _SEEN),
        case("with a partner", line(did(Action.SHARE, 1, targets=_TO_PARTNER), did(Action.UNSHARE, 2)), None, _SEEN),
        case("GuardDuty", line(did(Action.SHARE, 1, GUARDDUTY), did(Action.UNSHARE, 2, GUARDDUTY)), None, _SEEN),
        case("after days", line(_SHARED, did(Action.UNSHARE, 3000)), None, _SEEN),
        case("a run saw only an earlier one", line(_SHARED, _BACK), None, _BEFORE),
        case("no run saw it: another rule", line(_SHARED, _BACK), None),
    ),
)  # fmt: skip
