"""How a command ends, as a script sees it: 0 and 1 speak of findings, and whatever else happens is 2, in words."""

import errno
import json
import os
import resource
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapbase.cli.context import publish
from snapbase.errors import SnapbaseError
from tests.review.desk import estate

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


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may grow past a hundred bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("linked", [False, True])
def test_a_full_disk_leaves_the_report_that_was_there(tmp_path: Path, little_room: None, linked: bool) -> None:
    file, link = tmp_path / "report.txt", tmp_path / "latest.txt"
    publish("old", file)
    link.symlink_to(file.name)

    with pytest.raises(SnapbaseError, match="cannot be written: File too large"):
        publish("new" * 100, link if linked else file)

    assert file.read_text() == "old"
    assert {each.name for each in tmp_path.iterdir()} == {file.name, link.name}


def test_a_link_leads_to_the_new_report(tmp_path: Path) -> None:
    for name in ("there", "nowhere yet"):
        file, link = tmp_path / name, tmp_path / f"link to {name}"
        link.symlink_to(name)
        if name == "there":
            file.write_text("old")

        publish("new", link)

        assert link.is_symlink()
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o600)


@pytest.mark.parametrize("shell", ["{} > {file}", "{} >> {file}", "{} | cat > {file}", "{} 3> {file}"])
def test_what_is_open_already_is_written_to_and_not_replaced(
    shell: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    file, place = tmp_path / "file", "/dev/fd/3" if "3>" in shell else "/dev/stdout"
    file.touch()
    before = file.stat().st_ino
    command = shlex.join([*SNAPBASE, "policy", "aws", "--output", place])

    done = subprocess.run(
        ["sh", "-c", shell.format(command, file=shlex.quote(str(file)))],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text())["Version"] == "2012-10-17"
    assert file.stat().st_ino == before


def test_a_file_in_a_folder_of_another_s_is_written_all_the_same(tmp_path: Path) -> None:
    """As a file that is mounted by itself into a container."""
    file = tmp_path / "report.txt"
    file.write_text("old")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", _busy)
        publish("new", file)

    assert file.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def _busy(*_: object) -> None:
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_s_report_stays_its_owner_s(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text("old")
    os.chown(file, 65534, 65534)

    publish("new", file)

    assert (file.stat().st_uid, file.read_text()) == (65534, "new")


@pytest.mark.parametrize(
    "words",
    [
        ("snapshots", "show", b"caf\xe9"),
        ("snapshots", "list", b"caf\xe9"),
        ("approve-baseline", "--reason", "why", "--snapshot", b"caf\xe9"),
    ],
)
def test_an_argument_that_is_no_text_is_refused(
    words: tuple[str | bytes, ...], tmp_path: Path, environment: dict[str, str]
) -> None:
    estate(f"sqlite:///{tmp_path}/s.db")

    done = subprocess.run([*SNAPBASE, *words], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "snapbase: An argument is not UTF-8.")


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
