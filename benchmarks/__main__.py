"""`python -m benchmarks [--scopes N] [--size N]`: recording, diff, memory and bytes, beside the floor."""

import argparse
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fleet
from benchmarks.floor import Floor
from snapbase.model import Reading
from snapbase.store import Store


def main() -> None:
    """Runs the default shapes, or the one that was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--scopes", type=int)
    parser.add_argument("--size", type=int, default=1_000, help="snapshots in each scope")
    asked = parser.parse_args()
    if asked.scopes:
        with TemporaryDirectory(prefix="snapbase-bench-") as folder:
            measure(Path(folder), asked.scopes, asked.size)
        return
    for scopes, size in ((1, 100_000), (100, 1_000), (1_000, 1_000)):
        # A process each, so that the memory shown is the shape's own.
        shape = ["--scopes", str(scopes), "--size", str(size)]
        subprocess.run([sys.executable, "-m", "benchmarks", *shape], check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.audit"], check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.approvals"], check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.year"], check=True)


def measure(folder: Path, scopes: int, size: int) -> None:
    """One shape: first run, unchanged run, 0.1 % changed, the diff of the last."""
    total, path = scopes * size, folder / "store.db"
    changed = max(1, total // 1_000)
    say(f"\n{scopes:,} scopes x {size:,} snapshots = {total:,}")
    with Store.open(f"sqlite:///{path}", write=True) as store:
        with Floor(path, folder / "floor.db") as floor:
            # Turn by turn, so that whatever else the machine does slows both.
            first, _ = run(store, path, "first run", fleet.readings(scopes, size, 0), floor.follow)
        label = f"floor: sqlite3, {floor.rows:,} rows"
        say(f"    {label:<34}{floor.seconds:>10.2f} s    recording / floor = {first / floor.seconds:.2f}")
        before = store.head()
        run(store, path, "unchanged run", fleet.readings(scopes, size, 1))
        say(f"    {'revisions of the unchanged run':<34}{store.head() - before:>10,}")
        run(store, path, f"{changed:,} changed", fleet.readings(scopes, size, 2, changed))
        times = [clocked(lambda: sum(1 for _ in store.changes(before, store.head()))) for _ in range(5)]
        label, spent = f"changes(), {times[0][1]:,} candidates", statistics.median(each for each, _ in times)
        say(f"    {label:<34}{spent * 1e3:>10.1f} ms")
        for name, ask in (
            ("counts()", lambda: len(store.counts(store.head()))),
            ("initial()", lambda: len(store.initial(before, store.head()))),
            ("principals()", lambda: len(store.principals(store.head()))),
        ):
            say(f"    {name:<34}{clocked(ask)[0] * 1e3:>10.1f} ms")
    say(f"    {'memory, peak of the process':<34}{peak():>10,.0f} MiB")


def run(
    store: Store, path: Path, name: str, found: Iterable[Reading], after_each: Callable[[], None] = lambda: None
) -> tuple[float, int]:
    """Records a run; returns the seconds inside the store and the bytes the store grew by."""
    size = bytes_of(path)
    number = store.begin_run("", "benchmark", fleet.EPOCH)
    spent = 0.0
    for each in found:
        spent += clocked(lambda each=each: store.record(number, each).opened)[0]  # type: ignore[misc]
        after_each()
    store.finish_run(number, trust=b"{}", at=fleet.EPOCH)
    grown = bytes_of(path) - size
    say(f"    {name:<34}{spent:>10.2f} s{grown / 1e6:>12.2f} MB grown")
    return spent, grown


def clocked(work: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def bytes_of(path: Path) -> int:
    """The size of the file once everything in its -wal has been brought in."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


def peak() -> float:
    """MiB, of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage / (1024 if sys.platform == "linux" else 1024 * 1024)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
