"""Many snapshots deleted in an hour by somebody who does not do that."""

from collections.abc import Iterator
from dataclasses import replace

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.rules.detection import (
    TIMES_USUAL,
    Detection,
    Sighting,
    calls,
    few,
    is_copy,
    sentences,
    things,
    where,
    who,
)
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import BACKUP, DLM, case, estate, failed, line, many, used_to
from snapbase.rules.timeline import CHANGES, Timeline, bursts, by_actor, weight


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    """What an approved cohort deletes counts too where it is not its service that deletes: that is how backups die."""
    asked = [each for each in timeline.fresh(Action.DELETE) if is_copy(each) and not estate.is_apart(each)]
    for done in (True, False):
        some = (each for each in asked if (each.result in CHANGES) == done)
        for events in by_actor(some).values():
            usual = timeline.busy_hour(events[0], Action.DELETE)
            for burst in bursts(events, max(estate.tuning.burst, TIMES_USUAL * usual)):
                yield _sighting(burst, usual, timeline, estate, done=done)


def _sighting(burst: list[Event], usual: int, timeline: Timeline, estate: Estate, *, done: bool) -> Sighting:
    inhibited = timeline.done_by(burst[0], Action.INHIBIT, estate.tuning.window)
    base = Severity.MEDIUM if not done else Severity.CRITICAL if inhibited else Severity.HIGH
    count = sum(map(weight, burst))
    return Sighting(
        severity=estate.severity(base, burst),
        title=f"{who(burst[0])} {'deleted' if done else 'tried in vain to delete'} {count:,} snapshots at once",
        detail=sentences(
            f"{burst[0].at:%Y-%m-%d %H:%M} to {burst[-1].at:%H:%M} UTC: {few(things(burst))}.",
            f"A busy hour of this actor has {usual:,}." if usual else "This actor deleted none before.",
            f"It also made recovery harder: {calls(inhibited)}." if inhibited else "",
            where(burst),
        ),
        events=tuple(burst),
    )


_TOLD = replace(BACKUP, via="scheduler.amazonaws.com")

DETECTION = Detection(
    id="deletion-burst",
    title="Many snapshots deleted within an hour, beyond the actor's own habit",
    detect=_detect,
    attack=Attack(("T1485", "T1490"), ("DC0049",)),
    severities="high; critical where the actor also took protection away; medium where every call was refused",
    tunables=("RateThreshold", "UserContext", "GeoLocation", "VolumeSensitivity"),
    blind="Deletions spread over days (each is `snapshot-disappeared` or `early-deletion`); what a shortened retention "
    "lets the service itself delete.",
    examples=(
        case("thirty in half an hour", line(many(Action.DELETE, 30)), Severity.HIGH),
        case("all refused", line(failed(each) for each in many(Action.DELETE, 30)), Severity.MEDIUM),
        case("with the vault unlocked first", line(many(Action.INHIBIT, 1), many(Action.DELETE, 30)),
             Severity.CRITICAL),
        case("dry runs", line(failed(each, Result.DRY_RUN) for each in many(Action.DELETE, 30)), None),
        case("too few", line(many(Action.DELETE, 5)), None),
        case("as this actor always does", line(many(Action.DELETE, 30), **used_to(Action.DELETE, hours=(40, 40))),
             None),
        case("AWS Backup's lifecycle", line(many(Action.DELETE, 500, actor=BACKUP)), None),
        case("a lifecycle policy", line(many(Action.DELETE, 500, actor=DLM)), None),
        case("a scheduler that somebody told to", line(many(Action.DELETE, 30, actor=_TOLD)), Severity.HIGH),
        case("trusted", line(many(Action.DELETE, 30)), None, estate(trusted_actors=("*:user/eve",))),
    ),
)  # fmt: skip
