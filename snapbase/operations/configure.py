"""A first configuration, from what this machine says of credentials: names and ids only, never a secret.

Nothing is asked of a network here but by `looked`, which signs in as a run would.
"""

import configparser
import json
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapbase.collect.collector import cloud
from snapbase.collect.runtime import Runtime
from snapbase.config import CLOUDS, home, load
from snapbase.errors import CredentialsError, UsageError
from snapbase.shapes import GUID

_KEY = re.compile(r"(?:# )?(?P<key>[a-z_]+) = ")
_HEADER = re.compile(r"(?:# )?\[+(?P<section>[a-z_.]+)\]+$")
_PROFILE = re.compile(r"[\w.@+:/-]{1,128}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
"""How the regions of each partition but the first begin (botocore's endpoints.json)."""
_BEGINNING = """\
# Written by `snapbase init`. What is commented out is the default or an example; secrets belong into the environment:
# SNAPBASE_<SECTION>__<KEY> there wins over this file, e.g. SNAPBASE_STORE__URL."""
_SHOWN = 20
_SIZE = 1 << 20
"""Bytes of a credentials file that are read."""


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials of one cloud that seem to be there."""

    cloud: str
    why: str
    """What says so, in words."""
    entry: Mapping[str, str] = field(default_factory=dict)
    """Keys of the configuration entry that are not the default."""
    others: tuple[Mapping[str, str], ...] = ()
    """Entries that could be meant instead, or as well."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a cloud said when we signed in."""

    cloud: str
    ok: bool
    words: tuple[str, ...]


def found(environ: Mapping[str, str]) -> list[Found]:
    """Every cloud for which the environment or a file of its own command line hints at credentials."""
    folder = home(environ)
    looks = (_aws(environ, folder), _azure(environ, folder), _gcp(environ, folder))
    every = (each or _told(name, environ) for name, each in zip(CLOUDS, looks, strict=True))
    return [each for each in every if each is not None]


def _told(name: str, environ: Mapping[str, str]) -> Found | None:
    """Our own variables say that a cloud is meant."""
    hint = next((key for key in sorted(environ) if key.startswith(f"SNAPBASE_{name.upper()}_")), "")
    return Found(name, f"{hint} in the environment") if hint else None


def _aws(environ: Mapping[str, str], home: Path) -> Found | None:
    """Environment, then the profiles of ~/.aws (AWS SDKs and Tools Reference Guide, "Shared config files")."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip
    profiles = _profiles(environ, home)
    asked = environ.get("AWS_PROFILE", "")
    said = next((key for key in keys if environ.get(key)), "")
    if asked and asked not in profiles:  # the SDK takes no other one instead
        said = said or "AWS_PROFILE"
    if said:
        return Found("aws", f"{said} in the environment", _region(environ, {}))
    names = [name for name in profiles if name != "default"]
    if asked in profiles or "default" in profiles:
        chosen = asked if asked in profiles else "default"
    elif names:
        chosen = names[0]
    else:
        return None
    entries = [
        {**({"profile": name} if name != "default" else {}), **_region(environ, profiles[name])}
        for name in [chosen, *(each for each in names if each != chosen)]
    ]
    others = tuple({"name": _name(each), **each} for each in entries[1:_SHOWN])
    return Found("aws", f"profile {chosen} in ~/.aws", entries[0], others)


def _profiles(environ: Mapping[str, str], home: Path) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(_text(Path(environ.get(variable) or home / ".aws" / name)))
        except configparser.Error:
            continue
        for section in parser.sections():
            kind, _, rest = section.partition(" ")
            if name == "config" and kind != "profile" and section != "default":
                continue
            profile = rest.strip() if name == "config" and rest else section
            if _PROFILE.fullmatch(profile):
                found[profile] = {**found.get(profile, {}), "region": parser.get(section, "region", fallback="")}
    return found


def _region(environ: Mapping[str, str], profile: Mapping[str, str]) -> dict[str, str]:
    """Where to sign in, in partitions where the default cannot be meant."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or profile.get("region", "")
    partition = next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "")
    known = partition and re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+", region)
    return {"home_region": region, "partition": partition} if known else {}


def _name(entry: Mapping[str, str]) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", entry.get("profile") or entry.get("tenant_id", "")).strip("-") or "other"


def _azure(environ: Mapping[str, str], home: Path) -> Found | None:
    """Environment (azure-identity, `EnvironmentCredential`), then what `az login` keeps of subscriptions."""
    tenant = environ.get("AZURE_TENANT_ID", "").lower()
    entry = {"tenant_id": tenant} if re.fullmatch(GUID, tenant) else {}
    said = next((key for key in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID") if environ.get(key)), "")
    if said:
        return Found("azure", f"{said} in the environment", entry)
    folder = Path(environ.get("AZURE_CONFIG_DIR") or home / ".azure")
    known = _json(folder / "azureProfile.json").get("subscriptions")
    rows = [each for each in known if isinstance(each, dict)] if isinstance(known, list) else []
    rows.sort(key=lambda each: not each.get("isDefault"))
    tenants = dict.fromkeys(str(each.get("tenantId", "")).lower() for each in rows)
    ids = [each for each in tenants if re.fullmatch(GUID, each)]
    if not ids:
        return None
    others = tuple({"name": f"azure-{number}", "tenant_id": each} for number, each in enumerate(ids[1:_SHOWN], 2))
    return Found("azure", "`az login`", {"tenant_id": ids[0]}, others)


def _gcp(environ: Mapping[str, str], home: Path) -> Found | None:
    """Application default credentials, where google-auth looks for them (`google.auth.default`)."""
    folder = Path(environ.get("CLOUDSDK_CONFIG") or home / ".config" / "gcloud")
    told = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    body = _json(Path(told) if told else folder / "application_default_credentials.json")
    if not body and not told:
        return None
    project = str(body.get("quota_project_id") or "")
    entry = {"quota_project": project} if _PROJECT.fullmatch(project) else {}
    return Found("gcp", "GOOGLE_APPLICATION_CREDENTIALS" if told else "application default credentials", entry)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_SIZE).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(_text(path))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def written(clouds: Sequence[Found], looks: Sequence[Look] = ()) -> str:
    """The configuration: every key with its comment, commented out but for what was found."""
    by_cloud = {each.cloud: each for each in clouds}
    said = {look.cloud: look for look in looks}
    lines = [_BEGINNING]
    section = ""
    template = example().read_text(encoding="utf-8").splitlines()
    for line in template[template.index("") :]:
        header = _HEADER.fullmatch(line)
        if header:
            lines += _others(by_cloud.get(section))
            section = header["section"]
        here, key = by_cloud.get(section), _KEY.match(line)
        if header and here is not None:
            lines += [line, f"# Found: {here.why}.", *_said(said.get(section))]
        elif header and section in CLOUDS:
            lines.append(f"# {line}")
        elif key and here is not None and key["key"] in here.entry:
            lines.append(f"{key['key']} = {_quoted(here.entry[key['key']])}")
        else:
            lines.append(f"# {line}" if key and not line.startswith("#") else line)
    return "\n".join(lines) + "\n"


def _others(here: Found | None) -> Iterator[str]:
    for entry in here.others if here else ():
        yield f"# [[{here.cloud if here else ''}]]"
        yield from (f"# {key} = {_quoted(value)}" for key, value in entry.items())
        yield ""


def _said(look: Look | None) -> Iterator[str]:
    yield from (f"# {_plain(each)}" for each in (look.words if look else ()))


def _plain(text: str) -> str:
    """A cloud's words on one line of a comment."""
    return "".join(each if each.isprintable() else "?" for each in text)[:300]


def _quoted(value: str) -> str:
    """As TOML's basic string; what is written has been checked for its shape."""
    return json.dumps(value, ensure_ascii=False)


def example() -> Path:
    """Beside the package in a wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "config.example.toml"
    return inside if inside.is_file() else package.parent / "config.example.toml"


def looked(clouds: Sequence[Found], environ: Mapping[str, str]) -> list[Look]:
    """Signs in to each as a run would, and lists its accounts, subscriptions or projects; what fails is said."""
    with tempfile.TemporaryDirectory(prefix="snapbase-") as folder:
        path = Path(folder) / "snapbase.toml"
        path.write_text(written(clouds), encoding="utf-8")
        config = load(path, environ)
    return [_look(each.cloud, getattr(config, each.cloud)[0]) for each in clouds]


def _look(name: str, entry: Any) -> Look:
    runtime = Runtime(threads=4, stop=threading.Event(), give_up_after=30)
    try:
        connection = cloud(name).connect(entry, runtime)
        who = connection.identity()
        accounts = {each.account: each.label for each in connection.targets() if each.failure is None}
    except CredentialsError as error:
        return Look(name, False, (f"Signing in failed: {error.message}",))
    except Exception as error:
        miss = cloud(name).classify(error)
        if miss is None:
            raise
        return Look(name, False, (f"Signing in failed: {miss.reason}",))
    finally:
        runtime.close()
    named = [f"{account} ({label})" if label else account for account, label in sorted(accounts.items())]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    what = f"Its {CLOUDS[name]}: {', '.join(named[:_SHOWN])}{more}." if named else f"It sees no {CLOUDS[name]}."
    return Look(name, True, (f"Signed in as {who}.", what))


def save(path: Path, text: str, *, force: bool = False) -> None:
    """Writes a file that only its owner can read; raises `UsageError` where there is one, unless `force`."""
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is no file.", hint="Give another --output; `-` is stdout.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and not force:
            raise UsageError(f"{path} exists already.", hint="Give another --output, or --force to replace it.")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", hint="Give another --output.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
