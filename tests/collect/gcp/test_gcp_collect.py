"""Google Cloud as a run sees it: projects and regions, lists in good order and in trouble, and nothing but reading."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from snapbase.collect.collector import Target, Where, collectors
from snapbase.collect.gcp import iam, image, snapshot
from snapbase.collect.gcp.cloud import CLOUD
from snapbase.collect.gcp.errors import permission
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Observation, Outcome, Scope
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp import answers, story
from snapbase.sandbox.gcp.estate import ORGANIZATION, Estate
from snapbase.settings import GcpEntry
from tests.collect.gcp.reader import FOLDER, PROJECT, SNAPSHOTS, Google, broken_off

READ_ONLY = {
    "backupdr.projects.locations.backupVaults.list",
    "cloudkms.projects.locations.keyRings.cryptoKeys.get",
    "cloudkms.projects.locations.keyRings.cryptoKeys.getIamPolicy",
    "cloudkms.projects.locations.keyRings.getIamPolicy",
    "cloudresourcemanager.folders.get",
    "cloudresourcemanager.folders.getIamPolicy",
    "cloudresourcemanager.folders.list",
    "cloudresourcemanager.organizations.getIamPolicy",
    "cloudresourcemanager.projects.get",
    "cloudresourcemanager.projects.getIamPolicy",
    "cloudresourcemanager.projects.list",
    "cloudresourcemanager.projects.search",
    "compute.disks.aggregatedList",
    "compute.disks.getIamPolicy",
    "compute.images.getIamPolicy",
    "compute.images.list",
    "compute.instantSnapshots.aggregatedList",
    "compute.instantSnapshots.getIamPolicy",
    "compute.machineImages.getIamPolicy",
    "compute.machineImages.list",
    "compute.regionDisks.getIamPolicy",
    "compute.regionInstantSnapshots.getIamPolicy",
    "compute.regionSnapshots.getIamPolicy",
    "compute.regionSnapshots.list",
    "compute.regions.list",
    "compute.resourcePolicies.aggregatedList",
    "compute.snapshots.getIamPolicy",
    "compute.snapshots.list",
    "iam.organizations.roles.get",
    "iam.projects.roles.get",
    "sql.Backups.ListBackups",
}


def test_every_page_is_read(google: Google) -> None:
    names = {f"daily-{number}" for number in range(5)}
    for name in names:
        google.put(SNAPSHOTS, name)
    google.sandbox.page_size = 2

    assert set(google.read(snapshot.COLLECTOR)) == names
    assert google.asked("compute.snapshots.list") == 3


def test_a_second_page_that_is_denied_ends_the_list_and_keeps_the_first(google: Google) -> None:
    for number in range(12):
        google.put(SNAPSHOTS, f"daily-{number:02}")
    google.sandbox.page_size = 6
    google.break_(FaultKind.DENIED, "compute.snapshots.list", skip=1)
    reading = google.reading(snapshot.COLLECTOR)

    assert [next(reading).resource.name for _ in range(6)] == [f"daily-{number:02}" for number in range(6)]
    assert broken_off(reading).outcome == Outcome.DENIED


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
    google: Google, kind: FaultKind, outcome: Outcome, words: str
) -> None:
    google.put(SNAPSHOTS, "daily")
    google.break_(kind, "compute.snapshots.list", account=PROJECT)

    miss = google.missed(snapshot.COLLECTOR)

    assert miss.outcome == outcome
    assert words in miss.reason
    assert "<" not in miss.reason
    assert "http" not in miss.reason


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ERROR, FaultKind.RESET, FaultKind.TRUNCATED])
def test_what_passes_is_asked_again_and_only_by_our_own_loop(google: Google, kind: FaultKind) -> None:
    google.put(SNAPSHOTS, "daily")
    fault = google.break_(kind, "compute.snapshots.list", times=2)

    assert set(google.read(snapshot.COLLECTOR)) == {"daily"}
    assert fault.struck == 2
    assert google.asked("compute.snapshots.list") == 3


def test_a_slow_answer_is_an_answer(google: Google) -> None:
    google.put(SNAPSHOTS, "daily")
    google.break_(FaultKind.SLOW, "compute.snapshots.list", seconds=0.01)

    assert set(google.read(snapshot.COLLECTOR)) == {"daily"}


def test_the_throttling_of_other_apis_comes_with_its_own_code(google: Google) -> None:
    fault = google.break_(FaultKind.THROTTLED, "cloudresourcemanager.projects.getIamPolicy")

    miss = google.read(iam.COLLECTOR)[PROJECT].miss

    assert miss is not None
    assert miss.outcome == Outcome.THROTTLED
    assert fault.struck == 3


def test_a_list_that_says_it_left_something_out_is_partial(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    google.put(SNAPSHOTS, "daily")
    reading = google.reading(snapshot.COLLECTOR)
    warning = {"code": "UNREACHABLE", "message": "region asleep"}
    listed = {"items": list(google.sandbox.estate.items(SNAPSHOTS)), "warning": warning}
    monkeypatch.setitem(answers.handlers(), "compute.snapshots.list", lambda _estate, _call: listed)

    assert next(reading).resource.name == "daily"
    miss = broken_off(reading)
    assert miss.outcome == Outcome.PARTIAL
    assert "UNREACHABLE" in miss.reason


def test_a_snapshot_that_vanished_before_its_policy_was_read_is_left_out(google: Google) -> None:
    for number in range(9):
        google.put(SNAPSHOTS, f"daily-{number}")
    reading = google.reading(snapshot.COLLECTOR)

    first = next(reading)
    google.sandbox.estate.remove(SNAPSHOTS, "daily-8")

    names = {first.resource.name} | {each.resource.name for each in reading}
    assert names == {f"daily-{number}" for number in range(8)}


def test_sharing_that_cannot_be_read_is_unknown_and_the_rest_is_still_read(google: Google) -> None:
    google.put(SNAPSHOTS, "daily")
    google.put(SNAPSHOTS, "weekly")
    google.break_(FaultKind.DENIED, "compute.snapshots.getIamPolicy", skip=1)

    found = list(google.reading(snapshot.COLLECTOR))

    read = [each for each in found if each.grants is not None]
    unread = [each.miss for each in found if each.miss is not None]
    assert len(read) == len(unread) == 1
    assert unread[0].outcome == Outcome.DENIED
    assert "grant compute.snapshots.getIamPolicy" in unread[0].reason


def test_projects_are_searched_for_page_by_page(google: Google) -> None:
    for number in range(4):
        google.sandbox.estate.add_project(f"lab-{number}00", "", "")
    google.sandbox.page_size = 2

    found = google.targets()

    projects = {PROJECT, *(f"lab-{number}00" for number in range(4))}
    assert {each.account for each in found} == {*projects, FOLDER, ORGANIZATION}
    of_one = [(each.location, each.where) for each in found if each.account == PROJECT]
    assert of_one == [
        ("global", Where.GLOBAL),
        ("europe-west1", Where.REGIONAL),
        ("us-central1", Where.REGIONAL),
    ]


def _below(google: Google, *parents: str) -> list[Target]:
    return list(CLOUD.connect(GcpEntry(endpoint=google.url, parents=parents), google.runtime).targets())


def test_the_projects_of_an_organisation_are_found_folder_by_folder(google: Google) -> None:
    """Only its own: what else the credentials can see is somebody else's."""
    google.sandbox.page_size = 1
    google.sandbox.estate.add_folder("Labs", FOLDER, number="8")
    for name, parent in (
        ("lab-100", "folders/8"),
        ("lab-200", "folders/8"),
        ("top-100", ORGANIZATION),
        ("alone-1", ""),
    ):
        google.sandbox.estate.add_project(name, "", parent)

    found = {each.account for each in _below(google, ORGANIZATION)}

    assert found == {PROJECT, "lab-100", "lab-200", "top-100", FOLDER, "folders/8", ORGANIZATION}
    assert {each.account for each in _below(google, "folders/8")} == {
        "lab-100",
        "lab-200",
        "folders/8",
        FOLDER,
        ORGANIZATION,
    }


@pytest.mark.parametrize("operation", ["projects.list", "folders.list"])
def test_a_folder_that_cannot_be_listed_is_a_hole_and_the_others_are_read(google: Google, operation: str) -> None:
    google.sandbox.estate.add_folder("Labs", ORGANIZATION, number="8")
    google.sandbox.estate.add_project("lab-100", "", "folders/8")
    google.break_(FaultKind.DENIED, f"cloudresourcemanager.{operation}", times=1, skip=1)

    found = _below(google, ORGANIZATION)

    (failed,) = [each for each in found if each.failure]
    assert (failed.account, failed.location) == (FOLDER, ANYWHERE)
    assert failed.failure is not None
    assert f"grant resourcemanager.{operation} to the collector" in failed.failure.reason
    assert "lab-100" in {each.account for each in found}


def test_a_project_may_be_configured_by_its_number(google: Google) -> None:
    assert {each.account for each in google.targets(google.number)} == {PROJECT, FOLDER, ORGANIZATION}


def test_a_configured_project_that_is_not_visible_is_said_to_be_unread(google: Google) -> None:
    found = google.targets("not-ours", PROJECT)

    (failed,) = [each for each in found if each.failure]
    assert (failed.account, failed.location) == ("not-ours", ANYWHERE)
    assert failed.failure is not None
    assert failed.failure.outcome == Outcome.DENIED
    assert "project not-ours is not visible" in failed.failure.reason
    assert {each.account for each in found} == {"not-ours", PROJECT, FOLDER, ORGANIZATION}


def test_regions_that_cannot_be_listed_are_a_hole_though_the_rest_is_read(google: Google) -> None:
    google.break_(FaultKind.DENIED, "compute.regions.list")

    first, second, *_ = google.targets(PROJECT)

    assert (first.location, second.location) == (ANYWHERE, "global")
    assert first.failure is not None
    assert "grant compute.regions.list" in first.failure.reason
    assert second.failure is None


def test_a_project_without_the_compute_api_is_disabled_and_its_bindings_are_read(google: Google) -> None:
    google.break_(FaultKind.DISABLED, "compute.*", account=PROJECT)

    first = google.targets(PROJECT)[0]

    assert first.failure is not None
    assert first.failure.outcome == Outcome.DISABLED
    assert google.missed(image.COLLECTOR).outcome == Outcome.DISABLED
    assert PROJECT in google.read(iam.COLLECTOR)


def test_a_search_that_is_denied_says_what_to_grant(google: Google) -> None:
    google.break_(FaultKind.DENIED, "cloudresourcemanager.projects.search")
    connection = CLOUD.connect(GcpEntry(endpoint=google.url), google.runtime)

    assert "denied in any project: grant resourcemanager.projects.get" in broken_off(connection.targets()).reason


def test_credentials_that_see_nothing_are_no_empty_cloud(google: Google) -> None:
    google.sandbox.estate = Estate()

    with pytest.raises(CredentialsError, match="no Google Cloud project"):
        google.targets()


def test_a_cloud_that_is_not_there_is_not_read(google: Google) -> None:
    google.sandbox.stop()

    (target,) = google.targets(PROJECT)

    assert target.failure is not None
    assert target.failure.outcome == Outcome.FAILED
    assert "no complete answer" in target.failure.reason


def test_without_credentials_nothing_is_guessed(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent.json")

    with pytest.raises(CredentialsError) as raised:
        CLOUD.connect(GcpEntry(), google.runtime)

    assert "gcloud auth application-default login" in raised.value.hint


def test_the_identity_is_the_account_that_reads(
    google: Google, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "t"}
    (tmp_path / "adc.json").write_text(json.dumps({**found, "account": "ada@corp.example"}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    robot = "collector@prod-data.iam.gserviceaccount.com"

    assert CLOUD.connect(GcpEntry(quota_project=PROJECT), google.runtime).identity() == "ada@corp.example"
    assert CLOUD.connect(GcpEntry(impersonate=robot), google.runtime).identity() == robot


def test_a_bug_is_nobody_elses_answer() -> None:
    assert CLOUD.classify(KeyError("x")) is None


def test_only_reading_operations_are_called_and_each_is_covered_by_a_permission(google: Google) -> None:
    story.seed(google.url)
    google.put(SNAPSHOTS, "cmek", snapshotEncryptionKey={"kmsKeyName": google.key()})
    google.sandbox.switchboard.calls.clear()
    for target in [*google.targets(), *google.targets(story.PRODUCTION), *_below(google, ORGANIZATION)]:
        for kind in collectors("gcp"):
            if target.where in kind.where:
                list(kind.read(target.handle, Scope("gcp", target.account, target.location, kind.kind)))

    asked = {operation for *_, operation in google.sandbox.switchboard.calls}
    declared = {each for kind in collectors("gcp") for each in kind.permissions}

    assert asked == google.runtime.operations == READ_ONLY
    assert {permission(operation) for operation in asked} == declared


def test_the_story_is_seen_as_it_is_told(google: Google) -> None:
    story.seed(google.url)
    before = _everything(google)

    acts = story.attack(google.url)
    after = _everything(google)

    changed = {address for address in after if after[address] != before.get(address)}
    assert before.keys() == after.keys()
    assert len(changed) == len(acts) == 10
    assert all(sum(act.uid_contains in address for address in changed) == 1 for act in acts)


def _everything(google: Google) -> dict[str, Observation]:
    found: dict[str, Observation] = {}
    for target in google.targets(*story.PROJECTS):
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
