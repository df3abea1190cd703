"""What is done to the sandbox through Google's own clients is found in its audit logs afterwards."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from google.api_core.exceptions import Forbidden, GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession

from snapbase.audit import gcp_fetch
from snapbase.audit.gcp_fetch import OPERATION, fetch, query, source
from snapbase.audit.log import OVERLAP, Fetched
from snapbase.collect.gcp.disk import COLLECTOR as DISK
from snapbase.collect.gcp.errors import classify
from snapbase.collect.gcp.iam import COLLECTOR as IAM
from snapbase.collect.gcp.instant_snapshot import COLLECTOR as INSTANT_SNAPSHOT
from snapbase.collect.gcp.session import Session
from snapbase.collect.gcp.snapshot import COLLECTOR as SNAPSHOT
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Miss, Outcome
from snapbase.sandbox.faults import FaultKind, Switchboard
from snapbase.sandbox.gcp import story
from snapbase.sandbox.gcp.clients import bind, bind_container, client, insert, signed_in
from snapbase.sandbox.gcp.estate import ORGANIZATION
from snapbase.sandbox.gcp.server import GcpSandbox
from snapbase.settings import GcpEntry
from tests.collect.gcp.reader import PROJECT, Google

CONTAINER, ZONE = f"projects/{PROJECT}", "europe-west1-b"
ADA = "ada@acme.example"
EVERYONE = {"role": "roles/compute.storageAdmin", "members": ["allAuthenticatedUsers"]}


def entries(web: Any, endpoint: str = "https://logging.googleapis.com") -> Callable[[Mapping[str, Any]], Any]:
    """As the collectors' session does it: one POST, google-api-core's errors."""

    def send(body: Mapping[str, Any]) -> Any:
        from google.api_core.exceptions import from_http_response
        from requests.exceptions import InvalidJSONError

        answer = web.post(f"{endpoint}/v2/entries:list", json=dict(body), timeout=60.0)
        if answer.status_code >= 400:
            raise from_http_response(answer)
        found = answer.json()
        if not isinstance(found, dict):
            raise InvalidJSONError("logging answered with no object")
        return found

    return send


@pytest.fixture
def google() -> Iterator[Google]:
    """A sandbox with one project, in it a disk and a snapshot, made by Ada."""
    sandbox = GcpSandbox(Switchboard())
    started = Google(sandbox, sandbox.start())
    with signed_in(ADA):
        insert(started.url, "Disks", "disk", {"name": "orders", "size_gb": 10}, project=PROJECT, zone=ZONE)
        body = {"name": "ledger", "source_disk": f"projects/{PROJECT}/zones/{ZONE}/disks/orders"}
        insert(started.url, "Snapshots", "snapshot", body, project=PROJECT)
    yield started
    started.runtime.close()
    sandbox.stop()


def _stretches(google: Google, container: str = CONTAINER, **window: datetime) -> list[Fetched]:
    return list(_reading(google, container, **window))


def _reading(google: Google, container: str = CONTAINER, **window: datetime) -> Iterator[Fetched]:
    """As an operation would read it: through the collectors' limiter and ledger."""
    session = Session(GcpEntry(endpoint=google.url), google.runtime)
    send = entries(AuthorizedSession(AnonymousCredentials()), google.url)

    def ask(operation: str, body: Mapping[str, Any]) -> Any:
        return session.call(operation, container, "global", lambda: send(body))

    now = datetime.now(UTC)
    window = {"since": now - timedelta(minutes=1), "until": now + timedelta(minutes=1), **window}
    return fetch(ask, classify, container, **window)


def _events(google: Google, container: str = CONTAINER) -> list[Event]:
    found = _stretches(google, container)
    assert [each.miss for each in found] == [None] * len(found)
    assert not any(each.broken for each in found)
    return [event for each in found for event in each.events]


def test_a_share_is_found_with_who_when_from_where_and_to_whom(google: Google) -> None:
    with signed_in("eve@acme.example"):
        bind(google.url, "Snapshots", EVERYONE, project=PROJECT, resource="ledger")

    (share,) = [each for each in _events(google) if each.action == Action.SHARE]

    assert (share.actor.id, share.actor.kind, share.source_ip) == ("eve@acme.example", ActorKind.HUMAN, "127.0.0.1")
    assert share.user_agent.startswith("python-requests/")
    assert share.subjects == (google.read(SNAPSHOT)["ledger"].resource.address,)
    assert [each.id for each in share.targets] == ["allAuthenticatedUsers"]
    assert datetime.now(UTC) - share.at < timedelta(minutes=1)


def test_a_long_operation_is_one_event(google: Google) -> None:
    made = [each for each in _events(google) if each.name == "compute.snapshots.insert"]

    assert [(each.result, each.actor.id) for each in made] == [(Result.SUCCEEDED, ADA)]
    resource = google.read(SNAPSHOT)["ledger"].resource
    assert (made[0].made, made[0].source) == (resource.address, resource.source)
    assert len(google.sandbox.estate.entries()) == 4, "two entries for each of two operations"


def test_a_restore_a_deletion_and_a_schedule_taken_away(google: Google) -> None:
    body = {"name": "copy", "source_snapshot": f"projects/{PROJECT}/global/snapshots/ledger"}
    insert(google.url, "Disks", "disk", body, project=PROJECT, zone=ZONE)
    insert(google.url, "ResourcePolicies", "resource_policy", {"name": "n"}, project=PROJECT, region="europe-west1")
    client(google.url, "ResourcePoliciesClient").delete(
        project=PROJECT, region="europe-west1", resource_policy="n"
    ).result()
    client(google.url, "SnapshotsClient").delete(project=PROJECT, snapshot="ledger").result()

    found = {each.name: each for each in _events(google)}

    assert found["compute.disks.insert"].action == Action.RESTORE
    assert found["compute.disks.insert"].source.endswith("/global/snapshots/ledger")
    assert found["compute.resourcePolicies.delete"].action == Action.INHIBIT
    assert found["compute.snapshots.delete"].action == Action.DELETE
    assert found["compute.snapshots.delete"].actor.kind == ActorKind.UNKNOWN


def test_what_a_schedule_does_is_a_system_event(google: Google) -> None:
    body = {"name": "wal", "size_gb": 10, "resource_policies": [f"projects/{PROJECT}/regions/r/resourcePolicies/n"]}
    insert(google.url, "Disks", "disk", body, project=PROJECT, zone=ZONE)

    (found,) = [each for each in _events(google) if each.name == "ScheduledSnapshots"]

    assert (found.action, found.actor.kind) == (Action.CREATE, ActorKind.SERVICE)
    assert found.source.endswith("/disks/wal")


def test_subjects_are_addressed_as_the_collectors_address_them(google: Google) -> None:
    where = {"project": PROJECT, "zone": ZONE}
    source_disk = f"projects/{PROJECT}/zones/{ZONE}/disks/orders"
    insert(google.url, "InstantSnapshots", "instant_snapshot", {"name": "i", "source_disk": source_disk}, **where)
    for api, name in (("Disks", "orders"), ("InstantSnapshots", "i")):
        bind(google.url, api, EVERYONE, **where, resource=name)
    bind_container(google.url, CONTAINER, [{"role": "roles/editor", "members": [f"user:{ADA}"]}])

    shared = {each.subjects[0] for each in _events(google) if each.action == Action.SHARE}

    read = (google.read(DISK), google.read(INSTANT_SNAPSHOT), google.read(IAM))
    assert shared == {each.resource.address for kind in read for each in kind.values()}


@pytest.mark.parametrize("container", ["folders/7", ORGANIZATION])
def test_a_folder_and_an_organisation_have_logs_of_their_own(google: Google, container: str) -> None:
    owners = [{"role": "roles/owner", "members": ["user:eve@evil.example"]}]
    bind_container(google.url, container, owners)
    bind_container(google.url, container, [{"role": "roles/logging.viewer", "members": [f"user:{ADA}"]}])

    first, second = _events(google, container)

    assert (first.action, first.account) == (Action.SHARE, container)
    assert first.subjects == (f"//cloudresourcemanager.googleapis.com/{container}",)
    assert (second.action, [each.id for each in second.targets]) == (Action.POLICY, [ADA])
    assert not any(each.account == container for each in _events(google))


def test_lists_are_seen_where_data_access_logs_are_on(google: Google) -> None:
    google.read(SNAPSHOT)
    unseen = _events(google)
    google.sandbox.estate.data_access.add(CONTAINER)
    google.read(SNAPSHOT)

    seen = [each for each in _events(google) if each not in unseen]

    assert not any(each.action == Action.ENUMERATE for each in unseen)
    assert {(each.name, each.ids) for each in seen} == {
        ("compute.snapshots.list", 0),
        ("compute.snapshots.getIamPolicy", 1),
    }


def test_refused_and_failed_calls_are_kept_as_what_they_are(google: Google) -> None:
    with pytest.raises(GoogleAPICallError):
        client(google.url, "SnapshotsClient").delete(project=PROJECT, snapshot="other").result()
    google.break_(FaultKind.DENIED, "compute.snapshots.delete")
    with pytest.raises(Forbidden):
        client(google.url, "SnapshotsClient").delete(project=PROJECT, snapshot="ledger").result()

    failed, denied = [each for each in _events(google) if each.action == Action.DELETE]

    assert (failed.result, denied.result) == (Result.FAILED, Result.DENIED)
    assert "not found" in failed.detail
    assert denied.subjects[0].endswith("/ledger")


def test_the_story_names_the_attacker_for_every_act(google: Google) -> None:
    story.seed(google.url)
    acts = story.attack(google.url)
    folders = [each["name"] for each in google.sandbox.estate.things("folders/")]
    places = [*(f"projects/{each}" for each in story.PROJECTS), *folders, ORGANIZATION]

    events = [each for place in places for each in _events(google, place) if each.actor.id == story.STOLEN]

    assert len(events) == len(acts)
    for act in acts:
        assert any(act.uid_contains in subject for each in events for subject in each.subjects), act
    assert {each.action for each in events} == {Action.SHARE, Action.POLICY}


def test_two_pages_and_pages_without_entries(google: Google) -> None:
    """The service searches so much at a time: a page may be empty and have a successor."""
    client(google.url, "ProjectsClient").create_project(
        request={"project": {"project_id": "other", "parent": ORGANIZATION}}
    ).result()
    for _ in range(3):
        bind_container(google.url, CONTAINER, [])
    google.sandbox.page_size = 1
    begun = google.asked(OPERATION)

    found = _events(google)

    assert google.asked(OPERATION) - begun == 7
    assert [each.action for each in found] == [Action.CREATE, Action.CREATE, *[Action.POLICY] * 3]


def test_a_long_log_comes_in_stretches_that_follow_each_other(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of an operation that began in an earlier stretch says nothing without it, so it is told again, whole."""
    monkeypatch.setattr(gcp_fetch, "PAGES", 1)
    google.sandbox.page_size = 1

    found = _stretches(google)

    assert len(found) == 4
    assert all(one.until == other.since for one, other in pairwise(found))
    results = [(each.name, each.result, each.source != "") for part in found for each in part.events]
    assert results == [
        ("compute.disks.insert", Result.STARTED, False),
        ("compute.disks.insert", Result.SUCCEEDED, False),
        ("compute.snapshots.insert", Result.STARTED, True),
        ("compute.snapshots.insert", Result.SUCCEEDED, True),
    ]
    assert len({each.id for part in found for each in part.events}) == 2


def test_windows_overlap_and_end_where_they_were_told(google: Google) -> None:
    since, until = datetime.now(UTC) + timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=6)

    (found,) = _stretches(google, since=since, until=until)
    (before,) = _stretches(google, since=since - timedelta(days=9), until=since - timedelta(days=8))

    assert (found.since, found.until, found.source) == (since - OVERLAP, until, source(CONTAINER))
    assert len(found.events) == 2, "what lies before the watermark is read again"
    assert before.events == ()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FaultKind.DENIED, Outcome.DENIED),
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.DISABLED, Outcome.DISABLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.TRUNCATED, Outcome.FAILED),
    ],
)
def test_what_cannot_be_read_is_a_gap_and_never_silence(google: Google, fault: FaultKind, outcome: str) -> None:
    google.break_(fault, OPERATION)

    (found,) = _stretches(google)

    assert found.miss is not None
    assert (found.miss.outcome, found.events) == (outcome, ())
    assert found.until > datetime.now(UTC), "the gap reaches to the end"


def test_a_log_that_breaks_off_keeps_what_was_read_until_then(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcp_fetch, "PAGES", 1)
    google.sandbox.page_size = 1
    reading = _reading(google)
    whole = next(reading)
    google.break_(FaultKind.ERROR, OPERATION)

    (gap,) = reading

    assert whole.miss is None
    assert [each.name for each in whole.events] == ["compute.disks.insert"]
    assert gap.miss is not None
    assert (gap.since, gap.events) == (whole.until, ())


def test_a_project_that_is_not_there_is_a_gap(google: Google) -> None:
    (found,) = _stretches(google, "projects/elsewhere")

    assert found.miss is not None
    assert found.miss.outcome == Outcome.DENIED


def test_a_bug_is_not_taken_for_the_clouds_answer() -> None:
    def ask(*_: Any) -> Any:
        raise ZeroDivisionError

    now = datetime.now(UTC)
    with pytest.raises(ZeroDivisionError):
        list(fetch(ask, classify, CONTAINER, now, now))


@pytest.mark.parametrize("page", [{}, {"entries": None}, {"entries": [7, {}, {"timestamp": 7}, {"timestamp": "9999"}]}])
def test_answers_that_nobody_should_give(page: dict[str, Any]) -> None:
    now = datetime.now(UTC)

    (found,) = fetch(lambda *_: page, classify, CONTAINER, now, now)

    assert (found.events, found.miss) == ((), None)
    assert sum(found.broken.values()) == len(page.get("entries") or ())


def test_an_answer_that_always_has_a_successor_ends() -> None:
    now = datetime.now(UTC)

    (found,) = fetch(lambda *_: {"nextPageToken": "again"}, classify, CONTAINER, now, now)

    assert found.miss == Miss(Outcome.PARTIAL, "logging.entries.list in projects/prod-data goes round in circles")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resourceNames": ["nonsense"]},
        {"resourceNames": [CONTAINER] * 101},
        {"resourceNames": [CONTAINER], "filter": 'severity="NOTICE"'},
        {"resourceNames": [CONTAINER], "orderBy": "severity"},
        {"resourceNames": [CONTAINER], "pageToken": "?"},
        {"resourceNames": [CONTAINER], "pageSize": "5"},
    ],
)
def test_the_sandbox_refuses_what_google_refuses(google: Google, body: dict[str, Any]) -> None:
    assert requests.post(f"{google.url}/v2/entries:list", json=body, timeout=10).status_code == 400


def test_the_filter_is_one_that_the_service_takes() -> None:
    text = query(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))

    assert len(text) < 20_000
    assert 'timestamp>="2026-11-03T00:00:00.000000Z"' in text
    assert "\\" not in text, "a backslash would have to be written twice"
