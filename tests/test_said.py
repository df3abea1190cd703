"""What people are told beside the reports: never more than was read, and never in anybody else's words."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from snapbase.cli.app import app
from snapbase.cli.context import Globals, say
from snapbase.model import SKIPPED, Aspect, Coverage, Outcome, Reading
from snapbase.operations.diff import against_run, diff
from snapbase.operations.inventory import snapshots, story
from snapbase.report.text import sharing
from snapbase.store import Store
from tests.store.world import EPOCH, EUROPE, minute, reading, seen, snapshot

HOSTILE = "eve\x1b[2J\u202e"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def _run(store: Store, number: int, found: Reading) -> int:
    run = store.begin_run("", "c", EPOCH)
    store.record(run, found)
    store.finish_run(run, trust=b'{"entries": [], "own": []}', at=minute(number))
    return run


def test_a_scope_whose_sharing_is_denied_as_a_whole_is_not_called_unshared(store: Store) -> None:
    _run(store, 1, reading(EUROPE, 1, [seen(snapshot("a")), seen(snapshot("b"))]))
    unread = [seen(snapshot("a"), None), seen(snapshot("b"), None)]
    run = store.run(_run(store, 2, reading(EUROPE, 2, unread, shared=Outcome.DENIED)))

    for listed in snapshots(store, run):
        assert sharing(listed.state, listed.exposures, unread=listed.unread) == "nobody, as last read"
    assert story(store, run, snapshot("a").uid).versions[-1].listed.unread


def test_what_the_configuration_skips_is_said_in_every_report(store: Store) -> None:
    _run(store, 1, reading(EUROPE, 1))
    coverage = tuple(Coverage(EUROPE, each, Outcome.COMPLETE, SKIPPED) for each in (Aspect.LIST, Aspect.SHARING))
    _run(store, 2, replace(reading(EUROPE, 2), coverage=coverage))

    report = diff(store, store.run(2), against_run(store, store.run(1)))

    assert report.complete
    assert any("Not read" in note and EUROPE.kind in note for note in report.notes)


def test_a_line_for_people_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    say(SimpleNamespace(obj=Globals(None, None, False)), HOSTILE)  # type: ignore[arg-type]

    assert "\x1b" not in capsys.readouterr().err


def test_who_approved_is_printed_plain(store_url: str, store: Store) -> None:
    _run(store, 1, reading(EUROPE, 1, [seen(snapshot("a"))]))
    words = ("--store", store_url, "approve-baseline", "--by", HOSTILE, "--reason", "fine")

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "eve\\u001b" in done.output
