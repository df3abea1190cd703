"""What each of the newer kinds is read as, what lies above a project, and roles that companies make themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snapbase.collect.collector import Where
from snapbase.collect.gcp import backup_vault, disk, iam, instant_snapshot, machine_image, snapshot_schedule, sql_backup
from snapbase.collect.gcp.roles import UNRESOLVED
from snapbase.model import Access, Observation, Outcome, PrincipalKind, ResourceType
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp.estate import ORGANIZATION, Shelf
from tests.collect.gcp.reader import (
    ABOVE,
    DISKS,
    EVE,
    FOLDER,
    INSTANT,
    MACHINE_IMAGES,
    PROJECT,
    Google,
    granted,
)

KEY = "projects/vault/locations/eu/keyRings/ring/cryptoKeys/disks"
BACKUPS = Shelf(PROJECT, "", "backups")
VAULTS = Shelf(PROJECT, "locations/eu", "backupVaults")
POLICIES = Shelf(PROJECT, "regions/europe-west1", "resourcePolicies")
ROLE = f"{ORGANIZATION}/roles/mine"


def test_a_machine_image_is_described_without_what_the_machine_holds(google: Google) -> None:
    google.put(
        MACHINE_IMAGES,
        "bastion",
        sourceInstance="https://x/compute/v1/projects/prod-data/zones/europe-west1-b/instances/bastion",
        machineImageEncryptionKey={"kmsKeyName": f"{KEY}/cryptoKeyVersions/1"},
        savedDisks=[{"sourceDisk": "a"}, {"sourceDisk": "b"}],
        totalStorageBytes="9",
        storageLocations=["us"],
    )

    found = google.read(machine_image.COLLECTOR)["bastion"].resource

    assert found.source == "//compute.googleapis.com/projects/prod-data/zones/europe-west1-b/instances/bastion"
    assert (found.key, found.guards[-1]) == (KEY, KEY)
    assert found.attributes == {"storage_locations": ["us"], "disks": 2, "encryption": "cmek"}


@pytest.mark.parametrize(
    ("place", "collector"),
    [
        ("zones/us-central1-c", instant_snapshot.COLLECTOR),
        ("regions/us-central1", instant_snapshot.COLLECTOR),
        ("zones/us-central1-c", disk.COLLECTOR),
        ("regions/us-central1", disk.COLLECTOR),
    ],
)
def test_what_lies_in_zones_and_regions_is_found_with_its_own_policy(
    google: Google, place: str, collector: Any
) -> None:
    shelf = Shelf(PROJECT, place, "disks" if collector is disk.COLLECTOR else "instantSnapshots")
    made = google.put(shelf, "orders")
    google.bind(shelf, "orders", {"role": "roles/owner", "members": [EVE]})

    found = google.read(collector)["orders"]

    assert found.resource.address == f"//compute.googleapis.com/{shelf.path('orders')}"
    assert found.resource.uid.endswith(f"/{made['id']}")
    assert granted(found).access == Access.RESHARE


def test_a_disk_is_described_without_who_has_it_attached(google: Google) -> None:
    google.bind(DISKS, "orders", {"role": "roles/viewer", "members": [EVE]})
    made = google.put(
        DISKS, "orders", sizeGb="500", sourceSnapshot="https://x/compute/v1/projects/p/global/snapshots/s"
    )
    google.bind(DISKS, "orders", {"role": "roles/viewer", "members": [EVE]})
    before = google.read(disk.COLLECTOR)["orders"]
    google.sandbox.estate.put(DISKS, {**made, "users": ["https://x/instances/web"], "lastAttachTimestamp": "2026"})

    assert google.read(disk.COLLECTOR)["orders"] == before
    assert before.resource.source == "//compute.googleapis.com/projects/p/global/snapshots/s"
    assert before.resource.attributes["disk_size_gb"] == 500
    assert granted(before).access == Access.READ


def test_an_instant_snapshot_names_its_disk(google: Google) -> None:
    google.put(INSTANT, "now", sourceDisk=f"projects/{PROJECT}/zones/europe-west1-b/disks/orders", sourceDiskId="42")

    found = google.read(instant_snapshot.COLLECTOR)["now"].resource

    assert found.source == "//compute.googleapis.com/projects/prod-data/zones/europe-west1-b/disks/orders"
    assert found.facts["source_disk_id"] == "42"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({"dailySchedule": {"daysInCycle": 1, "startTime": "03:00"}}, "every 1 days from 03:00"),
        ({"hourlySchedule": {"hoursInCycle": 4, "startTime": "00:00"}}, "every 4 hours from 00:00"),
        (
            {"weeklySchedule": {"dayOfWeeks": [{"day": "SUNDAY", "startTime": "04:00"}]}},
            ["SUNDAY at 04:00"],
        ),
    ],
)
def test_a_schedule_is_a_policy_and_its_address_is_its_snapshots_origin(
    google: Google, schedule: dict[str, Any], words: object
) -> None:
    kept = {"maxRetentionDays": 14, "onSourceDiskDelete": "KEEP_AUTO_SNAPSHOTS"}
    google.put(POLICIES, "nightly", snapshotSchedulePolicy={"schedule": schedule, "retentionPolicy": kept})
    google.put(POLICIES, "spread", groupPlacementPolicy={"availabilityDomainCount": 2})

    found = google.read(snapshot_schedule.COLLECTOR)

    assert set(found) == {"nightly"}
    resource = found["nightly"].resource
    assert resource.type == ResourceType.POLICY
    assert (
        resource.address == "//compute.googleapis.com/projects/prod-data/regions/europe-west1/resourcePolicies/nightly"
    )
    assert resource.attributes == {
        "schedule": words,
        "retention_days": 14,
        "on_source_disk_delete": "KEEP_AUTO_SNAPSHOTS",
    }


def test_a_backup_that_outlived_its_database_is_found(google: Google) -> None:
    body = {
        "name": f"projects/{PROJECT}/backups/7",
        "instance": "billing",
        "type": "FINAL",
        "state": "SUCCESSFUL",
        "databaseVersion": "POSTGRES_17",
        "location": "eu",
        "kmsKey": KEY,
        "backupInterval": {"startTime": "2026-11-01T03:00:00Z"},
        "instanceDeletionTime": "2026-11-02T00:00:00Z",
        "expiryTime": "2026-12-02T00:00:00Z",
        "description": "the\nlast",
    }
    google.sandbox.estate.put(BACKUPS, {"name": "7", "body": body})

    found = google.read(sql_backup.COLLECTOR)["7"].resource

    assert found.uid == found.address == "//cloudsql.googleapis.com/projects/prod-data/backups/7"
    assert found.created_at == datetime(2026, 11, 1, 3, tzinfo=UTC)
    assert found.source == "//cloudsql.googleapis.com/projects/prod-data/instances/billing"
    assert (found.key, found.guards) == (KEY, (google.project_uid, *ABOVE, KEY))
    assert found.attributes == {
        "backup_type": "FINAL",
        "engine": "POSTGRES_17",
        "storage_locations": ["eu"],
        "encryption": "cmek",
    }
    assert found.facts["description"] == "the last"


def test_only_the_service_makes_automated_backups(google: Google) -> None:
    for kind in ("AUTOMATED", "ON_DEMAND"):
        body = {"name": f"projects/{PROJECT}/backups/{kind}", "type": kind, "state": "FAILED"}
        google.sandbox.estate.put(BACKUPS, {"name": kind, "body": body})

    found = google.read(sql_backup.COLLECTOR)

    assert {name: each.resource.origin for name, each in found.items()} == {"AUTOMATED": "automated", "ON_DEMAND": None}
    assert found["AUTOMATED"].resource.attributes["status"] == "FAILED"


@pytest.mark.parametrize(
    ("effective", "lock"),
    [
        (None, "governance"),
        (timedelta(days=-1), "compliance"),
        (timedelta(days=1), "compliance-cooloff"),
    ],
)
def test_a_vault_says_where_its_data_may_go_and_what_locks_it(
    google: Google, effective: timedelta | None, lock: str
) -> None:
    body: dict[str, Any] = {
        "name": f"projects/{PROJECT}/locations/eu/backupVaults/ledger",
        "uid": "u-1",
        "accessRestriction": "UNRESTRICTED",
        "backupMinimumEnforcedRetentionDuration": "86400s",
        "backupCount": "12",
        "totalStoredBytes": "1",
        "labels": {"team": "ledger"},
    }
    if effective is not None:
        body["effectiveTime"] = (datetime.now(UTC) + effective).strftime("%Y-%m-%dT%H:%M:%SZ")
    google.sandbox.estate.put(VAULTS, {"name": "ledger", "body": body})

    found = google.read(backup_vault.COLLECTOR)["ledger"].resource

    assert (found.type, found.tags) == (ResourceType.POLICY, {"team": "ledger"})
    assert found.uid == "//backupdr.googleapis.com/projects/prod-data/locations/eu/backupVaults/u-1"
    assert found.attributes == {
        "access_restriction": "UNRESTRICTED",
        "minimum_retention": "86400s",
        "lock": lock,
        "encryption": "google",
    }


def _above(google: Google, account: str) -> Observation:
    (found,) = google.reading_of(iam.COLLECTOR, account)
    return found


@pytest.mark.parametrize(
    ("account", "role"),
    [(FOLDER, "roles/resourcemanager.folderIamAdmin"), (ORGANIZATION, "roles/resourcemanager.organizationAdmin")],
)
def test_bindings_above_a_project_are_read_once_at_their_container(google: Google, account: str, role: str) -> None:
    google.sandbox.estate.add_project("lab-100", "", FOLDER)
    google.sandbox.estate.set_policy(account, [{"role": role, "members": [EVE]}])

    targets = [each for each in google.targets() if each.where == Where.MANAGEMENT]
    found = _above(google, account)

    assert [each.account for each in targets] == [FOLDER, ORGANIZATION]
    assert google.asked("cloudresourcemanager.folders.get") == 2
    assert found.resource.type == ResourceType.CONTAINER
    assert found.resource.uid == f"//cloudresourcemanager.googleapis.com/{account}"
    assert granted(found).access == Access.RESHARE


def test_a_project_knows_what_it_lies_in(google: Google) -> None:
    assert google.read(iam.COLLECTOR)[PROJECT].resource.guards == ABOVE
    assert _above(google, FOLDER).resource.name == "Prod"
    assert _above(google, FOLDER).resource.attributes == {"parent": ORGANIZATION}
    assert _above(google, ORGANIZATION).resource.facts == {"organization_id": ORGANIZATION.partition("/")[2]}


@pytest.mark.parametrize("account", [FOLDER, ORGANIZATION])
def test_bindings_above_that_are_denied_are_unknown(google: Google, account: str) -> None:
    google.break_(FaultKind.DENIED, f"cloudresourcemanager.{account.partition('/')[0]}.getIamPolicy", account=account)

    found = _above(google, account)

    assert found.grants is None
    assert found.miss is not None
    assert f"grant resourcemanager.{account.partition('/')[0]}.getIamPolicy to the collector" in found.miss.reason


def test_a_folder_that_is_hidden_is_a_hole_and_its_projects_are_still_read(google: Google) -> None:
    google.break_(FaultKind.DENIED, "cloudresourcemanager.folders.get")

    targets = google.targets(PROJECT)

    (hidden,) = [each for each in targets if each.failure]
    assert (hidden.account, hidden.where) == (FOLDER, Where.MANAGEMENT)
    assert hidden.failure is not None
    assert "grant resourcemanager.folders.get to the collector" in hidden.failure.reason
    assert google.read(iam.COLLECTOR)[PROJECT].resource.guards == ABOVE[:1]


def test_folders_that_lie_in_each_other_end_somewhere(google: Google) -> None:
    google.sandbox.estate.add_folder("Loop", FOLDER, number="8")
    google.sandbox.estate.add_folder("Prod", "folders/8", number="7")

    assert {each.account for each in google.targets(PROJECT)} == {PROJECT, FOLDER, "folders/8"}


def test_a_project_in_no_organisation_has_nothing_above_it(google: Google) -> None:
    google.sandbox.estate.add_project("alone-1", "", "")

    assert {each.account for each in google.targets("alone-1")} == {"alone-1"}


def _bind_custom(google: Google, **role: Any) -> None:
    google.sandbox.estate.put_thing(ROLE, {"name": ROLE, "includedPermissions": ["compute.disks.use"], **role})
    google.sandbox.estate.set_policy(f"projects/{google.number}", [{"role": ROLE, "members": [EVE]}])


@pytest.mark.parametrize("gone", [{"deleted": True}, {"stage": "DISABLED"}])
def test_a_custom_role_that_was_switched_off_grants_nothing(google: Google, gone: dict[str, Any]) -> None:
    _bind_custom(google, **gone)

    assert google.read(iam.COLLECTOR)[PROJECT].grants == frozenset()


def test_a_custom_role_of_the_organisation_is_resolved(google: Google) -> None:
    _bind_custom(google)

    assert granted(google.read(iam.COLLECTOR)[PROJECT]).condition == ""


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.DISABLED])
def test_a_custom_role_that_is_hidden_counts_as_unknown(google: Google, kind: FaultKind) -> None:
    _bind_custom(google)
    google.break_(kind, "iam.organizations.roles.get")

    grant = granted(google.read(iam.COLLECTOR)[PROJECT])

    assert (grant.access, grant.condition) == (Access.READ, UNRESOLVED)
    assert grant.principal.kind == PrincipalKind.USER


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.TRUNCATED, Outcome.FAILED),
        (FaultKind.UNIMPLEMENTED, Outcome.FAILED),
        (FaultKind.EXPIRED, Outcome.DENIED),
    ],
)
def test_a_custom_role_that_could_not_be_read_now_leaves_the_sharing_unread(
    google: Google, kind: FaultKind, outcome: Outcome
) -> None:
    """So that a bad minute neither changes grants nor loses any."""
    _bind_custom(google)
    google.break_(kind, "iam.organizations.roles.get")

    found = google.read(iam.COLLECTOR)[PROJECT]

    assert found.grants is None
    assert found.miss is not None
    assert found.miss.outcome == outcome


@pytest.mark.parametrize("role", ["projects/../roles/x", "projects/p?x=/roles/x", "organizations/1/roles/../../x", "x"])
def test_a_role_whose_name_is_no_name_is_never_asked_for(google: Google, role: str) -> None:
    google.sandbox.estate.set_policy(f"projects/{google.number}", [{"role": role, "members": [EVE]}])

    assert granted(google.read(iam.COLLECTOR)[PROJECT]).condition == UNRESOLVED
    assert not [call for call in google.sandbox.switchboard.calls if call[3].startswith("iam.")]
