"""AWS Backup's jobs of one region of one account, by ListCopyJobs and ListRestoreJobs.

Both lists are asked twice: for what was begun since the last time, and for what ended since then, whenever it was
begun. So a job that still ran when it was read is read again when it has ended, however long it took. Times, 1,000 a
page: AWS Backup API reference. Jobs are kept for 30 days (ListBackupJobs says so; of the others nothing is said).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from snapbase.audit import backup_jobs  # not its AUDIT_LOG: whatever module has one is a log
from snapbase.audit.log import Broken, Fetched, Source
from snapbase.event import Event
from snapbase.model import Miss, Outcome

Ask = Callable[..., Mapping[str, Any]]
"""(operation, **parameters) -> the answer of AWS Backup."""
Judge = Callable[[BaseException], Miss | None]
"""What a failed request leaves unread; None where the exception is no answer of AWS, and is raised again."""

PERMISSIONS: Final = ("backup:ListCopyJobs", "backup:ListRestoreJobs")
OVERLAP: Final = timedelta(hours=1)
"""Asked for again before the watermark, for clocks that disagree and ends that are written late."""
HISTORY: Final = timedelta(days=30)
_LISTS: Final = (("ListCopyJobs", "CopyJobs"), ("ListRestoreJobs", "RestoreJobs"))
_WINDOWS: Final = (("ByCreatedAfter", "ByCreatedBefore"), ("ByCompleteAfter", "ByCompleteBefore"))
_PAGES = 500
"""Of one list, half a million jobs."""


def fetch(ask: Ask, judge: Judge, account: str, region: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    """Every job that began or ended from `since` (a watermark; a little more is read) up to `until`, as one stretch.

    A list that cannot be read leaves the other's jobs in it. What AWS Backup has forgotten comes last, as a gap.
    """
    source = Source(backup_jobs.AUDIT_LOG.name, account, region)
    oldest = until - HISTORY
    begin = max(since - OVERLAP, oldest)
    broken: Counter[str] = Counter()
    found: list[Event] = []
    misses: list[Miss] = []
    for operation, items in _LISTS:
        try:
            for after, before in _WINDOWS:
                found += _sound(_listed(ask, operation, items, {after: begin, before: until}), broken)
        except Exception as error:
            miss = _endless(error) or judge(error)
            if miss is None:
                raise
            misses.append(miss)
    events = sorted(backup_jobs.AUDIT_LOG.fold(found), key=lambda each: (each.at, each.id))
    yield Fetched(source, begin, until, tuple(events), dict(broken), _worst(misses))
    if since < oldest:
        gone = Miss(Outcome.PARTIAL, f"AWS Backup keeps jobs for {HISTORY.days} days: earlier ones are not known")
        yield Fetched(source, since, oldest, (), {}, gone)


def _worst(misses: list[Miss]) -> Miss | None:
    """One for both lists; a refusal says more than that something failed."""
    return next((each for each in misses if each.outcome == Outcome.DENIED), misses[0] if misses else None)


class _Endless(Exception):
    """A list that goes on for ever."""


def _endless(error: Exception) -> Miss | None:
    words = "AWS Backup's list of jobs does not end: ask again"
    return Miss(Outcome.PARTIAL, words) if isinstance(error, _Endless) else None


def _listed(ask: Ask, operation: str, items: str, window: Mapping[str, datetime]) -> Iterator[Mapping[str, Any]]:
    parameters: dict[str, Any] = {**window, "MaxResults": 1000}
    seen: set[str] = set()
    while True:
        answer = ask(operation, **parameters)
        yield from answer.get(items) or ()
        token = answer.get("NextToken")
        if not token:
            return
        if token in seen or len(seen) >= _PAGES:
            raise _Endless
        seen.add(token)
        parameters["NextToken"] = token


def _sound(jobs: Iterator[Mapping[str, Any]], broken: Counter[str]) -> Iterator[Event]:
    """The events; what is broken is counted."""
    for job in jobs:
        read = backup_jobs.AUDIT_LOG.parse(job)
        if isinstance(read, Broken):
            broken[read.why] += 1
        elif read is not None:
            yield read
