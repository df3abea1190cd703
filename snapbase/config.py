"""TOML -> validated `Config`. The only reader of files and environment."""

import difflib
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import ErrorDetails

from snapbase.errors import ConfigurationError

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

    def digest(self) -> str:
        """Changes when anything that was told changes."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def store_url(config: Config) -> str:
    """Where the store is: as configured, else `snapbase.db` in the user's data folder."""
    if config.store.url:
        return config.store.url
    return f"sqlite:///{Path(platformdirs.user_data_dir('snapbase')) / 'snapbase.db'}"


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from a file (given, `SNAPBASE_CONFIG`, or the user's) and the environment.

    With no file at all, every cloud whose own default credentials may exist is read. Raises `ConfigurationError`
    naming every problem, and for an unknown key the nearest known one.
    """
    found = path or (Path(environ["SNAPBASE_CONFIG"]) if environ.get("SNAPBASE_CONFIG") else None)
    if found is None:
        usual = Path(platformdirs.user_config_dir("snapbase")) / "snapbase.toml"
        found = usual if usual.exists() else None
    body = _read(found) if found else _ambient(environ)
    _overlay(body, environ)
    try:
        return Config.model_validate(body)
    except ValidationError as error:
        lines = "\n".join(f"  {_problem(each)}" for each in error.errors())
        raise ConfigurationError(f"{found or 'The environment'} is not right:\n{lines}", hint=_HINT) from None


_HINT = "config.example.toml has every key once, with its default."


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.", hint=_HINT) from None


def _ambient(environ: Mapping[str, str]) -> dict[str, Any]:
    """One entry for every cloud for which something on this machine hints at credentials; all three if nothing does."""
    home = Path(environ.get("HOME", "~")).expanduser()
    hints = {
        "aws": ("AWS_", home / ".aws"),
        "azure": ("AZURE_", home / ".azure"),
        "gcp": ("GOOGLE_", home / ".config" / "gcloud"),
    }
    likely = [
        name
        for name, (prefix, folder) in hints.items()
        if any(key.startswith(prefix) or key == f"SNAPBASE_{name.upper()}_ENDPOINT" for key in environ)
        or folder.is_dir()
    ]
    return {name: [{}] for name in likely or hints}


_SETTINGS = {
    "SNAPBASE_STORE_URL": ("store", "url"),
    "SNAPBASE_FAIL_ON": ("report", "fail_on"),
    "SNAPBASE_THREADS": ("collect", "threads"),
    "SNAPBASE_SAMPLE": ("collect", "sample"),
}
_ENDPOINTS = {"SNAPBASE_AZURE_ENDPOINT": "azure", "SNAPBASE_GCP_ENDPOINT": "gcp"}


def _overlay(body: dict[str, Any], environ: Mapping[str, str]) -> None:
    for name, (section, key) in _SETTINGS.items():
        if environ.get(name):
            body.setdefault(section, {})[key] = environ[name]
    for name, cloud in _ENDPOINTS.items():
        if environ.get(name):
            for entry in body.get(cloud, []):
                entry.setdefault("endpoint_url", environ[name])


_SHAPES = {
    r"^\d{12}$": "an AWS account id (12 digits, in quotes)",
    r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$": "an Azure id (8-4-4-4-12 hexadecimal digits)",
    r"^([a-z][a-z0-9.:-]{4,61}|\d{6,})$": "a GCP project id or number",
    r"^(o-[a-z0-9]{10,32}|\d{6,})$": "an AWS organisation id (o-...) or a GCP organisation number",
    r"^[a-z0-9.-]+\.[a-z]{2,}$": "a mail domain such as example.com",
}


def _problem(error: ErrorDetails) -> str:
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error["loc"]).lstrip(".")
    words = _SHAPES.get(str(error.get("ctx", {}).get("pattern")))
    if words:
        return f"{where}: {str(error['input'])[:60]!r} is not {words}"
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']} (got {str(error['input'])[:60]!r})"
    known = _keys(error["loc"][:-1])
    near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
    return f"{where}: no such key" + (f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}")


def _keys(path: Sequence[int | str]) -> list[str]:
    """The keys that may stand at a place of the file."""
    model: type[BaseModel] = Config
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = next((each for each in get_args(annotation) if isinstance(each, type)), annotation)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(model.model_fields)
