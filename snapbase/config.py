"""TOML -> validated `Config`. The only reader of files and environment."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import platformdirs
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from snapbase.errors import ConfigurationError
from snapbase.settings import Config
from snapbase.shapes import (
    WORDS,
)

CLOUDS = {"aws": "accounts", "azure": "subscriptions", "gcp": "projects"}
"""The sections of which there may be several, and what their entries read."""
_SEVERAL = (*CLOUDS, "accounts")


def store_url(config: Config) -> str:
    """Where the store is: as configured, else `snapbase.db` in the user's data folder."""
    if config.store.url:
        return config.store.url
    return f"sqlite:///{data_folder() / 'snapbase.db'}"


def data_folder() -> Path:
    """The user's, for what nobody named a place; raises `ConfigurationError` for a user without a home."""
    return _usual(platformdirs.user_data_dir)


def usual_path() -> Path:
    """Where a configuration is found without being named; raises `ConfigurationError` for a user without a home."""
    return _usual(platformdirs.user_config_dir) / "snapbase.toml"


def _usual(folder: Callable[[str], str]) -> Path:
    try:
        return Path(folder("snapbase"))
    except RuntimeError:  # neither HOME nor an entry in /etc/passwd
        hint = "Set HOME; or name the configuration (SNAPBASE_CONFIG) and the store (SNAPBASE_STORE_URL)."
        raise ConfigurationError("This user has no home folder, and so no usual place for files.", hint=hint) from None


def _found() -> Path | None:
    """The usual file where there is one, or where nobody can tell: reading it then says why."""
    try:
        path = usual_path()
        return path if path.exists() else None
    except ConfigurationError:
        return None
    except OSError:
        return path


def home(environ: Mapping[str, str]) -> Path:
    """The user's home folder; whoever has none is given one that cannot have anything in it."""
    try:
        return Path(environ.get("HOME", "~")).expanduser()
    except RuntimeError:
        return Path(os.devnull)


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from a file (given, `SNAPBASE_CONFIG`, or the user's) and the environment.

    With no file at all, every cloud whose own default credentials may exist is read. Raises `ConfigurationError`
    naming every problem, and for an unknown key or variable the nearest known one.
    """
    _refuse_unknown(environ)
    found = path or (Path(environ["SNAPBASE_CONFIG"]) if environ.get("SNAPBASE_CONFIG") else None)
    if found is None:
        found = _found()
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
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", hint="`snapbase init` writes one."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.", hint=_HINT) from None


def _ambient(environ: Mapping[str, str]) -> dict[str, Any]:
    """One entry for every cloud for which something on this machine hints at credentials; all three if nothing does."""
    folder = home(environ)
    hints = {
        "aws": ("AWS_", folder / ".aws"),
        "azure": ("AZURE_", folder / ".azure"),
        "gcp": ("GOOGLE_", folder / ".config" / "gcloud"),
    }
    likely = [
        name
        for name, (prefix, theirs) in hints.items()
        if any(key.startswith((prefix, f"SNAPBASE_{name.upper()}_")) for key in environ) or os.path.isdir(theirs)
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
_SERVICE = re.compile(
    r"SNAPBASE_(?!\w*__)(?:\w+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes and Docker's links set in every container for a service called `snapbase` or `snapbase-…`
(Kubernetes, "Service", environment variables). None has two underscores in a row, as ours have."""


def _model(section: str) -> type[BaseModel]:
    annotation = Config.model_fields[section].annotation
    model = next((each for each in (*get_args(annotation), annotation) if isinstance(each, type)), None)
    if model is None or not issubclass(model, BaseModel):
        raise TypeError(f"{section} is not a section")
    return model


def _variables() -> dict[str, tuple[str, str]]:
    """Every variable that sets a key, and which: `SNAPBASE_<SECTION>__<KEY>` and the short ones.

    None for `[[accounts]]`, a list by nature.
    """
    sections = (section for section in Config.model_fields if section != "accounts")
    places = ((section, key) for section in sections for key in _model(section).model_fields)
    return {f"SNAPBASE_{section}__{key}".upper(): (section, key) for section, key in places} | _SHORT


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = sorted({*_variables(), *_ENDPOINTS, "SNAPBASE_CONFIG"})
    ours = (name for name in environ if name.startswith("SNAPBASE_") and not name.startswith(_DEVELOPMENT))
    unknown = sorted(name for name in ours if name not in known and not _SERVICE.fullmatch(name))
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
        if environ.get(name):
            _tell(told, place, name, environ)
            _put(body, place, _value(name, place, environ[name]), name)
    for name, cloud in _ENDPOINTS.items():
        for entry in _tables(body.get(cloud)) if environ.get(name) else ():
            _tell(told, (cloud, "endpoint"), name, environ)
            entry["endpoint"] = environ[name]
    return told


def _tell(told: dict[tuple[str, str], str], place: tuple[str, str], name: str, environ: Mapping[str, str]) -> None:
    first = told.setdefault(place, name)
    if environ[first] != environ[name]:
        raise ConfigurationError(f"{first} and {name} set the same key to different values: keep one.")


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
    for number, owned in enumerate(config.accounts):
        yield f"accounts[{number}].id", "owned", owned.id
    trust = config.trust
    for number, account in enumerate(trust.accounts):
        yield f"trust.accounts[{number}].id", "trusted", account.id
    for name in ("organizations", "tenants", "domains"):
        yield from _each(f"trust.{name}", f"trusted {name}", getattr(trust, name))


def _each(where: str, group: str, values: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return ((f"{where}[{number}]", group, value) for number, value in enumerate(values))


_UNSHOWN = frozenset({"external_id", "url", "notify", "signing_key"})
"""Keys and sections whose values may hold a secret: a message never repeats them, nor what stands for a section."""


def _problem(error: ErrorDetails, told: Mapping[tuple[str, str], str]) -> str:
    place = error["loc"]
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).lstrip(".")
    section, *key = [each for each in place if isinstance(each, str)]
    variable = told.get((section, key[0])) if key else None
    return f"{where}{f' (from {variable})' if variable else ''}: {_what(error)}"


def _what(error: ErrorDetails) -> str:
    place, given = error["loc"], error["input"]
    hidden = len(place) == 1 or _UNSHOWN.intersection(place)
    shown = "what was given" if hidden else repr(str(given)[:60])
    words = WORDS.get(str(error.get("ctx", {}).get("pattern")))
    if words:
        return f"{shown} is not {words}"
    if len(place) == 1 and place[0] in _SEVERAL and isinstance(given, dict):
        return f"write [[{place[0]}]], with two brackets: there may be several"
    if len(place) == 1 and isinstance(given, list):
        return f"write [{place[0]}], with one bracket: there is only one"
    if error["type"] == "string_type" and isinstance(given, int):
        return f"{shown if hidden else given} must be in quotes"
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
