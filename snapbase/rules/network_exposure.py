"""The network from which a snapshot's data can be exported was opened."""

import shlex

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.rules.example import AZURE, modified
from snapbase.rules.ladder import Ladder, step, words
from snapbase.rules.rule import Context, Example, Rule, Verdict

LADDERS: dict[str, Ladder] = {
    "network_access_policy": ("AllowAll", "AllowPrivate", "DenyAll"),
    "public_network_access": ("Enabled", "Disabled"),
    "data_access_auth_mode": ("None", "AzureActiveDirectory"),
}


def _judge(change: Change, _: Context) -> Verdict | None:
    if step(change, LADDERS) >= 0:
        return None
    return Verdict(Severity.HIGH, f"Network opened: {words(change)}", undo=_close(change))


def _close(change: Change) -> str:
    if change.after is None or change.entry != "attr:network_access_policy" or not isinstance(change.was, str):
        return ""
    if change.scope.kind != "azure.compute.snapshot":
        return ""
    what = ("--ids", change.after.resource.address, "--network-access-policy", change.was)
    return shlex.join(("az", "snapshot", "update", *what))


RULE = Rule(
    id="network-exposure",
    title="The network policy was opened",
    on=frozenset({ChangeType.MODIFIED}),
    judge=_judge,
    attack=Attack(("T1578", "T1537"), ("DC0058",)),
    severities="high",
    blind="Private endpoints in other tenants behind an unchanged policy.",
    examples=(
        Example("opened", modified("network_access_policy", "DenyAll", "AllowAll", AZURE), Severity.HIGH),
        Example("unset falls back to open", modified("public_network_access", "Disabled", None, AZURE), Severity.HIGH),
        Example("closed", modified("network_access_policy", "AllowAll", "DenyAll", AZURE), None),
        Example("something else", modified("tags", {}, {"a": "b"}, AZURE), None),
    ),
)
