"""Local clouds whose events are sent on, a store, and a watch."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from snapbase import sandbox
from snapbase.collect import limit
from snapbase.operations import demo, queues
from snapbase.operations import watch as operation
from snapbase.operations.watch import rounds
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MANAGEMENT, _Account
from snapbase.sandbox.faults import Switchboard
from snapbase.settings import Config
from snapbase.store import Store
from tests.queues.world import HOME, RETENTION, Amazon, Clock, Google, Watch, forward, narrow, rule, subscribed


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    with sandbox.clouds(switchboard) as started, sandbox.environment(started):
        forward(started)
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


@pytest.fixture
def amazon(endpoints: Endpoints, whole: Config) -> Iterator[Amazon]:
    own, name = _Account(endpoints.aws, None), f"snapbase-{uuid4().hex[:8]}"
    sqs, events = own.client("sqs", HOME), own.client("events", HOME)
    url = sqs.create_queue(QueueName=name, Attributes=RETENTION)["QueueUrl"]
    rule(events, "security", f"arn:aws:sqs:{HOME}:{MANAGEMENT}:{name}", name)
    entry = type(whole.aws[0]).model_validate({**whole.aws[0].model_dump(), "queue": url})
    kinds = ("aws.ec2.snapshot", "aws.organizations")
    yield Amazon(endpoints, narrow(whole, kinds, aws=(entry,)), url, sqs)
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


@pytest.fixture
def google(endpoints: Endpoints, whole: Config) -> Google:
    topic, subscription = subscribed(endpoints)
    entry = type(whole.gcp[0]).model_validate({**whole.gcp[0].model_dump(), "subscription": subscription})
    return Google(narrow(whole, ("gcp.compute.snapshot",), gcp=(entry,)), topic, subscription)
