"""What every diff should say, kept the wasteful way: full copies of the present, and stacks of approved values."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from snapbase.diff import entries
from snapbase.model import Reading, Scope, State

Entry = tuple[str, str]
Trust = dict[str, str]
"""Account -> the class it has by the list of a run; accounts without one are unknown."""
RANKS = {"org": 1, "trusted": 2, "former-org": 4, "unknown": 5}


@dataclass(frozen=True)
class Layer:
    """One approved value of an entry."""

    value: Any
    known: bool
    """Whether the subject's scope had been listed completely by then: only then is new a fact."""
    trust: Trust | None
    """The list it was approved under; None where nothing was approved yet."""
    until: datetime | None = None


@dataclass
class Oracle:
    """Everything copied, nothing clever."""

    scopes: tuple[Scope, ...]
    world: dict[str, State] = field(default_factory=dict)
    trust: Trust = field(default_factory=dict)
    complete: set[Scope] = field(default_factory=set)
    read_at: dict[Scope, datetime] = field(default_factory=dict)
    base: dict[str, dict[str, Any]] = field(default_factory=dict)
    base_known: set[Scope] = field(default_factory=set)
    base_trust: Trust | None = None
    pins: dict[Entry, list[Layer]] = field(default_factory=dict)
    """Newest first."""

    def read(self, reading: Reading) -> bool:
        """Takes a reading in; False where a newer one of the scope is known."""
        if reading.started_at < self.read_at.get(reading.scope, reading.started_at):
            return False
        self.read_at[reading.scope] = reading.started_at
        seen = {each.resource.uid for each in reading.observations}
        if reading.coverage[0].complete:
            self.complete.add(reading.scope)
            for uid in [u for u, state in self.world.items() if state.scope == reading.scope and u not in seen]:
                del self.world[uid]
        for each in reading.observations:
            self.world[each.resource.uid] = State(reading.scope, each.resource, each.grants, None)
        return True

    def findings(self, now: datetime) -> set[Entry]:
        """Everything that differs from what was approved, or is trusted less than when it was."""
        subjects = {*self.world, *self.base, *(uid for uid, _ in self.pins if not uid.startswith("trust:"))}
        found = {each for uid in subjects for each in self._findings_of(uid, now)}
        return found | self.widened(now)

    def lost(self, now: datetime) -> set[Entry]:
        """Grants that are as approved, to somebody who is trusted less."""
        grants = {each for each in self.findings(now) if each[1].startswith("grant:")}
        return {each for each in grants if self._top(each, now).value == self._present(each) is not None}

    def widened(self, now: datetime) -> set[Entry]:
        """Accounts on the trusted list that were not there when it was approved."""
        if self.base_trust is None:
            return set()
        trusted = {(f"trust:account:{account}", "trust") for account, what in self.trust.items() if what == "trusted"}
        return {each for each in trusted if self._differs(each, self._top(each, now))}

    def approve_whole(self, held: set[Entry], now: datetime) -> None:
        """The present becomes the base; what is held back, and what was let through for a while, keeps its values."""
        held = {(uid, name) for uid, entry in held for name in self._covered(uid, entry)}
        kept = {each: self._stack(each, now) for each in held}
        for each in self.pins.keys() - held:
            stack = self._stack(each, now)
            if not self._differs(each, stack[0]) and self._differs(each, stack[-1]):
                kept[each] = stack
        self.pins = kept
        self.base = {uid: entries(state) for uid, state in self.world.items()}
        self.base_known, self.base_trust = set(self.complete), deepcopy(self.trust)

    def approve_single(self, uid: str, entry: str, until: datetime | None) -> None:
        for name in self._covered(uid, entry):
            layer = Layer(self._present((uid, name)), self._known(uid, self.complete), dict(self.trust), until)
            self.pins.setdefault((uid, name), []).insert(0, layer)

    def _findings_of(self, uid: str, now: datetime) -> set[Entry]:
        presence = self._top((uid, "presence"), now)
        if uid not in self.world:
            return {(uid, "presence")} if presence.value else set()
        names = {name for name in self._names(uid) if self._differs((uid, name), self._top((uid, name), now))}
        found = {(uid, name) for name in names if name.startswith("grant:")}
        if presence.value:
            return found | {(uid, name) for name in names if name.startswith("attr:")}
        return found | {(uid, "presence")} if presence.known else found

    def _differs(self, each: Entry, approved: Layer) -> bool:
        value = self._present(each)
        if value != approved.value:
            return True
        return each[1].startswith("grant:") and value is not None and self._worse(each[1], approved)

    def _worse(self, entry: str, approved: Layer) -> bool:
        account = entry.split("|")[0].rpartition(":")[2]
        if account == "all":
            return False
        assert approved.trust is not None
        now, then = (each.get(account, "unknown") for each in (self.trust, approved.trust))
        return RANKS[now] > RANKS[then]

    def _present(self, each: Entry) -> Any:
        uid, entry = each
        if entry == "trust":
            return self.trust.get(uid.rpartition(":")[2]) == "trusted"
        return entries(self.world.get(uid)).get(entry)

    def _stack(self, each: Entry, now: datetime) -> list[Layer]:
        """What is approved, and what falls into its place as each layer ends."""
        stack: list[Layer] = []
        for layer in self.pins.get(each, []):
            if layer.until is None:
                return [*stack, layer]
            if now < layer.until:
                stack.append(layer)
        return [*stack, self._base(each)]

    def _base(self, each: Entry) -> Layer:
        uid, entry = each
        if entry == "trust":
            value = (self.base_trust or {}).get(uid.rpartition(":")[2]) == "trusted"
            return Layer(value, True, self.base_trust)
        return Layer(self.base.get(uid, {}).get(entry), self._known(uid, self.base_known), self.base_trust)

    def _top(self, each: Entry, now: datetime) -> Layer:
        return replace(self._stack(each, now)[0], until=None)

    def _known(self, uid: str, complete: set[Scope]) -> bool:
        return uid.startswith("trust:") or self.scopes[int(uid[0])] in complete

    def _names(self, uid: str) -> set[str]:
        pinned = (entry for subject, entry in self.pins if subject == uid)
        return {*entries(self.world.get(uid)), *self.base.get(uid, {}), *pinned}

    def _covered(self, uid: str, entry: str) -> set[str]:
        if entry != "presence":
            return {entry}
        return {"presence"} | {name for name in self._names(uid) if name.startswith("attr:")}
