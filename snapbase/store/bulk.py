"""Many rows at once, past SQLAlchemy's own statement for each: `executemany` in SQLite, COPY in PostgreSQL."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from snapbase.errors import StoreError


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows that all have the same keys."""
    if not rows:
        return
    names = list(rows[0])
    preparer = connection.dialect.identifier_preparer
    into = f"{preparer.format_table(table)} ({', '.join(preparer.quote(name) for name in names)})"
    # Every table has at least two columns, so `itemgetter` gives tuples.
    values = list(map(itemgetter(*names), rows))
    if connection.dialect.name == "postgresql":
        _copy(connection, f"COPY {into} FROM STDIN", values)
    else:
        marks = ", ".join("?" * len(names))
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({marks})", values)  # noqa: S608


def _copy(connection: Connection, statement: str, values: Sequence[tuple[Any, ...]]) -> None:
    import psycopg

    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in values:
                copy.write_row(row)
    except psycopg.Error as error:
        raise StoreError(f"The store failed: {' '.join(str(error).split())[:200]}") from error
    finally:
        cursor.close()
