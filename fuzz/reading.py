"""What is done with a damaged record; in a file of its own so that atheris can see into all that it imports."""

import json
from collections.abc import Callable
from typing import Any

from fuzz.mutation import mutated, seeds
from snapbase.audit.files import parse, unpack
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Action, Event
from snapbase.rules.jobs import joined

_LOGS = audit_logs()
_SOUND = (parse(json.loads(seed), _LOGS) for seed in seeds())
_JOBS = (Action.COPY, Action.RESTORE)
_ASKED = tuple(each for each in _SOUND if isinstance(each, Event) and each.action in _JOBS)
"""The sound ones, to which a damaged job may seem to belong."""


def read(choose: Callable[[int], int]) -> str:
    """What became of one damaged record; whatever is raised is a fault."""
    record: Any = mutated(choose)
    said = "nothing"
    for each in unpack(record):
        if isinstance(each, Broken):
            said = "broken"
            continue
        found = parse(each, _LOGS)
        said = "broken" if isinstance(found, Broken) else "event" if isinstance(found, Event) else "passed over"
        if isinstance(found, Event):
            log = next(log for log in _LOGS if log.recognise(each))
            list(log.fold((found, found)))
            hash(found)
            if found.action in _JOBS:
                joined((found, *_ASKED))
    return said
