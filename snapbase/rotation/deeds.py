"""Pure: what audit logs say of a resource -> who made it, and who deleted it.

A backup service that works by itself is called by its name, everybody else as the log names them across sessions.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.model import Resource

_SERVICES = frozenset(
    {
        "agentless.inspector2.amazonaws.com",
        "backup.amazonaws.com",
        "dlm.amazonaws.com",
        "elasticache.amazonaws.com",
        "fsx.amazonaws.com",
        "guardduty.amazonaws.com",
        "inspector2.amazonaws.com",
        "malware-protection.guardduty.amazonaws.com",
        "memorydb.amazonaws.com",
        "rbin.amazonaws.com",
        "rds.amazonaws.com",
        "redshift.amazonaws.com",
        "Backup Management Service",
        "microsoft.dataprotection",
        "microsoft.recoveryservices",
        "Microsoft Defender for Cloud Servers Scanner",
        "backupdr.googleapis.com",
        "cloudsql.googleapis.com",
        "compute.googleapis.com",
        "sqladmin.googleapis.com",
    }
)
"""Those that make and delete snapshots on a schedule of their own. What merely carries out somebody's order is not
among them (EventBridge Scheduler, Image Builder, CloudFormation, Resource Manager): who may give orders can use it."""
_LINKED = re.compile(r":role/aws-service-role/([^/]+)/")
"""Roles that only the service in their path can assume (IAM User Guide, "Service-linked roles")."""
_LET_GO = frozenset({"backup:DisassociateRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"})
"""After these the service deletes it, by itself and sooner than its plan says, or lists it no more."""
_DONE = frozenset({Result.SUCCEEDED, Result.STARTED})
_EARLIEST, _LATEST = timedelta(days=1), timedelta(minutes=15)
"""How long before the creation time that a cloud gives the order can lie (RDS sets it when the snapshot is ready), and
how far the clocks may differ."""


class Doer(NamedTuple):
    name: str
    by_itself: bool = False
    """A service, on its own schedule."""
    is_person: bool = False
    """Or somebody in an account that is not ours."""


class Deeds(NamedTuple):
    maker: Doer | None = None
    """None: no log tells."""
    deleters: tuple[Doer, ...] = ()
    """Everybody who deleted it, by the logs; a service that somebody told to is there with whoever did."""

    @property
    def service(self) -> str:
        """The service that made it by itself; empty where somebody else did, or nobody is known to have."""
        return self.maker.name if self.maker and self.maker.by_itself else ""


UNTOLD = Deeds()


def deeds_of(resource: Resource, about: Iterable[tuple[Event, bool]], went_at: datetime | None) -> Deeds:
    """By the events about a resource, each with whether it is what the event made; `went_at` is when it was gone."""
    found = [(event, made) for event, made in about if event.result in _DONE]
    return Deeds(
        _maker(resource.created_at, (event for event, made in found if made)),
        tuple(dict.fromkeys(_deleters(resource.created_at, (event for event, _ in found), went_at))),
    )


def _maker(made: datetime | None, events: Iterable[Event]) -> Doer | None:
    """Names come back: only what happened around its creation counts. Whoever told a service to make it, made it."""
    if made is None:
        return None
    near = [
        event
        for event in events
        if event.action in (Action.CREATE, Action.COPY) and made - _EARLIEST <= event.at <= made + _LATEST
    ]
    doers = [doer for event in sorted(near, key=lambda each: (each.at, each.id)) if (doer := _doer(event))]
    return max(reversed(doers), key=lambda each: not each.by_itself, default=None)


def _deleters(made: datetime | None, events: Iterable[Event], went_at: datetime | None) -> Iterator[Doer]:
    for event in events:
        ends = event.action == Action.DELETE or event.name in _LET_GO
        is_end = ends and went_at is not None and event.at <= went_at
        if is_end and (made is None or event.at >= made) and (doer := _doer(event)):
            yield doer


def _doer(event: Event) -> Doer | None:
    """None where the log names nobody."""
    service = _service(event.actor, event.source_ip)
    if service in _SERVICES and event.actor.kind in (ActorKind.SERVICE, ActorKind.ROLE):
        return Doer(service, by_itself=True)
    name = event.actor.principal or event.actor.via
    return Doer(name, is_person=event.actor.kind in (ActorKind.HUMAN, ActorKind.FOREIGN)) if name else None


def _service(actor: Actor, source: str) -> str:
    """A call that an AWS service makes has its name for an address, which no caller can (CloudTrail User Guide)."""
    linked = _LINKED.search(actor.issuer)
    return actor.via or (linked[1] if linked else "") or source
