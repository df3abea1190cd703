"""A new share to somebody of our own or on the trusted list."""

from snapbase.diff import Change, ChangeType
from snapbase.exposure import Effect
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind, ResourceType
from snapbase.rules.example import shared
from snapbase.rules.rule import Context, Example, Rule, Verdict
from snapbase.rules.severity import holder, is_container, notes, of_exposure
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass

_CLASSES = frozenset({TrustClass.ORG, TrustClass.TRUSTED, TrustClass.PROVIDER})


def _judge(change: Change, _: Context) -> Verdict | None:
    exposure, state = change.exposure, change.after
    if exposure is None or state is None or exposure.trust not in _CLASSES or is_container(state.resource.type):
        return None
    if state.resource.type == ResourceType.POLICY:  # standing-share says it
        return None
    return Verdict(of_exposure(exposure), f"Shared with {holder(exposure)}", notes(exposure), unshare(change))


RULE = Rule(
    id="trusted-share",
    title="Shared inside the organisation or with a trusted account",
    on=frozenset({ChangeType.GRANT_ADDED, ChangeType.GRANT_CHANGED}),
    judge=_judge,
    attack=Attack(("T1537",), ("DC0058",)),
    severities="medium inside the organisation (low while held back); info for trusted accounts and the provider",
    blind="What the trusted account does with it.",
    examples=(
        Example("own organisation", shared(PrincipalKind.ACCOUNT, "444455556666", TrustClass.ORG), Severity.MEDIUM),
        Example(
            "own organisation, key closed",
            shared(PrincipalKind.ACCOUNT, "444455556666", TrustClass.ORG, effect=Effect.LATENT),
            Severity.LOW,
        ),
        Example("partner", shared(PrincipalKind.ACCOUNT, "777788889999", TrustClass.TRUSTED), Severity.INFO),
        Example("the owner itself", shared(PrincipalKind.ACCOUNT, "111122223333", TrustClass.OWN), None),
        Example("unknown", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN), None),
    ),
)
