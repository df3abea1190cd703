"""What EventBridge makes of the sandbox's own CloudTrail: a message for every rule that matches a record.

Rules, targets and queues are moto's, so that a test sets them up with the SDK as one would. The envelope: EventBridge
Events Reference, "AWS service events delivered via AWS CloudTrail". Read-only events reach no rule that is merely
`ENABLED` (EventBridge User Guide, "Receiving read-only management events from AWS services").
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from moto.events.models import events_backends
from moto.sqs.exceptions import QueueDoesNotExist

_KINDS = {"AwsServiceEvent": "AWS Service Event via CloudTrail"}


def publish(account: str, region: str, record: Mapping[str, Any]) -> None:
    """Sends a record on to the targets of the default bus's rules, in its account and region."""
    if record.get("readOnly"):
        return
    event = _event(account, region, record)
    for rule in list(events_backends[account][region].event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.targets:
            # What cannot be delivered is nothing to whoever made the call.
            with suppress(QueueDoesNotExist):
                rule.send_to_targets(dict(event))


def _event(account: str, region: str, record: Mapping[str, Any]) -> Any:
    # moto writes the times as AWS does once it sends the event to a queue.
    at = datetime.fromisoformat(record["eventTime"]).timestamp()
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": _KINDS.get(str(record.get("eventType")), "AWS API Call via CloudTrail"),
        "source": f"aws.{str(record['eventSource']).partition('.')[0]}",
        "account": account,
        "time": at,
        "ingestion-time": at,
        "region": region,
        "resources": [],
        "detail": dict(record),
    }
