"""The shape of a detection: one file in this folder exporting `DETECTION`.

Pure: (events since what was approved, what is known beside them) -> what must be said of them. A dry run is nothing; a
call that failed is an attempt, which changes nothing and is said with less weight.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from snapbase.event import Event
from snapbase.finding import Attack, Severity, several
from snapbase.model import Principal
from snapbase.rules.estate import Estate
from snapbase.rules.timeline import Timeline
from snapbase.trust import Judgement

TIMES_USUAL = 3
"""So many times the actor's own busy hour is a burst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that some events show."""

    severity: Severity
    title: str
    detail: str = ""
    events: tuple[Event, ...]
    """What shows it, in order of time: approving the finding accepts these."""
    subject: str = ""
    """The address of what it was done to, where it is one thing."""
    principal: Principal | None = None
    """Who was given the data, or took it."""
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Events, and what the detection must say of them; None: nothing."""

    name: str
    timeline: Timeline
    severity: Severity | None
    estate: Estate


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    id: str
    title: str
    detect: Callable[[Timeline, Estate], Iterator[Sighting]]
    attack: Attack
    severities: str
    """In words, for the README."""
    tunables: tuple[str, ...]
    """ATT&CK's names of what can be set for it: `UserContext`, `RateThreshold`."""
    blind: str
    """What it cannot see."""
    examples: tuple[Case, ...]


_NOT_COPIES = ("vault", "disks.insert", "disks/write", "disks.delete", "disks/delete", "fastsnapshot")


def is_copy(event: Event) -> bool:
    """Whether what was made or deleted is a copy of data, not a disk, a vault or a setting."""
    return not any(word in event.name.lower() for word in _NOT_COPIES)


_PLACES = ("assumed-role/", "user/", "role/", "federated-user/")


def who(event: Event) -> str:
    """The actor in a title: an ARN without its account, a mail as it is."""
    name = event.actor.id or event.actor.via or "nobody named"
    if name.startswith("arn:"):
        name = name.split(":", 5)[-1]
    return next((name.removeprefix(each) for each in _PLACES if name.startswith(each)), name)


def few(names: Iterable[str], most: int = 3) -> str:
    """A few resources by what their addresses end with."""
    ordered = list(dict.fromkeys(filter(None, names)))
    shown = ", ".join(each.replace(":", "/").rpartition("/")[2] or each for each in ordered[:most])
    return shown + (f" and {len(ordered) - most:,} more" if len(ordered) > most else "")


_CALL = re.compile(r"(?:[^./]+[./])?[^./]+$")


def calls(events: Iterable[Event], most: int = 3) -> str:
    """A few calls by what their names end with: `DeleteRule`, `vaults/write`, `snapshots.delete`."""
    names = dict.fromkeys(each.name.rpartition(":")[2].removesuffix("/action") for each in events)
    ends = list(dict.fromkeys(found[0] if (found := _CALL.search(each)) else each for each in names))
    return ", ".join(ends[:most]) + (f" and {len(ends) - most:,} more" if len(ends) > most else "")


def lasting(span: timedelta) -> str:
    """A span in the unit that suits it."""
    seconds = int(span.total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return several(seconds // length, unit)
    return several(seconds, "second")


def things(events: Iterable[Event]) -> list[str]:
    """What events were done to, or made, each once."""
    return list(dict.fromkeys(name for each in events for name in ((each.made,) if each.made else each.subjects)))


def where(events: Iterable[Event]) -> str:
    """From which addresses."""
    found = sorted({each.source_ip for each in events if each.source_ip})
    return f"From {', '.join(found[:3])}{' and others' if len(found) > 3 else ''}." if found else ""


def sentences(*words: str) -> str:
    return " ".join(filter(None, words))
