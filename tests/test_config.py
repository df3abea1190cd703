"""Configuration: what is read, what wins, and what is refused with which words."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from snapbase.config import Config, load, store_url
from snapbase.errors import ConfigurationError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "snapbase.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _settings(model: type[BaseModel], at: str = "") -> dict[str, Any]:
    """Every key of the file, by its path, with the default."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotations = (field.annotation, *get_args(field.annotation))
        inner = next((each for each in annotations if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if inner is not None:
            found |= _settings(inner, f"{at}{name}.")
        else:
            found[f"{at}{name}"] = field.default
    return found


def _uncommented(text: str) -> str:
    """The example with its commented keys and tables put to use."""
    return re.sub(r"^# (?=(\[\[?[a-z.]+\]|[a-z_]+ = ))", "", text, flags=re.MULTILINE)


def test_the_example_loads_and_says_the_defaults() -> None:
    config = load(EXAMPLE, {})

    assert config == Config.model_validate({"aws": [{}], "azure": [{}], "gcp": [{}]})


def test_the_example_has_every_key_and_loads_with_all_of_them(tmp_path: Path) -> None:
    text = _uncommented(EXAMPLE.read_text(encoding="utf-8"))
    body = tomllib.loads(text)

    for path in _settings(Config):
        place: Any = body
        for part in path.split("."):
            place = place[0] if isinstance(place, list) else place
            assert part in place, f"config.example.toml does not have {path}"
            place = place[part]
    load(_file(tmp_path, text), {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[collect]\nthread = 4", "collect.thread: no such key; did you mean threads?"),
        ("[[aws]]\nregoins = []", "aws[0].regoins: no such key; did you mean regions?"),
        ("[[trust.accounts]]\nid = '111122223333'\nreason = 'why'\nutil = 2027-01-01", "did you mean until?"),
        ("colect = 1", "did you mean collect?"),
        ("[[aws]]\naccounts = ['12345']", "aws[0].accounts[0]: '12345' is not an AWS account id (12 digits"),
        ("[[azure]]\nsubscriptions = ['nonsense']", "azure[0].subscriptions[0]: 'nonsense' is not an Azure id"),
        ("[[gcp]]\nprojects = ['X']", "gcp[0].projects[0]: 'X' is not a GCP project id"),
        ("[trust]\norganizations = ['acme']", "trust.organizations[0]: 'acme' is not an AWS organisation id"),
        ("[trust]\ndomains = ['acme']", "trust.domains[0]: 'acme' is not a mail domain"),
        ("[[trust.accounts]]\nid = '444455556666'", "trust.accounts[0].reason"),
        ("[report]\nfail_on = 'bad'", "report.fail_on"),
        ("[collect]\nthreads = 0", "collect.threads"),
        ("[[gcp]]\nendpoint_url = 'http://example.com'", "loopback"),
        ("[[aws]", "is not TOML"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        load(_file(tmp_path, text), {})


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(_file(tmp_path, "[collect]\nthreads = 0\nsample = 2\n[report]\nfail_on = 'never'"), {})

    assert all(place in raised.value.message for place in ("collect.threads", "collect.sample", "report.fail_on"))


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(None, {"SNAPBASE_CONFIG": str(tmp_path / "missing.toml")})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "[store]\nurl = 'sqlite:////a.db'\n[[azure]]\n[[gcp]]\n[collect]\nthreads = 2")
    environ = {
        "SNAPBASE_STORE_URL": "sqlite:////b.db",
        "SNAPBASE_FAIL_ON": "high",
        "SNAPBASE_THREADS": "7",
        "SNAPBASE_AZURE_ENDPOINT": "http://127.0.0.1:1",
        "SNAPBASE_GCP_ENDPOINT": "http://127.0.0.1:2",
    }

    config = load(path, environ)

    assert store_url(config) == "sqlite:////b.db"
    assert config.report.fail_on == "high"
    assert config.collect.threads == 7
    assert (config.azure[0].endpoint_url, config.gcp[0].endpoint_url) == ("http://127.0.0.1:1", "http://127.0.0.1:2")


def test_without_a_file_the_clouds_with_credentials_in_reach_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    home = {"HOME": str(tmp_path)}

    only_aws, nothing = load(None, {**home, "AWS_PROFILE": "audit"}), load(None, home)

    assert (len(only_aws.aws), len(only_aws.azure), len(only_aws.gcp)) == (1, 0, 0)
    assert (len(nothing.aws), len(nothing.azure), len(nothing.gcp)) == (1, 1, 1)
    assert store_url(nothing).endswith("snapbase.db")


def test_the_digest_follows_what_was_told(tmp_path: Path) -> None:
    one, same = (load(_file(tmp_path, "[collect]\nthreads = 4"), {}) for _ in range(2))
    other = load(_file(tmp_path, "[collect]\nthreads = 5"), {})

    assert one.digest() == same.digest() != other.digest()
