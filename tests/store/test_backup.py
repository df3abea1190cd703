"""Copies of the store: from either database, into either, and nothing is another than before."""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from snapbase.errors import SchemaError, SnapbaseError, StoreError, UsageError
from snapbase.model import RunState
from snapbase.operations.diff import against_baseline, diff
from snapbase.report import Options, reporters
from snapbase.store import Store, backup, schema
from snapbase.store.tables import metadata
from tests.baseline_clerk import CARRIED_ON, STEPS, WAITS, Clerk
from tests.baseline_player import Step
from tests.postgresql import Cluster
from tests.store.older import set_back
from tests.store.world import AMERICA, EUROPE, grant, minute, reading, seen, snapshot, url_of


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _rows(url: str) -> dict[str, list[Any]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


def _reports(store: Store) -> list[str]:
    """Every finished run against every line of the log that approved no newer one, as bytes."""
    render = reporters()["json"].render
    lines = [None, *(each.id for each in store.baselines())]
    found = []
    for run in (each for each in store.runs(limit=None) if each.state == RunState.FINISHED):
        for line in lines:
            with suppress(UsageError):
                report = diff(store, run, against_baseline(store, run, line))
                found.append(render(report, Options(width=80, colour=False)))
    return found


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, max_size=10))
@example(steps=CARRIED_ON)
@example(steps=WAITS)
def test_a_copy_says_the_same_wherever_it_is_restored(
    fresh: Callable[[], Any], postgresql: Cluster, tmp_path: Path, steps: list[Step]
) -> None:
    file, there = tmp_path / "copy.db", tmp_path / "there.db"
    with fresh() as opened:
        store: Store = opened
        Clerk(store).play([("read", 0, "complete", {}), *steps])
        url = url_of(store)
        told, verified = _reports(store), store.verify_baselines()
        copied = backup.write(url, file, force=True)
        everything = _rows(url)
    assert (copied.head, copied.lines) == (verified.head, verified.lines)
    assert copied.rows == sum(map(len, everything.values()))
    assert verified.problems == ()
    there.unlink(missing_ok=True)
    with postgresql.database() as elsewhere:
        for place in (_url(there), elsewhere):
            assert backup.load(place, file) == copied
            assert _rows(place) == everything
            with Store.open(place) as store:
                assert (_reports(store), store.verify_baselines()) == (told, verified)


@pytest.fixture
def filled(store_url: str) -> str:
    with Store.open(store_url, write=True) as store:
        _run(store, 0)
    return store_url


def _run(store: Store, at: int) -> None:
    run = store.begin_run("", "", minute(at))
    store.record(run, reading(EUROPE, at, [seen(snapshot(f"s{at}-{n}"), {grant()}) for n in range(20)]))
    store.record(run, reading(AMERICA, at, [seen(snapshot(f"s{at}-{n}"), {grant()}) for n in range(20)]))
    store.finish_run(run, trust=b"{}", at=minute(at))


def test_a_copy_is_a_store_in_one_file_only_its_owner_can_read(filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    umask = os.umask(0)
    try:
        backup.write(filled, folder / "copy.db")
    finally:
        os.umask(umask)

    assert [path.name for path in folder.iterdir()] == ["copy.db"]
    assert (folder / "copy.db").stat().st_mode & 0o777 == 0o600
    with Store.open(_url(folder / "copy.db")) as store:
        assert len(list(store.states(store.head()))) == 40


def test_what_is_there_is_replaced_only_if_asked_and_only_by_a_whole_copy(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    file = folder / "copy.db"
    file.write_text("mine")

    with pytest.raises(StoreError, match="exists already"):
        backup.write(filled, file)
    with monkeypatch.context() as patch:
        patch.setattr(backup, "_settle", _disk_full)
        with pytest.raises(StoreError, match="No space"):
            backup.write(filled, file, force=True)
    assert file.read_text() == "mine"
    assert [path.name for path in folder.iterdir()] == ["copy.db"]

    assert backup.write(filled, file, force=True).rows > 40
    with pytest.raises(StoreError, match="is a folder"):
        backup.write(filled, folder, force=True)


def _disk_full(_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_store_is_not_copied_over_itself(tmp_path: Path) -> None:
    url = _url(tmp_path / "snapbase.db")
    with Store.open(url, write=True) as store:
        _run(store, 0)

    with pytest.raises(StoreError, match="is the store itself"):
        backup.write(url, tmp_path / "snapbase.db", force=True)
    with pytest.raises(StoreError, match="not empty"):
        backup.load(url, tmp_path / "snapbase.db")


def test_a_store_that_is_not_empty_is_left_alone(filled: str, tmp_path: Path) -> None:
    backup.write(filled, tmp_path / "copy.db")
    before = _rows(filled)

    with pytest.raises(StoreError, match="is not empty"):
        backup.load(filled, tmp_path / "copy.db")

    assert _rows(filled) == before


def test_a_copy_is_of_one_moment_though_a_run_goes_on(store_url: str, tmp_path: Path) -> None:
    """Each run replaces everything in two places: no copy may have one place of one run and one of another."""
    with Store.open(store_url, write=True) as store:
        _run(store, 0)
    stop = threading.Event()

    def write() -> None:
        with Store.open(store_url, write=True) as store:
            at = 1
            while not stop.is_set():
                _run(store, at)
                at += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            backup.write(store_url, tmp_path / "copy.db", force=True)
            with Store.open(_url(tmp_path / "copy.db")) as copy:
                last = copy.last_run()
                assert last is not None
                assert len(list(copy.states(last.last_rev))) == 40
                assert copy.head() - last.last_rev in (0, 1, 2)
                assert len(list(copy.states(copy.head()))) == 40
    finally:
        stop.set()
        writer.join()


def _truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _garbled(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    for place in range(len(raw) // 3, len(raw) // 3 + 8192):
        raw[place] ^= 0x5A
    file.write_bytes(raw)


def _text(file: Path) -> None:
    file.write_text("Dear restore, " * 400)


def _nothing(file: Path) -> None:
    file.write_bytes(b"")


def _other(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    connection.close()


def _alembic_only(file: Path) -> None:
    _other(file)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (schema.HEAD,))
    connection.close()


def _newer(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _loose(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM principal")
    connection.close()


def _gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_truncated, "is damaged"),
        (_garbled, "is damaged"),
        (_loose, "is damaged: rows are missing"),
        (_text, "is not a backup of snapbase"),
        (_nothing, "is not a backup of snapbase"),
        (_other, "is not a backup of snapbase"),
        (_alembic_only, "is not a backup of snapbase"),
        (_newer, "newer than this snapbase"),
        (_gone, "There is no file"),
    ],
)
def test_what_is_no_whole_backup_is_refused_in_words(tmp_path: Path, spoil: Any, words: str) -> None:
    url, file, there = _url(tmp_path / "here.db"), tmp_path / "copy.db", tmp_path / "there.db"
    with Store.open(url, write=True) as store:
        _run(store, 0)
    backup.write(url, file)
    spoil(file)

    with pytest.raises(SnapbaseError, match=words) as refused:
        backup.load(_url(there), file)

    assert refused.value.exit_code == 2
    assert refused.value.hint
    assert isinstance(refused.value, SchemaError) == (spoil is _newer)
    assert not there.exists()


def test_an_older_copy_is_upgraded_on_the_way_and_stays_as_it_is(store_url: str, tmp_path: Path) -> None:
    url, file = _url(tmp_path / "here.db"), tmp_path / "copy.db"
    with Store.open(url, write=True) as store:
        _run(store, 0)
    backup.write(url, file)
    set_back(_url(file), "0006")
    older = file.read_bytes()

    assert backup.load(store_url, file).rows == sum(map(len, _rows(url).values()))

    assert file.read_bytes() == older
    with Store.open(store_url) as store:
        assert len(list(store.states(store.head()))) == 40


def test_a_copy_in_a_folder_that_nobody_can_write_is_restored(tmp_path: Path) -> None:
    url, file = _url(tmp_path / "here.db"), tmp_path / "kept" / "copy.db"
    with Store.open(url, write=True) as store:
        _run(store, 0)
    file.parent.mkdir()
    backup.write(url, file)
    before = sorted(os.listdir(file.parent))
    file.chmod(0o400)
    file.parent.chmod(0o500)
    try:
        assert backup.load(_url(tmp_path / "there.db"), file).rows
    finally:
        file.parent.chmod(0o700)
    assert sorted(os.listdir(file.parent)) == before
