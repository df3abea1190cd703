"""Pure: (before, after, coverage) -> changes."""

from dataclasses import dataclass

from snapbase.model import Pin, Scope, State


@dataclass(frozen=True, slots=True)
class PinnedState:
    """A pin, with what its subject looked like as of the pin's revision."""

    pin: Pin
    state: State | None
    absence_known: bool
    """Whether the subject's scope had been listed completely at or before the pin's revision."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One resource that may differ between a baseline and a run: both sides, and the pins on its entries."""

    scope: Scope
    uid: str
    before: State | None
    after: State | None
    absence_known: bool
    """Whether the scope had been listed completely at or before the baseline's revision: only then is new a fact."""
    pins: tuple[PinnedState, ...] = ()
