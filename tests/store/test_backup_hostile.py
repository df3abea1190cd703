"""Copies in places that do not suit, and files that somebody made to look like one."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from snapbase.errors import StoreError
from snapbase.store import Store, backup
from snapbase.store.database import connect, show
from tests.store.older import set_back
from tests.store.world import AMERICA, EUROPE, grant, minute, reading, seen, snapshot


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _run(store: Store, at: int) -> None:
    run = store.begin_run("", "", minute(at))
    for scope in (EUROPE, AMERICA):
        store.record(run, reading(scope, at, [seen(snapshot(f"s{at}-{n}"), {grant()}) for n in range(20)]))
    store.finish_run(run, trust=b"{}", at=minute(at))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A store with one run."""
    path = tmp_path / "own" / "here.db"
    with Store.open(_url(path), write=True) as store:
        _run(store, 0)
    return path


@pytest.mark.parametrize("side", ["", "-wal", "-shm", "-journal", ".lock", ".told"])
@pytest.mark.parametrize("through", ["itself", "a link"])
def test_no_copy_takes_the_place_of_the_store_or_what_belongs_to_it(here: Path, through: str, side: str) -> None:
    target = Path(f"{here}{side}")
    if through == "a link":
        folder = here.parent.parent / "link"
        folder.symlink_to(here.parent)
        target = folder / target.name
    before = sorted(os.listdir(here.parent))

    with pytest.raises(StoreError, match=r"is the store itself|belongs to the store"):
        backup.write(_url(here), target, force=True)

    assert sorted(os.listdir(here.parent)) == before
    with Store.open(_url(here)) as store:
        assert len(list(store.states(store.head()))) == 40


@pytest.mark.parametrize("force", [False, True])
def test_only_a_file_is_replaced(here: Path, tmp_path: Path, force: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="is no file"):
        backup.write(_url(here), pipe, force=force)
    assert pipe.is_fifo()


def test_what_a_killed_command_left_beside_an_older_copy_does_not_get_into_the_new_one(
    here: Path, tmp_path: Path
) -> None:
    """SQLite would take an older copy's log for the new copy's own."""
    copy = tmp_path / "copy.db"
    backup.write(_url(here), copy)
    with Store.open(_url(copy), write=True) as old:
        _run(old, 9)
        left = {side: Path(f"{copy}{side}").read_bytes() for side in ("-wal", "-shm")}
    for side, body in left.items():
        Path(f"{copy}{side}").write_bytes(body)

    backup.write(_url(here), copy, force=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "own"]
    with Store.open(_url(copy)) as store:
        assert len(store.runs(limit=None)) == 1
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


@pytest.mark.parametrize("name", ["a?b#c.db", "50%25 off.db", "file:x?mode=memory", "-f.db", "é\n.db"])
def test_any_name_will_do(here: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    backup.write(_url(here), folder / name)
    assert os.listdir(folder) == [name]
    there = tmp_path / "there.db"
    assert backup.load(_url(there), folder / name).rows


def test_a_copy_whose_maker_was_killed_is_in_nobodys_way(here: Path, tmp_path: Path) -> None:
    """In a container every process has the same number."""
    (tmp_path / f".copy.db.{os.getpid()}.part").write_bytes(here.read_bytes())
    assert backup.write(_url(here), tmp_path / "copy.db").rows


def test_a_full_disk_is_said_in_words_and_nothing_is_left(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()

    with Store.open(_url(here), write=True) as store:
        run = store.begin_run("", "", minute(1))
        store.record(run, reading(EUROPE, 1, [seen(snapshot(f"many-{n}"), {grant()}) for n in range(2000)]))

    def small(url: str, *, write: bool) -> Any:
        engine = connect(url, write=write)
        if "copies" in url:

            @event.listens_for(engine, "connect")
            def _limit(raw: Any, _: Any) -> None:
                raw.execute("PRAGMA max_page_count=60")

        return engine

    monkeypatch.setattr(backup, "connect", small)
    with pytest.raises(StoreError, match=r"copy\.db.*full"):
        backup.write(_url(here), folder / "copy.db")
    assert os.listdir(folder) == []


def test_a_driver_that_fails_in_the_end_is_said_in_words(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(backup, "_settle", broken)
    with pytest.raises(StoreError, match=r"copy\.db.*disk I/O error"):
        backup.write(_url(here), tmp_path / "copy.db")
    assert os.listdir(tmp_path) == ["own"]


_TRAPS = {
    "a view for a table": "ALTER TABLE claim RENAME TO x; CREATE VIEW claim AS SELECT * FROM x",
    "a view beside": "CREATE VIEW nice AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM baseline; END",
    "a virtual table": "DROP TABLE claim; CREATE VIRTUAL TABLE claim USING fts5(uid, ticket, at, body)",
    "a column less": "ALTER TABLE run DROP COLUMN selection",
    "text for a revision": "UPDATE run SET last_rev = 'soon'",
    "a number for text": "UPDATE resource SET address = x'00ff'",
    "bytes for text": "UPDATE profile SET body = CAST(x'c328ff' AS TEXT)",
    "a NUL": "UPDATE resource SET address = 'a' || char(0) || 'b'",
    "a fraction for a revision": "UPDATE version SET opened = 1.5",
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("trap", _TRAPS)
def test_what_was_made_to_look_like_a_backup_is_refused(
    here: Path, store_url: str, tmp_path: Path, trap: str, older: bool
) -> None:
    file = tmp_path / "copy.db"
    backup.write(_url(here), file)
    if older:
        set_back(_url(file), "0006")
    with sqlite3.connect(file) as connection:
        connection.executescript(_TRAPS[trap])
    connection.close()

    with pytest.raises(StoreError, match=r"is not a backup|is damaged") as refused:
        backup.load(store_url, file)

    assert refused.value.hint


def test_an_older_store_with_a_log_beside_it_is_restored_with_all_of_it(here: Path, tmp_path: Path) -> None:
    set_back(_url(here), "0006")
    connection = sqlite3.connect(here)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("UPDATE run SET selection = 'late'")
    connection.commit()
    assert Path(f"{here}-wal").stat().st_size
    backup.load(_url(tmp_path / "there.db"), here)
    connection.close()
    with Store.open(_url(tmp_path / "there.db")) as store:
        assert [run.selection for run in store.runs(limit=None)] == ["late"]


def test_a_place_has_no_password_wherever_it_stands() -> None:
    for url in ("postgresql://u:hunter2@h/db", "postgresql://h/db?user=u&password=hunter2&sslpassword=hunter2"):
        assert "hunter2" not in show(url)
    with pytest.raises(StoreError, match="cannot be read"):
        connect("postgresql://u:hunter2@h:port/db", write=False)
