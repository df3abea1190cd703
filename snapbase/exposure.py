"""Pure: a grant, its resource and the guardrails as of one revision -> what the grant is worth there.

Computed at read time and never stored with the grant: one change of a key's policy would otherwise rewrite thousands
of grants that nobody touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from snapbase.model import Grant, Limits, Principal, PrincipalKind, State
from snapbase.trust import Judgement, TrustClass, TrustList, unresolved


class Effect(StrEnum):
    EFFECTIVE = "effective"
    UNKNOWN = "unknown"
    LATENT = "latent"
    """Configured, but something else stands in the way: one change of a key policy or setting, and it works."""

    @property
    def rank(self) -> int:
        """0 for latent; higher is worse."""
        return [Effect.LATENT, Effect.UNKNOWN, Effect.EFFECTIVE].index(self)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One grant, judged."""

    grant: Grant
    judgement: Judgement
    effect: Effect
    why: str = ""

    @property
    def trust(self) -> TrustClass:
        return self.judgement.trust

    @property
    def unresolved(self) -> bool:
        """The principal is a directory object whose home nobody looked up."""
        return self.trust == TrustClass.UNKNOWN and unresolved(self.grant.principal)

    @property
    def badness(self) -> tuple[int, int]:
        """Orders exposures: a rise between two revisions is a finding though the grant is the same."""
        return (self.trust.rank, self.effect.rank)


def expose(grant: Grant, state: State, guards: Mapping[str, State], trust: TrustList, *, on: date) -> Exposure:
    """What `grant` on `state` is worth behind `guards` (by uid), under `trust`, on a day."""
    scope = state.scope
    source = state.resource.source or ""
    judgement = trust.judge(grant.principal, account=scope.account, kind=scope.kind, on=on, source=source)
    effect, why = _effect(grant, state, guards, on)
    return Exposure(grant, judgement, effect, why)


def _effect(grant: Grant, state: State, guards: Mapping[str, State], on: date) -> tuple[Effect, str]:
    principal = grant.principal
    if principal.kind == PrincipalKind.DELETED:
        return Effect.LATENT, "the principal was deleted"
    if grant.expires_at is not None and grant.expires_at.date() < on:
        return Effect.LATENT, f"ended {grant.expires_at.date()}"
    verdicts = []
    resource = state.resource
    if resource.limits is not None:
        verdicts.append(_limited(principal, resource.limits, "its own settings"))
    for uid in resource.guards:
        guard = guards.get(uid)
        if guard is None:
            if uid == resource.key:
                verdicts.append((Effect.UNKNOWN, f"the policy of key {uid} was not read"))
        elif guard.resource.limits is not None:
            verdicts.append(_limited(principal, guard.resource.limits, guard.resource.name or guard.resource.address))
    if grant.condition and grant.expires_at is None:
        verdicts.append((Effect.UNKNOWN, "under a condition"))
    return min(verdicts, key=lambda verdict: verdict[0].rank, default=(Effect.EFFECTIVE, ""))


def _limited(principal: Principal, limits: Limits, name: str) -> tuple[Effect, str]:
    if principal.kind in limits.blocks:
        return Effect.LATENT, f"blocked by {name}"
    if limits.admits is not None and "*" not in limits.admits and principal.id not in limits.admits:
        if limits.unknown or principal.kind not in (PrincipalKind.ACCOUNT, PrincipalKind.PUBLIC):
            return Effect.UNKNOWN, limits.unknown or f"cannot tell whether {name} lets it in"
        return Effect.LATENT, f"{name} does not let it in"
    if limits.unknown and limits.admits is None:
        return Effect.UNKNOWN, limits.unknown
    return Effect.EFFECTIVE, ""
