"""Files of every packing and envelope give the same events; what cannot be read is counted by what is wrong."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit import files
from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.log import Broken
from snapbase.event import Event
from tests.audit.cloudtrail_records import OTHER, share

LOGS = (AUDIT_LOG,)
SHARES = [share({"userId": OTHER}, eventID=f"event-{n}") for n in range(3)]
IDS = [each["eventID"] for each in SHARES]


def read(content: bytes) -> tuple[list[str], list[str]]:
    """Ids of the events, and what was broken."""
    found = list(files.read_stream(io.BytesIO(content), LOGS))
    return [each.id for each in found if isinstance(each, Event)], [
        each.why for each in found if isinstance(each, Broken)
    ]


def lines(values: list[Any]) -> bytes:
    return "\n".join(json.dumps(each) for each in values).encode()


ENVELOPES: dict[str, Callable[[], Any]] = {
    "trail": lambda: {"Records": SHARES},
    "array": lambda: SHARES,
    "lookup": lambda: {"Events": [{"EventId": "x", "CloudTrailEvent": json.dumps(each)} for each in SHARES]},
    "event bridge": lambda: [{"detail-type": "AWS API Call via CloudTrail", "detail": each} for each in SHARES],
    "event bridge, its detail alone": lambda: [{"detail": each} for each in SHARES],
    "sns": lambda: {"Type": "Notification", "Message": json.dumps({"Records": SHARES})},
    "sqs": lambda: {"Messages": [{"Body": json.dumps({"detail-type": "x", "detail": each})} for each in SHARES]},
    "sqs of sns": lambda: {
        "Records": [{"eventSource": "aws:sqs", "body": json.dumps({"Message": json.dumps(SHARES)})}]
    },
    "lambda of sns": lambda: {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(SHARES)}}]},
    "value": lambda: {"value": SHARES},
    "entries": lambda: {"entries": SHARES, "nextPageToken": "x"},
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_envelopes(envelope: str, indent: int | None, packed: bool) -> None:
    content = json.dumps(ENVELOPES[envelope](), indent=indent).encode()

    assert read(gzip.compress(content) if packed else content) == (IDS, [])


@pytest.mark.parametrize(
    "content",
    [
        lines(SHARES),
        b"\n\n" + lines(SHARES).replace(b"\n", b"\r\n\r\n"),
        gzip.compress(lines(SHARES[:1]) + b"\n") + gzip.compress(lines(SHARES[1:])),
        b"\xef\xbb\xbf" + lines(SHARES),
        json.dumps(SHARES).encode("utf-16"),
        json.dumps(SHARES[0], indent=1).encode() if len(SHARES) == 1 else lines([{"Records": SHARES}]),
        gzip.compress(gzip.compress(lines(SHARES))),
    ],
)
def test_lines_and_encodings(content: bytes) -> None:
    assert read(content) == (IDS, [])


@pytest.mark.parametrize(
    ("content", "events", "why"),
    [
        (b"", 0, None),
        (b"{", 0, "not JSON"),
        (b"\x00\x01\x02", 0, "not JSON"),
        (b"17", 0, "not an object"),
        (lines(SHARES) + b"\n{broken\n" + lines(SHARES), 6, "a line that is not JSON"),
        (b"{broken\n" + lines(SHARES), 3, "a line that is not JSON"),
        (gzip.compress(lines(SHARES))[:-9], 0, "damaged"),
        (b"\x1f\x8b\x08" + b"\xff" * 40, 0, "damaged"),
        (lines([{"some": "object"}]), 0, "no record of any known log"),
        (
            lines([{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}]}]),
            0,
            "notification",
        ),
        (lines([{"s3Bucket": "b", "s3ObjectKey": ["k"]}]), 0, "notification"),
        (lines([{"Message": "hello"}]), 0, "a message whose text is not JSON"),
        (lines([[[[[[[[SHARES]]]]]]]]), 0, "too many"),
        (lines([{**SHARES[0], "eventTime": None}]), 0, "eventTime"),
        (b"[" * 100_000, 0, "not JSON"),
    ],
)
def test_what_cannot_be_read_is_named(content: bytes, events: int, why: str | None) -> None:
    found, broken = read(content)

    assert len(found) >= events if why == "damaged" else len(found) == events
    assert (why is None and not broken) or any(str(why) in each for each in broken)


def test_a_document_too_large_is_refused_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 2_000)
    whole, pretty = json.dumps(SHARES * 9).encode(), json.dumps(SHARES * 9, indent=1).encode()

    for content in (whole, pretty, gzip.compress(whole), json.dumps(SHARES * 9).encode("utf-16")):
        events, broken = read(content)
        assert events == []
        assert any("write it as one record to a line" in each for each in broken)
    # The same in lines is read, however long.
    assert len(read(lines(SHARES * 90))[0]) == 270


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    read(content)
    read(gzip.compress(content))
