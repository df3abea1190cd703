"""What people are told beside the reports: never more than was read, and never in anybody else's words."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from snapbase.cli.app import app
from snapbase.cli.context import Globals, say
from snapbase.cli.reporting import rendered
from snapbase.errors import NotFound
from snapbase.model import (
    SKIPPED,
    Aspect,
    Coverage,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    ResourceType,
    Scope,
)
from snapbase.operations.diff import against_baseline, against_run, diff
from snapbase.operations.inventory import snapshots, story
from snapbase.report.text import sharing
from snapbase.store import Store
from tests.store.world import EPOCH, EUROPE, grant, minute, reading, seen, snapshot

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


def test_a_stranger_among_many_of_our_own_comes_first(store_url: str, store: Store) -> None:
    ours = [
        grant(Principal(PrincipalKind.ACCOUNT, f"{number:012}")) for number in (*range(30), *range(10**12 - 30, 10**12))
    ]
    run = store.begin_run("", "c", EPOCH)
    store.record(run, reading(EUROPE, 1, [seen(snapshot("a"), [*ours, grant()])]))
    members = ", ".join(f'"{each.principal.id}"' for each in ours)
    store.finish_run(run, trust=f'{{"entries": [], "own": [], "members": [{members}]}}'.encode(), at=minute(1))

    for words in (("list",), ("show", snapshot("a").uid)):
        assert "999988887777" in CliRunner().invoke(app, ("--store", store_url, "snapshots", *words)).stdout


def test_what_is_gone_is_found_by_its_address_and_nothing_else_is_shown_for_it(store: Store) -> None:
    """A database snapshot's uid has the time of its making, too; reports and people name it by its address."""
    gone, other = (replace(snapshot(name), uid=f"{snapshot(name).uid}@2026") for name in ("orders", "orders-2"))
    _run(store, 1, reading(EUROPE, 1, [seen(gone), seen(other)]))
    run = store.run(_run(store, 2, reading(EUROPE, 2, [seen(other)])))

    assert story(store, run, gone.address).uid == gone.uid
    assert story(store, run, other.address).uid == other.uid
    assert story(store, run, "orders").uid == other.uid, "the only one that is there"
    with pytest.raises(NotFound, match="is not there"):
        story(store, run, "snap-elsewhere")


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


@pytest.mark.parametrize(("term", "coloured"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_knows_no_codes_gets_none(
    store: Store, monkeypatch: pytest.MonkeyPatch, term: str, coloured: bool
) -> None:
    _run(store, 1, reading(EUROPE, 1))
    report = diff(store, store.run(1), against_baseline(store, store.run(1)))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("TERM", term)

    assert ("\x1b" in rendered(report, "table", None)) == coloured


def test_who_reaches_an_account_from_above_is_not_said_to_be_nobody(store_url: str, store: Store) -> None:
    above = Scope("gcp", "folders/7", "global", "gcp.iam")
    folder = Resource(uid="folders/7", address="//folders/7", type=ResourceType.CONTAINER)
    _run(store, 1, reading(EUROPE, 1, [seen(snapshot("a"))]))
    run = store.begin_run("", "c", EPOCH)
    store.record(run, reading(EUROPE, 2, [seen(snapshot("a"))]))
    store.record(run, reading(above, 2, [seen(folder, [grant()])]))
    store.finish_run(run, trust=b'{"entries": [], "own": []}', at=minute(2))

    done = CliRunner().invoke(app, ("--store", store_url, "shares", "--account", EUROPE.account))
    whole = CliRunner().invoke(app, ("--store", store_url, "shares"))

    assert "Nobody outside, as far as was read." in done.stdout
    assert "1 more outside the filter" in done.stdout
    assert "outside the filter" not in whole.output
    one = CliRunner().invoke(app, ("--store", store_url, "shares", "999988887777", "--account", EUROPE.account))
    assert str(one.exception) == "999988887777 holds nothing of ours within the filter, as far as was read."


def test_who_approved_is_printed_plain(store_url: str, store: Store) -> None:
    _run(store, 1, reading(EUROPE, 1, [seen(snapshot("a"))]))
    words = ("--store", store_url, "approve-baseline", "--by", HOSTILE, "--reason", "fine")

    done = CliRunner().invoke(app, words)

    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "eve\\u001b" in done.output
