"""Made-up changes for the rules' own examples."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from snapbase.diff import Change, ChangeType, grant_entry
from snapbase.exposure import Effect, Exposure
from snapbase.model import Access, Cloud, Grant, Json, Miss, Outcome, Principal, PrincipalKind, Resource, Scope, State
from snapbase.trust import Judgement, TrustClass

SCOPE = Scope(Cloud.AWS, "111122223333", "eu-west-1", "aws.ec2.snapshot")
AZURE = Scope(Cloud.AZURE, "00000000-0000-0000-0000-000000000001", "global", "azure.compute.snapshot")
PROJECT = Scope(Cloud.GCP, "prod-data", "global", "gcp.iam")
_UID = "arn:aws:ec2:eu-west-1::snapshot/snap-0a1b2c3d4e5f60718"


def state(scope: Scope = SCOPE, **fields: Any) -> State:
    """One snapshot as of some revision."""
    resource = Resource(**{"uid": _UID, "address": _UID, "name": "orders-db", "created_at": _CREATED, **fields})
    return State(scope, resource, frozenset(), None)


_CREATED = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)


def appeared(scope: Scope = SCOPE, **fields: Any) -> Change:
    return Change(type=ChangeType.APPEARED, scope=scope, uid=_UID, entry="presence", after=state(scope, **fields))


def unread(change: Change) -> Change:
    """The same change where the grants could not be read."""
    after = change.after
    return replace(change, after=after and replace(after, grants=None, miss=Miss(Outcome.DENIED, "denied")))


def granted(kind: PrincipalKind, attribute: str, scope: Scope = SCOPE) -> Change:
    """An attribute that shows an exposure, of a snapshot whose grants were read and show it too."""
    change = modified(attribute, None, True, scope, attributes={attribute: True})
    after = change.after
    grants = frozenset({Grant(Principal(kind, "any"), Access.READ, "any")})
    return replace(change, after=after and replace(after, grants=grants))


def disappeared(scope: Scope = SCOPE, **fields: Any) -> Change:
    return Change(type=ChangeType.DISAPPEARED, scope=scope, uid=_UID, entry="presence", before=state(scope, **fields))


def modified(name: str, was: Json, now: Json, scope: Scope = SCOPE, **fields: Any) -> Change:
    same = state(scope, **fields)
    return Change(
        type=ChangeType.MODIFIED, scope=scope, uid=_UID, entry=f"attr:{name}", before=same, after=same, was=was, now=now
    )


def shared(
    kind: PrincipalKind,
    key: str,
    trust: TrustClass,
    *,
    effect: Effect = Effect.EFFECTIVE,
    change: ChangeType = ChangeType.GRANT_ADDED,
    before: TrustClass | None = None,
    scope: Scope = SCOPE,
    **fields: Any,
) -> Change:
    """A grant to one principal, judged."""
    grant = Grant(Principal(kind, key), Access.READ, "ec2:createVolumePermission")
    return Change(
        type=change,
        scope=scope,
        uid=_UID,
        entry=grant_entry(grant),
        before=state(scope, **fields),
        after=state(scope, **fields),
        exposure=Exposure(grant, Judgement(trust), effect, "blocked by block public access" if effect else ""),
        exposure_before=Exposure(grant, Judgement(before), effect) if before else None,
    )


def cohort_change(kind: ChangeType, invariant: str, value: str) -> Change:
    """Something that is not as it was when an origin was approved."""
    return Change(
        type=kind,
        scope=SCOPE,
        uid="origin:dlm:policy-0a1b2c3d",
        entry=f"cohort:{invariant}",
        now=[value],
        count=2,
        examples=(_UID,),
        covers=((_UID, "presence"),),
    )
