"""Plain lists for a terminal: columns and facts, every cell escaped."""

import shutil
from collections.abc import Sequence
from io import StringIO

from snapbase.report.text import plain


def listing(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> str:
    """Aligned columns as wide as the terminal; `empty` where there are no rows. The last column takes what is left."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return f"{empty}\n" if empty else ""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell, 300) for cell in row))
    return _rendered(Console(file=(out := StringIO()), width=_width(), highlight=False, markup=False), table, out)


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, one pair a line."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(plain(name, 40), plain(value, 500))
    return _rendered(Console(file=(out := StringIO()), width=_width(), highlight=False, markup=False), table, out)


def _rendered(console: object, table: object, out: StringIO) -> str:
    console.print(table)  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n\n"


def _width() -> int:
    return max(60, shutil.get_terminal_size((80, 24)).columns)
