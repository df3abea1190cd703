"""Pure: change tickets that a snapshot's tags claim. A claim is the word of whoever wrote the tag, until confirmed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """Asked, and told that this snapshot is not part of the change."""
    UNCONFIRMED = "unconfirmed"
    """Nobody could be asked, or gave no answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One snapshot that says it belongs to a change."""

    uid: str
    ticket: str
    standing: str = Standing.UNCONFIRMED
    words: str = ""
    """Why it was refused, or why nobody could be asked."""


def claimed(tags: Mapping[str, str], keys: tuple[str, ...], pattern: str) -> str:
    """The ticket that the tags name under one of the keys; empty where none does."""
    for key in keys:
        if re.fullmatch(pattern, value := tags.get(key, "")):
            return value
    return ""
