"""TOML -> validated `Config`. The only reader of files and environment."""

from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

AwsAccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
Guid = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
GcpProject = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9.:-]{4,61}|\d{6,})$")]
OrganizationId = Annotated[str, StringConstraints(pattern=r"^(o-[a-z0-9]{10,32}|\d{6,})$")]
Domain = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: the only place where plain http and anonymous credentials go."""
    host = urlsplit(endpoint).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


class _Entry(_Section):
    endpoint_url: str | None = None

    @field_validator("endpoint_url")
    @classmethod
    def _https_or_loopback(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme != "https" and not is_loopback(value):
            raise ValueError("plain http is accepted for loopback hosts only")
        return value


class AwsEntry(_Entry):
    """One `[[aws]]`: one set of credentials and the accounts it reads."""

    name: str = "aws"
    profile: str | None = None
    accounts: tuple[AwsAccountId, ...] = ()
    """Empty: the organisation's accounts if `organization`, else the credentials' own account."""
    organization: bool = False
    role: str | None = None
    """Role name to assume in every account but the credentials' own: `snapbase-collector`; or a full ARN template."""
    external_id: str | None = None
    regions: tuple[str, ...] = ()
    """Empty: every region enabled in the account."""
    home_region: str = "us-east-1"
    partition: Literal["aws", "aws-cn", "aws-us-gov", "aws-eusc"] = "aws"


class AzureEntry(_Entry):
    """One `[[azure]]`: one tenant's credential and the subscriptions it reads."""

    name: str = "azure"
    tenant_id: Guid | None = None
    subscriptions: tuple[Guid, ...] = ()
    """Empty: every subscription visible to the credential."""


class GcpEntry(_Entry):
    """One `[[gcp]]`: one credential and the projects it reads."""

    name: str = "gcp"
    projects: tuple[GcpProject, ...] = ()
    """Empty: every project the credential can find."""
    quota_project: str | None = None
    impersonate: str | None = None
    """A service account to impersonate."""


class TrustedAccount(_Section):
    """An account, subscription, project, service account or user outside our own that may hold our data."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    name: str = ""
    reason: Annotated[str, StringConstraints(min_length=3)]
    until: date | None = None
    kinds: tuple[str, ...] = ()
    """Only for these kinds; empty: all."""


class TrustSection(_Section):
    accounts: tuple[TrustedAccount, ...] = ()
    organizations: tuple[OrganizationId, ...] = ()
    """Organisations that are ours beside the one collected: AWS o-..., GCP organisation numbers."""
    tenants: tuple[Guid, ...] = ()
    domains: tuple[Domain, ...] = ()


class CollectSection(_Section):
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of the inferred resources whose sharing is read anyway."""
    kinds: tuple[str, ...] = ()
    """Only these kinds (globs); empty: all."""


class StoreSection(_Section):
    url: str | None = None


class ReportSection(_Section):
    fail_on: Literal["critical", "high", "medium", "low", "info"] = "low"


class Config(_Section):
    """Everything snapbase can be told."""

    aws: tuple[AwsEntry, ...] = ()
    azure: tuple[AzureEntry, ...] = ()
    gcp: tuple[GcpEntry, ...] = ()
    trust: TrustSection = TrustSection()
    collect: CollectSection = CollectSection()
    store: StoreSection = StoreSection()
    report: ReportSection = ReportSection()
