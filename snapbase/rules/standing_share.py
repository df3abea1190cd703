"""A lifecycle policy or a vault that shares by itself: whatever it makes or holds, again and again."""

from typing import Any

from snapbase.diff import Change, ChangeType
from snapbase.exposure import Effect, Exposure
from snapbase.finding import Attack, Severity, several
from snapbase.model import Access, PrincipalKind, ResourceType
from snapbase.rules.example import shared
from snapbase.rules.rule import OPENED, Context, Example, Rule, Verdict
from snapbase.rules.severity import holder, notes, of_exposure
from snapbase.trust import TrustClass

_TAKES = frozenset(Access)
"""Accesses that let data out; any other only lets somebody bring data in."""
_MEMBERS_ONLY = (
    "AWS Backup copies only between accounts of one organisation: this one is in ours and we do not know it, or it "
    "gets nothing while it is outside."
)
"""AWS Backup Developer Guide, "Creating backup copies across AWS accounts". No reason to be calm: who may write plans
may be able to have an account made or invited, and one that leaves takes its copies along."""


def _judge(change: Change, context: Context) -> Verdict | None:
    exposure, state = change.exposure, change.after
    if exposure is None or state is None or state.resource.type != ResourceType.POLICY:
        return None
    then = change.exposure_before
    same = change.type == ChangeType.GRANT_WORSE
    lost = same and then is not None and exposure.trust.rank > then.trust.rank
    if lost or exposure.trust in (TrustClass.OWN, TrustClass.ANYONE):
        return None
    count = context.below.get(change.uid, 0)
    held = f"{several(count, 'snapshot')} in it now." if count else ""
    members = _MEMBERS_ONLY if exposure.grant.mechanism == "backup:CopyActions" and exposure.trust.foreign else ""
    detail = " ".join(filter(None, (f"By {exposure.grant.mechanism}.", held, notes(exposure), members)))
    return Verdict(_severity(exposure), f"Standing share: {holder(exposure)} can {_words(exposure)}", detail)


def _words(exposure: Exposure) -> str:
    access = exposure.grant.access
    if access == Access.RESHARE:
        return "change who it is shared with"
    return f"{access} {'all that it makes or holds' if access in _TAKES else 'it'}"


def _severity(exposure: Exposure) -> Severity:
    """Bringing data in is a way to plant an image or fill a vault, not to take one home."""
    if exposure.grant.access not in _TAKES and exposure.trust.foreign:
        return Severity.LOW if exposure.effect == Effect.LATENT else Severity.MEDIUM
    return of_exposure(exposure)


def _example(key: str, trust: TrustClass, **more: Any) -> Change:
    return shared(PrincipalKind.ACCOUNT, key, trust, **{"type": ResourceType.POLICY, **more})


RULE = Rule(
    id="standing-share",
    title="A lifecycle policy or vault that shares by itself",
    on=OPENED,
    judge=_judge,
    attack=Attack(("T1537", "T1578"), ("DC0058",)),
    severities="as of a share of one snapshot; medium where a stranger can only bring data in",
    blind="What was shared already, which each snapshot says itself; policies of other accounts that take copies.",
    examples=(
        Example("lifecycle policy", _example("999988887777", TrustClass.UNKNOWN), Severity.CRITICAL),
        Example("disabled policy", _example("999988887777", TrustClass.UNKNOWN, effect=Effect.LATENT), Severity.MEDIUM),
        Example(
            "changed, and the holder left us meanwhile",
            _example("999988887777", TrustClass.UNKNOWN, change=ChangeType.GRANT_CHANGED, before=TrustClass.TRUSTED),
            Severity.CRITICAL,
        ),
        Example("left us", _example("999988887777", TrustClass.FORMER_ORG), Severity.CRITICAL),
        Example("copies go to our own vault account", _example("444455556666", TrustClass.ORG), Severity.MEDIUM),
        Example("partner", _example("777788889999", TrustClass.TRUSTED), Severity.INFO),
        Example("the owner itself", _example("111122223333", TrustClass.OWN), None),
        Example(
            "lost trust is another rule",
            _example("999988887777", TrustClass.FORMER_ORG, change=ChangeType.GRANT_WORSE, before=TrustClass.ORG),
            None,
        ),
        Example("everyone is another rule", _example("*", TrustClass.ANYONE), None),
        Example("one snapshot is another rule", _example("9", TrustClass.UNKNOWN, type=ResourceType.SNAPSHOT), None),
    ),
)
