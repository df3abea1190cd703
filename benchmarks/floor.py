"""The floor: a store's rows written again by hand with sqlite3 alone, into the same tables and indexes."""

import sqlite3
import time
from pathlib import Path

_TABLES = ("scope", "profile", "principal", "resource", "profile_guard", "version", "grant")


def rewrite(source: Path, target: Path) -> tuple[float, int]:
    """Seconds of `executemany` for the rows of `source`'s big tables (reading them not counted), and how many."""
    old = sqlite3.connect(source)
    new = sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", "cache_size=-65536"):
        new.execute(f"PRAGMA {pragma}")
    # Tables first: sqlite_master keeps the order of creation, so every index follows its table.
    statements = old.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    for (statement,) in statements:
        new.execute(statement)
    spent, total = 0.0, 0
    for table in _TABLES:
        cursor = old.execute(f'SELECT * FROM "{table}" ORDER BY rowid' if table != "profile_guard" else
                             "SELECT * FROM profile_guard")  # fmt: skip
        marks = ", ".join("?" * len(cursor.description))
        while rows := cursor.fetchmany(10_000):
            began = time.perf_counter()
            new.execute("BEGIN IMMEDIATE")
            new.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)
            new.execute("COMMIT")
            spent += time.perf_counter() - began
            total += len(rows)
    old.close()
    new.close()
    return spent, total
