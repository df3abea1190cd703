"""The configuration as values: every section and key, validated. Nothing here reads a file or the environment."""

import hashlib
import re
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from snapbase.shapes import (
    GUID,
    AwsAccountId,
    AwsOrganizationId,
    AwsQueue,
    AwsRegion,
    AwsRole,
    AwsTrail,
    Country,
    Domain,
    GcpParent,
    GcpProject,
    GcpSubscription,
    Guid,
    Holder,
    KindGlob,
    Name,
    Network,
    OrganizationId,
    OwnAccount,
    ServiceAccount,
)

_CENTURY = 36_500
"""Days: what lies further back than that has no date to be compared with."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: the only place where plain http and anonymous credentials go."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name: 127.0.0.1.example.com is anywhere
        return False


class _Entry(_Section):
    endpoint: str | None = None
    skip: tuple[KindGlob, ...] = ()
    """Kinds and logs that are not read here: `gcp.sql.*` where no project uses Cloud SQL."""

    @field_validator("endpoint")
    @classmethod
    def _https_or_loopback(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme != "https" and not is_loopback(value):
            raise ValueError("plain http is accepted for loopback hosts only")
        return value


class AwsEntry(_Entry):
    """One `[[aws]]`: one set of credentials and the accounts it reads."""

    endpoint: str | None = Field(default=None, validation_alias=AliasChoices("endpoint", "endpoint_url"))
    """Also `endpoint_url`, as in ~/.aws/config."""
    name: Name = "aws"
    profile: str | None = None
    accounts: tuple[AwsAccountId, ...] = ()
    """Empty: the organisation's accounts if `organization`, else the credentials' own account."""
    organization: bool = False
    role: AwsRole | None = None
    """Role name to assume in every account but the credentials' own: `snapbase-collector`; or a full ARN template."""
    external_id: str | None = None
    regions: tuple[AwsRegion, ...] = ()
    """Empty: every region enabled in the account."""
    home_region: AwsRegion = "us-east-1"
    partition: Literal["aws", "aws-cn", "aws-us-gov", "aws-eusc"] = "aws"
    trail: AwsTrail | None = None
    """`s3://bucket/prefix` of a CloudTrail trail, read instead of each region's event history."""
    trail_organization: AwsOrganizationId | None = None
    """Where that trail is an organisation's: its id."""
    queue: AwsQueue | None = None
    """An SQS queue of EventBridge events of CloudTrail, that tells `watch` where to look."""


class AzureEntry(_Entry):
    """One `[[azure]]`: one tenant's credential and the subscriptions it reads."""

    name: Name = "azure"
    tenant_id: Guid | None = None
    subscriptions: tuple[Guid, ...] = ()
    """Empty: every subscription visible to the credential."""


class GcpEntry(_Entry):
    """One `[[gcp]]`: one credential and the projects it reads."""

    name: Name = "gcp"
    projects: tuple[GcpProject, ...] = ()
    """Empty: every project the credential can find."""
    parents: tuple[GcpParent, ...] = ()
    """Folders and organisations: every active project below them, besides `projects`."""
    quota_project: GcpProject | None = None
    impersonate: ServiceAccount | None = None
    """A service account to impersonate."""
    subscription: GcpSubscription | None = None
    """A Pub/Sub subscription of a log sink's topic, that tells `watch` where to look."""


class AccountEntry(_Section):
    """One `[[accounts]]`: whose an account, subscription or project of ours is."""

    id: OwnAccount
    name: str = ""
    owner: str = ""
    team: str = ""
    environment: str = ""
    sensitive: bool = False
    """Whether everything about it is a step worse."""

    @field_validator("id")
    @classmethod
    def _lower_guid(cls, value: str) -> str:
        return _lower_guid(value)


def _lower_guid(value: str) -> str:
    """Azure's ids are compared in lower case."""
    return value.lower() if re.match(GUID, value) else value


class TrustedAccount(_Section):
    """An account, subscription, project, service account or user outside our own that may hold our data."""

    id: Holder
    name: str = ""
    reason: Annotated[str, StringConstraints(min_length=3)]
    until: date | None = None
    kinds: tuple[KindGlob, ...] = ()
    """Only for these kinds; empty: all."""
    sources: tuple[str, ...] = ()
    """Only for snapshots of these disks, volumes or databases (globs); empty: all."""

    @field_validator("id")
    @classmethod
    def _lower_guid(cls, value: str) -> str:
        return _lower_guid(value)


class TrustSection(_Section):
    accounts: tuple[TrustedAccount, ...] = ()
    organizations: tuple[OrganizationId, ...] = ()
    """Organisations that are ours beside the one collected: AWS o-..., GCP organisation numbers."""
    tenants: tuple[Guid, ...] = ()
    domains: tuple[Domain, ...] = ()
    vendors: Path | None = None
    """Names for account ids, in the shape of `known_aws_accounts`: labels in reports, never trust."""


class CollectSection(_Section):
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of the inferred resources whose sharing is read anyway."""
    give_up_after: Annotated[float, Field(gt=0)] = 600.0
    """Seconds after which a call that a cloud throttles or fails is no longer repeated."""
    kinds: tuple[KindGlob, ...] = ()
    """Only these kinds (globs); empty: all."""


class StoreSection(_Section):
    url: str | None = None
    keep_days: Annotated[int, Field(ge=61, le=_CENTURY)] | None = None
    """Days after which a run forgets what was over, but for what approvals need; None: nothing is ever forgotten."""


class ReportSection(_Section):
    fail_on: Literal["critical", "high", "medium", "low", "info"] = "low"


class AuditSection(_Section):
    enabled: bool = True
    """Whether a run reads the clouds' audit logs, too."""
    keep_days: Annotated[int, Field(ge=1, le=_CENTURY)] = 400
    """Days after which an event is forgotten."""


class WatchSection(_Section):
    every: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Seconds from the beginning of one round of `snapbase watch` to the next."""
    full: Annotated[float, Field(gt=0, le=86400)] = 3600.0
    """Seconds after which a round reads everything, whatever the logs say."""


def _safe_address(value: SecretStr | None) -> SecretStr | None:
    """An address that may have a secret in it, and gets what nobody else may read."""
    if value is None:
        return None
    parts = urlsplit(value.get_secret_value())
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise ValueError("an address begins with https:// and a host")
    if parts.scheme != "https" and not is_loopback(value.get_secret_value()):
        raise ValueError("plain http is accepted for loopback hosts only")
    return value


class TicketSection(_Section):
    tags: tuple[str, ...] = ()
    """Tag or label keys under which a snapshot may name the change it belongs to; empty: none may."""
    pattern: str = r"[A-Za-z][A-Za-z0-9]*-?[0-9]+"
    """What a ticket looks like, as a regular expression for the whole value."""
    command: tuple[str, ...] = ()
    """Asked whether a ticket covers a snapshot: JSON on its standard input; exit 0 yes, 1 no."""
    url: SecretStr | None = None
    """Asked by POST instead; answers {"confirmed": true | false, "reason": "..."}."""
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0

    _https_or_loopback = field_validator("url")(_safe_address)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class DetectSection(_Section):
    """What the rules on audit events are told of the estate; config.example.toml says of each what it is for."""

    trusted_actors: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    sensitive: tuple[str, ...] = ()
    burst: Annotated[int, Field(ge=1)] = 20
    listings: Annotated[int, Field(ge=1)] = 10
    window_hours: Annotated[float, Field(gt=0, le=720)] = 24.0
    days: Annotated[int, Field(ge=1, le=_CENTURY)] = 90
    locations: Path | None = None
    home_countries: tuple[Country, ...] = ()

    @model_validator(mode="after")
    def _countries_need_locations(self) -> "DetectSection":
        if self.home_countries and self.locations is None:
            raise ValueError("home_countries needs locations: a file that says where addresses are")
        return self


class NotifySection(_Section):
    """Who is told of what is new without asking. Addresses and the key are secrets: no message or store has them."""

    severity: Literal["critical", "high", "medium", "low", "info"] = "medium"
    """Lowest severity that is told."""
    webhook: SecretStr | None = None
    """Gets the report as JSON by POST."""
    key: SecretStr | None = None
    """Signs what the webhook gets."""
    command: tuple[str, ...] = ()
    """Gets the report as JSON on its standard input."""
    services: tuple[SecretStr, ...] = ()
    """Chat, mail and pagers, as `apprise` writes their addresses."""
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0

    _https_or_loopback = field_validator("webhook")(_safe_address)


class ApprovalSection(_Section):
    four_eyes: bool = False
    """An approval counts only once somebody else has confirmed it."""
    signing_key: Path | None = None
    """An Ed25519 private key (PEM or OpenSSH, without a passphrase) that signs every line of the approval log."""

    @field_validator("signing_key")
    @classmethod
    def _names_a_file(cls, value: Path | None) -> Path | None:
        """Taken for a name, the key itself would be in the message that there is no such file."""
        if value is not None and "PRIVATE KEY" in str(value):
            raise ValueError("the name of a file that has the key, not the key itself")
        return value


class Config(_Section):
    """Everything snapbase can be told."""

    aws: tuple[AwsEntry, ...] = ()
    azure: tuple[AzureEntry, ...] = ()
    gcp: tuple[GcpEntry, ...] = ()
    accounts: tuple[AccountEntry, ...] = ()
    trust: TrustSection = TrustSection()
    collect: CollectSection = CollectSection()
    store: StoreSection = StoreSection()
    report: ReportSection = ReportSection()
    audit: AuditSection = AuditSection()
    watch: WatchSection = WatchSection()
    tickets: TicketSection = TicketSection()
    detect: DetectSection = DetectSection()
    notify: NotifySection = NotifySection()
    approval: ApprovalSection = ApprovalSection()

    def digest(self) -> str:
        """Changes when anything that decides what is read and how it is judged changes; where it is kept does not."""
        kept: dict[str, Any] = {"store": True, "approval": True, "watch": True, "notify": True}
        hints: dict[str, Any] = {"aws": {"__all__": {"queue"}}, "gcp": {"__all__": {"subscription"}}}
        told = self.model_dump_json(exclude=kept | hints)
        return hashlib.sha256(told.encode()).hexdigest()[:16]
