"""Reads Cloud Audit Logs with `entries.list`, project by project, each folder and organisation for itself.

The caller sends the one POST that this takes: google-cloud-logging would add four distributions and gRPC's ways of
failing for it, and plain JSON is wanted anyway.
Source: logging.v2 discovery, `entries.list`; Cloud Logging, "Logging query language".
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.gcp_names import SERVICES, method_pattern
from snapbase.audit.log import OVERLAP, Broken, Fetched, Source
from snapbase.event import Event, Result
from snapbase.model import Miss, Outcome

OPERATION = "logging.entries.list"
PERMISSIONS = ("logging.logEntries.list", "logging.privateLogEntries.list")
"""The second is for Data Access logs alone; without it they are left out of the answer."""
PAGE = 1000
"""Entries on a page, at most."""
PAGES = 20
"""Of one stretch: what is held in memory at once."""
_LOGS = ("activity", "system_event", "data_access")
_OPEN = 1000
"""Operations whose end is waited for from one stretch to the next."""

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Sends one request: its operation (for limiter and ledger) and its body; the answer's body. Raises what
`Classify` knows."""
Classify = Callable[[BaseException], Miss | None]
"""What an error means, in words; None if it is no cloud's answer but a bug."""


def source(container: str) -> Source:
    """The watermark's key of `projects/x`, `folders/1` or `organizations/1`, or of a view of a log bucket."""
    return Source(AUDIT_LOG.name, container, "global")


def fetch(ask: Ask, classify: Classify, container: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    """Everything in one container's audit logs about snapshots, from `OVERLAP` before `since` up to `until`.

    In stretches of `PAGES` pages, each complete up to its `until`; where the log cannot be read further, one last
    stretch says why and reaches to the end.
    """
    reading = _Reading(source(container), since - OVERLAP, until)
    body = {
        "resourceNames": [container],
        "filter": query(since - OVERLAP, until),
        "orderBy": "timestamp asc",
        "pageSize": PAGE,
    }
    pages = 0
    while True:
        try:
            page = ask(OPERATION, body)
        except Exception as error:
            miss = classify(error)
            if miss is None:
                raise
            yield reading.stretch(until, miss)
            return
        reading.take(page.get("entries"))
        pages += 1
        token = page.get("nextPageToken")
        if not token:
            yield reading.stretch(until)
            return
        if token == body.get("pageToken"):
            yield reading.stretch(until, Miss(Outcome.PARTIAL, f"{OPERATION} in {container} goes round in circles"))
            return
        body = {**body, "pageToken": token}
        if pages % PAGES == 0 and reading.last > reading.since:
            yield reading.stretch(reading.last)


def query(since: datetime, until: datetime) -> str:
    """The filter: by log, service, the end of the method's name, and time."""
    logs = " OR ".join(f'log_id("cloudaudit.googleapis.com/{each}")' for each in _LOGS)
    services = " OR ".join(f'"{each}"' for each in SERVICES)
    return " AND ".join(
        (
            f"({logs})",
            f"protoPayload.serviceName=({services})",
            f'protoPayload.methodName=~"{method_pattern()}"',
            f'timestamp>="{_stamp(since)}"',
            f'timestamp<"{_stamp(until)}"',
        )
    )


class _Reading:
    """What was read of one container since the last stretch was handed over."""

    def __init__(self, source: Source, since: datetime, until: datetime) -> None:
        self.source, self.since, self._until = source, since, until
        self.last = since
        """The time of the newest entry read: all before it is."""
        self._events: list[Event] = []
        self._broken: dict[str, int] = {}
        self._open: list[Event] = []

    def take(self, found: Any) -> None:
        for entry in found if isinstance(found, list) else ():
            parsed = AUDIT_LOG.parse(entry) if isinstance(entry, dict) else Broken("an entry is no object")
            if isinstance(parsed, Event):
                self._events.append(parsed)
            elif isinstance(parsed, Broken):
                self._broken[parsed.why] = self._broken.get(parsed.why, 0) + 1
            self.last = max(self.last, min(_time(entry), self._until))

    def stretch(self, until: datetime, miss: Miss | None = None) -> Fetched:
        """What was read, its operations joined with those that began in an earlier stretch; reading goes on behind."""
        begun = {(each.account, each.id) for each in self._open}
        ends = {(each.account, each.id) for each in self._events}
        earlier = [each for each in self._open if (each.account, each.id) in ends]
        folded = tuple(AUDIT_LOG.fold((*earlier, *self._events)))
        waiting = [each for each in self._open if (each.account, each.id) not in ends]
        waiting += [each for each in folded if each.result == Result.STARTED and (each.account, each.id) not in begun]
        found = Fetched(self.source, self.since, until, folded, dict(self._broken), miss)
        self.since, self._events, self._broken, self._open = until, [], {}, waiting[-_OPEN:]
        return found


def _time(entry: Any) -> datetime:
    """When an entry happened; the beginning of time where it does not say."""
    try:
        found = datetime.fromisoformat(entry["timestamp"])
        return found.astimezone(UTC) if found.tzinfo else datetime.min.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
