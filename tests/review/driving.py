"""Drives the review app by its keyboard over a real store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from snapbase.finding import Report
from snapbase.operations.diff import against_baseline, diff, finished_run
from snapbase.review.app import ReviewApp
from snapbase.review.journal import kept
from snapbase.review.session import Session
from snapbase.store import Store
from tests.review.desk import desk_of, url_of

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
