"""An approved share was taken back."""

from dataclasses import replace

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind
from snapbase.rules.example import shared
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.severity import holder
from snapbase.trust import TrustClass


def _judge(change: Change, _: Context) -> Verdict | None:
    exposure = change.exposure_before
    if exposure is None or exposure.trust == TrustClass.OWN:
        return None
    return Verdict(Severity.INFO, f"No longer shared with {holder(exposure)}")


RULE = Rule(
    id="share-removed",
    title="An approved share was removed",
    on=frozenset({ChangeType.GRANT_REMOVED}),
    judge=_judge,
    attack=Attack(("T1578",), ("DC0058",)),
    severities="info",
    blind="Whether it was used before; a copy that was taken stays taken.",
    examples=(
        Example(
            "partner share removed",
            replace(
                shared(
                    PrincipalKind.ACCOUNT,
                    "777788889999",
                    TrustClass.TRUSTED,
                    change=ChangeType.GRANT_REMOVED,
                    before=TrustClass.TRUSTED,
                ),
                exposure=None,
            ),
            Severity.INFO,
        ),
        Example(
            "nothing was shared",
            shared(PrincipalKind.ACCOUNT, "1", TrustClass.OWN, change=ChangeType.GRANT_REMOVED),
            None,
        ),
    ),
)
