"""Queues that fail, repeat themselves or are left in the middle of something."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snapbase.collect.runtime import Runtime
from snapbase.operations import doctor, queues
from snapbase.operations.doctor import State
from snapbase.operations.probing import Probe
from snapbase.operations.queues import Queues
from snapbase.operations.watch import rounds
from snapbase.sandbox.aws.story import MEMBER
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import Config
from snapbase.store import Store
from tests.queues.world import PULL, RECEIVE, Amazon, Google, Watch, forged, public_of, wait_until


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

    (finding,) = public_of(told)
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

    assert len(public_of(watching.next())) == 1


def test_what_was_received_before_a_crash_is_found_in_the_log(store: Store, amazon: Amazon, snapshot: str) -> None:
    amazon.share(snapshot)
    crashed = Queues(amazon.config, threading.Event())
    wait_until(lambda: amazon.left() == (0, 2))
    crashed.close()
    assert amazon.left()[0] == 0, "nobody will see the message again"

    found = next(rounds(store, amazon.config, count=1, stop=threading.Event()))

    assert any(snapshot in each.subject.uid and each.attribution for each in public_of(found))


def test_messages_that_come_again_are_known_again_and_said(amazon: Amazon, snapshot: str) -> None:
    amazon.sqs.set_queue_attributes(QueueUrl=amazon.url, Attributes={"VisibilityTimeout": "0"})
    listening = Queues(amazon.config, threading.Event())
    amazon.share(snapshot)
    heard: list[str] = []

    def both() -> bool:
        heard.extend(each.name for each in listening.take())
        return len(heard) >= 2 and any("visibility timeout" in each for each in listening.notes().values())

    wait_until(both)
    time.sleep(2 * queues._BREATH)

    assert sorted(heard) == ["ec2:CreateSnapshot", "ec2:ModifySnapshotAttribute"]
    assert listening.take() == []
    listening.close()


def test_what_was_done_before_everything_was_read_is_no_news_however_often_it_comes(amazon: Amazon) -> None:
    listening = Queues(amazon.config, threading.Event())
    listening.pass_over(datetime.now(UTC) - timedelta(hours=1))

    amazon.send(forged(MEMBER, "snap-0123456789abcdef0", eventTime=f"{datetime.now(UTC) - timedelta(days=3):%FT%TZ}"))
    amazon.send(forged(MEMBER, "snap-0123456789abcdef1"))

    assert listening.wait(15)
    wait_until(lambda: amazon.left()[0] == 0)
    assert [each.subjects[0].rpartition("/")[2] for each in listening.take()] == ["snap-0123456789abcdef1"]
    listening.close()


def test_a_bug_in_hearing_is_said_and_does_not_end_it(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise ValueError("secret")

    monkeypatch.setattr(Queues, "_took", broken)
    amazon.send("{}")
    listening = Queues(amazon.config, threading.Event())

    wait_until(lambda: any("a bug in snapbase: ValueError" in each for each in listening.notes().values()))
    listening.close()


def test_an_event_of_the_end_of_time_stops_no_watch(
    amazon: Amazon, watch: Callable[[Config], Watch], snapshot: str
) -> None:
    watching = watch(amazon.config)
    amazon.send(forged(MEMBER, snapshot, eventTime="9999-12-31T23:59:59Z"))
    amazon.share(snapshot)

    told = watching.next()

    assert len(public_of(told)) == 1
    assert not [each for each in told.notes if "innocent" in each], "it was not done yet"


def test_the_end_of_a_watch_is_not_waited_for(amazon: Amazon) -> None:
    stop = threading.Event()
    listening = Queues(amazon.config, stop)
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(listening.wait(86_400)), daemon=True)
    waiting.start()
    assert waiting.is_alive()

    stop.set()

    wait_until(lambda: heard == [False])
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
