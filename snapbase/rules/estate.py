"""What a detection may look at beside the events: whom the operator trusts, and what the inventory knows."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from snapbase.event import ActorKind, Event
from snapbase.finding import Account, Severity
from snapbase.locations import Locate, nowhere
from snapbase.model import Cloud, Principal, PrincipalKind, Resource
from snapbase.trust import Judgement, TrustList


@dataclass(frozen=True, slots=True)
class Tuning:
    """What people said of their estate, kept with the run that it judged; the defaults are the configuration's."""

    trusted_actors: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    burst: int = 20
    listings: int = 10
    window_hours: float = 24.0
    days: int = 90
    collectors: tuple[str, ...] = ()
    """Globs of the identities that snapbase itself reads with."""
    locations: str = ""
    """The path of a file that says where addresses are."""
    home_countries: tuple[str, ...] = ()
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By id, whose our accounts are: as people wrote it, and as far as the clouds say."""

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_hours)

    def to_json(self) -> dict[str, Any]:
        accounts = {name: {k: v for k, v in asdict(each).items() if v} for name, each in sorted(self.accounts.items())}
        return asdict(self) | {"accounts": accounts}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Tuning":
        told: dict[str, Any] = {k: tuple(each) if isinstance(each, list) else each for k, each in body.items()}
        accounts = {name: Account(**each) for name, each in body.get("accounts", {}).items()}
        return cls(**{**told, "accounts": accounts})

    def is_sensitive(self, account: str, names: Iterable[str | None]) -> bool:
        """Whether an account, or something of one of these names, was called sensitive."""
        if account in self.accounts and self.accounts[account].sensitive:
            return True
        return any(fnmatchcase(name, glob) for name in names if name for glob in self.sensitive)

    def is_outside(self, source_ip: str, locate: Locate) -> bool:
        """An address in none of our networks and countries; False where neither is configured, or it is no address.

        One that the file does not know is in no country of ours.
        """
        if not (self.networks or self.home_countries):
            return False
        try:
            address = ip_address(source_ip)
        except ValueError:
            return False
        if any(address in _network(each) for each in self.networks):
            return False
        return not self.home_countries or locate(source_ip) not in self.home_countries


@dataclass(frozen=True, slots=True)
class Known:
    """What the inventory knows of a resource."""

    kind: str
    resource: Resource
    ever: frozenset[tuple[Principal, datetime, datetime | None]] = frozenset()
    """Everybody whose grant on it any run saw, from which run to which it was not any more, if that was."""
    approved: frozenset[Principal] = frozenset()
    """Everybody who may use it by approval."""
    rotated: bool = False
    """An approved cohort covers it, by evidence that nobody can forge."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be told of a resource: by the inventory, or only by the log of one of our accounts that made it."""

    known: Known | None = None
    made_here: bool = False


_NOTHING = Facts()
Look = Callable[[str, Collection[str]], Mapping[str, Facts]]
"""(cloud, addresses) -> what is known of them; asked for many at once."""


def _know_nothing(_: str, addresses: Collection[str]) -> Mapping[str, Facts]:
    return dict.fromkeys(addresses, _NOTHING)


@dataclass(frozen=True, slots=True)
class Estate:
    """What a detection may look at beside the events."""

    trust: TrustList
    on: date
    tuning: Tuning = field(default_factory=Tuning)
    look: Look = _know_nothing
    directory: frozenset[str] = frozenset()
    """Ids (lower case) of directory objects that held anything as of the approval: they are no strangers."""
    locate: Locate = nowhere
    judged: dict[tuple[Principal, str, str, str], Judgement] = field(default_factory=dict, compare=False, repr=False)
    """Remembered: the same few principals are asked about again and again."""

    def facts(self, event: Event) -> list[Facts]:
        """What is known of everything an event was done to."""
        return list(self.look(event.cloud, event.subjects).values())

    def known(self, event: Event) -> Known | None:
        return next((each.known for each in self.facts(event) if each.known), None)

    def is_apart(self, event: Event) -> bool:
        """Lifecycle and scanning services of the cloud, by identity, and whomever the configuration trusts."""
        actor = event.actor
        is_service = actor.kind == ActorKind.SERVICE or event.source_ip in _SCHEDULERS or event.source_ip in _SCANNERS
        if is_service and _ORDERED.isdisjoint((actor.via, event.source_ip)):
            return True
        return self._matches(event, self.tuning.trusted_actors)

    def is_scanner(self, event: Event) -> bool:
        """A service that shares with an account of its own to look for malware; a scheduler shares as it was told."""
        if event.actor.kind != ActorKind.SERVICE and event.source_ip not in _SCANNERS:
            return False
        # Not by what people call their roles and sessions: only a service can have a role of that path.
        issuer = event.actor.issuer if _LINKED in event.actor.issuer else ""
        told = (issuer, event.actor.via, event.source_ip)
        return any(word in each.lower() for each in told for word in _SCANNING)

    def is_collector(self, event: Event) -> bool:
        return self._matches(event, self.tuning.collectors)

    def _matches(self, event: Event, globs: Iterable[str]) -> bool:
        names = (event.actor.id, event.actor.issuer)
        return any(name and fnmatchcase(name, glob) for glob in globs for name in names)

    def is_outside(self, event: Event) -> bool:
        return self.tuning.is_outside(event.source_ip, self.locate)

    def is_sensitive(self, events: Collection[Event]) -> bool:
        """Whether the data came from something that the configuration calls sensitive, or is in such an account."""
        if any(self.tuning.is_sensitive(each.account, ()) for each in events):
            return True
        if not self.tuning.sensitive:
            return False
        told = {name for each in events for name in (each.source, *each.subjects) if name}
        for cloud in {each.cloud for each in events}:  # all at once
            self.look(cloud, {name for each in events if each.cloud == cloud for name in each.subjects})
        for event in events:
            if known := self.known(event):
                told |= {each for each in (known.resource.source, known.resource.name) if each}
        return self.tuning.is_sensitive("", told)

    def judge(self, principal: Principal, event: Event) -> Judgement:
        known = self.known(event)
        kind, source = (known.kind, known.resource.source or "") if known else (_kind(event), "")
        asked = (principal, event.account, kind, source)
        if asked not in self.judged:
            self.judged[asked] = self.trust.judge(
                principal, account=event.account, kind=kind, on=self.on, source=source
            )
        return self.judged[asked]

    def actor_principal(self, event: Event) -> Principal:
        """The actor as a holder of grants: its account, or its mail where only that is told."""
        actor = event.actor
        kind = _HOMES.get(event.cloud)
        if kind and actor.account:
            return Principal(kind, actor.account)
        machine = actor.id.endswith("gserviceaccount.com")
        return Principal(PrincipalKind.SERVICE_ACCOUNT if machine else PrincipalKind.USER, actor.id)

    def severity(self, severity: Severity, events: Iterable[Event]) -> Severity:
        """Worse where the data is sensitive or the address is not ours; each by one step."""
        some = list(events)
        steps = self.is_sensitive(some) + any(self.is_outside(each) for each in some)
        return step(severity, -steps)


_HOMES: Mapping[str, str] = {Cloud.AWS: PrincipalKind.ACCOUNT, Cloud.AZURE: PrincipalKind.TENANT}
_SCHEDULERS = frozenset(f"{each}.amazonaws.com" for each in ("backup", "dlm", "rds", "rbin"))
_ORDERED = frozenset({"imagebuilder.amazonaws.com", "scheduler.amazonaws.com"})
"""They work by themselves and do what somebody told them: any call, of any service, with any role that may be passed to
them (EventBridge Scheduler User Guide, "Universal targets")."""
_SCANNERS = frozenset(
    f"{each}.amazonaws.com"
    for each in ("guardduty", "malware-protection.guardduty", "inspector2", "agentless.inspector2")
)
"""In CloudTrail's sourceIPAddress, which AWS sets, for calls that a service makes by itself with a role."""
_LINKED = ":role/aws-service-role/"
_SCANNING = ("guardduty", "inspector", "defender")


@cache
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _kind(event: Event) -> str:
    service = event.name.partition(":")[0] if event.cloud == Cloud.AWS else "compute"
    return f"{event.cloud}.{service}.snapshot"


def step(severity: Severity, by: int) -> Severity:
    """So many steps milder, or (negative) worse."""
    ladder = list(Severity)
    return ladder[min(max(severity.rank + by, 0), len(ladder) - 1)]
