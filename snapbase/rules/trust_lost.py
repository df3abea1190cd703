"""The share is the same; the one it was made for is no longer one of us."""

from snapbase.diff import Change, ChangeType
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind
from snapbase.rules.example import shared
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.severity import holder, is_container, notes, of_exposure
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def _judge(change: Change, _: Context) -> Verdict | None:
    then, now, state = change.exposure_before, change.exposure, change.after
    if then is None or now is None or state is None or is_container(state.resource.type):
        return None
    if now.trust.rank <= then.trust.rank or now.trust == TrustClass.ANYONE:
        return None
    title = f"Still shared with {holder(now)}, which was {then.trust.value} when approved"
    return Verdict(of_exposure(now), title, notes(now), unshare(change))


RULE = Rule(
    id="trust-lost",
    title="An approved share whose holder is trusted less",
    on=frozenset({ChangeType.GRANT_WORSE}),
    judge=_judge,
    attack=Attack(("T1537",), ("DC0062",)),
    severities="as a new share to the same holder",
    blind="Departures from an organisation whose accounts could not be listed.",
    examples=(
        Example(
            "left the organisation",
            shared(
                PrincipalKind.ACCOUNT,
                "999988887777",
                TrustClass.FORMER_ORG,
                change=ChangeType.GRANT_WORSE,
                before=TrustClass.ORG,
            ),
            Severity.CRITICAL,
        ),
        Example(
            "a guardrail fell: another rule",
            shared(
                PrincipalKind.ACCOUNT,
                "999988887777",
                TrustClass.UNKNOWN,
                change=ChangeType.GRANT_WORSE,
                before=TrustClass.UNKNOWN,
            ),
            None,
        ),
    ),
)
