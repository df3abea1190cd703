"""Stores that read local clouds more than once, and what the last run shows against the first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snapbase.collect.engine import Selection
from snapbase.finding import Report
from snapbase.operations.collect import collect
from snapbase.operations.diff import against_run, diff
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import Config
from snapbase.store import Store

EVERYTHING = Selection()


def observe(store: Store, config: Config, selection: Selection = EVERYTHING) -> None:
    collect(store, config, selection, progress=lambda _: None, stop=threading.Event())


def since_first(store: Store) -> Report:
    run = store.last_run()
    assert run is not None
    return diff(store, run, against_run(store, store.run(1)))


@contextmanager
def closed(switchboard: Switchboard, cloud: str, operation: str) -> Iterator[None]:
    """A cloud that denies an operation to everybody, for as long as the block runs."""
    fault = switchboard.break_(Fault(FaultKind.DENIED, cloud=cloud, operation=operation))
    try:
        yield
    finally:
        switchboard.heal(fault)


@contextmanager
def copy_of(file: Path, folder: Path) -> Iterator[Store]:
    """A SQLite store as another left it, to be written to."""
    path = folder / "s.db"
    path.write_bytes(file.read_bytes())
    with Store.open(f"sqlite:///{path}", write=True) as opened:
        yield opened
