"""Another snapshot under the name of an approved one: approve by name, swap the content."""

from dataclasses import replace

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
from snapbase.rules.example import appeared, state
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    old, new = change.before, change.after
    if old is None or new is None or new.resource.type == ResourceType.CONTAINER:
        return None
    then = f"{old.resource.created_at:%Y-%m-%d %H:%M}" if old.resource.created_at else "unknown"
    now = f"{new.resource.created_at:%Y-%m-%d %H:%M}" if new.resource.created_at else "unknown"
    same = old.resource.source == new.resource.source
    source = "" if same else f" Its source is another: {new.resource.source or 'not known'}."
    return Verdict(Severity.HIGH, "Replaced under the same name", f"Created {then}, now {now}.{source}")


RULE = Rule(
    id="snapshot-replaced",
    title="Deleted and made again under the same name",
    on=frozenset({ChangeType.REPLACED}),
    judge=_judge,
    attack=Attack(("T1578.001", "T1485"), ("DC0057", "DC0049")),
    severities="high",
    blind="Kinds whose ids never come back (EBS snapshots, AMIs) show a deletion and a creation instead.",
    examples=(
        Example("same name", replace(appeared(), type=ChangeType.REPLACED, before=state()), Severity.HIGH),
        Example("nothing to compare with", replace(appeared(), type=ChangeType.REPLACED), None),
    ),
)
