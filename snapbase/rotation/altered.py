"""Pure: two states of a policy -> in words, what the second says otherwise."""

from snapbase.diff import PRESENCE, entries
from snapbase.model import Json, State

_SAID = 3
_SHORT = 60


def altered(then: State, now: State) -> str:
    """`retention_days daily is 1, was 35`; empty where nothing differs that is compared entry by entry."""
    before, after = entries(then), entries(now)
    names = sorted(name for name in {*before, *after} if name != PRESENCE and before.get(name) != after.get(name))
    said = [_words(name, before.get(name), after.get(name)) for name in sorted(names, key=_rank)[:_SAID]]
    return "; ".join(said + ([f"{len(names) - _SAID} more"] if len(names) > _SAID else []))


def _rank(name: str) -> tuple[int, str]:
    """First whom it shares with, then how long it keeps."""
    return (0 if name.startswith("grant:") else 1 if name.startswith("attr:retention_days") else 2), name


def _words(name: str, was: Json, now: Json) -> str:
    what = name.removeprefix("attr:")
    if name.startswith("grant:"):
        holder, _, way = name.removeprefix("grant:").partition("|")
        what = f"{way.rpartition('|')[2]} to {holder.replace(':', ' ', 1)}"
    if was is None:
        return f"{what} is new"
    if now is None:
        return f"{what} is gone"
    return f"{what} is {now}, was {was}" if _is_short(was) and _is_short(now) else f"{what} is another"


def _is_short(value: Json) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= _SHORT
