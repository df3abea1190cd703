"""Whatever a cloud refuses: nothing is called deleted, unshared or clean, and the words and the exit code say so."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snapbase import sandbox
from snapbase.collect import limit
from snapbase.collect.engine import Selection
from snapbase.errors import CredentialsError
from snapbase.finding import Report
from snapbase.model import Grant, Scope
from snapbase.operations import approve as approving
from snapbase.operations import demo
from snapbase.operations.collect import collect
from snapbase.operations.diff import against_baseline, diff, exit_code
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import Config
from snapbase.store import Store


@dataclass(frozen=True)
class Call:
    """An operation to break; always beside something that can still be read."""

    cloud: str
    operation: str

    def __str__(self) -> str:
        return self.operation


KINDS = {
    "aws": ("aws.ec2.snapshot", "aws.rds.snapshot", "aws.organizations"),
    "azure": ("azure.compute.snapshot", "azure.rbac"),
    "gcp": ("gcp.compute.snapshot", "gcp.compute.image", "gcp.iam"),
}
LISTS = (
    Call("aws", "ec2:DescribeSnapshots"),
    Call("aws", "rds:DescribeDBSnapshots"),
    Call("azure", "Microsoft.Compute/snapshots/read"),
    Call("gcp", "compute.snapshots.list"),
    Call("gcp", "compute.images.list"),
)
SHARING = (
    Call("aws", "ec2:DescribeSnapshotAttribute"),
    Call("azure", "Microsoft.Authorization/roleAssignments/read"),
    Call("gcp", "compute.snapshots.getIamPolicy"),
    Call("gcp", "cloudresourcemanager.projects.getIamPolicy"),
)
ENTRY = (
    Call("aws", "sts:GetCallerIdentity"),
    Call("aws", "sts:AssumeRole"),
    Call("aws", "organizations:ListAccounts"),
    Call("azure", "Microsoft.Resources/subscriptions/read"),
    Call("gcp", "cloudresourcemanager.projects.get"),
)
REFUSALS = tuple(kind for kind in FaultKind if kind != FaultKind.SLOW)
MIDWAY = (FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.RESET)
CASES: list[tuple[Call, FaultKind, int]] = [(call, kind, 0) for call in LISTS + SHARING for kind in REFUSALS]
CASES += [(call, kind, 1) for call in LISTS for kind in MIDWAY]
SAID = {"coverage-lost", "sharing-unreadable"}
WHAT_TO_DO = re.compile(
    r"grant |exempt |sign in|renew|run again|collect again|check the |enable|registers|implement|leave it out|correct "
)
Inventory = dict[tuple[Scope, str], frozenset[Grant] | None]


@pytest.fixture(scope="module", autouse=True)
def _short_pauses() -> Iterator[None]:
    """How a throttled call is paced is the limiter's own test; here it only has to be over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, "FIRST_PAUSE", 0.02)
        patch.setattr(limit, "LONGEST_PAUSE", 0.05)
        patch.setattr(limit, "SLOWEST", 50.0)
        yield


@pytest.fixture(scope="module")
def clouds(switchboard: Switchboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """Three clouds, and a configuration that gives up soon."""
    folder = tmp_path_factory.mktemp("faults")
    with sandbox.clouds(switchboard) as endpoints, sandbox.environment(endpoints):
        config, _ = demo.configuration(endpoints, Path(folder))
        hasty = config.collect.model_copy(update={"give_up_after": 0.1})
        yield config.model_copy(update={"collect": hasty})


@pytest.fixture(scope="module")
def approved(clouds: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The three clouds, read and approved once."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('faults')}/snapbase.db", write=True) as store:
        _collect(store, clouds, _selection("aws", "azure", "gcp"))
        _approve(store)
        yield store


def _selection(*names: str) -> Selection:
    return Selection(clouds=names, kinds=tuple(kind for name in names for kind in KINDS[name]))


def _collect(store: Store, config: Config, selection: Selection) -> None:
    collect(store, config, selection, progress=lambda _: None, stop=threading.Event())


def _approve(store: Store) -> None:
    run = store.last_run()
    assert run is not None
    flags: dict[str, Any] = {"allow_unknown": True, "allow_public": True, "allow_incomplete": True}
    request = approving.Request(run=run, by="ada", reason="day one", **flags)
    approving.approve(store, approving.plan(store, request))


def _report(store: Store) -> Report:
    run = store.last_run()
    assert run is not None
    return diff(store, run, against_baseline(store, run))


def _broken(switchboard: Switchboard, fault: Fault, store: Store, config: Config, selection: Selection) -> Report:
    switchboard.break_(fault)
    try:
        _collect(store, config, selection)
    finally:
        switchboard.heal(fault)
    assert fault.struck > 0
    return _report(store)


def _inventory(store: Store) -> Inventory:
    return {(state.scope, state.resource.uid): state.grants for state in store.states(store.head())}


def _says_what_to_do(report: Report) -> None:
    assert not report.complete
    for gap in report.coverage:
        assert WHAT_TO_DO.search(gap.coverage.reason), gap.coverage.reason
    assert exit_code(report, fail_on="critical") in (1, 3)
    assert exit_code(report, fail_on="low") in (1, 3)


@pytest.mark.parametrize(("call", "kind", "skip"), CASES, ids=str)
def test_a_refusal_is_lost_coverage_and_nothing_else(
    approved: Store, clouds: Config, switchboard: Switchboard, call: Call, kind: FaultKind, skip: int
) -> None:
    before, selection = _inventory(approved), _selection(call.cloud)
    fault = Fault(kind, cloud=call.cloud, operation=call.operation, skip=skip)

    broken = _broken(switchboard, fault, approved, clouds, selection)

    assert {finding.rule for finding in broken.findings} <= SAID
    assert _inventory(approved) == before
    _says_what_to_do(broken)
    _collect(approved, clouds, selection)
    healed = _report(approved)
    assert (healed.findings, healed.complete, exit_code(healed, fail_on="info")) == ((), True, 0)


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.EXPIRED, FaultKind.THROTTLED, FaultKind.RESET])
@pytest.mark.parametrize("call", ENTRY, ids=str)
def test_a_closed_door_hides_nothing_behind_it(
    approved: Store, clouds: Config, switchboard: Switchboard, call: Call, kind: FaultKind
) -> None:
    other = "azure" if call.cloud == "gcp" else "gcp"
    before, selection = _inventory(approved), _selection(call.cloud, other)

    broken = _broken(switchboard, Fault(kind, operation=call.operation), approved, clouds, selection)

    assert {finding.rule for finding in broken.findings} <= SAID
    assert _inventory(approved) == before
    _says_what_to_do(broken)
    _collect(approved, clouds, selection)
    healed = _report(approved)
    assert (healed.findings, healed.complete) == ((), True)


@pytest.mark.parametrize("call", ENTRY, ids=str)
def test_a_closed_door_is_counted_also_where_nothing_is_known_behind_it(
    store_url: str, clouds: Config, switchboard: Switchboard, call: Call
) -> None:
    selection = _selection(call.cloud, "azure" if call.cloud == "gcp" else "gcp")
    fault = switchboard.break_(Fault(FaultKind.DENIED, operation=call.operation))
    try:
        with Store.open(store_url, write=True) as store:
            found = collect(store, clouds, selection, progress=lambda _: None, stop=threading.Event())
            broken = _report(store)
            switchboard.heal(fault)
            _collect(store, clouds, selection)
            healed = _report(store)
    finally:
        switchboard.heal(fault)

    assert found.unread
    assert (broken.complete, healed.complete) == (False, True)


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_with_every_door_closed_the_run_is_refused_and_nothing_is_gone(
    approved: Store, clouds: Config, switchboard: Switchboard, cloud: str
) -> None:
    before, selection = _inventory(approved), _selection(cloud)
    fault = switchboard.break_(Fault(FaultKind.EXPIRED, cloud=cloud))
    try:
        with pytest.raises(CredentialsError) as raised:
            _collect(approved, clouds, selection)
    finally:
        switchboard.heal(fault)

    assert WHAT_TO_DO.search(raised.value.message), raised.value.message
    assert _inventory(approved) == before
    _collect(approved, clouds, selection)
    assert (_report(approved).findings, _report(approved).complete) == ((), True)


@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.THROTTLED, FaultKind.ERROR, FaultKind.RESET])
@pytest.mark.parametrize("call", [LISTS[0], *LISTS[2:4]], ids=str)
def test_what_passes_by_itself_is_not_even_mentioned(
    approved: Store, clouds: Config, switchboard: Switchboard, call: Call, kind: FaultKind
) -> None:
    patient = clouds.model_copy(update={"collect": clouds.collect.model_copy(update={"give_up_after": 60.0})})
    fault = Fault(kind, cloud=call.cloud, operation=call.operation, times=2, seconds=0.05)

    passed = _broken(switchboard, fault, approved, patient, _selection(call.cloud))

    assert (passed.findings, passed.complete, exit_code(passed, fail_on="info")) == ((), True, 0)


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED])
@pytest.mark.parametrize("call", SHARING, ids=str)
def test_sharing_unread_from_the_first_day_is_unknown_until_it_is_read(
    clouds: Config, switchboard: Switchboard, tmp_path: Path, call: Call, kind: FaultKind
) -> None:
    selection = _selection(call.cloud)
    fault = Fault(kind, cloud=call.cloud, operation=call.operation)
    with Store.open(f"sqlite:///{tmp_path}/snapbase.db", write=True) as store:
        _says_what_to_do(_broken(switchboard, fault, store, clouds, selection))
        blind = _inventory(store)
        _approve(store)
        assert exit_code(_report(store), fail_on="critical") == 3

        _collect(store, clouds, selection)

        late = {key: grants for key, grants in _inventory(store).items() if grants and blind.get(key) != grants}
        found = {finding.subject.uid for finding in _report(store).findings if finding.grantee is not None}
    assert late
    assert all(blind.get(key) is None for key in late)
    assert {uid for _, uid in late} <= found
