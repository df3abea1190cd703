"""A snapshot is encrypted with a key that is not ours: its owner can lock us out, or read it."""

import re

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.example import appeared, modified
from snapbase.rules.rule import Context, Example, Rule, Verdict

_OWNER = re.compile(r"^(?:arn:[^:]+:kms:[^:]*:(\d{12}):|projects/([^/]+)/|/subscriptions/([^/]+)/)", re.IGNORECASE)


def _judge(change: Change, context: Context) -> Verdict | None:
    state = change.after
    if state is None or not state.resource.key:
        return None
    if change.type == ChangeType.MODIFIED and change.entry != "attr:key":
        return None
    match = _OWNER.match(state.resource.key)
    owner = next(filter(None, match.groups()), None) if match else None
    if owner is None:
        return None
    principal = Principal(PrincipalKind.ACCOUNT, owner)
    judged = context.trust.judge(principal, account=state.scope.account, kind=state.scope.kind, on=context.on)
    if not judged.trust.foreign:
        return None
    return Verdict(Severity.HIGH, f"Encrypted with a key of {judged.trust.value} account {owner}", state.resource.key)


RULE = Rule(
    id="foreign-key",
    title="Encrypted with somebody else's key",
    on=frozenset({ChangeType.APPEARED, ChangeType.REPLACED, ChangeType.MODIFIED}),
    judge=_judge,
    attack=Attack(("T1486", "T1537"), ("DC0057", "DC0058")),
    severities="high",
    blind="A key of ours whose policy lets others in (see the effect of each share).",
    examples=(
        Example("foreign", appeared(key="arn:aws:kms:eu-west-1:999988887777:key/1"), Severity.HIGH),
        Example("own", appeared(key="arn:aws:kms:eu-west-1:111122223333:key/1"), None),
        Example(
            "changed to a foreign one",
            modified(
                "key",
                "arn:aws:kms:eu-west-1:111122223333:key/1",
                "arn:aws:kms:eu-west-1:999988887777:key/1",
                key="arn:aws:kms:eu-west-1:999988887777:key/1",
            ),
            Severity.HIGH,
        ),
        Example("no key", appeared(), None),
    ),
)
