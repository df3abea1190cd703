"""Shared and gone between two runs: the inventory never saw it, only the log did."""

from collections.abc import Iterator

from snapbase.event import Action
from snapbase.finding import Attack, Severity
from snapbase.rules.detection import Detection, Sighting
from snapbase.rules.estate import Estate
from snapbase.rules.event_shares import end_of, foreign_shares, was_seen
from snapbase.rules.example_events import (
    EVERYONE,
    GUARDDUTY,
    STRANGER,
    case,
    did,
    estate,
    failed,
    known,
    line,
)
from snapbase.rules.share_then_unshare import taken_back
from snapbase.rules.timeline import Timeline


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    for share in foreign_shares(timeline, estate):
        end = end_of(share, timeline)
        if end is None or not (timeline.is_fresh(share.event) or timeline.is_fresh(end)):
            continue
        if not was_seen(share, estate):
            yield taken_back(share, end, estate, unseen=True)


_SHARED, _BACK = did(Action.SHARE, 1), did(Action.UNSHARE, 2)

DETECTION = Detection(
    id="unbaselined-share",
    title="Shared with somebody unknown and gone again between two runs",
    detect=_detect,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="as of `share-then-unshare`",
    tunables=("CrossAccountIDList", "GeoLocation", "VolumeSensitivity"),
    blind="Shares that leave no event: automated ones of services, and what happened before the log was read.",
    examples=(
        case("29 seconds", line(_SHARED, did(Action.UNSHARE, 1.5)), Severity.CRITICAL),
        case("of what no run ever saw", line(_SHARED, _BACK), Severity.CRITICAL, estate()),
        case("shared and deleted", line(_SHARED, did(Action.DELETE, 9)), Severity.CRITICAL),
        case("a day and more", line(_SHARED, did(Action.UNSHARE, 3000)), Severity.CRITICAL),
        case("public", line(did(Action.SHARE, 1, targets=(EVERYONE,)), did(Action.UNSHARE, 2, targets=(EVERYONE,))),
             Severity.CRITICAL),
        case("still open: the inventory's", line(_SHARED), None),
        case("the un-share failed", line(_SHARED, failed(_BACK)), None),
        case("a run saw it: another rule", line(_SHARED, _BACK), None, estate(known(ever=frozenset({STRANGER})))),
        case("approved", line(_SHARED, _BACK), None, estate(known(approved=frozenset({STRANGER})))),
        case("GuardDuty", line(did(Action.SHARE, 1, GUARDDUTY), did(Action.DELETE, 2, GUARDDUTY)), None),
        case("accepted", line(_SHARED, _BACK, accepted=frozenset({("aws", _SHARED.id), ("aws", _BACK.id)})), None),
    ),
)  # fmt: skip
