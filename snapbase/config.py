"""TOML -> validated `Config`. The only reader of files and environment."""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

import platformdirs
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic_core import ErrorDetails

from snapbase.errors import ConfigurationError
from snapbase.shapes import (
    GUID,
    WORDS,
    AwsAccountId,
    AwsOrganizationId,
    AwsRegion,
    AwsRole,
    AwsTrail,
    Domain,
    GcpParent,
    GcpProject,
    Guid,
    Holder,
    KindGlob,
    Name,
    Network,
    OrganizationId,
    ServiceAccount,
)

CLOUDS = {"aws": "accounts", "azure": "subscriptions", "gcp": "projects"}
"""The sections of which there may be several, and what their entries read."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: the only place where plain http and anonymous credentials go."""
    host = urlsplit(endpoint).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


class _Entry(_Section):
    endpoint: str | None = None
    skip: tuple[KindGlob, ...] = ()
    """Kinds that are not read here: `gcp.sql.*` where no project uses Cloud SQL."""

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
        """Azure's ids are compared in lower case."""
        return value.lower() if re.match(GUID, value) else value


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


class ReportSection(_Section):
    fail_on: Literal["critical", "high", "medium", "low", "info"] = "low"


class AuditSection(_Section):
    enabled: bool = True
    """Whether a run reads the clouds' audit logs, too."""
    keep_days: Annotated[int, Field(ge=1)] = 400
    """Days after which an event is forgotten."""


class TicketSection(_Section):
    tags: tuple[str, ...] = ()
    """Tag or label keys under which a snapshot may name the change it belongs to; empty: none may."""
    pattern: str = r"[A-Za-z][A-Za-z0-9]*-?[0-9]+"
    """What a ticket looks like, as a regular expression for the whole value."""
    command: tuple[str, ...] = ()
    """Asked whether a ticket covers a snapshot: JSON on its standard input; exit 0 yes, 1 no."""
    url: str | None = None
    """Asked by POST instead; answers {"confirmed": true | false, "reason": "..."}."""
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0

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
    days: Annotated[int, Field(ge=1)] = 90


class ApprovalSection(_Section):
    four_eyes: bool = False
    """An approval counts only once somebody else has confirmed it."""
    signing_key: Path | None = None
    """An Ed25519 private key (PEM or OpenSSH, without a passphrase) that signs every line of the approval log."""


class Config(_Section):
    """Everything snapbase can be told."""

    aws: tuple[AwsEntry, ...] = ()
    azure: tuple[AzureEntry, ...] = ()
    gcp: tuple[GcpEntry, ...] = ()
    trust: TrustSection = TrustSection()
    collect: CollectSection = CollectSection()
    store: StoreSection = StoreSection()
    report: ReportSection = ReportSection()
    audit: AuditSection = AuditSection()
    tickets: TicketSection = TicketSection()
    detect: DetectSection = DetectSection()
    approval: ApprovalSection = ApprovalSection()

    def digest(self) -> str:
        """Changes when anything that decides what is read and how it is judged changes; where it is kept does not."""
        told = self.model_dump_json(exclude={"store": {"url"}, "approval": True})
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def store_url(config: Config) -> str:
    """Where the store is: as configured, else `snapbase.db` in the user's data folder."""
    if config.store.url:
        return config.store.url
    return f"sqlite:///{Path(platformdirs.user_data_dir('snapbase')) / 'snapbase.db'}"


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from a file (given, `SNAPBASE_CONFIG`, or the user's) and the environment.

    With no file at all, every cloud whose own default credentials may exist is read. Raises `ConfigurationError`
    naming every problem, and for an unknown key or variable the nearest known one.
    """
    _refuse_unknown(environ)
    found = path or (Path(environ["SNAPBASE_CONFIG"]) if environ.get("SNAPBASE_CONFIG") else None)
    if found is None:
        usual = Path(platformdirs.user_config_dir("snapbase")) / "snapbase.toml"
        found = usual if usual.exists() else None
    body = _read(found) if found else _ambient(environ)
    told = _overlay(body, environ)
    try:
        config = Config.model_validate(body)
        problems = _repeated(config)
    except ValidationError as error:
        problems = [_problem(each, told) for each in error.errors()]
    if problems:
        lines = "\n".join(f"  {each}" for each in problems)
        raise ConfigurationError(f"{found or 'The environment'} is not right:\n{lines}", hint=_HINT)
    return config


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
        if any(key.startswith((prefix, f"SNAPBASE_{name.upper()}_")) for key in environ) or folder.is_dir()
    ]
    return {name: [{}] for name in likely or hints}


_SHORT = {
    "SNAPBASE_STORE_URL": ("store", "url"),
    "SNAPBASE_FAIL_ON": ("report", "fail_on"),
    "SNAPBASE_THREADS": ("collect", "threads"),
    "SNAPBASE_SAMPLE": ("collect", "sample"),
}
_ENDPOINTS = {"SNAPBASE_AZURE_ENDPOINT": "azure", "SNAPBASE_GCP_ENDPOINT": "gcp"}
_DEVELOPMENT = ("SNAPBASE_TEST_", "SNAPBASE_UPDATE_")
"""How variables begin that are for working on snapbase, not for using it."""


def _model(section: str) -> type[BaseModel]:
    annotation = Config.model_fields[section].annotation
    model = next((each for each in (*get_args(annotation), annotation) if isinstance(each, type)), None)
    if model is None or not issubclass(model, BaseModel):
        raise TypeError(f"{section} is not a section")
    return model


def _variables() -> dict[str, tuple[str, str]]:
    """Every variable that sets a key, and which: `SNAPBASE_<SECTION>__<KEY>` and the short ones."""
    places = ((section, key) for section in Config.model_fields for key in _model(section).model_fields)
    return {f"SNAPBASE_{section}__{key}".upper(): (section, key) for section, key in places} | _SHORT


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = sorted({*_variables(), *_ENDPOINTS, "SNAPBASE_CONFIG"})
    ours = (name for name in environ if name.startswith("SNAPBASE_") and not name.startswith(_DEVELOPMENT))
    unknown = sorted(name for name in ours if name not in known)
    if unknown:
        words = (f"{name}; did you mean {_nearest(name, known)}?" for name in unknown)
        raise ConfigurationError(
            "The environment has variables that set nothing:\n" + "\n".join(f"  {each}" for each in words),
            hint="SNAPBASE_<SECTION>__<KEY> sets any key of config.example.toml, e.g. SNAPBASE_STORE__URL.",
        )


def _nearest(name: str, known: Sequence[str]) -> str:
    return difflib.get_close_matches(name, known, n=1, cutoff=0)[0]


def _overlay(body: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Puts the variables over the file; which variable said what, by its place."""
    told: dict[tuple[str, str], str] = {}
    for name, place in _variables().items():
        if not environ.get(name):
            continue
        if environ[told.setdefault(place, name)] != environ[name]:
            raise ConfigurationError(f"{told[place]} and {name} set the same key to different values: keep one.")
        _put(body, place, _value(name, place, environ[name]), name)
    for name, cloud in _ENDPOINTS.items():
        for entry in _tables(body.get(cloud)) if environ.get(name) else ():
            entry.setdefault("endpoint", environ[name])
    return told


def _put(body: dict[str, Any], place: tuple[str, str], value: object, name: str) -> None:
    """What is not the table it should be is left for the validation to refuse."""
    section, key = place
    if section not in CLOUDS:
        table = body.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
        return
    entries = _tables(body.setdefault(section, [{}]))
    if len(entries) > 1:
        raise ConfigurationError(
            f"{name} could mean any of {len(entries)} [[{section}]] entries.", hint=f"Set {key} in the file."
        )
    for entry in entries:
        if section == "aws" and key == "endpoint":
            entry.pop("endpoint_url", None)
        entry[key] = value


def _tables(found: object) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _value(name: str, place: tuple[str, str], text: str) -> object:
    """A list is written as in TOML, or with commas; everything else as it is."""
    section, key = place
    if get_origin(_model(section).model_fields[key].annotation) is not tuple:
        return text
    if not text.lstrip().startswith("["):
        return [each.strip() for each in text.split(",")]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not a list as TOML writes it: {error}.", hint=_HINT) from None


def _repeated(config: Config) -> list[str]:
    """What is told twice: the second time would be read twice, or silently do nothing."""
    places: dict[tuple[str, str], str] = {}
    problems = []
    for where, group, value in _told_once(config):
        first = places.setdefault((group, value), where)
        if first != where:
            problems.append(f"{where}: {value!r} is already {first}")
    return problems


def _told_once(config: Config) -> Iterator[tuple[str, str, str]]:
    """(place, group, value) of everything that may stand only once in its group."""
    for cloud, targets in CLOUDS.items():
        for number, entry in enumerate(getattr(config, cloud)):
            at = f"{cloud}[{number}]"
            yield f"{at}.name", f"{cloud} names", entry.name
            yield from _each(f"{at}.{targets}", targets, getattr(entry, targets))
            yield from _each(f"{at}.regions", f"{at} regions", getattr(entry, "regions", ()))
    trust = config.trust
    for number, account in enumerate(trust.accounts):
        yield f"trust.accounts[{number}].id", "trusted", account.id
    for name in ("organizations", "tenants", "domains"):
        yield from _each(f"trust.{name}", f"trusted {name}", getattr(trust, name))


def _each(where: str, group: str, values: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return ((f"{where}[{number}]", group, value) for number, value in enumerate(values))


_UNSHOWN = frozenset({"external_id", "url"})
"""Keys whose values may hold a secret: a message never repeats them."""


def _problem(error: ErrorDetails, told: Mapping[tuple[str, str], str]) -> str:
    place = error["loc"]
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).lstrip(".")
    section, *key = [each for each in place if isinstance(each, str)]
    variable = told.get((section, key[0])) if key else None
    return f"{where}{f' (from {variable})' if variable else ''}: {_what(error)}"


def _what(error: ErrorDetails) -> str:
    place, given = error["loc"], error["input"]
    shown = "what was given" if place[-1] in _UNSHOWN else repr(str(given)[:60])
    words = WORDS.get(str(error.get("ctx", {}).get("pattern")))
    if words:
        return f"{shown} is not {words}"
    if len(place) == 1 and place[0] in CLOUDS and isinstance(given, dict):
        return f"write [[{place[0]}]], with two brackets: there may be several"
    if len(place) == 1 and isinstance(given, list):
        return f"write [{place[0]}], with one bracket: there is only one"
    if error["type"] == "string_type" and isinstance(given, int):
        return f"{given} must be in quotes"
    if error["type"] != "extra_forbidden":
        return f"{error['msg'].removeprefix('Value error, ')} (got {shown})"
    known = _keys(place[:-1])
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    return "no such key" + (f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}")


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
