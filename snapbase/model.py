"""The nouns of snapbase: frozen values, standard library only, no I/O.

A `Scope` is read, giving `Observation`s of `Resource`s with their `Grant`s, and a `Coverage` that says how well it was
read. What was not read is a value of its own: `grants=None` means unknown, never "not shared".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

SKIPPED = "skipped by the configuration"
"""Reason of a coverage that is complete only because somebody said that there is nothing to read."""
ANYWHERE = "*"
"""In a scope's location and kind: the whole account, as when its role cannot be assumed."""


class Cloud(StrEnum):
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The unit of collection, coverage, transaction and retry: one kind in one location of one account."""

    cloud: str
    account: str
    """AWS: account id; Azure: subscription id; GCP: project id."""
    location: str
    """A region, `global`, or `ANYWHERE`."""
    kind: str
    """A collector's kind such as `aws.ec2.snapshot`, or `ANYWHERE`."""

    def __str__(self) -> str:
        return f"{self.kind} in {self.account}/{self.location}"


class Outcome(StrEnum):
    """How a reading ended. Only `COMPLETE` makes absence a fact."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    DENIED = "denied"
    THROTTLED = "throttled"
    DISABLED = "disabled"
    FAILED = "failed"
    DEFERRED = "deferred"


class Aspect(StrEnum):
    LIST = "list"
    SHARING = "sharing"


@dataclass(frozen=True, slots=True, order=True)
class Coverage:
    """How well one aspect of a scope was read; `reason` says why not, and what to do, in words."""

    scope: Scope
    aspect: str
    outcome: str
    reason: str = ""

    @property
    def complete(self) -> bool:
        return self.outcome == Outcome.COMPLETE


@dataclass(frozen=True, slots=True, order=True)
class Miss:
    """Why a single resource's grants could not be read."""

    outcome: str
    reason: str


class ResourceType(StrEnum):
    """What a resource is to a reader of reports. Whatever holds data that can be taken home counts as a snapshot."""

    SNAPSHOT = "snapshot"
    DISK = "disk"
    """A disk in use, listed only while somebody else can take its data; its coming and going alone is no news."""
    CONTAINER = "container"
    """Organisation, folder, management group, subscription, resource group, account, project."""
    GUARDRAIL = "guardrail"
    """What limits grants elsewhere: a key and its policy, block public access, an organisation policy."""
    POLICY = "policy"
    """What shares or copies by itself: a lifecycle policy, a vault's access policy."""


class PrincipalKind(StrEnum):
    """Who can hold a grant, in the clouds' own terms."""

    PUBLIC = "public"
    """Everyone: AWS group `all`, GCP `allUsers`, an Azure community gallery."""
    AUTHENTICATED = "any-authenticated"
    """Everyone with any account of the cloud: GCP `allAuthenticatedUsers`."""
    BEARER = "bearer"
    """Whoever holds a URL: an Azure SAS. There is no recipient to know."""
    ACCOUNT = "account"
    ORGANIZATION = "organization"
    ORGANIZATIONAL_UNIT = "organizational-unit"
    TENANT = "tenant"
    SUBSCRIPTION = "subscription"
    PROJECT_TEAM = "project-team"
    """GCP projectOwner, projectEditor, projectViewer."""
    DOMAIN = "domain"
    USER = "user"
    GROUP = "group"
    FOREIGN_GROUP = "foreign-group"
    SERVICE_ACCOUNT = "service-account"
    SERVICE_PRINCIPAL = "service-principal"
    FEDERATED = "federated"
    """GCP principal:// and principalSet:// of workforce and workload identity pools."""
    SERVICE = "service"
    """A service of the cloud provider itself."""
    DELETED = "deleted"
    OTHER = "other"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    kind: str
    id: str

    def __str__(self) -> str:
        return self.id if self.kind != PrincipalKind.PUBLIC else "everyone"


class Access(StrEnum):
    """What a grant lets its principal do with the data."""

    READ = "read"
    """Make a disk, a copy or a download of it."""
    LAUNCH = "launch"
    RESTORE = "restore"
    RESHARE = "reshare"
    """Change who else may use it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One way one principal can use a resource (or, on a container, everything below it)."""

    principal: Principal
    access: str
    mechanism: str
    """The cloud's own name of the way: `ec2:createVolumePermission`, `azure.rbac/Owner`, `gcp.iam/roles/owner`."""
    condition: str = ""
    expires_at: datetime | None = None

    def __lt__(self, other: "Grant") -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[Principal, str, str, str, str]:
        ends = self.expires_at.isoformat() if self.expires_at else ""
        return (self.principal, self.access, self.mechanism, self.condition, ends)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a guardrail (or the resource itself) does to grants; effectiveness is computed from it at read time."""

    blocks: tuple[str, ...] = ()
    """Principal kinds whose grants do not work while this stands, e.g. `public` under block-all-sharing."""
    admits: tuple[str, ...] | None = None
    """The only principal ids that pass (`*`: anyone), e.g. those a key's policy lets decrypt; None: no restriction."""
    unknown: str = ""
    """Why the limit could not be determined; grants behind it are then of unknown effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Anything watched, as the cloud describes it. Volatile fields (progress, drifting sizes) never enter."""

    uid: str
    """What the cloud cannot reuse: an ARN (with creation time where names come back), a uniqueId, a numeric id."""
    address: str
    """What people paste into a console: ARN, ARM id, full resource name. Can come back with another uid."""
    type: str = ResourceType.SNAPSHOT
    name: str | None = None
    created_at: datetime | None = None
    owner: str | None = None
    source: str | None = None
    """The disk, volume, database or image it was taken from."""
    origin: str | None = None
    """What made it, where the cloud itself says so: `schedule:...`, `automated`, `backup-plan:...`."""
    encrypted: bool | None = None
    key: str | None = None
    guards: tuple[str, ...] = ()
    """Uids of the guardrails and containers whose state decides what the grants are worth."""
    limits: Limits | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict)
    """Posture: values many resources share (state, tier, network policy, size)."""
    facts: Mapping[str, Json] = field(default_factory=dict)
    """This one's own values (lock expiry, lineage keys, description)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    subject: str | None = None
    """Uid of the one thing this is another view of, e.g. a recovery point's EBS snapshot."""
    inferred: str | None = None
    """Why its sharing follows from its own fields and was not read, e.g. an AWS-managed key; None: it was read."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One resource as read in one run. Exactly one of `grants` and `miss` is None."""

    resource: Resource
    grants: frozenset[Grant] | None = frozenset()
    miss: Miss | None = None

    def __post_init__(self) -> None:
        if (self.grants is None) == (self.miss is None):
            raise ValueError("an observation has either grants or the reason why they were not read")


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one run read of one scope, and how well."""

    scope: Scope
    started_at: datetime
    """When the cloud was first asked; a reading that began earlier never overwrites one that began later."""
    observations: Sequence[Observation]
    coverage: tuple[Coverage, ...]
    """One for `list`, and one for `sharing` where the kind has any."""


@dataclass(frozen=True, slots=True)
class State:
    """One resource as of a revision."""

    scope: Scope
    resource: Resource
    grants: frozenset[Grant] | None
    """None: never read."""
    miss: Miss | None
    """Why the grants were not read the last time, if so; `grants` are then the last known ones."""
    unseen: str = ""
    """Of a guardrail or container: why it was not seen when it was looked for last, and since when; the rest is then
    what it was last."""


class RunState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    ABANDONED = "abandoned"
    """Killed or interrupted; what it recorded stays true, but nothing was complete."""
    IMPORTED = "imported"
    """Read from a file of approvals, not from a cloud: something to compare with, never something to judge."""


@dataclass(frozen=True, slots=True)
class Run:
    id: int
    state: str
    started_at: datetime
    finished_at: datetime | None
    last_rev: int
    """The clock when the run finished: state as of the run is state as of this revision."""
    trust_id: int | None
    selection: str
    """What it was narrowed to; empty for everything configured."""
    config_digest: str
    heard: int | None = None
    """The number of the newest audit event that was kept by then; None where nobody noted it."""


class BaselineScope(StrEnum):
    WHOLE = "whole"
    PARTIAL = "partial"
    REVOKED = "revoked"
    """Takes back the line it is about."""
    CONFIRMED = "confirmed"
    """The second pair of eyes for the pending line it is about."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let it through, why, and until when."""

    by: str
    at: datetime
    reason: str
    ticket: str = ""
    until: datetime | None = None
    baseline_id: int | None = None
    """The line of the log that said so; a later whole approval may carry it on."""


@dataclass(frozen=True, slots=True)
class Pin:
    """The approved value of one entry of one subject is its value as of `rev`, judged under `trust_id`."""

    subject: str
    entry: str
    rev: int
    trust_id: int | None
    approval: Approval
    held: bool = False
    """True where a whole-run approval held this entry back at its older value."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """One line of the append-only approval log."""

    id: int
    scope: str
    run_id: int
    rev: int
    """The approved revision: of this run if `whole`, else carried from the whole approval below it (0: none yet)."""
    trust_id: int | None
    approval: Approval
    entries: int
    """How many entries the approval covered or pinned."""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """The OS user, host and cloud identity seen when `--by` was claimed."""
    hash: str = ""
    about: int | None = None
    """The line that a revocation or a confirmation is about."""
    pending: bool = False
    """Counts only once somebody else has confirmed it."""
    covered: str = ""
    """A digest over the content it approved; empty in lines older than this evidence."""
    signature: str = ""
