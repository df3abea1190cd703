"""Keys of Cloud KMS: which are read, whom their policies let in, and what that leaves of a share."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from snapbase.collect.gcp import iam, kms_key, snapshot
from snapbase.collect.gcp.errors import Unread
from snapbase.exposure import Effect, Exposure, expose
from snapbase.model import Limits, Miss, Observation, Outcome, Resource, Scope, State
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp.clients import send
from snapbase.sandbox.gcp.estate import ORGANIZATION, Shelf
from snapbase.trust import TrustedEntry, TrustList
from tests.collect.gcp.reader import (
    DISKS,
    EVE,
    FOLDER,
    IMAGES,
    MACHINE_IMAGES,
    PROJECT,
    REGIONAL,
    SNAPSHOTS,
    Google,
)

VAULT = "key-vault"
RING = f"projects/{VAULT}/locations/eu/keyRings/backups"
KEY = f"{RING}/cryptoKeys/ledger"
RINGS = "cloudkms.projects.locations.keyRings"
DECRYPTS = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
THEIR_AGENT = "serviceAccount:service-999988887777@compute-system.iam.gserviceaccount.com"
TODAY = date(2026, 11, 25)


@pytest.fixture(autouse=True)
def _vault(google: Google) -> None:
    """A project of its own for keys, right below the organisation."""
    google.sandbox.estate.add_project(VAULT, "Vault", ORGANIZATION)


def _make(google: Google, *names: str, **fields: Any) -> None:
    """Keys in the vault, through the API."""
    if google.sandbox.estate.get(Shelf(VAULT, "locations/eu", "keyRings"), "backups") is None:
        send("POST", f"{google.url}/v1/{RING.rpartition('/')[0]}", {}, keyRingId="backups")
    for name in names or ("ledger",):
        body = {"purpose": "ENCRYPT_DECRYPT", **fields}
        send("POST", f"{google.url}/v1/{RING}/cryptoKeys", body, cryptoKeyId=name)


def _protect(google: Google, name: str = "orders", key: str = KEY) -> None:
    google.put(SNAPSHOTS, name, snapshotEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/1"})


def _admit(google: Google, where: str, member: str, role: str = DECRYPTS, expression: str = "") -> None:
    binding: dict[str, Any] = {"role": role, "members": [member]}
    if expression:
        binding["condition"] = {"title": "if", "expression": expression}
    estate = google.sandbox.estate
    estate.set_policy(where, [*estate.policy(where).bindings, binding])


def _one(google: Google) -> Resource:
    [found] = google.read(kms_key.COLLECTOR).values()
    return found.resource


def _limits(resource: Resource) -> Limits:
    assert resource.limits is not None
    return resource.limits


def _broken_off(google: Google) -> tuple[list[Observation], Miss]:
    """What a reading yields before it breaks off, and why it does."""
    seen: list[Observation] = []

    def reading() -> Iterator[Observation]:
        for each in google.reading(kms_key.COLLECTOR):
            seen.append(each)
            yield each

    with pytest.raises(Unread) as raised:
        list(reading())
    return seen, raised.value.why


def _agent(google: Google) -> str:
    """Compute Engine's own account in our project, without which no disk is made there under a key."""
    return f"serviceAccount:service-{google.number}@compute-system.iam.gserviceaccount.com"


def _around(google: Google) -> Iterator[Observation]:
    """What decides about a snapshot's grants beside itself."""
    yield from google.reading(iam.COLLECTOR)
    for name in (FOLDER, ORGANIZATION):
        yield from google.reading_of(iam.COLLECTOR, name)
    with suppress(Unread):
        yield from google.reading(kms_key.COLLECTOR)


def _exposed(
    google: Google, member: str = EVE, *, without: str = "", own: tuple[str, ...] = (), trusted: tuple[str, ...] = ()
) -> Exposure:
    """What a grant on the snapshot is worth, judged with everything that was read around it."""
    google.bind(SNAPSHOTS, "orders", {"role": "roles/compute.storageAdmin", "members": [member]})
    seen = google.read(snapshot.COLLECTOR)["orders"]
    scope = Scope("gcp", PROJECT, "global", "gcp.compute.snapshot")
    guards = {each.resource.uid: State(scope, each.resource, each.grants, each.miss) for each in _around(google)}
    guards.pop(without, None)
    trust = TrustList(
        own=frozenset({PROJECT, google.number, *own}),
        domains=frozenset({"ours.example"}),
        entries=tuple(TrustedEntry(each) for each in trusted),
    )
    assert seen.grants is not None
    [grant] = seen.grants
    return expose(grant, State(scope, seen.resource, seen.grants, None), guards, trust, on=TODAY)


def test_exactly_the_keys_that_something_names_are_read(google: Google) -> None:
    _make(google, "a", "b", "c", "d", "e", "nobody")
    named = {each: {"kmsKeyName": f"{RING}/cryptoKeys/{each}/cryptoKeyVersions/1"} for each in "abcde"}
    google.put(SNAPSHOTS, "one", snapshotEncryptionKey=named["a"])
    google.put(SNAPSHOTS, "two", snapshotEncryptionKey=named["a"])
    google.put(REGIONAL, "eu", snapshotEncryptionKey=named["b"])
    google.put(IMAGES, "golden", imageEncryptionKey=named["c"])
    google.put(MACHINE_IMAGES, "bastion", machineImageEncryptionKey=named["d"])
    google.put(DISKS, "orders", diskEncryptionKey=named["e"])
    google.put(SNAPSHOTS, "plain")
    google.put(SNAPSHOTS, "csek", snapshotEncryptionKey={"sha256": "aGFzaA=="})
    google.put(IMAGES, "odd", imageEncryptionKey={"kmsKeyName": "projects/x/../y?z=1"})

    found = google.read(kms_key.COLLECTOR)

    assert set(found) == set("abcde")
    assert {each.resource.uid for each in found.values()} == {f"{RING}/cryptoKeys/{each}" for each in "abcde"}
    assert google.asked(f"{RINGS}.cryptoKeys.get") == 5
    assert google.asked(f"{RINGS}.getIamPolicy") == 1
    assert google.asked("cloudresourcemanager.organizations.getIamPolicy") == 1


def test_a_key_is_described_without_what_rotation_changes(google: Google) -> None:
    _make(google, rotationPeriod="7776000s", labels={"team": "payments"})
    _protect(google)

    found = _one(google)

    assert (found.uid, found.address, found.owner, found.name) == (KEY, KEY, VAULT, "ledger")
    assert found.attributes == {"state": "ENABLED", "protection_level": "SOFTWARE", "rotation_period": "7776000s"}
    assert found.tags == {"team": "payments"}
    assert found.created_at is not None


def test_a_destruction_shows_before_it_happens(google: Google) -> None:
    _make(google)
    _protect(google)
    send("POST", f"{google.url}/v1/{KEY}/cryptoKeyVersions/1:destroy", {})

    found = _one(google)

    assert found.attributes["state"] == "DESTROY_SCHEDULED"
    assert datetime.fromisoformat(str(found.facts["destroy_time"])) > datetime.now(UTC) + timedelta(days=29)


def test_a_key_that_is_named_but_not_there_is_said_to_be_gone(google: Google) -> None:
    _protect(google)

    found = _one(google)

    assert found.attributes["state"] == "NOT_FOUND"
    assert "no key" in _limits(found).unknown
    assert _exposed(google).effect == Effect.UNKNOWN


@pytest.mark.parametrize("level", ["key", "ring", "project", "organisation"])
def test_whoever_decrypts_anywhere_above_is_let_in(google: Google, level: str) -> None:
    _make(google)
    _protect(google)
    vault = google.sandbox.estate.project(VAULT)
    assert vault is not None
    places = {"key": KEY, "ring": RING, "project": str(vault["name"]), "organisation": ORGANIZATION}
    _admit(google, places[level], THEIR_AGENT)

    assert _limits(_one(google)) == Limits(admits=(f"service-account {THEIR_AGENT.partition(':')[2]}",))
    assert _exposed(google).effect == Effect.EFFECTIVE


def test_a_folder_is_above_a_key_as_well(google: Google) -> None:
    key = f"projects/{PROJECT}/locations/eu/keyRings/own/cryptoKeys/ledger"
    send("POST", f"{google.url}/v1/projects/{PROJECT}/locations/eu/keyRings", {}, keyRingId="own")
    send("POST", f"{google.url}/v1/{key.partition('/cryptoKeys')[0]}/cryptoKeys", {}, cryptoKeyId="ledger")
    _protect(google, key=key)
    _admit(google, FOLDER, THEIR_AGENT)

    assert len(_limits(_one(google)).admits or ()) == 1


def test_other_roles_and_the_deleted_are_not_let_in(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, THEIR_AGENT, "roles/cloudkms.viewer")
    _admit(google, KEY, THEIR_AGENT, "roles/cloudkms.cryptoKeyEncrypter")
    _admit(google, KEY, "deleted:serviceAccount:x@y.iam.gserviceaccount.com?uid=1")
    _admit(google, KEY, THEIR_AGENT, expression='request.time < timestamp("2020-01-01T00:00:00Z")')

    assert _limits(_one(google)) == Limits(admits=())


def test_a_key_that_only_our_own_agent_may_use_makes_a_share_latent(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, ORGANIZATION, "user:ada@ours.example", "roles/owner")

    found = _exposed(google)

    assert (found.effect, found.why) == (Effect.LATENT, "key ledger lets in nobody from outside")
    assert _exposed(google, "allAuthenticatedUsers").effect == Effect.LATENT
    assert _exposed(google, "group:dba@ours.example").effect == Effect.EFFECTIVE


@pytest.mark.parametrize(
    "member",
    [THEIR_AGENT, EVE, "allUsers", "allAuthenticatedUsers", "group:them@evil.example", "domain:evil.example"],
)
def test_a_key_that_lets_in_anybody_from_outside_makes_it_effective(google: Google, member: str) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, KEY, member)

    assert _exposed(google).effect == Effect.EFFECTIVE


def test_a_foot_in_the_project_is_a_way_to_our_own_agent(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, f"projects/{google.number}", EVE, "roles/compute.instanceAdmin.v1")

    found = _exposed(google)

    assert (found.effect, found.why) == (Effect.UNKNOWN, f"it holds a role on {PROJECT} as well")


@pytest.mark.parametrize(
    "member", ["domain:evil.example", "group:them@evil.example", "group:dba@ours.example", "projectEditor:elsewhere"]
)
def test_a_foot_among_others_in_the_project_is_a_way_as_well(google: Google, member: str) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, f"projects/{google.number}", member, "roles/compute.instanceAdmin.v1")

    assert _exposed(google).effect == Effect.UNKNOWN


@pytest.mark.parametrize(
    "member",
    [
        "serviceAccount:service-{vault}@compute-system.iam.gserviceaccount.com",
        "serviceAccount:restore@key-vault.iam.gserviceaccount.com",
        "group:dba@ours.example",
    ],
)
def test_a_way_to_our_own_that_leads_through_elsewhere_was_not_read(google: Google, member: str) -> None:
    """Who may act in another of our projects, or is in a group of ours, no binding above the snapshot says."""
    vault = google.sandbox.estate.project(VAULT)
    assert vault is not None
    number = str(vault["name"]).rpartition("/")[2]
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, KEY, member.format(vault=number))

    assert _exposed(google, own=(VAULT, number)).effect == Effect.UNKNOWN


def test_a_trusted_agent_is_not_taken_for_ours(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, THEIR_AGENT)

    assert _exposed(google, trusted=("999988887777",)).effect == Effect.EFFECTIVE


def test_bindings_above_that_were_not_read_are_not_taken_for_none(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    assert _exposed(google).effect == Effect.LATENT

    assert _exposed(google, without=google.project_uid).effect == Effect.UNKNOWN
    google.break_(FaultKind.DENIED, "cloudresourcemanager.folders.getIamPolicy")
    assert _exposed(google).effect == Effect.UNKNOWN


@pytest.mark.parametrize("how", ["condition", "custom role"])
def test_who_may_be_let_in_leaves_the_effect_unknown(google: Google, how: str) -> None:
    _make(google)
    _protect(google)
    hidden = f"projects/{VAULT}/roles/hidden"
    if how == "condition":
        _admit(google, KEY, THEIR_AGENT, expression="resource.name.startsWith('x')")
    else:
        _admit(google, KEY, THEIR_AGENT, hidden)

    found = _exposed(google)

    assert found.effect == Effect.UNKNOWN
    assert "may let in service-999988887777" in found.why
    _admit(google, KEY, _agent(google), expression="resource.name.startsWith('y')")
    assert _exposed(google).effect == Effect.UNKNOWN


def test_our_own_under_a_condition_change_nothing_for_strangers(google: Google) -> None:
    """Elevation for an hour is a conditional binding: it would otherwise turn every share's effect over and over."""
    _make(google)
    _protect(google)
    _admit(google, KEY, _agent(google))
    _admit(google, KEY, "user:ada@ours.example", expression="resource.name.startsWith('x')")

    assert _exposed(google).effect == Effect.LATENT


def test_a_custom_role_is_resolved(google: Google) -> None:
    _make(google)
    _protect(google)
    for name, permission in (("opens", "cloudkms.cryptoKeyVersions.useToDecrypt"), ("looks", "cloudkms.keyRings.list")):
        role = f"projects/{VAULT}/roles/{name}"
        google.sandbox.estate.put_thing(role, {"name": role, "includedPermissions": [permission], "stage": "GA"})
        _admit(google, KEY, f"user:{name}@evil.example", role)

    assert _limits(_one(google)).admits == ("user opens@evil.example",)


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
    google: Google, operation: str, fault: FaultKind
) -> None:
    _make(google)
    _protect(google)
    google.break_(fault, operation)

    seen, miss = _broken_off(google)

    [found] = seen
    outcomes = {
        FaultKind.DENIED: Outcome.DENIED,
        FaultKind.THROTTLED: Outcome.THROTTLED,
        FaultKind.DISABLED: Outcome.DISABLED,
        FaultKind.TRUNCATED: Outcome.FAILED,
    }
    assert miss.outcome == outcomes[fault]
    assert operation in miss.reason or "API" in miss.reason
    assert miss.reason in _limits(found.resource).unknown
    assert _exposed(google).effect == Effect.UNKNOWN


def test_a_refusal_names_the_permission_that_is_missing(google: Google) -> None:
    _make(google)
    _protect(google)
    google.break_(FaultKind.DENIED, f"{RINGS}.cryptoKeys.getIamPolicy")

    _, miss = _broken_off(google)

    assert miss.reason.endswith("grant cloudkms.cryptoKeys.getIamPolicy to the collector")


def test_somebody_let_in_for_certain_is_known_though_more_may_be(google: Google) -> None:
    _make(google)
    _protect(google)
    _admit(google, RING, THEIR_AGENT)
    google.break_(FaultKind.DENIED, f"{RINGS}.cryptoKeys.getIamPolicy")

    assert _exposed(google).effect == Effect.EFFECTIVE


def test_a_folder_whose_place_is_hidden_leaves_it_open_what_lies_above(google: Google) -> None:
    google.sandbox.estate.add_folder("Hidden", ORGANIZATION, number="8")
    google.sandbox.estate.add_project("deep-vault", "Deep", "folders/8")
    ring = "projects/deep-vault/locations/eu/keyRings/r"
    send("POST", f"{google.url}/v1/{ring.rpartition('/')[0]}", {}, keyRingId="r")
    send("POST", f"{google.url}/v1/{ring}/cryptoKeys", {}, cryptoKeyId="k")
    _protect(google, key=f"{ring}/cryptoKeys/k")
    google.break_(FaultKind.DENIED, "cloudresourcemanager.folders.get", account="folders/8")

    [found], miss = _broken_off(google)

    assert miss.outcome == Outcome.DENIED
    assert "folders.get" in _limits(found.resource).unknown


def test_a_key_in_a_project_that_is_closed_to_us_is_told_of(google: Google) -> None:
    _make(google)
    _protect(google)
    google.break_(FaultKind.DENIED, "*", account=VAULT)

    [found], miss = _broken_off(google)

    assert (found.resource.uid, found.resource.attributes, miss.outcome) == (KEY, {}, Outcome.DENIED)
    assert _exposed(google).effect == Effect.UNKNOWN


@pytest.mark.parametrize(
    "operation",
    [
        "compute.snapshots.list",
        "compute.images.list",
        "compute.machineImages.list",
        "compute.disks.aggregatedList",
        "compute.regionSnapshots.list",
    ],
)
def test_a_list_that_breaks_off_hides_no_other_key(google: Google, operation: str) -> None:
    _make(google)
    _protect(google)
    google.put(IMAGES, "golden", imageEncryptionKey={"kmsKeyName": f"{KEY}/cryptoKeyVersions/1"})
    google.break_(FaultKind.DENIED, operation)

    seen, miss = _broken_off(google)

    assert [each.resource.uid for each in seen] == [KEY]
    assert miss.outcome == Outcome.DENIED


def test_keys_behind_every_page(google: Google) -> None:
    google.sandbox.page_size = 2
    names = [f"k{number}" for number in range(5)]
    _make(google, *names)
    for name in names:
        _protect(google, name, f"{RING}/cryptoKeys/{name}")

    assert set(google.read(kms_key.COLLECTOR)) == set(names)


def test_no_key_is_named_and_nothing_is_asked(google: Google) -> None:
    google.put(SNAPSHOTS, "plain")

    assert google.read(kms_key.COLLECTOR) == {}
    assert not [call for call in google.sandbox.switchboard.calls if call[3].startswith("cloudkms")]
