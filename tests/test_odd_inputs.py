"""What a script or a tired person may type: refused in a sentence that says what to do; never ignored, no traceback."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from snapbase.cli import main
from tests.review.desk import estate

HUGE = "9" * 30
KINDS = ("--kinds", "aws.rds.*", "--reason", "why", "--allow-public", "--allow-unknown", "--allow-incomplete")
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd")
    estate(f"sqlite:///{path}/s.db")
    (path / "other.txt").write_bytes(b"no database\n" * 100)
    (path / "latin.toml").write_bytes(b'[[aws]]\nname = "caf\xe9"\n')
    with sqlite3.connect(path / "other.db") as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    return path


@pytest.fixture
def snapbase(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SNAPBASE_STORE_URL", f"sqlite:///{folder}/s.db")

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["snapbase", *(each.format(folder=folder) for each in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return typed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("diff", "--run", "-1"), "There is no run -1."),
        (("diff", "--run", HUGE), f"There is no run {HUGE}."),
        (("diff", "--baseline", HUGE), f"There is no baseline {HUGE}."),
        (("diff", "--from", "2", "--to", "1"), "Run 2 is not older than run 1."),
        (("diff", "--from", "1", "--to", "1"), "Run 1 is not older than run 1."),
        (("diff", "--from", "99", "--to", "1"), "There is no run 99."),
        (("diff", "--since", ""), "'' is not a length of time."),
        (("diff", "--since", "-5d"), "'-5d' is not a length of time."),
        (("diff", "--since", "²d"), "'²d' is not a length of time."),
        (("diff", "--since", "999999999d"), "'999999999d' is too long."),
        (("diff", "--since", f"{HUGE}w"), "is too long."),
        (("diff", "--since", f"{'9' * 5000}w"), "is too long."),
        (("diff", "--since", "2030-01-01"), "'2030-01-01' is not a length of time."),
        (("diff", "--format", ""), "There is no format ''."),
        (("diff", "--severity", ""), "There is no severity ''."),
        (("diff", "--fail-on", ""), "There is no severity ''."),
        (("diff", "--cloud", ""), "An option that narrows is empty."),
        (("diff", "--account", " , "), "An option that narrows is empty."),
        (("diff", "--rule", "public-share", "--rule", ""), "An option that narrows is empty."),
        (("snapshots", "list", "--kind", ""), "An option that narrows is empty."),
        (("collect", "--region", ""), "An option that narrows is empty."),
        (("snapshots", "list", "--format", "yaml"), "There is no format 'yaml'."),
        (("snapshots", "show", "orders", "--format", "yaml"), "There is no format 'yaml'."),
        (("shares", "--format", "xml"), "There is no format 'xml'."),
        (("audit", "list", "--format", "csv"), "There is no format 'csv'."),
        (("baselines", "list", "--format", "csv"), "There is no format 'csv'."),
        (("origins", "list", "--format", "csv"), "There is no format 'csv'."),
        (("doctor", "--format", "csv"), "There is no format 'csv'."),
        (("watch", "--format", "xml"), "There is no format 'xml'."),
        (("run", "--fail-on", ""), "There is no severity ''."),
        (("watch", "--fail-on", ""), "There is no severity ''."),
        (("approve-baseline", "--finding", "zzz", "--reason", "why"), "zzz is not a finding of this run."),
        *(
            (("approve-baseline", option, " ", "--reason", "why"), f"{option} is empty.")
            for option in ("--finding", "--except", "--snapshot", "--principal", "--origin", "--kinds", "--by")
        ),
        (("approve-baseline", *KINDS), "--kinds goes with --principal."),
        (("approve-baseline", *KINDS, "--snapshot", "orders"), "--kinds goes with --principal."),
        (("approve-baseline", *KINDS, "--finding", "0"), "--kinds goes with --principal."),
        (("approve-baseline", *KINDS, "--principal", "x", "--finding", "0"), "--kinds narrows --principal alone."),
        (("approve-baseline", *KINDS, "--origin", "dlm:x"), "--origin is an approval of its own: leave out --kinds,"),
        *(
            (
                ("approve-baseline", f"--allow-{what}", "--origin", "dlm:x"),
                f"of its own: leave out --allow-{what}.",
            )
            for what in ("public", "unknown", "incomplete")
        ),
        (("approve-baseline", "--low-trust", "--reason", "why"), "--low-trust goes with --origin."),
        (("baselines", "revoke", "1", "--reason", "why", "--by", ""), "--by is empty."),
        (("baselines", "confirm", "1", "--by", ""), "--by is empty."),
        (("review", "--by", ""), "--by is empty."),
        (("snapshots", "list", ""), "MATCH is empty."),
        (("snapshots", "list", "--owner", ""), "An option that narrows is empty."),
        (("snapshots", "show", ""), "UID is empty."),
        (("approve-baseline", "--reason", "why", "--until", ""), "'' is not a date."),
        (("approve-baseline", "--reason", "why", "--until", "2026-13-45"), "'2026-13-45' is not a date."),
        (("approve-baseline", "--reason", "why", "--until", "9999-12-31"), "'9999-12-31' is the end of all dates."),
        (("approve-baseline", "--reason", "why", "--until", "999999999d"), "'999999999d' is too long."),
        (("approve-baseline", "--reason", "why", "--origin", "dlm:x", "--until", ""), "'' is not a date."),
        (("baselines", "verify", "--head", ""), "--head is empty."),
        (("baselines", "import", "{folder}/other.txt", "--head", " "), "--head is empty."),
        (("status", "--max-age", f"{HUGE}d"), "is too long."),
        (("db", "prune", "--older-than", f"{HUGE}d"), "is too long."),
        (("audit", "list", "--since", f"{HUGE}h"), "is too long."),
        (("audit", "import", "{folder}"), "cannot be read: Is a directory."),
        (("--store", "", "diff"), "The store's URL cannot be read."),
        (("--store", "{folder}", "diff"), "The store's URL cannot be read."),
        (("--store", "sqlite:///{folder}", "diff"), "The store failed: unable to open database file"),
        (("--store", "sqlite:///{folder}/other.txt", "diff"), "The store failed: file is not a database"),
        (("--store", "sqlite:///{folder}/other.db", "diff"), "/other.db is a database, but no store of snapbase."),
        (("--store", "sqlite:///{folder}/other.db", "db", "upgrade"), "is a database, but no store of snapbase."),
        (("--store", "sqlite:///{folder}/other.db", "run"), "is a database, but no store of snapbase."),
        (("--config", "{folder}", "diff"), "cannot be read: Is a directory."),
        (("--config", "{folder}/none.toml", "diff"), "cannot be read: No such file or directory."),
        (("--config", "{folder}/latin.toml", "diff"), "/latin.toml is not TOML: 'utf-8' codec can't decode"),
    ],
    ids=lambda each: " ".join(each)[:60].replace(HUGE, "huge") if isinstance(each, tuple) else "",
)
def test_it_is_refused_in_a_sentence_that_says_what_to_do(
    snapbase: Typed, words: tuple[str, ...], message: str
) -> None:
    code, out, err = snapbase(*words)

    assert (code, out) == (2, "")
    first, *rest = err.splitlines()
    assert message in first
    assert "Traceback" not in err
    assert rest or words[:2] == ("audit", "import"), "what to do"


def test_an_id_that_begins_more_than_one_finding_is_ambiguous(snapbase: Typed) -> None:
    firsts = [each["id"][0] for each in json.loads(snapbase("diff", "--format", "json")[1])["findings"]]
    twice = next(each for each in firsts if firsts.count(each) > 1)

    code, _, err = snapbase("approve-baseline", "--reason", "why", "--finding", twice)

    assert code == 2
    assert err.startswith(f"snapbase: {twice} is ambiguous.")


def test_a_story_found_by_a_part_of_its_name_says_whose_it_is(snapbase: Typed) -> None:
    uid = "arn:aws:ec2:eu-west-1::snapshot/orders"

    code, out, _ = snapbase("snapshots", "show", "order")

    assert code == 0
    assert any(line.split() == ["uid", uid] for line in out.splitlines())
    assert json.loads(snapbase("snapshots", "show", "order", "--format", "json")[1])["uid"] == uid


def test_another_program_s_database_is_left_alone(snapbase: Typed, folder: Path) -> None:
    with sqlite3.connect(folder / "other.db") as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["bookmarks"]
    connection.close()


def test_a_store_that_was_named_empty_is_not_the_usual_one(snapbase: Typed) -> None:
    assert snapbase("db", "check")[0] == 0
    assert snapbase("--store", "", "db", "check")[0] == 2
    assert snapbase("--store", "", "doctor")[0] == 2
