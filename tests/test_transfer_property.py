"""Random approved states, exported and imported: the next run is told there what it would be told here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from snapbase.model import Grant, Run
from snapbase.operations import evidence
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store
from tests.baseline_clerk import CARRIED_ON, FALLS_BACK, STEPS, Clerk
from tests.baseline_player import LATER, SCOPES, SOLD, Content, Step, covers, of_a, reading_of, trust_of

_numbers = count(1)
_content: st.SearchStrategy[Content] = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.sampled_from(["standard", "archive"]), st.just(frozenset()))
)
_NEW = ("standard", frozenset[Grant]())
"""News where absence was a fact, and nothing to say where it was none."""
NEVER_LISTED: list[Step] = [("read", 1, "partial", {"a": _NEW}), ("whole", set())]
HELD: list[Step] = [of_a(), ("whole", set()), of_a(SOLD), ("whole", {0}), LATER]


def _collect(store: Store, clerk: Clerk, content: list[Content], at: datetime) -> Run:
    run_id = store.begin_run("", "", at)
    for number in range(len(SCOPES)):
        store.record(run_id, reading_of(number, "complete", content[number], at))
    return store.finish_run(run_id, trust=trust_of(clerk.oracle.trust), at=clerk.at)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, max_size=10), content=st.lists(_content, min_size=2, max_size=2), other=st.booleans())
@example(steps=FALLS_BACK[:-1], content=[{}, {}], other=True)
@example(steps=CARRIED_ON, content=[{}, {}], other=False)
@example(steps=NEVER_LISTED, content=[{}, {}], other=False)
@example(steps=HELD, content=[{}, {}], other=True)
def test_the_next_run_is_compared_with_the_same(
    fresh: Callable[[], Any], tmp_path: Path, steps: list[Step], content: list[Content], other: bool
) -> None:
    with fresh() as here:
        clerk = Clerk(here)
        clerk.play([("read", 0, "complete", {}), *steps])
        if not any(each.counts and not each.revoked for each in clerk.oracle.said):
            return
        text = "".join(evidence.export(here)).splitlines()
        assert text == "".join(evidence.export(here)).splitlines()
        found, verified = evidence.load(text, head=here.baselines()[-1].hash)
        assert verified.problems == ()
        with Store.open(f"sqlite:///{tmp_path}/there{next(_numbers)}.db", write=True) as there:
            if other:  # a store that knows something else already
                _collect(there, clerk, content, clerk.at)
            evidence.restore(there, found)
            assert there.verify_baselines().problems == ()
            later = datetime.now(UTC) + timedelta(minutes=1)
            present = [{**_world(clerk, number), "z": _NEW} for number in range(len(SCOPES))]
            expected, got = (_found(store, _collect(store, clerk, present, later)) for store in (here, there))
            if not other:
                assert got == expected
            else:  # absence there may be a fact where it was none here: more is said, never less
                assert {each for each in expected if not each[1].startswith("attr:")} <= got


def _world(clerk: Clerk, number: int) -> Content:
    states = {uid: state for uid, state in clerk.oracle.world.items() if uid.startswith(str(number))}
    return {
        uid[1:]: (str(each.resource.attributes["tier"]), each.grants or frozenset()) for uid, each in states.items()
    }


def _found(store: Store, run: Run) -> set[tuple[str, str]]:
    return covers(diff(store, run, against_baseline(store, run)).findings)


def test_what_the_file_does_not_know_was_not_approved_by_it(fresh: Callable[[], Any], tmp_path: Path) -> None:
    with fresh() as here:
        clerk = Clerk(here)
        clerk.play([of_a(), ("whole", set())])
        found, _ = evidence.load("".join(evidence.export(here)).splitlines())
    with Store.open(f"sqlite:///{tmp_path}/there.db", write=True) as there:
        stranger: Content = {"s": ("standard", frozenset({SOLD}))}
        _collect(there, clerk, [{}, stranger], clerk.at)

        assert evidence.restore(there, found).strange == 1

        run = _collect(there, clerk, [{"a": _NEW}, stranger], datetime.now(UTC) + timedelta(minutes=1))
        assert {uid for uid, _ in _found(there, run)} == {"1s"}


def test_a_file_that_was_altered_is_refused(fresh: Callable[[], Any]) -> None:
    with fresh() as store:
        clerk = Clerk(store)
        clerk.play([of_a(SOLD), ("whole", set()), of_a(), ("single", 0, None)])
        text = "".join(evidence.export(store)).splitlines()
    for number, line in enumerate(text):
        for old, new in (("888", "999"), ('"standard"', '"archive"'), ("because", "becquse"), ("complete", "denied"),
                         ("111122223333", "111122224444"), ("true", "false"), ("ada", "eve")):  # fmt: skip
            if old not in line or '"thing":"head"' in line:
                continue
            _, verified = evidence.load([*text[:number], line.replace(old, new), *text[number + 1 :]])
            assert verified.problems, (line, old)
    for number in range(1, len(text)):
        if '"thing":"line"' not in text[number] or number < 2:
            _, verified = evidence.load([*text[:number], *text[number + 1 :]])
            assert verified.problems, text[number]


@pytest.mark.parametrize("text", [[], ["{}"], ["[]"], ['{"thing":"head","schema":"other"}'], ["not json"], ["\0"]])
def test_what_is_no_such_file_is_refused_in_words(text: list[str]) -> None:
    from snapbase.errors import UsageError

    with pytest.raises(UsageError, match="Line 1 of the file"):
        evidence.load(text)
