"""The schema: created by opening for writing, the same in every database, and refused where it is not ours."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from snapbase.errors import SchemaError, StoreError
from snapbase.store import Store, schema
from snapbase.store.tables import metadata


def test_the_tables_are_what_the_migrations_make(store_url: str) -> None:
    schema.upgrade(store_url)
    engine = create_engine(store_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == []


def test_the_newest_revision_is_the_one_in_the_code() -> None:
    assert ScriptDirectory(str(schema.migrations())).get_heads() == [schema.HEAD]


def test_a_store_of_every_older_schema_is_upgraded_and_keeps_what_it_holds(store_url: str) -> None:
    from alembic import command

    revisions = [each.revision for each in ScriptDirectory(str(schema.migrations())).walk_revisions()]
    oldest = revisions[-1]
    schema.upgrade(store_url)
    engine = create_engine(store_url)
    with engine.begin() as connection:
        command.downgrade(schema._alembic(connection), oldest)
        columns = "id, state, selection, config_digest, started_at, last_rev"
        connection.execute(
            text(f"INSERT INTO run ({columns}) VALUES (1, 'finished', '', '', '2026-01-01T00:00:00Z', 0)")
        )
    engine.dispose()

    assert f"upgraded from {oldest}" in schema.upgrade(store_url)
    with Store.open(store_url) as store:
        assert [run.id for run in store.runs(limit=None)] == [1]


def test_opening_for_writing_creates_a_store_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "snapbase.db"

    with Store.open(f"sqlite:///{path}", write=True) as store:
        assert store.head() == 0

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_reading_creates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "snapbase.db"

    with pytest.raises(StoreError) as refused, Store.open(f"sqlite:///{path}"):
        pass

    assert "snapbase collect" in refused.value.hint
    assert not path.exists()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "snapbase.db"
    url = f"sqlite:///{path}"
    schema.upgrade(url)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    for write in (False, True):
        with pytest.raises(SchemaError, match="newer"), Store.open(url, write=write):
            pass
    with pytest.raises(SchemaError, match="newer"):
        schema.upgrade(url)


def test_upgrade_and_check_say_what_they_found(store_url: str) -> None:
    schema.upgrade(store_url)

    assert "up to date" in schema.upgrade(store_url)
    assert "up to date" in schema.check(store_url)


def test_a_password_is_never_shown() -> None:
    url = "postgresql://someone:geheim@127.0.0.1:1/none"

    with pytest.raises(StoreError) as refused, Store.open(url, write=True):
        pass

    assert "geheim" not in refused.value.message + refused.value.hint


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "snapbase.db"
    path.write_text("not a database, but long enough to look like one to somebody in a hurry" * 20)

    with pytest.raises(StoreError), Store.open(f"sqlite:///{path}"):
        pass
