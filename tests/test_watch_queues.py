"""`watch` fed by queues: rules, sinks, queues and subscriptions as one would set them up, and the real SDKs between."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from snapbase import sandbox
from snapbase.audit.attribute import Certainty
from snapbase.audit.gcp_queue import sink_filter
from snapbase.collect import limit
from snapbase.collect.runtime import Runtime
from snapbase.finding import Finding
from snapbase.model import Outcome
from snapbase.operations import demo, doctor, queues
from snapbase.operations import watch as operation
from snapbase.operations.doctor import State
from snapbase.operations.probing import Probe
from snapbase.operations.queues import Queues, event_pattern
from snapbase.operations.watch import Round, rounds
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, OUTSIDER, REGIONS, _Account
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.gcp.clients import bind, send, signed_in
from snapbase.sandbox.gcp.estate import ORGANIZATION
from snapbase.sandbox.gcp.story import PRODUCTION, STOLEN
from snapbase.settings import Config
from snapbase.store import Store

EVERY = 25.0
"""Long enough that no round of these tests begins by itself."""
HOME = REGIONS[0]
BUS = f"arn:aws:events:{HOME}:{MANAGEMENT}:event-bus/security"
RETENTION = {"MessageRetentionPeriod": "900", "VisibilityTimeout": "900"}
RECEIVE, PULL = "sqs:ReceiveMessage", "pubsub.projects.subscriptions.pull"


@pytest.fixture(scope="module")
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    with sandbox.clouds(switchboard) as started, sandbox.environment(started):
        _forward(started)
        yield started


@pytest.fixture(autouse=True)
def _short_pauses(switchboard: Switchboard) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, "FIRST_PAUSE", 0.02)
        patch.setattr(limit, "LONGEST_PAUSE", 0.05)
        patch.setattr(limit, "SLOWEST", 50.0)
        patch.setattr(operation, "_CALM", 0.2)
        patch.setattr(queues, "_BREATH", 0.1)
        patch.setattr(queues, "_PATIENCE", 1.0)
        yield
    switchboard.heal()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/s.db", write=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return demo.configuration(endpoints, tmp_path_factory.mktemp("home"))[0]


def _narrow(whole: Config, kinds: tuple[str, ...], **entries: Any) -> Config:
    collect = whole.collect.model_copy(update={"kinds": kinds, "give_up_after": 5.0})
    watch = whole.watch.model_copy(update={"every": EVERY})
    return whole.model_copy(update={"aws": (), "azure": (), "gcp": (), "collect": collect, "watch": watch, **entries})


def _forward(endpoints: Endpoints) -> None:
    """Each account's and region's default bus sends on to one bus of the organisation."""
    _Account(endpoints.aws, None).client("events", HOME).create_event_bus(Name="security")
    for account in (None, MEMBER):
        for region in REGIONS:
            _rule(_Account(endpoints.aws, account).client("events", region), "default", BUS, "snapbase")


def _rule(events: Any, bus: str, target: str, name: str) -> None:
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(event_pattern()), State="ENABLED")
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": target}])


@dataclass
class Amazon:
    """A queue of the organisation's bus, and the configuration that has it."""

    endpoints: Endpoints
    config: Config
    url: str
    sqs: Any = field(repr=False)

    def ec2(self) -> Any:
        return _Account(self.endpoints.aws, MEMBER, "Developer/t.lambert").client("ec2", HOME)

    def share(self, snapshot: str) -> None:
        self.ec2().modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"Group": "all"}]})

    def send(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self) -> tuple[int, int]:
        """Messages that wait, and those that were received."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(told[names[0]]), int(told[names[1]])


@pytest.fixture
def amazon(endpoints: Endpoints, whole: Config) -> Iterator[Amazon]:
    own, name = _Account(endpoints.aws, None), f"snapbase-{uuid4().hex[:8]}"
    sqs, events = own.client("sqs", HOME), own.client("events", HOME)
    url = sqs.create_queue(QueueName=name, Attributes=RETENTION)["QueueUrl"]
    _rule(events, "security", f"arn:aws:sqs:{HOME}:{MANAGEMENT}:{name}", name)
    entry = type(whole.aws[0]).model_validate({**whole.aws[0].model_dump(), "queue": url})
    kinds = ("aws.ec2.snapshot", "aws.organizations")
    yield Amazon(endpoints, _narrow(whole, kinds, aws=(entry,)), url, sqs)
    events.remove_targets(Rule=name, EventBusName="security", Ids=["1"])
    events.delete_rule(Name=name, EventBusName="security")
    with suppress(sqs.exceptions.QueueDoesNotExist):
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def snapshot(amazon: Amazon) -> Iterator[str]:
    ec2 = amazon.ec2()
    volume = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=1)["VolumeId"]
    made = str(ec2.create_snapshot(VolumeId=volume, Description="watched")["SnapshotId"])
    yield made
    ec2.delete_snapshot(SnapshotId=made)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watch:
    """A watch whose first round is over, and with it whatever was in its queues before."""

    found: Iterator[Round]
    clock: Clock
    notes: list[str] = field(default_factory=list)

    def next(self, *, later: bool = False) -> Round:
        """The next round: one that a queue began, or (`later`) the one that is due by time."""
        self.clock.now += EVERY if later else 0.0
        found = next(self.found)
        self.notes += found.notes
        return found

    def said(self, words: str) -> str:
        """The note with these words, after as many rounds as it takes."""
        for _ in range(100):
            for each in self.notes:
                if words in each:
                    return each
            time.sleep(0.1)
            self.next(later=True)
        raise AssertionError(f"{words} was not said, but {self.notes}")


@pytest.fixture
def watch(store: Store) -> Iterator[Callable[[Config], Watch]]:
    begun: list[Any] = []

    def begin(config: Config) -> Watch:
        clock = Clock()
        begun.append(rounds(store, config, count=None, stop=threading.Event(), clock=clock))
        watching = Watch(begun[-1], clock)
        assert watching.next().fresh is not None
        watching.next(later=True)
        return watching

    yield begin
    for each in begun:
        each.close()


def _public(found: Round) -> list[Finding]:
    return [] if found.fresh is None else [each for each in found.fresh.findings if each.rule == "public-share"]


def _named(finding: Finding) -> list[str]:
    """Who a log says did exactly this."""
    return [each.actor for each in finding.attribution if each.certainty == Certainty.EXACT]


def _asked(switchboard: Switchboard, since: int, prefix: str) -> list[tuple[str, str, str, str]]:
    return [call for call in switchboard.calls[since:] if call[3].startswith(prefix)]


def _wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def test_a_public_share_is_told_seconds_after_its_event_and_named_once_the_log_has_it(
    store: Store, amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    watching = watch(amazon.config)
    mine, events, begun = len(switchboard.calls), store.newest_event(), time.monotonic()
    amazon.share(snapshot)

    told = watching.next()

    assert time.monotonic() - begun < EVERY / 2
    (finding,) = _public(told)
    assert snapshot in finding.subject.uid
    assert _named(finding) == [], "what a queue says is not what the log said"
    (hearsay,) = [each for each in told.notes if "a queue says" in each]
    assert snapshot in hearsay
    assert "t.lambert" in hearsay
    assert "the audit log does not have it yet" in hearsay
    assert store.newest_event() == events, "nothing of a queue is kept"
    assert not _asked(switchboard, mine, "cloudtrail:"), "the logs are asked at their own pace"
    assert {call[:3] for call in _asked(switchboard, mine, "ec2:DescribeSnapshots")} == {("aws", MEMBER, HOME)}

    named = watching.next(later=True)

    (again,) = _public(named)
    assert again.id == finding.id
    assert ["t.lambert" in each for each in _named(again)] == [True]
    assert not [each for each in named.notes if "a queue says" in each]
    assert _public(watching.next(later=True)) == [], "and then no more"


def test_the_watch_asks_sqs_for_nothing_but_messages_and_leaves_them_there(
    amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    since = len(switchboard.calls)
    watching = watch(amazon.config)
    amazon.share(snapshot)
    assert _public(watching.next())

    asked = {call[3] for call in _asked(switchboard, since, "sqs:")}
    waiting, received = amazon.left()

    assert asked - {"sqs:GetQueueAttributes"} == {RECEIVE}
    assert (waiting, received > 0) == (0, True)


def _subscribed(endpoints: Endpoints) -> tuple[str, str]:
    """A topic of a sink of the organisation, and a subscription to it."""
    name = f"snapbase-{uuid4().hex[:8]}"
    topic, subscription = (f"projects/{PRODUCTION}/{each}/{name}" for each in ("topics", "subscriptions"))
    sink = {"name": name, "destination": f"pubsub.googleapis.com/{topic}", "filter": sink_filter()}
    send("POST", f"{endpoints.gcp}/v2/{ORGANIZATION}/sinks", {**sink, "includeChildren": True})
    kept = {"topic": topic, "ackDeadlineSeconds": 600, "messageRetentionDuration": "600s"}
    send("PUT", f"{endpoints.gcp}/v1/{subscription}", kept)
    return topic, subscription


@dataclass
class Google:
    config: Config
    topic: str
    subscription: str


@pytest.fixture
def google(endpoints: Endpoints, whole: Config) -> Google:
    topic, subscription = _subscribed(endpoints)
    entry = type(whole.gcp[0]).model_validate({**whole.gcp[0].model_dump(), "subscription": subscription})
    return Google(_narrow(whole, ("gcp.compute.snapshot",), gcp=(entry,)), topic, subscription)


def test_a_log_sink_s_subscription_does_the_same_and_nothing_is_acknowledged(
    store: Store, endpoints: Endpoints, google: Google, watch: Callable[[Config], Watch], switchboard: Switchboard
) -> None:
    since = len(switchboard.calls)
    watching = watch(google.config)
    mine, begun = len(switchboard.calls), time.monotonic()
    binding = {"role": "roles/compute.storageAdmin", "members": ["allAuthenticatedUsers"]}
    with signed_in(STOLEN):
        bind(endpoints.gcp, "Snapshots", binding, project=PRODUCTION, resource="orders-db-before-migration")

    told = watching.next()

    assert time.monotonic() - begun < EVERY / 2
    (finding,) = _public(told)
    assert _named(finding) == []
    assert any("a queue says" in each and STOLEN in each for each in told.notes)
    assert not _asked(switchboard, mine, "logging."), "the logs are asked at their own pace"
    (again,) = _public(watching.next(later=True))
    assert _named(again) == [STOLEN]
    assert {call[3] for call in _asked(switchboard, since, "pubsub.")} == {PULL}


def _forged(account: str, snapshot: str, **more: Any) -> str:
    """A message that anybody can write who may send to the queue."""
    detail = {
        "eventVersion": "1.09",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifySnapshotAttribute",
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventID": str(uuid4()),
        "awsRegion": HOME,
        "recipientAccountId": account,
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/innocent", "accountId": account},
        "requestParameters": {
            "snapshotId": snapshot,
            "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": {"add": {"items": [{"group": "all"}]}},
        },
        "responseElements": {"_return": True},
        **more,
    }
    return json.dumps({"detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "detail": detail})


HOSTILE = (
    "not JSON",
    "[" * 5_000,
    json.dumps({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
    json.dumps({"Records": [{"eventSource": 1, "eventName": {}, "eventID": []}]}),
    json.dumps({"Message": json.dumps({"Message": json.dumps({"Message": "{"})})}),
    _forged("not an account", "snap-1"),
    _forged(OUTSIDER, "snap-0123456789abcdef0", eventTime="9999-12-31T23:59:59Z"),
    _forged(OUTSIDER, "snap-0123456789abcdef0"),
)


def test_lies_in_a_queue_are_neither_kept_nor_told(
    store: Store, amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    watching = watch(amazon.config)
    mine, events, runs = len(switchboard.calls), store.newest_event(), len(store.runs(limit=None))
    for each in HOSTILE:
        amazon.send(each)

    nothing = watching.next()

    assert nothing.fresh is None
    assert _asked(switchboard, mine, "ec2:") == [], "an account that is not ours names nothing to read"
    assert len(store.runs(limit=None)) == runs

    amazon.send(_forged(MEMBER, snapshot))
    looked = watching.next()

    assert looked.fresh is None
    assert {call[:3] for call in _asked(switchboard, mine, "ec2:DescribeSnapshots")} == {("aws", MEMBER, HOME)}
    assert store.newest_event() == events
    since = datetime.now(UTC) - timedelta(days=1)
    assert not [each for each in store.events(since, datetime.now(UTC)) if "innocent" in each.actor.id]
    assert any("messages that are no audit events" in each for each in watching.notes)


@pytest.mark.parametrize("trouble", ["denied", "throttled", "gone", "reset"])
def test_a_queue_that_is_not_heard_is_said_once_and_the_logs_are_asked_all_the_same(
    amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str, trouble: str
) -> None:
    if trouble == "gone":
        amazon.sqs.delete_queue(QueueUrl=amazon.url)
    else:
        switchboard.break_(Fault(FaultKind(trouble), cloud="aws", operation=RECEIVE))
    watching = watch(amazon.config)
    amazon.share(snapshot)

    told = watching.next(later=True)

    (finding,) = _public(told)
    assert finding.attribution
    assert told.whole is not None
    assert told.whole.complete, "coverage is the logs'"
    said = watching.said(f"{amazon.url} is not heard")
    assert "every 25 s" in said
    for _ in range(3):
        watching.next(later=True)
    assert watching.notes.count(said) == 1


def test_a_queue_that_is_heard_again_begins_rounds_again(
    amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    fault = switchboard.break_(Fault(FaultKind.DENIED, cloud="aws", operation=RECEIVE))
    watching = watch(amazon.config)
    assert watching.said("grant it to the collector role")
    switchboard.heal(fault)
    amazon.share(snapshot)

    assert len(_public(watching.next())) == 1


def test_what_was_received_before_a_crash_is_found_in_the_log(store: Store, amazon: Amazon, snapshot: str) -> None:
    amazon.share(snapshot)
    crashed = Queues(amazon.config, threading.Event())
    _wait_until(lambda: amazon.left() == (0, 2))
    crashed.close()
    assert amazon.left()[0] == 0, "nobody will see the message again"

    found = next(rounds(store, amazon.config, count=1, stop=threading.Event()))

    assert any(snapshot in each.subject.uid and each.attribution for each in _public(found))


def test_messages_that_come_again_are_known_again_and_said(amazon: Amazon, snapshot: str) -> None:
    amazon.sqs.set_queue_attributes(QueueUrl=amazon.url, Attributes={"VisibilityTimeout": "0"})
    listening = Queues(amazon.config, threading.Event())
    amazon.share(snapshot)
    heard: list[str] = []

    def both() -> bool:
        heard.extend(each.name for each in listening.take())
        return len(heard) >= 2 and any("visibility timeout" in each for each in listening.notes().values())

    _wait_until(both)
    time.sleep(2 * queues._BREATH)

    assert sorted(heard) == ["ec2:CreateSnapshot", "ec2:ModifySnapshotAttribute"]
    assert listening.take() == []
    listening.close()


def test_what_was_done_before_everything_was_read_is_no_news_however_often_it_comes(amazon: Amazon) -> None:
    listening = Queues(amazon.config, threading.Event())
    listening.pass_over(datetime.now(UTC) - timedelta(hours=1))

    amazon.send(_forged(MEMBER, "snap-0123456789abcdef0", eventTime=f"{datetime.now(UTC) - timedelta(days=3):%FT%TZ}"))
    amazon.send(_forged(MEMBER, "snap-0123456789abcdef1"))

    assert listening.wait(15)
    _wait_until(lambda: amazon.left()[0] == 0)
    assert [each.subjects[0].rpartition("/")[2] for each in listening.take()] == ["snap-0123456789abcdef1"]
    listening.close()


def test_a_bug_in_hearing_is_said_and_does_not_end_it(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise ValueError("secret")

    monkeypatch.setattr(Queues, "_took", broken)
    amazon.send("{}")
    listening = Queues(amazon.config, threading.Event())

    _wait_until(lambda: any("a bug in snapbase: ValueError" in each for each in listening.notes().values()))
    listening.close()


def test_an_event_of_the_end_of_time_stops_no_watch(
    amazon: Amazon, watch: Callable[[Config], Watch], snapshot: str
) -> None:
    watching = watch(amazon.config)
    amazon.send(_forged(MEMBER, snapshot, eventTime="9999-12-31T23:59:59Z"))
    amazon.share(snapshot)

    told = watching.next()

    assert len(_public(told)) == 1
    assert not [each for each in told.notes if "innocent" in each], "it was not done yet"


def test_the_end_of_a_watch_is_not_waited_for(amazon: Amazon) -> None:
    stop = threading.Event()
    listening = Queues(amazon.config, stop)
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()

    assert not listening.wait(30)

    assert time.monotonic() - begun < 5
    listening.close()


def test_doctor_tries_a_queue_and_leaves_its_messages_to_the_watch(
    amazon: Amazon, google: Google, switchboard: Switchboard
) -> None:
    amazon.send("{}")

    def checked(entry: Any) -> doctor.Check:
        queue = queues.of_entry(entry)
        assert queue is not None
        (found,) = doctor._heard(entry, Runtime(threads=1, limiter=Probe()))
        assert found.subject == queue.name
        return found

    assert checked(amazon.config.aws[0]).state == State.OK
    assert checked(google.config.gcp[0]).state == State.OK
    assert amazon.left() == (1, 0)
    switchboard.break_(Fault(FaultKind.DENIED, operation=RECEIVE))
    switchboard.break_(Fault(FaultKind.DENIED, operation=PULL))
    assert "grant it" in checked(amazon.config.aws[0]).fix
    refused = checked(google.config.gcp[0])
    assert refused.state == State.MISSING
    assert "grant pubsub.subscriptions.consume" in refused.fix


def test_what_is_published_to_a_topic_by_anybody_else_is_no_event(endpoints: Endpoints, google: Google) -> None:
    texts = (b"not JSON", b"\xff\xfe", b'{"protoPayload": {}}', *(each.encode() for each in HOSTILE))
    messages = [{"data": base64.b64encode(each).decode()} for each in texts]
    listening = Queues(google.config, threading.Event())
    send("POST", f"{endpoints.gcp}/v1/{google.topic}:publish", {"messages": [*messages, {"attributes": {"a": "b"}}]})

    _wait_until(lambda: any("no audit events" in each for each in listening.notes().values()))

    assert listening.take() == []
    listening.close()
    assert Outcome.FAILED not in "".join(listening.notes().values())
