"""The schema, driven by Alembic from code: a store is created, upgraded, or refused with words that say what to do."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from snapbase.errors import SchemaError
from snapbase.store.database import connect, show, words, writing

HEAD = "0010"
"""The newest revision in migrations/versions; a test holds it to that."""


def migrations() -> Path:
    """The migrations beside the package in a wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def upgrade(url: str) -> str:
    """Creates the store or brings it to `HEAD`; returns what was done. Raises `SchemaError` if it is newer."""
    engine = connect(url, write=True)
    try:
        with words(), engine.connect() as connection:
            before = current(connection)
            refuse_newer(before, url)
            _refuse_others(connection, before, url)
        if before == HEAD:
            return f"{show(url)} is up to date ({HEAD})."
        from alembic import command

        with writing(engine) as connection:
            command.upgrade(_alembic(connection), HEAD)
        return f"{show(url)}: {'created' if before is None else 'upgraded from ' + before} ({HEAD})."
    finally:
        engine.dispose()


def check(url: str) -> str:
    """Says that the schema is `HEAD`; raises `SchemaError` otherwise."""
    engine = connect(url, write=False)
    try:
        with words(), engine.connect() as connection:
            require(connection, url)
    finally:
        engine.dispose()
    return f"{show(url)} is up to date ({HEAD})."


def require(connection: Connection, url: str) -> None:
    """Raises `SchemaError` unless the store's schema is exactly this snapbase's."""
    found = current(connection)
    refuse_newer(found, url)
    _refuse_others(connection, found, url)
    if found != HEAD:
        what = "is empty" if found is None else f"has schema {found}, this snapbase needs {HEAD}"
        raise SchemaError(f"{show(url)} {what}.", hint="Run `snapbase db upgrade`.")


def current(connection: Connection) -> str | None:
    """The store's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def refuse_newer(found: str | None, url: str) -> None:
    """Raises `SchemaError` where this snapbase does not know a store's schema."""
    known = {path.name[:4] for path in (migrations() / "versions").glob("[0-9]*.py")}
    if found is not None and found not in known:
        raise SchemaError(
            f"{show(url)} has schema {found}, which is newer than this snapbase.", hint="Upgrade snapbase."
        )


def _refuse_others(connection: Connection, found: str | None, url: str) -> None:
    """Raises `SchemaError` where an SQLite file is another program's. A PostgreSQL database may be shared."""
    if found is None and connection.dialect.name == "sqlite" and inspect(connection).get_table_names():
        raise SchemaError(f"{show(url)} is a database, but no store of snapbase.", hint="Give another --store.")


def _alembic(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
