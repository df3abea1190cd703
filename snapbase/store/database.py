"""Connections: SQLite (WAL, foreign keys, one writer, 0600) and PostgreSQL, behind the same few words."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from snapbase.errors import StoreError

_CLOCK = 0x736E6170
"""PostgreSQL advisory lock that orders commits; any constant of our own will do."""
_NO_STORE = ("not a database", "unable to open", "connection failed")
_WHERE = "Is the store where --store, SNAPBASE_STORE_URL or url under [store] says?"
_AS_OWNER = "Run snapbase as whoever owns the store, or read a copy of it (`snapbase db backup`)."
_LOG = "journal_mode=WAL"
_PRAGMAS = (
    "foreign_keys=ON",
    "synchronous=NORMAL",
    "cache_size=-65536",
    # Index pages change with every scope: at the default of 1,000 pages each is written back again and again.
    "wal_autocheckpoint=16384",
)


def show(url: str) -> str:
    """The store's place for people, without its password, which a parameter can hold, too."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.database or "memory"
    return parsed.set(query={}).render_as_string(hide_password=True)


def place(url: str) -> str:
    """Which store it is, without its password: that changes, and has no business in a file's name."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    if parsed.get_backend_name() == "sqlite":
        return str(Path(parsed.database or "").resolve())
    user = f"{parsed.username}@" if parsed.username else ""
    query = sorted(f"{name}={value}" for name, value in parsed.query.items() if name != "password")
    return f"{user}{parsed.host}:{parsed.port}/{parsed.database}?{'&'.join(query)}"


def connect(url: str, *, write: bool) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://…`; raises `StoreError` where that cannot be."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise StoreError("The store's URL cannot be read.", hint="Write sqlite:////path or postgresql://…") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, write=write)
    try:
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise StoreError(
            f"No driver for {parsed.drivername}.", hint="pip install 'snapbase[postgres]' for PostgreSQL."
        ) from None


def _sqlite(url: URL, *, write: bool) -> Engine:
    path = Path(url.database or "")
    if not url.database:
        raise StoreError("A store in memory is forgotten at once.", hint="Write sqlite:////path/to/snapbase.db")
    if write:
        _private(path)
    else:
        _readable(path)
    frozen = not write and _is_frozen(path)
    engine = _unchanging(url, path) if frozen else create_engine(url, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        try:
            # Only a writer chooses how the store is kept: a reader may have no right to write it down.
            for pragma in (_LOG, *_PRAGMAS) if write else _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if write or not path.is_file() or os.access(path.resolve().parent, os.W_OK):
                raise
            raise _unopened(path, error) from error

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _readable(path: Path) -> None:
    """Raises `StoreError` where there is nothing, or it is not ours to read."""
    why = ""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"There is no store at {path}.", hint="Run `snapbase collect` first.") from None
    except OSError as error:
        why = error.strerror or str(error)
    if not why and not os.access(path, os.R_OK):
        why = os.strerror(errno.EACCES)
    if why:
        raise StoreError(f"{path} cannot be read: {why}.", hint=_AS_OWNER)


def _is_frozen(path: Path) -> bool:
    """Whether nobody writes: the file system cannot be written to, and no log stands beside the store.

    SQLite then needs a word, for the index of that log, which it makes even to read, can not be made.
    """
    real = path.resolve()
    return bool(os.statvfs(real).f_flag & os.ST_RDONLY) and not Path(f"{real}-wal").exists()


def _unchanging(url: URL, path: Path) -> Engine:
    """Reads without any lock. What is read-only here may be written to elsewhere (a volume that another container
    has, too): then what was read is refused."""
    before = _mark(path)
    place = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    engine = create_engine(url, creator=lambda: sqlite3.connect(place, uri=True, check_same_thread=False))

    @event.listens_for(engine, "commit")
    def _still(_: Connection) -> None:
        if _mark(path) != before:
            raise StoreError(f"{path} was written to while it was read.", hint="Run it again.")

    return engine


def _mark(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unopened(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(
        f"{path} cannot be read: SQLite needs {path.name}-shm beside it, which cannot be made or read there ({error}).",
        hint=f"{_AS_OWNER} Of one on a read-only disk copy {path.name} and {path.name}-wal together.",
    )


def _private(path: Path) -> None:
    """Creates the file so that only its owner can ever read it; SQLite gives its -wal and -shm the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            # Closing one that is there would drop this process's locks on it (sqlite.org/howtocorrupt.html, 2.2).
            os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.is_file():
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", hint="Give another --store.") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction, one at a time across processes: revisions are allotted in commit order."""
    with words(), engine.connect().execution_options(immediate=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CLOCK})
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One picture of the store for as long as it takes: SQLite gives no other, PostgreSQL has to be asked for it."""
    with words(), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def words() -> Iterator[None]:
    """A database's own errors as `StoreError`, without statement or parameters."""
    try:
        yield
    except DBAPIError as error:
        text_ = " ".join(str(error.orig).split())[:200]
        hint = _WHERE if any(each in text_ for each in _NO_STORE) else ""
        raise StoreError(f"The store failed: {text_}", hint=hint) from error
