"""Snapshots of an approved origin that went before their time, not by its lifecycle, or that leave too few behind."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity, several
from snapbase.rules.example import cohort_change
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.words import detail

_TITLES = {
    "cohort:restore-points": "Deleted with too few restore points left",
    "cohort:deleter": "Deleted by somebody, not by their lifecycle",
}


def _judge(change: Change, _: Context) -> Verdict | None:
    words = _TITLES.get(change.entry, "Deleted before their time")
    return Verdict(Severity.HIGH, f"{words}: {several(change.count, 'snapshot')}", detail(change))


RULE = Rule(
    id="early-deletion",
    title="Snapshots of an approved origin deleted before their retention ended, or not by their lifecycle",
    on=frozenset({ChangeType.EARLY_DELETION}),
    judge=_judge,
    attack=Attack(("T1490", "T1485"), ("DC0049",)),
    severities="high",
    blind="How old one was exactly: a deletion is seen by the first run after it. Who did it, where no log tells.",
    examples=(
        Example("two days old", cohort_change(ChangeType.EARLY_DELETION, "retention", "14 days"), Severity.HIGH),
        Example("by hand", cohort_change(ChangeType.EARLY_DELETION, "deleter", "t.lambert"), Severity.HIGH),
        Example("few left", cohort_change(ChangeType.EARLY_DELETION, "restore-points", "half"), Severity.HIGH),
    ),
)
