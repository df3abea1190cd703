"""One writing command at a time; the operating system or PostgreSQL frees the lock when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from snapbase.errors import Busy

_LOCK = 0x736E6171


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Raises `Busy` at once where another snapbase holds it."""
    if engine.dialect.name == "sqlite":
        with _file(Path(f"{engine.url.database}.lock")):
            yield
        return
    with engine.connect() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar():
            raise Busy("Another snapbase is writing to this store.", hint="Wait for it, or look for a stuck one.")
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()


@contextmanager
def _file(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace").strip() or "unknown"
            raise Busy(f"Another snapbase (process {holder}) is writing to this store.", hint="Wait for it.") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
