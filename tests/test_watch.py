"""`snapbase watch` on three sandbox clouds: what is done through the SDKs is told in the next round, by whom, once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapbase.collect import limit
from snapbase.collect.engine import Selection
from snapbase.errors import CredentialsError
from snapbase.finding import Report
from snapbase.model import RunState
from snapbase.operations import demo
from snapbase.operations.collect import collect
from snapbase.operations.diff import exit_code
from snapbase.operations.watch import Round, rounds
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER, REGIONS, _Account
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.gcp.clients import bind, signed_in
from snapbase.sandbox.gcp.story import PRODUCTION, STOLEN
from snapbase.settings import Config
from snapbase.store import Store
from tests.receiver import Receiver, receiving

KINDS: tuple[str, ...] = (
    "aws.ec2.snapshot",
    "aws.ec2.image",
    "aws.ec2.region-settings",
    "aws.rds.snapshot",
    "aws.organizations",
)
KINDS += ("azure.compute.snapshot", "azure.rbac", "gcp.compute.snapshot", "gcp.compute.image", "gcp.iam")
LOGS = ("cloudtrail:LookupEvents", "Microsoft.Insights/eventtypes/values/read", "logging.entries.list")
SUBSCRIPTION = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def _short_pauses(switchboard: Switchboard) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, "FIRST_PAUSE", 0.02)
        patch.setattr(limit, "LONGEST_PAUSE", 0.05)
        patch.setattr(limit, "SLOWEST", 50.0)
        yield
    switchboard.heal()


@pytest.fixture(scope="module")
def config(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Config:
    whole = demo.configuration(endpoints, tmp_path_factory.mktemp("home"))[0]
    narrow = whole.collect.model_copy(update={"kinds": KINDS, "give_up_after": 5.0})
    quick = whole.watch.model_copy(update={"every": 0.1})
    return whole.model_copy(update={"collect": narrow, "watch": quick})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/s.db", write=True) as opened:
        yield opened


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _watch(store: Store, config: Config, clock: Callable[[], float] | None = None) -> Iterator[Round]:
    """Rounds, the first of which, and one more for what came meanwhile, are over."""
    found = rounds(store, config, count=None, stop=threading.Event(), clock=clock or Clock())
    assert next(found).fresh is not None
    next(found)
    return found


def _ec2(endpoints: Endpoints, region: str = REGIONS[0]) -> Any:
    return _Account(endpoints.aws, MEMBER, "Developer/t.lambert").client("ec2", region)


def _share(ec2: Any, snapshot: str, how: str = "Add", **whom: str) -> None:
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={how: [whom or {"Group": "all"}]})


@pytest.fixture
def snapshot(endpoints: Endpoints) -> Iterator[str]:
    ec2 = _ec2(endpoints)
    volume = ec2.create_volume(AvailabilityZone=f"{REGIONS[0]}a", Size=1)["VolumeId"]
    made = str(ec2.create_snapshot(VolumeId=volume, Description="watched")["SnapshotId"])
    yield made
    ec2.delete_snapshot(SnapshotId=made)


def _findings(found: Round, rule: str) -> list[Any]:
    return [] if found.fresh is None else [each for each in found.fresh.findings if each.rule == rule]


def _read(switchboard: Switchboard, since: int) -> set[tuple[str, str, str, str]]:
    """What was listed: neither logs nor the way into an account."""
    lists = ("Describe", ".list", ".aggregatedList", "/read")
    entry = ("ec2:DescribeRegions", "compute.regions.list", "Microsoft.Resources/subscriptions/read", *LOGS)
    calls = {call for call in switchboard.calls[since:] if any(each in call[3] for each in lists)}
    return {call for call in calls if call[3] not in entry and "anagement" not in call[3]}


def test_a_public_share_is_told_in_the_next_round_with_its_actor_and_only_its_scope_is_read(
    store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard, snapshot: str
) -> None:
    watch = _watch(store, config)
    quiet = next(watch)
    assert quiet.fresh is None
    _share(_ec2(endpoints), snapshot)
    mine = len(switchboard.calls)

    told = next(watch)

    (finding,) = _findings(told, "public-share")
    assert snapshot in finding.subject.uid
    assert all("t.lambert" in event.actor for event in finding.attribution)
    assert finding.attribution
    listed = _read(switchboard, mine)
    assert {call[:3] for call in listed} == {("aws", MEMBER, REGIONS[0])}
    assert {call[3] for call in listed} - {"kms:DescribeKey"} == {
        "ec2:DescribeSnapshots",
        "ec2:DescribeSnapshotAttribute",
    }
    again = next(watch)
    assert again.fresh is None, "each finding once"
    assert again.whole is told.whole


def test_a_share_that_comes_back_after_it_was_undone_is_told_again(
    store: Store, config: Config, endpoints: Endpoints, snapshot: str
) -> None:
    watch, ec2 = _watch(store, config), _ec2(endpoints)
    told = []
    for how in ("Add", "Remove", "Add"):
        _share(ec2, snapshot, how)
        told.append([each.id for each in _findings(next(watch), "public-share")])

    assert told[0]
    assert told == [told[0], [], told[0]]


def test_a_quiet_round_reads_logs_alone_and_makes_no_run(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    watch = _watch(store, config)
    runs, before = store.runs(limit=None), len(switchboard.calls)

    assert next(watch).fresh is None

    assert _read(switchboard, before) == set()
    lookups = [call for call in switchboard.calls[before:] if call[3] == LOGS[0]]
    assert len(lookups) <= 2 * len(set(lookups)), "a page or two for each region, none for listings"
    assert store.runs(limit=None) == runs


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_the_other_clouds(
    store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard, cloud: str
) -> None:
    watch = _watch(store, config)
    if cloud == "gcp":
        rule, binding = "public-share", {"role": "roles/compute.storageAdmin", "members": ["allAuthenticatedUsers"]}
        with signed_in(STOLEN):
            bind(endpoints.gcp, "Snapshots", binding, project=PRODUCTION, resource="orders-db-before-migration")
    else:
        rule, writer = "bearer-access", Writer(endpoints.azure, SUBSCRIPTION)
        link = {"access": "Read", "durationInSeconds": 3600}
        writer.snapshots.begin_grant_access("rg-shop", "ledger-nightly", link).result()
    before = len(switchboard.calls)

    told = next(watch)

    (finding,) = _findings(told, rule)
    assert finding.attribution
    assert finding.cloud == cloud
    assert {call[0] for call in _read(switchboard, before)} == {cloud}


def test_a_share_taken_back_between_rounds_is_told_by_its_events(
    store: Store, config: Config, endpoints: Endpoints, snapshot: str
) -> None:
    watch = _watch(store, config)
    ec2 = _ec2(endpoints)
    _share(ec2, snapshot, UserId=OUTSIDER)
    _share(ec2, snapshot, "Remove", UserId=OUTSIDER)

    told = next(watch)

    (finding,) = _findings(told, "unbaselined-share")
    assert snapshot in (finding.subject.address or "")
    assert not _findings(told, "unknown-account-share")


def test_a_new_snapshot_is_read_though_nobody_knew_it(store: Store, config: Config, endpoints: Endpoints) -> None:
    watch = _watch(store, config)
    ec2 = _ec2(endpoints, REGIONS[1])
    volume = ec2.create_volume(AvailabilityZone=f"{REGIONS[1]}a", Size=1)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    _share(ec2, made, UserId=OUTSIDER)

    told = next(watch)

    assert [made in each.subject.uid for each in _findings(told, "unknown-account-share")] == [True]


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.THROTTLED])
def test_a_log_that_is_not_read_is_said_once_and_the_full_run_takes_its_place(
    store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard, snapshot: str, kind: FaultKind
) -> None:
    clock = Clock()
    watch = _watch(store, config, clock)
    switchboard.break_(Fault(kind, cloud="aws", account=MEMBER, location=REGIONS[0], operation=LOGS[0]))
    blind = next(watch)
    assert len(blind.notes) == 1
    assert "seen only when everything is read, every 60 minutes" in blind.notes[0]
    assert blind.whole is not None
    assert not blind.whole.complete

    _share(_ec2(endpoints), snapshot)
    nothing = next(watch)
    assert not _findings(nothing, "public-share")
    assert nothing.notes == ()

    clock.now += config.watch.full
    told = next(watch)
    assert [snapshot in each.subject.uid for each in _findings(told, "public-share")] == [True]
    switchboard.heal()
    clock.now += config.watch.full / 2
    healed = next(watch)
    assert healed.whole is not None
    assert healed.whole.complete


def test_a_throttled_log_is_left_alone_for_longer_and_longer(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    clock = Clock()
    watch = _watch(store, config, clock)
    fault = Fault(FaultKind.THROTTLED, cloud="aws", account=MEMBER, location=REGIONS[0], operation=LOGS[0])
    switchboard.break_(fault)
    asked = []
    for _ in range(12):
        before = fault.struck
        next(watch)
        asked.append(fault.struck > before)
        clock.now += config.watch.every

    assert asked == [number in (0, 2, 6) for number in range(12)]


def test_what_could_not_be_read_again_is_tried_in_the_next_round(
    store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard, snapshot: str
) -> None:
    watch = _watch(store, config)
    fault = switchboard.break_(Fault(FaultKind.THROTTLED, account=MEMBER, operation="ec2:DescribeSnapshots"))
    _share(_ec2(endpoints), snapshot)
    assert not _findings(next(watch), "public-share")

    switchboard.heal(fault)

    assert len(_findings(next(watch), "public-share")) == 1


def test_another_command_may_write_between_rounds_and_one_within_is_waited_for(
    store: Store, config: Config, tmp_path: Path, endpoints: Endpoints, snapshot: str
) -> None:
    watch = _watch(store, config)
    with store.lock():
        busy = next(watch)
    assert "is writing to this store" in busy.notes[0]
    _share(_ec2(endpoints), snapshot)
    assert len(_findings(next(watch), "public-share")) == 1


def test_without_any_credentials_the_first_round_says_so(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    switchboard.break_(Fault(FaultKind.EXPIRED))

    with pytest.raises(CredentialsError):
        next(rounds(store, config, count=1, stop=threading.Event()))


def test_lost_credentials_are_said_and_the_watch_goes_on(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    clock = Clock()
    watch = _watch(store, config, clock)
    switchboard.break_(Fault(FaultKind.EXPIRED))
    assert next(watch).notes
    clock.now += config.watch.full
    assert next(watch).notes
    switchboard.heal()
    clock.now += config.watch.full

    back = next(watch)

    assert back.whole is not None
    assert back.whole.complete


def test_a_run_reads_first_what_the_logs_name(
    store: Store, config: Config, endpoints: Endpoints, switchboard: Switchboard, snapshot: str
) -> None:
    one = config.model_copy(update={"collect": config.collect.model_copy(update={"threads": 1})})

    def run() -> list[tuple[str, str, str, str]]:
        before = len(switchboard.calls)
        collect(store, one, Selection(), progress=lambda _: None, stop=threading.Event())
        return switchboard.calls[before:]

    run()
    first = run()
    _ec2(endpoints, REGIONS[1]).copy_snapshot(SourceRegion=REGIONS[0], SourceSnapshotId=snapshot)
    second = run()

    asked = [call for call in second if call[3].startswith(("ec2:DescribeSnapshots", "rds:", "compute.snapshots"))]
    assert {call[:3] for call in asked[:2]} <= {("aws", MEMBER, region) for region in REGIONS}
    assert asked[0][3] == "ec2:DescribeSnapshots"
    started = next(index for index, call in enumerate(first) if call[3] == "ec2:DescribeSnapshots")
    assert not [call for call in first[started:] if call[3] in LOGS], "nothing changed: the logs are read once"
    started = next(index for index, call in enumerate(second) if call[3] == "ec2:DescribeSnapshots")
    again = {call[:3] for call in second[started:] if call[3] in LOGS}
    assert again == {("aws", MEMBER, REGIONS[1])}, "and where something did, once more"


def _command(endpoints: Endpoints, home: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    path = home / "snapbase.toml"
    if not path.exists():
        demo.configuration(endpoints, home)
        path.write_text(f"{path.read_text()}\n[collect]\nkinds = {json.dumps(KINDS)}\n")
    environment = {**os.environ, **endpoints.environment(), "SNAPBASE_CONFIG": str(path)}
    return [sys.executable, "-m", "snapbase", "watch", *words], environment


def test_the_command_ends_after_its_rounds_with_the_exit_code_of_run(endpoints: Endpoints, tmp_path: Path) -> None:
    words, environment = _command(endpoints, tmp_path, "--rounds", "2", "--every", "1s", "--format", "json")

    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["findings"]


@pytest.mark.parametrize("calls", [15, 200])
def test_ctrl_c_ends_it_in_order_and_the_store_is_sound(
    endpoints: Endpoints, switchboard: Switchboard, tmp_path: Path, calls: int
) -> None:
    switchboard.break_(Fault(FaultKind.SLOW, seconds=0.02))
    words, environment = _command(endpoints, tmp_path, "--every", "1s")
    before = len(switchboard.calls)
    with subprocess.Popen(words, env=environment, stdout=-1, stderr=-1, text=True) as process:
        while len(switchboard.calls) < before + calls and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode in (1, 2)
    assert "Traceback" not in said
    with Store.open(f"sqlite:///{tmp_path}/snapbase.db", write=True) as store:
        with store.lock():
            pass
        assert {run.state for run in store.runs(limit=None)} <= {RunState.ABANDONED, RunState.FINISHED}
        assert store.coverage(store.head()) == []


def test_the_exit_code_is_that_of_everything_and_not_of_what_is_new(store: Store, config: Config) -> None:
    watch = _watch(store, config)
    last = next(watch)

    assert last.fresh is None
    assert isinstance(last.whole, Report)
    assert exit_code(last.whole, fail_on="low") == 1


def test_the_command_tells_whoever_is_to_be_notified_once(endpoints: Endpoints, tmp_path: Path) -> None:
    words, environment = _command(endpoints, tmp_path, "--rounds", "2", "--every", "1s", "--format", "json")

    def watched(receiver: Receiver, **more: str) -> subprocess.CompletedProcess[str]:
        told = {"SNAPBASE_NOTIFY__WEBHOOK": f"{receiver.url}/secret", **more}
        return subprocess.run(words, env=environment | told, capture_output=True, text=True, check=False)

    with receiving() as receiver:
        done = watched(receiver)

        (body,) = receiver.bodies
        found = [each for each in json.loads(done.stdout)["findings"] if each["severity"] not in ("low", "info")]
        assert [each["id"] for each in body["findings"]] == [each["id"] for each in found] != []
        assert done.returncode == 1
        receiver.status = 500
        failing = watched(receiver, SNAPBASE_NOTIFY__SEVERITY="low")
        assert failing.returncode == 1
        assert failing.stderr.count("Not told by webhook: it answered 500.") == 1, "and not in every round"
        assert "secret" not in failing.stderr


def test_the_command_tells_that_it_fails(endpoints: Endpoints, switchboard: Switchboard, tmp_path: Path) -> None:
    words, environment = _command(endpoints, tmp_path, "--rounds", "3", "--every", "1s", "--full", "1s")
    switchboard.break_(Fault(FaultKind.EXPIRED))
    with receiving() as receiver:
        told = {"SNAPBASE_NOTIFY__WEBHOOK": receiver.url}

        done = subprocess.run(words, env=environment | told, capture_output=True, text=True, check=False)

        assert done.returncode == 2
        assert [body["schema"] for body in receiver.bodies] == ["snapbase.failed/1"]


def test_credentials_that_are_lost_while_it_watches_are_told_once(
    endpoints: Endpoints, switchboard: Switchboard, tmp_path: Path
) -> None:
    words, environment = _command(endpoints, tmp_path, "--every", "1s", "--full", "1s")
    with receiving() as receiver:
        told = {"SNAPBASE_NOTIFY__WEBHOOK": receiver.url}
        with subprocess.Popen(words, env=environment | told, stdout=-1, stderr=-1, text=True) as process:
            _wait_until(lambda: len(receiver.got) == 1)
            switchboard.break_(Fault(FaultKind.EXPIRED))
            _wait_until(lambda: len(receiver.got) == 2)
            calls = len(switchboard.calls)
            _wait_until(lambda: len(switchboard.calls) > calls + 20)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)

        assert [body["schema"] for body in receiver.bodies] == ["snapbase.diff/1", "snapbase.failed/1"]


def _wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)
