"""Random histories: every as-of state and every pairwise difference equals that of full copies."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapbase.errors import StaleReading
from snapbase.model import Outcome, Reading
from snapbase.store import Store
from tests.postgresql import Cluster
from tests.store.world import (
    AMERICA,
    EUROPE,
    OUTSIDER,
    PUBLIC,
    Copy,
    Known,
    Oracle,
    grant,
    minute,
    reading,
    seen,
    snapshot,
)

FreshUrl = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest) -> FreshUrl:
    """A new store for each example."""
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgresql")
        return cluster.database

    @contextmanager
    def file() -> Iterator[str]:
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder)}/snapbase.db"

    return file


_grants = st.none() | st.frozensets(
    st.sampled_from([grant(), grant(condition="until friday"), grant(PUBLIC)]), max_size=2
)
_observations = st.lists(
    st.builds(
        lambda name, value, grants: seen(snapshot(name, value=value), grants),
        st.sampled_from(["snap-a", "snap-b", "snap-c"]),
        st.integers(0, 3),
        _grants,
    ),
    max_size=4,
)
_readings = st.lists(
    st.builds(
        reading,
        st.sampled_from([EUROPE, AMERICA]),
        st.integers(0, 60),
        _observations,
        st.sampled_from([Outcome.COMPLETE, Outcome.COMPLETE, Outcome.PARTIAL, Outcome.DENIED]),
    ),
    min_size=1,
    max_size=9,
)


def _record(store: Store, readings: list[Reading]) -> Oracle:
    oracle = Oracle()
    runs = [store.begin_run("", "config", minute(0)), store.begin_run("", "config", minute(0))]
    for number, each in enumerate(readings):
        run = runs[number % 2]
        head = store.head()
        if oracle.stale(each):
            with pytest.raises(StaleReading):
                store.record(run, each)
            assert store.head() == head
            continue
        recorded = store.record(run, each)
        if oracle.apply(each):
            assert recorded.rev == store.head() == head + 1
        else:
            assert recorded.rev is None
            assert store.head() == head
        oracle.keep(store.head(), each)
    return oracle


def _copy(store: Store, rev: int) -> Copy:
    states = list(store.states(rev))
    copy = {(state.scope, state.resource.uid): Known(state.resource, state.grants, state.miss) for state in states}
    assert len(copy) == len(states)
    return copy


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings=_readings)
def test_every_state_and_every_difference_equals_that_of_full_copies(fresh: FreshUrl, readings: list[Reading]) -> None:
    with fresh() as url, Store.open(url, write=True) as store:
        oracle = _record(store, readings)

        for rev, copy in oracle.copies.items():
            assert _copy(store, rev) == copy
            assert dict(store.coverage_at(rev)) == oracle.coverages[rev]
            assert sum(store.counts(rev).values()) == len(copy)
            holders = {held.principal for known in copy.values() for held in known.grants or ()}
            assert {principal for principal, _ in store.principals(rev)} == holders
        for before, after in combinations(sorted(oracle.copies), 2):
            _check_changes(store, oracle, before, after)


def _check_changes(store: Store, oracle: Oracle, before: int, after: int) -> None:
    was, now = oracle.copies[before], oracle.copies[after]
    candidates = list(store.changes(before, after))
    found = {(each.scope, each.uid): each for each in candidates}
    assert len(found) == len(candidates)
    for key, candidate in found.items():
        sides = [
            Known(side.resource, side.grants, side.miss) if side else None
            for side in (candidate.before, candidate.after)
        ]
        assert sides == [was.get(key), now.get(key)]
        assert candidate.absence_known == oracle.absence_known(key[0], before)
    for key in was.keys() | now.keys():
        if was.get(key) == now.get(key):
            continue
        initial = key not in was and not oracle.absence_known(key[0], before)
        assert key in found or (initial and now[key].folded) or _only_read_as_empty(was.get(key), now.get(key))


def _only_read_as_empty(was: Known | None, now: Known | None) -> bool:
    """Sharing that was unknown and turned out to be nobody's differs, but no diff has anything to say of it."""
    return was is not None and now is not None and was.grants is None and now == replace(was, grants=frozenset())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings=_readings)
def test_open_grants_of_a_principal_are_candidates_though_nothing_moved(
    fresh: FreshUrl, readings: list[Reading]
) -> None:
    with fresh() as url, Store.open(url, write=True) as store:
        oracle = _record(store, readings)
        head = store.head()

        found = {(each.scope, each.uid) for each in store.changes(head, head, principals=(OUTSIDER,))}

        held = {
            key for key, known in oracle.now.items() if grant().principal in {g.principal for g in known.grants or ()}
        }
        assert found == held
