"""A disk, machine or database made of a snapshot by somebody who never made one."""

from collections.abc import Iterator
from dataclasses import replace

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.rules.detection import Detection, Sighting, few, sentences, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import BACKUP, DLM, EVE, OPS, THIEF, case, did, estate, failed, line, used_to
from snapbase.rules.mount_by_new_principal import mounted
from snapbase.rules.timeline import CHANGES, Timeline, by_actor

_JOB = "backup:RestoreJob"
"""By AWS Backup's own list, until the event that asked for it is read."""


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    told = {id(each.restored) for each in mounted(timeline, estate) if timeline.is_fresh(each.attached)}
    found = [
        each
        for each in timeline.fresh(Action.RESTORE)
        if id(each) not in told
        and each.actor.kind != ActorKind.FOREIGN
        and not estate.is_apart(each)
        and (timeline.is_new(each, estate.tuning.window) or estate.is_outside(each) or _is_unnamed(each))
    ]
    for done in (True, False):
        for events in by_actor(each for each in found if (each.result in CHANGES) == done).values():
            yield _sighting(events, timeline, estate, done=done)


def _is_unnamed(event: Event) -> bool:
    """A service's own list tells of it, and no log of who asked: it was not read, or left that out. The role that a job
    worked with is anybody's who may pass it."""
    return bool(event.actor.via) and (not event.actor.principal or event.name == _JOB)


def _sighting(events: list[Event], timeline: Timeline, estate: Estate, *, done: bool) -> Sighting:
    snapshots = list(dict.fromkeys(each.source or few(each.subjects, 1) for each in events))
    is_new = timeline.is_new(events[0], estate.tuning.window)
    base = Severity.MEDIUM if done else Severity.LOW
    is_public = any("publiclyaccessible=true" in each.detail.lower() for each in events)
    adverb = "new to it" if is_new else "from outside our networks"
    if _is_unnamed(events[0]):
        adverb = "for somebody whom no log names"
    return Sighting(
        severity=estate.severity(Severity.HIGH if is_public and done else base, events),
        title=f"{who(events[0])}, {adverb}, {'restored' if done else 'tried to restore'} {few(snapshots, 1)}",
        detail=sentences(
            f"{events[0].name} {events[0].at:%Y-%m-%d %H:%M} UTC, made {few(each.made for each in events)}."
            if done and any(each.made for each in events)
            else f"{events[0].name} {events[0].at:%Y-%m-%d %H:%M} UTC.",
            f"{len(snapshots):,} snapshots: {few(snapshots)}." if len(snapshots) > 1 else "",
            "The database answers the internet." if is_public else "",
            where(events),
        ),
        events=tuple(events),
        subject=snapshots[0] if len(snapshots) == 1 else "",
    )


_MADE = did(Action.RESTORE, 1, made="vol-9")
_JOBBED = did(Action.RESTORE, 1, replace(OPS, via="backup.amazonaws.com"), name=_JOB)
_LATER = did(Action.RESTORE, 4000, made="vol-10")

DETECTION = Detection(
    id="restore-by-new-principal",
    title="A snapshot restored by a principal that never restored one",
    detect=_detect,
    attack=Attack(("T1578.002", "T1578.004"), ("DC0058", "DC0062")),
    severities="medium; high where the database made of it is public; low where it was refused; a step worse for "
    "sensitive sources or from outside our networks",
    tunables=("UserContext", "TimeWindow", "GeoLocation", "VolumeSensitivity"),
    blind="Logs known for less than a week, in which everybody is new; one who restored before; launches of an image "
    "that name no snapshot.",
    examples=(
        case("a volume", line(_MADE), Severity.MEDIUM),
        case("a public database", line(did(Action.RESTORE, 1, detail="publiclyAccessible=true")), Severity.HIGH),
        case("refused", line(failed(_MADE)), Severity.LOW),
        case("a dry run", line(failed(_MADE, Result.DRY_RUN)), None),
        case("one who restores usually", line(_MADE, **used_to(Action.RESTORE)), None),
        case("usually, but from elsewhere", line(_MADE, **used_to(Action.RESTORE)), Severity.HIGH,
             estate(networks=("192.0.2.0/24",))),
        case("from our network", line(_MADE, **used_to(Action.RESTORE)), None, estate(networks=("203.0.113.0/24",))),
        case("another session of a role that does", line(did(Action.RESTORE, 1, OPS), **used_to(Action.RESTORE, OPS)),
             None),
        case("attached as well: another rule",
             line(_MADE, did(Action.MOUNT, 3, subjects=("vol-9",), source="vol-9")), None),
        case("for nobody whom a log names",
             line(did(Action.RESTORE, 1, Actor("", via="Azure Backup"))), Severity.MEDIUM),
        case("by a job, with a role that does so usually",
             line(_JOBBED, **used_to(Action.RESTORE, _JOBBED.actor)), Severity.MEDIUM),
        case("by a schedule", line(did(Action.RESTORE, 1, Actor("", ActorKind.SERVICE, via="Azure Backup"))), None),
        case("AWS Backup tests a restore", line(did(Action.RESTORE, 1, BACKUP)), None),
        case("a lifecycle service", line(did(Action.RESTORE, 1, DLM)), None),
        case("a foreign account: another rule", line(did(Action.RESTORE, 1, THIEF)), None),
        case("no news any more", line(_MADE, _LATER, accepted=frozenset({("aws", _MADE.id)})), None),
        case("a log of yesterday", line(_MADE, learnt={("aws", ""): _MADE.at}), None),
        case("trusted", line(_MADE), None, estate(trusted_actors=(EVE.id,))),
    ),
)  # fmt: skip
