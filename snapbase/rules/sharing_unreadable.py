"""A single snapshot whose sharing could not be read: not "not shared", but unknown."""

from dataclasses import replace

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import Miss
from snapbase.rules.example import appeared, state
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    after = change.after
    if after is None or after.miss is None:
        return None
    known = "never read before" if after.grants is None else "the last known shares are kept"
    return Verdict(Severity.MEDIUM, f"Sharing could not be read ({after.miss.outcome}); {known}", after.miss.reason)


def _example(unread: bool) -> Change:
    miss = Miss("denied", "ec2:DescribeSnapshotAttribute denied") if unread else None
    after = replace(state(), grants=None if unread else frozenset(), miss=miss)
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
    ),
)
