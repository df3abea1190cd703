"""One writing command at a time; the operating system or PostgreSQL frees the lock when its holder dies."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from snapbase.errors import Busy, StoreError

_LOCK = 0x736E6171
_HINT = "Wait for it, or look for a stuck one."
_REMOVE = "Run snapbase as its owner; or remove it while no snapbase runs, and the next one makes its own."
_ELSEWHERE = "Put the store on a disk of this machine, or into PostgreSQL."
_HOLDER = text(
    "SELECT application_name || ' since ' || to_char(state_change, 'YYYY-MM-DD HH24:MI')"
    " FROM pg_stat_activity JOIN pg_locks USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""Who holds the lock: a session's own name is all that another session can read of it."""


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Raises `Busy` at once where another snapbase holds it."""
    if engine.dialect.name == "sqlite":
        with _file(Path(f"{engine.url.database}.lock")):
            yield
        return
    with engine.connect() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar():
            holder = connection.execute(_HOLDER, {"key": _LOCK}).scalar() or "unknown"
            raise Busy(f"Another snapbase ({holder}) is writing to this store.", hint=_HINT)
        name = f"snapbase process {os.getpid()} on {socket.gethostname()}"[:63]
        connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name})
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("RESET application_name"))
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()


@contextmanager
def _file(path: Path) -> Iterator[None]:
    """Raises `StoreError` where the file cannot be had: it may be another user's, whom `sudo` once made it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}.", hint=_REMOVE) from error
    try:
        _lock(descriptor, path)
        with suppress(OSError):  # on a full disk the lock holds, only without a name
            os.ftruncate(descriptor, 0)
            since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 300).decode(errors="replace").strip() or "unknown"
        raise Busy(f"Another snapbase ({holder}) is writing to this store.", hint=_HINT) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}.", hint=_ELSEWHERE) from error
