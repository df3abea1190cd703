"""CloudTrail as AWS gives it: the event history by LookupEvents, and trail objects in S3.

Limits (API reference, LookupEvents): 90 days of management events, 50 a page, one attribute a request, two requests a
second in each region of each account. So one pass takes all that is not read-only, and one more each name of a listing.
Objects: `[prefix/]AWSLogs/[o-xxx/]<account>/CloudTrail/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_<time>_*`
(CloudTrail User Guide, "Finding your CloudTrail log files"), the time being that of delivery.

The caller gives `ask(operation, **parameters)` for a signed-in client of `cloudtrail` or `s3`, so that its limiter and
its ledger of operations stay in force.
"""

import io
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.files import UNREAD, read_stream, unpack
from snapbase.audit.log import OVERLAP, Broken, Fetched, Source
from snapbase.event import Event
from snapbase.model import Miss, Outcome

Ask = Callable[..., Mapping[str, Any]]
Judge = Callable[[Exception], Miss | None]
"""What a failed request leaves unread; None where the exception is no answer of AWS, and is raised again."""

PERMISSIONS: Final = ("cloudtrail:LookupEvents", "s3:ListBucket", "s3:GetObject", "kms:Decrypt")
"""The last where the trail's objects are encrypted with a key of the customer's."""
HISTORY: Final = timedelta(days=90)
LOOKUPS_PER_SECOND: Final = 2.0
LISTINGS: Final = (
    "DescribeSnapshots",
    "DescribeSnapshotAttribute",
    "DescribeImages",
    "DescribeImageAttribute",
    "DescribeDBSnapshots",
    "DescribeDBClusterSnapshots",
    "DescribeClusterSnapshots",
    "ListRecoveryPointsByBackupVault",
    "ListRecoveryPointsByResource",
    "DescribeBackups",
    "ListBackups",
    "ListSnapshots",
)
"""Read-only events worth a request each: LookupEvents cannot ask for several names at once."""
_SLICE = timedelta(days=1)
_PAGES = 2_000
"""Pages of one slice, 100,000 events; who has more has a trail."""
_EVENTS = 50_000
_DELIVERY = timedelta(minutes=10)
_LATE = timedelta(hours=2)
_DENIED = ("AccessDenied", "Unauthorized", "Forbidden", "AllAccessDisabled")
_THROTTLED = ("Throttl", "SlowDown", "LimitExceeded", "TooManyRequests")
_DISABLED = ("AuthFailure", "OptIn", "InvalidClientTokenId", "UnrecognizedClient", "SubscriptionRequired")


class _Pace:
    """At most so many requests a second, evenly."""

    def __init__(self, per_second: float | None, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = 0.0

    def wait(self) -> None:
        if not self._gap:
            return
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._gap


def refused(error: Exception) -> Miss | None:
    """botocore's errors, or another room's that carries one as its `cause`, as what they leave unread."""
    cause: Any = getattr(error, "cause", error)
    response = getattr(cause, "response", None)
    said: Any = response.get("Error") if isinstance(response, dict) else None
    if not isinstance(said, dict):
        ours = type(cause).__module__.startswith(("botocore", "urllib3")) or isinstance(cause, OSError)
        return Miss(Outcome.FAILED, f"CloudTrail was not read: {type(cause).__name__}") if ours else None
    code = str(said.get("Code", ""))
    words = f"CloudTrail was not read: {code}: {' '.join(str(said.get('Message', '')).split())[:300]}"
    for outcome, marks in (
        (Outcome.DENIED, _DENIED),
        (Outcome.THROTTLED, _THROTTLED),
        (Outcome.DISABLED, _DISABLED),
    ):
        if any(mark in code for mark in marks):
            return Miss(outcome, words)
    return Miss(Outcome.FAILED, words)


def lookup(
    ask: Ask,
    account: str,
    region: str,
    *,
    since: datetime,
    until: datetime,
    listings: Sequence[str] = LISTINGS,
    judge: Judge = refused,
    per_second: float | None = LOOKUPS_PER_SECOND,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Fetched]:
    """The event history of one account's region from `since` (a watermark; a little more is read), a day at a time.

    The first day that cannot be read ends it, with why: a watermark must not pass what was not read.
    """
    source = Source(AUDIT_LOG.name, account, region)
    pace = _Pace(per_second, clock, sleep)
    oldest = until - HISTORY
    begin = max(since - OVERLAP, oldest)
    while begin < until:
        end = min(begin + _SLICE, until)
        fetched = _slice(ask, source, begin, end, listings, judge, pace)
        yield fetched
        if fetched.miss is not None:
            return
        begin = end
    if since < oldest:
        # Last: a watermark passes what is gone for good, which the gap says.
        gone = Miss(Outcome.PARTIAL, f"the event history ends {HISTORY.days} days back, at {oldest:%Y-%m-%d %H:%M} UTC")
        yield Fetched(source, since, oldest, (), {}, gone)


def _slice(
    ask: Ask, source: Source, since: datetime, until: datetime, listings: Sequence[str], judge: Judge, pace: _Pace
) -> Fetched:
    broken: Counter[str] = Counter()
    events: list[Event] = []
    miss = None
    attributes = [("ReadOnly", "false"), *(("EventName", each) for each in listings)]
    try:
        found = (each for key, value in attributes for each in _looked_up(ask, key, value, since, until, pace))
        events.extend(AUDIT_LOG.fold(_sound(found, broken)))
    except _TooMany:
        words = f"more than {_PAGES * 50:,} events in a day: read the trail's bucket instead of the event history"
        miss = Miss(Outcome.PARTIAL, words)
    except Exception as error:
        miss = judge(error)
        if miss is None:
            raise
    # Answers are newest first; reversed, what happened within one second stays in its order too.
    events.reverse()
    events.sort(key=lambda each: each.at)
    return Fetched(source, since, until, tuple(events), dict(broken), miss)


class _TooMany(Exception):
    """More pages than are worth asking for."""


def _looked_up(
    ask: Ask, key: str, value: str, since: datetime, until: datetime, pace: _Pace
) -> Iterator[Event | Broken]:
    parameters: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
        "StartTime": since,
        "EndTime": until,
        "MaxResults": 50,
    }
    seen: set[str] = set()
    while True:
        pace.wait()
        answer = ask("LookupEvents", **parameters)
        for record in unpack({"Events": list(answer.get("Events") or ())}):
            yield from _read(record)
        token = answer.get("NextToken")
        if not token:
            return
        if token in seen or len(seen) >= _PAGES:
            raise _TooMany
        seen.add(token)
        parameters["NextToken"] = token


def _read(record: Mapping[str, Any] | Broken) -> Iterator[Event | Broken]:
    if isinstance(record, Broken):
        yield record
    elif not AUDIT_LOG.recognise(record):
        yield Broken("an object that is no CloudTrail record")
    elif (read := AUDIT_LOG.parse(record)) is not None:
        yield read


def _sound(found: Iterable[Event | Broken], broken: Counter[str]) -> Iterator[Event]:
    """The events; what is broken is counted."""
    for each in found:
        if isinstance(each, Broken):
            broken[each.why] += 1
        else:
            yield each


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a trail delivers to."""

    bucket: str
    prefix: str = ""
    organization: str = ""
    """`o-...` of an organisation's trail; empty for an account's own."""

    def folder(self, account: str, region: str) -> str:
        parts = (self.prefix.strip("/"), "AWSLogs", self.organization, account, "CloudTrail", region, "")
        return "/".join(each for each in parts[:-1] if each) + "/"


def trail(
    ask: Ask,
    trail: Trail,
    account: str,
    region: str,
    *,
    since: datetime,
    until: datetime,
    judge: Judge = refused,
) -> Iterator[Fetched]:
    """A trail's objects of one account's region from `since` (a watermark; a little more is read), a day at a time."""
    source = Source(AUDIT_LOG.name, account, region)
    begin, read = since - OVERLAP, 0
    while begin < until:
        end = min(_midnight(begin) + _SLICE, until)
        bag = _Bag()
        for each in _day(ask, trail, source, begin, end, judge, bag):
            yield each
            if each.miss is not None:
                return
        read += bag.objects
        begin = end
    if not read:
        yield from _empty(ask, trail, source, since, until, judge)


@dataclass(slots=True)
class _Bag:
    """How many objects a day had."""

    objects: int = 0


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _day(
    ask: Ask, trail: Trail, source: Source, since: datetime, until: datetime, judge: Judge, bag: _Bag
) -> Iterator[Fetched]:
    """One stretch; before it, such of no length as many events need, which claim nothing to have been read."""
    broken: Counter[str] = Counter()
    events: list[Event] = []
    miss = None
    try:
        keys = _keys(ask, trail, source, since, until)
        for event in AUDIT_LOG.fold(_sound(_contents(ask, trail.bucket, keys, bag), broken)):
            events.append(event)
            if len(events) >= _EVENTS:
                yield Fetched(source, since, since, tuple(events))
                events.clear()
    except _Unread as error:
        miss = Miss(Outcome.PARTIAL, str(error))
    except Exception as error:
        miss = judge(error)
        if miss is None:
            raise
    if miss is None and (damaged := sorted(UNREAD & set(broken))):
        miss = Miss(Outcome.PARTIAL, f"{sum(broken[each] for each in damaged)} log files: {damaged[0]}")
    yield Fetched(source, since, until, tuple(events), dict(broken), miss)


class _Unread(Exception):
    """An object that was listed and is not there any more."""


def _keys(ask: Ask, trail: Trail, source: Source, since: datetime, until: datetime) -> Iterator[str]:
    """Objects that can hold events of the stretch: late deliveries go under the day they were delivered on."""
    folder = trail.folder(source.account, source.region)
    first, last = since - _DELIVERY, until + _LATE
    begin = f"{source.account}_CloudTrail_{source.region}_{first:%Y%m%dT%H%MZ}"
    end = f"{source.account}_CloudTrail_{source.region}_{last:%Y%m%dT%H%MZ}"
    day = _midnight(first)
    while day <= last:
        prefix = f"{folder}{day:%Y/%m/%d}/"
        for key in _listed(ask, trail.bucket, prefix, f"{prefix}{begin}"):
            if key[len(prefix) :] > end:
                break
            yield key
        day += _SLICE


def _listed(ask: Ask, bucket: str, prefix: str, after: str) -> Iterator[str]:
    parameters: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": after}
    seen: set[str] = set()
    while True:
        answer = ask("ListObjectsV2", **parameters)
        yield from (str(each["Key"]) for each in answer.get("Contents") or ())
        token = answer.get("NextContinuationToken")
        if not answer.get("IsTruncated") or not token:
            return
        if token in seen:
            raise _Unread(f"s3://{bucket} gave the same page twice")
        seen.add(token)
        parameters["ContinuationToken"] = token


def _contents(ask: Ask, bucket: str, keys: Iterable[str], bag: _Bag) -> Iterator[Event | Broken]:
    for key in keys:
        bag.objects += 1
        try:
            body = ask("GetObject", Bucket=bucket, Key=key)["Body"]
        except Exception as error:
            if "NoSuchKey" in str(getattr(getattr(error, "cause", error), "response", "")):
                raise _Unread(f"s3://{bucket}/{key} was deleted before it was read") from error
            raise
        yield from read_stream(io.BytesIO(body.read()), (AUDIT_LOG,))


def _empty(ask: Ask, trail: Trail, source: Source, since: datetime, until: datetime, judge: Judge) -> Iterator[Fetched]:
    """No object in all the time asked for is silence or a wrong prefix: told apart by whether there ever was one."""
    folder = trail.folder(source.account, source.region)
    try:
        if ask("ListObjectsV2", Bucket=trail.bucket, Prefix=folder, MaxKeys=1).get("Contents"):
            return
        miss: Miss | None = Miss(
            Outcome.PARTIAL,
            f"nothing under s3://{trail.bucket}/{folder}: the trail does not cover it, or its prefix is another",
        )
    except Exception as error:
        miss = judge(error)
        if miss is None:
            raise
    yield Fetched(source, since, until, (), {}, miss)
