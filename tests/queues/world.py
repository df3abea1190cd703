"""Queues as one would set them up: rules, buses, sinks and subscriptions, and a watch that is driven round by round."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.audit.attribute import Certainty
from snapbase.audit.gcp_queue import sink_filter
from snapbase.finding import Finding
from snapbase.operations.queues import event_pattern
from snapbase.operations.watch import Round
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, REGIONS, _Account
from snapbase.sandbox.faults import Switchboard
from snapbase.sandbox.gcp.clients import send
from snapbase.sandbox.gcp.estate import ORGANIZATION
from snapbase.sandbox.gcp.story import PRODUCTION
from snapbase.settings import Config

EVERY = 25.0
"""Long enough that no round of these tests begins by itself."""
HOME = REGIONS[0]
BUS = f"arn:aws:events:{HOME}:{MANAGEMENT}:event-bus/security"
RETENTION = {"MessageRetentionPeriod": "900", "VisibilityTimeout": "900"}
RECEIVE, PULL = "sqs:ReceiveMessage", "pubsub.projects.subscriptions.pull"


def narrow(whole: Config, kinds: tuple[str, ...], **entries: Any) -> Config:
    collect = whole.collect.model_copy(update={"kinds": kinds, "give_up_after": 5.0})
    watch = whole.watch.model_copy(update={"every": EVERY})
    return whole.model_copy(update={"aws": (), "azure": (), "gcp": (), "collect": collect, "watch": watch, **entries})


def forward(endpoints: Endpoints) -> None:
    """Each account's and region's default bus sends on to one bus of the organisation."""
    _Account(endpoints.aws, None).client("events", HOME).create_event_bus(Name="security")
    for account in (None, MEMBER):
        for region in REGIONS:
            rule(_Account(endpoints.aws, account).client("events", region), "default", BUS, "snapbase")


def rule(events: Any, bus: str, target: str, name: str) -> None:
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


def public_of(found: Round) -> list[Finding]:
    return [] if found.fresh is None else [each for each in found.fresh.findings if each.rule == "public-share"]


def names_of(finding: Finding) -> list[str]:
    """Who a log says did exactly this."""
    return [each.actor for each in finding.attribution if each.certainty == Certainty.EXACT]


def calls_since(switchboard: Switchboard, since: int, prefix: str) -> list[tuple[str, str, str, str]]:
    return [call for call in switchboard.calls[since:] if call[3].startswith(prefix)]


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def subscribed(endpoints: Endpoints) -> tuple[str, str]:
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


def forged(account: str, snapshot: str, **more: Any) -> str:
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
