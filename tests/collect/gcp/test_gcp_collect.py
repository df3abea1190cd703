"""Google Cloud's kinds as a run sees them: the real SDKs over HTTP against the sandbox, in order and in trouble."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from snapbase.collect.collector import Collector, Target, Where, collectors
from snapbase.collect.gcp import iam, image, snapshot
from snapbase.collect.gcp.cloud import CLOUD
from snapbase.collect.gcp.errors import permission
from snapbase.collect.gcp.roles import UNRESOLVED
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.config import GcpEntry
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Access, Grant, Miss, Observation, Outcome, Principal, PrincipalKind, Scope
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.gcp import answers, story
from snapbase.sandbox.gcp.estate import Shelf
from snapbase.sandbox.gcp.server import GcpSandbox

PROJECT = "prod-data"
SNAPSHOTS = Shelf(PROJECT, "global", "snapshots")
REGIONAL = Shelf(PROJECT, "regions/europe-west1", "snapshots")
IMAGES = Shelf(PROJECT, "global", "images")
EVE = "user:eve@evil.example"
READ_ONLY = {
    "cloudresourcemanager.projects.get",
    "cloudresourcemanager.projects.getIamPolicy",
    "cloudresourcemanager.projects.search",
    "compute.images.getIamPolicy",
    "compute.images.list",
    "compute.regionSnapshots.getIamPolicy",
    "compute.regionSnapshots.list",
    "compute.regions.list",
    "compute.snapshots.getIamPolicy",
    "compute.snapshots.list",
}


@pytest.fixture
def google() -> Iterator[GcpSandbox]:
    sandbox = GcpSandbox(Switchboard())
    sandbox.estate.add_project(PROJECT, "Prod", "folders/7")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def url(google: GcpSandbox) -> str:
    return google.start()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    started = Runtime(threads=2, limiter=Limiter(attempts=3, clock=lambda: now[0], sleep=sleep))
    yield started
    started.close()


def _targets(url: str, runtime: Runtime, *projects: str) -> list[Target]:
    return list(CLOUD.connect(GcpEntry(endpoint_url=url, projects=projects), runtime).targets())


def _reading(url: str, runtime: Runtime, kind: Collector, location: str = "global") -> Iterator[Observation]:
    found = _targets(url, runtime, PROJECT)
    target = next(each for each in found if each.location == location)
    return kind.read(target.handle, Scope("gcp", target.account, location, kind.kind))


def _read(url: str, runtime: Runtime, kind: Collector, location: str = "global") -> dict[str, Observation]:
    return {each.resource.name or "": each for each in _reading(url, runtime, kind, location)}


def _missed(url: str, runtime: Runtime, kind: Collector) -> Miss:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, `classify` must know it
        list(_reading(url, runtime, kind))
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    return miss


def _put(google: GcpSandbox, shelf: Shelf, name: str, **fields: Any) -> dict[str, Any]:
    return google.estate.put(shelf, {"name": name, "status": "READY", "selfLink": f"sandbox/{name}", **fields})


def _bind(google: GcpSandbox, shelf: Shelf, name: str, *bindings: dict[str, Any]) -> None:
    google.estate.set_policy(shelf.path(name), list(bindings))


def _grant(observation: Observation) -> Grant:
    assert observation.grants is not None
    (grant,) = observation.grants
    return grant


def test_every_page_is_read(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    names = {f"daily-{number}" for number in range(5)}
    for name in names:
        _put(google, SNAPSHOTS, name)
    google.page_size = 2

    assert set(_read(url, runtime, snapshot.COLLECTOR)) == names
    assert sum(call[3] == "compute.snapshots.list" for call in google.switchboard.calls) == 3


def test_a_second_page_that_is_denied_ends_the_list_and_keeps_the_first(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    for number in range(12):
        _put(google, SNAPSHOTS, f"daily-{number:02}")
    google.page_size = 6
    google.switchboard.break_(Fault(FaultKind.DENIED, operation="compute.snapshots.list", skip=1))
    reading = _reading(url, runtime, snapshot.COLLECTOR)

    assert [next(reading).resource.name for _ in range(6)] == [f"daily-{number:02}" for number in range(6)]
    with pytest.raises(Exception) as raised:  # noqa: PT011
        next(reading)
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        (FaultKind.DENIED, Outcome.DENIED, "grant compute.snapshots.list to the collector"),
        (FaultKind.EXPIRED, Outcome.DENIED, "gcloud auth application-default login"),
        (FaultKind.THROTTLED, Outcome.THROTTLED, "throttled in prod-data/global"),
        (FaultKind.DISABLED, Outcome.DISABLED, "the Compute Engine API is not enabled in project prod-data"),
        (FaultKind.ERROR, Outcome.FAILED, "HTTP 503"),
        (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "HTTP 500"),
        (FaultKind.TRUNCATED, Outcome.FAILED, "no complete answer"),
        (FaultKind.RESET, Outcome.FAILED, "no complete answer"),
    ],
)
def test_each_fault_has_its_own_outcome_and_words(
    google: GcpSandbox, url: str, runtime: Runtime, kind: FaultKind, outcome: Outcome, words: str
) -> None:
    _put(google, SNAPSHOTS, "daily")
    google.switchboard.break_(Fault(kind, cloud="gcp", account=PROJECT, operation="compute.snapshots.list"))

    miss = _missed(url, runtime, snapshot.COLLECTOR)

    assert miss.outcome == outcome
    assert words in miss.reason
    assert "<" not in miss.reason
    assert "http" not in miss.reason


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ERROR, FaultKind.RESET, FaultKind.TRUNCATED])
def test_what_passes_is_asked_again_and_only_by_our_own_loop(
    google: GcpSandbox, url: str, runtime: Runtime, kind: FaultKind
) -> None:
    _put(google, SNAPSHOTS, "daily")
    fault = google.switchboard.break_(Fault(kind, operation="compute.snapshots.list", times=2))

    assert set(_read(url, runtime, snapshot.COLLECTOR)) == {"daily"}
    assert fault.struck == 2
    assert sum(call[3] == "compute.snapshots.list" for call in google.switchboard.calls) == 3


def test_a_slow_answer_is_an_answer(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    _put(google, SNAPSHOTS, "daily")
    google.switchboard.break_(Fault(FaultKind.SLOW, operation="compute.snapshots.list", seconds=0.01))

    assert set(_read(url, runtime, snapshot.COLLECTOR)) == {"daily"}


def test_the_throttling_of_other_apis_comes_with_its_own_code(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    fault = google.switchboard.break_(
        Fault(FaultKind.THROTTLED, operation="cloudresourcemanager.projects.getIamPolicy")
    )

    miss = _read(url, runtime, iam.COLLECTOR)[PROJECT].miss

    assert miss is not None
    assert miss.outcome == Outcome.THROTTLED
    assert fault.struck == 3


def test_a_list_that_says_it_left_something_out_is_partial(
    google: GcpSandbox, url: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(google, SNAPSHOTS, "daily")
    reading = _reading(url, runtime, snapshot.COLLECTOR)
    listed = google.estate.items
    warning = {"code": "UNREACHABLE", "message": "region asleep"}
    monkeypatch.setitem(
        answers._VERBS,
        "list",
        lambda _estate, _call, shelf: {"items": list(listed(shelf)), "warning": warning},
    )

    assert next(reading).resource.name == "daily"
    with pytest.raises(Exception, match="UNREACHABLE") as raised:
        next(reading)
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    assert miss.outcome == Outcome.PARTIAL


def test_a_snapshot_that_vanished_before_its_policy_was_read_is_left_out(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    for number in range(9):
        _put(google, SNAPSHOTS, f"daily-{number}")
    reading = _reading(url, runtime, snapshot.COLLECTOR)

    first = next(reading)
    google.estate.remove(SNAPSHOTS, "daily-8")

    names = {first.resource.name} | {each.resource.name for each in reading}
    assert names == {f"daily-{number}" for number in range(8)}


def test_sharing_that_cannot_be_read_is_unknown_and_the_rest_is_still_read(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    _put(google, SNAPSHOTS, "daily")
    _put(google, SNAPSHOTS, "weekly")
    google.switchboard.break_(Fault(FaultKind.DENIED, operation="compute.snapshots.getIamPolicy", skip=1))

    found = list(_reading(url, runtime, snapshot.COLLECTOR))

    read = [each for each in found if each.grants is not None]
    unread = [each.miss for each in found if each.miss is not None]
    assert len(read) == len(unread) == 1
    assert unread[0].outcome == Outcome.DENIED
    assert "grant compute.snapshots.getIamPolicy" in unread[0].reason


def test_regional_snapshots_are_found_in_their_region_only(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    _put(google, SNAPSHOTS, "everywhere")
    made = _put(google, REGIONAL, "eu-only")
    _bind(google, REGIONAL, "eu-only", {"role": "roles/owner", "members": [EVE]})

    regional = _read(url, runtime, snapshot.COLLECTOR, "europe-west1")

    assert set(_read(url, runtime, snapshot.COLLECTOR)) == {"everywhere"}
    assert _read(url, runtime, snapshot.COLLECTOR, "us-central1") == {}
    resource = regional["eu-only"].resource
    assert resource.address.endswith("/projects/prod-data/regions/europe-west1/snapshots/eu-only")
    assert resource.uid.endswith(f"/regions/europe-west1/snapshots/{made['id']}")
    assert _grant(regional["eu-only"]).principal == Principal(PrincipalKind.USER, "eve@evil.example")


def test_a_snapshot_made_again_under_its_name_is_another_one(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    _put(google, SNAPSHOTS, "daily")
    _bind(google, SNAPSHOTS, "daily", {"role": "roles/owner", "members": [EVE]})
    before = _read(url, runtime, snapshot.COLLECTOR)["daily"]
    google.estate.remove(SNAPSHOTS, "daily")
    _put(google, SNAPSHOTS, "daily")

    after = _read(url, runtime, snapshot.COLLECTOR)["daily"]

    assert after.resource.address == before.resource.address
    assert after.resource.uid != before.resource.uid
    assert after.grants == frozenset()


def test_a_snapshot_is_described_without_what_changes_by_itself(google: GcpSandbox, url: str, runtime: Runtime) -> None:
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
    made = _put(google, SNAPSHOTS, "daily", **fields, status="UPLOADING", storageBytes="1")
    before = _read(url, runtime, snapshot.COLLECTOR)["daily"].resource
    google.estate.put(SNAPSHOTS, {**made, "status": "READY", "storageBytes": "2", "labelFingerprint": "AA=="})

    after = _read(url, runtime, snapshot.COLLECTOR)["daily"].resource

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


def test_a_failed_snapshot_is_said_to_be_one(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    _put(google, SNAPSHOTS, "broken", status="FAILED")

    assert _read(url, runtime, snapshot.COLLECTOR)["broken"].resource.attributes["status"] == "FAILED"


def test_the_key_is_named_without_its_version_and_stands_guard(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    key = "projects/vault/locations/eu/keyRings/ring/cryptoKeys/disks"
    _put(google, SNAPSHOTS, "cmek", snapshotEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/3"})
    _put(google, SNAPSHOTS, "csek", snapshotEncryptionKey={"sha256": "aGFzaA=="})
    _put(google, IMAGES, "cmek", imageEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/1"})

    found = _read(url, runtime, snapshot.COLLECTOR)
    managed, supplied = found["cmek"].resource, found["csek"].resource

    assert (managed.key, managed.attributes["encryption"]) == (key, "cmek")
    assert managed.guards == (_project_uid(google), key)
    assert (supplied.key, supplied.attributes["encryption"]) == (None, "csek")
    assert supplied.limits is not None
    assert "customer-supplied key" in supplied.limits.unknown
    assert _read(url, runtime, image.COLLECTOR)["cmek"].resource.key == key


def _project_uid(google: GcpSandbox) -> str:
    body = google.estate.project(PROJECT)
    assert body is not None
    return f"//cloudresourcemanager.googleapis.com/{body['name']}"


def test_hostile_names_and_labels_come_through_as_they_are_and_stay_bounded(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    name = "=HYPERLINK(1)|<script>\x1b[31m"
    _put(google, IMAGES, name, description="x\ny" * 9999, labels={"<b>": "'; drop table"}, family="a\u202eb")
    _bind(google, IMAGES, name, {"role": "roles/viewer", "members": ["user:<img src=x>@evil"]})

    found = _read(url, runtime, image.COLLECTOR)[name]

    assert found.resource.tags == {"<b>": "'; drop table"}
    assert found.resource.attributes["family"] == "a\u202eb"
    assert len(str(found.resource.facts["description"])) <= 256
    assert _grant(found).principal.id == "<img src=x>@evil"


def test_an_image_is_described_and_its_grants_are_those_that_reach_images(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    _put(
        google,
        IMAGES,
        "golden",
        family="golden",
        sourceSnapshot="https://x/compute/v1/projects/prod-data/global/snapshots/daily",
        sourceSnapshotId="7",
        deprecated={"state": "DEPRECATED"},
    )
    _bind(
        google,
        IMAGES,
        "golden",
        {"role": "roles/compute.imageUser", "members": ["allAuthenticatedUsers"]},
        {"role": "roles/backupdr.diskOperator", "members": [EVE]},
    )

    found = _read(url, runtime, image.COLLECTOR)["golden"]

    assert found.resource.source == "//compute.googleapis.com/projects/prod-data/global/snapshots/daily"
    assert (found.resource.attributes["family"], found.resource.attributes["deprecated"]) == ("golden", "DEPRECATED")
    everybody = Principal(PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers")
    assert _grant(found) == Grant(everybody, Access.READ, "gcp.iam/roles/compute.imageUser")


def test_a_temporary_share_keeps_its_condition_and_its_end(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    """Which needs version 3 of the policy: asked for any other, the sandbox garbles the role as Google does."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    expression = f'request.time < timestamp("{end:%Y-%m-%dT%H:%M:%SZ}")'
    condition = {"title": "one hour", "expression": expression}
    _put(google, SNAPSHOTS, "daily")
    _bind(google, SNAPSHOTS, "daily", {"role": "roles/owner", "members": [EVE], "condition": condition})

    grant = _grant(_read(url, runtime, snapshot.COLLECTOR)["daily"])

    assert grant.mechanism == "gcp.iam/roles/owner"
    assert grant.condition == f"one hour: {expression}"
    assert grant.expires_at == end


def test_a_project_holds_the_bindings_that_reach_what_lies_in_it(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    number = _project_uid(google).rpartition("/")[2]
    condition = {"title": "office", "expression": "request.time.getHours() < 18"}
    google.estate.set_policy(
        f"projects/{number}",
        [
            {"role": "roles/viewer", "members": [EVE], "condition": condition},
            {"role": "roles/browser", "members": [EVE]},
            {"role": "organizations/1/roles/mine", "members": ["group:dba@corp.example"]},
        ],
    )

    found = _read(url, runtime, iam.COLLECTOR)[PROJECT]

    assert found.resource.uid == f"//cloudresourcemanager.googleapis.com/projects/{number}"
    assert found.resource.facts == {"project_id": PROJECT, "project_number": number}
    assert found.resource.attributes == {"parent": "folders/7"}
    assert found.grants is not None
    assert sorted((grant.principal.id, grant.condition) for grant in found.grants) == [
        ("dba@corp.example", UNRESOLVED),
        ("eve@evil.example", "office: request.time.getHours() < 18"),
    ]


def test_bindings_that_cannot_be_read_leave_the_project_known_and_its_sharing_unknown(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    google.switchboard.break_(Fault(FaultKind.DENIED, operation="cloudresourcemanager.projects.getIamPolicy"))

    found = _read(url, runtime, iam.COLLECTOR)[PROJECT]

    assert found.grants is None
    assert found.miss is not None
    assert "grant resourcemanager.projects.getIamPolicy" in found.miss.reason


def test_projects_are_searched_for_page_by_page(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    for number in range(4):
        google.estate.add_project(f"lab-{number}00", "", "")
    google.page_size = 2

    found = _targets(url, runtime)

    assert {each.account for each in found} == {PROJECT, *(f"lab-{number}00" for number in range(4))}
    of_one = [(each.location, each.where) for each in found if each.account == PROJECT]
    assert of_one == [
        ("global", Where.GLOBAL),
        ("europe-west1", Where.REGIONAL),
        ("us-central1", Where.REGIONAL),
    ]


def test_a_project_may_be_configured_by_its_number(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    number = _project_uid(google).rpartition("/")[2]

    assert {each.account for each in _targets(url, runtime, number)} == {PROJECT}


def test_a_configured_project_that_is_not_visible_is_said_to_be_unread(url: str, runtime: Runtime) -> None:
    found = _targets(url, runtime, "not-ours", PROJECT)

    (failed,) = [each for each in found if each.failure]
    assert (failed.account, failed.location) == ("not-ours", ANYWHERE)
    assert failed.failure is not None
    assert failed.failure.outcome == Outcome.DENIED
    assert "project not-ours is not visible" in failed.failure.reason
    assert {each.account for each in found} == {"not-ours", PROJECT}


def test_regions_that_cannot_be_listed_are_a_hole_though_the_rest_is_read(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    google.switchboard.break_(Fault(FaultKind.DENIED, operation="compute.regions.list"))

    first, second = _targets(url, runtime, PROJECT)

    assert (first.location, second.location) == (ANYWHERE, "global")
    assert first.failure is not None
    assert "grant compute.regions.list" in first.failure.reason
    assert second.failure is None


def test_a_project_without_the_compute_api_is_disabled_and_its_bindings_are_read(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    google.switchboard.break_(Fault(FaultKind.DISABLED, account=PROJECT, operation="compute.*"))

    first = _targets(url, runtime, PROJECT)[0]

    assert first.failure is not None
    assert first.failure.outcome == Outcome.DISABLED
    assert _missed(url, runtime, image.COLLECTOR).outcome == Outcome.DISABLED
    assert PROJECT in _read(url, runtime, iam.COLLECTOR)


def test_a_search_that_is_denied_says_what_to_grant(google: GcpSandbox, url: str, runtime: Runtime) -> None:
    google.switchboard.break_(Fault(FaultKind.DENIED, operation="cloudresourcemanager.projects.search"))

    with pytest.raises(Exception) as raised:  # noqa: PT011
        _targets(url, runtime)

    miss = CLOUD.classify(raised.value)
    assert miss is not None
    assert "denied in any project: grant resourcemanager.projects.get" in miss.reason


def test_credentials_that_see_nothing_are_no_empty_cloud(runtime: Runtime) -> None:
    sandbox = GcpSandbox(Switchboard())
    try:
        with pytest.raises(CredentialsError, match="no Google Cloud project"):
            _targets(sandbox.start(), runtime)
    finally:
        sandbox.stop()


def test_a_cloud_that_is_not_there_is_not_read(runtime: Runtime) -> None:
    sandbox = GcpSandbox(Switchboard())
    gone = sandbox.start()
    sandbox.stop()

    (target,) = _targets(gone, runtime, PROJECT)

    assert target.failure is not None
    assert target.failure.outcome == Outcome.FAILED
    assert "no complete answer" in target.failure.reason


def test_without_credentials_nothing_is_guessed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent.json")

    with pytest.raises(CredentialsError) as raised:
        CLOUD.connect(GcpEntry(), runtime)

    assert "gcloud auth application-default login" in raised.value.hint


def test_the_identity_is_the_account_that_reads(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "t"}
    (tmp_path / "adc.json").write_text(json.dumps({**found, "account": "ada@corp.example"}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    robot = "collector@prod-data.iam.gserviceaccount.com"

    assert CLOUD.connect(GcpEntry(quota_project=PROJECT), runtime).identity() == "ada@corp.example"
    assert CLOUD.connect(GcpEntry(impersonate=robot), runtime).identity() == robot


def test_a_bug_is_nobody_elses_answer() -> None:
    assert CLOUD.classify(KeyError("x")) is None


def test_only_reading_operations_are_called_and_each_is_covered_by_a_permission(
    google: GcpSandbox, url: str, runtime: Runtime
) -> None:
    story.seed(url)
    google.switchboard.calls.clear()
    for target in [*_targets(url, runtime), *_targets(url, runtime, story.PRODUCTION)]:
        for kind in collectors("gcp"):
            if target.where in kind.where:
                list(kind.read(target.handle, Scope("gcp", target.account, target.location, kind.kind)))

    asked = {operation for *_, operation in google.switchboard.calls}
    declared = {each for kind in collectors("gcp") for each in kind.permissions}

    assert asked == runtime.operations == READ_ONLY
    assert {permission(operation) for operation in asked} == declared


def test_the_story_is_seen_as_it_is_told(url: str, runtime: Runtime) -> None:
    story.seed(url)
    before = _everything(url, runtime)

    acts = story.attack(url)
    after = _everything(url, runtime)

    changed = {address for address in after if after[address] != before.get(address)}
    assert before.keys() == after.keys()
    assert len(changed) == len(acts) == 3
    assert all(sum(act.uid_contains in address for address in changed) == 1 for act in acts)


def _everything(url: str, runtime: Runtime) -> dict[str, Observation]:
    found: dict[str, Observation] = {}
    for target in _targets(url, runtime, *story.PROJECTS):
        for kind in collectors("gcp"):
            if target.where in kind.where:
                scope = Scope("gcp", target.account, target.location, kind.kind)
                found |= {each.resource.address: each for each in kind.read(target.handle, scope)}
    return found


def test_importing_the_kinds_imports_no_sdk() -> None:
    code = (
        "import sys; from snapbase.collect.collector import cloud, collectors; cloud('gcp'); collectors('gcp');"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'google', 'requests', 'boto3', 'azure'}))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
