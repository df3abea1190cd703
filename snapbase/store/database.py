"""Connections: SQLite (WAL, foreign keys, one writer, 0600) and PostgreSQL, behind the same few words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from snapbase.errors import StoreError

_CLOCK = 0x736E6170
"""PostgreSQL advisory lock that orders commits; any constant of our own will do."""
_NO_STORE = ("not a database", "unable to open", "connection failed")
_WHERE = "Is the store where --store, SNAPBASE_STORE_URL or url under [store] says?"
_PRAGMAS = (
    "journal_mode=WAL",
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
    elif not path.exists():
        raise StoreError(f"There is no store at {path}.", hint="Run `snapbase collect` first.")
    engine = create_engine(url, connect_args={"timeout": 60})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _private(path: Path) -> None:
    """Creates the file so that only its owner can ever read it; SQLite gives its -wal and -shm the same mode."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
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
