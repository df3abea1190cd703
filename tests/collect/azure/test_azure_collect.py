"""Azure's kinds as a run sees them: the real SDKs, real HTTP, the sandbox's Azure Resource Manager."""

from collections.abc import Iterator
from typing import Any

import pytest

from snapbase.collect.azure import compute_snapshot, rbac
from snapbase.collect.azure.cloud import CLOUD
from snapbase.collect.collector import Collector, Target, collectors
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.config import AzureEntry
from snapbase.model import ANYWHERE, Access, Grant, Miss, Observation, Outcome, Principal, PrincipalKind, Scope
from snapbase.sandbox.azure import roles, story
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, SUBSCRIPTIONS, TENANT, AzureSandbox
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard

SUBSCRIPTION = SUBSCRIPTIONS[0]
ROOT = f"/subscriptions/{SUBSCRIPTION}"
SNAPSHOTS = "Microsoft.Compute/snapshots/read"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
SOMEBODY = "0b5fe924-0000-4000-8000-0000000000ff"
CUSTOM = "0b5fe924-0000-4000-8000-0000000000ee"
GROUP = "/providers/Microsoft.Management/managementGroups/" + MANAGEMENT_GROUP


@pytest.fixture
def arm() -> Iterator[AzureSandbox]:
    sandbox = AzureSandbox(Switchboard())
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    started = Runtime(threads=2, limiter=Limiter(attempts=3, sleep=lambda _: None))
    yield started
    started.close()


@pytest.fixture
def writer(arm: AzureSandbox) -> Writer:
    made = Writer(arm.url, SUBSCRIPTION)
    made.group("rg")
    return made


def _targets(arm: AzureSandbox, runtime: Runtime, **entry: Any) -> list[Target]:
    return list(CLOUD.connect(AzureEntry(endpoint_url=arm.url, **entry), runtime).targets())


def _read(arm: AzureSandbox, runtime: Runtime, kind: Collector) -> dict[str, Observation]:
    """One scope's observations by lower-case address."""
    target = next(each for each in _targets(arm, runtime) if each.account == SUBSCRIPTION)
    scope = Scope("azure", target.account, target.location, kind.kind)
    return {each.resource.address.lower(): each for each in kind.read(target.handle, scope)}


def _snapshots(arm: AzureSandbox, runtime: Runtime) -> dict[str, Observation]:
    found = _read(arm, runtime, compute_snapshot.COLLECTOR)
    return {each.resource.name or "": each for each in found.values()}


def _missed(arm: AzureSandbox, runtime: Runtime) -> Miss:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, `classify` must know it
        _snapshots(arm, runtime)
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    return miss


def _stored(arm: AzureSandbox, name: str) -> dict[str, Any]:
    return arm.estate.snapshots[f"{ROOT}/resourcegroups/rg/providers/microsoft.compute/snapshots/{name}".lower()]


def test_every_page_is_read(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    names = {f"daily-{number}" for number in range(5)}
    for name in names:
        writer.snapshot("rg", name, "disk")
    arm.page_size = 2
    arm.switchboard.calls.clear()

    assert set(_snapshots(arm, runtime)) == names
    assert sum(call[3] == SNAPSHOTS for call in arm.switchboard.calls) == 3


def test_a_second_page_that_fails_ends_the_list_and_keeps_the_first(
    arm: AzureSandbox, runtime: Runtime, writer: Writer
) -> None:
    for number in range(4):
        writer.snapshot("rg", f"daily-{number}", "disk")
    arm.page_size = 2
    target = next(each for each in _targets(arm, runtime) if each.account == SUBSCRIPTION)
    reading = compute_snapshot.COLLECTOR.read(target.handle, Scope("azure", SUBSCRIPTION, "global", "x"))
    arm.switchboard.break_(Fault(FaultKind.DENIED, operation=SNAPSHOTS, skip=1))

    assert [next(reading).resource.name, next(reading).resource.name] == ["daily-0", "daily-1"]
    with pytest.raises(Exception) as raised:  # noqa: PT011
        next(reading)
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        (FaultKind.DENIED, Outcome.DENIED, "grant this action"),
        (FaultKind.EXPIRED, Outcome.DENIED, "credential was not accepted"),
        (FaultKind.THROTTLED, Outcome.THROTTLED, "429"),
        (FaultKind.ERROR, Outcome.FAILED, "503"),
        (FaultKind.UNIMPLEMENTED, Outcome.FAILED, "500"),
        (FaultKind.DISABLED, Outcome.DISABLED, "not registered"),
        (FaultKind.TRUNCATED, Outcome.FAILED, "Microsoft.Compute/snapshots/read"),
        (FaultKind.RESET, Outcome.FAILED, "got no answer"),
    ],
)
def test_a_fault_is_an_outcome_with_words_and_never_an_empty_list(
    arm: AzureSandbox, runtime: Runtime, writer: Writer, kind: FaultKind, outcome: Outcome, words: str
) -> None:
    writer.snapshot("rg", "daily", "disk")
    arm.switchboard.break_(Fault(kind, operation=SNAPSHOTS))

    miss = _missed(arm, runtime)

    assert miss.outcome == outcome
    assert words in miss.reason
    assert SUBSCRIPTION in miss.reason
    assert len(miss.reason) <= 300
    assert "faketoken" not in miss.reason


def test_throttling_that_passes_is_waited_out(arm: AzureSandbox, writer: Writer) -> None:
    writer.snapshot("rg", "daily", "disk")
    fault = arm.switchboard.break_(Fault(FaultKind.THROTTLED, operation=SNAPSHOTS, times=2))
    runtime = Runtime(threads=2)

    assert set(_snapshots(arm, runtime)) == {"daily"}
    assert fault.struck == 2
    runtime.close()


def test_unreadable_assignments_leave_the_list_and_make_sharing_unknown(
    arm: AzureSandbox, runtime: Runtime, writer: Writer
) -> None:
    writer.snapshot("rg", "daily", "disk")
    writer.snapshots.begin_grant_access("rg", "daily", {"access": "Read", "durationInSeconds": 60}).result()
    arm.switchboard.break_(Fault(FaultKind.DENIED, operation=ASSIGNMENTS))

    daily = _snapshots(arm, runtime)["daily"]

    assert daily.grants is None
    assert daily.miss is not None
    assert daily.miss.outcome == Outcome.DENIED
    assert "SAS is live" in daily.miss.reason


@pytest.mark.parametrize(
    "scope", [f"{ROOT}/resourceGroups/rg", ROOT, GROUP], ids=["resource group", "subscription", "management group"]
)
def test_an_assignment_on_a_container_is_a_grant_there_and_on_nothing_else(
    arm: AzureSandbox, runtime: Runtime, writer: Writer, scope: str
) -> None:
    writer.snapshot("rg", "daily", "disk")
    writer.assign(scope, roles.CONTRIBUTOR, SOMEBODY, "Group")

    containers = _read(arm, runtime, rbac.COLLECTOR)

    expected = Grant(Principal(PrincipalKind.GROUP, SOMEBODY), Access.READ, "azure.rbac/Contributor")
    assert {uid: each.grants for uid, each in containers.items() if each.grants} == {
        scope.lower(): frozenset({expected})
    }
    assert _snapshots(arm, runtime)["daily"].grants == frozenset()


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        ("User", PrincipalKind.USER),
        ("Group", PrincipalKind.GROUP),
        ("ServicePrincipal", PrincipalKind.SERVICE_PRINCIPAL),
        ("ForeignGroup", PrincipalKind.FOREIGN_GROUP),
        ("SomethingOf2031", PrincipalKind.OTHER),
    ],
)
def test_an_assignment_on_the_snapshot_itself(
    arm: AzureSandbox, runtime: Runtime, writer: Writer, wire: str, kind: PrincipalKind
) -> None:
    writer.snapshot("rg", "Daily", "disk")
    # ARM compares ids without regard to case, and answers in the one an assignment was written in.
    scope = f"{ROOT}/resourcegroups/RG/providers/microsoft.compute/SNAPSHOTS/daily"
    writer.assign(scope, roles.OWNER, SOMEBODY.upper(), wire)

    grants = _snapshots(arm, runtime)["Daily"].grants

    holder = Principal(kind, SOMEBODY)
    way = "azure.rbac/Owner"
    assert grants == frozenset({Grant(holder, Access.READ, way), Grant(holder, Access.RESHARE, way)})


@pytest.mark.parametrize(
    ("actions", "not_actions", "access"),
    [
        (["Microsoft.Compute/snapshots/*"], [], {Access.READ}),
        (["*"], ["microsoft.compute/*/BEGINGETACCESS/action"], {Access.RESHARE}),
        (["*/read"], [], set()),
        (["*"], ["*"], set()),
    ],
)
def test_a_custom_role_is_its_actions_minus_its_not_actions(
    arm: AzureSandbox,
    runtime: Runtime,
    writer: Writer,
    actions: list[str],
    not_actions: list[str],
    access: set[Access],
) -> None:
    permissions = [{"actions": actions, "notActions": not_actions}]
    arm.estate.put_definition(CUSTOM, {"properties": {"roleName": "Ours", "permissions": permissions}})
    writer.assign(ROOT, CUSTOM, SOMEBODY, "User")

    grants = _read(arm, runtime, rbac.COLLECTOR)[ROOT].grants

    assert grants is not None
    assert {each.access for each in grants} == access


def test_a_role_that_cannot_be_read_leaves_its_scope_unknown(
    arm: AzureSandbox, runtime: Runtime, writer: Writer
) -> None:
    arm.estate.put_definition(CUSTOM, {"properties": {"roleName": "Ours", "permissions": []}})
    writer.assign(ROOT, CUSTOM, SOMEBODY, "User")
    del arm.estate.definitions[CUSTOM]

    containers = _read(arm, runtime, rbac.COLLECTOR)

    assert containers[ROOT].grants is None
    assert containers[f"{ROOT}/resourcegroups/rg"].grants == frozenset()


def test_a_subscription_says_whose_it_is(arm: AzureSandbox, runtime: Runtime) -> None:
    attributes = _read(arm, runtime, rbac.COLLECTOR)[ROOT].resource.attributes

    assert attributes["subscription_id"] == SUBSCRIPTION
    assert attributes["tenant_id"] == TENANT


def test_a_live_link_is_a_grant_without_the_link(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    writer.snapshot("rg", "daily", "disk")
    writer.snapshots.begin_grant_access("rg", "daily", {"access": "Read", "durationInSeconds": 60}).result()

    daily = _snapshots(arm, runtime)["daily"]

    sas = Grant(Principal(PrincipalKind.BEARER, "sas"), Access.READ, "azure:beginGetAccess")
    assert daily.grants == frozenset({sas})
    assert "sig=" not in repr(daily)


def test_a_source_url_loses_its_secret(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    writer.snapshot("rg", "imported", "disk")
    creation = {"createOption": "Import", "sourceUri": "https://acc.blob.core.windows.net/vhds/a.vhd?sig=SECRET"}
    _stored(arm, "imported")["properties"]["creationData"] = creation

    resource = _snapshots(arm, runtime)["imported"].resource

    assert resource.source == "https://acc.blob.core.windows.net/vhds/a.vhd"
    assert "SECRET" not in repr(resource)


@pytest.mark.parametrize("policy", ["DenyAll", "AllowPrivate", "AllowAll", "0"])
def test_the_network_policy_holds_links_back_or_is_said_to_be_unknown(
    arm: AzureSandbox, runtime: Runtime, writer: Writer, policy: str
) -> None:
    writer.snapshot("rg", "daily", "disk", networkAccessPolicy=policy)

    limits = _snapshots(arm, runtime)["daily"].resource.limits

    if policy in ("DenyAll", "AllowPrivate"):
        assert limits is not None
        assert limits.blocks == (PrincipalKind.BEARER,)
    elif policy == "AllowAll":
        assert limits is None
    else:
        assert limits is not None
        assert limits.unknown


def test_made_again_under_the_same_name_is_another(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    writer.snapshot("rg", "golden", "disk")
    before = _snapshots(arm, runtime)["golden"].resource
    writer.snapshots.begin_delete("rg", "golden").result()
    writer.snapshot("rg", "golden", "disk")
    after = _snapshots(arm, runtime)["golden"].resource

    assert before.address == after.address
    assert before.uid != after.uid


def test_fields_of_the_future_change_nothing(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    arm.estate.strict = False
    writer.snapshot("rg", "daily", "disk")
    before = _snapshots(arm, runtime)["daily"]
    _stored(arm, "daily")["properties"] |= {"quantumPolicy": {"a": [1]}, "completionPercent": 7.5}

    assert _snapshots(arm, runtime)["daily"] == before


def test_a_next_link_to_another_host_never_gets_the_token(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    elsewhere = AzureSandbox(Switchboard())
    elsewhere.start()
    for number in range(2):
        writer.snapshot("rg", f"daily-{number}", "disk")
    target = next(each for each in _targets(arm, runtime) if each.account == SUBSCRIPTION)
    reading = compute_snapshot.COLLECTOR.read(target.handle, Scope("azure", SUBSCRIPTION, "global", "x"))
    list_here = arm.page
    arm.page_size = 1

    def page(found: list[Any], path: str, query: Any) -> Any:
        answer = list_here(found, path, query)
        if path.endswith("/snapshots") and "nextLink" in answer.body:
            answer.body["nextLink"] = answer.body["nextLink"].replace(arm.url, elsewhere.url)
        return answer

    arm.page = page  # type: ignore[method-assign]
    try:
        with pytest.raises(Exception) as raised:  # noqa: PT011
            list(reading)
    finally:
        elsewhere.stop()

    miss = CLOUD.classify(raised.value)
    assert miss is not None
    assert miss.outcome == Outcome.FAILED
    assert elsewhere.switchboard.calls == []


def test_the_collectors_own_clients_cannot_write(arm: AzureSandbox, runtime: Runtime, writer: Writer) -> None:
    writer.snapshot("rg", "daily", "disk")
    arm.switchboard.calls.clear()
    target = next(each for each in _targets(arm, runtime) if each.account == SUBSCRIPTION)

    with pytest.raises(RuntimeError, match="only reads"):
        target.handle.compute.snapshots.begin_grant_access("rg", "daily", {"access": "Read", "durationInSeconds": 60})

    assert {call[3] for call in arm.switchboard.calls} == {"Microsoft.Resources/subscriptions/read"}


def test_subscriptions_that_cannot_be_entered_say_why(arm: AzureSandbox, runtime: Runtime) -> None:
    unknown = "cccccccc-0000-4000-8000-00000000000c"
    arm.estate.subscriptions[SUBSCRIPTIONS[1]]["state"] = "Disabled"

    read, off, gone = _targets(arm, runtime, subscriptions=(*SUBSCRIPTIONS, unknown))

    assert read.failure is None
    assert (off.location, off.failure and off.failure.outcome) == (ANYWHERE, Outcome.DISABLED)
    assert (gone.location, gone.failure and gone.failure.outcome) == (ANYWHERE, Outcome.DENIED)
    assert gone.failure is not None
    assert unknown in gone.failure.reason


def test_nothing_but_reads_is_ever_asked_and_each_is_declared(arm: AzureSandbox, runtime: Runtime) -> None:
    story.seed(arm.url)
    story.attack(arm.url)
    arm.switchboard.calls.clear()
    # An unregistered provider is what the SDK's own pipeline would register: a write.
    arm.switchboard.break_(Fault(FaultKind.DISABLED, account=SUBSCRIPTIONS[1], operation=SNAPSHOTS))
    for target in _targets(arm, runtime):
        for kind in collectors("azure"):
            try:
                list(kind.read(target.handle, Scope("azure", target.account, target.location, kind.kind)))
            except Exception as error:
                miss = CLOUD.classify(error)
                assert miss is not None
                assert miss.outcome == Outcome.DISABLED

    asked = {call[3] for call in arm.switchboard.calls}
    declared = {each for kind in collectors("azure") for each in kind.permissions}
    assert asked == runtime.operations
    assert asked == declared | {"Microsoft.Resources/subscriptions/read"}
    assert all(each.endswith("/read") for each in asked)
