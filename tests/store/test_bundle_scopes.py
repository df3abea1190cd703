"""A thing that was approved in one scope and is seen in a second one later: the file proves what the log does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snapbase.errors import UsageError
from snapbase.model import BaselineScope, Pin, Run
from snapbase.operations import evidence
from snapbase.store import Store
from tests.store.test_evidence import BY, A, _say
from tests.store.world import AMERICA, EPOCH, EUROPE, grant, reading, seen, snapshot


def _collect(store: Store, minutes: int, *, everywhere: bool) -> Run:
    """`a` in Europe, and on demand in America, which is listed completely in any case."""
    at = int((datetime.now(UTC) - EPOCH) / timedelta(minutes=1)) + minutes
    number = store.begin_run("", "config", EPOCH + timedelta(minutes=at))
    store.record(number, reading(EUROPE, at, [seen(snapshot("a"), {grant()})]))
    second = [seen(snapshot("a"), {grant()})] if everywhere else []
    store.record(number, reading(AMERICA, at, [seen(snapshot("b")), *second]))
    return store.finish_run(number, trust=b"{}", at=EPOCH + timedelta(minutes=at))


def _single(store: Store, run: Run) -> None:
    _say(store, BaselineScope.PARTIAL, 0, None, Pin(A, "presence", run.last_rev, None, BY), run=run.id)


def _later(store: Store, run: Run) -> None:
    _single(store, run)
    _collect(store, -8, everywhere=True)


def _later_and_held(store: Store, run: Run) -> None:
    """A whole approval that says something of the second scope, and still holds the first approval."""
    _later(store, run)
    newer = store.last_run()
    assert newer is not None
    held = Pin(A, "presence", run.last_rev, None, BY, held=True)
    _say(store, BaselineScope.WHOLE, newer.last_rev, newer.trust_id, held, run=newer.id)


def _two_in_force(store: Store, run: Run) -> None:
    """Two lines name the same as of the same revision, and only the second knows the second scope."""
    _later_and_held(store, run)
    _single(store, run)


HISTORIES = [_later, _later_and_held, _two_in_force]


@pytest.mark.parametrize("history", HISTORIES)
def test_what_is_exported_and_imported_proves_itself(
    store_url: str, tmp_path: Path, history: Callable[[Store, Run], None]
) -> None:
    with Store.open(store_url, write=True) as here:
        history(here, _collect(here, -9, everywhere=False))
        assert here.verify_baselines().problems == ()
        text = "".join(evidence.export(here)).splitlines()

        found, verified = evidence.load(text, head=here.baselines()[-1].hash)

        assert verified.problems == ()
    with Store.open(f"sqlite:///{tmp_path}/there.db", write=True) as there:
        evidence.restore(there, found)
        assert there.verify_baselines().problems == ()
        _collect(there, 1, everywhere=False)
        _collect(there, 2, everywhere=True)
        assert there.verify_baselines().problems == ()
        _, again = evidence.load("".join(evidence.export(there)).splitlines())
        assert again.problems == ()


@pytest.mark.parametrize("history", HISTORIES)
def test_no_word_about_the_second_scope_can_be_altered(store_url: str, history: Callable[[Store, Run], None]) -> None:
    with Store.open(store_url, write=True) as here:
        history(here, _collect(here, -9, everywhere=False))
        text = "".join(evidence.export(here)).splitlines()
    pinned = [number for number, line in enumerate(text) if '"thing":"pinned"' in line]
    assert pinned
    for number in pinned:
        line = text[number]
        beyond = line.replace('"first":', '"first":9')
        for altered in (
            beyond,
            line.replace('"listed":true', '"listed":false'),
            line.replace("999988887777", "1" * 12),
        ):
            if altered == line or (altered == beyond and '"state":{' in line):
                continue
            _, verified = evidence.load([*text[:number], altered, *text[number + 1 :]])
            assert verified.problems, altered
        with pytest.raises(UsageError):
            evidence.load([*text[:number], line.replace('"first":', '"first":"x","f":'), *text[number + 1 :]])
