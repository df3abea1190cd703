"""`watch` fed by queues: what is told, how soon, and what is asked for it."""

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from snapbase.model import Outcome
from snapbase.operations.queues import Queues
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER
from snapbase.sandbox.faults import Switchboard
from snapbase.sandbox.gcp.clients import bind, send, signed_in
from snapbase.sandbox.gcp.story import PRODUCTION, STOLEN
from snapbase.settings import Config
from snapbase.store import Store
from tests.queues.world import (
    HOME,
    PULL,
    RECEIVE,
    Amazon,
    Google,
    Watch,
    calls_since,
    forged,
    names_of,
    public_of,
    wait_until,
)


def test_a_public_share_is_told_seconds_after_its_event_and_named_once_the_log_has_it(
    store: Store, amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    watching = watch(amazon.config)
    mine, events = len(switchboard.calls), store.newest_event()
    amazon.share(snapshot)

    told = watching.next()

    (finding,) = public_of(told)
    assert snapshot in finding.subject.uid
    assert names_of(finding) == [], "what a queue says is not what the log said"
    (hearsay,) = [each for each in told.notes if "a queue says" in each]
    assert snapshot in hearsay
    assert "t.lambert" in hearsay
    assert "the audit log does not have it yet" in hearsay
    assert store.newest_event() == events, "nothing of a queue is kept"
    assert not calls_since(switchboard, mine, "cloudtrail:"), "the logs are asked at their own pace"
    assert {call[:3] for call in calls_since(switchboard, mine, "ec2:DescribeSnapshots")} == {("aws", MEMBER, HOME)}

    named = watching.next(later=True)

    (again,) = public_of(named)
    assert again.id == finding.id
    assert ["t.lambert" in each for each in names_of(again)] == [True]
    assert not [each for each in named.notes if "a queue says" in each]
    assert public_of(watching.next(later=True)) == [], "and then no more"


def test_the_watch_asks_sqs_for_nothing_but_messages_and_leaves_them_there(
    amazon: Amazon, watch: Callable[[Config], Watch], switchboard: Switchboard, snapshot: str
) -> None:
    since = len(switchboard.calls)
    watching = watch(amazon.config)
    amazon.share(snapshot)
    assert public_of(watching.next())

    asked = {call[3] for call in calls_since(switchboard, since, "sqs:")}
    waiting, received = amazon.left()

    assert asked - {"sqs:GetQueueAttributes"} == {RECEIVE}
    assert (waiting, received > 0) == (0, True)


def test_a_log_sink_s_subscription_does_the_same_and_nothing_is_acknowledged(
    store: Store, endpoints: Endpoints, google: Google, watch: Callable[[Config], Watch], switchboard: Switchboard
) -> None:
    since = len(switchboard.calls)
    watching = watch(google.config)
    mine = len(switchboard.calls)
    binding = {"role": "roles/compute.storageAdmin", "members": ["allAuthenticatedUsers"]}
    with signed_in(STOLEN):
        bind(endpoints.gcp, "Snapshots", binding, project=PRODUCTION, resource="orders-db-before-migration")

    told = watching.next()

    (finding,) = public_of(told)
    assert names_of(finding) == []
    assert any("a queue says" in each and STOLEN in each for each in told.notes)
    assert not calls_since(switchboard, mine, "logging."), "the logs are asked at their own pace"
    (again,) = public_of(watching.next(later=True))
    assert names_of(again) == [STOLEN]
    assert {call[3] for call in calls_since(switchboard, since, "pubsub.")} == {PULL}


HOSTILE = (
    "not JSON",
    "[" * 5_000,
    json.dumps({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
    json.dumps({"Records": [{"eventSource": 1, "eventName": {}, "eventID": []}]}),
    json.dumps({"Message": json.dumps({"Message": json.dumps({"Message": "{"})})}),
    forged("not an account", "snap-1"),
    forged(OUTSIDER, "snap-0123456789abcdef0", eventTime="9999-12-31T23:59:59Z"),
    forged(OUTSIDER, "snap-0123456789abcdef0"),
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
    assert calls_since(switchboard, mine, "ec2:") == [], "an account that is not ours names nothing to read"
    assert len(store.runs(limit=None)) == runs

    amazon.send(forged(MEMBER, snapshot))
    looked = watching.next()

    assert looked.fresh is None
    assert {call[:3] for call in calls_since(switchboard, mine, "ec2:DescribeSnapshots")} == {("aws", MEMBER, HOME)}
    assert store.newest_event() == events
    since = datetime.now(UTC) - timedelta(days=1)
    assert not [each for each in store.events(since, datetime.now(UTC)) if "innocent" in each.actor.id]
    assert any("messages that are no audit events" in each for each in watching.notes)


def test_what_is_published_to_a_topic_by_anybody_else_is_no_event(endpoints: Endpoints, google: Google) -> None:
    texts = (b"not JSON", b"\xff\xfe", b'{"protoPayload": {}}', *(each.encode() for each in HOSTILE))
    messages = [{"data": base64.b64encode(each).decode()} for each in texts]
    listening = Queues(google.config, threading.Event())
    send("POST", f"{endpoints.gcp}/v1/{google.topic}:publish", {"messages": [*messages, {"attributes": {"a": "b"}}]})

    wait_until(lambda: any("no audit events" in each for each in listening.notes().values()))

    assert listening.take() == []
    listening.close()
    assert Outcome.FAILED not in "".join(listening.notes().values())
