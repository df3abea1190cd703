"""Configuration: what is read, what wins, and what is refused with which words."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from snapbase.config import load, store_url, usual_path
from snapbase.errors import ConfigurationError
from snapbase.operations.configure import found
from snapbase.operations.told import path_of
from snapbase.settings import Config

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
        ("[[gcp]]\nendpoint = 'http://example.com'", "gcp[0].endpoint: plain http is accepted for loopback hosts only"),
        ("[[gcp]]\nendpoint_url = 'http://127.0.0.1'", "no such key; did you mean endpoint?"),
        ("[[aws]]\nendpoint = 'https://a'\nendpoint_url = 'https://b'", "aws[0].endpoint_url: no such key"),
        ("[[aws]]\naccounts = [111122223333]", "aws[0].accounts[0]: 111122223333 must be in quotes"),
        (
            "[[aws]]\naccounts = ['\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663']",
            "not an AWS account id",
        ),
        ("[[aws]]\nregions = ['Ireland']", "aws[0].regions[0]: 'Ireland' is not an AWS region such as eu-west-1"),
        (
            "[[aws]]\nrole = 'arn:aws:iam::1:role/x'",
            "aws[0].role: 'arn:aws:iam::1:role/x' is not a role's name, or its",
        ),
        ("[[gcp]]\nimpersonate = 'me@example.com'", "is not a service account's mail"),
        ("[[trust.accounts]]\nid = '*'\nreason = 'why'", "trust.accounts[0].id: '*' is not the id of an account"),
        ("[collect]\nkinds = ['EC2']", "collect.kinds[0]: 'EC2' is not a kind or a glob of kinds"),
        ("[collect]\ngive_up_after = 0", "collect.give_up_after"),
        ("[detect]\nnetworks = ['10.0.0.0/99']", "detect.networks[0]: '10.0.0.0/99' does not appear to be"),
        ("[detect]\nhome_countries = ['DE']", "detect: home_countries needs locations"),
        (
            "[detect]\nlocations = 'x'\nhome_countries = ['de']",
            "home_countries[0]: 'de' is not a country's two capital",
        ),
        ("[[accounts]]\nid = ''", "accounts[0].id: '' is not an AWS account id (12 digits), an Azure"),
        ("[[accounts]]\nid = '11112222333'", "accounts[0].id: '11112222333' is not an AWS account id"),
        ("[[accounts]]\nid = 'aaaaaaaa-0000-4000-8000-00000000001'", "accounts[0].id: 'aaaaaaaa-0000-4000-8000"),
        ("[[accounts]]\nid = 'Orders'", "accounts[0].id: 'Orders' is not an AWS account id"),
        ("[[accounts]]\nid = 'folders/x'", "accounts[0].id: 'folders/x' is not an AWS account id"),
        ("[accounts]\nid = '111122223333'", "write [[accounts]], with two brackets"),
        ("[[accounts]]\nid = '111122223333'\nonwer = 'ann'", "accounts[0].onwer: no such key; did you mean owner?"),
        (
            "[notify]\nwebhook = 'http://example.com/x'",
            "notify.webhook: plain http is accepted for loopback hosts only",
        ),
        ("[notify]\nwebhook = 'hooks.example.com'", "notify.webhook: an address begins with https:// and a host"),
        (
            "[tickets]\nurl = 'http://tickets.example.com'",
            "tickets.url: plain http is accepted for loopback hosts only",
        ),
        ("[tickets]\nurl = 'tickets.example.com'", "tickets.url: an address begins with https:// and a host"),
        ("[aws]\nprofile = 'audit'", "write [[aws]], with two brackets"),
        ("[[store]]\nurl = 'sqlite:///a.db'", "write [store], with one bracket"),
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


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[store]\nurl = ['postgresql://me:hunter2@db/snapbase']", "store.url"),
        ("store = 'postgresql://me:hunter2@db/snapbase'", "store"),
        ("tickets = 'https://me:hunter2@tickets.example.com'", "tickets"),
        ("[approval]\nsigning_key = '-----BEGIN PRIVATE KEY-----hunter2'", "approval.signing_key"),
        ("[approval]\nsigning_key = ['hunter2']", "approval.signing_key"),
    ],
)
def test_a_secret_is_not_repeated_in_a_message(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(_file(tmp_path, text), {})

    assert f"  {place}: " in raised.value.message
    assert "hunter2" not in raised.value.message


def test_a_number_in_place_of_a_secret_is_not_repeated_either(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="external_id: what was given must be in quotes"):
        load(_file(tmp_path, "[[aws]]\nexternal_id = 48151623"), {})


@pytest.mark.parametrize("key", ["audit]\nkeep_days", "store]\nkeep_days", "detect]\ndays"])
def test_nothing_is_kept_for_longer_than_there_are_dates(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigurationError, match="less than or equal to 36500"):
        load(_file(tmp_path, f"[{key} = 1_000_000"), {})


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "127.example.com", "localhost.example.com", "10.0.0.1"])
def test_what_only_looks_like_this_machine_is_elsewhere(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigurationError, match="plain http is accepted for loopback hosts only"):
        load(_file(tmp_path, f"[[azure]]\nendpoint = 'http://{host}:5000'"), {})


def test_a_mark_of_the_editor_s_is_no_text(tmp_path: Path) -> None:
    assert load(_file(tmp_path, "\ufeff[collect]\r\nthreads = 4\r\n"), {}).collect.threads == 4


@pytest.mark.parametrize(
    "name",
    [
        "111122223333",
        "0B5FE924-9A61-425C-96AF-CFE6E287CA2D",
        "northwind-prod",
        "example.com:orders-1",
        "folders/7919",
        "organizations/318455021164",
    ],
)
def test_an_account_of_ours_is_named_as_reports_name_it(tmp_path: Path, name: str) -> None:
    (account,) = load(_file(tmp_path, f"[[accounts]]\nid = '{name}'"), {}).accounts

    assert account.id == (name.lower() if name[1] == "B" else name)


SUBSCRIPTION = "0b5fe924-9a61-425c-96af-cfe6e287ca2d"
TRUSTED = "[[trust.accounts]]\nid = '{0}'\nreason = 'backups'\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[aws]]\n[[aws]]", "aws[1].name: 'aws' is already aws[0].name"),
        ("[[aws]]\naccounts = ['111122223333', '111122223333']", "aws[0].accounts[1]: '111122223333' is already"),
        (
            "[[aws]]\naccounts = ['111122223333']\n[[aws]]\nname = 'b'\naccounts = ['111122223333']",
            "aws[1].accounts[0]: '111122223333' is already aws[0].accounts[0]",
        ),
        ("[[aws]]\nregions = ['eu-west-1', 'eu-west-1']", "aws[0].regions[1]: 'eu-west-1' is already"),
        (
            f"[[azure]]\nsubscriptions = ['{SUBSCRIPTION}', '{SUBSCRIPTION.upper()}']",
            f"azure[0].subscriptions[1]: '{SUBSCRIPTION}' is already azure[0].subscriptions[0]",
        ),
        ("[[gcp]]\nprojects = ['prod-data', 'prod-data']", "gcp[0].projects[1]: 'prod-data' is already"),
        ("[[accounts]]\nid = '111122223333'\n" * 2, "accounts[1].id: '111122223333' is already accounts[0].id"),
        (TRUSTED.format("111122223333") * 2, "trust.accounts[1].id: '111122223333' is already trust.accounts[0].id"),
        (
            TRUSTED.format(SUBSCRIPTION) + TRUSTED.format(SUBSCRIPTION.upper()),
            f"trust.accounts[1].id: '{SUBSCRIPTION}' is already",
        ),
        ("[trust]\norganizations = ['o-abcdefghij', 'o-abcdefghij']", "trust.organizations[1]"),
        ("[trust]\ndomains = ['corp.example', 'Corp.Example']", "trust.domains[1]: 'corp.example' is already"),
    ],
)
def test_what_is_told_twice_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        load(_file(tmp_path, text), {})


def test_the_same_region_in_two_entries_is_fine(tmp_path: Path) -> None:
    text = "[[aws]]\nregions = ['eu-west-1']\n[[aws]]\nname = 'other'\nprofile = 'other'\nregions = ['eu-west-1']"

    assert len(load(_file(tmp_path, text), {}).aws) == 2


def test_aws_takes_the_name_that_its_own_configuration_has_for_an_endpoint(tmp_path: Path) -> None:
    config = load(_file(tmp_path, "[[aws]]\nendpoint_url = 'http://127.0.0.1:5000'"), {})

    assert config.aws[0].endpoint == "http://127.0.0.1:5000"


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
    assert (config.azure[0].endpoint, config.gcp[0].endpoint) == ("http://127.0.0.1:1", "http://127.0.0.1:2")


@pytest.mark.parametrize("name", ["SNAPBASE_AZURE_ENDPOINT", "SNAPBASE_AZURE__ENDPOINT"])
def test_an_endpoint_of_the_environment_wins_over_the_file_s(tmp_path: Path, name: str) -> None:
    path = _file(tmp_path, "[[azure]]\nendpoint = 'https://of.the.file'\n[[gcp]]\nendpoint = 'https://of.the.file'")

    config = load(path, {name: "http://127.0.0.1:1"})

    assert (config.azure[0].endpoint, config.gcp[0].endpoint) == ("http://127.0.0.1:1", "https://of.the.file")


@pytest.mark.parametrize("service", ["SNAPBASE", "SNAPBASE_DB", "SNAPBASE_STORE", "SNAPBASE_DB_READ_ONLY"])
def test_what_kubernetes_and_docker_say_of_a_service_is_nothing_to_us(tmp_path: Path, service: str) -> None:
    """`{SVCNAME}_SERVICE_HOST` and its like are in every container as soon as there is such a service."""
    each = "tcp://10.0.0.11:5432"
    environ = {f"{service}_PORT": each, f"{service}_SERVICE_HOST": "10.0.0.11", f"{service}_SERVICE_PORT": "5432"}
    environ |= {f"{service}_SERVICE_PORT_PG_MAIN": "5432", f"{service}_PORT_5432_TCP": each}
    environ |= {f"{service}_PORT_5432_TCP_{part}": "x" for part in ("PROTO", "PORT", "ADDR")}

    assert load(_file(tmp_path, ""), environ) == Config()


@pytest.mark.parametrize(
    ("environ", "count"), [({}, 3), ({"AWS_PROFILE": "audit"}, 1), ({"SNAPBASE_STORE_URL": "sqlite:////a.db"}, 3)]
)
def test_who_has_no_home_has_no_usual_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], count: int
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    config = load(None, environ)

    assert len(config.aws) + len(config.azure) + len(config.gcp) == count
    assert found(environ) == [] or "AWS_PROFILE" in environ
    if config.store.url is None:
        with pytest.raises(ConfigurationError, match="no home folder"):
            store_url(config)
    with pytest.raises(ConfigurationError, match="no home folder"):
        usual_path()
    assert path_of("postgresql://db/x").parent == Path(os.devnull)


@pytest.mark.parametrize(
    ("name", "text", "place", "expected"),
    [
        ("SNAPBASE_STORE__URL", "sqlite:////b.db", "store.url", "sqlite:////b.db"),
        ("SNAPBASE_COLLECT__SAMPLE", "0.5", "collect.sample", 0.5),
        ("SNAPBASE_COLLECT__KINDS", "aws.ec2.*, gcp.*", "collect.kinds", ("aws.ec2.*", "gcp.*")),
        ("SNAPBASE_COLLECT__KINDS", '["aws.ec2.*"]', "collect.kinds", ("aws.ec2.*",)),
        ("SNAPBASE_TRUST__DOMAINS", "corp.example", "trust.domains", ("corp.example",)),
        ("SNAPBASE_AWS__ORGANIZATION", "true", "aws.organization", True),
        ("SNAPBASE_AWS__ACCOUNTS", "111122223333,444455556666", "aws.accounts", ("111122223333", "444455556666")),
        ("SNAPBASE_AWS__ENDPOINT", "http://127.0.0.1:2", "aws.endpoint", "http://127.0.0.1:2"),
        ("SNAPBASE_AZURE__ENDPOINT", "http://127.0.0.1:2", "azure.endpoint", "http://127.0.0.1:2"),
    ],
)
def test_every_key_can_be_set_by_a_variable(tmp_path: Path, name: str, text: str, place: str, expected: object) -> None:
    path = _file(tmp_path, "[[aws]]\nendpoint_url = 'http://127.0.0.1:1'\n[collect]\nkinds = []")

    section, key = place.split(".")
    found = getattr(load(path, {name: text}), section)

    assert getattr(found[0] if isinstance(found, tuple) else found, key) == expected


def test_a_variable_can_hold_tables(tmp_path: Path) -> None:
    text = "[{id = '777788889999', reason = 'backups', until = 2027-12-31}]"

    config = load(_file(tmp_path, ""), {"SNAPBASE_TRUST__ACCOUNTS": text})

    assert [each.id for each in config.trust.accounts] == ["777788889999"]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"SNAPBASE_STORE_ULR": "x"}, "SNAPBASE_STORE_ULR; did you mean SNAPBASE_STORE_URL?"),
        ({"SNAPBASE_COLLECT__THREAD": "4"}, "SNAPBASE_COLLECT__THREAD; did you mean SNAPBASE_COLLECT__THREADS?"),
        ({"SNAPBASE_AWS_ENDPOINT": "x"}, "SNAPBASE_AWS_ENDPOINT; did you mean SNAPBASE_AWS__ENDPOINT?"),
        ({"SNAPBASE_CONFG": "x"}, "did you mean SNAPBASE_CONFIG?"),
        ({"SNAPBASE_THREADS": "0"}, "collect.threads (from SNAPBASE_THREADS): "),
        ({"SNAPBASE_AWS__ACCOUNTS": "1"}, "(from SNAPBASE_AWS__ACCOUNTS): '1' is not an AWS account id"),
        ({"SNAPBASE_THREADS": "4", "SNAPBASE_COLLECT__THREADS": "5"}, "to different values: keep one"),
        (
            {"SNAPBASE_AZURE_ENDPOINT": "http://127.0.0.1:1", "SNAPBASE_AZURE__ENDPOINT": "http://127.0.0.1:2"},
            "SNAPBASE_AZURE__ENDPOINT and SNAPBASE_AZURE_ENDPOINT set the same key to different values: keep one",
        ),
        (
            {"SNAPBASE_AZURE_ENDPOINT": "http://10.0.0.1"},
            "azure[0].endpoint (from SNAPBASE_AZURE_ENDPOINT): plain http",
        ),
        ({"SNAPBASE_DB_SERVICE": "x"}, "SNAPBASE_DB_SERVICE; did you mean"),
        ({"SNAPBASE_DB_PORT_5432": "x"}, "SNAPBASE_DB_PORT_5432; did you mean"),
        ({"SNAPBASE_STORE__PORT": "5432"}, "SNAPBASE_STORE__PORT; did you mean"),
        ({"SNAPBASE_REPORT": "x"}, "SNAPBASE_REPORT; did you mean"),
        ({"SNAPBASE_GCP__PROJECTS": "a"}, "SNAPBASE_GCP__PROJECTS could mean any of 2 [[gcp]] entries"),
        ({"SNAPBASE_COLLECT__KINDS": "[aws"}, "SNAPBASE_COLLECT__KINDS is not a list as TOML writes it"),
    ],
)
def test_a_variable_that_is_wrong_is_refused_by_its_name(tmp_path: Path, environ: dict[str, str], words: str) -> None:
    path = _file(tmp_path, "[[azure]]\n[[gcp]]\n[[gcp]]\nname = 'other'")

    with pytest.raises(ConfigurationError, match=re.escape(words)):
        load(path, environ)


def test_variables_of_the_tests_are_nothing_to_the_product(tmp_path: Path) -> None:
    load(_file(tmp_path, ""), {"SNAPBASE_UPDATE_GOLDEN": "1", "SNAPBASE_TEST_PG_DSN": "postgresql://x"})


@pytest.mark.parametrize("body", ["collect = 1", "aws = 'x'", "aws = ['x']", "[collect.threads]"])
def test_a_file_of_another_shape_is_refused_and_not_a_crash(tmp_path: Path, body: str) -> None:
    environ = {"SNAPBASE_STORE_URL": "sqlite:///x", "SNAPBASE_AWS__PROFILE": "audit", "SNAPBASE_SAMPLE": "0.5"}

    with pytest.raises(ConfigurationError, match="is not right"):
        load(_file(tmp_path, body), environ)


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
    elsewhere = load(_file(tmp_path, "[collect]\nthreads = 4\n[store]\nurl = 'postgresql://me:secret@db/x'"), {})

    assert one.digest() == same.digest() == elsewhere.digest() != other.digest()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("webhook", "'ftp://hunter2'"),
        ("webhook", "['hunter2']"),
        ("key", "{hunter2 = 1}"),
        ("services", "'slack://hunter2'"),
        ("services", "[['hunter2']]"),
        ("key", "48151623"),
        ("services", "[48151623]"),
    ],
)
def test_an_address_is_never_repeated(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(_file(tmp_path, f"[notify]\n{key} = {value}"), {})

    assert f"notify.{key}" in raised.value.message
    assert "hunter2" not in raised.value.message
    assert "48151623" not in raised.value.message


def test_who_is_notified_changes_nothing_that_is_judged_and_is_shown_nowhere(tmp_path: Path) -> None:
    told = {"SNAPBASE_NOTIFY__WEBHOOK": "https://hunter2@x.example", "SNAPBASE_NOTIFY__SERVICES": "slack://hunter2"}

    config = load(_file(tmp_path, ""), told)

    assert config.digest() == load(_file(tmp_path, ""), {}).digest()
    assert [each.get_secret_value() for each in config.notify.services] == ["slack://hunter2"]
    assert "hunter2" not in f"{config!r} {config.model_dump_json()}"


def test_one_account_in_two_places_is_fine(tmp_path: Path) -> None:
    """It is read, and it is somebody's."""
    text = "[[aws]]\naccounts = ['111122223333']\n[[accounts]]\nid = '111122223333'\nowner = 'ann'"

    assert load(_file(tmp_path, text), {}).accounts[0].owner == "ann"
