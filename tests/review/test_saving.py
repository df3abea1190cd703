"""What the review saves, refuses to save, and loses nothing of."""

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from snapbase.errors import StoreError
from snapbase.review.app import ReviewApp
from snapbase.review.desk import Wish
from snapbase.review.screens import Note, Question, Save
from snapbase.store import Store
from tests.review.desk import SHARED, desk_of, estate, url_of
from tests.review.driving import drive, keys, last, remaining, screen, until, write


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
