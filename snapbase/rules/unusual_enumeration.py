"""Somebody looks at what snapshots there are, who never did, or everywhere at once."""

from collections.abc import Iterator

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity, several
from snapbase.rules.detection import TIMES_USUAL, Detection, Sighting, calls, sentences, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import BACKUP, EVE, INSPECTOR, case, did, estate, failed, line, listings, used_to
from snapbase.rules.timeline import ATTEMPTS, HOUR, Timeline, by_actor, sessions

_REGIONS = 3
"""So many regions are a sweep, not work."""


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    """Only listings that name no id: tools poll one snapshot every few seconds until it is ready."""
    listed = (
        each
        for each in timeline.fresh(Action.ENUMERATE)
        if not each.ids and not estate.is_collector(each) and not estate.is_apart(each)
    )
    for events in by_actor(listed).values():
        usual = timeline.busy_hour(events[0], Action.ENUMERATE)
        for session in sessions(events, HOUR):
            is_new = timeline.is_new(session[0], estate.tuning.window)
            if _is_unusual(session, usual, estate, is_new=is_new):
                yield _sighting(session, usual, estate, is_new=is_new)


def _is_unusual(session: list[Event], usual: int, estate: Estate, *, is_new: bool) -> bool:
    """A list of many pages is one listing: distinct questions count."""
    asked = len({(each.account, each.region, each.name) for each in session})
    if is_new:
        return asked >= estate.tuning.listings or _swept(session)
    if estate.is_outside(session[0]) and asked >= _REGIONS:
        return True
    return bool(usual) and asked >= max(estate.tuning.listings, TIMES_USUAL * usual)


def _swept(session: list[Event]) -> bool:
    return len({(each.account, each.region) for each in session}) >= _REGIONS


def _sighting(session: list[Event], usual: int, estate: Estate, *, is_new: bool) -> Sighting:
    places = {(each.account, each.region) for each in session}
    refused = sum(each.result in ATTEMPTS for each in session)
    base = Severity.MEDIUM if is_new and (_swept(session) or refused * 2 >= len(session)) else Severity.LOW
    return Sighting(
        severity=estate.severity(base, session[:1]),
        title=f"{who(session[0])}{', new to it,' if is_new else ''} listed snapshots in "
        f"{several(len(places), 'region')}",
        detail=sentences(
            f"{len(session):,} listings from {session[0].at:%Y-%m-%d %H:%M} UTC: {calls(session)}.",
            f"{refused:,} of them were refused." if refused else "",
            f"A busy hour of this actor has {usual:,}." if usual else "",
            where(session),
        ),
        events=tuple(session),
    )


_POLLING = [did(Action.ENUMERATE, 1 + number / 6, ids=1, detail=f"n{number}") for number in range(200)]

DETECTION = Detection(
    id="unusual-enumeration",
    title="Snapshots listed by a new principal, or far more widely than usual",
    detect=_detect,
    attack=Attack(("T1580", "T1526"), ("DC0047",)),
    severities="low; medium over three regions or where most was refused, by a new principal",
    tunables=("APIThreshold", "UserContext", "TimeWindow", "GeoLocation"),
    blind="Azure, which logs no reads, and Google Cloud without Data Access logs; a few listings in one region; one "
    "who lists as usual.",
    examples=(
        case("every region, by a new principal", line(listings(17, 17)), Severity.MEDIUM),
        case("mostly refused", line(failed(each) for each in listings(12, 12)), Severity.MEDIUM),
        case("far more than usual", line(listings(40, 40), **used_to(Action.ENUMERATE, hours=(4, 4))), Severity.LOW),
        case("one who lists everywhere usually",
             line(listings(40, 40), **used_to(Action.ENUMERATE, hours=(40, 40))), None),
        case("the console opened once", line(listings(2)), None),
        case("polling one snapshot", line(_POLLING), None),
        case("many pages of one list",
             line(did(Action.ENUMERATE, 1 + number / 60, detail=f"p{number}") for number in range(100)), None),
        case("a dry run", line(failed(each, Result.DRY_RUN) for each in listings(17, 17)), None),
        case("AWS Backup", line(listings(40, 17, actor=BACKUP)), None),
        case("Inspector", line(listings(40, 17, actor=INSPECTOR)), None),
        case("snapbase itself", line(listings(40, 17)), None, estate(collectors=(EVE.id,))),
        case("trusted", line(listings(40, 17)), None, estate(trusted_actors=(EVE.id,))),
    ),
)  # fmt: skip
