"""How a command ends, as a script sees it: 0 and 1 speak of findings, and whatever else happens is 2, in words."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from snapbase.cli.context import publish

SNAPBASE = [sys.executable, "-m", "snapbase"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SNAPBASE_STORE_URL": f"sqlite:///{tmp_path}/s.db"}


def ended(words: str, environment: dict[str, str], **more: object) -> tuple[int, str]:
    done = subprocess.run(
        [*SNAPBASE, *words.split()], env=environment, text=True, check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},  # type: ignore[call-overload]
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "Usage: snapbase [OPTIONS] COMMAND"),
        ("db", "Usage: snapbase db [OPTIONS] COMMAND"),
        ("--nope", "No such option: --nope"),
        ("nope", "No such command 'nope'"),
        ("diff --nope", "Try 'snapbase diff --help' for help."),
        ("diff --from x", "Invalid value for '--from'"),
        ("run extra", "unexpected extra argument"),
        ("policy oracle", "No such command 'oracle'"),
        ("db backup", "Missing argument"),
        ("baselines confirm 99", "Missing option '--by'"),
        ("policy aws --output .", ". cannot be written: Is a directory."),
        ("policy aws --output nowhere/there.json", "nowhere/there.json cannot be written: No such file or directory."),
    ],
)
def test_words_that_do_not_fit_are_told_plainly(words: str, said: str, environment: dict[str, str]) -> None:
    code, errors = ended(words, environment)

    assert code == 2
    assert said in errors
    assert "Traceback" not in errors
    assert "bug" not in errors


@pytest.mark.parametrize("words", ["--help", "--version", "db --help"])
def test_help_is_no_error(words: str, environment: dict[str, str]) -> None:
    assert ended(words, environment) == (0, "")


@pytest.mark.parametrize("words", ["--help", "policy aws"])
def test_a_reader_that_went_away_is_neither_clean_nor_drift(words: str, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    assert ended(words, environment, stdout=writing) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_is_said(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        code, errors = ended("policy aws", environment, stdout=full)

    assert code == 2
    assert errors.startswith("snapbase: The standard output cannot be written: No space left on device.")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
@pytest.mark.parametrize("words", ["nope", "diff", "policy azure"])
def test_what_went_wrong_is_no_drift_where_it_cannot_even_be_said(words: str, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        assert ended(words, environment, stderr=full)[0] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_log_takes_no_report_away(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SNAPBASE, "policy", "azure", "--scope", "/subscriptions/x"],
            env=environment, stdout=subprocess.PIPE, stderr=full, check=False,
        )  # fmt: skip

    assert done.returncode == 0
    assert json.loads(done.stdout)["Name"] == "snapbase-collector"


def test_a_report_is_whole_whatever_the_locale(environment: dict[str, str]) -> None:
    words = [
        *SNAPBASE,
        "policy",
        "azure",
        "--scope",
        "/subscriptions/x",
        "--name",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    ]
    done = subprocess.run(words, env={**environment, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)

    assert (done.returncode, json.loads(done.stdout)["Name"]) == (0, words[-1])


def test_a_device_keeps_its_mode(tmp_path: Path) -> None:
    """The mode of /dev/null is everybody's; a named pipe stands in for it."""
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    file.write_text("old")
    file.chmod(0o644)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    for each in (pipe, file):
        publish("new", each)

    assert os.read(reading, 10) == b"new"
    os.close(reading)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (pipe, file)] == [0o666, 0o600]


def test_a_closed_output_is_said(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *SNAPBASE, "policy", "aws"],
        env=environment, text=True, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "snapbase: There is no standard output.")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("KeyboardInterrupt", "snapbase: stopped. What was recorded stays; nothing was taken for deleted."),
        ("RuntimeError", "snapbase: this is a bug in snapbase; nothing that was recorded is lost."),
    ],
)
def test_neither_ctrl_c_nor_a_bug_is_drift(raised: str, said: str, environment: dict[str, str]) -> None:
    broken = (
        "import sys; sys.argv = ['snapbase', 'policy', 'aws']\n"
        "from snapbase.operations import policy\n"
        f"def stop(*_, **__): raise {raised}\n"
        "policy.aws_policy = stop\n"
        "from snapbase.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", broken], env=environment, text=True, capture_output=True, check=False)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, said)
