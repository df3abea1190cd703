"""What a queue of a cloud's events gave: hints of where to look, and never what anybody did.

Whoever may send to the queue can lie, and nothing says what it left out: so no event of a queue is kept, and a log's
coverage is judged by the log alone. snapbase takes messages and never deletes one: a queue set up for it forgets them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from snapbase.audit.files import unpack
from snapbase.audit.log import AuditLog
from snapbase.event import Event


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as far as it could be taken out of its envelope."""

    id: str
    text: str | None
    """None: it has none that could be decoded."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one request to a queue gave."""

    messages: tuple[str, ...]
    """Their ids: a message comes more than once."""
    events: tuple[Event, ...]
    foreign: int
    """Messages that are no records of the log."""


def heard(messages: Iterable[Message], log: AuditLog) -> Heard:
    """The events of one log in messages, whatever stands in them; what does not concern us is passed over."""
    ids: list[str] = []
    events: list[Event] = []
    foreign = 0
    for each in messages:
        ids.append(each.id)
        read, sound = _read(each.text, log)
        events += read
        foreign += not sound
    return Heard(tuple(ids), tuple(events), foreign)


def _read(text: str | None, log: AuditLog) -> tuple[list[Event], bool]:
    events: list[Event] = []
    sound = text is not None
    for record in unpack({"Body": text}) if text is not None else ():
        if not isinstance(record, dict) or not log.recognise(record):
            sound = False
            continue
        parsed = log.parse(record)
        if isinstance(parsed, Event):
            events.append(parsed)
        else:
            sound = sound and parsed is None
    return events, sound
