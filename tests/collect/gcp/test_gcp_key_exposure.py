"""What a Cloud KMS key leaves of a share of what it encrypts."""

import pytest

from snapbase.exposure import Effect
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp.estate import ORGANIZATION
from tests.collect.gcp.keys import KEY, RING, RINGS, THEIR_AGENT, VAULT, Vault
from tests.collect.gcp.reader import EVE, PROJECT, Google


def test_a_key_that_only_our_own_agent_may_use_makes_a_share_latent(vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(ORGANIZATION, "user:ada@ours.example", "roles/owner")

    found = vault.exposed()

    assert (found.effect, found.why) == (Effect.LATENT, "key ledger lets in nobody from outside")
    assert vault.exposed("allAuthenticatedUsers").effect == Effect.LATENT
    assert vault.exposed("group:dba@ours.example").effect == Effect.EFFECTIVE


@pytest.mark.parametrize(
    "member",
    [THEIR_AGENT, EVE, "allUsers", "allAuthenticatedUsers", "group:them@evil.example", "domain:evil.example"],
)
def test_a_key_that_lets_in_anybody_from_outside_makes_it_effective(vault: Vault, member: str) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(KEY, member)

    assert vault.exposed().effect == Effect.EFFECTIVE


def test_a_foot_in_the_project_is_a_way_to_our_own_agent(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(f"projects/{google.number}", EVE, "roles/compute.instanceAdmin.v1")

    found = vault.exposed()

    assert (found.effect, found.why) == (Effect.UNKNOWN, f"it holds a role on {PROJECT} as well")


@pytest.mark.parametrize(
    "member", ["domain:evil.example", "group:them@evil.example", "group:dba@ours.example", "projectEditor:elsewhere"]
)
def test_a_foot_among_others_in_the_project_is_a_way_as_well(google: Google, vault: Vault, member: str) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(f"projects/{google.number}", member, "roles/compute.instanceAdmin.v1")

    assert vault.exposed().effect == Effect.UNKNOWN


@pytest.mark.parametrize(
    "member",
    [
        "serviceAccount:service-{vault}@compute-system.iam.gserviceaccount.com",
        "serviceAccount:restore@key-vault.iam.gserviceaccount.com",
        "group:dba@ours.example",
    ],
)
def test_a_way_to_our_own_that_leads_through_elsewhere_was_not_read(vault: Vault, member: str) -> None:
    """Who may act in another of our projects, or is in a group of ours, no binding above the snapshot says."""
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(KEY, member.format(vault=vault.number))

    assert vault.exposed(own=(VAULT, vault.number)).effect == Effect.UNKNOWN


def test_a_trusted_agent_is_not_taken_for_ours(vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, THEIR_AGENT)

    assert vault.exposed(trusted=("999988887777",)).effect == Effect.EFFECTIVE


def test_bindings_above_that_were_not_read_are_not_taken_for_none(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    assert vault.exposed().effect == Effect.LATENT

    assert vault.exposed(without=google.project_uid).effect == Effect.UNKNOWN
    google.break_(FaultKind.DENIED, "cloudresourcemanager.folders.getIamPolicy")
    assert vault.exposed().effect == Effect.UNKNOWN


@pytest.mark.parametrize("how", ["condition", "custom role"])
def test_who_may_be_let_in_leaves_the_effect_unknown(vault: Vault, how: str) -> None:
    vault.make()
    vault.protect()
    hidden = f"projects/{VAULT}/roles/hidden"
    if how == "condition":
        vault.admit(KEY, THEIR_AGENT, expression="resource.name.startsWith('x')")
    else:
        vault.admit(KEY, THEIR_AGENT, hidden)

    found = vault.exposed()

    assert found.effect == Effect.UNKNOWN
    assert "may let in service-999988887777" in found.why
    vault.admit(KEY, vault.agent, expression="resource.name.startsWith('y')")
    assert vault.exposed().effect == Effect.UNKNOWN


def test_our_own_under_a_condition_change_nothing_for_strangers(vault: Vault) -> None:
    """Elevation for an hour is a conditional binding: it would otherwise turn every share's effect over and over."""
    vault.make()
    vault.protect()
    vault.admit(KEY, vault.agent)
    vault.admit(KEY, "user:ada@ours.example", expression="resource.name.startsWith('x')")

    assert vault.exposed().effect == Effect.LATENT


def test_somebody_let_in_for_certain_is_known_though_more_may_be(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(RING, THEIR_AGENT)
    google.break_(FaultKind.DENIED, f"{RINGS}.cryptoKeys.getIamPolicy")

    assert vault.exposed().effect == Effect.EFFECTIVE
