"""What a reviewer decided so far, as steps that can be taken back and replayed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Choice(StrEnum):
    APPROVE = "approve"
    LEAVE = "leave"
    """Looked at, and stays a finding."""


@dataclass(frozen=True, slots=True)
class Decision:
    choice: Choice | None = None
    note: str = ""
    """The reason for this one finding, where it has its own."""


UNDECIDED = Decision()


@dataclass(frozen=True, slots=True)
class Did:
    """One step: what each finding's decision is from now on."""

    step: Mapping[str, Decision]


@dataclass(frozen=True, slots=True)
class Undid:
    """The last step that was not taken back yet is."""


@dataclass(frozen=True, slots=True)
class Saved:
    """These became approvals: they are no longer open decisions."""

    baseline: int
    ids: tuple[str, ...]


Event: TypeAlias = Did | Undid | Saved


class Decisions:
    """Every open decision by finding id. The same events in the same order give the same decisions."""

    def __init__(self, record: Callable[[Event], None] = lambda _: None) -> None:
        self._now: dict[str, Decision] = {}
        self._past: list[dict[str, Decision]] = []
        self._record = record
        self.saved: dict[str, int] = {}
        """The baseline that each saved decision went into."""

    def replay(self, events: Iterable[Event]) -> None:
        for event in events:
            self._apply(event)

    def record_with(self, record: Callable[[Event], None]) -> None:
        self._record = record

    def of(self, finding: str) -> Decision:
        return self._now.get(finding, UNDECIDED)

    @property
    def open(self) -> Mapping[str, Decision]:
        return self._now

    def do(self, step: Mapping[str, Decision]) -> bool:
        """Whether anything differs from before; a step that changes nothing is none."""
        step = {key: each for key, each in step.items() if self.of(key) != each}
        if step:
            self._happened(Did(step))
        return bool(step)

    def undo(self) -> tuple[str, ...]:
        """Whose decisions are as before the last step; empty where there is none."""
        touched = tuple(self._past[-1]) if self._past else ()
        if touched:
            self._happened(Undid())
        return touched

    def save(self, baseline: int, ids: Iterable[str]) -> None:
        self._happened(Saved(baseline, tuple(ids)))

    def _happened(self, event: Event) -> None:
        """Kept before it counts: what is on the screen is in the file."""
        self._record(event)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        match event:
            case Did(step):
                self._past.append({key: self.of(key) for key in step})
                self._set(step)
            case Undid():
                if self._past:
                    self._set(self._past.pop())
            case Saved(baseline, ids):
                self._set(dict.fromkeys(ids, UNDECIDED))
                self.saved.update(dict.fromkeys(ids, baseline))
                # A step from before would bring back, as an open decision, what is an approval by now.
                self._past.clear()

    def _set(self, step: Mapping[str, Decision]) -> None:
        for key, each in step.items():
            if each == UNDECIDED:
                self._now.pop(key, None)
            else:
                self._now[key] = each
