"""Audit logs through the whole stack: three sandbox clouds, the real SDKs, a store, and findings with names."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from snapbase import sandbox
from snapbase.audit.log import Fetched, Source, audit_logs
from snapbase.cli.app import app
from snapbase.collect.aws.session import Clients, Region
from snapbase.collect.collector import account_scope
from snapbase.collect.engine import Selection
from snapbase.collect.runtime import Runtime
from snapbase.errors import UsageError
from snapbase.finding import Report
from snapbase.model import ANYWHERE, SKIPPED, Scope
from snapbase.operations import approve, audit, demo
from snapbase.operations.collect import collect
from snapbase.operations.diff import against_run, diff
from snapbase.operations.holes import hole_of
from snapbase.operations.logs import READERS
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws import cloudtrail
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, REGIONS
from snapbase.sandbox.faults import Switchboard
from snapbase.settings import AwsEntry, Config
from snapbase.store import Store
from tests.observed import EVERYTHING, closed, copy_of, observe, since_first
from tests.store.rotating import TRUST
from tests.store.world import EPOCH

THIEF = "t.lambert"
BUCKET = "our-trail"


@pytest.fixture(scope="module")
def config(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return demo.configuration(endpoints, tmp_path_factory.mktemp("home"))[0]


@pytest.fixture(scope="module")
def robbed(endpoints: Endpoints, config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that saw the estate before the theft, without logs, and after it, without logs."""
    path = tmp_path_factory.mktemp("store") / "s.db"
    quiet = config.model_copy(update={"audit": config.audit.model_copy(update={"enabled": False})})
    with Store.open(f"sqlite:///{path}", write=True) as store:
        observe(store, quiet)
        sandbox.attack(endpoints)
        observe(store, quiet)
    return path


@pytest.fixture
def store(robbed: Path, tmp_path: Path) -> Iterator[Store]:
    with copy_of(robbed, tmp_path) as opened:
        yield opened


def _fetch(store: Store, config: Config, selection: Selection = EVERYTHING) -> audit.Taken:
    return audit.fetch_alone(store, config, selection, stop=threading.Event())


def _named(report: Report) -> set[str]:
    """Clouds of which some finding says who did it."""
    return {each.cloud for each in report.findings if any(THIEF in event.actor for event in each.attribution)}


def test_without_a_log_a_report_says_that_nobody_is_named_and_why(store: Store) -> None:
    report = since_first(store)

    assert not any(each.attribution for each in report.findings)
    assert any("No audit log was read" in note for note in report.notes)


def test_every_cloud_names_the_thief(store: Store, config: Config) -> None:
    taken = _fetch(store, config)
    again = _fetch(store, config)
    report = since_first(store)

    assert taken.new > 30
    assert not taken.unread
    assert again.new == 0
    assert _named(report) == {"aws", "azure", "gcp"}
    unnamed = [each for each in report.findings if each.subject.type != "event" and not each.attribution]
    assert {each.kind for each in unnamed} <= {"azure.entra.guest"}, "Entra's own log is not read"


@pytest.mark.parametrize(
    ("cloud", "operation"),
    [
        ("aws", "cloudtrail:LookupEvents"),
        ("azure", "Microsoft.Insights/eventtypes/values/read"),
        ("gcp", "logging.entries.list"),
    ],
)
def test_a_log_that_may_not_be_read_is_a_hole_and_hides_nobody_else(
    store: Store, config: Config, switchboard: Switchboard, cloud: str, operation: str
) -> None:
    with closed(switchboard, cloud, operation):
        taken = _fetch(store, config)
    report = since_first(store)

    assert taken.unread
    assert _named(report) == {"aws", "azure", "gcp"} - {cloud}
    main = next(each.name for each in audit_logs() if each.cloud == cloud and not each.beside)
    assert main not in {source[0] for source in store.logs_read()}
    healed = _fetch(store, config)
    assert not healed.unread
    assert _named(since_first(store)) == {"aws", "azure", "gcp"}


def test_a_hole_in_a_log_is_a_hole_in_the_report(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store
) -> None:
    with closed(switchboard, "gcp", "logging.entries.list"):
        observe(store, config)

    report = since_first(store)
    assert not report.complete
    assert {gap.coverage.scope.kind for gap in report.coverage} == {"gcp.audit-log"}
    assert all("logging.logEntries.list" in gap.coverage.reason for gap in report.coverage)
    observe(store, config)
    assert since_first(store).complete


def test_a_trail_s_bucket_is_read_instead_of_the_event_history(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store
) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoints.aws,
        region_name=REGIONS[0],
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    s3.create_bucket(Bucket=BUCKET)
    for account in (MANAGEMENT, MEMBER):
        for region in REGIONS:
            cloudtrail.deliver(s3, BUCKET, account, region, organization="o-abcdefghij", prefix="logs")
    trails = tuple(
        each.model_copy(update={"trail": f"s3://{BUCKET}/logs", "trail_organization": "o-abcdefghij"})
        for each in config.aws
    )
    before = sum(call[3] == "cloudtrail:LookupEvents" for call in switchboard.calls)

    taken = _fetch(store, config.model_copy(update={"aws": trails}), Selection(clouds=("aws",)))

    assert not taken.unread
    assert sum(call[3] == "cloudtrail:LookupEvents" for call in switchboard.calls) == before
    assert _named(since_first(store)) == {"aws"}


def test_a_bucket_that_may_not_be_listed_is_said(config: Config, switchboard: Switchboard, store: Store) -> None:
    trails = tuple(each.model_copy(update={"trail": "s3://nobodys-bucket"}) for each in config.aws)

    taken = _fetch(store, config.model_copy(update={"aws": trails}), Selection(clouds=("aws",)))

    assert taken.unread
    assert not _named(since_first(store))


def _lines(store: Store) -> list[dict[str, Any]]:
    """A made-up file: a share of the very snapshot that the report lists, a line that is no JSON, one of nobody's."""
    shared = next(
        each
        for each in since_first(store).findings
        if each.rule == "unknown-account-share" and each.kind == "aws.ec2.snapshot"
    )
    at = store.run(2).started_at
    return [
        {
            "eventVersion": "1.09",
            "eventSource": "ec2.amazonaws.com",
            "eventName": "ModifySnapshotAttribute",
            "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "eventID": "11111111-2222-4333-8444-555555555555",
            "awsRegion": shared.location,
            "recipientAccountId": shared.account,
            "sourceIPAddress": "203.0.113.9",
            "userAgent": "aws-cli/2",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{shared.account}:user/eve", "accountId": "1"},
            "requestParameters": {
                "snapshotId": shared.subject.uid.rpartition("/")[2],
                "attributeType": "CREATE_VOLUME_PERMISSION",
                "createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}},
            },
            "responseElements": {"_return": True},
        },
        {"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"},
    ]


def test_a_file_of_records_names_somebody_too_and_says_what_it_could_not_read(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    path.write_text("\n".join([*map(json.dumps, _lines(store)), "{not json", ""]))

    taken = audit.import_files(store, Config(), [path, path])

    assert (taken.events, taken.new) == (1, 1)
    assert sum(taken.broken.values()) >= 2
    named = {event.actor for each in since_first(store).findings for event in each.attribution}
    assert any(actor.endswith(":user/eve") for actor in named)


def test_a_record_that_comes_an_hour_and_more_late_is_found_by_the_next_run_if_not_by_a_poll(
    store: Store, config: Config
) -> None:
    _fetch(store, config)
    late = datetime.now(UTC) - timedelta(minutes=100)
    record = cloudtrail.written(MEMBER, REGIONS[0])[-1] | {"eventTime": f"{late:%Y-%m-%dT%H:%M:%SZ}", "eventID": "late"}
    cloudtrail.write(MEMBER, REGIONS[0], record)

    audit.poll(store, config, {}, skip=(), stop=threading.Event())
    assert store.named_events({("aws", "late")}) == []
    _fetch(store, config)

    assert [each.id for each in store.named_events({("aws", "late")})] == ["late"]


def test_credentials_that_are_gone_leave_no_log_complete(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fetch(store, config)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    taken = _fetch(store, config)

    assert any("aws" in where for where in taken.unread)
    gaps = {gap.scope.kind for gap, _ in store.coverage(store.head())}
    assert gaps == {"aws.backup.jobs", "aws.cloudtrail"}


def test_an_account_that_cannot_be_entered_is_counted_once(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    with closed(switchboard, "aws", "sts:AssumeRole"):
        done = collect(store, config, EVERYTHING, progress=lambda _: None, stop=threading.Event())

    shut = {gap.scope for gap, _ in store.coverage(store.head()) if gap.scope.kind == ANYWHERE}
    assert shut == {account_scope("aws", MEMBER)}
    assert done.unread == 1


def test_logs_that_nobody_asks_any_more_are_said_to_be_left_out(store: Store, config: Config) -> None:
    _fetch(store, config)
    quiet = config.model_copy(update={"audit": config.audit.model_copy(update={"enabled": False})})

    def kept() -> set[str]:
        logs = {each.name for each in audit_logs()}
        return {each.reason for (scope, _), each in store.coverage_at(store.head()).items() if scope.kind in logs}

    assert SKIPPED not in kept()
    observe(store, quiet, Selection(clouds=("aws",), kinds=("aws.ec2.snapshot",)))
    assert SKIPPED not in kept(), "a run that is narrowed says nothing of logs"
    observe(store, quiet)
    assert kept() == {SKIPPED}
    note = next(each for each in since_first(store).notes if each.startswith("Not read, because the configuration"))
    assert "aws.cloudtrail" in note
    observe(store, config)
    assert SKIPPED not in kept()


def test_fetching_where_no_cloud_can_be_entered_could_not_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    path = tmp_path / "c.toml"
    path.write_text('[[aws]]\nendpoint_url = "http://127.0.0.1:9"\n')

    done = CliRunner().invoke(app, ["--config", str(path), "--store", f"sqlite:///{tmp_path}/s.db", "audit", "fetch"])

    assert done.exit_code == 2, done.output
    assert "No AWS credentials" in done.output


def test_a_trail_s_bucket_is_asked_where_its_entry_is_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(Clients, "reader", lambda _, service, region: asked.append((service, region)))
    region = Region(MEMBER, "cn-north-1", Clients(AwsEntry(partition="aws-cn", trail="s3://logs"), Runtime()))

    READERS["aws.cloudtrail"].read(region, MEMBER, "cn-north-1", EPOCH, EPOCH)

    assert asked == [("s3", "cn-northwest-1")]


def test_a_file_that_is_not_there_is_an_error_in_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        audit.import_files(store, Config(), [tmp_path / "none.json"])


def test_events_that_are_too_old_to_be_kept_are_counted_and_left_out(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    record, _ = _lines(store)
    old = record | {"eventTime": "2020-02-02T00:00:00Z", "eventID": "22222222-2222-4333-8444-555555555555"}
    path.write_text("\n".join(map(json.dumps, (record, old))))
    url = f"sqlite:///{tmp_path}/s.db"

    done = CliRunner().invoke(app, ["--store", url, "audit", "import", str(path)])

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "2 events, 1 of them new.",
        "1 event not kept, being older than 400 days: set keep_days under [audit] to more, and import again.",
    ]
    longer = Config.model_validate({"audit": {"keep_days": 36_500}})
    assert audit.import_files(store, longer, [path]).forgotten == 0
    assert audit.import_files(store, Config(), [path]).forgotten == 0, "it is kept, so nothing was left out"


def test_a_record_that_cannot_be_read_is_named_with_its_log_and_is_no_success(
    endpoints: Endpoints, store: Store, tmp_path: Path
) -> None:
    _, path = demo.configuration(endpoints, tmp_path)
    words = ["--config", str(path), "--store", f"sqlite:///{tmp_path}/s.db", "audit", "fetch", "--account", MEMBER]
    assert CliRunner().invoke(app, words).exit_code == 0
    trail = cloudtrail.written(MEMBER, REGIONS[0])
    cloudtrail.write(MEMBER, REGIONS[0], trail[-1] | {"awsRegion": 7, "eventID": "broken"})

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 3
    said = f"1 record not read: awsRegion is not a string (aws.cloudtrail in {MEMBER}/{REGIONS[0]})"
    assert said in done.stdout.splitlines()


def test_a_run_says_which_log_holds_records_that_it_could_not_read(store: Store, config: Config) -> None:
    """Nobody was told of what they tell of: the report is not complete, though the log was read to its end twice."""
    observe(store, config)
    trail = cloudtrail.written(MEMBER, REGIONS[0])
    cloudtrail.write(MEMBER, REGIONS[0], trail[-1] | {"awsRegion": 7, "eventID": "broken"})

    observe(store, config)

    gaps = {str(gap.scope): gap.reason for gap, _ in store.coverage(store.head())}
    hole = gaps[f"aws.cloudtrail in {MEMBER}/{REGIONS[0]}"]
    assert re.match(r"\d records? of it could not be read: awsRegion is not a string", hole)


def _holes(store: Store) -> dict[Scope, str]:
    return {gap.scope: gap.reason for gap, _ in store.coverage(store.head()) if gap.scope.kind == "aws.cloudtrail"}


def test_records_that_will_never_be_read_keep_their_log_incomplete_for_two_days(
    store: Store, config: Config, switchboard: Switchboard
) -> None:
    """The log is read on from behind them: a run that finds none of them has not read them either."""
    observe(store, config)
    where = Scope("aws", MEMBER, REGIONS[0], "aws.cloudtrail")
    trail = cloudtrail._trail(MEMBER, REGIONS[0])
    cloudtrail.write(MEMBER, REGIONS[0], trail[-1] | {"awsRegion": 7, "eventID": "broken"})
    observe(store, config)
    told = _holes(store)[where]
    for unreadable in [each for each in trail if each["awsRegion"] == 7]:
        trail.remove(unreadable)

    observe(store, config)
    _covered(store, where, datetime.now(UTC))
    with closed(switchboard, "aws", "cloudtrail:LookupEvents"):
        observe(store, config)
        assert _holes(store)[where].endswith(f"; {told}")
    with closed(switchboard, "aws", "sts:AssumeRole"):
        observe(store, config)
        assert _holes(store)[where].endswith(f"; {told}")
    observe(store, config)
    assert _holes(store) == {where: told}
    _covered(store, where, datetime.now(UTC) + timedelta(days=2))
    assert _holes(store) == {}


def test_whoever_approves_a_run_with_unread_records_is_not_told_of_them_again(store: Store, config: Config) -> None:
    where = Scope("aws", MEMBER, REGIONS[0], "aws.cloudtrail")
    number = store.begin_run("", "", datetime.now(UTC))
    broken = Fetched(Source("aws.cloudtrail", MEMBER, REGIONS[0]), EPOCH, EPOCH, (), {"awsRegion is not a string": 1})
    audit.cover(store, number, {where: hole_of([broken], datetime.now(UTC))}, datetime.now(UTC))
    store.finish_run(number, trust=TRUST, at=datetime.now(UTC))
    assert where in _holes(store)
    words: dict[str, Any] = {"by": "ada", "reason": "read by hand", "allow_public": True, "allow_unknown": True}
    request = approve.Request(run=store.run(number), allow_incomplete=True, **words)
    approve.approve(store, approve.plan(store, request))

    _covered(store, where, datetime.now(UTC))

    assert _holes(store) == {}


def _covered(store: Store, log: Scope, at: datetime) -> None:
    """A run that found nothing wrong with a log."""
    number = store.begin_run("", "", at)
    audit.cover(store, number, {log: None}, at)
    store.finish_run(number, trust=TRUST, at=at)


def test_an_event_that_came_later_explains_nothing_earlier(store: Store, config: Config) -> None:
    _fetch(store, config)
    run = store.run(2)
    began = store.run(1).started_at  # well before the theft: CloudTrail knows whole seconds only
    early = replace(run, finished_at=began)

    assert not _named(diff(store, early, against_run(store, store.run(1))))
