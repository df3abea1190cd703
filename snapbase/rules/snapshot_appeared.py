"""A snapshot that was not there when its scope was last approved."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
from snapbase.rules.example import appeared
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    state = change.after
    if state is None or state.resource.type not in (ResourceType.SNAPSHOT, ResourceType.POLICY):
        return None
    resource = state.resource
    detail = f"Made by {resource.origin}." if resource.origin else "Nothing says what made it."
    return Verdict(Severity.LOW, "New" + ("" if resource.encrypted is not False else ", not encrypted"), detail)


RULE = Rule(
    id="snapshot-appeared",
    title="A new snapshot, image or backup",
    on=frozenset({ChangeType.APPEARED}),
    judge=_judge,
    attack=Attack(("T1578.001",), ("DC0057",)),
    severities="low",
    blind="One made and deleted between two runs.",
    examples=(
        Example("new snapshot", appeared(), Severity.LOW),
        Example("a new resource group is not a snapshot", appeared(type=ResourceType.CONTAINER), None),
    ),
)
