"""Somebody trusts more than when the baseline was approved: that silences shares, so it is said once."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import Scope
from snapbase.rules.rule import Context, Example, Rule, Verdict


def _judge(change: Change, _: Context) -> Verdict | None:
    return Verdict(Severity.MEDIUM, f"Trusted list widened: {change.now}") if change.now else None


def _change(words: str | None) -> Change:
    subject = "trust:account:777788889999"
    nowhere = Scope("", "", "", "")
    return Change(type=ChangeType.TRUST_WIDENED, scope=nowhere, uid=subject, entry="trust", now=words)


RULE = Rule(
    id="trust-widened",
    title="The trusted list was widened",
    on=frozenset({ChangeType.TRUST_WIDENED}),
    judge=_judge,
    attack=Attack(("T1537",), ("DC0062",)),
    severities="medium",
    blind="Whether the change of configuration was reviewed elsewhere.",
    examples=(
        Example("new entry", _change("Acme is now trusted: backups"), Severity.MEDIUM),
        Example("nothing", _change(None), None),
    ),
)
