"""A copy of the whole store in one file, and back: the same tables in SQLite, whichever database they came from.

The copy is a store: `--store sqlite:///FILE` reads it. What approvals covered is in it, so they can be verified there.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Text,
    and_,
    create_engine,
    event,
    func,
    inspect,
    not_,
    or_,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from snapbase.errors import SchemaError, StoreError
from snapbase.store import schema
from snapbase.store.bulk import insert_rows
from snapbase.store.database import connect, reading, show, words, writing
from snapbase.store.locking import locked
from snapbase.store.tables import baseline, metadata

_BATCH = 5_000
_ANOTHER = "Take another copy."
_UNCHANGED = "Nothing was changed there."
_FAILED = "The store failed: "
_NO_TEXT = "Could not decode to UTF-8"
"""How sqlite3 says that a text is none."""
_SIDES = ("-wal", "-shm", "-journal")
_FOREIGN = "SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
"""No store has any; what reads like a table would then be somebody's program."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in the copy now."""

    rows: int
    lines: int
    """Of the approval log."""
    head: str
    """The hash of the last one; empty where there is none."""


def write(url: str, path: Path, *, force: bool = False) -> Copied:
    """Copies a store into a file that only its owner can read, all at once or not at all.

    Writers go on meanwhile: the copy is what was there when it began. Raises `StoreError` where the file exists, unless
    `force`, and always where it is the store itself.
    """
    _refuse_existing(url, path, force=force)
    source = connect(url, write=False)
    try:
        with words(), source.connect() as connection:
            schema.require(connection, url)
        with _said(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _folder(path.parent) as folder:
                copied = _filled(source, folder / "copy.db")
                _put(folder / "copy.db", path)
    finally:
        source.dispose()
    return copied


def _filled(source: Engine, part: Path) -> Copied:
    place = URL.create("sqlite", database=str(part.absolute())).render_as_string()
    schema.upgrade(place)
    target = connect(place, write=True)
    try:
        with reading(source) as here, writing(target) as there:
            copied = _copied(here, there)
        _settle(target)
    finally:
        target.dispose()
    return copied


@contextmanager
def _folder(place: Path | None = None) -> Iterator[Path]:
    """One that only its owner can look into, gone in the end with everything in it."""
    with tempfile.TemporaryDirectory(prefix=".snapbase-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What stops a copy, in words: of the system, of the driver or of the store."""
    try:
        yield
    except (OSError, sqlite3.Error, StoreError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).removeprefix(_FAILED).rstrip(".")
        raise StoreError(f"{path} was not written: {why}.", hint=_UNCHANGED) from error


def load(url: str, path: Path) -> Copied:
    """Copies a file that `write` made (or any SQLite store) into an empty store, all at once.

    A file of an older schema is upgraded first, in a copy of its own. Raises `StoreError` where the store is not empty
    or the file is no backup, damaged, or newer than this snapbase.
    """
    with _readable(path) as source:
        schema.upgrade(url)
        target = connect(url, write=True)
        try:
            with locked(target), reading(source) as here, writing(target) as there:
                _refuse_filled(there, url)
                return _copied(here, there)
        except StoreError as error:
            if _NO_TEXT in error.message:
                raise _damaged(path, error) from error
            raise
        finally:
            target.dispose()


def _refuse_existing(url: str, path: Path, *, force: bool) -> None:
    parsed = make_url(url)
    own = Path(parsed.database or "").resolve() if parsed.get_backend_name() == "sqlite" else None
    if own is not None and (path.resolve() == own or (path.exists() and own.exists() and path.samefile(own))):
        raise StoreError(f"{path} is the store itself.", hint="Give another place.")
    if own is not None and path.resolve() in {Path(f"{own}{side}") for side in (*_SIDES, ".lock", ".told")}:
        raise StoreError(f"{path} belongs to the store itself.", hint="Give another place.")
    if path.is_dir():
        raise StoreError(f"{path} is a folder.", hint="Give the name of a file in it.")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is no file.", hint="Give another place.")
    if path.exists() and not force:
        raise StoreError(f"{path} exists already.", hint="Give another place, or --force to replace it.")


def _refuse_filled(connection: Connection, url: str) -> None:
    for table in metadata.sorted_tables:
        if connection.execute(select(1).select_from(table).limit(1)).first() is not None:
            raise StoreError(
                f"{show(url)} is not empty: a backup is restored into a new store only.",
                hint="Give another --store; nothing was changed here.",
            )


def _copied(source: Connection, target: Connection) -> Copied:
    """Every table of ours, a batch at a time, those first that others refer to."""
    count = 0
    for table in metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_BATCH)
        for part in source.execute(query).partitions():
            insert_rows(target, table, [tuple(row) for row in part])
            count += len(part)
    line = select(baseline.c.id, baseline.c.hash).order_by(baseline.c.id.desc()).limit(1)
    last = target.execute(line).first()
    return Copied(count, last.id if last else 0, last.hash if last else "")


def _settle(engine: Engine) -> None:
    """One file with nothing beside it."""
    raw: Any = engine.raw_connection()
    try:
        raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.driver_connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        raw.close()


def _put(part: Path, path: Path) -> None:
    """Written to the disk before it takes the name: after a crash there is the old file or the new one."""
    for each, flags in ((part, os.O_RDONLY), (path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY)):
        if each is not part:
            for side in _SIDES:  # what a killed command left beside an older copy would be taken for the new one's
                Path(f"{path}{side}").unlink(missing_ok=True)
            part.replace(path)
        descriptor = os.open(each, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _readable(path: Path) -> Iterator[Engine]:
    """The file as a store of this schema, never written to."""
    if not path.is_file():
        raise StoreError(f"There is no file {path}.", hint="`snapbase db backup FILE` writes one.")
    engine = _read_only(path)
    try:
        found = _examined(engine, path)
        if found == schema.HEAD:
            _typed(engine, path)
            yield engine
            return
    finally:
        engine.dispose()
    with _folder() as folder:
        copy = folder / "older.db"
        try:
            _duplicated(path, copy)
            schema.upgrade(URL.create("sqlite", database=str(copy)).render_as_string())
        except (StoreError, sqlite3.Error) as error:
            raise _damaged(path, error) from error
        engine = _read_only(copy)
        try:
            _typed(engine, path)
            yield engine
        finally:
            engine.dispose()


def _duplicated(path: Path, copy: Path) -> None:
    """With what still is in a log beside the file, where it is a store."""
    with closing(sqlite3.connect(_place(path), uri=True)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _place(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=ro"


def _read_only(path: Path) -> Engine:
    def open_() -> sqlite3.Connection:
        return sqlite3.connect(_place(path), uri=True, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=open_, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _examined(engine: Engine, path: Path) -> str:
    """The schema of a file that is whole; raises `StoreError` where it is not, or is something else."""
    other = StoreError(f"{path} is not a backup of snapbase.", hint="`snapbase db backup FILE` writes one.")
    try:
        with reading(engine) as connection:
            if connection.exec_driver_sql(_FOREIGN).first() is not None:
                raise other
            found = schema.current(connection)
            if found is None:
                raise other
            damage = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            missing = {table.name for table in metadata.sorted_tables} - set(inspect(connection).get_table_names())
    except SchemaError:
        raise
    except StoreError as error:
        if error is other:
            raise
        if "not a database" in error.message:
            raise other from error
        raise _damaged(path, error) from error
    if damage != "ok" or loose is not None:
        raise _damaged(path, damage if damage != "ok" else "rows are missing")
    if found == schema.HEAD and missing:
        raise other
    schema.refuse_newer(found, f"sqlite:///{path}")
    return found


def _typed(engine: Engine, path: Path) -> None:
    """SQLite keeps anything in any column; raises `StoreError` where a value is not of its column's type."""
    try:
        with reading(engine) as connection:
            for table in metadata.sorted_tables:
                wrong = select(1).select_from(table).where(not_(and_(*map(_fits, table.columns)))).limit(1)
                if connection.execute(wrong).first() is not None:
                    raise _damaged(path, f"values of another type in {table.name}")
    except StoreError as error:
        if error.hint == _ANOTHER:
            raise
        raise _damaged(path, error) from error


def _fits(column: Column[Any]) -> ColumnElement[bool]:
    kind = func.typeof(column)
    right = and_(kind == "text", func.instr(column, func.char(0)) == 0)
    if not isinstance(column.type, Text):
        right = kind == "integer"
    return or_(right, kind == "null") if column.nullable else right


def _damaged(path: Path, why: object) -> StoreError:
    return StoreError(f"{path} is damaged: {str(why).removeprefix(_FAILED).rstrip('.')}.", hint=_ANOTHER)
