"""What a grant is worth behind its guardrails: configured is not effective, and unread is not harmless."""

from datetime import UTC, date, datetime

import pytest

from snapbase.exposure import Effect, expose
from snapbase.model import Access, Grant, Limits, Principal, PrincipalKind, Resource, ResourceType, Scope, State
from snapbase.trust import TrustList

SCOPE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
SETTINGS = "arn:aws:ec2:eu-west-1:111122223333:region-settings"
STRANGER = Principal(PrincipalKind.ACCOUNT, "999988887777")
EVERYONE = Principal(PrincipalKind.PUBLIC, "all")
DAY = date(2026, 11, 25)


def _state(**fields: object) -> State:
    return State(SCOPE, Resource(**{"uid": "u", "address": "u", **fields}), frozenset(), None)  # type: ignore[arg-type]


def _guard(uid: str, limits: Limits | None) -> State:
    return State(SCOPE, Resource(uid=uid, address=uid, type=ResourceType.GUARDRAIL, limits=limits), frozenset(), None)


def _effect(principal: Principal, state: State, *guards: State, **terms: object) -> Effect:
    grant = Grant(principal, Access.READ, "ec2:createVolumePermission", **terms)  # type: ignore[arg-type]
    return expose(grant, state, {guard.resource.uid: guard for guard in guards}, TrustList(), on=DAY).effect


def test_nothing_in_the_way_is_effective() -> None:
    assert _effect(STRANGER, _state()) == Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(admits=("999988887777",)), Effect.EFFECTIVE),
        (Limits(admits=("*",)), Effect.EFFECTIVE),
        (Limits(admits=("123412341234",)), Effect.LATENT),
        (Limits(admits=()), Effect.LATENT),
        (Limits(admits=(), unknown="a condition nobody could read"), Effect.UNKNOWN),
        (Limits(unknown="kms:GetKeyPolicy denied"), Effect.UNKNOWN),
        (None, Effect.EFFECTIVE),
    ],
)
def test_a_key_admits_or_not(limits: Limits | None, expected: Effect) -> None:
    assert _effect(STRANGER, _state(key=KEY, guards=(KEY,)), _guard(KEY, limits)) == expected


def test_a_key_that_was_not_read_leaves_the_effect_unknown() -> None:
    assert _effect(STRANGER, _state(key=KEY, guards=(KEY,))) == Effect.UNKNOWN


def test_block_public_access_holds_back_everyone_but_no_named_account() -> None:
    settings = _guard(SETTINGS, Limits(blocks=("public",)))

    assert _effect(EVERYONE, _state(guards=(SETTINGS,)), settings) == Effect.LATENT
    assert _effect(STRANGER, _state(guards=(SETTINGS,)), settings) == Effect.EFFECTIVE


def test_a_closed_network_holds_back_a_link() -> None:
    link = Principal(PrincipalKind.BEARER, "sas")

    assert _effect(link, _state(limits=Limits(blocks=("bearer",)))) == Effect.LATENT


def test_a_condition_is_never_read_as_safe() -> None:
    assert _effect(STRANGER, _state(), condition="resource.name.startsWith('x')") == Effect.UNKNOWN


def test_a_grant_that_has_ended_does_not_work() -> None:
    assert _effect(STRANGER, _state(), expires_at=datetime(2026, 11, 1, tzinfo=UTC)) == Effect.LATENT
    assert _effect(STRANGER, _state(), expires_at=datetime(2026, 12, 1, tzinfo=UTC)) == Effect.EFFECTIVE


def test_a_deleted_principal_cannot_use_its_grant() -> None:
    assert _effect(Principal(PrincipalKind.DELETED, "user:x?uid=1"), _state()) == Effect.LATENT
