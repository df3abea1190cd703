"""A Pub/Sub subscription to which a log sink sends audit log entries: `subscriptions.pull`, and never `acknowledge`.

A message is delivered again when its ack deadline (10 seconds to 10 minutes) ends, and dropped when its retention (10
minutes at least) ends: with 10 minutes each, it comes once or twice and goes by itself. A pull that finds nothing is
answered after about 90 seconds; given up before that, what comes meanwhile is delivered to nobody until its deadline.
Sources: pubsub.v1 discovery, `projects.subscriptions.pull` and `Subscription`; Pub/Sub documentation, "Pull
subscriptions"; Cloud Logging, "Route logs to supported destinations". One POST, as plain JSON: google-cloud-pubsub
would bring gRPC for it.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.gcp_names import SERVICES, method_pattern
from snapbase.audit.queue import Heard, Message, heard
from snapbase.model import Miss

PERMISSION: Final = "pubsub.subscriptions.consume"
"""On the subscription itself: in a whole project it would let its holder empty every one."""
_MOST: Final = 100
_LOGS: Final = ("activity", "system_event")

Pull = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Sends one pull: the subscription and the request's body; the answer's body."""


def receive(pull: Pull, subscription: str) -> Heard:
    """The next messages, as soon as there are any; none where none came until the cloud answered."""
    return _heard(pull(subscription, {"maxMessages": _MOST}))


def probe(pull: Pull, subscription: str) -> None:
    """One request that does not wait. A message that it takes comes again after its ack deadline."""
    _heard(pull(subscription, {"maxMessages": 1, "returnImmediately": True}))


def refused(_: Exception) -> Miss | None:
    """Google's own errors have the words for everything."""
    return None


def sink_filter() -> str:
    """What a log sink has to let through, in the Logging query language: Data Access logs change nothing."""
    logs = " OR ".join(f'log_id("cloudaudit.googleapis.com/{each}")' for each in _LOGS)
    services = " OR ".join(f'"{each}"' for each in SERVICES)
    return " AND ".join(
        (f"({logs})", f"protoPayload.serviceName=({services})", f'protoPayload.methodName=~"{method_pattern()}"')
    )


def _heard(answer: Mapping[str, Any]) -> Heard:
    found = answer.get("receivedMessages") or ()
    return heard((_message(each) for each in found if isinstance(each, dict)), AUDIT_LOG)


def _message(received: Mapping[str, Any]) -> Message:
    inner = received.get("message")
    message = inner if isinstance(inner, dict) else {}
    return Message(str(message.get("messageId", "")), _text(message.get("data")))


def _text(data: Any) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (TypeError, ValueError, binascii.Error):
        return None
