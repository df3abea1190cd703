"""The review on the screen: the list on the left, the finding on the right (or below it), keys only."""

from collections.abc import Callable
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from snapbase.errors import SnapbaseError
from snapbase.report.text import compared, holder, plain, several, unread_scopes, verdict
from snapbase.review import words
from snapbase.review.decisions import Choice, Decisions
from snapbase.review.desk import Desk, Result
from snapbase.review.panel import Panel
from snapbase.review.screens import Help, Note, Question, Save
from snapbase.review.session import Session
from snapbase.review.style import CSS, THEME, WIDE
from snapbase.review.widgets import FindingList

_KEYS = (
    ("a", "approve"),
    ("l", "leave"),
    ("n", "note"),
    ("p", "holder"),
    ("u", "undo"),
    ("f", "filter"),
    ("s", "save"),
    ("?", "help"),
    ("q", "quit"),
)


class ReviewApp(App[None]):
    """Nothing is approved before the save screen says so; every decision is kept at once."""

    TITLE = "snapbase review"
    CSS = CSS
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("g,home", "end(-1)", show=False),
        Binding("G,end", "end(1)", show=False),
        Binding("J", "scroll_details(1)", show=False),
        Binding("K", "scroll_details(-1)", show=False),
        Binding("space", "next_undecided", show=False),
        Binding("enter", "zoom", show=False),
        Binding("escape", "step_back", show=False),
        Binding("a", "approve", show=False),
        Binding("l", "leave", show=False),
        Binding("x", "clear", show=False),
        Binding("n", "note", show=False),
        Binding("p", "holder", show=False),
        Binding("u", "undo", show=False),
        Binding("f,slash", "filter", show=False),
        Binding("s", "save", show=False),
        Binding("question_mark", "help", show=False),
        Binding("q,ctrl+c", "leave_review", show=False),
    ]

    def __init__(self, desk: Desk, session: Session) -> None:
        super().__init__()
        self._desk = desk
        self._session = session
        self.outcome: tuple[str, ...] = ()
        """What saving did, in words, for when the screen is gone."""

    def compose(self) -> ComposeResult:
        yield Static(id="top", markup=False)
        yield Static(id="unread", markup=False)
        with Horizontal(id="both"):
            with Vertical(id="left"):
                yield FindingList(self._session)
                yield Input(id="filter", placeholder="words, cloud:aws, principal:9999, is:undecided", compact=True)
            yield Panel(self._session.decisions, self._desk.story)
        yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self.query_one("#filter").display = False
        self._list.focus()
        self.call_after_refresh(self._changed)
        if self._session.orphans:
            found = several(self._session.orphans, "decision")
            self._say(f"{found} of yours about what is no finding any more: somebody approved it.")

    def on_resize(self) -> None:
        self.call_after_refresh(self._changed)

    @property
    def session(self) -> Session:
        return self._session

    @property
    def _list(self) -> FindingList:
        return self.query_one(FindingList)

    @property
    def _panel(self) -> Panel:
        return self.query_one(Panel)

    def _say(self, text: str) -> None:
        self.notify(plain(text, 300), markup=False, timeout=4)

    def _reloaded(self) -> None:
        self._list.reload()
        self._changed()

    def _changed(self) -> None:
        """Draws what depends on the session."""
        self._list.follow()
        self._top()
        self._panel.show(self._session.current, self._nothing())
        self.query_one("#keys", Static).update(words.hints(_KEYS, self.size.width - 2))

    def _top(self) -> None:
        session, counts = self._session, self._session.counts()
        line = Text.assemble(("snapbase review", "bold #7dcfff"), f"  {compared(session.report)}", no_wrap=True)
        parts = [
            Text(f"✓ {counts.get(Choice.APPROVE, 0):,} to approve", words.GOOD),
            Text(f"○ {counts.get(Choice.LEAVE, 0):,} left", words.LEFT),
            Text(f"· {counts.get(None, 0):,} to go", words.DIM),
        ]
        if session.filter:
            parts.append(Text(f"⌕ {plain(session.filter, 60)}: {len(session.visible):,} shown", "#7dcfff"))
        second = Text("   ").join(parts)
        second.no_wrap = True
        line.overflow = second.overflow = "ellipsis"
        self.query_one("#top", Static).update(Group(line, second))
        holes = self.query_one("#unread", Static)
        said = self._unread()
        holes.display = bool(said)
        holes.update(Text(said, no_wrap=True, overflow="ellipsis"))

    def _unread(self) -> str:
        """What must be known before anything is approved."""
        report, said = self._session.report, []
        if report.coverage:
            said.append(f"{several(unread_scopes(report), 'scope')} not read: changes there are not here.")
        if report.notes:
            said.append(f"{several(len(report.notes), 'remark')}.")
        return f"{' '.join(said)} G goes there." if said else ""

    def _nothing(self) -> RenderableType:
        if self._session.filter:
            return Group(
                Text("Nothing matches the filter.", "bold"), Text("f, then escape, shows all again.", words.DIM)
            )
        said = Text(verdict(self._session.report), "bold")
        return Group(said, Text("There is nothing to decide.", words.DIM))

    # Keys

    def action_move(self, by: int) -> None:
        if self._zoomed:
            self.action_scroll_details(by)
            return
        self._session.move(by)
        self._changed()

    def action_page(self, by: int) -> None:
        if self._zoomed:
            self._panel.scroll_relative(y=by * (self._panel.size.height - 2), animate=False)
            return
        self.action_move(by * self._list.page)

    def action_end(self, which: int) -> None:
        self._session.go(len(self._session.visible) if which > 0 else 0)
        self._changed()

    def action_scroll_details(self, by: int) -> None:
        self._panel.scroll_relative(y=by * 2, animate=False)

    def action_next_undecided(self) -> None:
        self._session.next_undecided()
        self._changed()

    @property
    def _zoomed(self) -> bool:
        return self.screen.has_class("zoomed")

    def action_zoom(self) -> None:
        self.screen.toggle_class("zoomed")
        self.call_after_refresh(self._changed)

    def action_step_back(self) -> None:
        """Out of the details; else out of the filter."""
        if self._zoomed:
            self.action_zoom()
            return
        self._close_filter()
        self._narrow("")

    async def action_quit(self) -> None:
        """Ctrl+Q is no way around the question; in a question it is no answer."""
        if not isinstance(self.screen, ModalScreen):
            self.action_leave_review()

    def action_approve(self) -> None:
        self._decided(self._session.approve)

    def action_leave(self) -> None:
        self._decided(self._session.leave)

    def action_clear(self) -> None:
        self._decided(self._session.clear)

    def _decided(self, decide: Callable[[], object]) -> None:
        """A decision that could not be kept is said, and is not made."""
        if self._session.current is not None and self._session.finding is None:
            self._say("There is nothing to decide here: it can only be known.")
        listed = self._session.visible
        try:
            decide()
        except SnapbaseError as error:
            self._say(f"{error.message} {error.hint}")
        if self._session.visible is listed:
            self._changed()
        else:
            self._reloaded()

    @work
    async def action_note(self) -> None:
        finding = self._session.finding
        if finding is None:
            return
        text = await self.push_screen_wait(Note(finding, self._session.decision(finding).note))
        if text is not None:
            self._decided(lambda: self._session.note(text))

    @work
    async def action_holder(self) -> None:
        finding = self._session.finding
        if finding is None or finding.grantee is None:
            self._say("This finding names no holder.")
            return
        found, left = self._session.of_holder()
        if not found:
            self._say("Everything of this holder is decided.")
            return
        lines = [
            Text(f"Approve {several(len(found), 'finding')} of this holder?", "bold"),
            Text(holder(finding)),
        ]
        hidden = self._session.hidden(found)
        lines += [Text(f"{hidden:,} of them are hidden by the filter.", words.UNREAD)] if hidden else []
        lines += [Text(f"{len(left):,} that you left stay left.", words.DIM)] if left else []
        lines.append(Text("Nothing is approved before you save.", words.DIM))
        if await self.push_screen_wait(Question(Group(*lines), (("y", "yes"), ("n", "no")))) == "y":
            self._decided(self._session.approve_holder)

    def action_undo(self) -> None:
        self._decided(self._undo)

    def _undo(self) -> None:
        found = self._session.undo()
        if len(found) > 1:
            self._say(f"{len(found):,} decisions taken back.")
        elif not found:
            self._say("There is nothing to take back.")

    def action_filter(self) -> None:
        if self._zoomed:
            self.action_zoom()
        field = self.query_one("#filter", Input)
        field.display = True
        field.value = self._session.filter
        field.focus()

    @on(Input.Changed, "#filter")
    def _filtering(self, event: Input.Changed) -> None:
        if event.input.display and event.value.strip() != self._session.filter:
            self._session.narrow(event.value)
            self._reloaded()

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self._list.focus()

    def _narrow(self, text: str) -> None:
        self._session.narrow(text)
        self._reloaded()

    def action_help(self) -> None:
        self.push_screen(Help())

    @work
    async def action_save(self) -> None:
        await self._save()

    async def _save(self) -> bool:
        """Whether it was saved."""
        if not self._session.approved:
            self._say("Nothing is to be approved yet: a approves the finding under the cursor.")
            return False
        result = await self.push_screen_wait(Save(self._desk, self._session))
        if result is None:
            return False
        self._saved(result)
        return True

    def _saved(self, result: Result) -> None:
        try:
            for baseline, ids in result.approved.items():
                self._session.decisions.save(baseline, ids)
        except SnapbaseError as error:
            # It is approved all the same; what is left of the decisions is about findings that are gone.
            self._say(error.message)
        self._panel.forget()
        self._session.load(result.report)
        self.outcome += outcome(result)
        self._reloaded()
        self._say(outcome(result)[0])

    @work
    async def action_leave_review(self) -> None:
        count = len(self._session.approved)
        if count == 0:
            self.exit()
            return
        lines = Group(
            Text(f"{several(count, 'finding')} to approve, not saved.", "bold"),
            Text("The decisions are kept for the next time; nothing is approved by them.", words.DIM),
        )
        answer = await self.push_screen_wait(Question(lines, (("y", "quit"), ("s", "save first"), ("n", "stay"))))
        if answer == "y" or (answer == "s" and await self._save()):
            self.exit()


def outcome(result: Result) -> tuple[str, ...]:
    """What saving did, line by line."""
    lines = []
    for baseline in result.baselines:
        found = several(len(result.approved[baseline.id]), "finding")
        lines.append(f"Baseline {baseline.id} approved by {plain(baseline.approval.by, 60)}: {found}.")
        if baseline.pending:
            lines.append(
                f"It counts once somebody else confirms it: snapbase baselines confirm {baseline.id} --by OTHER"
            )
    if result.held:
        lines.append(f"Not approved, still findings: {result.held:,}")
    if result.moved:
        lines.append(f"Changed since the run, not approved: {result.moved:,}")
    if result.report.coverage:
        lines.append(f"Not read, so not judged: {several(len(result.report.coverage), 'reading')}.")
    lines.append(f"Head of the log, to be kept elsewhere: {result.baselines[-1].hash}")
    return tuple(lines)


def review(desk: Desk, decisions: Decisions) -> tuple[str, ...]:
    """Runs until the reviewer quits; returns what was saved, in words. Raises `SnapbaseError` where a bug ended it."""
    app = ReviewApp(desk, Session(desk.report(), decisions))
    app.run(mouse=False)
    if app.return_code:  # Textual has printed the bug itself, and raises nothing
        hint = "Decisions are kept; what was saved is approved: `snapbase baselines list`."
        raise SnapbaseError("The review was ended by a bug in snapbase.", hint=hint)
    return app.outcome
