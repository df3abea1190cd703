"""`audit list` for people: two lines an event, the newest last, and what is left out is counted."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from snapbase.cli.app import app
from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.store import Store

EVE = Actor("arn:aws:iam::111122223333:user/eve", ActorKind.HUMAN, account="111122223333")
NOW = datetime.now(UTC).replace(microsecond=0)


def _event(number: int, action: Action, name: str, result: Result = Result.SUCCEEDED, **fields: object) -> Event:
    return Event(
        cloud="aws", id=f"e{number}", at=NOW - timedelta(minutes=90 - number), name=name, action=action, actor=EVE,
        account="111122223333", region="eu-west-1", source_ip="198.51.100.7", result=result,
        subjects=(f"arn:aws:ec2:eu-west-1::snapshot/snap-{number}",),
    )  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    place = f"sqlite:///{tmp_path}/s.db"
    with Store.open(place, write=True) as store:
        store.add_events(
            [
                _event(1, Action.ENUMERATE, "ec2:DescribeSnapshots"),
                _event(2, Action.SHARE, "ec2:ModifySnapshotAttribute", Result.FAILED),
                _event(3, Action.DELETE, "ec2:DeleteSnapshot\x1b[31m"),
            ]
        )
    return place


def _listed(url: str, *words: str) -> str:
    done = CliRunner().invoke(app, ["--store", url, "audit", "list", *words], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_each_event_is_two_lines_and_what_was_only_listed_is_counted(url: str) -> None:
    lines = _listed(url).splitlines()

    assert lines[0].endswith("ec2:ModifySnapshotAttribute (failed)  snap-2")
    assert lines[1].strip() == "by eve from 198.51.100.7"
    assert "ec2:DeleteSnapshot" in lines[2]
    assert "\x1b" not in lines[2]
    assert lines[4:] == ["Only listed, and not shown: 1 (--all)."]
    assert max(map(len, lines)) <= 80


def test_the_newest_are_shown_and_the_rest_counted(url: str) -> None:
    lines = _listed(url, "--all", "--limit", "1").splitlines()

    assert "snap-3" in lines[0]
    assert lines[2:] == ["Older and not shown: 2 (--limit, or --format json)."]


def test_what_is_asked_for_by_name_is_shown_though_it_was_only_listed(url: str) -> None:
    assert "snap-1" in _listed(url, "DescribeSnapshots")


def test_json_has_all(url: str) -> None:
    assert [json.loads(line)["id"] for line in _listed(url, "-f", "json").splitlines()] == ["e1", "e2", "e3"]


def test_nothing_kept_says_what_to_do(url: str) -> None:
    assert "snapbase audit fetch" in _listed(url, "--since", "1s")


@pytest.mark.parametrize("narrowed", [(), ("--account", EVE.account)])
def test_events_are_read_once(url: str, narrowed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    read = Store.events

    def counted(store: Store, since: datetime, until: datetime) -> Iterator[Event]:
        reads.append(since)
        return read(store, since, until)

    monkeypatch.setattr(Store, "events", counted)

    assert "snap-3" in _listed(url, *narrowed)
    assert len(reads) == 1
