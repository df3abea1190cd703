"""Queues without a cloud: what their messages are read as, what their rules let through, what is refused of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern
from typer.testing import CliRunner

from snapbase.audit import aws_queue, gcp_queue
from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.queue import Heard, Message, heard
from snapbase.cli.app import app
from snapbase.config import load
from snapbase.errors import ConfigurationError
from snapbase.model import Outcome
from snapbase.operations.policy import aws_policy
from snapbase.operations.queues import arn, event_pattern, region_of
from snapbase.operations.touching import TOUCHING
from snapbase.sandbox.gcp.families.logging import matching
from tests.audit.cloudtrail_records import share

URL = "https://sqs.eu-central-1.amazonaws.com/111122223333/snapbase"
LARGEST_PATTERN = 2_048
"""Characters (EventBridge quotas, "Event pattern size")."""
LARGEST_FILTER = 20_000
"""Characters of a sink's filter (Cloud Logging quotas)."""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(st.none() | st.text(max_size=50) | anything.map(json.dumps), max_size=4))
def test_no_text_breaks_it(texts: list[str | None]) -> None:
    found = heard((Message(str(number), each) for number, each in enumerate(texts)), AUDIT_LOG)

    assert len(found.messages) == len(texts)
    assert found.events == ()


@given(st.sampled_from(sorted(share())), anything)
def test_no_field_of_another_type_breaks_it(name: str, value: Any) -> None:
    detail = {**share(), name: value}
    body = json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": detail})

    found = heard([Message("1", body)], AUDIT_LOG)

    assert len(found.events) <= 1


@given(anything)
def test_no_answer_of_pub_sub_breaks_it(value: Any) -> None:
    for message in (value, {"data": value, "messageId": value}):
        answer = {"receivedMessages": [{"ackId": "1", "message": message}]}

        found = gcp_queue.receive(lambda *_, answer=answer: answer, "projects/p/subscriptions/s")

        assert found.events == ()


def test_an_event_comes_out_of_its_envelopes() -> None:
    bare = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "detail": share()}
    over_sns = {"Type": "Notification", "Message": json.dumps(bare)}

    for body in (bare, over_sns):
        answer = {"Messages": [{"MessageId": "m", "Body": json.dumps(body)}]}
        found = aws_queue.receive(lambda *_, answer=answer, **__: answer, URL)

        assert found == Heard(("m",), found.events, 0)
        assert [each.name for each in found.events] == ["ec2:ModifySnapshotAttribute"]


def test_the_pattern_fits_and_lets_through_every_event_that_may_change_something() -> None:
    text = json.dumps(event_pattern(), separators=(",", ":"))
    pattern = EventPattern.load(text)

    def passes(service: str, operation: str) -> bool:
        detail = {"eventSource": f"{service}.amazonaws.com", "eventName": operation}
        kind = "AWS API Call via CloudTrail"
        return bool(pattern.matches_event({"source": f"aws.{service}", "detail-type": kind, "detail": detail}))

    names = {name for each in AUDIT_LOG.behaviours if each.action in TOUCHING for name in each.names}
    assert len(text) < LARGEST_PATTERN
    assert all(passes(*name.split(":")) for name in names)
    assert not passes("ec2", "RunInstances")
    assert not passes("iam", "CreateUser")
    custom = {
        "source": "mine",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {"eventSource": "rds.amazonaws.com"},
    }
    assert not pattern.matches_event(custom), "only AWS's own events have a source that begins with aws."


def test_the_filter_of_a_sink_is_one_and_leaves_reads_out() -> None:
    passes = matching(gcp_queue.sink_filter())

    def entry(log: str, method: str) -> dict[str, Any]:
        payload = {"serviceName": "compute.googleapis.com", "methodName": method}
        return {"logName": f"projects/p/logs/cloudaudit.googleapis.com%2F{log}", "protoPayload": payload}

    assert len(gcp_queue.sink_filter()) < LARGEST_FILTER
    assert passes(entry("activity", "v1.compute.snapshots.setIamPolicy"))
    assert not passes(entry("data_access", "v1.compute.snapshots.list"))
    assert not passes(entry("activity", "v1.compute.firewalls.insert"))


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", Outcome.FAILED, "correct `queue`"),
        ("OverLimit", Outcome.THROTTLED, "120,000"),
    ],
)
def test_what_only_a_queue_says_has_words_of_its_own(code: str, outcome: Outcome, words: str) -> None:
    miss = aws_queue.refused(ClientError({"Error": {"Code": code, "Message": "no"}}, "ReceiveMessage"))

    assert miss is not None
    assert miss.outcome == outcome
    assert words in miss.reason


def test_other_refusals_are_left_to_whoever_knows_them() -> None:
    assert aws_queue.refused(ClientError({"Error": {"Code": "AccessDenied"}}, "ReceiveMessage")) is None
    assert aws_queue.refused(ValueError("a bug")) is None


def test_a_queue_s_url_says_its_region_and_its_arn() -> None:
    assert region_of(URL) == "eu-central-1"
    assert region_of("http://127.0.0.1:5000/111122223333/snapbase") == ""
    assert arn(URL, "aws", "us-east-1") == "arn:aws:sqs:eu-central-1:111122223333:snapbase"
    local = "http://127.0.0.1:5000/111122223333/q"
    assert arn(local, "aws-cn", "cn-north-1") == "arn:aws-cn:sqs:cn-north-1:111122223333:q"


@pytest.mark.parametrize(
    "text",
    [
        f"[[aws]]\nqueue = '{URL}.fifo'",
        "[[aws]]\nqueue = 'http://sqs.eu-central-1.amazonaws.com/111122223333/q'",
        "[[aws]]\nqueue = 'https://sqs.evil.example.com/111122223333/q'",
        "[[gcp]]\nsubscription = 'snapbase'",
        "[[gcp]]\nsubscription = 'projects/p/subscriptions/../topics/x'",
    ],
)
def test_what_is_no_queue_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "snapbase.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError):
        load(path, {})


def test_a_queue_changes_nothing_of_what_is_read_and_how_it_is_judged(tmp_path: Path) -> None:
    digests = set()
    for number, text in enumerate(
        ("[[aws]]\n[[gcp]]\n", f"[[aws]]\nqueue = '{URL}'\n[[gcp]]\nsubscription = 'projects/pp/subscriptions/sub'")
    ):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        digests.add(load(path, {}).digest())

    assert len(digests) == 1


def test_the_policy_lets_the_configured_queue_be_heard_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "snapbase.toml"
    path.write_text(f"[[aws]]\nqueue = '{URL}'\n[[gcp]]\nsubscription = 'projects/pp/subscriptions/sub'\n")

    def printed(*words: str) -> Any:
        return CliRunner().invoke(app, ["--config", str(path), "policy", *words], catch_exceptions=False)

    document = json.loads(printed("aws").stdout)

    (hearing,) = [each for each in document["Statement"] if each["Sid"] == "Hear"]
    assert hearing["Action"] == "sqs:ReceiveMessage"
    assert hearing["Resource"] == ["arn:aws:sqs:eu-central-1:111122223333:snapbase"]
    assert "sqs" not in json.dumps(aws_policy()), "and without a queue nothing"
    assert "sqs" not in printed("aws", "--format", "cloudformation").stdout, "the role of each account hears nothing"
    assert json.loads(printed("aws", "--format", "event-pattern").stdout) == event_pattern()
    role = printed("gcp")
    assert "pubsub" not in role.stdout
    assert "On projects/pp/subscriptions/sub alone, a role with pubsub.subscriptions.consume" in role.stderr
    assert printed("gcp", "--format", "sink-filter").stdout.strip() == gcp_queue.sink_filter()
