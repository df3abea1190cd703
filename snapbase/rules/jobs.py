"""A job that a backup service lists, and the log's event that asked for it, are one thing that was done once.

The log tells who and from where, the job how it ended, where the data went and what was made.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Cloud
from snapbase.rules.timeline import CHANGES, EventKey, key_of

_NAMED = re.compile(r"\b(copy|restore)JobId=([0-9A-Za-z-]{8,64})\b")
_JOBS: Mapping[str, tuple[str, ...]] = {Cloud.AWS: ("copy-job/", "restore-job/"), Cloud.AZURE: ("backup-job/",)}
"""What the ids of jobs begin with, and no other event's."""
_BEFORE, _AFTER = timedelta(minutes=5), timedelta(minutes=15)
"""Azure's job begins about when the Activity Log accepts its restore, by clocks of different services."""
_LONGEST = 1_000


def joined(events: Iterable[Event]) -> tuple[list[Event], dict[EventKey, EventKey]]:
    """The events, each job folded into the log's own where there is one; and by such a job's key that event's."""
    found = {key_of(each): each for each in events}
    jobs = {key: each for key, each in found.items() if each.id.startswith(_JOBS.get(each.cloud, ("\0",)))}
    same: dict[EventKey, EventKey] = {}
    if jobs:
        asked = [each for key, each in found.items() if key not in jobs and _asks(each)]
        same = {**dict(_by_id(jobs.values(), asked)), **dict(_by_time(jobs.values(), asked))}
    for job, event in same.items():
        found[event] = _one(found[event], found.pop(job))
    return list(found.values()), same


def _asks(event: Event) -> bool:
    """A service's own calls only: what others write into their calls' parameters could name any job."""
    ours = event.name.startswith(("backup:", "Microsoft.RecoveryServices/", "Microsoft.DataProtection/"))
    return ours and event.action in (Action.COPY, Action.RESTORE) and event.result in CHANGES


def _by_id(jobs: Iterable[Event], asked: Iterable[Event]) -> Iterator[tuple[EventKey, EventKey]]:
    """CloudTrail names the job: where it began, by whoever asked, before where it ended, by nobody."""
    named: dict[tuple[str, str], Event] = {}
    for event in sorted(asked, key=lambda each: (each.actor.kind == ActorKind.SERVICE, each.at, each.id)):
        for sort, number in _NAMED.findall(event.detail)[-1:] if event.cloud == Cloud.AWS else ():
            named.setdefault((event.account, f"{sort}-job/{number}".lower()), event)
    for job in jobs:
        one = named.get((job.account, job.id.lower())) if job.cloud == Cloud.AWS else None
        # That a service says where it ended must not make its own what somebody asked for.
        unasked = one is not None and one.actor.kind == ActorKind.SERVICE != job.actor.kind
        if one is not None and one.action == job.action and not unasked:
            yield key_of(job), key_of(one)


def _by_time(jobs: Iterable[Event], asked: Iterable[Event]) -> Iterator[tuple[EventKey, EventKey]]:
    """Azure names no job when it accepts a restore: the same item of the same vault, at the same time."""
    free = {key_of(each): each for each in asked if each.cloud == Cloud.AZURE and each.action == Action.RESTORE}
    for job in sorted(jobs, key=lambda each: (each.at, each.id)):
        near = [
            each
            for each in free.values()
            if each.account == job.account and -_BEFORE <= job.at - each.at <= _AFTER and _is_of(job, each)
        ]
        if job.cloud == Cloud.AZURE and near:
            event = min(near, key=lambda each: (abs(job.at - each.at), each.id))
            del free[key_of(event)]
            yield key_of(job), key_of(event)


def _is_of(job: Event, event: Event) -> bool:
    """Whether what was asked for is of the job's vault, and of its machine or instance where the job names one."""
    vault, *items = job.subjects
    about = event.subjects[0] if event.subjects else ""
    named = [each for each in items if each.startswith(f"{vault}/")]
    machine = job.source.split("/")
    if len(machine) == 9 and not named:
        named = [f";{machine[4]};{machine[8]}/"]
    return about.startswith(f"{vault}/") and all(f"{each.rstrip('/')}/" in f"{about}/" for each in named)


def _one(event: Event, job: Event) -> Event:
    return replace(
        event,
        subjects=tuple(dict.fromkeys((*event.subjects, *job.subjects))),
        source=event.source or job.source,
        made=event.made or job.made,
        targets=event.targets or job.targets,
        result=event.result if job.result == Result.STARTED else job.result,
        detail=" ".join(filter(None, (event.detail, job.detail)))[:_LONGEST],
    )
