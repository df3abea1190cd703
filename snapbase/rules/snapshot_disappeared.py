"""An approved snapshot that a complete listing no longer shows."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
from snapbase.rules.example import disappeared
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    state = change.before
    if state is None or state.resource.type not in (ResourceType.SNAPSHOT, ResourceType.POLICY):
        return None
    created = state.resource.created_at
    return Verdict(Severity.MEDIUM, "Gone", f"Created {created:%Y-%m-%d}." if created else "")


RULE = Rule(
    id="snapshot-disappeared",
    title="An approved snapshot is gone",
    on=frozenset({ChangeType.DISAPPEARED}),
    judge=_judge,
    attack=Attack(("T1485", "T1490"), ("DC0049",)),
    severities="medium",
    blind="A recycle bin that snapbase may not list. A scope that was not read completely never counts as gone.",
    examples=(
        Example("deleted", disappeared(), Severity.MEDIUM),
        Example("a removed resource group is not a snapshot", disappeared(type=ResourceType.CONTAINER), None),
    ),
)
