"""Reads the Azure Activity Log of one subscription, or of the tenant, with `Activity Logs - List`.

One call of ARM that any management client's `send_request` can make: azure-mgmt-monitor would be one more SDK to
install, and its models drop fields. Source: Azure Monitor REST API 2015-04-01, Activity Logs, Tenant Activity Logs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from snapbase.audit import activity_log  # not its AUDIT_LOG: whatever module has one is a log
from snapbase.audit.activity_names import PROVIDERS
from snapbase.audit.log import OVERLAP, Broken, Fetched, Source
from snapbase.event import Event, Result
from snapbase.model import Miss, Outcome

OPERATION = "Microsoft.Insights/eventtypes/values/read"
VERSION = "2015-04-01"
HISTORY = timedelta(days=90) - timedelta(minutes=5)
"""The log keeps 90 days, and refuses a question that begins earlier; the rest is for clocks that disagree."""
WINDOW = timedelta(days=1)
PAGES = 5_000
"""Of one provider's records in one window; a log that goes on longer does not end."""
_OPEN = 1_000
"""Operations whose end is waited for from one window to the next."""

Pages = Callable[[str, str, str], Iterable[Sequence[Mapping[str, Any]]]]
"""The pages of an ARM list: of its operation (for limiter and ledger), its path below the endpoint, with a query, and
its API version. Follows nextLink; raises what `Classify` knows."""
Classify = Callable[[BaseException], Miss | None]
"""What an error means, in words; None if it is no cloud's answer but a bug."""


def source(subscription: str) -> Source:
    """The watermark's key; of the tenant, where there is no subscription."""
    return Source(activity_log.AUDIT_LOG.name, subscription or "tenant", activity_log.REGION)


def fetch(pages: Pages, classify: Classify, subscription: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    """Everything in one log about snapshots, from `OVERLAP` before `since` up to `until`: a stretch for every window.

    Where it cannot be read further, a stretch says why and reaches to the end. What the log no longer keeps comes
    last, without events: nothing waits for it.
    """
    oldest = datetime.now(UTC) - HISTORY
    begin = max(since - OVERLAP, min(oldest, until))
    yield from _windows(pages, classify, subscription, begin, until)
    if since < begin:
        yield Fetched(source(subscription), since, begin, (), miss=Miss(Outcome.PARTIAL, _FORGOTTEN))


def _windows(
    pages: Pages, classify: Classify, subscription: str, since: datetime, until: datetime
) -> Iterator[Fetched]:
    reading = _Reading(source(subscription), since)
    while reading.since < until:
        end = min(reading.since + WINDOW, until)
        try:
            reading.read(pages, subscription, end)
        except Exception as error:
            miss = classify(error)
            if miss is None:
                raise
            yield reading.stretch(until, miss)
            return
        yield reading.stretch(end, reading.endless)


_FORGOTTEN = "the Activity Log keeps 90 days: what happened before is known only where it was exported"
_ENDLESS = f"more than {PAGES:,} pages of records in one day: read them from an export of the log instead"


def path(subscription: str, provider: str, since: datetime, until: datetime) -> str:
    """The question, of the only form that the API takes: a time and at most one thing more."""
    where = f"/subscriptions/{subscription}" if subscription else ""
    asked = f"eventTimestamp ge '{_stamp(since)}' and eventTimestamp le '{_stamp(until)}'"
    asked += f" and resourceProvider eq '{provider}'" if provider else ""
    return f"{where}/providers/Microsoft.Insights/eventtypes/management/values?$filter={quote(asked, safe='')}"


@dataclass(slots=True)
class _Reading:
    """What was read of one log since the last stretch was handed over."""

    source: Source
    since: datetime
    endless: Miss | None = None
    _events: list[Event] = field(default_factory=list)
    _broken: dict[str, int] = field(default_factory=dict)
    _open: dict[str, Event] = field(default_factory=dict)

    def read(self, pages: Pages, subscription: str, until: datetime) -> None:
        """One window, provider by provider: the others' records would be most of the log. A tenant's is small."""
        for provider in PROVIDERS if subscription else ("",):
            question = path(subscription, provider, self.since, until)
            for number, page in enumerate(pages(OPERATION, question, VERSION)):
                if number >= PAGES:
                    self.endless = Miss(Outcome.PARTIAL, _ENDLESS)
                    break
                self._take(page)

    def _take(self, page: Sequence[Mapping[str, Any]]) -> None:
        for record in page:
            parsed = activity_log.AUDIT_LOG.parse(record)
            if isinstance(parsed, Event):
                self._events.append(parsed)
            elif isinstance(parsed, Broken):
                self._broken[parsed.why] = self._broken.get(parsed.why, 0) + 1

    def stretch(self, until: datetime, miss: Miss | None = None) -> Fetched:
        """What was read, its operations joined with those that began in an earlier stretch; reading goes on behind."""
        known = {each.id for each in self._events}
        earlier = [each for key, each in self._open.items() if key in known]
        # The log answers with the newest first.
        fresh = sorted(self._events, key=lambda each: each.at)
        folded = tuple(activity_log.AUDIT_LOG.fold((*earlier, *fresh)))
        begun = {each.id: each for each in folded if each.result == Result.STARTED}
        waiting = {key: each for key, each in self._open.items() if key not in known} | begun
        found = Fetched(self.source, self.since, until, folded, dict(self._broken), miss)
        self._open = dict(list(waiting.items())[-_OPEN:])
        self.since, self._events, self._broken, self.endless = until, [], {}, None
        return found


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
