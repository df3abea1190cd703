"""Settings whose values have an order from open to closed, and which way a change went."""

from collections.abc import Mapping

from snapbase.diff import Change
from snapbase.model import Json

Ladder = tuple[Json, ...]
"""Values from the most open to the most closed."""


def step(change: Change, ladders: Mapping[str, Ladder]) -> int:
    """Above 0: towards closed; below 0: towards open, or to a value the ladder does not know; 0: not on a ladder."""
    ladder = ladders.get(change.entry.removeprefix("attr:"))
    if ladder is None:
        return 0
    if change.now not in ladder:
        return -1
    if change.was not in ladder:
        return 1
    return ladder.index(change.now) - ladder.index(change.was)


def words(change: Change) -> str:
    """`public network access: Disabled → Enabled`."""
    name = change.entry.removeprefix("attr:").replace("_", " ")
    return f"{name}: {_word(change.was)} → {_word(change.now)}"


def _word(value: Json) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
