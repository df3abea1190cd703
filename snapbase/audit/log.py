"""The shape of an audit log: what a file in `audit/` exports as `AUDIT_LOG`.

Parsing is pure and takes whatever an attacker can get into a log: a record it cannot read is a `Broken`, never an
exception and never silently left out.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from snapbase.event import Event
from snapbase.model import Miss

OVERLAP: Final = timedelta(hours=2)
"""How far behind its watermark a cloud's own log is read again, for nobody promises how late a record may come:
CloudTrail's "typically within an average of about 5 minutes", not guaranteed (CloudTrail User Guide); Azure's Activity
Log 3 to 20 minutes (Azure Monitor, "Log data ingestion time"); Google says nothing. Long operations end late, too. More
would cost CloudTrail's event history, which answers two requests a second, more than the hour since the last run."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that is not what the log's format says; `why` names what is wrong without quoting the record."""

    why: str


Parsed = Event | Broken | None
"""None: a record in good order that is not about snapshots, their sources, keys or policies."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place a log is read from: the watermark's key."""

    log: str
    account: str
    region: str

    def __str__(self) -> str:
        return f"{self.log} of {self.account}/{self.region}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """One stretch of one source as read: everything between `since` and `until`, or (with `miss`) not all of it."""

    source: Source
    since: datetime
    until: datetime
    events: tuple[Event, ...]
    broken: Mapping[str, int] = field(default_factory=dict)
    """How many records could not be read, by what is wrong with them."""
    miss: Miss | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing the log can show, for the README's table."""

    action: str
    names: tuple[str, ...]
    """The log's own event names."""
    seen: bool
    """Whether real published samples were read; False: only samples of our own making."""


@dataclass(frozen=True, slots=True)
class AuditLog:
    """One cloud's log: how its records are read."""

    name: str
    """`aws.cloudtrail`, `azure.activity-log`, `gcp.audit-log`."""
    cloud: str
    title: str
    recognise: Callable[[Mapping[str, Any]], bool]
    """Whether a JSON object looks like a record of this log."""
    parse: Callable[[Mapping[str, Any]], Parsed]
    fold: Callable[[Iterable[Event]], Iterator[Event]]
    """Several records of one operation as one event, its outcome the last one's."""
    behaviours: tuple[Behaviour, ...]
    blind: str
    """What this log never shows."""
    latency: str
    """How late records come, in words."""
    beside: bool = False
    """Whether the cloud has a log that says more of who did what: that one speaks for the cloud, and names findings."""


@cache
def audit_logs() -> tuple[AuditLog, ...]:
    """Every log, by name; the folder is the registry."""
    package = importlib.import_module("snapbase.audit")
    found: dict[str, AuditLog] = {}
    for module in pkgutil.iter_modules(package.__path__):
        log = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "AUDIT_LOG", None)
        if log is not None:  # a log's fetcher imports it, too
            found[log.name] = log
    return tuple(found[name] for name in sorted(found))
