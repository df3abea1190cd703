"""A snapshot that was not there when its scope was last approved."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
from snapbase.rules.example import appeared
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.ticket import Standing


def _judge(change: Change, context: Context) -> Verdict | None:
    state = change.after
    if state is None or state.resource.type not in (ResourceType.SNAPSHOT, ResourceType.POLICY):
        return None
    resource = state.resource
    detail = f"Made by {resource.origin}." if resource.origin else "Nothing says what made it."
    title = "New" + ("" if resource.encrypted is not False else ", not encrypted")
    claim = context.claims.get(resource.uid)
    if claim is None:
        return Verdict(Severity.LOW, title, detail)
    said = f"It claims change {claim.ticket}, {claim.standing}{f': {claim.words}' if claim.words else ''}."
    severity = Severity.MEDIUM if claim.standing == Standing.REFUSED else Severity.INFO
    return Verdict(severity, title, f"{detail} {said}")


RULE = Rule(
    id="snapshot-appeared",
    title="A new snapshot, image or backup",
    on=frozenset({ChangeType.APPEARED}),
    judge=_judge,
    attack=Attack(("T1578.001",), ("DC0057",)),
    severities="low; info where it claims a change ticket, medium where that is refused",
    blind="One made and deleted between two runs.",
    examples=(
        Example("new snapshot", appeared(), Severity.LOW),
        Example("a new resource group is not a snapshot", appeared(type=ResourceType.CONTAINER), None),
    ),
)
