"""Plain lists for a terminal: columns and facts, every cell escaped."""

import shutil
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

from snapbase.report.text import plain

if TYPE_CHECKING:
    from rich.table import Table


def listing(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> str:
    """Aligned columns as wide as the terminal; `empty` where there are no rows. The last column takes what is left."""
    from rich.table import Table

    if not rows:
        return f"{empty}\n" if empty else ""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell, 300) for cell in row))
    return _rendered(table)


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(plain(name, 40), plain(value, 500))
    return _rendered(table)


def _rendered(table: "Table") -> str:
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=width(), highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n\n"


def width() -> int:
    """The terminal's columns; 60 at least."""
    return max(60, shutil.get_terminal_size((80, 24)).columns)
