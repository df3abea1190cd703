"""Whatever a cloud refuses: nothing is called deleted, unshared or clean, and the exit code says so."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapbase import sandbox
from snapbase.collect.engine import Selection
from snapbase.config import Config
from snapbase.finding import Report
from snapbase.operations import approve as approving
from snapbase.operations import demo
from snapbase.operations.collect import collect
from snapbase.operations.diff import against_baseline, diff, exit_code
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.store import Store

LISTS = {
    "aws": ("ec2:DescribeSnapshots", "rds:DescribeDBSnapshots"),
    "azure": ("Microsoft.Compute/snapshots/read",),
    "gcp": ("compute.snapshots.list", "compute.images.list"),
}
SHARING = {
    "aws": ("ec2:DescribeSnapshotAttribute",),
    "azure": ("Microsoft.Authorization/roleAssignments/read",),
    "gcp": ("compute.snapshots.getIamPolicy",),
}
KINDS = (FaultKind.DENIED, FaultKind.EXPIRED, FaultKind.DISABLED)
CASES = [(cloud, op) for table in (LISTS, SHARING) for cloud, ops in table.items() for op in ops]


@pytest.fixture(scope="module")
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture(scope="module")
def approved(switchboard: Switchboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Config]]:
    """Three clouds, read and approved once."""
    folder = tmp_path_factory.mktemp("faults")
    with sandbox.clouds(switchboard) as endpoints, sandbox.environment(endpoints):
        config, _ = demo.configuration(endpoints, Path(folder))
        with Store.open(f"sqlite:///{folder}/snapbase.db", write=True) as store:
            run = collect(store, config, Selection(), progress=lambda _: None, stop=threading.Event()).run
            request = approving.Request(run=run, by="ada", reason="day one", allow_unknown=True, allow_public=True)
            approving.approve(store, approving.plan(store, request))
            yield store, config


def _report(store: Store, config: Config, cloud: str) -> Report:
    run = collect(store, config, Selection(clouds=(cloud,)), progress=lambda _: None, stop=threading.Event()).run
    return diff(store, run, against_baseline(store, run))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("cloud", "operation"), CASES)
def test_a_refusal_is_lost_coverage_and_nothing_else(
    approved: tuple[Store, Config], switchboard: Switchboard, cloud: str, operation: str, kind: FaultKind
) -> None:
    store, config = approved
    fault = switchboard.break_(Fault(kind, cloud=cloud, operation=operation))
    try:
        broken = _report(store, config, cloud)
    finally:
        switchboard.heal(fault)

    assert fault.struck > 0
    assert {finding.rule for finding in broken.findings} <= {"coverage-lost", "sharing-unreadable"}
    assert broken.coverage
    assert all(gap.coverage.reason for gap in broken.coverage)
    assert exit_code(broken, fail_on="low") in (1, 3)
    healed = _report(store, config, cloud)
    assert healed.findings == ()
    assert healed.complete
