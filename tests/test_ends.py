"""How a command ends, as a script sees it: 0 and 1 speak of findings, and whatever else happens is 2, in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SNAPBASE = [sys.executable, "-m", "snapbase"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SNAPBASE_STORE_URL": f"sqlite:///{tmp_path}/s.db"}


def ended(words: str, environment: dict[str, str], **more: object) -> tuple[int, str]:
    done = subprocess.run(
        [*SNAPBASE, *words.split()], env=environment, text=True, stderr=subprocess.PIPE, check=False,
        **{"stdout": subprocess.PIPE, **more},  # type: ignore[call-overload]
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
