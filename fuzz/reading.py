"""What is done with a damaged record; in a file of its own so that atheris can see into all that it imports."""

from collections.abc import Callable
from typing import Any

from fuzz.mutation import mutated
from snapbase.audit.files import parse, unpack
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Event

_LOGS = audit_logs()


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
            log = next(log for log in _LOGS if log.cloud == found.cloud)
            list(log.fold((found, found)))
            hash(found)
    return said
