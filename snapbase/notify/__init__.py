"""Ways to tell somebody. One file per channel, exporting `CHANNEL`; the folder is the registry.

An address is a secret: whatever goes wrong, no word of it is said, kept or raised.
"""

import hashlib
import importlib
import logging
import pkgutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

from snapbase.settings import NotifySection


@dataclass(frozen=True, slots=True)
class Message:
    """The same news for people and for programs."""

    subject: str
    text: str
    body: bytes
    """JSON."""


class NotDelivered(Exception):
    """In words that hold no secret."""


Send = Callable[[Message], None]
"""Raises `NotDelivered`."""


@dataclass(frozen=True, slots=True)
class Way:
    """One address."""

    name: str
    """For people; it holds no secret."""
    mark: str
    """What was told to this address is known by it, wherever in the configuration it stands."""
    send: Send


def mark(kind: str, *address: str) -> str:
    """Another one for another address: who is new has been told nothing.

    It has two bytes of a hash: enough to tell an address from the one before it, too little to find one by.
    """
    return f"{kind} {hashlib.sha256(chr(0).join(address).encode()).hexdigest()[:4]}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of way."""

    name: str
    ways: Callable[[NotifySection], Iterable[Way]]
    """What is configured of it."""


_GRACE = 1.0
"""Seconds that a way has to end what takes too long by itself."""
_THREAD = "notify"
_LOUD = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
"""Loggers that name addresses: `Failed to parse headers (url=...)` is a warning, which Python prints by itself."""


@cache
def channels() -> tuple[Channel, ...]:
    found = []
    for module in pkgutil.iter_modules(__path__):
        channel = getattr(importlib.import_module(f"{__name__}.{module.name}"), "CHANNEL", None)
        if channel is not None:
            found.append(channel)
    return tuple(found)


def ways(section: NotifySection) -> tuple[Way, ...]:
    """Every configured way. No two have the same mark."""
    seen: Counter[str] = Counter()
    found = []
    for each in (way for channel in channels() for way in channel.ways(section)):
        seen[each.mark] += 1
        found.append(replace(each, mark=f"{each.mark}/{seen[each.mark]}") if seen[each.mark] > 1 else each)
    return tuple(found)


def _of_others(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD


def deliver(send: Send, message: Message, timeout: float) -> str:
    """Why it was not delivered, in words; empty where it was.

    In a thread of its own, which is left behind after `timeout` seconds: no answer may come so slowly that it holds up
    the run, and a library's own error may have the address in it.
    """
    told: list[str] = []

    def work() -> None:
        try:
            send(message)
            told.append("")
        except NotDelivered as error:
            told.append(str(error))
        except Exception as error:  # whatever a library raises, here only its name is safe
            told.append(f"failed: {type(error).__name__}")

    for each in _LOUD:
        logging.getLogger(each).addFilter(_of_others)
    thread = threading.Thread(target=work, name=_THREAD, daemon=True)
    thread.start()
    thread.join(timeout + _GRACE)
    return told[0] if told else f"no answer within {timeout:g} s"
