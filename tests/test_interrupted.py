"""Killed or interrupted at any point of a whole `snapbase collect`: the store opens, and the next run is right."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapbase import sandbox
from snapbase.model import RunState, Scope
from snapbase.operations import demo
from snapbase.sandbox import Endpoints
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.store import Store


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    with sandbox.clouds(switchboard) as started:
        yield started


def _start(home: Path, endpoints: Endpoints) -> subprocess.Popen[str]:
    environment = {**os.environ, **endpoints.environment(), "SNAPBASE_CONFIG": str(home / "snapbase.toml")}
    command = [sys.executable, "-m", "snapbase", "collect"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=home)


@pytest.fixture(scope="module")
def everything(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[Scope, str]]:
    """What a run that nobody disturbs finds."""
    home = tmp_path_factory.mktemp("undisturbed")
    demo.configuration(endpoints, home)
    _, words = _start(home, endpoints).communicate(timeout=120)
    found = _known(home)
    assert len(found) > 50, words
    return set(found)


def _known(home: Path) -> list[tuple[Scope, str]]:
    with Store.open(f"sqlite:///{home}/snapbase.db") as store:
        return [(state.scope, state.resource.uid) for state in store.states(store.head())]


def _wait_for(switchboard: Switchboard, calls: int, process: subprocess.Popen[str]) -> None:
    before = len(switchboard.calls)
    while len(switchboard.calls) < before + calls and process.poll() is None:
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("sent", "after"),
    [(signal.SIGKILL, 3), (signal.SIGKILL, 25), (signal.SIGKILL, 60), (signal.SIGINT, 25), (signal.SIGTERM, 25)],
)
def test_a_run_that_is_stopped_loses_and_doubles_nothing(
    tmp_path: Path,
    switchboard: Switchboard,
    endpoints: Endpoints,
    everything: set[tuple[Scope, str]],
    sent: signal.Signals,
    after: int,
) -> None:
    demo.configuration(endpoints, tmp_path)
    slow = switchboard.break_(Fault(FaultKind.SLOW, seconds=0.05))
    process = _start(tmp_path, endpoints)
    _wait_for(switchboard, after, process)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    switchboard.heal(slow)
    assert process.returncode == (-sent if sent == signal.SIGKILL else 2), said
    assert "Traceback" not in said
    assert ("snapbase: Stopped. What was read until now is recorded" in said) == (sent != signal.SIGKILL)

    again = _start(tmp_path, endpoints)
    _, words = again.communicate(timeout=60)

    assert again.returncode == 0, words
    assert bool(re.search("run 1, begun .* UTC, was killed", words)) == (sent == signal.SIGKILL)
    with Store.open(f"sqlite:///{tmp_path}/snapbase.db") as store:
        runs = store.runs(limit=None)
        assert runs[0].state == RunState.FINISHED
        assert all(run.state == RunState.ABANDONED for run in runs[1:])
        assert store.coverage(store.head()) == []
    known = _known(tmp_path)
    assert len(known) == len(set(known))
    assert set(known) == everything
