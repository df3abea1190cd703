"""The list of findings, drawn line by line: only what is on the screen is ever rendered."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from snapbase.finding import CoverageGap, Finding
from snapbase.report.text import hole, plain, title
from snapbase.review.session import Item, Session
from snapbase.review.words import DIM, MARK, STYLE, UNREAD

_HEADER, _ITEM = 1, 2
_CURSOR = "#2b3150"
_CURSOR_AWAY = "#22263c"


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, or a position in the session's visible items."""

    heading: str = ""
    count: int = 0
    style: str = ""
    position: int = -1

    @property
    def height(self) -> int:
        return _HEADER if self.heading else _ITEM


def rows_of(items: Sequence[Item]) -> list[Row]:
    """Headings by severity, and what was not read last."""
    groups: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        groups.setdefault(_heading(item), []).append(position)
    rows = []
    for name, positions in groups.items():
        rows.append(Row(name.upper(), len(positions), STYLE.get(name, f"bold {UNREAD}")))
        rows += [Row(position=position) for position in positions]
    return rows


class FindingList(ScrollView, can_focus=True):
    """Two lines an item: mark and title, then the subject."""

    DEFAULT_CSS = """
    FindingList { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(id="findings")
        self._session = session
        self._rows: list[Row] = []
        self._tops: list[int] = []
        self._row_of: list[int] = []
        self.reload()

    def reload(self) -> None:
        """After the visible items changed."""
        self._rows = rows_of(self._session.visible)
        self._tops, self._row_of, top = [], [], 0
        for number, row in enumerate(self._rows):
            self._tops.append(top)
            top += row.height
            if not row.heading:
                self._row_of.append(number)
        self.virtual_size = Size(1, top)
        self.refresh()

    def follow(self) -> None:
        """Scrolls to the cursor, with its heading where it is the first of its group."""
        if self._row_of:
            number = self._row_of[self._session.cursor]
            above = _HEADER if self._rows[number - 1].heading else 0
            region = Region(0, self._tops[number] - above, 1, _ITEM + above)
            self.scroll_to_region(region, animate=False, force=True)
        self.refresh()

    @property
    def page(self) -> int:
        """How many items fit."""
        return max(1, self.size.height // _ITEM)

    def render_line(self, y: int) -> Strip:
        line, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        number = bisect_right(self._tops, line) - 1
        if number < 0 or line >= self._tops[number] + self._rows[number].height:
            return Strip.blank(width, self.rich_style)
        row = self._rows[number]
        if row.heading:
            return self._strip([(f" {row.heading} ", row.style), (f"{row.count:,}", DIM)], width)
        item = self._session.visible[row.position]
        first = line == self._tops[number]
        parts = self._finding(item, width, first) if isinstance(item, Finding) else self._known(item, width, first)
        at_cursor = row.position == self._session.cursor
        background = (_CURSOR if self.has_focus else _CURSOR_AWAY) if at_cursor else ""
        bar = ("▌" if at_cursor else " ", _colour(item))
        return self._strip([bar, *parts], width, background)

    def _finding(self, finding: Finding, width: int, first: bool) -> list[tuple[str, str]]:
        decision = self._session.decision(finding)
        mark, style = MARK[decision.choice]
        if first:
            words = "" if decision.choice is None else DIM
            return [(f"{mark} ", style), (_cut(title(finding), width - 3), words or "#e0e3f0")]
        subject = finding.subject
        name = plain(subject.name or subject.address or subject.uid, 200)
        noted = [("✎ ", STYLE["low"])] if decision.note else [("  ", "")]
        return [*noted, (_cut(name, width - 3), DIM)]

    def _known(self, item: CoverageGap | str, width: int, first: bool) -> list[tuple[str, str]]:
        room = width - 3
        if isinstance(item, str):
            text = plain(item, 400)
            begin = set_cell_size(text, room).rstrip()
            rest = _cut(text[len(begin) :].lstrip(), room)
            return [("! ", UNREAD), (begin, "#e0e3f0")] if first else [("  ", ""), (rest, DIM)]
        if first:
            return [("! ", UNREAD), (_cut(hole(item), room), "#e0e3f0")]
        return [("  ", ""), (_cut(plain(f"{item.coverage.outcome}: {item.coverage.reason}"), room), DIM)]

    def _strip(self, parts: Sequence[tuple[str, str]], width: int, background: str = "") -> Strip:
        base = self.rich_style + Style(bgcolor=background or None)
        segments = [Segment(text, base + Style.parse(style)) for text, style in parts if text]
        return Strip(segments).crop(0, width).extend_cell_length(width, base)


def _heading(item: Item) -> str:
    if isinstance(item, Finding):
        return item.severity
    return "remarks" if isinstance(item, str) else "not read"


def _colour(item: Item) -> str:
    return STYLE[item.severity] if isinstance(item, Finding) else UNREAD


def _cut(text: str, width: int) -> str:
    """Its beginning, in cells: the end of an address tells more than its middle, but the details have it whole."""
    if cell_len(text) <= width:
        return text
    return f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"
