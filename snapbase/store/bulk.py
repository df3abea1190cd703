"""Many rows at once, past SQLAlchemy's own statement for each: many-row VALUES in SQLite, COPY in PostgreSQL."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table, text

from snapbase.errors import StoreError
from snapbase.store.tables import metadata

_TOGETHER = 100
"""Rows of one statement: a third less time than one each, and always the same text, so that it is prepared once.
More gain nothing; no table has so many columns that it is more than the 999 parameters old SQLites take."""

Row = tuple[Any, ...]
"""One value for each of a table's columns, in the table's order; the last ones may be left out, and are null then."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Writes rows of one width. A null that is left out is quicker than one that SQLite is given for each row."""
    if not rows:
        return
    into = _into(connection.dialect, table, len(rows[0]))
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {into} FROM STDIN", rows)
    else:
        _values(connection, f"INSERT INTO {into}", rows)


@cache
def _into(dialect: Dialect, table: Table, width: int) -> str:
    columns = ", ".join(dialect.identifier_preparer.quote(column.name) for column in table.columns[:width])
    return f"{dialect.identifier_preparer.format_table(table)} ({columns})"


def _values(connection: Connection, insert: str, rows: Sequence[Row]) -> None:
    width = len(rows[0])
    marks = f"({','.join('?' * width)})"
    together = min(_TOGETHER, 999 // width)
    whole = len(rows) - len(rows) % together
    if whole:
        parts = [tuple(chain.from_iterable(rows[at : at + together])) for at in range(0, whole, together)]
        connection.exec_driver_sql(f"{insert} VALUES {','.join([marks] * together)}", parts)
    if whole < len(rows):
        connection.exec_driver_sql(f"{insert} VALUES {marks}", list(rows[whole:]))


def analyze(connection: Connection) -> None:
    """Lets PostgreSQL look at the tables that grew much since it last did: it plans by what it saw.

    By itself it looks within a minute; the diff that follows a first run would take longer than that.
    """
    if connection.dialect.name != "postgresql":
        return
    preparer = connection.dialect.identifier_preparer
    for name in connection.scalars(_GROWN, {"ours": [table.name for table in metadata.sorted_tables]}).all():
        connection.exec_driver_sql(f"ANALYZE {preparer.quote(name)}")


_GROWN = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:ours)"
    " AND pg_relation_size(oid) > current_setting('block_size')::int * (10 + 1.2 * greatest(relpages, 0))"
)


def _copy(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    import psycopg

    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise StoreError(f"The store failed: {' '.join(str(error).split())[:200]}") from error
    finally:
        cursor.close()
