"""`python -m benchmarks.approvals [--size N]`: approving standing shares; what a diff, a list and a proof cost then.

Seconds are of user CPU, of this process or of the command that was started.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks import fleet
from snapbase.finding import Report
from snapbase.model import Grant, Observation, Principal, PrincipalKind, Reading, Run
from snapbase.operations import approve as approving
from snapbase.operations import trusting
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store
from snapbase.trust import TrustedEntry, TrustList

T = TypeVar("T")
HOLDERS = 50
PARTS = 10
_UNSHARED = 50
"""One snapshot in so many is not shared."""


def holder(number: int) -> str:
    return f"{700_000_000_000 + number}"


def trust() -> bytes:
    """Of the holders one in five is a known partner, one in five was ours once; the others nobody knows."""
    partners = tuple(TrustedEntry(holder(each), f"partner {each}", "contract") for each in range(0, HOLDERS, 5))
    own = frozenset(scope.account for scope in fleet.scopes(100))
    former = frozenset(holder(each) for each in range(1, HOLDERS, 5))
    return trusting.to_bytes(TrustList(own=own, former=former, entries=partners))


def readings(size: int, turn: int = 0, changed: int = 0) -> Iterator[Reading]:
    """A hundred scopes with `size` snapshots in all, nearly each shared with one of the holders."""
    count = 0
    for reading in fleet.readings(100, size // 100, turn, changed):
        shared = []
        for observation in reading.observations:
            shared.append(_shared(observation, count))
            count += 1
        yield replace(reading, observations=shared)


def _shared(observation: Observation, number: int) -> Observation:
    if number % _UNSHARED == 0:
        return replace(observation, grants=frozenset())
    who = Principal(PrincipalKind.ACCOUNT, holder(number // 7 % HOLDERS))
    return replace(observation, grants=frozenset({Grant(who, "read", "ec2:createVolumePermission")}))


def record(store: Store, size: int, turn: int = 0, changed: int = 0) -> Run:
    number = store.begin_run("", "benchmark", fleet.EPOCH)
    for each in readings(size, turn, changed):
        store.record(number, each)
    return store.finish_run(number, trust=trust(), at=fleet.EPOCH)


def measure(folder: Path, size: int) -> None:
    """Three stores of the same content: approved as a whole, by one principal, and by ten approvals for five each."""
    for name, parts in (("whole run", 0), ("one principal", 1), (f"{PARTS} partial approvals", PARTS)):
        url = f"sqlite:///{folder / name.replace(' ', '-')}.db"
        say(f"\n{size:,} snapshots, {size - size // _UNSHARED:,} shared; approved: {name}")
        with Store.open(url, write=True) as store:
            run = record(store, size)
            command("diff before any approval", url, "diff")
            approve(store, run, parts)
            clocked("diff(), without start and print", lambda: reported(store, run))  # noqa: B023 - called at once
            command("diff", url, "diff")
            command("shares", url, "shares")
            command("baselines verify", url, "baselines", "verify")
            changed = record(store, size, 1, size // 100)
            clocked(f"diff(), {size // 100:,} changed", lambda: reported(store, changed))  # noqa: B023
            command(f"diff, {size // 100:,} changed", url, "diff")


def approve(store: Store, run: Run, parts: int) -> None:
    """The whole run for 0 parts; for 1, one principal; else everybody, in so many approvals."""
    share = HOLDERS // PARTS if parts > 1 else 1
    groups = [tuple(holder(each) for each in range(part * share, (part + 1) * share)) for part in range(parts)]
    for number, principals in enumerate(groups or [()], 1):
        request = approving.Request(
            run=run, by="ada", reason="reviewed", principals=principals, allow_public=True, allow_unknown=True
        )
        what = f" {number} of {len(groups)}" if len(groups) > 1 else ""
        plan = clocked(f"plan{what}", lambda: approving.plan(store, request))  # noqa: B023 - called at once
        clocked(f"write{what}, {len(plan.approved):,} findings", lambda: approving.approve(store, plan))  # noqa: B023


def reported(store: Store, run: Run) -> Report:
    return diff(store, run, against_baseline(store, run))


def clocked(name: str, work: Callable[[], T]) -> T:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    found = work()
    say(f"    {name:<44}{resource.getrusage(resource.RUSAGE_SELF).ru_utime - before:>8.2f} s")
    return found


def command(name: str, url: str, *words: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-m", "snapbase", "--store", url, *words], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    say(f"    {f'{name}, as a whole process':<44}{spent:>8.2f} s")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.approvals", description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="snapbase-approvals-") as folder:
        measure(Path(folder), asked.size)


if __name__ == "__main__":
    main()
