"""How bad an exposure is, by who holds it and whether it works; and the words for both."""

from snapbase.diff import Change, ChangeType
from snapbase.exposure import Effect, Exposure
from snapbase.finding import Severity
from snapbase.model import PrincipalKind, ResourceType
from snapbase.rules.estate import Tuning, step
from snapbase.trust import TrustClass


def of_exposure(exposure: Exposure) -> Severity:
    """An effect that could not be determined counts as effective: what was not read is not harmless."""
    latent = exposure.effect == Effect.LATENT
    if exposure.trust == TrustClass.ANYONE:
        return Severity.HIGH if latent else Severity.CRITICAL
    if exposure.unresolved:
        return Severity.LOW if latent else Severity.MEDIUM
    if exposure.trust.foreign:
        return Severity.MEDIUM if latent else Severity.CRITICAL
    if exposure.trust == TrustClass.ORG:
        return Severity.LOW if latent else Severity.MEDIUM
    return Severity.INFO


def weighed(severity: Severity, change: Change, tuning: Tuning) -> tuple[Severity, str]:
    """A step worse where the data or its account is called sensitive, and why; mere information stays that."""
    resource = change.state.resource if change.state else None
    names = (resource.source, resource.name, resource.uid, resource.address) if resource else ()
    if severity == Severity.INFO or not tuning.is_sensitive(change.scope.account, names):
        return severity, ""
    return step(severity, -1), "It is called sensitive."


def is_container(resource_type: str | None) -> bool:
    return resource_type == ResourceType.CONTAINER


def holder(exposure: Exposure) -> str:
    """Who holds it, for a title: `unknown account 999988887777`, `partner account 1234… (Acme)`."""
    principal = exposure.grant.principal
    if principal.kind == PrincipalKind.PUBLIC:
        return "everyone"
    if principal.kind == PrincipalKind.AUTHENTICATED:
        return "everyone with an account of the cloud"
    adjective = {TrustClass.ORG: "own", TrustClass.FORMER_ORG: "former own"}.get(exposure.trust, exposure.trust.value)
    if exposure.unresolved:
        adjective = "directory"
    kind = "holder" if principal.kind == PrincipalKind.OTHER else principal.kind.replace("-", " ")
    name = f" ({exposure.judgement.label})" if exposure.judgement.label and not exposure.trust.foreign else ""
    return f"{adjective} {kind} {principal.id}{name}"


def effect_words(exposure: Exposure) -> str:
    """Why it does not work yet, cannot be told, or works for some; empty where it simply works."""
    if exposure.effect == Effect.LATENT:
        return f"Configured but not usable now: {exposure.why}."
    if exposure.effect == Effect.UNKNOWN:
        return f"Whether it works is unknown: {exposure.why}."
    return f"It works: {exposure.why}." if exposure.why else ""


def expiry_words(exposure: Exposure) -> str:
    grant = exposure.grant
    if grant.expires_at is not None:
        return f"Until {grant.expires_at:%Y-%m-%d %H:%M} UTC."
    return f"Condition: {grant.condition}." if grant.condition else ""


def notes(exposure: Exposure) -> str:
    """One line under a title: effect, condition and what is known of the holder."""
    label = exposure.judgement.label if exposure.trust.foreign else None
    words = (f"{label[:1].upper()}{label[1:]}." if label else "", effect_words(exposure), expiry_words(exposure))
    return " ".join(word for word in words if word)


def shown_by(change: Change, attribute: str, kind: PrincipalKind) -> bool:
    """Whether an attribute alone shows an exposure: its grants could not be read, so none of them says it."""
    state = change.after
    if state is None or state.resource.attributes.get(attribute) is not True:
        return False
    if change.type != ChangeType.APPEARED and change.entry != f"attr:{attribute}":
        return False
    return not any(grant.principal.kind == kind for grant in state.grants or ())
