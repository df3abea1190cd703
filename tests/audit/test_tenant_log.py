"""What is done above subscriptions: read once for a directory, and a hole of its own where that is denied."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from azure.core.rest import HttpRequest

from snapbase.collect.engine import Selection
from snapbase.errors import ConfigurationError
from snapbase.event import Action, Event, Result
from snapbase.model import SKIPPED, Outcome, Principal, PrincipalKind
from snapbase.operations import audit
from snapbase.operations.diff import against_run, diff, exit_code
from snapbase.operations.logs import READERS
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.activity import token
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.estate import Body
from snapbase.sandbox.azure.server import SUBSCRIPTIONS, TENANT, AzureSandbox
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import AzureEntry, Config
from snapbase.store import Store
from tests.collect.azure.arm import SUBSCRIPTION, Arm
from tests.observed import observe, since_first

READ = "Microsoft.Insights/eventtypes/values/read"
EVE, EVE_ID = "eve@evil.example", "eeeeeeee-0000-4000-8000-00000000000e"
CORPORATE = "/providers/Microsoft.Management/managementGroups/mg-corp"
LOG = "azure.tenant-log"


@pytest.fixture
def arm() -> Iterator[Arm]:
    sandbox = AzureSandbox(Switchboard())
    arm = Arm(sandbox, sandbox.start())
    yield arm
    arm.runtime.close()
    sandbox.stop()


def eve(arm: Arm) -> Writer:
    return Writer(arm.url, SUBSCRIPTION, token(upn=EVE, oid=EVE_ID, tid=TENANT, scp="user_impersonation", appid="x"))


def elevate(arm: Arm) -> None:
    address = "{endpoint}/providers/Microsoft.Authorization/elevateAccess?api-version=2016-07-01"
    eve(arm).compute.send_request(HttpRequest("POST", address)).raise_for_status()


def events(arm: Arm) -> list[Event]:
    now = datetime.now(UTC)
    target = arm.target()
    (found,) = READERS[LOG].read(target.handle, target.account, target.location, now - timedelta(minutes=5), now)
    assert (found.miss, dict(found.broken)) == (None, {})
    return list(found.events)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/s.db", write=True) as opened:
        yield opened


def fetch(store: Store, arm: Arm) -> audit.Taken:
    config = Config(azure=(AzureEntry(endpoint=arm.url),))
    return audit.fetch_alone(store, config, Selection(), stop=threading.Event())


def asked(arm: Arm) -> list[str]:
    """Paths of the tenant's own log that are asked for from now on, with their filters."""
    answer, found = arm.sandbox.answer, list[str]()

    def answered(method: str, target: str, body: Body) -> Answer:
        if target.startswith("/providers/Microsoft.Insights"):
            found.append(unquote(target))
        return answer(method, target, body)

    arm.sandbox.answer = answered  # type: ignore[method-assign]
    return found


def test_whoever_elevates_has_given_themselves_everything(arm: Arm) -> None:
    elevate(arm)

    (found,) = events(arm)
    assert (found.name, found.action) == ("Microsoft.Authorization/elevateAccess/action", Action.SHARE)
    assert (found.subjects, found.targets) == (("/",), (Principal(PrincipalKind.USER, EVE_ID),))
    assert (found.actor.id, found.account, found.result) == (EVE, "", Result.SUCCEEDED)


def test_a_role_at_a_management_group_is_in_it_and_one_below_is_not(arm: Arm) -> None:
    eve(arm).assign(CORPORATE, roles.OWNER, EVE_ID, "User")
    eve(arm).assign(arm.group, roles.OWNER, EVE_ID, "User")

    (found,) = events(arm)
    assert (found.action, found.subjects[0]) == (Action.SHARE, CORPORATE.lower())


def test_it_is_read_once_for_all_subscriptions_and_in_one_question(arm: Arm, store: Store) -> None:
    questions = asked(arm)
    elevate(arm)
    taken = fetch(store, arm)

    assert not taken.unread
    assert len(SUBSCRIPTIONS) == 2
    # A day and the overlap before it.
    assert len(questions) == 2
    assert all("eventTimestamp ge" in each and "resourceProvider" not in each for each in questions)
    marks = [key for key in store.logs_read() if key[0] == LOG]
    assert marks == [(LOG, TENANT, "global")]


def test_where_it_is_denied_it_is_one_hole_that_says_what_to_grant(arm: Arm, store: Store) -> None:
    arm.switchboard.break_(Fault(FaultKind.DENIED, cloud="azure", account=TENANT, operation=READ))
    taken = fetch(store, arm)

    holes = {scope.kind: (scope.account, miss) for scope, miss in taken.logs.items() if miss is not None}
    assert holes.keys() == {LOG}
    account, miss = holes[LOG]
    assert (account, miss.outcome) == (TENANT, Outcome.DENIED)
    assert "Reader at the scope /providers/Microsoft.Insights" in miss.reason
    assert len(taken.unread) == 1
    assert [key for key in store.logs_read() if key[0] == "azure.activity-log"]


def test_an_elevation_is_told_once_with_who_did_it(arm: Arm, store: Store) -> None:
    """As what it leaves: a role at the root, which every subscription inherits."""
    config = Config(azure=(AzureEntry(endpoint=arm.url),))
    for act in (lambda: None, lambda: elevate(arm)):
        act()
        observe(store, config)

    (found,) = since_first(store).findings
    assert (found.rule, found.subject.address) == ("inherited-share", "/")
    (event,) = found.attribution
    assert (event.actor, event.action) == (EVE, "Microsoft.Authorization/elevateAccess/action")
    assert event.certainty == "exact"


def test_an_elevation_that_was_taken_back_between_two_runs_is_told_by_its_events(arm: Arm, store: Store) -> None:
    config = Config(azure=(AzureEntry(endpoint=arm.url),))
    observe(store, config)
    elevate(arm)
    (own,) = [each for each in arm.sandbox.estate.assignments.values() if each["properties"]["scope"] == "/"]
    eve(arm).delete(own["id"], "2022-04-01")
    observe(store, config)

    (found,) = since_first(store).findings
    assert "elevate" in " ".join(event.action for event in found.attribution)
    assert EVE in found.title
    assert found.rule == "unbaselined-share"


def test_left_out_on_purpose_it_is_no_hole_and_every_report_says_so(arm: Arm, store: Store) -> None:
    arm.switchboard.break_(Fault(FaultKind.DENIED, cloud="azure", account=TENANT, operation=READ))
    denied = Config(azure=(AzureEntry(endpoint=arm.url),))
    observe(store, denied)
    run = store.last_run()
    assert run is not None
    (gap,) = [gap for gap, _ in store.coverage(run.last_rev) if gap.scope.kind == LOG]
    assert f'skip = ["{LOG}"] in [[azure]]' in gap.reason
    assert exit_code(diff(store, run, against_run(store, run)), fail_on="critical") == 3

    questions = asked(arm)
    left_out = Config(azure=(AzureEntry(endpoint=arm.url, skip=("azure.tenant-*",)),))
    for _ in range(2):
        observe(store, left_out)
        run = store.last_run()
        assert run is not None
        report = diff(store, run, against_run(store, run))
        assert exit_code(report, fail_on="critical") == 0
        assert f"Not read, because the configuration says so: {LOG}." in report.notes
    assert questions == []

    observe(store, denied)
    run = store.last_run()
    assert run is not None
    assert not diff(store, run, against_run(store, run)).complete


def test_what_one_entry_leaves_out_and_another_reads_is_read(arm: Arm, store: Store) -> None:
    entries = (
        AzureEntry(name="a", endpoint=arm.url, skip=(LOG,)),
        AzureEntry(name="b", endpoint=arm.url),
    )
    taken = audit.fetch_alone(store, Config(azure=entries), Selection(), stop=threading.Event())

    logs = [scope.kind for scope in taken.logs]
    assert logs.count(LOG) == 1
    assert logs.count("azure.activity-log") == len(SUBSCRIPTIONS)
    assert not [each for each in store.coverage_at(store.head()).values() if each.reason == SKIPPED]


@pytest.mark.parametrize(
    ("entry", "near"),
    [
        ({"azure": [{"skip": ["azure.tenant-logs"]}]}, "azure.tenant-log"),
        ({"aws": [{"skip": ["aws.lightsail.*", "aws.backup.job"]}]}, "aws.backup.jobs"),
        ({"gcp": [{"skip": ["azure.tenant-log"]}]}, "gcp."),
    ],
)
def test_a_name_that_is_nowhere_stops_before_anything_is_read(
    store: Store, entry: dict[str, object], near: str
) -> None:
    config = Config.model_validate(entry)
    for read in (
        lambda: observe(store, config),
        lambda: audit.fetch_alone(store, config, Selection(), stop=threading.Event()),
    ):
        with pytest.raises(ConfigurationError, match=rf"did you mean {near}"):
            read()
    assert store.last_run() is None
