"""A single snapshot whose sharing could not be read: not "not shared", but unknown; or what stands in front of some."""

from dataclasses import replace
from typing import Any

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity, several
from snapbase.model import Miss, Outcome, ResourceType, State
from snapbase.rules.example import appeared, state
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, context: Context) -> Verdict | None:
    after = change.after
    if after is None or after.miss is None:
        return None
    if after.miss.outcome == Outcome.PARTIAL and after.resource.type in _FENCES:
        return _unshown(after, after.miss, context.below.get(change.uid, 0))
    known = "never read before" if after.grants is None else "the last known shares are kept"
    return Verdict(Severity.MEDIUM, f"Sharing could not be read ({after.miss.outcome}); {known}", after.miss.reason)


_FENCES = (ResourceType.GUARDRAIL, ResourceType.CONTAINER)


def _unshown(after: State, miss: Miss, behind: int) -> Verdict | None:
    """One that nothing lies behind is part of a list that was not read completely, and nothing more."""
    if not behind:
        return None
    title = f"{after.resource.type.capitalize()} could not be read; what it was last may be over"
    return Verdict(Severity.MEDIUM, title, f"{several(behind, 'snapshot')} behind it. {miss.reason}")


def _example(unread: bool, outcome: str = "denied", **fields: Any) -> Change:
    miss = Miss(outcome, "ec2:DescribeSnapshotAttribute denied") if unread else None
    after = replace(state(**fields), grants=None if unread else frozenset(), miss=miss)
    return replace(appeared(), type=ChangeType.SHARING_UNREAD, entry="sharing", after=after)


RULE = Rule(
    id="sharing-unreadable",
    title="A snapshot's sharing could not be read",
    on=frozenset({ChangeType.SHARING_UNREAD}),
    judge=_judge,
    attack=Attack(("T1562",), ("DC0062",)),
    severities="medium",
    blind="Who it is shared with.",
    examples=(
        Example("denied", _example(unread=True), Severity.MEDIUM),
        Example("read", _example(unread=False), None),
        Example(
            "a guardrail that nothing lies behind",
            _example(unread=True, outcome=Outcome.PARTIAL, type=ResourceType.GUARDRAIL),
            None,
        ),
    ),
)
