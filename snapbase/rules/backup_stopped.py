"""Sources of an approved origin that have had no new point for twice their cadence: one line for each policy."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity, several
from snapbase.rules.example import cohort_change
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.words import detail


def _judge(change: Change, _: Context) -> Verdict | None:
    last = f" Last point: {change.was} UTC." if change.was else " No point is left."
    return Verdict(Severity.MEDIUM, f"Backup stopped: {several(change.count, 'source')}", detail(change) + last)


RULE = Rule(
    id="backup-stopped",
    title="Sources of an approved origin without a new point for twice their cadence",
    on=frozenset({ChangeType.BACKUP_STOPPED}),
    judge=_judge,
    attack=Attack(("T1490",), ("DC0057",)),
    severities="medium",
    blind="Whether the source itself still exists; scopes that are not read completely.",
    examples=(Example("no points", cohort_change(ChangeType.BACKUP_STOPPED, "stopped", "vol-1"), Severity.MEDIUM),),
)
