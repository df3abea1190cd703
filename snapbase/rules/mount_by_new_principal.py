"""A disk made of a snapshot, attached to a machine by somebody who never attached one: reading at leisure."""

from collections.abc import Iterator
from dataclasses import dataclass

from snapbase.event import Action, Event, Result
from snapbase.finding import Attack, Severity
from snapbase.rules.detection import Detection, Sighting, few, sentences, where, who
from snapbase.rules.estate import Estate
from snapbase.rules.example_events import BACKUP, OPS, case, did, estate, failed, line, used_to
from snapbase.rules.timeline import CHANGES, Timeline, by_actor


@dataclass(frozen=True, slots=True)
class Mounted:
    """A disk attached, and what made the disk of a snapshot."""

    restored: Event
    attached: Event


def mounted(timeline: Timeline, estate: Estate) -> Iterator[Mounted]:
    """Disks of snapshots that a principal new to attaching attached."""
    for event in timeline.of(Action.MOUNT):
        if event.result not in CHANGES or estate.is_apart(event):
            continue
        made = timeline.maker(event)
        if made is not None and made.action == Action.RESTORE and timeline.is_new(event, estate.tuning.window):
            yield Mounted(made, event)


def _detect(timeline: Timeline, estate: Estate) -> Iterator[Sighting]:
    found = [each for each in mounted(timeline, estate) if timeline.is_fresh(each.attached)]
    restored = {id(each.attached): each.restored for each in found}
    for events in by_actor(each.attached for each in found).values():
        before = list(dict.fromkeys(restored[id(each)] for each in events))
        yield _sighting(before, events, estate)


def _sighting(restored: list[Event], attached: list[Event], estate: Estate) -> Sighting:
    snapshots = [name for each in restored for name in (each.source or few(each.subjects, 1),)]
    makers = {who(each) for each in restored} - {who(attached[0])}
    return Sighting(
        severity=estate.severity(Severity.HIGH, restored),
        title=f"{who(attached[0])}, new to it, attached what was made of {few(snapshots, 1)}",
        detail=sentences(
            f"{few(each.made for each in restored)}, {attached[0].at:%Y-%m-%d %H:%M} UTC, {attached[0].detail}.",
            f"Made by {', '.join(sorted(makers))}." if makers else "",
            where(attached),
        ),
        events=tuple(sorted({*restored, *attached}, key=lambda each: (each.at, each.id))),
        subject=snapshots[0] if len(set(snapshots)) == 1 else "",
    )


_MADE = did(Action.RESTORE, 1, made="vol-9")
_ATTACHED = did(Action.MOUNT, 3, subjects=("vol-9",), source="vol-9", detail="instanceId=i-1")

DETECTION = Detection(
    id="mount-by-new-principal",
    title="A disk made of a snapshot, attached by a principal that never attached one",
    detect=_detect,
    attack=Attack(("T1578.002", "T1578.001"), ("DC0058", "DC0062")),
    severities="high; a step worse for sensitive sources or from outside our networks",
    tunables=("UserContext", "TimeWindow", "GeoLocation", "VolumeSensitivity"),
    blind="Machines launched with the snapshot itself (`restore-by-new-principal`); logs known for less than a week, "
    "in which everybody is new; one who attached before.",
    examples=(
        case("restored and attached", line(_MADE, _ATTACHED), Severity.HIGH),
        case("restored by another", line(did(Action.RESTORE, 1, OPS, made="vol-9"), _ATTACHED), Severity.HIGH),
        case("of what is sensitive", line(_MADE, _ATTACHED), Severity.CRITICAL, estate(sensitive=("*snap-0a*",))),
        case("another volume", line(_MADE, did(Action.MOUNT, 3, subjects=("vol-8",), source="vol-8")), None),
        case("one who attaches usually", line(_MADE, _ATTACHED, **used_to(Action.MOUNT)), None),
        case("refused", line(_MADE, failed(_ATTACHED)), None),
        case("a dry run", line(_MADE, failed(_ATTACHED, Result.DRY_RUN)), None),
        case("AWS Backup tests a restore",
             line(did(Action.RESTORE, 1, BACKUP, made="vol-9"), did(Action.MOUNT, 3, BACKUP, subjects=("vol-9",))),
             None),
        case("a log of yesterday", line(_MADE, _ATTACHED, learnt={("aws", ""): _MADE.at}), None),
    ),
)  # fmt: skip
