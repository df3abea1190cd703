"""Audit logs in files, of any cloud: plain or gzip, one JSON document or one to a line, in their usual envelopes.

Envelopes: CloudTrail files `{"Records": [...]}`; LookupEvents `{"Events": [{"CloudTrailEvent": "..."}]}`; EventBridge
`{"detail": {...}}`; SNS `Message`, SQS `Body` and `body` around any of them; Azure diagnostics `{"records": [...]}` and
REST `{"value": [...]}`; Google's `{"entries": [...]}`; arrays of any. A file is read line by line where its first line
is a document of its own; otherwise it is one document, whose size is bounded.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

from snapbase.audit.log import AuditLog, Broken, audit_logs
from snapbase.event import Event

LARGEST = 128 * 1024 * 1024
"""Bytes, uncompressed, of one JSON document or one line. CloudTrail's own files end at 50 MB."""
_DEPTH = 6
"""Envelopes in envelopes: SQS around SNS around EventBridge is three."""
_LISTS = ("Records", "records", "Events", "events", "value", "entries", "Messages")
_TEXTS = ("CloudTrailEvent", "Message", "Body", "body", "@message")
_DAMAGED = "the file ends early or is damaged: it cannot be uncompressed further"
_NOT_JSON = "the file is not JSON"
_UNKNOWN = "an object that is no record of any known log"

_TOO_LARGE = f"one JSON document of more than {LARGEST // 1024 // 1024} MiB: write it as one record to a line"
UNREAD: Final = frozenset({_DAMAGED, _NOT_JSON, _TOO_LARGE})
"""What is wrong with a whole file rather than with a record of it: what else it held nobody knows."""


class TooLarge(ValueError):
    """One JSON document that does not fit into the memory set aside for it."""


def read_file(path: Path, logs: Sequence[AuditLog] | None = None) -> Iterator[Event | Broken]:
    """Every event of a file, and what could not be read; records that do not concern us are passed over.

    Raises `OSError` where the file cannot be opened.
    """
    with path.open("rb") as file:
        yield from read_stream(file, logs)


def read_stream(file: IO[bytes], logs: Sequence[AuditLog] | None = None) -> Iterator[Event | Broken]:
    """As `read_file`, from an open file that may or may not be compressed."""
    known = audit_logs() if logs is None else logs
    for record in records(file):
        if isinstance(record, Broken):
            yield record
            continue
        read = parse(record, known)
        if read is not None:
            yield read


def parse(record: Mapping[str, Any], logs: Sequence[AuditLog]) -> Event | Broken | None:
    """A record as the log that recognises it reads it; None where it does not concern us."""
    for log in logs:
        if log.recognise(record):
            return log.parse(record)
    return Broken(_UNKNOWN)


def records(file: IO[bytes]) -> Iterator[Mapping[str, Any] | Broken]:
    """Every object that may be a record, out of its envelopes; memory is bounded by the largest document."""
    try:
        for document in _documents(_plain(file)):
            if isinstance(document, Broken):
                yield document
            else:
                yield from unpack(document)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield Broken(_DAMAGED)
    except TooLarge as error:
        yield Broken(str(error))


def unpack(document: Any, depth: int = 0) -> Iterator[Mapping[str, Any] | Broken]:
    """The records in a JSON value."""
    if depth > _DEPTH:
        yield Broken("envelopes in envelopes, too many to follow")
    elif isinstance(document, list):
        for each in document:
            # Nearly everything is a record of a trail's file, which is no envelope of anything.
            if isinstance(each, dict) and "eventID" in each and "eventName" in each:
                yield each
            else:
                yield from unpack(each, depth + 1)
    elif not isinstance(document, dict):
        yield Broken("a JSON value that is not an object")
    else:
        yield from _opened(document, depth)


def _opened(document: dict[str, Any], depth: int) -> Iterator[Mapping[str, Any] | Broken]:
    if len(document) <= 4 or "eventSource" not in document:
        for name in _LISTS:
            inner = document.get(name)
            if isinstance(inner, list):
                yield from unpack(inner, depth + 1)
                return
    detail = document.get("detail")
    if isinstance(detail, dict) and ("detail-type" in document or "eventName" in detail):
        yield from unpack(detail, depth + 1)
        return
    if "s3" in document or "s3ObjectKey" in document:
        yield Broken("a notification that names log files and carries no records")
        return
    if isinstance(document.get("Sns"), dict):
        yield from unpack(document["Sns"], depth + 1)
        return
    wrapped = _wrapped(document)
    if wrapped is None:
        yield document
        return
    try:
        inner = _loads(wrapped)
    except ValueError:
        yield Broken("a message whose text is not JSON")
        return
    yield from unpack(inner, depth + 1)


def _wrapped(document: Mapping[str, Any]) -> str | None:
    """The text in an envelope that carries its record as a string; None: this is no such envelope."""
    if "eventName" in document or "operationName" in document or "logName" in document:
        return None
    return next((document[each] for each in _TEXTS if isinstance(document.get(each), str)), None)


def _loads(data: bytes | str) -> Any:
    """orjson, and the standard library for what it is too strict about (NaN); `ValueError` whatever is wrong."""
    import orjson

    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        if len(data) > 1_000_000:
            raise
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _plain(file: IO[bytes]) -> IO[bytes]:
    """Uncompressed, whatever the file's name says; text as UTF-8, as PowerShell's `>` does not write it."""
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(_Raw(file))
    head = buffered.peek(3)[:3]
    if head[:2] == b"\x1f\x8b":
        return _plain(cast(IO[bytes], gzip.GzipFile(fileobj=buffered)))
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = _all(buffered, b"")
        return io.BytesIO(raw.decode("utf-16", "replace").encode())
    if head == b"\xef\xbb\xbf":
        buffered.read(3)
    return buffered


class _Raw(io.RawIOBase):
    """What `BufferedReader` asks of a file, over one that can only be read: an HTTP body, a GzipFile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._file.read(len(into))
        into[: len(data)] = data
        return len(data)


def _documents(file: IO[bytes]) -> Iterator[Any]:
    first = _line(file)
    while first is not None and not first.strip():
        first = _line(file)
    if first is None:
        return
    try:
        document = _loads(first)
    except ValueError:
        yield from _one(_all(file, first))
        return
    yield document
    while (line := _line(file)) is not None:
        if line.strip():
            yield from _of_line(line)


def _of_line(line: bytes) -> Iterator[Any]:
    try:
        yield _loads(line)
    except ValueError:
        yield Broken("a line that is not JSON")


def _one(data: bytes) -> Iterator[Any]:
    """One document over many lines; else, if any line of it is an object, lines of which the first is broken."""
    try:
        yield _loads(data)
        return
    except ValueError:
        pass
    found = [each for line in data.splitlines() if line.strip() for each in _of_line(line)]
    if any(isinstance(each, dict) and each for each in found):
        yield from found
    elif data.strip():
        yield Broken(_NOT_JSON)


def _line(file: IO[bytes]) -> bytes | None:
    line = file.readline(LARGEST + 1)
    if len(line) > LARGEST:
        raise TooLarge(_TOO_LARGE)
    return line or None


def _all(file: IO[bytes], begun: bytes) -> bytes:
    rest = file.read(LARGEST + 1 - len(begun))
    if len(begun) + len(rest) > LARGEST:
        raise TooLarge(_TOO_LARGE)
    return begun + rest
