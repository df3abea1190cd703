"""Whom the policies of a Cloud KMS key, and those above it, let in; and what is said where they cannot be read."""

import pytest

from snapbase.exposure import Effect
from snapbase.model import Limits, Outcome
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp.estate import ORGANIZATION
from tests.collect.gcp.keys import KEY, RING, RINGS, THEIR_AGENT, VAULT, Vault, limits_of, make_key, make_ring
from tests.collect.gcp.reader import FOLDER, PROJECT, Google


@pytest.mark.parametrize("level", ["key", "ring", "project", "organisation"])
def test_whoever_decrypts_anywhere_above_is_let_in(vault: Vault, level: str) -> None:
    vault.make()
    vault.protect()
    places = {"key": KEY, "ring": RING, "project": f"projects/{vault.number}", "organisation": ORGANIZATION}
    vault.admit(places[level], THEIR_AGENT)

    assert limits_of(vault.one()) == Limits(admits=(f"service-account {THEIR_AGENT.partition(':')[2]}",))
    assert vault.exposed().effect == Effect.EFFECTIVE


def test_a_folder_is_above_a_key_as_well(google: Google, vault: Vault) -> None:
    ring = f"projects/{PROJECT}/locations/eu/keyRings/own"
    make_ring(google, ring)
    make_key(google, f"{ring}/cryptoKeys/ledger")
    vault.protect(key=f"{ring}/cryptoKeys/ledger")
    vault.admit(FOLDER, THEIR_AGENT)

    assert len(limits_of(vault.one()).admits or ()) == 1


def test_other_roles_and_the_deleted_are_not_let_in(vault: Vault) -> None:
    vault.make()
    vault.protect()
    vault.admit(KEY, THEIR_AGENT, "roles/cloudkms.viewer")
    vault.admit(KEY, THEIR_AGENT, "roles/cloudkms.cryptoKeyEncrypter")
    vault.admit(KEY, "deleted:serviceAccount:x@y.iam.gserviceaccount.com?uid=1")
    vault.admit(KEY, THEIR_AGENT, expression='request.time < timestamp("2020-01-01T00:00:00Z")')

    assert limits_of(vault.one()) == Limits(admits=())


def test_a_custom_role_is_resolved(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    for name, permission in (("opens", "cloudkms.cryptoKeyVersions.useToDecrypt"), ("looks", "cloudkms.keyRings.list")):
        role = f"projects/{VAULT}/roles/{name}"
        google.sandbox.estate.put_thing(role, {"name": role, "includedPermissions": [permission], "stage": "GA"})
        vault.admit(KEY, f"user:{name}@evil.example", role)

    assert limits_of(vault.one()).admits == ("user opens@evil.example",)


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.DISABLED, FaultKind.TRUNCATED])
@pytest.mark.parametrize(
    "operation",
    [
        f"{RINGS}.cryptoKeys.getIamPolicy",
        f"{RINGS}.getIamPolicy",
        "cloudresourcemanager.projects.getIamPolicy",
        "cloudresourcemanager.organizations.getIamPolicy",
    ],
)
def test_a_policy_that_was_not_read_is_neither_harmless_nor_forgotten(
    google: Google, vault: Vault, operation: str, fault: FaultKind
) -> None:
    vault.make()
    vault.protect()
    google.break_(fault, operation)

    seen, miss = vault.broken_off()

    outcomes = {
        FaultKind.DENIED: Outcome.DENIED,
        FaultKind.THROTTLED: Outcome.THROTTLED,
        FaultKind.DISABLED: Outcome.DISABLED,
        FaultKind.TRUNCATED: Outcome.FAILED,
    }
    passing = fault in (FaultKind.THROTTLED, FaultKind.TRUNCATED)
    assert miss.outcome == outcomes[fault]
    assert operation in miss.reason or "API" in miss.reason
    assert [miss.reason in limits_of(found.resource).unknown for found in seen] == ([] if passing else [True])
    assert vault.exposed().effect == Effect.UNKNOWN


def test_a_refusal_names_the_permission_that_is_missing(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    google.break_(FaultKind.DENIED, f"{RINGS}.cryptoKeys.getIamPolicy")

    _, miss = vault.broken_off()

    assert miss.reason.endswith("grant cloudkms.cryptoKeys.getIamPolicy to the collector")


def test_a_folder_whose_place_is_hidden_leaves_it_open_what_lies_above(google: Google, vault: Vault) -> None:
    google.sandbox.estate.add_folder("Hidden", ORGANIZATION, number="8")
    google.sandbox.estate.add_project("deep-vault", "Deep", "folders/8")
    ring = "projects/deep-vault/locations/eu/keyRings/r"
    make_ring(google, ring)
    make_key(google, f"{ring}/cryptoKeys/k")
    vault.protect(key=f"{ring}/cryptoKeys/k")
    google.break_(FaultKind.DENIED, "cloudresourcemanager.folders.get", account="folders/8")

    [found], miss = vault.broken_off()

    assert miss.outcome == Outcome.DENIED
    assert "folders.get" in limits_of(found.resource).unknown
