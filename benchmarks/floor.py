"""The floor: a store's rows written again by hand with sqlite3 alone, as often committed, into the same tables."""

import sqlite3
import time
from pathlib import Path
from typing import Self

_TABLES = (
    "run", "scope", "rev", "profile", "profile_guard", "principal", "resource", "version", "grant", "unread",
    "coverage", "scope_state",
)  # fmt: skip
_PRAGMAS = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    "synchronous=NORMAL",
    "cache_size=-65536",
    "wal_autocheckpoint=16384",
)
_ROWS = 10_000


class Floor:
    """Follows a store that only grows: what it wrote is written again by `executemany`, rows ready-made.

    The same tables, indexes, foreign keys and pragmas, and one transaction for each scope, as the store has: a scope
    is recorded whole or not at all, so a floor with fewer commits would be one that no store could reach. It is quicker
    than a store could be in that it compares nothing, encodes nothing, and writes table by table in the order of ids.
    """

    def __init__(self, source: Path, target: Path) -> None:
        self._old = sqlite3.connect(source)
        self._new = sqlite3.connect(target, isolation_level=None)
        for pragma in _PRAGMAS:
            self._new.execute(f"PRAGMA {pragma}")
        # Tables first: sqlite_master keeps the order of creation, so every index follows its table.
        for (statement,) in self._old.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"):
            self._new.execute(statement)
        self._written = dict.fromkeys(_TABLES, 0)
        self.seconds = 0.0
        """Of writing; reading the rows is not counted."""
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._old.close()
        self._new.close()

    def follow(self) -> None:
        """Writes what is new in the store, in one transaction. Ids only grow: each table goes on after its last."""
        self._clocked("BEGIN IMMEDIATE")
        for table in _TABLES:
            cursor = self._old.execute(f'SELECT * FROM "{table}" ORDER BY 1 LIMIT 0')
            first, marks = cursor.description[0][0], ", ".join("?" * len(cursor.description))
            cursor = self._old.execute(
                f'SELECT * FROM "{table}" WHERE {first} > ? ORDER BY {first}', (self._written[table],)
            )
            while rows := cursor.fetchmany(_ROWS):
                self._clocked(f'INSERT INTO "{table}" VALUES ({marks})', rows)
                self._written[table] = rows[-1][0]
        self._clocked("COMMIT")

    def _clocked(self, statement: str, rows: list[tuple[object, ...]] | None = None) -> None:
        began = time.perf_counter()
        if rows is None:
            self._new.execute(statement)
        else:
            self._new.executemany(statement, rows)
        self.seconds += time.perf_counter() - began
        self.rows += len(rows or ())
