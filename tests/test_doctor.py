"""`snapbase doctor` against three sandbox clouds: what is missing, where, and what to do about it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from snapbase.cli.app import app
from snapbase.cli.policy import _doctor_json
from snapbase.collect.collector import Target, Where, collectors
from snapbase.collect.engine import Selection
from snapbase.model import Miss, Outcome
from snapbase.operations import demo, doctor, policy, probing
from snapbase.operations.doctor import Check, State
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER, REGIONS, ROLE
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import AwsEntry, Config
from snapbase.store import schema

KINDS = (
    "aws.ec2.snapshot",
    "aws.ec2.image",
    "aws.ec2.region-settings",
    "aws.kms.key",
    "aws.organizations",
    "aws.rds.*",
    "azure.compute.snapshot",
    "gcp.compute.snapshot",
    "gcp.compute.image",
)


@pytest.fixture
def broken(switchboard: Switchboard) -> Iterator[Switchboard]:
    switchboard.calls.clear()
    yield switchboard
    switchboard.heal()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, endpoints: Endpoints) -> Path:
    folder = tmp_path_factory.mktemp("home")
    demo.configuration(endpoints, folder)
    schema.upgrade(f"sqlite:///{folder}/snapbase.db")
    return folder


@pytest.fixture
def config(endpoints: Endpoints) -> Config:
    return Config.model_validate(
        {
            "aws": [{"endpoint": endpoints.aws, "organization": True, "role": ROLE, "regions": REGIONS}],
            "azure": [{"endpoint": endpoints.azure}],
            "gcp": [{"endpoint": endpoints.gcp}],
        }
    )


def _examine(
    config: Config, home: Path, *clouds: str, kinds: tuple[str, ...] = KINDS, thorough: bool = False
) -> list[Check]:
    selection = Selection(clouds=clouds, kinds=kinds)
    return doctor.examine(config, f"sqlite:///{home}/snapbase.db", selection, thorough=thorough)


def _of(checks: list[Check], subject: str) -> Check:
    [found] = [each for each in checks if each.subject == subject]
    return found


def test_all_is_well(config: Config, home: Path, broken: Switchboard) -> None:
    checks = _examine(config, home)

    assert [each for each in checks if each.state not in (State.OK, State.UNTRIED)] == []
    assert doctor.exit_code(checks) == 0
    assert {each.area for each in checks} == {
        "configuration", "store", "clock", "credentials", "accounts", "permission"
    }  # fmt: skip
    assert "snapshots" not in {each.subject for each in checks}
    tried = {each.subject for each in checks if each.area == "permission" and each.state == State.OK}
    assert {"ec2:DescribeSnapshotAttribute", "kms:ListGrants", "Microsoft.Compute/snapshots/read"} <= tried
    assert {"compute.snapshots.getIamPolicy", "resourcemanager.projects.get"} <= tried


def test_it_only_asks_what_a_run_asks(config: Config, home: Path, broken: Switchboard) -> None:
    _examine(config, home, "aws")

    declared = {permission for each in collectors("aws") for permission in each.permissions}
    declared |= policy.log_permissions("aws")
    assert {call[3] for call in broken.calls} <= declared | {"sts:AssumeRole", "sts:GetCallerIdentity"}


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("aws.ec2.snapshot", "ec2:DescribeSnapshots"),
        ("aws.ec2.snapshot", "ec2:DescribeSnapshotAttribute"),
        ("aws.ec2.region-settings", "ec2:GetEbsDefaultKmsKeyId"),
        ("aws.organizations", "organizations:ListAccounts"),
        ("azure.compute.snapshot", "Microsoft.Authorization/roleAssignments/read"),
        ("gcp.compute.image", "compute.images.list"),
        ("gcp.compute.snapshot", "compute.snapshots.getIamPolicy"),
    ],
)
def test_a_missing_permission_is_named_with_where_and_what_for(
    config: Config, home: Path, broken: Switchboard, kind: str, operation: str
) -> None:
    cloud = kind.partition(".")[0]
    broken.break_(Fault(FaultKind.DENIED, cloud=cloud, operation=operation))

    checks = _examine(config, home, cloud, kinds=(kind,))

    missing = _of(checks, operation)
    assert missing.state == State.MISSING
    assert missing.detail.startswith("denied in ")
    assert next(each.title for each in collectors(cloud) if each.kind == kind) in missing.detail
    assert operation in missing.fix
    assert f"snapbase policy {cloud}" in missing.fix
    assert doctor.exit_code(checks) == 3


def test_where_it_is_missing_is_said(config: Config, home: Path, broken: Switchboard) -> None:
    broken.break_(Fault(FaultKind.DENIED, account=MEMBER, operation="kms:GetKeyPolicy"))

    missing = _of(_examine(config, home, "aws", kinds=("aws.kms.key",)), "kms:GetKeyPolicy")

    assert missing.detail.startswith(f"denied in {MEMBER}/{REGIONS[0]};")


def test_a_policy_from_above_is_told_from_a_missing_permission(config: Config, home: Path, broken: Switchboard) -> None:
    broken.break_(Fault(FaultKind.SCP_DENIED, operation="rds:DescribeDBSnapshots"))

    denied = _of(_examine(config, home, "aws", kinds=("aws.rds.snapshot",)), "rds:DescribeDBSnapshots")

    assert denied.state == State.MISSING
    assert "service control policy" in denied.detail
    assert "exempt the collector role from the service control policy" in denied.fix
    assert "snapbase policy" not in denied.fix


@pytest.mark.parametrize(
    ("reason", "above"),
    [
        ("ec2:X in 1/us-east-1 is denied by a service control policy: exempt the collector role from it",
         "service control policy"),
        ("kms:X in 1/us-east-1 is denied by a permissions boundary: exempt the collector role from it",
         "permissions boundary"),
        ("compute.images.list blocked in p/global by VPC Service Controls: let the collector into the perimeter",
         "VPC Service Controls"),
        ("ec2:X denied in 1/us-east-1: grant it to the collector role", ""),
        ("compute.images.list denied in p/global: grant compute.images.list to the collector", ""),
    ],
)  # fmt: skip
def test_what_denies_from_above_is_read_from_each_cloud_s_words(reason: str, above: str) -> None:
    assert doctor._above(Miss(Outcome.DENIED, reason)) == above


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (FaultKind.THROTTLED, State.WARNING),
        (FaultKind.DISABLED, State.WARNING),
        (FaultKind.ERROR, State.MISSING),
        (FaultKind.RESET, State.MISSING),
    ],
)
def test_what_is_not_a_refusal_is_not_called_one(
    config: Config, home: Path, broken: Switchboard, fault: FaultKind, state: State
) -> None:
    broken.break_(Fault(fault, operation="kms:ListKeys"))

    found = _of(_examine(config, home, "aws", kinds=("aws.kms.key",)), "kms:ListKeys")

    assert found.state == state
    assert "denied" not in found.detail
    assert "snapbase policy" not in found.fix


def test_a_region_denied_alone_is_found_when_thorough(config: Config, home: Path, broken: Switchboard) -> None:
    broken.break_(Fault(FaultKind.DENIED, location=REGIONS[1], operation="ec2:DescribeSnapshots"))

    found = _of(_examine(config, home, "aws", kinds=("aws.ec2.snapshot",), thorough=True), "ec2:DescribeSnapshots")

    assert found.state == State.MISSING
    assert REGIONS[1] in found.detail
    assert REGIONS[0] not in found.detail


def test_an_account_that_cannot_be_entered_is_named(config: Config, home: Path) -> None:
    entry = config.aws[0].model_copy(update={"accounts": (MEMBER, OUTSIDER)})

    checks = _examine(Config(aws=(entry,)), home, kinds=("aws.organizations",))

    outside = _of(checks, OUTSIDER)
    assert outside.state == State.MISSING
    assert "sts:AssumeRole" in outside.detail
    assert doctor.exit_code(checks) == 3


def test_no_account_at_all_is_a_failure(config: Config, home: Path) -> None:
    entry = config.aws[0].model_copy(update={"accounts": (OUTSIDER,), "organization": False})

    assert doctor.exit_code(_examine(Config(aws=(entry,)), home, kinds=("aws.organizations",))) == 2


def test_no_credentials_are_a_failure_of_that_cloud_only(
    config: Config, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")

    checks = _examine(config, home)

    failed = _of(checks, "[[aws]] aws")
    assert (failed.area, failed.state) == ("credentials", State.FAILED)
    assert failed.fix
    assert _of(checks, "compute.snapshots.list").state == State.OK
    assert doctor.exit_code(checks) == 2


def test_credentials_that_are_refused_are_a_failure(config: Config, home: Path, broken: Switchboard) -> None:
    broken.break_(Fault(FaultKind.EXPIRED, operation="sts:GetCallerIdentity"))

    failed = next(each for each in _examine(config, home, "aws") if each.state == State.FAILED)

    assert "expired" in failed.detail


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("sqlite:///{tmp}/new.db", State.WARNING),
        ("sqlite:///{tmp}/empty.db", State.WARNING),
        ("sqlite:///{tmp}/notes.txt", State.FAILED),
        ("gibberish", State.FAILED),
    ],
)
def test_the_store_is_looked_at_and_never_made(tmp_path: Path, url: str, state: State) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "notes.txt").write_text("not a database, and longer than a header would be" * 4)

    store = doctor.examine(Config(), url.format(tmp=tmp_path), Selection())[1]

    assert (store.area, store.state) == ("store", state)
    assert store.fix or state == State.FAILED
    assert not (tmp_path / "new.db").exists()


def test_a_configuration_without_clouds_is_a_failure(home: Path) -> None:
    assert doctor.exit_code(_examine(Config(), home)) == 2


@contextmanager
def _answering(seconds: float) -> Iterator[str]:
    """A server whose clock is that far from ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(400)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("seconds", "state", "words"),
    [
        (0, State.OK, ""),
        (-100, State.WARNING, "100 s ahead"),
        (400, State.FAILED, "400 s behind"),
    ],
)
def test_our_clock_is_compared_with_the_cloud_s(seconds: float, state: State, words: str) -> None:
    with _answering(seconds) as url:
        check = doctor._clock("aws", AwsEntry(endpoint=url))

    assert check.state == state
    assert words in check.detail or abs(int(check.detail.split()[0]) - abs(seconds)) <= 2
    assert bool(check.fix) == (state != State.OK)


def test_a_clock_that_cannot_be_compared_stops_nothing() -> None:
    assert doctor._clock("gcp", AwsEntry(endpoint="http://127.0.0.1:9")).state == State.WARNING


def test_of_many_accounts_and_regions_a_few_are_tried() -> None:
    targets = [
        Target(f"{account:012}", region, object(), Where.REGIONAL)
        for account in range(101)
        for region in ("ap-east-1", "ap-south-1", "eu-west-1", "us-east-1", "us-west-2")
    ]
    few = probing.places_to_try(targets, (), "us-east-1", thorough=False)
    all_ = probing.places_to_try(targets, (), "us-east-1", thorough=True)
    one = probing.places_to_try(targets, ("us-west-2",), "us-east-1", thorough=False)

    assert 10 < len(few) <= 25
    assert {len(places) for places in few.values()} == {3}
    assert {places[0].location for places in few.values()} == {"us-east-1"}
    assert sum(map(len, all_.values())) == len(targets)
    assert {each.location for places in one.values() for each in places} == {"us-west-2"}


def _run(home: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    monkeypatch.setenv("SNAPBASE_CONFIG", str(home / "snapbase.toml"))
    monkeypatch.setenv("COLUMNS", "100")
    words = ("--kind", "aws.kms.*", *words)
    done = CliRunner().invoke(app, ["--store", f"sqlite:///{home}/snapbase.db", "doctor", *words])
    return done.exit_code, done.stdout


def test_json(home: Path, broken: Switchboard, monkeypatch: pytest.MonkeyPatch) -> None:
    broken.break_(Fault(FaultKind.DENIED, operation="kms:ListGrants"))

    code, out = _run(home, monkeypatch, "--cloud", "aws", "--format", "json")

    body = json.loads(out)
    assert body["schema"] == "snapbase.doctor/1"
    assert (code, body["exit_code"]) == (3, 3)
    [missing] = [each for each in body["checks"] if each["state"] == "missing"]
    assert missing["subject"] == "kms:ListGrants"
    assert set(missing) == {"area", "subject", "state", "detail", "fix"}


def test_table_says_what_to_fix_and_counts_what_is_well(
    home: Path, broken: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.break_(Fault(FaultKind.DENIED, operation="kms:ListGrants"))

    code, out = _run(home, monkeypatch, "--cloud", "aws")

    assert code == 3
    assert "What to fix" in out
    assert "kms:ListGrants" in out
    assert "kms:ListKeys" not in out
    assert "allowed where they were tried" in out


def test_a_configuration_that_is_wrong_is_one_failed_check(tmp_path: Path) -> None:
    (tmp_path / "snapbase.toml").write_text("[[aws]]\nprofil = 'x'\n")

    done = CliRunner().invoke(app, ["--config", str(tmp_path / "snapbase.toml"), "doctor", "--format", "json"])

    assert done.exit_code == 2
    [check] = json.loads(done.stdout)["checks"]
    assert check["area"] == "configuration"
    assert "profil" in check["detail"]


def test_what_the_configuration_names_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate(
        {
            "detect": {"locations": str(tmp_path / "none.mmdb")},
            "approval": {"signing_key": str(tmp_path / "none.pem")},
            "notify": {"command": ["no-such-program-here"], "services": ["slack://a/b/c"]},
            "tickets": {"command": ["no-such-program-here"]},
            "trust": {"vendors": str(tmp_path / "none.yaml")},
        }
    )
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)

    found = {check.subject: check for check in doctor.examine(config, f"sqlite:///{tmp_path}/s.db", Selection())}

    assert found["[detect] locations"].state == State.FAILED
    assert found["[approval] signing_key"].state == State.FAILED
    assert found["[trust] vendors"].state == State.FAILED
    assert found["[tickets] command"].state == State.MISSING
    assert found["[notify] services"].fix == "pip install 'snapbase[notify]'"
    assert found["[notify] command"].state == State.MISSING
    assert "no-such-program-here" in found["[notify] command"].detail


def test_a_program_that_is_there_is_well(tmp_path: Path) -> None:
    config = Config.model_validate({"notify": {"command": ["sh", "-c", "cat"]}})

    found = {check.subject: check for check in doctor.examine(config, f"sqlite:///{tmp_path}/s.db", Selection())}

    assert found["[notify] command"].state == State.OK


@pytest.mark.parametrize(("option", "word"), [("--cloud", "aws2"), ("--kind", "aws.ec3.*")])
def test_what_is_not_there_is_not_well(option: str, word: str) -> None:
    done = CliRunner().invoke(app, ["doctor", option, word])

    assert done.exit_code != 0
    assert word in str(done.exception)


def test_a_cloud_s_words_in_json_are_obeyed_by_no_terminal() -> None:
    hostile = "\x9b31m \u202e \x7f \ud800"
    text = _doctor_json([Check("accounts", hostile, State.MISSING, hostile)])

    assert text.isascii()
    assert "\x7f" not in text
    assert json.loads(text)["checks"][0]["detail"] == hostile
