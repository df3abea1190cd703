"""`snapbase review` as it is started: in a terminal, without one, and without Textual."""

import os
import pty
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.review.desk import desk_of, estate, url_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("command")
    estate(url_of(made))
    return made


def _environment(folder: Path) -> dict[str, str]:
    settings = {"SNAPBASE_STORE_URL": url_of(folder), "XDG_DATA_HOME": str(folder / "data"), "HOME": str(folder)}
    return {**os.environ, **settings, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}


_STARTED = ("-m", "snapbase", "review", "--by", "grace")


def _in_terminal(folder: Path, steps: list[tuple[str, str]], started: tuple[str, ...] = _STARTED) -> tuple[int, str]:
    """Waits for words on the screen before each key; returns the exit code and all that was written."""
    outer, inner = pty.openpty()
    command = [sys.executable, *started]
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=_environment(folder)) as process:
        os.close(inner)
        written = b""
        for words, key in steps:
            seen = len(written)
            written += _until(outer, words.encode())
            assert words.encode() in written[seen:], written.decode(errors="replace")
            os.write(outer, key.encode())
        written += _until(outer, b"\0never")
        code = process.wait(timeout=20)
    os.close(outer)
    return code, written.decode(errors="replace")


def _until(terminal: int, words: bytes) -> bytes:
    """What is written until some words are; or until the other side is gone."""
    found, deadline = b"", time.monotonic() + 20
    while words not in found and time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:
            break
        if not read:
            break
        found += read
    return found


def test_in_a_terminal_decisions_are_kept_and_nothing_is_approved(folder: Path) -> None:
    steps = [("to go", "a"), ("1 to approve", "q"), ("not saved", "y")]
    code, written = _in_terminal(folder, steps)

    assert code == 0, written
    assert "Decided but not saved: 1" in written
    (kept,) = (folder / "data" / "snapbase" / "review").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text().count("approve") == 1
    from snapbase.store import Store

    with Store.open(url_of(folder)) as store:
        assert len(store.baselines()) == 1
        assert len(desk_of(url_of(folder), store).report().findings) == 5

    code, written = _in_terminal(folder, [("1 to approve", "u"), ("0 to approve", "q")])
    assert code == 0, written
    assert "Decided but not saved" not in written


def _plainly(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=_environment(folder), capture_output=True, text=True, check=False)


_REVIEW = "import sys; sys.argv = ['snapbase', 'review']\nfrom snapbase.cli import main; main()"


def test_a_bug_ends_it_with_2(folder: Path) -> None:
    broken = (
        "from snapbase.review.desk import Desk\n"
        "def broken(*_): raise RuntimeError('of ours')\n"
        f"Desk.story = broken\n{_REVIEW}"
    )

    code, written = _in_terminal(folder, [], ("-c", broken))

    assert code == 2, written
    assert "of ours" in written


def test_without_a_terminal_it_says_what_to_use(folder: Path) -> None:
    done = _plainly(folder, _REVIEW)
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "approve-baseline" in done.stderr


def test_without_textual_it_says_how_to_get_it(folder: Path) -> None:
    done = _plainly(folder, f"import sys; sys.modules['textual'] = None\n{_REVIEW}")
    assert done.returncode == 2
    assert "pip install 'snapbase[review]'" in done.stderr


def test_help_does_not_load_textual() -> None:
    code = "import sys, snapbase.cli.app, snapbase.cli.review; print('textual' in sys.modules)"
    assert _plainly(Path("/"), code).stdout.strip() == "False"
