"""Any other approved attribute that changed."""

from snapbase.diff import SHOWING, Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import ResourceType
from snapbase.rules.example import modified
from snapbase.rules.rule import Context, Example, Rule, Verdict

_DESCRIPTIVE = frozenset({"attr:tags", "attr:name", "attr:description"})


def _judge(change: Change, _: Context) -> Verdict | None:
    state = change.after
    if change.entry in SHOWING:  # the grants say it better; where they were not read, bearer-access and public-share
        return None
    if change.entry == "attr:shared_with" and state is not None and state.grants is not None and state.miss is None:
        return None
    minor = change.entry in _DESCRIPTIVE or (state is not None and state.resource.type == ResourceType.CONTAINER)
    name = change.entry.removeprefix("attr:").replace("_", " ")
    return Verdict(Severity.INFO if minor else Severity.LOW, f"Changed: {name}")


RULE = Rule(
    id="snapshot-modified",
    title="An approved attribute changed",
    on=frozenset({ChangeType.MODIFIED}),
    judge=_judge,
    attack=Attack(("T1578",), ("DC0058", "DC0062")),
    severities="low; info for tags, names and descriptions",
    blind="Content. Fields that change by themselves (progress, drifting sizes) are never compared.",
    examples=(
        Example("tier", modified("storage_tier", "standard", "archive"), Severity.LOW),
        Example("the grants say it", modified("shared_with", None, "x"), None),
        Example("tags", modified("tags", {}, {"team": "x"}), Severity.INFO),
    ),
    fallback=True,
)
