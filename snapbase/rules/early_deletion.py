"""Snapshots of an approved origin that went before their time, or that leave too few behind."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.rules.example import cohort_change
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.words import amount, detail


def _judge(change: Change, _: Context) -> Verdict | None:
    few = change.entry == "cohort:restore-points"
    words = "Deleted with too few restore points left" if few else "Deleted before their time"
    return Verdict(Severity.HIGH, f"{words}: {amount(change.count, 'snapshot')}", detail(change))


RULE = Rule(
    id="early-deletion",
    title="Snapshots of an approved origin deleted before their retention ended",
    on=frozenset({ChangeType.EARLY_DELETION}),
    judge=_judge,
    attack=Attack(("T1490", "T1485"), ("DC0049",)),
    severities="high",
    blind="How old one was exactly: a deletion is seen by the first run after it. Who did it, without audit logs.",
    examples=(
        Example("two days old", cohort_change(ChangeType.EARLY_DELETION, "retention", "14 days"), Severity.HIGH),
        Example("few left", cohort_change(ChangeType.EARLY_DELETION, "restore-points", "half"), Severity.HIGH),
    ),
)
