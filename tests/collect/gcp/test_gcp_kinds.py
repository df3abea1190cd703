"""What holds for every kind: all pages, refusals that are no absence, names that come back, every holder of a grant."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from snapbase.collect.collector import Collector
from snapbase.collect.gcp import (
    backup_vault,
    disk,
    image,
    instant_snapshot,
    machine_image,
    snapshot,
    snapshot_schedule,
    sql_backup,
)
from snapbase.model import Access, Grant, Outcome, PrincipalKind
from snapbase.sandbox.faults import FaultKind
from snapbase.sandbox.gcp import answers
from snapbase.sandbox.gcp.estate import Body, Shelf
from tests.collect.gcp.reader import (
    ABOVE,
    DISKS,
    EVE,
    IMAGES,
    INSTANT,
    MACHINE_IMAGES,
    PROJECT,
    SNAPSHOTS,
    Google,
    broken_off,
)

MINE = {"role": "roles/compute.admin", "members": [EVE]}


@dataclass(frozen=True)
class Case:
    """A kind, where its resources lie, and what it asks."""

    kind: Collector
    shelf: Shelf
    listing: str
    body: Callable[[str], Body]
    policy: str = ""

    def __str__(self) -> str:
        return self.kind.kind

    def put(self, google: Google, name: str) -> None:
        google.sandbox.estate.put(self.shelf, {"name": name, **self.body(name)})
        if self.policy:
            google.bind(self.shelf, name, MINE)


def _compute(name: str) -> Body:
    return {"status": "READY", "selfLink": f"sandbox/{name}"}


def _schedule(name: str) -> Body:
    daily = {"daysInCycle": 1, "startTime": "03:00"}
    return {**_compute(name), "snapshotSchedulePolicy": {"schedule": {"dailySchedule": daily}}}


def _backup(name: str) -> Body:
    return {"body": {"name": f"projects/{PROJECT}/backups/{name}", "instance": "billing", "type": "FINAL"}}


def _vault(name: str) -> Body:
    full = f"projects/{PROJECT}/locations/eu/backupVaults/{name}"
    return {"body": {"name": full, "uid": f"uid-{name}", "accessRestriction": "WITHIN_PROJECT"}}


SHARED = (
    Case(snapshot.COLLECTOR, SNAPSHOTS, "compute.snapshots.list", _compute, "compute.snapshots.getIamPolicy"),
    Case(image.COLLECTOR, IMAGES, "compute.images.list", _compute, "compute.images.getIamPolicy"),
    Case(
        machine_image.COLLECTOR,
        MACHINE_IMAGES,
        "compute.machineImages.list",
        _compute,
        "compute.machineImages.getIamPolicy",
    ),
    Case(
        instant_snapshot.COLLECTOR,
        INSTANT,
        "compute.instantSnapshots.aggregatedList",
        _compute,
        "compute.instantSnapshots.getIamPolicy",
    ),
)
DISK = Case(disk.COLLECTOR, DISKS, "compute.disks.aggregatedList", _compute, "compute.disks.getIamPolicy")
UNSHARED = (
    Case(
        snapshot_schedule.COLLECTOR,
        Shelf(PROJECT, "regions/europe-west1", "resourcePolicies"),
        "compute.resourcePolicies.aggregatedList",
        _schedule,
    ),
    Case(sql_backup.COLLECTOR, Shelf(PROJECT, "", "backups"), "sql.Backups.ListBackups", _backup),
    Case(
        backup_vault.COLLECTOR,
        Shelf(PROJECT, "locations/eu", "backupVaults"),
        "backupdr.projects.locations.backupVaults.list",
        _vault,
    ),
)
BOUND = (*SHARED, DISK)
CASES = (*BOUND, *UNSHARED)
every_kind = pytest.mark.parametrize("case", CASES, ids=str)
every_shared_kind = pytest.mark.parametrize("case", SHARED, ids=str)
every_bound_kind = pytest.mark.parametrize("case", BOUND, ids=str)


@every_kind
def test_every_page_is_read(google: Google, case: Case) -> None:
    names = {f"daily-{number}" for number in range(5)}
    for name in names:
        case.put(google, name)
    google.sandbox.page_size = 2

    found = google.read(case.kind)

    assert set(found) == names
    assert google.asked(case.listing) == 3
    assert all(each.resource.owner == PROJECT for each in found.values())
    assert all(each.resource.guards[:3] == (google.project_uid, *ABOVE) for each in found.values())
    assert len({each.resource.uid for each in found.values()}) == 5


@every_kind
def test_a_second_page_that_is_denied_ends_the_list_and_keeps_the_first(google: Google, case: Case) -> None:
    for number in range(4):
        case.put(google, f"daily-{number}")
    google.sandbox.page_size = 2
    google.break_(FaultKind.DENIED, case.listing, skip=1)
    reading = google.reading(case.kind)

    assert [next(reading).resource.name for _ in range(2)] == ["daily-0", "daily-1"]
    assert broken_off(reading).outcome == Outcome.DENIED


@every_kind
@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        (FaultKind.DENIED, Outcome.DENIED, "to the collector"),
        (FaultKind.EXPIRED, Outcome.DENIED, "sign in again"),
        (FaultKind.THROTTLED, Outcome.THROTTLED, "throttled in prod-data/global"),
        (FaultKind.DISABLED, Outcome.DISABLED, "API is not enabled"),
        (FaultKind.ERROR, Outcome.FAILED, "HTTP 503"),
        (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "HTTP 500"),
        (FaultKind.TRUNCATED, Outcome.FAILED, "no complete answer"),
        (FaultKind.RESET, Outcome.FAILED, "no complete answer"),
    ],
)
def test_no_refusal_is_an_empty_list(google: Google, case: Case, kind: FaultKind, outcome: Outcome, words: str) -> None:
    case.put(google, "daily")
    google.break_(kind, case.listing, account=PROJECT)

    miss = google.missed(case.kind)

    assert miss.outcome == outcome
    assert words in miss.reason
    assert "<" not in miss.reason


@every_kind
def test_a_denied_list_names_a_permission_that_the_kind_declares(google: Google, case: Case) -> None:
    google.break_(FaultKind.DENIED, case.listing)

    granted = google.missed(case.kind).reason.partition("grant ")[2].partition(" ")[0]

    assert granted in case.kind.permissions


@every_kind
@pytest.mark.parametrize("name", ["=HYPERLINK(1)|<script>", "a\x1b[31m\u202eb", "x" * 5000, "💥"])
def test_hostile_names_come_through_as_they_are(google: Google, case: Case, name: str) -> None:
    case.put(google, name)

    assert set(google.read(case.kind)) == {name}


@pytest.mark.parametrize("case", [*BOUND, UNSHARED[0]], ids=str)
def test_one_made_again_under_its_name_is_another(google: Google, case: Case) -> None:
    case.put(google, "daily")
    before = google.read(case.kind)["daily"].resource
    google.sandbox.estate.remove(case.shelf, "daily")
    case.put(google, "daily")

    after = google.read(case.kind)["daily"].resource

    assert (before.address, before.uid == after.uid) == (after.address, False)


@every_bound_kind
def test_one_that_vanished_before_its_policy_was_read_is_left_out(google: Google, case: Case) -> None:
    for number in range(9):
        case.put(google, f"daily-{number}")
    reading = google.reading(case.kind)

    first = next(reading)
    google.sandbox.estate.remove(case.shelf, "daily-8")

    assert {first.resource.name, *(each.resource.name for each in reading)} == {f"daily-{n}" for n in range(8)}


@every_shared_kind
@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED])
def test_sharing_that_cannot_be_read_is_unknown_and_the_rest_is_still_read(
    google: Google, case: Case, kind: FaultKind
) -> None:
    for name in ("daily", "weekly"):
        case.put(google, name)
    google.break_(kind, case.policy, skip=1)

    found = list(google.reading(case.kind))

    assert sorted(each.grants is None for each in found) == [False, True]
    assert all(each.miss is not None for each in found if each.grants is None)


@every_bound_kind
def test_every_sort_of_principal_can_hold_a_grant(google: Google, case: Case) -> None:
    """Public ones too: what the API refuses today it may have let through before."""
    members = {
        "allUsers": PrincipalKind.PUBLIC,
        "allAuthenticatedUsers": PrincipalKind.AUTHENTICATED,
        "user:eve@evil.example": PrincipalKind.USER,
        "group:dba@corp.example": PrincipalKind.GROUP,
        "domain:corp.example": PrincipalKind.DOMAIN,
        "serviceAccount:b@p.iam.gserviceaccount.com": PrincipalKind.SERVICE_ACCOUNT,
        "serviceAccount:p.svc.id.goog[ns/ksa]": PrincipalKind.SERVICE_ACCOUNT,
        "principal://iam.googleapis.com/locations/global/workforcePools/pool/subject/Ada": PrincipalKind.FEDERATED,
        "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*": (
            PrincipalKind.FEDERATED
        ),
        "deleted:user:eve@evil.example?uid=12": PrincipalKind.DELETED,
        "projectEditor:prod-data": PrincipalKind.PROJECT_TEAM,
    }
    case.put(google, "daily")
    google.bind(case.shelf, "daily", {"role": "roles/compute.admin", "members": list(members)})

    found = google.read(case.kind)["daily"].grants

    assert found is not None
    assert sorted(grant.principal.kind for grant in found) == sorted(members.values())
    assert {grant.access for grant in found} == {Access.RESHARE}


@every_bound_kind
def test_custom_roles_grant_what_they_permit_and_are_asked_for_once(google: Google, case: Case) -> None:
    collection = case.policy.split(".")[1]
    _role(google, "reads", f"compute.{collection}.useReadOnly")
    _role(google, "looks", f"compute.{collection}.get")
    for name in ("daily", "weekly"):
        case.put(google, name)
        bindings = [{"role": f"projects/{PROJECT}/roles/{role}", "members": [EVE]} for role in ("reads", "looks")]
        google.bind(case.shelf, name, *bindings)

    found = google.read(case.kind)

    assert {name: [_terms(grant) for grant in each.grants or ()] for name, each in found.items()} == {
        name: [(Access.READ, "gcp.iam/projects/prod-data/roles/reads", "")] for name in ("daily", "weekly")
    }
    assert google.asked("iam.projects.roles.get") <= 4


def _role(google: Google, name: str, permission: str, **fields: Any) -> None:
    path = f"projects/{PROJECT}/roles/{name}"
    google.sandbox.estate.put_thing(path, {"name": path, "includedPermissions": [permission], **fields})


def _terms(grant: Grant) -> tuple[str, str, str]:
    return grant.access, grant.mechanism, grant.condition


def test_disks_that_grant_nothing_are_left_out_and_an_unread_policy_is_a_hole(google: Google) -> None:
    for name in ("bound", "later", "plain"):
        DISK.put(google, name)
    google.bind(DISKS, "plain", {"role": "roles/compute.viewer", "members": [EVE]})

    assert set(google.read(disk.COLLECTOR)) == {"bound", "later"}
    google.break_(FaultKind.DENIED, "compute.disks.getIamPolicy", times=1)
    reading = google.reading(disk.COLLECTOR)
    assert next(reading).resource.name in ("bound", "later")
    assert "grant compute.disks.getIamPolicy" in broken_off(reading).reason


@pytest.mark.parametrize(
    ("case", "answer", "words"),
    [
        (
            SHARED[3],
            {"items": {"zones/europe-west1-b": {"warning": {"code": "UNREACHABLE", "message": "asleep"}}}},
            "UNREACHABLE",
        ),
        (SHARED[3], {"unreachables": ["zones/us-central1-c"]}, "zones/us-central1-c"),
        (DISK, {"unreachables": ["regions/us-central1"]}, "regions/us-central1"),
        (UNSHARED[0], {"warning": {"code": "PARTIAL_SUCCESS", "message": ""}}, "PARTIAL_SUCCESS"),
        (UNSHARED[1], {"warnings": [{"code": "REGION_UNREACHABLE", "region": "eu"}]}, "REGION_UNREACHABLE"),
        (UNSHARED[2], {"unreachable": [f"projects/{PROJECT}/locations/us"]}, "locations/us"),
    ],
    ids=str,
)
def test_a_list_that_says_it_left_something_out_is_partial(
    google: Google, monkeypatch: pytest.MonkeyPatch, case: Case, answer: Body, words: str
) -> None:
    monkeypatch.setitem(answers.handlers(), case.listing, lambda _estate, _call: answer)

    miss = google.missed(case.kind)

    assert miss.outcome == Outcome.PARTIAL
    assert words in miss.reason


def test_scopes_without_results_are_no_holes(google: Google) -> None:
    """Compute Engine says so of every zone in which there is nothing."""
    DISK.put(google, "bound")

    assert set(google.read(disk.COLLECTOR)) == {"bound"}
