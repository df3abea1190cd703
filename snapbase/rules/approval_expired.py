"""An approval that had an end reached it: said once, beside the findings it held back, each of which names it too."""

from datetime import UTC, datetime

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import Approval, Scope
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    approval = change.ended
    if approval is None or approval.until is None:
        return None
    what = "what it let through is a finding" if change.count == 1 else f"{change.count:,} it let through are findings"
    title = f"An approval ended: {what} again"
    ticket = f" ({approval.ticket})" if approval.ticket else ""
    return Verdict(Severity.INFO, title, f"To let it through longer, approve this finding with a new --until{ticket}.")


def _change(until: datetime | None) -> Change:
    approval = Approval("ada", datetime(2026, 11, 1, tzinfo=UTC), "migration", "T-1", until, 6)
    nowhere, covers = Scope("", "", "", ""), (("snap-1", "presence"),)
    return Change(
        type=ChangeType.APPROVAL_EXPIRED,
        scope=nowhere,
        uid="approval:6",
        entry="approval",
        ended=approval,
        covers=covers,
        count=1,
    )


RULE = Rule(
    id="approval-expired",
    title="An approval with an end reached it, and what it let through stands",
    on=frozenset({ChangeType.APPROVAL_EXPIRED}),
    judge=_judge,
    attack=Attack(("T1537",), ("DC0058",)),
    severities="info; each finding it held back has its own",
    blind="Whether somebody meant to extend it.",
    examples=(
        Example("ended", _change(datetime(2026, 11, 20, tzinfo=UTC)), Severity.INFO),
        Example("without an end", _change(None), None),
    ),
)
