"""Somebody nobody has vouched for can take it."""

from snapbase.diff import Change, ChangeType
from snapbase.exposure import Effect
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind, ResourceType
from snapbase.rules.example import shared
from snapbase.rules.rule import OPENED, Context, Example, Rule, Verdict
from snapbase.rules.severity import holder, is_container, notes, of_exposure
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def _judge(change: Change, _: Context) -> Verdict | None:
    exposure, state = change.exposure, change.after
    if exposure is None or state is None or is_container(state.resource.type):
        return None
    if state.resource.type == ResourceType.POLICY:  # standing-share says it
        return None
    if not exposure.trust.foreign or exposure.trust == TrustClass.ANYONE:
        return None
    if exposure.grant.principal.kind == PrincipalKind.BEARER or _lost_trust(change):
        return None
    verb = "Sharing changed with" if change.type == ChangeType.GRANT_CHANGED else "Shared with"
    title = f"{verb} {holder(exposure)}"
    if change.type == ChangeType.GRANT_WORSE:
        title = f"Share with {holder(exposure)} now works"
    return Verdict(of_exposure(exposure), title, notes(exposure), unshare(change))


def _lost_trust(change: Change) -> bool:
    """What trust-lost says: a share that is the same, to somebody who is not."""
    then, now = change.exposure_before, change.exposure
    return (
        change.type == ChangeType.GRANT_WORSE
        and then is not None
        and now is not None
        and now.trust.rank > then.trust.rank
    )


RULE = Rule(
    id="unknown-account-share",
    title="Shared with an unknown account, tenant or person",
    on=OPENED,
    judge=_judge,
    attack=Attack(("T1537",), ("DC0058",)),
    severities="critical; medium while a key policy holds it back, or for an unresolved directory object",
    blind="A share opened and closed between two runs.",
    examples=(
        Example(
            "changed, and the holder left us meanwhile",
            shared(
                PrincipalKind.ACCOUNT,
                "999988887777",
                TrustClass.UNKNOWN,
                change=ChangeType.GRANT_CHANGED,
                before=TrustClass.TRUSTED,
            ),
            Severity.CRITICAL,
        ),
        Example("account", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN), Severity.CRITICAL),
        Example("left us", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.FORMER_ORG), Severity.CRITICAL),
        Example(
            "key policy does not admit it",
            shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN, effect=Effect.LATENT),
            Severity.MEDIUM,
        ),
        Example(
            "key policy not readable counts as working",
            shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN, effect=Effect.UNKNOWN),
            Severity.CRITICAL,
        ),
        Example("directory user", shared(PrincipalKind.USER, "0b5fe924", TrustClass.UNKNOWN), Severity.MEDIUM),
        Example("partner", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.TRUSTED), None),
        Example("public is another rule", shared(PrincipalKind.PUBLIC, "all", TrustClass.ANYONE), None),
        Example(
            "inherited is another rule",
            shared(PrincipalKind.USER, "eve@evil.example", TrustClass.UNKNOWN, type=ResourceType.CONTAINER),
            None,
        ),
    ),
)
