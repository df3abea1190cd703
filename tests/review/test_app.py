"""The review as a person uses it: a keyboard, a terminal of 80 by 24, a real store."""

import os
import re
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from snapbase.finding import Report
from snapbase.review.app import ReviewApp
from snapbase.review.screens import Help
from tests.report.cases import CASES, CLEAN, DENIED, HOSTILE_REPORT, finding
from tests.review.desk import estate, url_of
from tests.review.driving import GOLDEN, SIZES, drive, keys, last, screen, settled, write


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


@pytest.mark.parametrize("size", [(40, 20), (59, 24)])
def test_in_a_narrow_terminal_the_finding_stands_below_the_list_and_all_can_be_reached(
    folder: Path, size: tuple[int, int]
) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        left, right = app.query_one("#left").region, app.query_one("#right").region
        assert (left.width, right.width, right.y) == (size[0], size[0], left.bottom)
        assert min(left.height, right.height) >= 5
        assert [
            word for word in ("approve", "leave", "filter", "save", "help", "quit") if word not in screen(app)
        ] == []
        await keys(pilot, "a", "s")
        fields = list(app.screen.query(Input))
        assert min(each.region.width for each in fields) >= 30
        assert all(each.region.bottom < size[1] for each in fields)
        await keys(pilot, "escape", "question_mark", "end")
        await settled(pilot)
        assert "esc back" in screen(app)
        assert [line for line in screen(app).splitlines() if len(line) > size[0]] == []

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


def test_help_names_every_key(folder: Path) -> None:
    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        await keys(pilot, "question_mark")
        assert isinstance(app.screen, Help)
        shown = screen(app)
        for words in ("approve", "leave", "note", "filter", "undo", "save", "quit", "holder", "esc back"):
            assert words in shown
        await keys(pilot, "escape", "q")

    assert not drive(folder, script).is_running


def _walked(folder: Path, count: int) -> int:
    """How many lines of the review run while some of so many findings are walked."""
    severity = CASES["drift"].findings[0].severity
    found = tuple(replace(finding("r", severity, f"T{n}"), id=f"{n:012}") for n in range(count))
    lines = 0

    def step(frame: FrameType, *_: object) -> Any:
        nonlocal lines
        if "/snapbase/review/" not in frame.f_code.co_filename:
            return None
        lines += 1
        return step

    async def script(pilot: "Pilot[None]", app: ReviewApp) -> None:
        before = sys.gettrace()
        sys.settrace(step)
        try:
            await keys(pilot, *("j", "a") * 4, "G", "k", "g")
        finally:
            sys.settrace(before)
        assert f"{count:,}" in screen(app)

    drive(folder, script, report=replace(CLEAN, findings=found))
    return lines


def test_a_key_costs_no_more_among_ten_thousand_findings(folder: Path) -> None:
    assert _walked(folder, 10_000) < 2 * _walked(folder, 1_000)


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
