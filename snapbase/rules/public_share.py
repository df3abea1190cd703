"""Everyone can take it."""

from snapbase.diff import Change
from snapbase.exposure import Effect
from snapbase.finding import Attack, Severity
from snapbase.model import PrincipalKind
from snapbase.rules.example import appeared, granted, modified, shared, unread
from snapbase.rules.rule import SHOWN, Context, Example, Rule, Verdict
from snapbase.rules.severity import effect_words, expiry_words, of_exposure, shown_by
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def _judge(change: Change, _: Context) -> Verdict | None:
    exposure = change.exposure
    if shown_by(change, "public", PrincipalKind.PUBLIC):
        words = "The list of what is public shows it; who else holds it could not be read."
        return Verdict(Severity.CRITICAL, "Public: anyone can take it", words)
    if exposure is None or exposure.trust != TrustClass.ANYONE:
        return None
    who = "anyone" if exposure.grant.principal.kind == PrincipalKind.PUBLIC else "anyone who signs in to the cloud"
    title = f"Public: {who} can {exposure.grant.access} it"
    detail = " ".join(filter(None, (effect_words(exposure), expiry_words(exposure))))
    return Verdict(of_exposure(exposure), title, detail, unshare(change))


RULE = Rule(
    id="public-share",
    title="Shared with everyone",
    on=SHOWN,
    judge=_judge,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="critical; high while block public access holds it back",
    blind="A share opened and closed between two runs.",
    examples=(
        Example("group all", shared(PrincipalKind.PUBLIC, "all", TrustClass.ANYONE), Severity.CRITICAL),
        Example(
            "blocked, but armed",
            shared(PrincipalKind.PUBLIC, "all", TrustClass.ANYONE, effect=Effect.LATENT),
            Severity.HIGH,
        ),
        Example(
            "all Google accounts",
            shared(PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers", TrustClass.ANYONE),
            Severity.CRITICAL,
        ),
        Example(
            "listed as public while its permissions are denied",
            unread(modified("public", None, True, attributes={"public": True})),
            Severity.CRITICAL,
        ),
        Example(
            "a new one, listed as public while its permissions are denied",
            unread(appeared(attributes={"public": True})),
            Severity.CRITICAL,
        ),
        Example("the grant says it", granted(PrincipalKind.PUBLIC, "public"), None),
        Example("one account", shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN), None),
    ),
)
