"""An SQS queue to which EventBridge sends what CloudTrail records: `ReceiveMessage`, and never `DeleteMessage`.

Once received, a message is hidden from everybody for the queue's visibility timeout (up to 12 hours), and it is dropped
when its retention (60 seconds to 14 days) ends: with both the same, each comes once and goes by itself. Received and
not deleted it is in flight, about 120,000 of which a standard queue takes; past that, short polls are answered with
`OverLimit`, and long polls with nothing. A FIFO queue holds a message back while an earlier one of its group is in
flight. Sources: SQS API reference, ReceiveMessage; SQS Developer Guide, "Quotas related to queues"; EventBridge User
Guide, "AWS service events delivered via AWS CloudTrail": a trail is required, and delivery is best effort.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.queue import Heard, Message, heard
from snapbase.model import Miss, Outcome

PERMISSION: Final = "sqs:ReceiveMessage"
WAIT: Final = 20
"""Seconds that a request waits for a message: SQS's most."""
_MOST: Final = 10
_GONE: Final = ("NonExistentQueue", "QueueDoesNotExist", "InvalidAddress")

Ask = Callable[..., Mapping[str, Any]]
"""Asks SQS: `ask(operation, **parameters)`."""


def receive(ask: Ask, url: str) -> Heard:
    """The next messages, as soon as there are any; none where none came in `WAIT` seconds."""
    return _heard(ask("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=_MOST, WaitTimeSeconds=WAIT))


def probe(ask: Ask, url: str) -> None:
    """One request that leaves a message where it is: it stays visible to whoever listens."""
    _heard(ask("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=0, VisibilityTimeout=0))


def refused(error: Exception) -> Miss | None:
    """What only a queue says; None where AWS's other errors have the words for it."""
    response = getattr(getattr(error, "cause", error), "response", None)
    said = response.get("Error") if isinstance(response, dict) else None
    code = str(said.get("Code", "")) if isinstance(said, dict) else ""
    if any(each in code for each in _GONE):
        return Miss(Outcome.FAILED, "it is not there: correct `queue` in [[aws]], or make it again")
    if "OverLimit" in code:
        why = "as many of its messages as it takes (120,000) are received and not yet forgotten"
        return Miss(Outcome.THROTTLED, f"{why}: narrow the rule's pattern, or shorten the queue's retention")
    return None


def _heard(answer: Mapping[str, Any]) -> Heard:
    found = answer.get("Messages") or ()
    return heard((Message(str(each.get("MessageId", "")), each.get("Body")) for each in found), AUDIT_LOG)
