"""What snapshots, images and projects are read as: identity, posture, lineage, and who holds what."""

from datetime import UTC, datetime, timedelta
from typing import Any

from snapbase.collect.gcp import iam, image, snapshot
from snapbase.collect.gcp.roles import UNRESOLVED
from snapbase.model import Access, Grant, Principal, PrincipalKind
from snapbase.sandbox.faults import FaultKind
from tests.collect.gcp.reader import ABOVE, EVE, IMAGES, PROJECT, REGIONAL, SNAPSHOTS, Google, granted


def test_regional_snapshots_are_found_in_their_region_only(google: Google) -> None:
    google.put(SNAPSHOTS, "everywhere")
    made = google.put(REGIONAL, "eu-only")
    google.bind(REGIONAL, "eu-only", {"role": "roles/owner", "members": [EVE]})

    regional = google.read(snapshot.COLLECTOR, "europe-west1")

    assert set(google.read(snapshot.COLLECTOR)) == {"everywhere"}
    assert google.read(snapshot.COLLECTOR, "us-central1") == {}
    resource = regional["eu-only"].resource
    assert resource.address.endswith("/projects/prod-data/regions/europe-west1/snapshots/eu-only")
    assert resource.uid.endswith(f"/regions/europe-west1/snapshots/{made['id']}")
    assert granted(regional["eu-only"]).principal == Principal(PrincipalKind.USER, "eve@evil.example")


def test_a_snapshot_made_again_under_its_name_is_another_one(google: Google) -> None:
    google.put(SNAPSHOTS, "daily")
    google.bind(SNAPSHOTS, "daily", {"role": "roles/owner", "members": [EVE]})
    before = google.read(snapshot.COLLECTOR)["daily"]
    google.sandbox.estate.remove(SNAPSHOTS, "daily")
    google.put(SNAPSHOTS, "daily")

    after = google.read(snapshot.COLLECTOR)["daily"]

    assert after.resource.address == before.resource.address
    assert after.resource.uid != before.resource.uid
    assert after.grants == frozenset()


def test_a_snapshot_is_described_without_what_changes_by_itself(google: Google) -> None:
    fields: dict[str, Any] = {
        "creationTimestamp": "2026-11-01T03:00:00.000-08:00",
        "snapshotType": "ARCHIVE",
        "sourceDisk": "https://www.googleapis.com/compute/v1/projects/prod-data/zones/europe-west1-b/disks/orders",
        "sourceDiskId": "42",
        "storageLocations": ["us", "eu"],
        "diskSizeGb": "500",
        "labels": {"team": "payments"},
        "autoCreated": True,
        "sourceSnapshotSchedulePolicy": "https://x/compute/v1/projects/prod-data/regions/eu/resourcePolicies/nightly",
    }
    made = google.put(SNAPSHOTS, "daily", **fields, status="UPLOADING", storageBytes="1")
    before = google.read(snapshot.COLLECTOR)["daily"].resource
    google.sandbox.estate.put(SNAPSHOTS, {**made, "status": "READY", "storageBytes": "2", "labelFingerprint": "AA=="})

    after = google.read(snapshot.COLLECTOR)["daily"].resource

    assert before == after
    assert after.created_at == datetime(2026, 11, 1, 11, tzinfo=UTC)
    assert after.source == "//compute.googleapis.com/projects/prod-data/zones/europe-west1-b/disks/orders"
    assert after.origin == "schedule://compute.googleapis.com/projects/prod-data/regions/eu/resourcePolicies/nightly"
    assert after.facts["source_disk_id"] == "42"
    assert after.tags == {"team": "payments"}
    assert after.attributes == {
        "snapshot_type": "ARCHIVE",
        "storage_locations": ["eu", "us"],
        "disk_size_gb": 500,
        "encryption": "google",
    }


def test_a_failed_snapshot_is_said_to_be_one(google: Google) -> None:
    google.put(SNAPSHOTS, "broken", status="FAILED")

    assert google.read(snapshot.COLLECTOR)["broken"].resource.attributes["status"] == "FAILED"


def test_the_key_is_named_without_its_version_and_stands_guard(google: Google) -> None:
    key = "projects/vault/locations/eu/keyRings/ring/cryptoKeys/disks"
    google.put(SNAPSHOTS, "cmek", snapshotEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/3"})
    google.put(SNAPSHOTS, "csek", snapshotEncryptionKey={"sha256": "aGFzaA=="})
    google.put(IMAGES, "cmek", imageEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/1"})

    found = google.read(snapshot.COLLECTOR)
    managed, supplied = found["cmek"].resource, found["csek"].resource

    assert (managed.key, managed.attributes["encryption"]) == (key, "cmek")
    assert managed.guards == (google.project_uid, *ABOVE, key)
    assert (supplied.key, supplied.attributes["encryption"]) == (None, "csek")
    assert supplied.limits is not None
    assert "customer-supplied key" in supplied.limits.unknown
    assert google.read(image.COLLECTOR)["cmek"].resource.key == key


def test_hostile_names_and_labels_come_through_as_they_are_and_stay_bounded(google: Google) -> None:
    name = "=HYPERLINK(1)|<script>\x1b[31m"
    google.put(IMAGES, name, description="x\ny" * 9999, labels={"<b>": "'; drop table"}, family="a\u202eb")
    google.bind(IMAGES, name, {"role": "roles/viewer", "members": ["user:<img src=x>@evil"]})

    found = google.read(image.COLLECTOR)[name]

    assert found.resource.tags == {"<b>": "'; drop table"}
    assert found.resource.attributes["family"] == "a\u202eb"
    assert len(str(found.resource.facts["description"])) <= 256
    assert granted(found).principal.id == "<img src=x>@evil"


def test_an_image_is_described_and_its_grants_are_those_that_reach_images(google: Google) -> None:
    google.put(
        IMAGES,
        "golden",
        family="golden",
        sourceSnapshot="https://x/compute/v1/projects/prod-data/global/snapshots/daily",
        sourceSnapshotId="7",
        deprecated={"state": "DEPRECATED"},
    )
    google.bind(
        IMAGES,
        "golden",
        {"role": "roles/compute.imageUser", "members": ["allAuthenticatedUsers"]},
        {"role": "roles/backupdr.diskOperator", "members": [EVE]},
    )

    found = google.read(image.COLLECTOR)["golden"]

    assert found.resource.source == "//compute.googleapis.com/projects/prod-data/global/snapshots/daily"
    assert (found.resource.attributes["family"], found.resource.attributes["deprecated"]) == ("golden", "DEPRECATED")
    everybody = Principal(PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers")
    assert granted(found) == Grant(everybody, Access.READ, "gcp.iam/roles/compute.imageUser")


def test_a_temporary_share_keeps_its_condition_and_its_end(google: Google) -> None:
    """Which needs version 3 of the policy: asked for any other, the sandbox garbles the role as Google does."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    expression = f'request.time < timestamp("{end:%Y-%m-%dT%H:%M:%SZ}")'
    condition = {"title": "one hour", "expression": expression}
    google.put(SNAPSHOTS, "daily")
    google.bind(SNAPSHOTS, "daily", {"role": "roles/owner", "members": [EVE], "condition": condition})

    grant = granted(google.read(snapshot.COLLECTOR)["daily"])

    assert grant.mechanism == "gcp.iam/roles/owner"
    assert grant.condition == f"one hour: {expression}"
    assert grant.expires_at == end


def test_a_project_holds_the_bindings_that_reach_what_lies_in_it(google: Google) -> None:
    number = google.number
    condition = {"title": "office", "expression": "request.time.getHours() < 18"}
    google.sandbox.estate.set_policy(
        f"projects/{number}",
        [
            {"role": "roles/viewer", "members": [EVE], "condition": condition},
            {"role": "roles/browser", "members": [EVE]},
            {"role": "organizations/1/roles/mine", "members": ["group:dba@corp.example"]},
        ],
    )

    found = google.read(iam.COLLECTOR)[PROJECT]

    assert found.resource.uid == f"//cloudresourcemanager.googleapis.com/projects/{number}"
    assert found.resource.facts == {"project_id": PROJECT, "project_number": number}
    assert found.resource.attributes == {"parent": "folders/7"}
    assert found.grants is not None
    assert sorted((grant.principal.id, grant.condition) for grant in found.grants) == [
        ("dba@corp.example", UNRESOLVED),
        ("eve@evil.example", "office: request.time.getHours() < 18"),
    ]


def test_bindings_that_cannot_be_read_leave_the_project_known_and_its_sharing_unknown(google: Google) -> None:
    google.break_(FaultKind.DENIED, "cloudresourcemanager.projects.getIamPolicy")

    found = google.read(iam.COLLECTOR)[PROJECT]

    assert found.grants is None
    assert found.miss is not None
    assert "grant resourcemanager.projects.getIamPolicy" in found.miss.reason
