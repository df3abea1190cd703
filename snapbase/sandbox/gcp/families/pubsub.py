"""Pub/Sub as far as a log sink and a subscriber need it: what was published or routed to a topic, given out by `pull`.

Nothing is acknowledged here: a message is outstanding for the subscription's ack deadline, then given out again, until
its retention ends (pubsub.v1 discovery, `Subscription`).
"""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from snapbase.sandbox.gcp.call import Call, Handler, Refusal, conflict, missing, project_id
from snapbase.sandbox.gcp.estate import Body, Estate, utc_now
from snapbase.sandbox.gcp.families.logging import matching

WAIT = 2.0
"""Seconds that a pull waits for a message; the real one takes 90."""
_LOOK = 0.02
_MESSAGES = "pubsub messages/"
_SINKS = "logging sinks/"


def _create(estate: Estate, call: Call) -> Body:
    name = f"projects/{project_id(estate, call)}/subscriptions/{call.parameters['subscriptionsId']}"
    if estate.thing(name) is not None:
        raise conflict(name)
    if not call.body.get("topic"):
        raise _invalid("The topic is required")
    defaults = {"ackDeadlineSeconds": 10, "messageRetentionDuration": "604800s"}
    shown = {**defaults, **call.body, "name": name, "state": "ACTIVE"}
    estate.put_thing(name, {**shown, "since": utc_now()})
    return shown


def _publish(estate: Estate, call: Call) -> Body:
    topic = f"projects/{project_id(estate, call)}/topics/{call.parameters['topicsId']}"
    ids = []
    for each in call.body.get("messages", []):
        if not each.get("data") and not each.get("attributes"):
            raise _invalid("The message must contain either a non-empty data field, or at least one attribute")
        ids.append(estate.new_id())
        message = {**each, "messageId": ids[-1], "publishTime": utc_now()}
        estate.put_thing(f"{_MESSAGES}{topic}/{ids[-1]}", message)
    return {"messageIds": ids}


def _sink(estate: Estate, call: Call) -> Body:
    """An organisation's sink: with `includeChildren`, of all projects below it."""
    matching(call.body.get("filter", ""))
    if not call.body.get("name") or not call.body.get("destination"):
        raise _invalid("A sink needs a name and a destination")
    writer = "serviceAccount:service-org@gcp-sa-logging.iam.gserviceaccount.com"
    parent = f"organizations/{call.parameters['organizationsId']}"
    shown = {**call.body, "resourceName": f"{parent}/sinks/{call.body['name']}", "writerIdentity": writer}
    return estate.put_thing(f"{_SINKS}{shown['resourceName']}", shown)


def _pull(estate: Estate, call: Call) -> Body:
    if int(call.body.get("maxMessages") or 0) < 1:
        raise _invalid("The value for max_messages is too small")
    name = f"projects/{project_id(estate, call)}/subscriptions/{call.parameters['subscriptionsId']}"
    until = time.monotonic() + (0 if call.body.get("returnImmediately") else WAIT)
    while True:
        subscription = estate.thing(name)
        if subscription is None:
            raise missing(name)
        waiting = (each for each in _messages(estate, subscription) if _free(estate, subscription, each))
        if found := [each for each, _ in zip(waiting, range(call.body["maxMessages"]), strict=False)]:
            return {"receivedMessages": [{"ackId": estate.new_id(), "message": each} for each in found]}
        if time.monotonic() >= until:
            return {}
        time.sleep(_LOOK)


def _messages(estate: Estate, subscription: Body) -> Iterator[Body]:
    """What was sent to the topic since the subscription was made, as far as it is still kept."""
    kept = timedelta(seconds=float(subscription["messageRetentionDuration"].rstrip("s")))
    oldest = max(subscription["since"], (datetime.now(UTC) - kept).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    topic = subscription["topic"]
    yield from (each for each in estate.things(f"{_MESSAGES}{topic}/") if each["publishTime"] >= oldest)
    filters = [
        matching(each.get("filter", ""))
        for each in estate.things(_SINKS)
        if each["destination"] == f"pubsub.googleapis.com/{topic}"
    ]
    for entry in estate.entries() if filters else ():
        if entry["receiveTimestamp"] >= oldest and any(matches(entry) for matches in filters):
            data = base64.b64encode(json.dumps(entry).encode()).decode()
            yield {"data": data, "messageId": entry["insertId"], "publishTime": entry["receiveTimestamp"]}


def _free(estate: Estate, subscription: Body, message: Body) -> bool:
    """Whether nobody has it; whoever asks has it from now on until the deadline."""
    deadline = float(subscription["ackDeadlineSeconds"] or 10)
    return estate.lend(f"{subscription['name']} {message['messageId']}", deadline)


def _invalid(message: str) -> Refusal:
    return Refusal(400, "invalid", "INVALID_ARGUMENT", message)


ANSWERS: dict[str, Handler] = {
    "logging.organizations.sinks.create": _sink,
    "pubsub.projects.subscriptions.create": _create,
    "pubsub.projects.subscriptions.pull": _pull,
    "pubsub.projects.topics.publish": _publish,
}
