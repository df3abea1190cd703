"""The review as a person uses it: a keyboard, a terminal of 80 by 24, a real store."""

import asyncio
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from snapbase.errors import StoreError
from snapbase.finding import Report
from snapbase.operations.diff import against_baseline, diff, finished_run
from snapbase.review.app import ReviewApp
from snapbase.review.desk import Wish
from snapbase.review.journal import kept
from snapbase.review.screens import Help, Note, Question, Save
from snapbase.review.session import Session
from snapbase.store import Store
from tests.report.cases import CASES, CLEAN, DENIED, HOSTILE_REPORT, finding
from tests.review.desk import SHARED, desk_of, estate, url_of

GOLDEN = Path(__file__).parent.parent / "golden" / "review"
SIZES = [(80, 24), (160, 50)]
Script = Callable[["Pilot[None]", ReviewApp], Awaitable[None]]


def drive(
    folder: Path,
    script: Script,
    *,
    size: tuple[int, int] = (80, 24),
    report: Report | None = None,
    pending: bool = False,
) -> ReviewApp:
    """Runs the app over the estate in a folder, with decisions kept there; `report` replaces what the store says."""
    url = url_of(folder)
    with Store.open(url) as store, kept(folder / "review" / "run-2.jsonl") as decisions:
        desk = desk_of(url, store, pending=pending)
        app = ReviewApp(desk, Session(report or desk.report(), decisions))

        async def run() -> None:
            async with app.run_test(size=size, notifications=True) as pilot:
                await pilot.pause()
                await script(pilot, app)

        asyncio.run(run())
    return app


async def keys(pilot: "Pilot[None]", *names: str) -> None:
    for name in names:
        await pilot.press(name)
        await pilot.pause()


async def write(pilot: "Pilot[None]", text: str) -> None:
    named = {" ": "space", ":": "colon", "-": "minus"}
    await pilot.press(*(named.get(each, each) for each in text))
    await pilot.pause()


async def last(pilot: "Pilot[None]", app: ReviewApp) -> None:
    """To the last finding: the new snapshot with the hostile name. Behind it may be what can only be known."""
    await keys(pilot, "G")
    while app.session.finding is None:
        await keys(pilot, "k")


async def settled(pilot: "Pilot[None]") -> None:
    """Until the cursor has rested, and the story is read and drawn."""
    await pilot.pause(0.2)
    await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group == "story"))
    await pilot.pause()


async def until(pilot: "Pilot[None]", done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        await pilot.pause(0.02)
    raise AssertionError("it did not happen")


def screen(app: ReviewApp) -> str:
    """What the terminal shows, as text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)


def remaining(folder: Path) -> list[str]:
    with Store.open(url_of(folder)) as store:
        run = finished_run(store, 2)
        found = diff(store, run, against_baseline(store, run)).findings
        return [each.subject.uid.rpartition("/")[2] for each in found]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    estate(url_of(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path, built: Path) -> Path:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_approve_two_leave_one_quit_come_back_and_save(folder: Path) -> None:
    before = remaining(folder)

    async def decide(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "j", "a", "l", "a", "q")
        assert isinstance(app.screen, Question)
        assert "2 findings to approve, not saved" in screen(app)
        await keys(pilot, "enter")
        assert isinstance(app.screen, Question)
        await keys(pilot, "y")

    first = drive(folder, decide)
    assert remaining(folder) == before
    assert [each.id for each in first.session.left] == [first.session.findings[2].id]

    async def save(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert len(app.session.approved) == 2
        assert app.session.cursor == 0
        await keys(pilot, "s")
        assert isinstance(app.screen, Save)
        shown = screen(app)
        assert "Approve 2 findings?" in shown
        assert "1 left, 2 not decided" in shown
        await write(pilot, "partner audit")
        await keys(pilot, "enter", "enter", "enter")
        await write(pilot, "unknown")
        await keys(pilot, "enter")
        await until(pilot, lambda: not isinstance(app.screen, Save))
        assert not app.session.approved
        assert len(app.session.left) == 1
        await keys(pilot, "q")

    app = drive(folder, save)
    assert len(remaining(folder)) == len(before) - 2
    assert app.outcome[0] == "Baseline 2 approved by grace: 2 findings."
    assert app.outcome[1] == "Not approved, still findings: 3"
    with Store.open(url_of(folder)) as store:
        line = store.baselines()[-1]
        assert (line.approval.by, line.approval.reason, line.entries) == ("grace", "partner audit", 2)

    async def look(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert len(app.session.left) == 1
        assert not app.session.approved
        await keys(pilot, "q")

    assert drive(folder, look).outcome == ()


def test_nothing_is_approved_without_the_word_or_the_reason(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "a", "a", "s", "ctrl+s")
        assert "An approval needs a reason" in screen(app)
        await write(pilot, "fine")
        await keys(pilot, "ctrl+s")
        assert "would be approved for everyone" in screen(app)
        app.screen.query_one("#public", Input).focus()
        await write(pilot, "public")
        await keys(pilot, "ctrl+s")
        assert "would be approved for unknown holders" in screen(app)
        app.screen.query_one("#unknown", Input).focus()
        await write(pilot, "yes")
        await keys(pilot, "ctrl+s")
        assert isinstance(app.screen, Save)
        await keys(pilot, "escape")
        assert len(app.session.approved) == 2

    before = remaining(folder)
    drive(folder, script)
    assert remaining(folder) == before


def test_an_end_that_is_over_or_no_date_is_refused(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "a", "s")
        await write(pilot, "fine")
        app.screen.query_one("#until", Input).focus()
        await write(pilot, "soon")
        await keys(pilot, "ctrl+s")
        assert "soon is not a date" in screen(app)
        app.screen.query_one("#until", Input).value = "0d"
        await keys(pilot, "ctrl+s")
        assert "0d is over" in screen(app)
        app.screen.query_one("#until", Input).value = "30d"
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Save))

    drive(folder, script)
    with Store.open(url_of(folder)) as store:
        assert store.baselines()[-1].approval.until is not None


def test_a_note_is_the_reason_of_its_finding(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "n")
        assert isinstance(app.screen, Note)
        await write(pilot, "q is no command here")
        await keys(pilot, "enter")
        await keys(pilot, "a", "g", "j", "a", "s")
        await write(pilot, "the rest")
        app.screen.query_one("#unknown", Input).value = "unknown"
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Save))

    drive(folder, script)
    with Store.open(url_of(folder)) as store:
        said = {line.approval.reason for line in store.baselines()}
    assert said == {"day one", "q is no command here", "the rest"}


def test_everything_a_holder_holds_is_approved_after_a_question(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "j", "p")
        assert "Approve 3 findings of this holder?" in screen(app)
        await keys(pilot, "n")
        assert not app.session.approved
        await keys(pilot, "p", "y")
        await until(pilot, lambda: bool(app.session.approved))
        assert {each.subject.name for each in app.session.approved} == set(SHARED)
        await keys(pilot, "u")
        assert not app.session.approved
        await last(pilot, app)
        await keys(pilot, "p")
        assert not isinstance(app.screen, Question)

    drive(folder, script)


def test_the_filter_narrows_while_it_is_written(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        everything = len(app.session.visible)
        await keys(pilot, "f")
        await write(pilot, "principal:9999 ledger")
        assert len(app.session.visible) == 1
        await keys(pilot, "enter", "a")
        assert [each.subject.name for each in app.session.approved] == ["ledger"]
        assert "1 shown" in screen(app)
        await keys(pilot, "escape")
        assert len(app.session.visible) == everything
        await keys(pilot, "slash")
        await write(pilot, "nothing at all")
        assert "Nothing matches the filter" in screen(app)
        await keys(pilot, "escape")
        assert len(app.session.visible) == everything

    drive(folder, script)


@pytest.mark.parametrize("size", SIZES)
def test_hostile_words_are_shown_and_never_obeyed(folder: Path, size: tuple[int, int]) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        shown = ""
        await last(pilot, app)
        for step in ("enter", "pagedown", "pagedown", "pagedown", "escape", "n", "escape", "a", "s"):
            await keys(pilot, step)
            await settled(pilot)
            shown += f"{screen(app)}\n"
        assert "[bold red]x[/]" in shown
        assert "\\u001b[31mred" in shown
        assert "\\u202egnp.exe" in shown
        assert "[@click=app.quit]" in shown
        assert not [each for each in shown if each != "\n" and unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl")]
        assert [line for line in shown.splitlines() if len(line) > size[0]] == []

    drive(folder, script, size=size)


@pytest.mark.parametrize("case", ["denied", "ended", "hostile"])
def test_every_situation_can_be_walked(folder: Path, case: str) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        steps = (
            "j",
            "a",
            "l",
            "x",
            "u",
            "k",
            "n",
            "escape",
            "p",
            "n",
            "space",
            "enter",
            "enter",
            "G",
            "a",
            "question_mark",
        )
        for step in (*steps, "escape", "s", "escape"):
            await keys(pilot, step)
            shown = screen(app)
            assert not [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")]

    drive(folder, script, report=CASES[case])


def test_nothing_to_review(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert "No drift. Everything selected was read." in screen(app)
        await keys(pilot, "a", "l", "n", "p", "u", "j", "s", "enter", "enter", "q")

    app = drive(folder, script, report=CLEAN)
    assert app.outcome == ()
    assert not app.is_running


def test_what_was_not_read_is_said_first_and_listed_last(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert "2 scopes not read: changes there are not here. 1 remark. G goes there." in screen(app)
        await keys(pilot, "G")
        shown = screen(app)
        assert "REMARK" in shown
        assert "The accounts of the organisation could not be listed; the last known list was used." in shown
        await keys(pilot, "k")
        shown = screen(app)
        assert "NOT READ" in shown
        assert "nothing in it is taken for deleted" in " ".join(shown.split())
        await keys(pilot, "a", "g", "a", "s")
        assert "Approve 1 finding?" in screen(app)
        assert "Not read, so not judged: 2 readings" in screen(app)

    drive(folder, script, report=DENIED, size=(160, 50))


def test_a_hole_in_the_run_itself_is_shown(tmp_path: Path) -> None:
    estate(url_of(tmp_path), readable=False)

    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert "1 scope not read" in screen(app)

    drive(tmp_path, script)


def test_the_story_is_told_when_the_cursor_rests(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await settled(pilot)
        shown = screen(app)
        assert "STORY" in shown
        assert "first seen" in shown
        assert "shared with nobody" in shown
        assert "everyone (anyone)" in shown
        assert "tag env" in shown
        assert "modify-snapshot-attribute" in shown
        assert "T1537" in shown

    drive(folder, script, size=(160, 50))


def test_a_busy_store_approves_nothing_and_loses_nothing(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "a", "s")
        await write(pilot, "fine")
        with Store.open(url_of(folder), write=True) as other, other.lock():
            await keys(pilot, "ctrl+s")
            await until(pilot, lambda: "is writing to this store" in " ".join(screen(app).split()))
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Save))

    before = remaining(folder)
    drive(folder, script)
    assert len(remaining(folder)) == len(before) - 1


def test_what_somebody_else_approved_meanwhile_is_not_approved_twice(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "a", "s")
        await write(pilot, "fine")
        desk = app._desk
        desk.save(app.session.approved, {}, Wish(reason="somebody else"))
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: "is not a finding of this run" in " ".join(screen(app).split()))
        await keys(pilot, "escape")
        assert len(app.session.approved) == 1

    drive(folder, script)
    with Store.open(url_of(folder)) as store:
        assert [line.approval.reason for line in store.baselines()] == ["day one", "somebody else"]

    async def again(pilot: "Pilot[None]", app: ReviewApp) -> None:
        assert not app.session.approved
        assert app.session.orphans == 1

    drive(folder, again)


def test_with_four_eyes_a_saved_finding_waits(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "a", "s")
        assert "once a second person confirms it" in screen(app)
        await write(pilot, "fine")
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Save))
        await last(pilot, app)
        assert "Saved as baseline 2, and still a finding" in " ".join(screen(app).split())

    before = remaining(folder)
    app = drive(folder, script, pending=True)
    assert remaining(folder) == before
    assert "snapbase baselines confirm 2" in app.outcome[1]


def test_the_approval_counts_even_where_the_file_of_decisions_is_full(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        def fail(_: object) -> None:
            raise StoreError("The decision could not be kept: no space.")

        await last(pilot, app)
        await keys(pilot, "a", "s")
        await write(pilot, "fine")
        app.session.decisions.record_with(fail)
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, Save))
        assert not app.session.approved
        assert app.session.orphans == 1

    assert drive(folder, script).outcome[0] == "Baseline 2 approved by grace: 1 finding."


def test_the_first_approval_of_all_can_be_a_single_one(tmp_path: Path) -> None:
    url = url_of(tmp_path)
    estate(url, approved=False)
    with Store.open(url) as store:
        desk = desk_of(url, store)
        public = [each for each in desk.report().findings if each.rule == "public-share"]
        before = len(desk.report().findings)
        result = desk.save(public, {}, Wish(reason="our open data", public_word="public"))
        assert len(result.report.findings) == before - len(public)
        assert result.report.findings == desk.report().findings


def test_control_q_is_no_way_around_the_question(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "a", "ctrl+q")
        assert isinstance(app.screen, Question)
        await keys(pilot, "ctrl+q", "n")
        assert not isinstance(app.screen, Question)
        assert app.is_running

    drive(folder, script)


def test_saving_from_the_question_quits(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await last(pilot, app)
        await keys(pilot, "a", "q", "s")
        await write(pilot, "fine")
        await keys(pilot, "ctrl+s")
        await until(pilot, lambda: not app.is_running or app._exit)

    assert drive(folder, script).outcome[0].startswith("Baseline 2")


def test_a_decision_that_cannot_be_kept_is_said(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        def fail(_: object) -> None:
            raise StoreError("The decision could not be kept: no space.")

        app.session.decisions.record_with(fail)
        await keys(pilot, "a")
        assert not app.session.decisions.open
        assert app.session.cursor == 0
        await until(pilot, lambda: "could not be kept" in " ".join(screen(app).split()))

    drive(folder, script)


def test_help_names_every_key(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        shown = screen(app)
        for words in ("approve", "leave", "note", "filter", "undo", "save", "quit", "holder", "esc back"):
            assert words in shown
        await keys(pilot, "escape", "q")

    assert not drive(folder, script).is_running


def test_ten_thousand_findings_are_walked_quickly(folder: Path) -> None:
    found = tuple(
        replace(finding("r", CASES["drift"].findings[0].severity, f"T{n}"), id=f"{n:012}") for n in range(10_000)
    )
    report = replace(CLEAN, findings=found)
    spent = []

    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        began = time.perf_counter()
        await keys(pilot, *("j", "a") * 4, "G", "k", "g")
        spent.append((time.perf_counter() - began) / 11)
        assert "10,000" in screen(app)

    drive(folder, script, report=report)
    assert spent[0] < 0.3


GOLDEN_CASES: dict[str, tuple[Report | None, tuple[str, ...]]] = {
    "list": (DENIED, ("j", "a", "l")),
    "hostile": (HOSTILE_REPORT, ()),
    "empty": (CLEAN, ()),
    "details": (DENIED, ("j", "enter")),
    "save": (DENIED, ("a", "a", "s")),
    "help": (DENIED, ("question_mark",)),
    "holes": (DENIED, ("G",)),
}


@pytest.mark.parametrize("name", GOLDEN_CASES)
def test_screens_at_80_by_24(folder: Path, name: str) -> None:
    """The picture of each screen; look at the new one before it is taken over with SNAPBASE_UPDATE_GOLDEN=1."""
    report, steps = GOLDEN_CASES[name]
    drawn = []

    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        for field in app.query(Input):
            field.cursor_blink = False
        await keys(pilot, *steps)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()
        drawn.append(re.sub(r"terminal-\d+", "terminal", app.export_screenshot()))

    drive(folder, script, report=report)
    path = GOLDEN / f"{name}.svg"
    if os.environ.get("SNAPBASE_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawn[0])
    assert drawn[0] == path.read_text()
