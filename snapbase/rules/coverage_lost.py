"""What could be read when approved cannot be read now."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import Outcome
from snapbase.rules.example import SCOPE
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    outcome, _colon, reason = str(change.now or "").partition(": ")
    if not outcome:
        return None
    aspect = "Sharing" if change.entry == "coverage:sharing" else "Inventory"
    severity = Severity.LOW if outcome in (Outcome.THROTTLED, Outcome.DEFERRED) else Severity.MEDIUM
    return Verdict(severity, f"{aspect} no longer readable: {outcome}", reason)


def _change(now: str | None) -> Change:
    return Change(
        type=ChangeType.COVERAGE_LOST, scope=SCOPE, uid="scope:x", entry="coverage:list", was="complete", now=now
    )


RULE = Rule(
    id="coverage-lost",
    title="A scope that was read completely no longer is",
    on=frozenset({ChangeType.COVERAGE_LOST}),
    judge=_judge,
    attack=Attack(("T1562",), ("DC0062",)),
    severities="medium; low while throttled or deferred",
    blind="What happens in there meanwhile; the last known state is kept and nothing is taken for deleted.",
    examples=(
        Example("denied", _change("denied: ec2:DescribeSnapshots denied"), Severity.MEDIUM),
        Example("throttled", _change("throttled: too many requests"), Severity.LOW),
        Example("nothing", _change(None), None),
    ),
)
