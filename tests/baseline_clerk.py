"""A player who also takes approvals back and lets them wait, and the oracle that replays what is left of the log."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import strategies as st

from snapbase.errors import ApprovalRefused
from snapbase.operations import approve as approving
from snapbase.operations import evidence
from tests.baseline_oracle import Entry, Layer, Oracle, Trust
from tests.baseline_player import CONTENTS, LATER, OUTCOMES, SCOPES, SOLD, Player, Step, grant_to, of_a


@dataclass(frozen=True)
class Marked(Layer):
    """A layer that knows which line of the log it comes from."""

    line: int = 0


@dataclass
class Said:
    """One line of the log, as it was said."""

    whole: tuple[Any, Any, Trust | None] | None
    pins: dict[Entry, list[Layer]]
    counts: bool = True
    revoked: bool = False


@dataclass
class Log(Oracle):
    """The oracle, which can forget what was revoked: it replays what is left."""

    said: list[Said] = field(default_factory=list)

    def approve_whole(self, held: set[Entry], now: datetime, *, counts: bool = True) -> None:
        super().approve_whole(held, now)
        state = deepcopy((self.base, self.base_known, self.base_trust))
        self.said.append(Said(state, dict(self.pins), counts))
        self.replay()

    def approve_single(self, uid: str, entry: str, until: datetime | None, *, counts: bool = True) -> None:
        before = {each: list(stack) for each, stack in self.pins.items()}
        super().approve_single(uid, entry, until)
        number = len(self.said) + 1
        new = {each: stack[0] for each, stack in self.pins.items() if stack != before.get(each)}
        pins: dict[Entry, list[Layer]] = {
            each: [Marked(layer.value, layer.known, layer.trust, layer.until, number)] for each, layer in new.items()
        }
        self.said.append(Said(None, pins, counts))
        self.replay()

    def replay(self) -> None:
        self.base, self.base_known, self.base_trust, self.pins = {}, set(), None, {}
        gone = {number for number, each in enumerate(self.said, 1) if each.revoked}
        for each in (each for each in self.said if each.counts and not each.revoked):
            if each.whole is not None:
                self.base, self.base_known, self.base_trust = deepcopy(each.whole)
                self.pins = {}
            for entry, stack in each.pins.items():
                # A date that a whole approval carried on ends with the approval it came from.
                left = [layer for layer in stack if layer.until is None or getattr(layer, "line", 0) not in gone]
                self.pins[entry] = [*left, *self.pins.get(entry, [])]

    def whole_above(self, number: int) -> bool:
        return any(each.whole and each.counts and not each.revoked for each in self.said[number:])


@dataclass
class Clerk(Player):
    """A player who also takes back, and lets things wait."""

    oracle: Log = field(default_factory=lambda: Log(SCOPES))
    pending: bool = False
    ids: list[int] = field(default_factory=list)
    """The line of the store's log for each thing said."""

    def single(self, number: int, hours: int | None) -> None:
        if number < len(self.found) and not self.found[number].subject.uid.startswith("scope:"):
            super().single(number, hours)

    def wait(self, what: str, *details: Any) -> None:
        """Says the same, but it counts only once confirmed."""
        self.pending = True
        before = len(self.oracle.said)
        getattr(self, what)(*details)
        self.pending = False
        for each in self.oracle.said[before:]:
            each.counts = False
        self.oracle.replay()

    def revoke(self, number: int) -> None:
        if number < len(self.ids) and not self.oracle.said[number].revoked:
            evidence.revoke(self.store, self.ids[number], by="bob", reason="no", at=self.at)
            self.oracle.said[number].revoked = True
            self.oracle.replay()

    def confirm(self, number: int) -> None:
        if number >= len(self.ids) or self.oracle.said[number].counts or self.oracle.said[number].revoked:
            return
        if self.oracle.whole_above(number + 1):
            with pytest.raises(ApprovalRefused, match="lies above it"):
                evidence.confirm(self.store, self.ids[number], by="bob", at=self.at)
            return
        evidence.confirm(self.store, self.ids[number], by="bob", at=self.at)
        self.oracle.said[number].counts = True
        self.oracle.replay()

    def _approve(self, **what: Any) -> None:
        assert self.run is not None
        flags: dict[str, Any] = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(run=self.run, by="ada", reason="because", **flags, **what)
        plan = approving.plan(self.store, request)
        self.ids.append(approving.approve(self.store, plan, at=self.at, pending=self.pending).id)


_whole = st.tuples(st.just("whole"), st.sets(st.integers(0, 7)))
_single = st.tuples(st.just("single"), st.integers(0, 7), st.sampled_from([None, None, 1, 3]))
_which = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 1), OUTCOMES, CONTENTS),
    _whole,
    _single,
    st.one_of(_whole, _single).map(lambda step: ("wait", *step)),
    st.tuples(st.just("revoke"), _which),
    st.tuples(st.just("confirm"), _which),
)

FALLS_BACK: list[Step] = [of_a(), ("whole", set()), of_a(SOLD), ("single", 0, None), ("whole", set()), ("revoke", 2),
                          ("revoke", 1), ("revoke", 0)]  # fmt: skip
CARRIED_ON: list[Step] = [of_a(), ("whole", set()), of_a(SOLD), ("single", 0, 3), ("whole", set()), ("revoke", 1)]
"""What was let through until a date returns when that is revoked, though a later whole approval carried it on."""
_EVERYONE = grant_to("all")
BELOW_A_PARTIAL: list[Step] = [
    of_a(), ("whole", set()), of_a(_EVERYONE, SOLD), ("whole", set()), of_a(_EVERYONE), ("single", 0, None),
    ("revoke", 1),
]  # fmt: skip
"""A partial approval stands on whatever whole one is below it now, not on the one that was there when it was made."""
WAITS: list[Step] = [of_a(), ("whole", set()), of_a(SOLD), ("wait", "single", 0, None), ("confirm", 1), LATER]
