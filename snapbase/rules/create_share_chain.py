"""Made and given away by the same hand: the way data is stolen through snapshots."""

from collections.abc import Iterator

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.detection import Detection, Sighting, few, lasting, sentences, things, where, who
from snapbase.rules.estate import Estate, step
from snapbase.rules.event_shares import Share, foreign_shares
from snapbase.rules.example_events import (
    EVERYONE,
    GUARDDUTY,
    OPS,
    PARTNER,
    SNAPSHOT,
    STRANGER,
    THIEF,
    case,
    did,
    estate,
    failed,
    known,
    line,
    used_to,
)
from snapbase.rules.timeline import CHANGES, Timeline


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    for share in foreign_shares(timeline, estate):
        made = _made(share, timeline, estate)
        if made is not None and (timeline.is_fresh(share.event) or timeline.is_fresh(made)):
            yield _sighting([share], made, timeline, estate)
    for made, tries in _refused(timeline, estate):
        if any(timeline.is_fresh(each) for each in (made, *(share.event for share in tries))):
            yield _sighting(tries, made, timeline, estate)


def _refused(timeline: Timeline, estate: Estate) -> Iterator[tuple[Event, list[Share]]]:
    """Tries of one session to give one thing to the same holder: however often, said once."""
    found: dict[tuple[int, str, str], tuple[Event, list[Share]]] = {}
    for share in foreign_shares(timeline, estate, attempts=True):
        made = _made(share, timeline, estate)
        if made is not None:
            found.setdefault((id(made), who(share.event), share.holder), (made, []))[1].append(share)
    yield from found.values()


def _made(share: Share, timeline: Timeline, estate: Estate) -> Event | None:
    event = share.event
    made = timeline.maker(event)
    if made is None or made.action not in (Action.CREATE, Action.COPY) or estate.is_apart(event):
        return None
    is_same = made.actor.principal == event.actor.principal
    return made if is_same and event.at - made.at <= estate.tuning.window else None


def _sighting(shares: list[Share], made: Event, timeline: Timeline, estate: Estate) -> Sighting:
    """Of one share, or of several tries at the same."""
    share = shares[0]
    event, told = share.event, tuple(each.event for each in shares)
    done = event.result in CHANGES
    taken = [each for each in timeline.later(event, Action.COPY, Action.RESTORE) if each.result in CHANGES]
    is_usual = not timeline.is_new(event, estate.tuning.window) and timeline.knows(event)
    base = share.severity if done else Severity.MEDIUM
    shown = (made, *sorted((*told, *taken), key=lambda each: (each.at, each.id)))
    after = lasting(event.at - made.at)
    products = things([made])
    given = [each for each in event.subjects if each in products]
    what = few(given, 1) or "a snapshot"
    return Sighting(
        severity=estate.severity(step(base, 1) if is_usual and done else base, shown),
        title=f"{who(made)} made {what} and {_by_another(made, event)}{'shared' if done else 'tried to share'} it"
        f" with {share.holder}",
        detail=sentences(
            f"{what} of {few([made.source], 1)}, {after} after it was made."
            if made.source
            else f"{what}, {after} after it was made.",
            "Both are sessions of one identity." if _by_another(made, event) else "",
            f"Tried {len(told):,} times." if len(told) > 1 else "",
            "This actor shared before." if is_usual else "",
            f"Used since by {who(taken[0])}." if taken else "",
            where(told),
        ),
        events=shown,
        subject=given[0],
        principal=share.principal,
        judgement=share.judgement,
    )


def _by_another(made: Event, event: Event) -> str:
    """The session that shared, where it is not the one that made: nothing says that one person was both."""
    return "" if who(made) == who(event) else f"{who(event)} "


_MADE, _SHARED = did(Action.CREATE, 1), did(Action.SHARE, 3)
_TO_PARTNER = (Principal(PrincipalKind.ACCOUNT, PARTNER),)

DETECTION = Detection(
    id="create-share-chain",
    title="A snapshot made and given to somebody unknown by the same actor",
    detect=_detect,
    attack=Attack(("T1537", "T1578.001"), ("DC0057", "DC0058")),
    severities="critical; high by an actor who shares usually; medium where the share was refused, or with a directory "
    "object that is not resolved",
    tunables=("UserContext", "TimeWindow", "CrossAccountIDList", "GeoLocation", "VolumeSensitivity"),
    blind="A snapshot made by one identity and shared by another; one that is older than the time window. Both shares "
    "are findings of the inventory.",
    examples=(
        case("made, then shared with a stranger", line(_MADE, _SHARED), Severity.CRITICAL),
        case("made, then public", line(_MADE, did(Action.SHARE, 3, targets=(EVERYONE,))), Severity.CRITICAL),
        case("and used", line(_MADE, _SHARED, did(Action.RESTORE, 9, THIEF)), Severity.CRITICAL),
        case("made before the approval", line(did(Action.CREATE, -60), _SHARED), Severity.CRITICAL),
        case("a copy", line(did(Action.COPY, 1, subjects=("snap-0",), made=SNAPSHOT), _SHARED), Severity.CRITICAL),
        case("by one who shares usually", line(_MADE, _SHARED, **used_to(Action.SHARE)), Severity.HIGH),
        case("share refused", line(_MADE, failed(_SHARED)), Severity.MEDIUM),
        case("share as a dry run", line(_MADE, failed(_SHARED, Result.DRY_RUN)), None),
        case("share refused twice", line(_MADE, failed(_SHARED), failed(did(Action.SHARE, 5))), Severity.MEDIUM),
        case("with a partner", line(_MADE, did(Action.SHARE, 3, targets=_TO_PARTNER)), None),
        case("approved", line(_MADE, _SHARED), None, estate(known(approved=frozenset({STRANGER})))),
        case("taken back only", line(_MADE, did(Action.UNSHARE, 3)), None),
        case("GuardDuty looks for malware", line(did(Action.CREATE, 1, GUARDDUTY), did(Action.SHARE, 3, GUARDDUTY)),
             None),
        case("by two actors", line(_MADE, did(Action.SHARE, 3, OPS)), None),
        case("made long before", line(did(Action.CREATE, -3000), _SHARED), None),
    ),
)  # fmt: skip
