"""Whoever may read a store and not write it reads it all the same; where SQLite cannot, the words say what to do."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from snapbase.errors import StoreError
from snapbase.store import Store, backup
from tests.store.world import EPOCH, EUROPE, minute, reading, seen, snapshot

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of pytest's own, which nobody else may enter."""
    path = Path(tempfile.mkdtemp(prefix="snapbase-"))
    path.chmod(0o755)
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


@pytest.fixture
def url(folder: Path) -> str:
    url = f"sqlite:///{folder}/snapbase.db"
    with Store.open(url, write=True) as store:
        _record(store, "a")
    return url


def _record(store: Store, name: str) -> None:
    run = store.begin_run("", "", EPOCH)
    store.record(run, reading(EUROPE, run, [seen(snapshot(name))]))
    store.finish_run(run, trust=b"{}", at=minute(run))


def _names(url: str) -> str:
    with Store.open(url) as store:
        return " ".join(str(state.resource.name) for state in store.states(store.head()))


def _as_somebody(work: Callable[[], str]) -> str:
    """What somebody without a right of their own is told, in a process of their own."""
    reading_end, writing_end = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            try:
                said = work()
            except StoreError as error:
                said = f"{error.message} {error.hint}"
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            os.write(writing_end, said.encode())
        finally:
            os._exit(0)
    os.close(writing_end)
    with os.fdopen(reading_end) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.parametrize(
    ("file", "place", "expected"),
    [
        (0o444, 0o777, "a"),
        (0o444, 0o555, "SQLite needs snapbase.db-shm beside it"),
        (0o000, 0o555, "snapbase.db cannot be read: Permission denied. Run snapbase as whoever owns the store"),
        (0o444, 0o000, "snapbase.db cannot be read: Permission denied. Run snapbase as whoever owns the store"),
    ],
)
def test_it_is_read_or_refused_in_words(folder: Path, url: str, file: int, place: int, expected: str) -> None:
    (folder / "snapbase.db").chmod(file)
    folder.chmod(place)

    assert expected in _as_somebody(lambda: _names(url))


def test_beside_its_writer_it_is_read_with_what_only_the_log_has(folder: Path, url: str) -> None:
    with Store.open(url, write=True) as store:
        _record(store, "b")
        for each in folder.iterdir():
            each.chmod(0o444)
        folder.chmod(0o555)

        assert _as_somebody(lambda: _names(url)) == "b"


def test_a_reader_does_not_change_how_a_store_is_kept(folder: Path, url: str) -> None:
    copy = folder / "copy.db"
    backup.write(url, copy)
    before = copy.read_bytes()

    assert _names(f"sqlite:///{copy}") == "a"

    assert copy.read_bytes() == before


def test_a_store_on_a_read_only_disk_is_read(folder: Path, url: str) -> None:
    mount = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    here = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"'
    tried = [*mount, "sh", "-c", here, str(folder)]
    if not shutil.which("unshare") or subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("no mounts of our own here")
    read = "import sys; from tests.store.test_reading_only import _names; print(_names(sys.argv[1]))"

    done = subprocess.run(
        [*mount, "sh", "-c", f'{here} && shift && exec "$@"', folder, "-", sys.executable, "-c", read, url],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "a\n"), done.stderr


def test_what_is_written_to_from_elsewhere_meanwhile_is_not_believed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that is read-only here, and not for the container that collects."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
        frozen = Store.open(url)
    with frozen:
        assert frozen.head() == 1
        with Store.open(url, write=True) as store:
            _record(store, "b")

        with pytest.raises(StoreError, match="was written to while it was read"):
            frozen.head()


@pytest.mark.parametrize("kind", ["another user's", "a folder"])
def test_a_lock_that_cannot_be_had_is_said(folder: Path, url: str, kind: str) -> None:
    lock = folder / "snapbase.db.lock"
    if kind == "a folder":
        lock.mkdir()
    else:
        lock.touch()
        lock.chmod(0o000)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.chown(folder / "snapbase.db", NOBODY, NOBODY)

    def write() -> str:
        with Store.open(url, write=True) as store, store.lock():
            return "locked"

    assert "snapbase.db.lock cannot be opened: " in (said := _as_somebody(write))
    assert "remove it while no snapbase runs" in said
