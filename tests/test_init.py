"""`snapbase init`: a configuration that loads, from what is there, and no secret in it."""

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.cli import main
from snapbase.config import load
from snapbase.errors import UsageError
from snapbase.operations import configure
from snapbase.sandbox.azure import story
from snapbase.sandbox.azure.server import AzureSandbox
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TENANT, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Somebody who is signed in everywhere, with secrets in every file."""
    for folder in (".aws", ".azure", ".config/gcloud"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".aws/config").write_text(
        f"[profile audit]\nregion = us-gov-west-1\naws_secret_access_key = {SECRET}\n"
        "[sso-session corp]\nsso_region = eu-west-1\n[profile dev]\nregion = eu-west-1\n"
    )
    (tmp_path / ".aws/credentials").write_text(
        f"[ci]\naws_access_key_id = AKIA{SECRET}\naws_secret_access_key = {SECRET}\n"
        f'[evil"\\n{SECRET}]\naws_secret_access_key = {SECRET}\n'
    )
    subscriptions = [
        {"id": "1", "name": f"{SECRET}", "tenantId": OTHER.upper()},
        {"id": "2", "name": "prod", "tenantId": TENANT.upper(), "isDefault": True},
        {"id": "3", "tenantId": f'x"\n{SECRET}'},
        "nonsense",
    ]
    (tmp_path / ".azure/azureProfile.json").write_bytes(
        b"\xef\xbb\xbf" + json.dumps({"subscriptions": subscriptions}).encode()
    )
    (tmp_path / ".config/gcloud/application_default_credentials.json").write_text(
        json.dumps({"type": "authorized_user", "refresh_token": SECRET, "quota_project_id": "audit-project"})
    )
    return tmp_path


def _written(environ: dict[str, str]) -> str:
    return configure.written(configure.found(environ))


def _loaded(text: str, folder: Path) -> object:
    path = folder / "written.toml"
    path.write_text(text)
    return load(path, {})


def test_what_is_found_is_filled_in_and_the_rest_is_commented_out(home: Path) -> None:
    text = _written({"HOME": str(home)})
    body = tomllib.loads(text)

    assert {name: value for name, value in body.items() if value} == {
        "aws": [{"profile": "audit", "home_region": "us-gov-west-1", "partition": "aws-us-gov"}],
        "azure": [{"tenant_id": TENANT}],
        "gcp": [{"quota_project": "audit-project"}],
    }
    assert '# profile = "dev"' in text
    assert f'# tenant_id = "{OTHER}"' in text
    config = _loaded(text, home)
    assert config == load(home / "written.toml", {})


def test_no_secret_is_written(home: Path) -> None:
    environ = {
        "HOME": str(home), "AWS_ACCESS_KEY_ID": f"AKIA{SECRET}", "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": SECRET, "AZURE_CLIENT_ID": SECRET, "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_TENANT_ID": SECRET,
        "SNAPBASE_AWS__EXTERNAL_ID": SECRET, "SNAPBASE_STORE_URL": f"postgresql://me:{SECRET}@db/x",
    }  # fmt: skip

    for text in (_written({"HOME": str(home)}), _written(environ)):
        assert SECRET not in text
        assert "evil" not in text
        _loaded(text, home)


def test_the_environment_wins_over_files(home: Path) -> None:
    environ = {"HOME": str(home), "AWS_PROFILE": "ci", "AZURE_CLIENT_ID": "x", "AZURE_TENANT_ID": OTHER}
    body = tomllib.loads(_written(environ))

    assert (body["aws"], body["azure"]) == ([{"profile": "ci"}], [{"tenant_id": OTHER}])
    (aws, *_) = configure.found({"HOME": str(home), "AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_REGION": "cn-north-1"})
    assert aws.entry == {"home_region": "cn-north-1", "partition": "aws-cn"}


def test_where_nothing_is_found_every_cloud_is_commented_out(tmp_path: Path) -> None:
    text = _written({"HOME": str(tmp_path)})

    assert not {"aws", "azure", "gcp"} & tomllib.loads(text).keys()
    _loaded(text, tmp_path)


def test_every_commented_key_loads_with_its_default_once_it_is_put_to_use(tmp_path: Path) -> None:
    """All that is commented out is TOML of ours: nothing but values that the example has as well."""
    example = configure.example().read_text().splitlines()
    known = {line.removeprefix("# ") for line in example}

    added = [line for line in _written({"HOME": str(tmp_path)}).splitlines() if line.removeprefix("# ") not in known]

    assert added == configure._BEGINNING.splitlines()


@settings(max_examples=50, deadline=None)
@given(
    config=st.text(max_size=200) | st.text(st.sampled_from('[]profile default=\n"#\\%$ à'), max_size=80),
    body=st.recursive(st.none() | st.booleans() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)),
)
def test_whatever_the_files_hold_the_configuration_loads(
    tmp_path_factory: pytest.TempPathFactory, config: str, body: object
) -> None:
    home = tmp_path_factory.mktemp("home")
    for name, text in ((".aws/config", config), (".azure/azureProfile.json", json.dumps({"subscriptions": body})),
                       (".config/gcloud/application_default_credentials.json", json.dumps(body))):  # fmt: skip
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(text, encoding="utf-8", errors="surrogateescape")

    _loaded(_written({"HOME": str(home)}), home)


def test_what_is_there_is_replaced_only_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "snapbase.toml"
    configure.save(path, "one")
    with pytest.raises(UsageError, match="exists already"):
        configure.save(path, "two")
    assert path.read_text() == "one"

    configure.save(path, "three", force=True)

    assert path.read_text() == "three"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["snapbase.toml"]


def test_the_command_says_what_it_found_and_what_comes_next(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [
        name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "SNAPBASE_"))
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))

    def say(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["snapbase", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), "".join(capsys.readouterr())

    code, said = say("init")
    assert code == 0
    assert "profile audit" in said
    assert "snapbase doctor" in said
    assert (home / ".config/snapbase/snapbase.toml").stat().st_mode & 0o777 == 0o600
    assert say("init")[0] == 2
    assert say("init", "--force")[0] == 0
    code, said = say("init", "--output", str(home / "mine.toml"))
    assert code == 0
    assert f"--config {home}/mine.toml doctor" in said
    said = say("init", "--output", "-")[1]
    assert "[[aws]]" in said
    assert "--config FILE doctor" in said, "there is no file called -"


def test_a_look_says_as_whom_and_where(tmp_path: Path) -> None:
    switchboard = Switchboard()
    server = AzureSandbox(switchboard)
    try:
        environ = {"HOME": str(tmp_path), "SNAPBASE_AZURE_ENDPOINT": server.start()}
        story.seed(environ["SNAPBASE_AZURE_ENDPOINT"])
        clouds = configure.found(environ)
        (look,) = configure.looked(clouds, environ)
        switchboard.break_(Fault(FaultKind.DENIED))
        (refused,) = configure.looked(clouds, environ)
    finally:
        server.stop()

    assert [each.cloud for each in clouds] == ["azure"]
    assert look.ok
    assert look.words[0].startswith("Signed in as ")
    assert look.words[1].startswith("Its subscriptions: ")
    text = configure.written(clouds, [look])
    assert f"# {look.words[1]}" in text
    _loaded(text, tmp_path)
    assert not refused.ok
    assert refused.words[0].startswith("Signing in failed: ")


def test_only_a_file_is_replaced_and_whatever_stands_in_the_way_is_said(tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_text("mine")
    for place in (pipe, tmp_path, Path(), file / "below"):
        with pytest.raises(UsageError):
            configure.save(place, "text", force=True)
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


def test_a_profile_that_is_asked_for_and_not_there_is_not_said_to_be_another(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-1\n")
    (aws,) = configure.found({"HOME": str(tmp_path), "AWS_PROFILE": "gone"})
    assert (aws.why, aws.entry) == ("AWS_PROFILE in the environment", {})
