"""Many snapshots made in an hour by somebody who does not do that."""

from collections.abc import Iterator

from snapbase.event import Action, ActorKind, Event
from snapbase.finding import Attack, Severity
from snapbase.rules.detection import TIMES_USUAL, Detection, Sighting, few, is_copy, sentences, things, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import (
    BACKUP,
    DLM,
    OPS,
    SNAPSHOT,
    case,
    did,
    estate,
    failed,
    known,
    line,
    many,
    used_to,
)
from snapbase.rules.timeline import CHANGES, Timeline, bursts, by_actor, weight


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    made = (
        each
        for each in timeline.fresh(Action.CREATE, Action.COPY)
        if each.result in CHANGES
        and each.actor.kind != ActorKind.FOREIGN
        and is_copy(each)
        and not estate.is_apart(each)
    )
    for events in by_actor(made).values():
        usual = timeline.busy_hour(events[0], Action.CREATE, Action.COPY)
        least = max(estate.tuning.burst, TIMES_USUAL * usual)
        if len(events) < least and sum(map(weight, events)) < least:
            continue
        for burst in bursts(list(_unexpected(events, estate)), least):
            yield _sighting(burst, usual, estate)


def _unexpected(events: list[Event], estate: Estate) -> Iterator[Event]:
    """Without what an approved cohort accounts for, by evidence that cannot be forged."""
    facts = estate.look(events[0].cloud, {name for each in events for name in things((each,))})
    rotated = {name for name, each in facts.items() if each.known and each.known.rotated}
    return (each for each in events if not rotated.issuperset(things((each,))))


def _sighting(burst: list[Event], usual: int, estate: Estate) -> Sighting:
    names = things(burst)
    return Sighting(
        severity=estate.severity(Severity.MEDIUM, burst),
        title=f"{who(burst[0])} made {sum(map(weight, burst)):,} snapshots at once",
        detail=sentences(
            f"{burst[0].at:%Y-%m-%d %H:%M} to {burst[-1].at:%H:%M} UTC: {few(names)}.",
            f"A busy hour of this actor has {usual:,}." if usual else "This actor made none before.",
            where(burst),
        ),
        events=tuple(burst),
    )


_COVERED = estate(*(known(f"{SNAPSHOT}{number:04}", rotated=True) for number in range(30)))

DETECTION = Detection(
    id="snapshot-burst",
    title="Many snapshots made within an hour, beyond the actor's own habit",
    detect=_detect,
    attack=Attack(("T1578.001", "T1537"), ("DC0057",)),
    severities="medium; a step worse for sensitive sources or from outside our networks",
    tunables=("RateThreshold", "UserContext", "GeoLocation", "VolumeSensitivity"),
    blind="Few snapshots at a time, day after day (each is `snapshot-appeared`); what whoever is trusted makes.",
    examples=(
        case("thirty in half an hour", line(many(Action.CREATE, 30)), Severity.MEDIUM),
        case("copies count", line(many(Action.COPY, 30)), Severity.MEDIUM),
        case("of what is sensitive", line(many(Action.CREATE, 30)), Severity.HIGH, estate(sensitive=("vol-1",))),
        case("one call made them all", line(did(Action.CREATE, subjects=tuple("abcdefghijklmnopqrstuvwxyz"), made="")),
             Severity.MEDIUM),
        case("too few", line(many(Action.CREATE, 19)), None),
        case("spread over days", line(many(Action.CREATE, 30, within=3000)), None),
        case("as this actor always does", line(many(Action.CREATE, 30), **used_to(Action.CREATE, hours=(15, 20))),
             None),
        case("beyond what this actor does", line(many(Action.CREATE, 70), **used_to(Action.CREATE, hours=(15, 20))),
             Severity.MEDIUM),
        case("a lifecycle policy", line(many(Action.CREATE, 500, actor=DLM)), None),
        case("AWS Backup", line(many(Action.CREATE, 500, actor=BACKUP)), None),
        case("a role that DLM calls with", line(many(Action.CREATE, 500, actor=OPS, source_ip="dlm.amazonaws.com")),
             None),
        case("an approved cohort", line(many(Action.CREATE, 30)), None, _COVERED),
        case("refused", line(failed(each) for each in many(Action.CREATE, 30)), None),
        case("disks", line(many(Action.CREATE, 30, name="compute.disks.insert")), None),
        case("trusted", line(many(Action.CREATE, 30)), None, estate(trusted_actors=("*:user/eve",))),
    ),
)  # fmt: skip
