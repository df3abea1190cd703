"""The review as pure state: which findings are seen, where the reviewer stands, what was decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from snapbase.finding import CoverageGap, Finding, Report
from snapbase.review.decisions import Choice, Decision, Decisions
from snapbase.review.query import parse, words_of

Item: TypeAlias = Finding | CoverageGap | str
"""What can be looked at: findings can be decided; what was not read, and what else must be said, only be known."""


class Session:
    """Nothing here approves: `approved` is what saving would."""

    def __init__(self, report: Report, decisions: Decisions) -> None:
        self.decisions = decisions
        self.filter = ""
        self.visible: Sequence[Item] = ()
        self._cursor = 0
        self.load(report)
        self.next_undecided(first=True)

    def load(self, report: Report) -> None:
        """The findings as they stand now, in their order; the reviewer stays where that is still possible."""
        current = self.current
        self.report = report
        self.findings: Sequence[Finding] = report.findings
        self._by_id = {finding.id: finding for finding in report.findings}
        self._items: tuple[Item, ...] = (*report.findings, *report.coverage, *report.notes)
        self._words = [words_of(item) for item in self._items]
        self._refilter(current)

    @property
    def cursor(self) -> int:
        """The position in `visible`; 0 where nothing is."""
        return self._cursor

    @property
    def current(self) -> Item | None:
        return self.visible[self._cursor] if self.visible else None

    @property
    def finding(self) -> Finding | None:
        """The current item, where it is one that can be decided."""
        return self.current if isinstance(self.current, Finding) else None

    def decision(self, finding: Finding) -> Decision:
        return self.decisions.of(finding.id)

    def move(self, by: int) -> None:
        self.go(self._cursor + by)

    def go(self, position: int) -> None:
        self._cursor = max(0, min(position, len(self.visible) - 1))

    def next_undecided(self, *, first: bool = False) -> None:
        """To the first one without a decision, from the top or from here; stays where there is none."""
        order = range(len(self.visible))
        for position in order if first else (*order[self._cursor :], *order[: self._cursor]):
            item = self.visible[position]
            if isinstance(item, Finding) and self.decision(item).choice is None:
                self.go(position)
                return

    def approve(self) -> None:
        self._decide(Choice.APPROVE)

    def leave(self) -> None:
        self._decide(Choice.LEAVE)

    def clear(self) -> None:
        """No decision on the current one; its note stays."""
        if self.finding:
            self._do({self.finding.id: replace(self.decision(self.finding), choice=None)})

    def note(self, text: str) -> None:
        if self.finding:
            self._do({self.finding.id: replace(self.decision(self.finding), note=text.strip())})

    def undo(self) -> tuple[Finding, ...]:
        """Takes the last step back and goes to where it was; the findings it was about."""
        touched = [self._by_id[each] for each in self.decisions.undo() if each in self._by_id]
        self._refilter(self.current)
        if touched:
            self._show(touched[0])
        return tuple(touched)

    def of_holder(self) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        """What approving everything of the current holder would approve, and what stays because it was left."""
        if self.finding is None or self.finding.grantee is None:
            return (), ()
        principal = self.finding.grantee.principal
        named = [each for each in self.findings if each.grantee and each.grantee.principal == principal]
        left = tuple(each for each in named if self.decision(each).choice == Choice.LEAVE)
        approved = tuple(each for each in named if self.decision(each).choice is None)
        return approved, left

    def approve_holder(self) -> int:
        """Everything the current holder holds, but what was left on purpose; as one step."""
        found, _ = self.of_holder()
        if found:
            self._do({each.id: replace(self.decision(each), choice=Choice.APPROVE) for each in found})
            self.next_undecided()
        return len(found)

    def narrow(self, text: str) -> None:
        self.filter = text.strip()
        self._refilter(self.current)

    def hidden(self, found: Sequence[Finding]) -> int:
        """How many of them the filter hides."""
        shown = {item.id for item in self.visible if isinstance(item, Finding)}
        return sum(each.id not in shown for each in found)

    @property
    def approved(self) -> tuple[Finding, ...]:
        return self._chosen(Choice.APPROVE)

    @property
    def left(self) -> tuple[Finding, ...]:
        return self._chosen(Choice.LEAVE)

    @property
    def undecided(self) -> tuple[Finding, ...]:
        return self._chosen(None)

    @property
    def orphans(self) -> int:
        """Decisions on what is no finding any more: somebody else approved it. They are kept, and do nothing."""
        return sum(each not in self._by_id for each in self.decisions.open)

    def counts(self) -> Mapping[Choice | None, int]:
        """Counted over the decisions: they are fewer than the findings."""
        found: Counter[Choice | None] = Counter(
            each.choice for key, each in self.decisions.open.items() if key in self._by_id and each.choice
        )
        found[None] = len(self.findings) - found.total()
        return found

    def notes(self) -> Mapping[str, str]:
        return {key: each.note for key, each in self.decisions.open.items() if key in self._by_id and each.note}

    def _chosen(self, choice: Choice | None) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if self.decision(each).choice == choice)

    def _decide(self, choice: Choice) -> None:
        found = self.finding
        if found is None:
            return
        self._do({found.id: replace(self.decision(found), choice=choice)})
        if self.current is found:
            self.move(1)

    def _do(self, step: Mapping[str, Decision]) -> None:
        current = self.current
        self.decisions.do(step)
        if "is:" in self.filter:
            self._refilter(current)

    def _refilter(self, current: Item | None) -> None:
        query = parse(self.filter)
        before = self.visible
        self.visible = [
            item
            for item, words in zip(self._items, self._words, strict=True)
            if query.matches(words, self.decision(item) if isinstance(item, Finding) else None)
        ]
        self._stay(current, before)

    def _stay(self, current: Item | None, before: Sequence[Item]) -> None:
        """On the same item; else on the next one after it that is still there."""
        places = {_key(item): position for position, item in enumerate(self.visible)}
        after = before[self._cursor :] if current is not None else ()
        self.go(next((places[_key(item)] for item in after if _key(item) in places), self._cursor))

    def _show(self, finding: Finding) -> None:
        position = next((n for n, item in enumerate(self.visible) if item is finding), None)
        if position is not None:
            self.go(position)


def _key(item: Item) -> object:
    return item.id if isinstance(item, Finding) else item
