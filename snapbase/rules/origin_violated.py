"""What an approved origin made is not as it was when the origin was approved: one line for each broken invariant."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity, several
from snapbase.rules.example import cohort_change
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.words import detail

_TITLES = {
    "source": "Cohort grew: {what} from {values}",
    "kind": "Makes another kind: {what}",
    "account": "In another account: {what}",
    "region": "In another place: {what}",
    "rule": "By a rule that was not approved: {what}",
    "key": "Under another key: {what}",
    "encryption": "Encrypted otherwise: {what}",
    "grants": "Shared otherwise, or not known: {what}",
    "destination": "Copied or kept elsewhere: {what}",
    "posture": "Open otherwise: {what}",
    "policy": "Made after its policy changed: {what}",
    "plan": "By which plan nobody tells: {what}",
    "maker": "Not made by what makes the others: {what}",
    "cadence": "Out of its rhythm: {what}",
    "count": "Too many of one source: {what}",
}
_SEVERITIES = {
    "source": Severity.LOW,
    "rule": Severity.LOW,
    "count": Severity.LOW,
    "cadence": Severity.MEDIUM,
    "kind": Severity.MEDIUM,
    "plan": Severity.MEDIUM,
}


def _judge(change: Change, _: Context) -> Verdict | None:
    invariant = change.entry.removeprefix("cohort:")
    values = change.now if isinstance(change.now, list) else []
    title = _TITLES.get(invariant, "Not as approved: {what}")
    grown = several(len(values), "new source") if values else "new sources"
    return Verdict(
        _SEVERITIES.get(invariant, Severity.HIGH),
        title.format(what=several(change.count, "snapshot"), values=grown),
        detail(change),
    )


RULE = Rule(
    id="origin-violated",
    title="What an approved origin made breaks one of its invariants",
    on=frozenset({ChangeType.ORIGIN_VIOLATED}),
    judge=_judge,
    attack=Attack(("T1578.001", "T1537"), ("DC0057", "DC0058")),
    severities="high; medium out of rhythm and where nobody tells the plan; low for new sources and rules",
    blind="One that keeps every invariant: same policy, source, key, place and hour. Its shares are always listed. A "
    "forged tag or name, where no audit log says who made it.",
    examples=(
        Example("another key", cohort_change(ChangeType.ORIGIN_VIOLATED, "key", "key/9"), Severity.HIGH),
        Example("a forged tag", cohort_change(ChangeType.ORIGIN_VIOLATED, "maker", "role/stranger"), Severity.HIGH),
        Example("one too many", cohort_change(ChangeType.ORIGIN_VIOLATED, "cadence", "sooner"), Severity.MEDIUM),
        Example("nobody tells", cohort_change(ChangeType.ORIGIN_VIOLATED, "plan", "not read"), Severity.MEDIUM),
        Example("a new volume", cohort_change(ChangeType.ORIGIN_VIOLATED, "source", "vol-9"), Severity.LOW),
    ),
)
