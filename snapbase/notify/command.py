"""A program that is given the report as JSON on its standard input. No shell."""

import subprocess
from collections.abc import Iterator

from snapbase.notify import Channel, Message, NotDelivered, Way, mark
from snapbase.settings import NotifySection


def _ways(section: NotifySection) -> Iterator[Way]:
    if section.command:
        yield Way("command", mark("command", *section.command), lambda message: _run(section, message))


def _run(section: NotifySection, message: Message) -> None:
    """Exit code 0 is a delivery. What it prints is nobody's: a child of its own could hold the pipe open for ever."""
    try:
        done = subprocess.run(  # noqa: S603 - the configuration names it
            list(section.command),
            input=message.body,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=section.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotDelivered(f"it did not end within {section.timeout:g} s") from None
    except OSError as error:
        raise NotDelivered(f"it cannot be started: {error.strerror}") from None
    if done.returncode:
        raise NotDelivered(f"it ended with {done.returncode}")


CHANNEL = Channel("command", _ways)
