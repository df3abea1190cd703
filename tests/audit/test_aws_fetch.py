"""LookupEvents and trail objects through the real SDK from the sandbox, whose own changes wrote the records."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config

from snapbase.audit import aws_fetch
from snapbase.audit.aws_fetch import Trail, lookup, trail
from snapbase.audit.log import OVERLAP, Fetched
from snapbase.event import Action, Event, Result
from snapbase.model import Outcome, Principal, PrincipalKind
from snapbase.sandbox.aws import cloudtrail, story
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from tests.audit.cloudtrail_records import share

ACCOUNT, REGION = story.MANAGEMENT, "us-east-1"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@dataclass
class Amazon:
    url: str
    switchboard: Switchboard
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, user_agent="thief/1.0")
            keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
            self._clients[service, region] = boto3.client(
                service, region_name=region, endpoint_url=self.url, config=config, **keys
            )
        return self._clients[service, region]

    def ask(self, service: str, region: str = REGION) -> Callable[..., Any]:
        client = self.client(service, region)

        def ask(operation: str, **parameters: Any) -> Any:
            self.asked.append((operation, parameters))
            return getattr(client, xform_name(operation))(**parameters)

        return ask

    def lookup(self, region: str = REGION, **more: Any) -> list[Fetched]:
        given = {"since": datetime.now(UTC) - HOUR, "until": datetime.now(UTC) + HOUR, "per_second": None, **more}
        return list(lookup(self.ask("cloudtrail", region), ACCOUNT, region, **given))


@pytest.fixture(scope="module")
def started(aws_url: str, switchboard: Switchboard) -> Amazon:
    return Amazon(aws_url, switchboard)


@pytest.fixture
def amazon(started: Amazon) -> Amazon:
    started.switchboard.heal()
    started.asked.clear()
    return started


def snapshot(amazon: Amazon, region: str = REGION) -> str:
    ec2 = amazon.client("ec2", region)
    volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=8)["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"])


def about(fetched: list[Fetched], name: str) -> list[Event]:
    return [event for each in fetched for event in each.events if any(name in subject for subject in event.subjects)]


def test_what_the_sandbox_does_is_in_its_log_with_who_did_it(amazon: Amazon) -> None:
    taken = snapshot(amazon)
    ec2 = amazon.client("ec2")
    ec2.modify_snapshot_attribute(SnapshotId=taken, CreateVolumePermission={"Add": [{"UserId": "999988887777"}]})
    ec2.modify_snapshot_attribute(
        SnapshotId=taken, Attribute="createVolumePermission", OperationType="remove", UserIds=["999988887777"]
    )
    ec2.describe_snapshots(OwnerIds=["self"])
    ec2.describe_snapshots(SnapshotIds=[taken])
    ec2.delete_snapshot(SnapshotId=taken)

    fetched = amazon.lookup()
    events = about(fetched, taken)

    assert [each.miss for each in fetched] == [None]
    assert [each.action for each in events if each.action != Action.ENUMERATE] == [
        "create",
        "share",
        "unshare",
        "delete",
    ]
    assert {each.ids for each in fetched[0].events if each.action == Action.ENUMERATE} == {0, 1}
    shared = next(each for each in events if each.action == Action.SHARE)
    assert shared.targets == (Principal(PrincipalKind.ACCOUNT, "999988887777"),)
    assert shared.actor.id == f"arn:aws:iam::{ACCOUNT}:user/sandbox"
    assert shared.source_ip == "127.0.0.1"
    assert "thief/1.0" in shared.user_agent
    assert {operation for operation, _ in amazon.asked} == {"LookupEvents"}


def test_pages_one_attribute_each_and_every_event_once(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    region = "us-west-1"
    made = {snapshot(amazon, region) for _ in range(60)}

    fetched = amazon.lookup(region)

    created = [each for each in fetched[0].events if each.action == Action.CREATE]
    assert len(created) == 60
    assert {each.made.rpartition("/")[2] for each in created} == made
    assert all(len(given["LookupAttributes"]) == 1 for _, given in amazon.asked)
    assert len([given for _, given in amazon.asked if "NextToken" in given]) >= 2
    assert len(amazon.asked) <= 3 + len(aws_fetch.LISTINGS)

    monkeypatch.setattr(aws_fetch, "_PAGES", 0)
    (cut,) = amazon.lookup(region)
    assert cut.miss is not None
    assert cut.miss.outcome == Outcome.PARTIAL


def test_refused_calls_are_kept_as_tried(amazon: Amazon) -> None:
    region = "us-west-2"
    taken = snapshot(amazon, region)
    amazon.switchboard.break_(Fault(FaultKind.DENIED, cloud="aws", operation="ec2:DeleteSnapshot"))
    ec2 = amazon.client("ec2", region)
    for attempt in (taken, "snap-0000000000000dead"):
        with pytest.raises(Exception, match="An error occurred"):
            ec2.delete_snapshot(SnapshotId=attempt)
        amazon.switchboard.heal()

    results = [each.result for each in amazon.lookup(region)[0].events if each.action == Action.DELETE]

    assert sorted(results) == [Result.DENIED, Result.FAILED]


@pytest.mark.parametrize("skip", [0, 3])
def test_what_was_not_read_is_said_and_ends_it(amazon: Amazon, refusal: tuple[FaultKind, Outcome], skip: int) -> None:
    kind, outcome = refusal
    amazon.switchboard.break_(Fault(kind, cloud="aws", operation="cloudtrail:LookupEvents", skip=skip))

    fetched = amazon.lookup(since=NOW - timedelta(days=3))

    assert len(fetched) == 1
    assert fetched[0].miss is not None
    assert fetched[0].miss.outcome == outcome
    assert "CloudTrail was not read" in fetched[0].miss.reason


def test_days_follow_each_other_with_an_overlap_at_the_beginning(amazon: Amazon) -> None:
    since, until = NOW - timedelta(days=2, hours=5), NOW

    fetched = amazon.lookup(since=since, until=until, listings=())

    assert fetched[0].since == since - OVERLAP
    assert fetched[-1].until == until
    assert all(one.until == following.since for one, following in pairwise(fetched))
    assert len(fetched) == 3


def test_beyond_the_event_history_is_said(amazon: Amazon) -> None:
    *days, gap = amazon.lookup(since=NOW - timedelta(days=91), until=NOW, listings=())

    assert gap.miss is not None
    assert "90 days" in gap.miss.reason
    assert (days[0].since, days[-1].until) == (NOW - timedelta(days=90), NOW)
    assert all(each.miss is None for each in days)


def test_two_requests_a_second(amazon: Amazon) -> None:
    clock = [0.0]
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        clock[0] += seconds

    amazon.lookup(per_second=2.0, clock=lambda: clock[0], sleep=sleep)

    assert len(amazon.asked) == len(naps) + 1
    assert clock[0] == pytest.approx(0.5 * (len(amazon.asked) - 1))


def test_errors_of_our_own_are_not_swallowed() -> None:
    def ask(operation: str, **parameters: Any) -> Any:
        raise KeyError(operation)

    with pytest.raises(KeyError):
        list(lookup(ask, ACCOUNT, REGION, since=NOW - HOUR, until=NOW, per_second=None))


def test_broken_records_are_counted() -> None:
    texts = ["{", '{"eventSource": "ec2.amazonaws.com", "eventName": 1, "eventID": "x"}', "[1]"]

    def ask(operation: str, **parameters: Any) -> Any:
        return {"Events": [{"CloudTrailEvent": each} for each in texts] + [{}]}

    (fetched,) = lookup(ask, ACCOUNT, REGION, since=NOW - HOUR, until=NOW, listings=(), per_second=None)

    assert sum(fetched.broken.values()) == 4
    assert fetched.miss is None


@pytest.mark.parametrize(("organization", "prefix"), [("", ""), ("o-abc123", ""), ("", "logs/all"), ("o-abc123", "x")])
def test_trail_objects(amazon: Amazon, organization: str, prefix: str) -> None:
    region = "eu-west-1"
    taken = snapshot(amazon, region)
    s3 = amazon.client("s3")
    bucket = f"trail-{organization or 'own'}-{prefix.replace('/', '-') or 'root'}"
    s3.create_bucket(Bucket=bucket)
    keys = cloudtrail.deliver(s3, bucket, ACCOUNT, region, organization=organization, prefix=prefix)

    place = Trail(bucket, prefix, organization)
    now = datetime.now(UTC)
    fetched = list(trail(amazon.ask("s3"), place, ACCOUNT, region, since=now - HOUR, until=now))

    assert keys
    assert all(key.startswith(place.folder(ACCOUNT, region)) for key in keys)
    assert [each.miss for each in fetched] == [None] * len(fetched)
    assert [each.action for each in about(fetched, taken)] == ["create"]
    assert (fetched[0].since, fetched[-1].until) == (now - HOUR - OVERLAP, now)
    assert {operation for operation, _ in amazon.asked} == {"ListObjectsV2", "GetObject"}
    # All of it lies before a watermark of tomorrow: nothing is fetched, and that is no gap.
    amazon.asked.clear()
    later = list(trail(amazon.ask("s3"), place, ACCOUNT, region, since=now + 3 * HOUR, until=now + 4 * HOUR))
    assert [(each.events, each.miss) for each in later] == [((), None)] * len(later)
    assert "GetObject" not in {operation for operation, _ in amazon.asked}


def packed(records: list[Any]) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode())


def _put(s3: Any, bucket: str, place: Trail, at: datetime, body: bytes, name: str = "x") -> str:
    key = f"{place.folder(ACCOUNT, REGION)}{at:%Y/%m/%d}/{ACCOUNT}_CloudTrail_{REGION}_{at:%Y%m%dT%H%MZ}_{name}.json.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return key


def test_trail_trouble_is_said(amazon: Amazon) -> None:
    s3, place = amazon.client("s3"), Trail("trouble")
    s3.create_bucket(Bucket="trouble")

    def read(where: Trail = place, **more: Any) -> list[Fetched]:
        return list(trail(amazon.ask("s3"), where, ACCOUNT, REGION, since=NOW - 2 * HOUR, until=NOW, **more))

    assert "prefix" in (read()[-1].miss or pytest.fail("silent")).reason
    assert "NoSuchBucket" in (read(Trail("nobodys"))[-1].miss or pytest.fail("silent")).reason
    good = packed([share({"group": "all"})])
    _put(s3, "trouble", place, NOW - HOUR, good, "a")
    assert [len(each.events) for each in read() if each.events] == [1]
    _put(s3, "trouble", place, NOW - HOUR, good[:-20], "b")
    damaged = next(each for each in read() if each.miss)
    assert damaged.miss is not None
    assert (damaged.miss.outcome, len(damaged.events)) == (Outcome.PARTIAL, 1)
    assert sum(damaged.broken.values()) == 1


def test_an_object_deleted_before_it_is_read_is_a_gap(amazon: Amazon) -> None:
    s3, place = amazon.client("s3"), Trail("vanishing")
    s3.create_bucket(Bucket="vanishing")
    key = _put(s3, "vanishing", place, NOW - HOUR, gzip.compress(b'{"Records": []}'))
    ask = amazon.ask("s3")

    def vanish(operation: str, **parameters: Any) -> Any:
        if operation == "GetObject":
            s3.delete_object(Bucket="vanishing", Key=key)
        return ask(operation, **parameters)

    fetched = list(trail(vanish, place, ACCOUNT, REGION, since=NOW - 2 * HOUR, until=NOW))

    assert "was deleted before it was read" in (fetched[-1].miss or pytest.fail("silent")).reason


def test_many_pages_of_objects(amazon: Amazon) -> None:
    s3, place = amazon.client("s3"), Trail("pages")
    s3.create_bucket(Bucket="pages")
    for n in range(5):
        body = packed([share({"group": "all"}, eventID=f"e{n}")])
        _put(s3, "pages", place, NOW - HOUR, body, f"{n}")
    ask = amazon.ask("s3")

    def small(operation: str, **parameters: Any) -> Any:
        more = {"MaxKeys": 2} if operation == "ListObjectsV2" else {}
        return ask(operation, **{**parameters, **more})

    fetched = list(trail(small, place, ACCOUNT, REGION, since=NOW - 2 * HOUR, until=NOW))

    assert sorted(each.id for one in fetched for each in one.events) == [f"e{n}" for n in range(5)]


def test_use_by_a_stranger_is_in_the_owners_log(amazon: Amazon) -> None:
    region = "eu-central-1"
    taken = snapshot(amazon, region)
    cloudtrail.foreign_use(ACCOUNT, region, "999988887777", taken)

    used = [each for each in about(amazon.lookup(region), taken) if each.action == Action.COPY]

    assert [(each.actor.kind, each.actor.account) for each in used] == [("foreign", "999988887777")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
        {"StartTime": NOW, "EndTime": NOW - HOUR},
    ],
)
def test_the_sandbox_refuses_what_aws_refuses(amazon: Amazon, parameters: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="Invalid"):
        amazon.client("cloudtrail").lookup_events(**parameters)
