"""Keys of Cloud KMS: which are read, and how they are described."""

from datetime import UTC, datetime, timedelta

import pytest

from snapbase.collect.gcp import kms_key
from snapbase.exposure import Effect
from snapbase.model import Outcome
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp.clients import send
from tests.collect.gcp.keys import KEY, RING, RINGS, VAULT, Vault, limits_of
from tests.collect.gcp.reader import DISKS, IMAGES, MACHINE_IMAGES, REGIONAL, SNAPSHOTS, Google


def test_exactly_the_keys_that_something_names_are_read(google: Google, vault: Vault) -> None:
    vault.make("a", "b", "c", "d", "e", "nobody")
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


def test_a_key_is_described_without_what_rotation_changes(vault: Vault) -> None:
    vault.make(rotationPeriod="7776000s", labels={"team": "payments"})
    vault.protect()

    found = vault.one()

    assert (found.uid, found.address, found.owner, found.name) == (KEY, KEY, VAULT, "ledger")
    assert found.attributes == {"state": "ENABLED", "protection_level": "SOFTWARE", "rotation_period": "7776000s"}
    assert found.tags == {"team": "payments"}
    assert found.created_at is not None


def test_a_destruction_shows_before_it_happens(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    send("POST", f"{google.url}/v1/{KEY}/cryptoKeyVersions/1:destroy", {})

    found = vault.one()

    assert found.attributes["state"] == "DESTROY_SCHEDULED"
    assert datetime.fromisoformat(str(found.facts["destroy_time"])) > datetime.now(UTC) + timedelta(days=29)


def test_a_key_that_is_named_but_not_there_is_said_to_be_gone(vault: Vault) -> None:
    vault.protect()

    found = vault.one()

    assert found.attributes["state"] == "NOT_FOUND"
    assert "no key" in limits_of(found).unknown
    assert vault.exposed().effect == Effect.UNKNOWN


def test_a_key_in_a_project_that_is_closed_to_us_is_told_of(google: Google, vault: Vault) -> None:
    vault.make()
    vault.protect()
    google.break_(FaultKind.DENIED, "*", account=VAULT)

    [found], miss = vault.broken_off()

    assert (found.resource.uid, found.resource.attributes, miss.outcome) == (KEY, {}, Outcome.DENIED)
    assert vault.exposed().effect == Effect.UNKNOWN


@pytest.mark.parametrize("operation", ["cloudkms.*", "cloudkms.*.cryptoKeys.get", "cloudkms.*.keyRings.getIamPolicy"])
def test_a_key_that_cannot_be_read_just_now_stays_what_it_was(google: Google, vault: Vault, operation: str) -> None:
    vault.make()
    vault.protect()
    google.break_(FaultKind.THROTTLED, operation)

    seen, miss = vault.broken_off()

    assert (seen, miss.outcome) == ([], Outcome.THROTTLED)


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
def test_a_list_that_breaks_off_hides_no_other_key(google: Google, vault: Vault, operation: str) -> None:
    vault.make()
    vault.protect()
    google.put(IMAGES, "golden", imageEncryptionKey={"kmsKeyName": f"{KEY}/cryptoKeyVersions/1"})
    google.break_(FaultKind.DENIED, operation)

    seen, miss = vault.broken_off()

    assert [each.resource.uid for each in seen] == [KEY]
    assert miss.outcome == Outcome.DENIED


def test_keys_behind_every_page(google: Google, vault: Vault) -> None:
    google.sandbox.page_size = 2
    names = [f"k{number}" for number in range(5)]
    vault.make(*names)
    for name in names:
        vault.protect(name, f"{RING}/cryptoKeys/{name}")

    assert set(google.read(kms_key.COLLECTOR)) == set(names)


def test_no_key_is_named_and_nothing_is_asked(google: Google) -> None:
    google.put(SNAPSHOTS, "plain")

    assert google.read(kms_key.COLLECTOR) == {}
    assert not [call for call in google.sandbox.switchboard.calls if call[3].startswith("cloudkms")]
