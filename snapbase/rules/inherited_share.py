"""A binding on a container (project, subscription, resource group…) that reaches every snapshot below it."""

from snapbase.diff import Change
from snapbase.exposure import Exposure
from snapbase.finding import Attack, Severity, several
from snapbase.model import Access, PrincipalKind, ResourceType
from snapbase.rules.example import PROJECT, shared
from snapbase.rules.rule import OPENED, Context, Example, Rule, Verdict
from snapbase.rules.severity import holder, is_container, notes, of_exposure
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def _judge(change: Change, context: Context) -> Verdict | None:
    exposure, state = change.exposure, change.after
    if exposure is None or state is None or not is_container(state.resource.type):
        return None
    if exposure.trust in (TrustClass.OWN, TrustClass.PROVIDER, TrustClass.ANYONE):
        return None
    count = context.below.get(change.uid, 0)
    below = f"{several(count, 'snapshot')} below" if count else "everything below it"
    verb = "re-share" if exposure.grant.access == Access.RESHARE else "read"
    role = exposure.grant.mechanism.partition("/")[2]
    detail = " ".join(filter(None, (f"By {role}." if role else "", notes(exposure))))
    who = holder(exposure)
    return Verdict(_severity(exposure), f"{who[:1].upper()}{who[1:]} can {verb} {below}", detail, unshare(change))


def _severity(exposure: Exposure) -> Severity:
    """Staff and directory objects come and go in containers every day; strangers do not."""
    if exposure.trust == TrustClass.ORG:
        return Severity.INFO
    if exposure.unresolved:
        return Severity.LOW
    return of_exposure(exposure)


def _example(kind: PrincipalKind, key: str, trust: TrustClass, resource_type: str = ResourceType.CONTAINER) -> Change:
    return shared(kind, key, trust, scope=PROJECT, type=resource_type)


RULE = Rule(
    id="inherited-share",
    title="Access through a container",
    on=OPENED,
    judge=_judge,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="critical for strangers; low for unresolved directory objects; info for our own people",
    blind="Members of groups; grants above the containers that could be read.",
    examples=(
        Example("outsider", _example(PrincipalKind.USER, "eve@evil.example", TrustClass.UNKNOWN), Severity.CRITICAL),
        Example("directory group", _example(PrincipalKind.GROUP, "0b5fe924", TrustClass.UNKNOWN), Severity.LOW),
        Example("colleague", _example(PrincipalKind.USER, "ada@corp.example", TrustClass.ORG), Severity.INFO),
        Example(
            "a snapshot's own binding is another rule",
            _example(PrincipalKind.USER, "eve@evil.example", TrustClass.UNKNOWN, ResourceType.SNAPSHOT),
            None,
        ),
    ),
)
