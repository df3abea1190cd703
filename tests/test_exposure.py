"""What a grant is worth behind its guardrails: configured is not effective, and unread is not harmless."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from snapbase.exposure import Effect, Exposure, admission, expose, is_worse
from snapbase.model import (
    Access,
    Grant,
    Limits,
    Miss,
    Outcome,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
    State,
)
from snapbase.trust import TrustedEntry, TrustList

SCOPE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
KEY = "arn:aws:kms:eu-west-1:111122223333:key/k"
SETTINGS = "arn:aws:ec2:eu-west-1:111122223333:region-settings"
STRANGER = Principal(PrincipalKind.ACCOUNT, "999988887777")
EVERYONE = Principal(PrincipalKind.PUBLIC, "all")
DAY = date(2026, 11, 25)
GOOGLE = Scope("gcp", "prod-data", "global", "gcp.compute.snapshot")
RING_KEY = "projects/prod-data/locations/eu/keyRings/r/cryptoKeys/k"
CONTAINER = "//cloudresourcemanager.googleapis.com/projects/42"
EVE = Principal(PrincipalKind.USER, "eve@evil.example")
ADA = Principal(PrincipalKind.USER, "ada@ours.example")
OUR_AGENT = Principal(PrincipalKind.SERVICE_ACCOUNT, "service-42@compute-system.iam.gserviceaccount.com")
THEIR_AGENT = Principal(PrincipalKind.SERVICE_ACCOUNT, "service-99@compute-system.iam.gserviceaccount.com")
SOMEBODY = Principal(PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers")


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


@pytest.mark.parametrize(
    ("admits", "expected"),
    [
        ((SCOPE.account,), Effect.LATENT),
        ((SCOPE.account, STRANGER.id), Effect.EFFECTIVE),
    ],
)
def test_what_is_everybodys_works_for_the_stranger_whom_the_key_lets_in(
    admits: tuple[str, ...], expected: Effect
) -> None:
    state = _state(key=KEY, guards=(KEY,))

    assert _effect(EVERYONE, state, _guard(KEY, Limits(admits=admits))) == expected


def test_block_public_access_holds_back_everyone_but_no_named_account() -> None:
    settings = _guard(SETTINGS, Limits(blocks=("public",)))

    assert _effect(EVERYONE, _state(guards=(SETTINGS,)), settings) == Effect.LATENT
    assert _effect(STRANGER, _state(guards=(SETTINGS,)), settings) == Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("limits", "others", "expected", "last"),
    [
        (Limits(blocks=("public",)), (), Effect.UNKNOWN, Effect.LATENT),
        (Limits(), (), Effect.EFFECTIVE, None),
        (Limits(unknown="a condition"), (), Effect.UNKNOWN, Effect.UNKNOWN),
        (Limits(blocks=("public",)), (Limits(blocks=("public",)),), Effect.LATENT, None),
    ],
)
def test_what_an_unseen_guardrail_held_back_is_unknown_and_says_since_when(
    limits: Limits, others: tuple[Limits, ...], expected: Effect, last: Effect | None
) -> None:
    unseen = replace(_guard(SETTINGS, limits), unseen="not read since 2026-11-24 10:00 UTC: denied")
    standing = {SETTINGS: unseen, **{f"other{n}": _guard(f"other{n}", each) for n, each in enumerate(others)}}
    grant = Grant(EVERYONE, Access.READ, "ec2:createVolumePermission")

    found = expose(grant, _state(guards=tuple(standing)), standing, TrustList(), on=DAY)

    assert (found.effect, found.last) == (expected, last)
    assert (SETTINGS in found.why and "since 2026-11-24" in found.why) == (last == Effect.LATENT)


def test_that_a_guardrail_is_unread_makes_nothing_behind_it_worse_but_that_it_fell_does() -> None:
    def public(limits: Limits, unseen: str = "") -> Exposure:
        guard = replace(_guard(SETTINGS, limits), unseen=unseen)
        grant = Grant(EVERYONE, Access.READ, "ec2:createVolumePermission")
        return expose(grant, _state(guards=(SETTINGS,)), {SETTINGS: guard}, TrustList(), on=DAY)

    blocked, unread = public(Limits(blocks=("public",))), public(Limits(blocks=("public",)), "not read since")

    assert not is_worse(blocked, unread)
    assert is_worse(unread, public(Limits()))
    assert is_worse(unread, public(Limits(), "not read since"))
    assert not is_worse(unread, blocked)


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


def _behind(principal: Principal, limits: Limits | None, *holders: Principal, read: bool = True) -> Effect:
    """What a grant is worth on a snapshot behind a key of Cloud KMS, in a project that `holders` hold roles on."""
    resource = Resource(uid="u", address="u", key=RING_KEY, guards=(CONTAINER, RING_KEY))
    held = frozenset(Grant(each, Access.READ, "gcp.iam/roles/editor") for each in holders) if read else None
    container = Resource(uid=CONTAINER, address=CONTAINER, type=ResourceType.CONTAINER)
    miss = None if read else Miss(Outcome.DENIED, "no")
    guards = {CONTAINER: State(GOOGLE, container, held, miss)}
    if limits is not None:
        key = Resource(uid=RING_KEY, address=RING_KEY, type=ResourceType.GUARDRAIL, limits=limits)
        guards[RING_KEY] = State(GOOGLE, key, frozenset(), None)
    own, partner = frozenset({"prod-data", "42", "data-lab", "43"}), TrustedEntry("777", reason="partner")
    trust = TrustList(own=own, domains=frozenset({"ours.example"}), entries=(partner,))
    grant = Grant(principal, Access.READ, "gcp.iam/roles/compute.storageAdmin")
    return expose(grant, State(GOOGLE, resource, frozenset(), None), guards, trust, on=DAY).effect


def _admits(*members: Principal, perhaps: Principal | None = None, unknown: str = "") -> Limits:
    some = (admission(perhaps, certain=False),) if perhaps else ()
    return Limits(admits=(*map(admission, members), *some), unknown=unknown)


@pytest.mark.parametrize(
    ("limits", "stranger", "ours"),
    [
        (None, Effect.UNKNOWN, Effect.UNKNOWN),
        (_admits(OUR_AGENT), Effect.LATENT, Effect.EFFECTIVE),
        (_admits(OUR_AGENT, ADA), Effect.LATENT, Effect.EFFECTIVE),
        (_admits(OUR_AGENT, THEIR_AGENT), Effect.EFFECTIVE, Effect.EFFECTIVE),
        (_admits(OUR_AGENT, EVE), Effect.EFFECTIVE, Effect.EFFECTIVE),
        (_admits(SOMEBODY), Effect.EFFECTIVE, Effect.EFFECTIVE),
        (_admits(), Effect.LATENT, Effect.LATENT),
        (_admits(OUR_AGENT, perhaps=THEIR_AGENT), Effect.UNKNOWN, Effect.EFFECTIVE),
        (_admits(OUR_AGENT, perhaps=ADA), Effect.LATENT, Effect.EFFECTIVE),
        (_admits(OUR_AGENT, unknown="the ring's policy was not read"), Effect.UNKNOWN, Effect.EFFECTIVE),
        (_admits(THEIR_AGENT, unknown="the ring's policy was not read"), Effect.EFFECTIVE, Effect.EFFECTIVE),
        (Limits(unknown="nothing was read"), Effect.UNKNOWN, Effect.UNKNOWN),
    ],
)
def test_a_google_key_is_asked_for_by_the_project_that_makes_the_disk(
    limits: Limits | None, stranger: Effect, ours: Effect
) -> None:
    assert (_behind(EVE, limits), _behind(ADA, limits)) == (stranger, ours)


def test_a_stranger_with_a_role_above_may_have_our_own_agent_ask() -> None:
    assert _behind(EVE, _admits(OUR_AGENT), THEIR_AGENT) == Effect.LATENT
    assert _behind(EVE, _admits(OUR_AGENT), EVE) == Effect.UNKNOWN
    assert _behind(EVE, _admits(OUR_AGENT), SOMEBODY) == Effect.UNKNOWN
    assert _behind(EVE, _admits(OUR_AGENT), read=False) == Effect.UNKNOWN


def test_what_is_everybodys_is_latent_behind_our_own_key() -> None:
    assert _behind(SOMEBODY, _admits(OUR_AGENT)) == Effect.LATENT
    assert _behind(SOMEBODY, _admits(OUR_AGENT, THEIR_AGENT)) == Effect.EFFECTIVE


def _account(name: str) -> Principal:
    return Principal(PrincipalKind.SERVICE_ACCOUNT, f"{name}.iam.gserviceaccount.com")


PARTNER_AGENT = _account("service-777@compute-system")
OUR_TEAM = Principal(PrincipalKind.PROJECT_TEAM, "projectEditor:prod-data")
OTHER_TEAM = Principal(PrincipalKind.PROJECT_TEAM, "projectEditor:data-lab")
OUR_GROUP = Principal(PrincipalKind.GROUP, "dba@ours.example")
THEIR_GROUP = Principal(PrincipalKind.GROUP, "them@evil.example")
OUR_DOMAIN = Principal(PrincipalKind.DOMAIN, "ours.example")
THEIR_DOMAIN = Principal(PrincipalKind.DOMAIN, "evil.example")
POOL = Principal(PrincipalKind.FEDERATED, "principalSet://iam.googleapis.com/projects/42/locations/global/x/subject/a")


def test_that_somebody_is_trusted_hides_no_share_with_a_stranger() -> None:
    """Nobody can tell that the account which a partner's project runs is not the stranger's."""
    assert _behind(EVE, _admits(OUR_AGENT, PARTNER_AGENT)) == Effect.EFFECTIVE
    assert _behind(EVE, _admits(OUR_AGENT, perhaps=PARTNER_AGENT)) == Effect.UNKNOWN
    assert _behind(EVE, _admits(Principal(PrincipalKind.SERVICE, "backup"))) == Effect.EFFECTIVE


def test_an_account_is_no_agent_of_ours_by_its_name() -> None:
    assert _behind(EVE, _admits(OUR_AGENT, _account("service-42@somewhere-else"))) == Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (_account("service-43@compute-system"), Effect.UNKNOWN),
        (_account("ci@prod-data"), Effect.UNKNOWN),
        (_account("ci@data-lab"), Effect.UNKNOWN),
        (_account("service-42@data-lab"), Effect.UNKNOWN),
        (_account("service-42@gcp-sa-cloud-sql"), Effect.LATENT),
        (OUR_GROUP, Effect.UNKNOWN),
        (POOL, Effect.UNKNOWN),
        (OTHER_TEAM, Effect.UNKNOWN),
        (OUR_TEAM, Effect.LATENT),
        (OUR_DOMAIN, Effect.LATENT),
        (ADA, Effect.LATENT),
    ],
)
def test_one_of_ours_is_closed_to_strangers_only_where_everything_about_it_was_read(
    member: Principal, expected: Effect
) -> None:
    assert _behind(EVE, _admits(OUR_AGENT, member)) == expected
    assert _behind(EVE, _admits(OUR_AGENT, perhaps=member)) == expected
    assert _behind(ADA, _admits(OUR_AGENT, member)) == Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("held", "eve", "domain"),
    [
        (EVE, Effect.UNKNOWN, Effect.UNKNOWN),
        (THEIR_DOMAIN, Effect.UNKNOWN, Effect.UNKNOWN),
        (THEIR_GROUP, Effect.UNKNOWN, Effect.UNKNOWN),
        (OUR_GROUP, Effect.UNKNOWN, Effect.UNKNOWN),
        (POOL, Effect.UNKNOWN, Effect.UNKNOWN),
        (OTHER_TEAM, Effect.UNKNOWN, Effect.UNKNOWN),
        (Principal(PrincipalKind.USER, "eric@evil.example"), Effect.LATENT, Effect.UNKNOWN),
        (Principal(PrincipalKind.DELETED, "deleted:group:x"), Effect.LATENT, Effect.LATENT),
        (OUR_TEAM, Effect.LATENT, Effect.LATENT),
        (OUR_DOMAIN, Effect.LATENT, Effect.LATENT),
        (_account("ci@prod-data"), Effect.LATENT, Effect.LATENT),
        (ADA, Effect.LATENT, Effect.LATENT),
    ],
)
def test_whoever_may_be_among_those_who_hold_a_role_above_has_a_foot_there(
    held: Principal, eve: Effect, domain: Effect
) -> None:
    assert _behind(EVE, _admits(OUR_AGENT), held) == eve
    assert _behind(THEIR_DOMAIN, _admits(OUR_AGENT), held) == domain
