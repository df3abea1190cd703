"""A word that names nothing is refused: what it leaves would read as clean."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snapbase.cli import main
from snapbase.sandbox.aws.story import MEMBER
from snapbase.store import Store
from tests.peer_world import ELSEWHERE, Estate, started
from tests.store.world import OUTSIDER

CONFIG = """
[[aws]]
endpoint = "{url}"
organization = true
role = "snapbase-collector"
accounts = ["{member}"]
regions = ["{region}"]
[collect]
kinds = ["aws.ec2.snapshot"]
give_up_after = 0.1
[audit]
enabled = false
"""
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with started() as running:
        running.share(running.take(), {"UserId": OUTSIDER.id})
        yield running
        running.clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def snapbase(estate: Estate, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """The command line over a store that was read once, or the one named; says the exit code, stdout and stderr."""
    file = home / "snapbase.toml"
    file.write_text(CONFIG.format(url=estate.url, member=MEMBER, region=ELSEWHERE))

    def typed(*words: str, store: Path = home / "s.db") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["snapbase", "--config", str(file), "--store", f"sqlite:///{store}", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    if not (home / "s.db").exists():
        assert typed("collect")[0] == 0
    return typed


LISTINGS = (("diff",), ("shares",), ("snapshots", "list"), ("audit", "list"))


@pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--cloud", "foo"), "There is no cloud foo.", "Known: aws, azure, gcp."),
        (("--cloud", "aws,asure"), "There is no cloud asure.", "Did you mean azure?"),
        (("--account", "999"), "No account 999 is known to the store.", "Known: "),
    ],
)
def test_what_a_listing_cannot_know_is_refused(
    snapbase: Typed, command: tuple[str, ...], words: tuple[str, ...], message: str, hint: str
) -> None:
    code, out, err = snapbase(*command, *words)

    assert (code, out) == (2, "")
    assert message in err
    assert hint in err


@pytest.mark.parametrize("words", [("--cloud", "AWS"), ("--cloud", "aws, azure"), ("--account", MEMBER)])
def test_what_is_there_is_listed_however_it_is_written(snapbase: Typed, words: tuple[str, ...]) -> None:
    for command in (("diff",), ("shares",)):
        assert OUTSIDER.id in snapbase(*command, *words)[1]
    assert snapbase("snapshots", "list", *words)[1] == snapbase("snapshots", "list")[1]
    assert snapbase("snapshots", "list", *words)[1].endswith(" listed.\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("diff", "--rule", "unknown-acount-share"), "Did you mean unknown-account-share?"),
        (("diff", "--rule", "create-share-chain,nope"), "There is no rule nope."),
        (("snapshots", "list", "--kind", "aws.ec3.snapshot"), "Did you mean aws.ec2.snapshot?"),
        (("diff", "--format", "xls"), "There is no format 'xls'."),
    ],
)
def test_rules_kinds_and_formats_that_do_not_exist_are_refused(
    snapbase: Typed, words: tuple[str, ...], hint: str
) -> None:
    code, _, err = snapbase(*words)

    assert code == 2
    assert hint in err


def test_rules_are_found_however_they_are_written(snapbase: Typed) -> None:
    code, out, _ = snapbase("diff", "--rule", "Unknown-Account-Share,public-share", "--format", "json")

    assert code == 1
    assert {each["rule"] for each in json.loads(out)["findings"]} == {"unknown-account-share"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--kind", "aws.ec3.snap"), "Did you mean aws.ec2.snapshot?"),
        (("--kind", "gcp.*"), "gcp.* is no kind of [[aws]]."),
        (("--kind", "aws.rds.*"), "[collect] kinds leaves aws.rds.* out."),
        (("--cloud", "foo"), "There is no cloud foo."),
        (("--cloud", "azure"), "No [[azure]] is configured."),
        (("--account", "111111111112"), "There is no account 111111111112 within reach."),
        (("--region", "mars-1"), "There is no region mars-1 within reach."),
    ],
)
def test_a_selection_of_what_is_not_there_uses_no_run(
    snapbase: Typed, home: Path, words: tuple[str, ...], told: str
) -> None:
    for more in ((), ("--plan",)):
        code, out, err = snapbase("collect", *more, *words)

        assert (code, out) == (2, "")
        assert told in err
    with Store.open(f"sqlite:///{home}/s.db") as store:
        assert [each.id for each in store.runs(limit=None)] == [1]


@pytest.mark.parametrize("words", [("--cloud", "foo"), ("--account", "111111111112")])
def test_logs_of_what_is_not_there_are_not_fetched(snapbase: Typed, home: Path, words: tuple[str, str]) -> None:
    code, out, err = snapbase("audit", "fetch", *words)

    assert (code, out) == (2, "")
    assert words[1] in err
    with Store.open(f"sqlite:///{home}/s.db") as store:
        assert len(store.runs(limit=None)) == 1


def test_kinds_of_the_configuration_that_match_nothing_are_named(
    snapbase: Typed, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAPBASE_COLLECT__KINDS", '["aws.ec2.*", "aws.ec3.snapshot"]')

    for command in ("run", "collect"):
        code, _, err = snapbase(command)
        assert code == 2
        assert "'aws.ec3.snapshot' matches no kind. Did you mean aws.ec2.snapshot?" in err
    with Store.open(f"sqlite:///{home}/s.db") as store:
        assert len(store.runs(limit=None)) == 1


def test_a_plan_needs_no_store_and_makes_none(snapbase: Typed, tmp_path: Path) -> None:
    new = tmp_path / "none" / "s.db"

    code, out, err = snapbase("collect", "--plan", store=new)

    assert code == 0
    assert out.endswith("\n1 scope\n")
    assert "aws.ec2.snapshot" in out
    assert "There is no store" in err
    assert not new.parent.exists()


def test_who_signs_in_nowhere_is_told_why(snapbase: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))

    for words, said in ((("collect", "--plan"), "Nothing would be read"), (("run",), "Nothing could be read")):
        code, out, err = snapbase(*words, store=tmp_path / "s.db")
        assert (code, out) == (2, "")
        assert f"{said}: " in err
        assert "No AWS credentials" in err
        assert "`snapbase doctor`" in err


@pytest.mark.parametrize(
    ("file", "why"), [("none/report.html", "there is no"), (".", "it is a folder"), ("f/report.html", "is no folder")]
)
def test_a_report_that_has_nowhere_to_go_stops_the_run_before_it_reads(
    snapbase: Typed, tmp_path: Path, file: str, why: str
) -> None:
    (tmp_path / "f").write_text("")
    code, _, err = snapbase("run", "--output", str(tmp_path / file), store=tmp_path / "s.db")

    assert code == 2
    assert "cannot be written" in err
    assert why in err
    assert not (tmp_path / "s.db").exists()


def test_places_that_cannot_be_read_stop_a_run_and_a_plan_before_they_read(
    snapbase: Typed, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAPBASE_DETECT__LOCATIONS", "/nonexistent.mmdb")

    for words in (("run",), ("collect",), ("collect", "--plan")):
        code, _, err = snapbase(*words)
        assert code == 2
        assert "/nonexistent.mmdb cannot be read" in err
    with Store.open(f"sqlite:///{home}/s.db") as store:
        assert len(store.runs(limit=None)) == 1


EVENT = {
    "eventVersion": "1.08",
    "eventID": "e-1",
    "eventTime": "2026-11-25T10:00:00Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "DeleteSnapshot",
    "awsRegion": "eu-west-1",
    "recipientAccountId": MEMBER,
    "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{MEMBER}:user/eve", "accountId": MEMBER},
    "requestParameters": {"snapshotId": "snap-1"},
}


def test_a_log_file_that_could_not_be_read_is_named_and_no_success(snapbase: Typed, tmp_path: Path) -> None:
    rubbish, other, good = (tmp_path / name for name in ("rubbish.json", "other.json", "good.json"))
    rubbish.write_text("rubbish")
    other.write_text('{"a": 1}\n{"b": 2}\n')
    good.write_text(json.dumps(EVENT))
    store = tmp_path / "s.db"

    code, out, _ = snapbase("audit", "import", str(rubbish), store=store)
    assert code == 2
    assert f"1 record not read: the file is not JSON ({rubbish})" in out

    code, out, _ = snapbase("audit", "import", str(good), str(other), store=store)
    assert code == 3
    assert f"2 records not read: an object that is no record of any known log ({other})" in out

    code, out, _ = snapbase("audit", "import", str(good), store=store)
    assert (code, out) == (0, "1 event, 0 of them new.\n")
