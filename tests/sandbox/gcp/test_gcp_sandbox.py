"""The sandbox's Google Cloud behaves as Google documents it, and fails loudly where it would not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, InternalServerError, NotFound, PreconditionFailed
from google.cloud import compute_v1

from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.gcp.clients import client, send
from snapbase.sandbox.gcp.estate import ORGANIZATION, Policy, Shelf
from snapbase.sandbox.gcp.schema import Method, methods, violations
from snapbase.sandbox.gcp.server import GcpSandbox

PROJECT = "prod-data"
ZONE = "europe-west1-b"
NAMES = {
    "project": PROJECT,
    "projectsId": PROJECT,
    "zone": ZONE,
    "region": "europe-west1",
    "locationsId": "eu",
    "foldersId": "7",
    "organizationsId": ORGANIZATION.partition("/")[2],
    "cryptoKeyVersionsId": "1",
}
TOPIC = f"pubsub.googleapis.com/projects/{PROJECT}/topics/thing"
PATH = f"/compute/v1/projects/{PROJECT}/global/snapshots"


@pytest.fixture
def google() -> Iterator[GcpSandbox]:
    sandbox = GcpSandbox(Switchboard())
    sandbox.estate.add_project(PROJECT, "", "")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def url(google: GcpSandbox) -> str:
    return google.start()


def _disk(url: str, **fields: Any) -> None:
    body = {"name": "orders", "size_gb": 20, **fields}
    client(url, "DisksClient").insert(project=PROJECT, zone=ZONE, disk_resource=body).result()


def _snapshot(url: str, name: str, **fields: Any) -> Any:
    snapshots = client(url, "SnapshotsClient")
    snapshots.insert(project=PROJECT, snapshot_resource={"name": name, **fields}).result()
    return snapshots.get(project=PROJECT, snapshot=name)


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.id)
def test_every_method_answers_in_googles_words(google: GcpSandbox, url: str, method: Method) -> None:
    """A method that is routed but not served, or served against the schema, is a 500."""
    google.estate.add_folder("Things", ORGANIZATION, number="7")
    google.estate.put(Shelf(PROJECT, "", "backups"), {"name": "thing", "body": {"name": "thing"}})
    for made in methods():
        if made.id.rpartition(".")[2] in ("insert", "create") and "Operations" not in made.id:
            _ask(url, made, "thing")

    answer = _ask(url, method, "another")

    assert answer.status_code == (412 if method.id.endswith("setLabels") else 200), answer.text


def _ask(url: str, method: Method, new: str) -> requests.Response:
    """A request for `thing`, or for a new one by name."""
    path = method.path.pattern.replace("\\", "")
    for name in method.path.groupindex:
        path = path.replace(f"(?P<{name}>[^/:]+)", NAMES.get(name, new if method.http == "PUT" else "thing"))
    bodies: dict[str, dict[str, Any]] = {
        "cloudresourcemanager.projects.create": {"projectId": f"{new}-project"},
        "cloudresourcemanager.folders.create": {"parent": ORGANIZATION},
        "iam.projects.roles.create": {"roleId": new},
        "iam.organizations.roles.create": {"roleId": new},
        "logging.entries.list": {"resourceNames": [f"projects/{PROJECT}"]},
        "logging.organizations.sinks.create": {"name": new, "destination": TOPIC},
        "pubsub.projects.subscriptions.create": {"topic": TOPIC.partition("/")[2]},
        "pubsub.projects.subscriptions.pull": {"maxMessages": 1, "returnImmediately": True},
        "insert": {"name": new},
        "setIamPolicy": {"policy": {}},
    }
    body = bodies.get(method.id, bodies.get(method.id.rpartition(".")[2]))
    asked = {"backupVaultId": new, "keyRingId": new, "cryptoKeyId": new, "updateMask": "x"}
    query = {name: value for name, value in asked.items() if name in method.query}
    return requests.request(method.http, url + path, json=body, params=query, timeout=10)


def test_an_answer_that_google_could_not_give_is_refused_by_the_sandbox_itself(google: GcpSandbox, url: str) -> None:
    shelf = Shelf(PROJECT, "global", "snapshots")
    google.estate.put(shelf, {"name": "odd", "diskSizeGb": 5, "status": "PERFECT", "shared": False})

    with pytest.raises(InternalServerError) as raised:
        list(client(url, "SnapshotsClient").list(project=PROJECT, retry=None))

    assert "an int64 is sent as a string" in raised.value.message
    assert "PERFECT is not one of" in raised.value.message
    assert "unknown field shared" in raised.value.message


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "string"}}}, ["$.a: not a string"]),
        ({"a": "x"}, {"type": "object", "additionalProperties": {"type": "string"}}, []),
        ([True], {"type": "array", "items": {"type": "integer"}}, ["$[0]: not a number"]),
        ({}, {"type": "array", "items": {}}, ["$: not a list"]),
        ("x", {"type": "object"}, ["$: not an object"]),
        ("12a", {"type": "string", "format": "uint64"}, ["$: not an int64"]),
        ("yes", {"type": "boolean"}, ["$: not a boolean"]),
        ({"anything": 1}, {"type": "any"}, []),
    ],
)
def test_bodies_are_checked_to_the_leaves(value: object, schema: dict[str, Any], wrong: list[str]) -> None:
    assert list(violations(value, schema, {})) == wrong


def test_ids_are_the_servers_and_never_come_back(url: str) -> None:
    snapshots = client(url, "SnapshotsClient")
    before = _snapshot(url, "daily")
    snapshots.delete(project=PROJECT, snapshot="daily").result()
    after = _snapshot(url, "daily")

    assert before.self_link == after.self_link
    assert before.id != after.id


def test_output_only_fields_are_ignored_and_unknown_ones_refused(url: str) -> None:
    made = _snapshot(url, "daily", id=1, auto_created=True, status="FAILED")

    assert (made.id == 1, made.auto_created, made.status) == (False, False, "READY")
    assert requests.post(url + PATH, json={"name": "chosen", "identity": "1"}, timeout=10).status_code == 400


def test_what_cannot_be_made_is_refused_as_by_compute_engine(url: str) -> None:
    _snapshot(url, "daily")

    with pytest.raises(Conflict, match="already exists"):
        _snapshot(url, "daily")
    with pytest.raises(BadRequest, match="Must be a match of regex"):
        _snapshot(url, "ends-in-a-dash-")
    with pytest.raises(NotFound, match="disks/nothing"):
        _snapshot(url, "another", source_disk=f"projects/{PROJECT}/zones/{ZONE}/disks/nothing")
    with pytest.raises(NotFound, match="projects/nobodys"):
        list(client(url, "SnapshotsClient").list(project="nobodys"))
    with pytest.raises(BadRequest, match="field 'region'"):
        list(client(url, "RegionSnapshotsClient").list(project=PROJECT, region="atlantis"))


def test_the_server_adds_what_it_knows_of_the_source(url: str) -> None:
    _disk(url)
    made = _snapshot(url, "daily", source_disk=f"projects/{PROJECT}/zones/{ZONE}/disks/orders")
    disk = client(url, "DisksClient").get(project=PROJECT, zone=ZONE, disk="orders")

    assert (made.source_disk_id, made.disk_size_gb, made.status) == (str(disk.id), 20, "READY")
    assert made.source_disk == disk.self_link


def test_a_schedule_leaves_marks_that_a_person_cannot(url: str) -> None:
    policy = f"projects/{PROJECT}/regions/europe-west1/resourcePolicies/nightly"
    _disk(url, resource_policies=[policy])

    (scheduled,) = client(url, "SnapshotsClient").list(project=PROJECT)

    assert scheduled.auto_created
    assert scheduled.source_snapshot_schedule_policy == policy


def test_pages_are_as_long_as_asked_and_no_longer(google: GcpSandbox, url: str) -> None:
    for number in range(5):
        _snapshot(url, f"daily-{number}")
    snapshots = client(url, "SnapshotsClient")

    def sizes(**asked: int) -> list[int]:
        return [len(page.items) for page in snapshots.list(request={"project": PROJECT, **asked}).pages]

    assert sizes() == [5]
    assert sizes(max_results=2) == [2, 2, 1]
    google.page_size = 3
    assert sizes(max_results=500) == [3, 2]


def test_conditions_are_seen_only_by_who_asks_for_version_3() -> None:
    binding = {"role": "roles/owner", "members": ["user:a@b.c"], "condition": {"expression": "true"}}
    policy = Policy([binding, {"role": "roles/viewer", "members": ["user:a@b.c"]}])

    full, garbled = policy.document(3), policy.document(1)

    assert (full["version"], full["bindings"][0]) == (3, binding)
    assert garbled["version"] == 1
    assert garbled["bindings"][0]["role"].startswith("roles/owner_withcond_")
    assert "condition" not in garbled["bindings"][0]
    assert garbled["bindings"][1] == full["bindings"][1]


def test_a_policy_is_not_overwritten_with_an_old_etag_nor_conditions_under_an_old_version(url: str) -> None:
    _snapshot(url, "daily")
    snapshots = client(url, "SnapshotsClient")
    binding = compute_v1.Binding(role="roles/owner", members=["user:a@b.c"])

    def put(**policy: Any) -> None:
        body = compute_v1.GlobalSetPolicyRequest(policy=compute_v1.Policy(**policy))
        snapshots.set_iam_policy(project=PROJECT, resource="daily", global_set_policy_request_resource=body)

    old = snapshots.get_iam_policy(project=PROJECT, resource="daily").etag
    put(bindings=[binding], etag=old)
    with pytest.raises(PreconditionFailed, match="concurrent policy changes"):
        put(bindings=[], etag=old)
    with pytest.raises(BadRequest, match="version 3"):
        put(bindings=[compute_v1.Binding(role="roles/owner", members=[], condition={"expression": "true"})])


def test_labels_change_only_with_the_current_fingerprint(url: str) -> None:
    made = _snapshot(url, "daily", labels={"team": "a"})
    snapshots = client(url, "SnapshotsClient")

    def label(fingerprint: str) -> None:
        body = {"labels": {"team": "b"}, "label_fingerprint": fingerprint}
        snapshots.set_labels(project=PROJECT, resource="daily", global_set_labels_request_resource=body).result()

    label(made.label_fingerprint)
    with pytest.raises(PreconditionFailed, match="fingerprint"):
        label(made.label_fingerprint)
    after = snapshots.get(project=PROJECT, snapshot="daily")
    assert (dict(after.labels), after.id) == ({"team": "b"}, made.id)


def test_a_key_that_was_supplied_is_not_kept(url: str) -> None:
    made = _snapshot(url, "daily", snapshot_encryption_key={"raw_key": "c2VjcmV0"})

    assert made.snapshot_encryption_key.sha256
    assert not made.snapshot_encryption_key.raw_key


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.DENIED, 403, "forbidden"),
        (FaultKind.DISABLED, 403, "accessNotConfigured"),
        (FaultKind.THROTTLED, 403, "rateLimitExceeded"),
        (FaultKind.EXPIRED, 401, "authError"),
        (FaultKind.ERROR, 503, "backendError"),
    ],
)
def test_faults_are_googles_own_answers(
    google: GcpSandbox, url: str, kind: FaultKind, status: int, reason: str
) -> None:
    google.switchboard.break_(Fault(kind, cloud="gcp", account=PROJECT, operation="compute.snapshots.*", times=1))

    broken, whole = requests.get(url + PATH, timeout=10), requests.get(url + PATH, timeout=10)

    assert (broken.status_code, broken.json()["error"]["errors"][0]["reason"]) == (status, reason)
    assert whole.status_code == 200


def test_resource_manager_says_429_and_when_to_come_back(google: GcpSandbox, url: str) -> None:
    google.switchboard.break_(Fault(FaultKind.THROTTLED, operation="cloudresourcemanager.*", seconds=7))

    answer = requests.get(f"{url}/v3/projects:search", timeout=10)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TRUNCATED])
def test_a_spoilt_connection_is_no_answer(google: GcpSandbox, url: str, kind: FaultKind) -> None:
    google.switchboard.break_(Fault(kind))

    with pytest.raises(requests.exceptions.RequestException):
        requests.get(url + PATH, timeout=10)


def test_an_unknown_path_or_parameter_is_not_guessed(url: str) -> None:
    assert requests.get(f"{url}/compute/v1/projects/{PROJECT}/global/backups", timeout=10).status_code == 404
    assert requests.get(url + PATH, params={"everything": "1"}, timeout=10).status_code == 400
    assert requests.get(url + PATH, params={"pageToken": "%%%"}, timeout=10).status_code == 400


def test_what_lies_in_zones_and_regions_is_listed_by_scope_over_all_pages(google: GcpSandbox, url: str) -> None:
    """Scopes with nothing on a page say so, as Compute Engine's do."""
    where = [("zones/us-central1-c", "a"), ("zones/europe-west1-b", "b"), ("regions/europe-west1", "c")]
    for place, name in where:
        google.estate.put(Shelf(PROJECT, place, "disks"), {"name": name})
    disks = client(url, "DisksClient")

    pages = list(disks.aggregated_list(request={"project": PROJECT, "max_results": 2}).pages)

    found = [(scope, disk.name) for page in pages for scope, part in page.items.items() for disk in part.disks]
    assert len(pages) == 2
    assert sorted(found) == sorted(where)
    assert pages[0].items["regions/us-central1"].warning.code == "NO_RESULTS_ON_PAGE"


def test_a_vault_changes_in_what_the_mask_names_only(google: GcpSandbox, url: str) -> None:
    vaults = f"{url}/v1/projects/{PROJECT}/locations/eu/backupVaults"
    made = {"accessRestriction": "WITHIN_PROJECT", "effectiveTime": "2027-01-01T00:00:00Z", "description": "kept"}
    send("POST", vaults, made, backupVaultId="ledger")

    send("PATCH", f"{vaults}/ledger", {"description": "x"}, updateMask="effectiveTime")

    (vault,) = requests.get(f"{url}/v1/projects/{PROJECT}/locations/-/backupVaults", timeout=10).json()["backupVaults"]
    assert "effectiveTime" not in vault
    assert (vault["description"], vault["accessRestriction"]) == ("kept", "WITHIN_PROJECT")
    assert requests.post(vaults, json={}, timeout=10).status_code == 400
    assert requests.post(vaults, json={}, params={"backupVaultId": "ledger"}, timeout=10).status_code == 409


def test_what_is_hidden_above_a_project_looks_like_what_is_not_there(url: str) -> None:
    assert requests.get(f"{url}/v3/folders/404", timeout=10).status_code == 403
    assert requests.get(f"{url}/v3/{ORGANIZATION}", timeout=10).json()["name"] == ORGANIZATION
    assert requests.get(f"{url}/v1/{ORGANIZATION}/roles/none", timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("operation", "path", "host"),
    [
        ("sql.*", f"/v1/projects/{PROJECT}/backups", "sqladmin.googleapis.com"),
        ("backupdr.*", f"/v1/projects/{PROJECT}/locations/-/backupVaults", "backupdr.googleapis.com"),
        ("iam.*", f"/v1/projects/{PROJECT}/roles/mine", "iam.googleapis.com"),
    ],
)
def test_a_service_that_is_off_is_named_as_it_is_switched_on(
    google: GcpSandbox, url: str, operation: str, path: str, host: str
) -> None:
    google.switchboard.break_(Fault(FaultKind.DISABLED, operation=operation, account=PROJECT))

    answer = requests.get(url + path, timeout=10)

    assert answer.status_code == 403
    assert answer.json()["error"]["details"][0]["metadata"]["service"] == host
