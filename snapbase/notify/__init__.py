"""Ways to tell somebody. One file per channel, exporting `CHANNEL`; the folder is the registry.

An address is a secret: whatever goes wrong, no word of it is said, kept or raised.
"""

import importlib
import pkgutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
class Channel:
    """One kind of way."""

    name: str
    ways: Callable[[NotifySection], Mapping[str, Send]]
    """What is configured of it, by a name that tells one from another and holds no secret."""


_GRACE = 1.0
"""Seconds that a way has to end what takes too long by itself."""


@cache
def channels() -> tuple[Channel, ...]:
    found = []
    for module in pkgutil.iter_modules(__path__):
        channel = getattr(importlib.import_module(f"{__name__}.{module.name}"), "CHANNEL", None)
        if channel is not None:
            found.append(channel)
    return tuple(found)


def ways(section: NotifySection) -> dict[str, Send]:
    """Every configured way, by its name."""
    return {name: send for channel in channels() for name, send in channel.ways(section).items()}


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

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout + _GRACE)
    return told[0] if told else f"no answer within {timeout:g} s"
