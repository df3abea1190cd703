"""The questions the review asks. All of them are answered by keys, and by escape with no."""

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from snapbase.errors import SnapbaseError
from snapbase.finding import Finding, Severity
from snapbase.report.text import holder, plain, several, title
from snapbase.review.desk import PUBLIC_WORD, UNKNOWN_WORD, Desk, Result, Wish, by_reason, check, dangers, grouped
from snapbase.review.session import Session
from snapbase.review.words import DIM, STYLE, UNREAD

_GROUPS = 200
_ONE_BY_ONE = 60
_EXAMPLES = 60


class Question(ModalScreen[str]):
    """Some lines and the keys that answer them; the answer is the key. Enter answers nothing."""

    BINDINGS = [Binding("escape", "answer('')", show=False)]

    def __init__(self, lines: RenderableType, answers: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._lines = lines
        self._answers = answers

    def compose(self) -> ComposeResult:
        hints = Text("   ").join(Text.assemble((key, "bold"), f" {words}") for key, words in self._answers)
        with Vertical(classes="dialog"):
            yield Static(self._lines, markup=False)
            yield Static(hints, classes="keys", markup=False)

    def on_key(self, event: Key) -> None:
        """The key ends here: the screen below would take it for its own."""
        if event.character in {answer for answer, _ in self._answers}:
            event.stop()
            event.prevent_default()
            self.dismiss(event.character)

    def action_answer(self, key: str) -> None:
        self.dismiss(key)


class Note(ModalScreen[str | None]):
    """The reason for one finding."""

    BINDINGS = [Binding("escape", "leave", show=False)]

    def __init__(self, finding: Finding, note: str) -> None:
        super().__init__()
        self._finding = finding
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Text("Why is this one fine?", "bold"), markup=False)
            yield Static(Text(title(self._finding), DIM), markup=False)
            yield Input(self._note, placeholder="the reason for this finding only", max_length=1000)
            yield Static(Text("enter keep   esc as it was   empty: no note"), classes="keys", markup=False)

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Help(ModalScreen[None]):
    """Every key, and the filter's words."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "close", show=False)]
    _KEYS = (
        ("j k ↓ ↑", "next, previous finding; g G: first, last"),
        ("space", "to the next one without a decision"),
        ("J K", "scroll the details"),
        ("enter", "the details over the whole width, and back"),
        ("a", "approve: it will be approved when you save"),
        ("l", "leave: looked at, stays a finding"),
        ("p", "approve everything that this holder holds"),
        ("n", "note: the reason for this one finding"),
        ("x", "no decision on this one"),
        ("u", "undo the last decision, also one of another day"),
        ("f /", "filter, for example: crit cloud:aws account:1111"),
        ("", "principal:9999 rule:public kind:rds is:undecided"),
        ("s", "save: shows what would be approved, asks, approves"),
        ("q", "quit; decisions are kept, and are no approvals"),
    )

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help"):
            lines = [Text.assemble((f"{key:<9}", "bold #7dcfff"), words) for key, words in self._KEYS]
            yield Static(Group(Text("Keys", "bold"), *lines), markup=False)
            yield Static(Text("esc back"), classes="keys", markup=False)

    def action_close(self) -> None:
        self.dismiss(None)


class Save(ModalScreen[Result | None]):
    """The delta, the reason, and a typed word for what is dangerous; then the approvals are written."""

    BINDINGS = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("pagedown,ctrl+d", "scroll(1)", show=False, priority=True),
        Binding("pageup,ctrl+u", "scroll(-1)", show=False, priority=True),
    ]

    def __init__(self, desk: Desk, session: Session) -> None:
        super().__init__()
        self._desk = desk
        self._chosen = session.approved
        self._notes = session.notes()
        self._left = session.left
        self._undecided = session.undecided
        self._unread = len(session.report.coverage)
        self._dangers = dangers(self._chosen)
        self._saving = False

    def compose(self) -> ComposeResult:
        with Vertical(id="save"):
            yield Static(Text(f"Approve {several(len(self._chosen), 'finding')}?", "bold"), markup=False)
            with VerticalScroll(id="delta", can_focus=False):
                yield Static(self._delta(), markup=False)
            yield from self._field("reason", "Reason", "why this is fine")
            with Horizontal(classes="pair"):
                yield from self._field("ticket", "Ticket", "none")
                yield from self._field("until", "Until", "for good; or 30d, 2027-01-31")
            if self._dangers.public:
                words = f"{several(len(self._dangers.public), 'share')} with everyone"
                yield from self._field("public", f"{words}: type {PUBLIC_WORD}", "", danger=True)
            if self._dangers.unknown:
                words = f"{several(len(self._dangers.unknown), 'share')} with unknown holders"
                yield from self._field("unknown", f"{words}: type {UNKNOWN_WORD}", "", danger=True)
            yield Static("", id="trouble", markup=False)
            keys = "enter next field   ctrl+s approve   pgup/pgdn scroll   esc approve nothing"
            yield Static(Text(keys), classes="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one("#reason", Input).focus()

    def _field(self, name: str, label: str, hint: str, *, danger: bool = False) -> ComposeResult:
        with Horizontal(classes=f"field {name}"):
            yield Label(label, classes="danger" if danger else "", markup=False)
            yield Input(placeholder=hint, id=name, compact=True)

    def _delta(self) -> RenderableType:
        lines: list[Text] = []
        groups = grouped(self._chosen)
        examples = _EXAMPLES if len(self._chosen) <= _ONE_BY_ONE else 3
        for found in groups[:_GROUPS]:
            lines += _group(found, examples)
        if len(groups) > _GROUPS:
            lines.append(Text(f"… and {len(groups) - _GROUPS:,} more groups", DIM))
        own = sum(each.id in self._notes for each in self._chosen)
        if own:
            lines += [Text(), Text(f"{several(own, 'finding')} with a note: that is the reason there.")]
        stays = Counter(each.severity for each in (*self._left, *self._undecided))
        lines += [Text(), Text(f"Stays a finding: {len(self._left):,} left, {len(self._undecided):,} not decided.")]
        if stays:
            parts = [
                (f"  {count:,} {severity}", STYLE[severity]) for severity, count in sorted(stays.items(), key=_rank)
            ]
            lines.append(Text.assemble(*parts))
        if self._unread:
            lines.append(Text(f"Not read, so not judged: {several(self._unread, 'reading')}.", UNREAD))
        if self._desk.pending:
            lines.append(Text("It will count once a second person confirms it.", UNREAD))
        return Group(*lines)

    def _wish(self) -> Wish:
        def said(name: str) -> str:
            found = self.query(f"#{name}")
            return found.first(Input).value if found else ""

        return Wish(
            reason=said("reason"),
            ticket=said("ticket"),
            until=said("until"),
            public_word=said("public"),
            unknown_word=said("unknown"),
        )

    @on(Input.Submitted)
    def _next(self) -> None:
        """Enter goes on to the next field, and from the last one saves."""
        fields = list(self.query(Input))
        place = next((number for number, each in enumerate(fields) if each.has_focus), 0)
        if place + 1 < len(fields):
            fields[place + 1].focus()
        else:
            self.action_save()

    def action_scroll(self, pages: int) -> None:
        delta = self.query_one("#delta", VerticalScroll)
        delta.scroll_relative(y=pages * max(1, delta.size.height - 1), animate=False)

    def action_leave(self) -> None:
        if not self._saving:
            self.dismiss(None)

    def action_save(self) -> None:
        if self._saving:
            return
        wish = self._wish()
        try:
            by_reason(self._chosen, self._notes, wish.reason)
            check(self._chosen, wish)
            self._desk.end(wish)
        except SnapbaseError as error:
            self._trouble(error)
            return
        self._saving = True
        self.query_one("#trouble", Static).update(Text("Saving…", DIM))
        self._write(wish)

    @work(thread=True)
    def _write(self, wish: Wish) -> None:
        tell: Callable[..., object] = self.app.call_from_thread
        try:
            result = self._desk.save(self._chosen, self._notes, wish)
        except SnapbaseError as error:
            tell(self._failed, error)
            return
        tell(self._done, result)

    def _done(self, result: Result) -> None:
        self.dismiss(result)

    def _failed(self, error: SnapbaseError) -> None:
        self._saving = False
        self._trouble(error)

    def _trouble(self, error: SnapbaseError) -> None:
        words = " ".join(filter(None, (error.message, error.hint)))
        self.query_one("#trouble", Static).update(Text(plain(words, 300), "bold #ff6b81"))


def _group(found: Sequence[Finding], examples: int) -> list[Text]:
    """One line with its count, and names below it."""
    first = found[0]
    what = plain(first.title, 100) if len(found) == 1 else f"{plain(first.rule, 60)}  {holder(first)}"
    head = ((f"{first.severity:<9}", STYLE[first.severity]), (f"{len(found):>5,}  ", "bold"), (what, "#e0e3f0"))
    lines = [Text.assemble(*head)]
    names = (each.subject.name or each.subject.address or each.subject.uid for each in found[:examples])
    lines += [Text(f"{'':16}{plain(name, 100)}", DIM) for name in names]
    if len(found) > examples:
        lines.append(Text(f"{'':16}… and {len(found) - examples:,} more", DIM))
    return lines


def _rank(pair: tuple[Severity, int]) -> int:
    return pair[0].rank
