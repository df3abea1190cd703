"""The sandbox's own CloudTrail: a record of every change, and of every listing of snapshots, by who asked for it.

Records have the shapes that AWS writes (CloudTrail User Guide, "CloudTrail record contents"): parameters with a small
first letter, EC2's lists as `{"items": [...]}`, RDS's and Redshift's answers without the wrapper of their response.
"""

import gzip
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from botocore.parsers import create_parser
from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.sts.models import sts_backends

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.eventbridge import publish
from snapbase.sandbox.aws.wire import Answer, Call, Refusal

_KEPT = 20_000
"""Records of one region of one account; the oldest go first."""
_READS = re.compile(r"(?:Describe|List|Get|Lookup|Search|Check|Simulate|Test)(?![a-z])")
_LISTINGS = re.compile(r"(?:Describe|List|Get)\w*(?:Snapshot|Image|Backup|RecoveryPoint|Recovery)")
_LEFT_OUT = frozenset({"sts", "s3", "cloudtrail", "iam", "events", "sqs"})
_FLAT = frozenset({"query"})
"""Protocols whose answers CloudTrail shows without `DBSnapshot` and the like around them."""
_SECRET = re.compile("password|secret", re.IGNORECASE)
_LONGEST = 50


def note(call: Call, environ: Mapping[str, Any], answered: Answer) -> None:
    """Writes the record of a request that has been answered, if CloudTrail would have one that matters here."""
    reading = _READS.match(call.operation) is not None
    if call.service in _LEFT_OUT or (reading and not _LISTINGS.match(call.operation)):
        return
    status = int(answered[0].partition(" ")[0])
    if status >= 500 or status == 429:
        return
    try:
        record = _written(call, environ, answered, status, reading=reading)
    except Exception:
        # Whatever moto lets pass that its models do not describe: a log never breaks what it is about.
        return
    if record is not None:
        write(call.account, call.region, record)


def _written(
    call: Call, environ: Mapping[str, Any], answered: Answer, status: int, *, reading: bool
) -> dict[str, Any] | None:
    # A listing's answer is not in its record, and can be long.
    answer = {} if reading and status < 300 else _parsed(call, answered, status)
    code = str(answer.pop("Error", {}).get("Code", ""))
    if "Throttl" in code or code == "RequestLimitExceeded":
        return None
    record = _record(call, environ, reading=reading)
    record["requestParameters"] = _camel(call.parameters(), call) or None
    record["responseElements"] = None if reading or code else _elements(call, answer)
    if code:
        record["errorCode"] = f"Client.{code}" if call.service == "ec2" else code
        record["errorMessage"] = "refused"
    return record


def write(account: str, region: str, record: dict[str, Any]) -> None:
    """Puts a record into the log of an account's region, and before the rules of its event bus."""
    _trail(account, region).append(record)
    publish(account, region, record)


def written(account: str, region: str) -> list[dict[str, Any]]:
    """Every record of an account's region, the oldest first."""
    return list(_trail(account, region))


def foreign_use(
    owner: str, region: str, consumer: str, snapshot_id: str, name: str = "SharedSnapshotCopyInitiated"
) -> None:
    """What the owner's log shows when another account uses a snapshot (EBS User Guide, "Share a snapshot")."""
    identity = {"type": "AWSAccount", "accountId": consumer, "invokedBy": "ec2.amazonaws.com"}
    record = {
        **_event(owner, region, "ec2.amazonaws.com", name, identity),
        "eventType": "AwsServiceEvent",
        "requestParameters": None,
        "responseElements": None,
        "serviceEventDetails": {"snapshotId": snapshot_id},
        "sharedEventID": str(uuid4()),
        "sourceIPAddress": "ec2.amazonaws.com",
        "userAgent": "ec2.amazonaws.com",
    }
    write(owner, region, record)


def deliver(s3: Any, bucket: str, account: str, region: str, *, organization: str = "", prefix: str = "") -> list[str]:
    """Writes the log as a trail does, an object for every five minutes; `s3` is a client that may write to it."""
    batches: dict[str, list[dict[str, Any]]] = {}
    for record in written(account, region):
        at = datetime.fromisoformat(record["eventTime"])
        batches.setdefault(f"{at.replace(minute=at.minute // 5 * 5):%Y%m%dT%H%MZ}", []).append(record)
    keys = []
    for stamp, records in sorted(batches.items()):
        folder = "/".join(filter(None, (prefix, "AWSLogs", organization, account, "CloudTrail", region)))
        day = f"{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}"
        keys.append(f"{folder}/{day}/{account}_CloudTrail_{region}_{stamp}_{uuid4().hex[:16]}.json.gz")
        s3.put_object(Bucket=bucket, Key=keys[-1], Body=gzip.compress(json.dumps({"Records": records}).encode()))
    return keys


def lookup_events(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Newest first, one attribute at most, 50 a page (API reference, LookupEvents)."""
    attributes = parameters.get("LookupAttributes") or []
    if len(attributes) > 1:
        raise Refusal("InvalidLookupAttributesException", "You can specify only one lookup attribute")
    if int(parameters.get("MaxResults") or _LONGEST) > _LONGEST:
        raise Refusal("InvalidMaxResultsException", f"MaxResults must be at most {_LONGEST}")
    begin, end = (_moment(parameters.get(each)) for each in ("StartTime", "EndTime"))
    if begin and end and begin > end:
        raise Refusal("InvalidTimeRangeException", "StartTime is after EndTime")
    found = [
        each
        for each in reversed(written(call.account, call.region))
        if _within(each, begin, end) and all(_matches(each, wanted) for wanted in attributes)
    ]
    shown, after = page(found, {"MaxResults": _LONGEST, **parameters}, size="MaxResults", token="NextToken")
    answer: dict[str, Any] = {"Events": [_shown(each) for each in shown]}
    return answer | ({"NextToken": after} if after else {})


def handlers() -> dict[str, Handler]:
    """By operation name, as `cloudtrail:LookupEvents`."""
    return {"cloudtrail:LookupEvents": lookup_events}


def _trail(account: str, region: str) -> deque[dict[str, Any]]:
    """Kept on moto's EC2 backend, so that a reset forgets it too."""
    kept: deque[dict[str, Any]] = ec2_backends[account][region].__dict__.setdefault("trail", deque(maxlen=_KEPT))
    return kept


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)


def _within(record: Mapping[str, Any], begin: datetime | None, end: datetime | None) -> bool:
    at = datetime.fromisoformat(record["eventTime"])
    return (begin is None or at >= begin.replace(microsecond=0)) and (end is None or at <= end)


def _matches(record: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    key, value = wanted["AttributeKey"], wanted["AttributeValue"]
    fields = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "ReadOnly": json.dumps(record["readOnly"]),
        "Username": _user(record),
        "AccessKeyId": record["userIdentity"].get("accessKeyId", ""),
    }
    if key not in fields:
        raise Refusal("InvalidLookupAttributesException", f"{key} is not a lookup attribute")
    return bool(fields[key] == value)


def _user(record: Mapping[str, Any]) -> str:
    return str(record["userIdentity"].get("arn", "")).rpartition("/")[2]


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": json.dumps(record["readOnly"]),
        "EventTime": datetime.fromisoformat(record["eventTime"]),
        "EventSource": record["eventSource"],
        "Username": _user(record),
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


def _event(account: str, region: str, source: str, name: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eventVersion": "1.09",
        "userIdentity": dict(identity),
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "eventID": str(uuid4()),
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "managementEvent": True,
        "readOnly": False,
        "recipientAccountId": account,
    }


def _record(call: Call, environ: Mapping[str, Any], *, reading: bool) -> dict[str, Any]:
    key = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].partition("/")[0]
    identity = _identity(call.account, key)
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).partition(",")[0].strip()
    return {
        **_event(call.account, call.region, f"{call.service}.amazonaws.com", call.operation, identity),
        "readOnly": reading,
        "requestID": str(uuid4()),
        "sourceIPAddress": forwarded or str(environ.get("REMOTE_ADDR", "127.0.0.1")),
        "userAgent": str(environ.get("HTTP_USER_AGENT", "")),
        "tlsDetails": {"clientProvidedHostHeader": str(environ.get("HTTP_HOST", ""))},
    }


def _identity(account: str, key: str) -> dict[str, Any]:
    """A session of a role that was assumed here, or the user whose keys these are."""
    role = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if role is None:
        return {
            "type": "IAMUser",
            "principalId": "AIDASANDBOXSANDBOXSB",
            "arn": f"arn:aws:iam::{account}:user/{key}",
            "accountId": account,
            "accessKeyId": key,
            "userName": key,
        }
    issuer = str(role.role_arn)
    return {
        "type": "AssumedRole",
        "principalId": str(role.user_id),
        "arn": str(role.arn),
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": str(role.user_id).partition(":")[0],
                "arn": issuer,
                "accountId": account,
                "userName": issuer.rpartition("/")[2],
            },
            "attributes": {"creationDate": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "mfaAuthenticated": "false"},
        },
    }


def _parsed(call: Call, answered: Answer, status: int) -> dict[str, Any]:
    """The answer as botocore reads it."""
    model = get_service_model(call.service)
    parser = create_parser(model.resolved_protocol)
    headers = {name.lower(): value for name, value in answered[1].items()}
    response = {"status_code": status, "headers": headers, "body": answered[2], "context": {}}
    parsed: dict[str, Any] = parser.parse(response, model.operation_model(call.operation).output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


def _elements(call: Call, answer: Mapping[str, Any]) -> dict[str, Any] | None:
    protocol = get_service_model(call.service).resolved_protocol
    if protocol == "ec2" and not answer:
        return {"requestId": str(uuid4()), "_return": True}
    if protocol in _FLAT and len(answer) == 1:
        inner = next(iter(answer.values()))
        answer = inner if isinstance(inner, dict) else answer
    return _camel(answer, call) or None


def _camel(value: Any, call: Call, name: str = "") -> Any:
    """As CloudTrail spells it: a small first letter, whatever follows it."""
    if isinstance(value, Mapping):
        return {_small(str(key)): _camel(each, call, str(key)) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple, set)):
        return _items(value, call, name)
    if isinstance(value, datetime):
        return f"{value:%b %d, %Y %I:%M:%S %p}"
    if _SECRET.search(name) and isinstance(value, str):
        return "****"
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _items(values: Iterable[Any], call: Call, name: str) -> Any:
    listed = [_camel(each, call) for each in values]
    if call.service != "ec2":
        return listed
    one = _small(name.removesuffix("s"))
    return {"items": [each if isinstance(each, dict) else {one: each} for each in listed]}


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
