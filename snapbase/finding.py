"""What a report says: findings and the report that carries them, as values every renderer takes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from snapbase.event import Event
from snapbase.model import Approval, Baseline, Coverage, Json, Principal, Run


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for critical, 4 for info."""
        return _RANKS[self]


_RANKS = {each: rank for rank, each in enumerate(Severity)}


def several(count: int, noun: str) -> str:
    """`1 snapshot`, `1,200 snapshots`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class SubjectType(StrEnum):
    SNAPSHOT = "snapshot"
    CONTAINER = "container"
    GUARDRAIL = "guardrail"
    POLICY = "policy"
    SCOPE = "scope"
    PRINCIPAL = "principal"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about; None where not known."""

    type: str
    uid: str
    address: str | None = None
    name: str | None = None
    created_at: datetime | None = None
    encrypted: bool | None = None
    source: str | None = None
    origin: str | None = None
    owner: str | None = None
    """Whoever answers for it, as the configuration or a subscription's tags say; else the account that owns it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose an account, subscription or project is, as far as somebody said; empty where nobody did."""

    id: str
    name: str = ""
    owner: str = ""
    team: str = ""
    environment: str = ""
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Grantee:
    """The principal of a finding, classified."""

    principal: Principal
    trust: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The change itself: `type` is a change's name (`grant-added`), `before` and `after` are plain values."""

    type: str
    before: Json = None
    after: Json = None


@dataclass(frozen=True, slots=True)
class Attack:
    """MITRE ATT&CK: techniques, and data components of the Snapshot data source (DS0020 until v17)."""

    techniques: tuple[str, ...]
    data_components: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    at: datetime
    action: str
    actor: str
    source_ip: str | None
    user_agent: str | None
    event_id: str
    certainty: str
    country: str | None = None
    """Where the address is: two letters, or `unknown`; None where nobody was asked."""

    @classmethod
    def of(cls, event: Event, certainty: str) -> "Attribution":
        """Who did what an event says, before anybody asked where the address is."""
        return cls(
            at=event.at,
            action=event.name,
            actor=event.actor.id or event.actor.via or "nobody named",
            source_ip=event.source_ip or None,
            user_agent=event.user_agent or None,
            event_id=event.id,
            certainty=certainty,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    id: str
    """Stable fingerprint: the same entry with the same value has the same id in every run."""
    rule: str
    severity: Severity
    title: str
    detail: str = ""
    """One sentence more where the title cannot carry it: why the severity, what limits the grant."""
    cloud: str
    account: str
    location: str
    kind: str
    subject: Subject
    entry: str
    """The entry of the subject that differs; an approval pins exactly this."""
    count: int = 1
    """How many resources lie below or behind it."""
    approval: Approval | None = None
    """The approval that ended, or that covers part of it."""
    grantee: Grantee | None = None
    change: Delta
    attribution: tuple[Attribution, ...] = ()
    attack: Attack
    undo: str = ""
    """The command that takes it back; printed, never run."""
    also: tuple[str, ...] = ()
    """Uids of other views of the same data: its recovery point, the snapshots behind an image."""
    covers: tuple[tuple[str, str], ...] = ()
    """Every (subject, entry) that approving this finding pins; never empty in a report."""
    owned: Account | None = None
    """Whose the account is in which it was found."""


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """A scope that is not completely read."""

    coverage: Coverage
    since_run: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One approved cohort in one report: alive, and how much it hid."""

    origin: str
    evidence: str
    low_trust: bool = False
    appeared: int = 0
    disappeared: int = 0
    sources: int = 0
    violations: int = 0
    samples: tuple[str, ...] = ()
    """Addresses of a few that came, where the evidence is weak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    snapshots: int = 0
    initial: int = 0
    """Resources seen for the first time by the first complete read of their scope: folded, not news."""
    expected_appeared: int = 0
    expected_disappeared: int = 0
    cohorts: tuple[Heartbeat, ...] = ()
    """Every approved cohort, the busiest first."""
    approved_exposures: int = 0
    by_kind: tuple[tuple[str, int], ...] = ()
    """Open resources per kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer of one diff: everything a renderer needs, sorted: severity, then rule, then uid."""

    baseline: Baseline | None
    run: Run
    complete: bool
    """Whether every scope was completely read."""
    evaluated_at: datetime
    summary: Summary
    coverage: tuple[CoverageGap, ...]
    """Every scope that is not complete."""
    findings: tuple[Finding, ...]
    since: str = ""
    """What it is compared with, in words, where not an approved baseline: `run 12`."""
    notes: tuple[str, ...] = field(default=())
    """What must be said beside the findings: trust lists that could not be read, and the like."""
