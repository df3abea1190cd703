"""How each cloud's audit log is read through the handle that its collectors already have: one reader per log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from snapbase.audit.log import Fetched
from snapbase.collect.collector import Where

Read = Callable[[Any, str, str, datetime, datetime], Iterator[Fetched]]
"""(handle, account, location, since, until) -> stretches."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one log is read, and where it is."""

    where: frozenset[Where]
    read: Read
    permissions: tuple[str, ...]
    changes: Read | None = None
    """Reads what changed something, and no more than that, where that is cheaper than all of it."""
    of: Callable[[Any], str] | None = None
    """(handle) -> whose log it is, where one is there for many accounts: it is read once for all of them."""


def _cloudtrail(region: Any, account: str, location: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.aws_fetch import LISTINGS

    return _trail(region, account, location, since, until, listings=LISTINGS)


def _cloudtrail_changes(
    region: Any, account: str, location: str, since: datetime, until: datetime
) -> Iterator[Fetched]:
    """Of the event history one request where all of it takes one more for each name of a listing."""
    return _trail(region, account, location, since, until, listings=())


def _trail(
    region: Any, account: str, location: str, since: datetime, until: datetime, *, listings: Sequence[str]
) -> Iterator[Fetched]:
    from snapbase.audit.aws_fetch import LOOKUPS_PER_SECOND, Trail, lookup, trail

    entry = region.clients.entry
    if entry.trail:
        bucket, _, prefix = entry.trail.removeprefix("s3://").partition("/")
        where = Trail(bucket, prefix, entry.trail_organization or "")
        ask = region.clients.reader("s3", region.clients.home)
        return trail(ask, where, account, location, since=since, until=until)
    # An endpoint of one's own has no such limit; if it has, the limiter finds out.
    pace = None if entry.endpoint else LOOKUPS_PER_SECOND
    ask = partial(region.call, "cloudtrail")
    return lookup(ask, account, location, since=since, until=until, listings=listings, per_second=pace)


def _activity_log(subscription: Any, account: str, _: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.azure_fetch import fetch
    from snapbase.collect.azure.errors import classify
    from snapbase.collect.azure.paging import pager

    def pages(operation: str, path: str, version: str) -> Any:
        return subscription.pages(operation, partial(pager, subscription.compute.send_request, path, version))

    return fetch(pages, classify, account, since, until)


def _tenant_log(subscription: Any, _: str, __: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.tenant_log import fetch
    from snapbase.collect.azure.errors import classify
    from snapbase.collect.azure.paging import pager
    from snapbase.collect.azure.session import Caller

    tenant = _tenant(subscription)
    caller = Caller(subscription.runtime, tenant)

    def pages(operation: str, path: str, version: str) -> Any:
        return caller.pages(operation, partial(pager, subscription.compute.send_request, path, version))

    return fetch(pages, classify, tenant, since, until)


def _tenant(subscription: Any) -> str:
    return str(subscription.listed.get("tenantId") or "tenant").lower()


def _backup_jobs(region: Any, account: str, location: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.backup_jobs_fetch import fetch
    from snapbase.collect.aws.errors import classify

    return fetch(partial(region.call, "backup"), classify, account, location, since, until)


def _azure_backup_jobs(subscription: Any, account: str, _: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.azure_backup_jobs_fetch import fetch
    from snapbase.collect.azure.errors import classify
    from snapbase.collect.azure.generic import optional, shown

    return fetch(partial(optional, subscription), partial(shown, subscription), classify, account, since, until)


def _cloud_audit(handle: Any, account: str, _: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    from snapbase.audit.gcp_fetch import fetch
    from snapbase.collect.gcp.errors import classify

    container = account if "/" in account else f"projects/{account}"
    return fetch(handle.session.entries, classify, container, since, until)


READERS = {
    "aws.backup.jobs": Reader(
        frozenset({Where.REGIONAL}), _backup_jobs, ("backup:ListCopyJobs", "backup:ListRestoreJobs")
    ),
    "aws.cloudtrail": Reader(
        frozenset({Where.REGIONAL}), _cloudtrail, ("cloudtrail:LookupEvents",), _cloudtrail_changes
    ),
    "azure.activity-log": Reader(
        frozenset({Where.GLOBAL}), _activity_log, ("Microsoft.Insights/eventtypes/values/read",)
    ),
    "azure.backup.jobs": Reader(
        frozenset({Where.GLOBAL}),
        _azure_backup_jobs,
        (
            "Microsoft.RecoveryServices/vaults/read",
            "Microsoft.RecoveryServices/vaults/backupJobs/read",
            "Microsoft.DataProtection/backupVaults/read",
            "Microsoft.DataProtection/backupVaults/backupJobs/read",
        ),
    ),
    # The same action as a subscription's log, at another scope.
    "azure.tenant-log": Reader(
        frozenset({Where.GLOBAL}), _tenant_log, ("Microsoft.Insights/eventtypes/values/read",), of=_tenant
    ),
    "gcp.audit-log": Reader(
        frozenset({Where.GLOBAL, Where.MANAGEMENT}),
        _cloud_audit,
        ("logging.logEntries.list", "logging.privateLogEntries.list"),
    ),
}
"""By the log's name. The second permission of GCP is for Data Access logs alone."""
