"""The right side: one item in words, and its story once the cursor rests on it."""

from collections import OrderedDict
from collections.abc import Callable

from rich.console import RenderableType
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from snapbase.errors import SnapbaseError
from snapbase.finding import Finding
from snapbase.operations.inventory import Story
from snapbase.report.text import plain
from snapbase.review import words
from snapbase.review.decisions import Decisions
from snapbase.review.session import Item

_REST = 0.12
"""Seconds the cursor rests on a finding before its story is read."""
_STORIES = 200


class Panel(VerticalScroll, can_focus=False):
    """Shows an item; reads stories in a thread, and keeps the last ones."""

    def __init__(self, decisions: Decisions, read: Callable[[Finding], Story | None]) -> None:
        super().__init__(id="right")
        self._decisions = decisions
        self._read = read
        self._stories: OrderedDict[str, Story | None] = OrderedDict()
        self._timer: Timer | None = None
        self._item: Item | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="finding", markup=False)
        yield Static(id="story", markup=False)

    def show(self, item: Item | None, nothing: RenderableType) -> None:
        """`nothing` is what is said where there is no item."""
        body = nothing
        if isinstance(item, Finding):
            decision, saved = self._decisions.of(item.id), self._decisions.saved.get(item.id)
            body = words.details(item, decision, self.size.width - 1, saved=saved)
        elif item is not None:
            body = words.said(item) if isinstance(item, str) else words.unread(item)
        self.query_one("#finding", Static).update(body)
        if item is not self._item:
            self._item = item
            self.scroll_home(animate=False)
        self._tell(item if isinstance(item, Finding) else None)

    def forget(self) -> None:
        """Approvals are part of a story: after saving, all are read anew."""
        self._stories.clear()

    def _tell(self, finding: Finding | None) -> None:
        if self._timer is not None:
            self._timer.stop()
        told = self._stories.get(finding.subject.uid) if finding else None
        self.query_one("#story", Static).update(words.story(told) if told else Text())
        if finding is not None and finding.subject.uid not in self._stories:
            self._timer = self.set_timer(_REST, lambda: self._fetch(finding))

    @work(thread=True, exclusive=True, group="story")
    def _fetch(self, finding: Finding) -> None:
        try:
            story = self._read(finding)
        except SnapbaseError as error:
            self.app.call_from_thread(self._failed, error)
            return
        self.app.call_from_thread(self._fetched, finding, story)

    def _failed(self, error: SnapbaseError) -> None:
        self.query_one("#story", Static).update(Text(plain(f"No story: {error.message}", 300), words.UNREAD))

    def _fetched(self, finding: Finding, story: Story | None) -> None:
        self._stories[finding.subject.uid] = story
        while len(self._stories) > _STORIES:
            self._stories.popitem(last=False)
        if self._item is finding:
            self._tell(finding)
