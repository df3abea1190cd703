"""Azure Backup's restores in one subscription: the jobs of each Recovery Services vault and of each backup vault.

Recovery Services narrows its list by operation and time, 30 days at most (Backup REST API, Backup Jobs, List; Az's
Get-AzRecoveryServicesBackupJob); Data Protection's list takes no filter. Neither can be asked for what has ended since,
so what began shortly before is read again.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from snapbase.audit import azure_backup_jobs  # not its AUDIT_LOG: whatever module has one is a log
from snapbase.audit.activity_log import REGION
from snapbase.audit.activity_record import address, kind_of
from snapbase.audit.log import Broken, Fetched, Source
from snapbase.event import Event
from snapbase.model import Miss, Outcome

VERSION: Final = "2024-04-01"
PERMISSIONS: Final = (
    "Microsoft.RecoveryServices/vaults/read",
    "Microsoft.RecoveryServices/vaults/backupJobs/read",
    "Microsoft.DataProtection/backupVaults/read",
    "Microsoft.DataProtection/backupVaults/backupJobs/read",
)
REACH: Final = timedelta(days=3)
"""So long before its watermark a restore may have begun that has ended since."""
_LONGEST: Final = timedelta(days=30)
_JOBS = 100_000
"""Of one vault; a list that goes on longer does not end."""

_ID = re.compile(r"[0-9a-z-]{1,64}")
_T = TypeVar("_T")

Listing = Callable[[str, str, str], Iterable[Mapping[str, Any]]]
"""The items of an ARM list: of its operation, its path with a query, and its API version. Nothing where the provider
was never registered; raises what `Classify` knows."""
Get = Callable[[str, str, str], Mapping[str, Any]]
"""One resource, asked for in the same way."""
Classify = Callable[[BaseException], Miss | None]


def fetch(
    listing: Listing, get: Get, classify: Classify, subscription: str, since: datetime, until: datetime
) -> Iterator[Fetched]:
    """Every restore that began up to `until`, from `REACH` before `since`, as one stretch. Of what cannot be read the
    stretch says why, and it has the other vaults' jobs."""
    reading = _Reading(listing, get, classify, since - REACH, until)
    for kind, read in (("RecoveryServices/vaults", reading.recovery), ("DataProtection/backupVaults", reading.other)):
        for vault in reading.tried(partial(reading.vaults, kind, subscription)):
            reading.tried(partial(read, vault))
    source = Source(azure_backup_jobs.AUDIT_LOG.name, subscription, REGION)
    events = azure_backup_jobs.AUDIT_LOG.fold(sorted(reading.events, key=lambda each: (each.at, each.id)))
    yield Fetched(source, since, until, tuple(events), dict(reading.broken), reading.miss)


@dataclass(slots=True)
class _Reading:
    """What was read of the jobs of one subscription's vaults."""

    listing: Listing
    get: Get
    classify: Classify
    since: datetime
    until: datetime
    events: list[Event] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    miss: Miss | None = None

    def tried(self, read: Callable[[], Iterable[_T]]) -> list[_T]:
        """What it gives; nothing where Azure refused it, which is kept."""
        try:
            return list(read())
        except Exception as error:
            miss = self.classify(error)
            if miss is None:
                raise
            self.miss = self.miss or miss
            return []

    def vaults(self, kind: str, subscription: str) -> Iterator[str]:
        path = f"/subscriptions/{subscription}/providers/Microsoft.{kind}"
        for vault in self.listing(f"Microsoft.{kind}/read", path, VERSION):
            name = address(vault.get("id"))
            if kind_of(name) == f"microsoft.{kind}".lower():
                yield name

    def recovery(self, vault: str) -> Iterable[str]:
        operation = "Microsoft.RecoveryServices/vaults/backupJobs/read"
        begin = self.since
        while begin < self.until:
            end = min(begin + _LONGEST, self.until)
            asked = f"operation eq 'Restore' and startTime eq '{_stamp(begin)}' and endTime eq '{_stamp(end)}'"
            path = f"{vault}/backupJobs?$filter={quote(asked, safe='')}"
            for job in self._jobs(operation, path):
                self._take(self._told(operation, vault, job))
            begin = end
        return ()

    def other(self, vault: str) -> Iterable[str]:
        for job in self._jobs("Microsoft.DataProtection/backupVaults/backupJobs/read", f"{vault}/backupJobs"):
            self._take(job)
        return ()

    def _jobs(self, operation: str, path: str) -> Iterator[Mapping[str, Any]]:
        for number, job in enumerate(self.listing(operation, path, VERSION)):
            if number >= _JOBS:
                self.miss = self.miss or Miss(Outcome.PARTIAL, f"more than {_JOBS:,} backup jobs at {path}")
                return
            yield job

    def _told(self, operation: str, vault: str, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """The whole job: the list leaves out where the data went. Restores are few."""
        name = address(job.get("id"))
        own = name.removeprefix(f"{vault}/backupjobs/")
        if not _ID.fullmatch(own):
            return job
        # One that cannot be shown must not take the rest of the list with it.
        told = self.tried(lambda: (self.get(operation, name, VERSION),))
        return told[0] if told else job

    def _take(self, job: Mapping[str, Any]) -> None:
        read = azure_backup_jobs.AUDIT_LOG.parse(job)
        if isinstance(read, Broken):
            self.broken[read.why] += 1
        elif read is not None and self.since <= read.at <= self.until:
            self.events.append(read)


def _stamp(at: datetime) -> str:
    """As the API wants it, in words of no locale: `2026-11-25 01:02:03 PM`."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d} {at.hour % 12 or 12:02}:{at:%M:%S} {'PM' if at.hour >= 12 else 'AM'}"
