"""A live download link: whoever has the URL has the data, and no log says who used it."""

from snapbase.diff import Change
from snapbase.exposure import Effect
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind
from snapbase.rules.example import AZURE, appeared, granted, modified, shared, unread
from snapbase.rules.rule import SHOWN, Context, Example, Rule, Verdict
from snapbase.rules.severity import effect_words, of_exposure, shown_by
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def _judge(change: Change, _: Context) -> Verdict | None:
    exposure = change.exposure
    if shown_by(change, "live_sas", PrincipalKind.BEARER):
        return Verdict(Severity.CRITICAL, "A SAS download link is live", _NOBODY_SAYS)
    if exposure is None or exposure.grant.principal.kind != PrincipalKind.BEARER:
        return None
    detail = effect_words(exposure) or _NOBODY_SAYS
    return Verdict(of_exposure(exposure), "A SAS download link is live", detail, unshare(change))


_NOBODY_SAYS = "Whoever holds the URL can download it; the cloud does not say who, or until when."


RULE = Rule(
    id="bearer-access",
    title="A live SAS link",
    on=SHOWN,
    judge=_judge,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="critical; medium while the network policy holds it back",
    blind="Who asked for it and until when (only the Activity Log may), and downloads (nothing logs them).",
    examples=(
        Example("SAS", shared(PrincipalKind.BEARER, "sas", TrustClass.UNKNOWN, scope=AZURE), Severity.CRITICAL),
        Example(
            "SAS behind DenyAll",
            shared(PrincipalKind.BEARER, "sas", TrustClass.UNKNOWN, scope=AZURE, effect=Effect.LATENT),
            Severity.MEDIUM,
        ),
        Example(
            "SAS while the roles are denied",
            unread(modified("live_sas", None, True, AZURE, attributes={"live_sas": True})),
            Severity.CRITICAL,
        ),
        Example(
            "a new snapshot with a SAS while the roles are denied",
            unread(appeared(AZURE, attributes={"live_sas": True})),
            Severity.CRITICAL,
        ),
        Example("the grant says it", granted(PrincipalKind.BEARER, "live_sas", AZURE), None),
        Example("an account is not a bearer", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN), None),
    ),
)
