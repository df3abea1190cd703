"""Runs, the lock, two processes at once, and processes that die."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from snapbase.errors import Busy, NotFound, StaleReading
from snapbase.model import RunState
from snapbase.store import Store
from tests.postgresql import Cluster
from tests.store.world import AMERICA, EPOCH, EUROPE, Oracle, grant, minute, reading, seen, snapshot

fork = multiprocessing.get_context("fork")


def _child(work: Callable[[], None]) -> int:
    """Forks; the child does the work and leaves without running anything of the parent's. Returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def test_a_run_is_finished_with_the_clock_and_the_trust_it_was_judged_by(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        assert store.last_run() is None
        run_id = store.begin_run("aws", "digest", minute(1))
        store.record(run_id, reading(EUROPE, 1, [seen(snapshot("a"))]))
        run = store.finish_run(run_id, trust=b'{"own":[]}', at=minute(2))

        assert (run.state, run.last_rev, run.selection, run.config_digest) == (RunState.FINISHED, 1, "aws", "digest")
        assert (run.started_at, run.finished_at) == (minute(1), minute(2))
        assert store.run(run_id) == store.last_run() == run
        assert store.trust(run.trust_id or 0) == b'{"own":[]}'
        other = store.finish_run(store.begin_run("", "digest", minute(3)), trust=b'{"own":[]}', at=minute(4))
        assert other.trust_id == run.trust_id
        assert [each.id for each in store.runs(limit=None)] in ([1, 2], [2, 1])
        with pytest.raises(NotFound):
            store.run(99)


def test_one_holds_the_lock_and_the_others_are_told_who(store_url: str) -> None:
    with Store.open(store_url, write=True) as one, Store.open(store_url, write=True) as two:
        with one.lock(), pytest.raises(Busy, match=str(os.getpid())), two.lock():
            pass
        with two.lock():
            pass


def test_a_killed_holder_frees_the_lock_and_its_run_counts_as_abandoned(store_url: str) -> None:
    held, wait = fork.Event(), fork.Event()

    def hold() -> None:
        with Store.open(store_url, write=True) as store, store.lock():
            run = store.begin_run("", "config", EPOCH)
            store.record(run, reading(EUROPE, 1, [seen(snapshot("a"))]))
            held.set()
            wait.wait()

    pid = _child(hold)
    assert held.wait(30)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    with Store.open(store_url, write=True) as store:
        for _ in range(100):
            try:
                with store.lock():
                    store.begin_run("", "config", minute(1))
                break
            except Busy:  # PostgreSQL notices a dead client a moment later
                os.sched_yield()
                fork.Event().wait(0.05)
        states = {run.id: run.state for run in store.runs(limit=None)}
        assert states == {1: RunState.ABANDONED, 2: RunState.RUNNING}
        assert [state.resource.name for state in store.states(store.head())] == ["a"]


def test_a_stale_writer_in_another_process_is_refused(store_url: str) -> None:
    """It began to read before us and comes to record after us."""
    with Store.open(store_url, write=True) as store:
        run = store.begin_run("", "config", EPOCH)
        store.record(run, reading(EUROPE, 1, [seen(snapshot("a"))]))
    opened, recorded = fork.Event(), fork.Event()

    def late(opened: Event = opened, recorded: Event = recorded) -> None:
        with Store.open(store_url, write=True) as store:
            opened.set()
            recorded.wait()
            with pytest.raises(StaleReading):
                store.record(1, reading(EUROPE, 2, []))

    pid = _child(late)
    assert opened.wait(30)
    with Store.open(store_url, write=True) as store:
        store.record(1, reading(EUROPE, 3, [seen(snapshot("a"), {grant()})]))
        recorded.set()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

        (state,) = store.states(store.head())
        assert state.grants == frozenset({grant()})


def test_writers_side_by_side_share_one_clock(store_url: str) -> None:
    """Two processes record different scopes at once: every revision is used once, and nothing is lost."""
    with Store.open(store_url, write=True) as store:
        store.begin_run("", "config", EPOCH)

    def write(scope: object) -> None:
        with Store.open(store_url, write=True) as store:
            for at in range(1, 16):
                store.record(1, reading(scope, at, [seen(snapshot("a", value=at))]))  # type: ignore[arg-type]

    pids = [_child(lambda scope=scope: write(scope)) for scope in (EUROPE, AMERICA)]  # type: ignore[misc]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]

    with Store.open(store_url) as store:
        assert store.head() == 30
        assert {state.resource.facts["size"] for state in store.states(30)} == {15}
        assert sum(len(list(store.changes(rev, rev + 1))) for rev in range(30)) >= 28


def test_kill_9_at_any_point_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Fifty writers are killed at as many points; the store opens each time and the last run is exactly right."""
    url = f"sqlite:///{tmp_path}/snapbase.db"
    with Store.open(url, write=True) as store:
        store.begin_run("", "config", EPOCH)

    def content(turn: int) -> list[object]:
        return [seen(snapshot(f"s{n}", value=n + turn), {grant()} if (n + turn) % 5 == 0 else ()) for n in range(150)]

    def record(turn: int, started: Event) -> None:
        with Store.open(url, write=True) as store, store.lock():
            run = store.begin_run("", "config", EPOCH)
            started.set()
            for scope in (EUROPE, AMERICA):
                store.record(run, reading(scope, turn, content(turn)))  # type: ignore[arg-type]
            store.finish_run(run, trust=b"{}", at=minute(turn))

    killed = 0
    for turn in range(1, 51):
        started = fork.Event()
        pid = _child(lambda turn=turn, started=started: record(turn, started))  # type: ignore[misc]
        assert started.wait(30)
        fork.Event().wait((turn % 25) * 0.002)
        os.kill(pid, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        with Store.open(url) as store:
            for scope in (EUROPE, AMERICA):
                sizes = sorted(s.resource.facts["size"] for s in store.states(store.head()) if s.scope == scope)  # type: ignore[type-var]
                assert len(sizes) in (0, 150)
                assert not sizes or sizes[-1] - sizes[0] == 149  # type: ignore[operator]
    assert killed > 10

    with Store.open(url, write=True) as store, store.lock():
        run = store.begin_run("", "config", EPOCH)
        oracle = Oracle()
        for scope in (EUROPE, AMERICA):
            last = reading(scope, 99, content(99))  # type: ignore[arg-type]
            store.record(run, last)
            oracle.apply(last)
        found = {(s.scope, s.resource.uid): (s.resource, s.grants) for s in store.states(store.head())}
        assert found == {key: (known.resource, known.grants) for key, known in oracle.now.items()}
        assert {each.state for each in store.runs(limit=None)} <= {*RunState}
        assert sum(each.state == RunState.RUNNING for each in store.runs(limit=None)) == 1


def test_postgresql_knows_how_much_a_first_run_wrote(postgresql: Cluster) -> None:
    """It planned the diff right after a first run of a hundred thousand as one of empty tables: that took a minute."""
    with postgresql.database() as url, Store.open(url, write=True) as store:
        number = store.begin_run("", "", minute(0))
        store.record(number, reading(EUROPE, 1, [seen(snapshot(f"{each}"), {grant()}) for each in range(5_000)]))
        store.finish_run(number, trust=b"{}", at=minute(2))

        engine = create_engine(url)
        with engine.connect() as connection:
            query = "SELECT relname, reltuples::int FROM pg_class WHERE relname IN ('resource', 'version', 'grant')"
            found: dict[str, int] = dict(connection.execute(text(query)).tuples().all())
        engine.dispose()

    assert found == {"resource": 5_000, "version": 5_000, "grant": 5_000}
