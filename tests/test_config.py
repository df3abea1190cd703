"""What people write: every key is known, every mistake is named, nothing at all works too."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from snapbase import config
from snapbase.config import Config, load, store_url
from snapbase.errors import ConfigurationError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def put(text: str) -> Path:
        path = tmp_path / "snapbase.toml"
        path.write_text(text)
        return path

    return put


def test_the_example_loads_and_names_every_key_once() -> None:
    load(EXAMPLE, {})
    text = EXAMPLE.read_text()

    sections: list[type[BaseModel]] = [config.AwsEntry, config.AzureEntry, config.GcpEntry, config.TrustedAccount]
    sections += [config.TrustSection, config.CollectSection, config.StoreSection, config.ReportSection]
    for section in sections:
        for name in section.model_fields:
            assert f"{name} = " in text or f"[[trust.{name}]]" in text, f"{section.__name__}.{name}"


def test_the_examples_values_are_the_defaults() -> None:
    loaded = load(EXAMPLE, {})

    pairs: list[tuple[BaseModel, BaseModel]] = [
        (loaded.aws[0], config.AwsEntry()),
        (loaded.azure[0], config.AzureEntry()),
        (loaded.gcp[0], config.GcpEntry()),
        (loaded.collect, config.CollectSection()),
        (loaded.store, config.StoreSection()),
        (loaded.report, config.ReportSection()),
    ]
    for written, default in pairs:
        assert written == default


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[aws]]\nregion = ['x']", "aws[0].region: no such key; did you mean regions?"),
        ("[colect]\nthreads = 1", "colect: no such key; did you mean collect?"),
        (
            "[[trust.accounts]]\nid='1'\nreason='abc'\nkind=['x']",
            "trust.accounts[0].kind: no such key; did you mean kinds",
        ),
        ("[[aws]]\naccounts = ['12345']", "aws[0].accounts[0]"),
        ("[[trust.accounts]]\nid='444455556666'", "trust.accounts[0].reason"),
        ("[collect]\nthreads = 0", "collect.threads"),
        ("[[azure]]\nendpoint_url = 'http://cloud.example'", "loopback"),
        ("[[azure]]\nsubscriptions = ['prod']", "azure[0].subscriptions[0]"),
        ("[report]\nfail_on = 'bad'", "report.fail_on"),
        ("not toml", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(write: Callable[[str], Path], text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write(text), {})

    assert words in caught.value.message


def test_every_mistake_is_named_at_once(write: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(write("[collect]\nthreads = 0\nsample = 2"), {})

    assert "collect.threads" in caught.value.message
    assert "collect.sample" in caught.value.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.toml", {})


def test_the_environment_wins_over_the_file(write: Callable[[str], Path]) -> None:
    path = write("[collect]\nthreads = 3\n[store]\nurl='sqlite:////a'\n[[gcp]]")
    environ = {
        "SNAPBASE_THREADS": "7",
        "SNAPBASE_STORE_URL": "sqlite:////b",
        "SNAPBASE_GCP_ENDPOINT": "http://127.0.0.1:1",
    }

    loaded = load(path, environ)

    assert loaded.collect.threads == 7
    assert store_url(loaded) == "sqlite:////b"
    assert loaded.gcp[0].endpoint_url == "http://127.0.0.1:1"


def test_no_file_at_all_reads_the_clouds_that_have_credentials(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    only_aws = load(None, {**home, "AWS_PROFILE": "audit"})
    nothing = load(None, home)

    assert (len(only_aws.aws), len(only_aws.azure), len(only_aws.gcp)) == (1, 0, 0)
    assert (len(nothing.aws), len(nothing.azure), len(nothing.gcp)) == (1, 1, 1)
    assert store_url(nothing).endswith("snapbase.db")


def test_the_digest_changes_with_what_was_told() -> None:
    assert Config().digest() == Config().digest()
    assert Config().digest() != Config(collect=config.CollectSection(threads=3)).digest()
