"""What holds for every kind below a resource group: pages, refusals, names, incarnations, roles held on one."""

import pytest

from snapbase.collect.azure.errors import Unread, classify
from snapbase.model import Outcome, PrincipalKind
from snapbase.sandbox.azure import roles
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import HERE, WHO, Arm, grants, held
from tests.collect.azure.makers import BESIDE, MAKERS, ROLED, Maker

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
EVERY = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.kind)
ALL = pytest.mark.parametrize("maker", [*MAKERS, *BESIDE], ids=lambda maker: maker.kind)
WITH_ROLES = pytest.mark.parametrize("maker", ROLED, ids=lambda maker: maker.kind)
EVIL = "\x1b[31m=cmd|' /C calc'!A0\r\n<script>{0.__class__}%s/../../etc/passwd"


@ALL
def test_every_page_is_read_once(arm: Arm, maker: Maker) -> None:
    arm.sandbox.page_size = 1
    for name in ("one", "two", "three"):
        maker.make(arm, name)

    found = [each.resource.uid for each in arm.kind(maker.kind)]

    assert len(found) == len(set(found)) == 3


@ALL
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FaultKind.DENIED, Outcome.DENIED),
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.TRUNCATED, Outcome.FAILED),
    ],
)
def test_a_refused_list_is_an_outcome_and_never_empty(
    arm: Arm, maker: Maker, fault: FaultKind, outcome: Outcome
) -> None:
    maker.make(arm, "one")
    arm.fault(fault, maker.operation)

    with pytest.raises(Unread) as refused:
        arm.kind(maker.kind)

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == outcome
    assert maker.operation in miss.reason or outcome == Outcome.FAILED


@ALL
def test_throttling_that_passes_is_waited_out(arm: Arm, maker: Maker) -> None:
    maker.make(arm, "one")
    fault = arm.fault(FaultKind.THROTTLED, maker.operation, times=2)

    assert len(arm.kind(maker.kind)) == 1
    assert fault.struck == 2


@EVERY
def test_made_again_under_the_same_name_is_another(arm: Arm, maker: Maker) -> None:
    address = maker.make(arm, "one")
    (before,) = arm.kind(maker.kind)
    arm.sandbox.estate.remove(address)
    maker.make(arm, "one")

    (after,) = arm.kind(maker.kind)

    assert before.resource.address == after.resource.address == address
    assert before.resource.uid != after.resource.uid


@EVERY
def test_an_update_is_no_new_incarnation(arm: Arm, maker: Maker) -> None:
    address = maker.make(arm, "one")
    (before,) = arm.kind(maker.kind)
    arm.sandbox.estate.resource(address).update(tags={"team": "x"})

    (after,) = arm.kind(maker.kind)

    assert before.resource.uid == after.resource.uid
    assert after.resource.tags == {"team": "x"} or maker.kind == "azure.compute.restore-point"


@EVERY
def test_hostile_names_and_strange_fields_do_no_harm(arm: Arm, maker: Maker) -> None:
    stored = arm.sandbox.estate.resource(maker.make(arm, "one"))
    arm.sandbox.estate.strict = False
    stored.update(tags={EVIL: EVIL, "number": 7}, location=["x"], brandNew={"deep": [1]})
    stored["properties"].update(futureField=[1], encryption="none", securitySettings=7, provisioningState=3)
    stored["systemData"] = {**stored.get("systemData", {}), "lastModifiedBy": EVIL}

    (found,) = arm.kind(maker.kind)

    assert found.resource.attributes["location"] in (None, "westeurope")
    assert found.resource.tags in ({EVIL: EVIL}, {})


@EVERY
def test_it_lies_below_its_group_and_its_subscription(arm: Arm, maker: Maker) -> None:
    maker.make(arm, "one")

    (found,) = arm.kind(maker.kind)

    assert found.resource.guards[-2:] == (arm.group.lower(), HERE)
    assert found.resource.owner == HERE.rpartition("/")[2]


@WITH_ROLES
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
def test_roles_held_on_one_are_grants(arm: Arm, maker: Maker, wire: str, kind: PrincipalKind) -> None:
    address = maker.make(arm, "one")
    arm.writer.assign(address.upper(), roles.OWNER, WHO.upper(), wire)

    (found,) = arm.kind(maker.kind)

    owner = {(kind, WHO, access, "azure.rbac/Owner") for access in (maker.access, "reshare")}
    assert {each for each in held(found) if each[0] != PrincipalKind.BEARER} == owner


@WITH_ROLES
def test_a_reader_may_launch_what_can_be_launched_and_nothing_else(arm: Arm, maker: Maker) -> None:
    address = maker.make(arm, "one")
    arm.writer.assign(address, roles.READER, WHO, "User")

    (found,) = arm.kind(maker.kind)

    expected = {("user", WHO, "launch", "azure.rbac/Reader")} if maker.access == "launch" else set()
    assert {each for each in held(found) if each[0] != PrincipalKind.BEARER} == expected


@WITH_ROLES
@pytest.mark.parametrize("operation", [ASSIGNMENTS, "Microsoft.Authorization/denyAssignments/read"])
def test_unread_roles_make_the_sharing_unknown_and_not_the_list(arm: Arm, maker: Maker, operation: str) -> None:
    maker.make(arm, "one")
    arm.writer.assign(HERE, roles.READER, WHO, "User")
    arm.fault(FaultKind.DENIED, operation)

    (found,) = arm.kind(maker.kind)

    assert found.grants is None
    assert found.miss is not None
    assert found.miss.outcome == Outcome.DENIED
    assert operation in found.miss.reason


@pytest.mark.parametrize("kind", ["azure.recoveryservices.vault", "azure.dataprotection.backup-vault"])
def test_a_provider_that_was_never_registered_has_no_vaults(arm: Arm, kind: str) -> None:
    maker = next(each for each in MAKERS if each.kind == kind)
    arm.fault(FaultKind.DISABLED, maker.operation)

    assert arm.kind(kind) == []


@pytest.mark.parametrize(
    ("kind", "read_last"),
    [
        ("azure.compute.gallery", "/providers/Microsoft.Compute/galleries"),
        ("azure.compute.gallery-version", "/images"),
        ("azure.compute.restore-point", "/providers/Microsoft.Compute/restorePointCollections"),
        ("azure.compute.restore-point", "/restorePointCollections/vm-one"),
    ],
)
def test_what_is_deleted_between_two_calls_is_skipped(arm: Arm, kind: str, read_last: str) -> None:
    maker = next(each for each in MAKERS if each.kind == kind)
    address = maker.make(arm, "one")
    maker.make(arm, "two")
    holder = {"azure.compute.gallery-version": address.partition("/versions/")[0]}
    if read_last.endswith("Collections"):
        holder[kind] = address.partition("/restorePoints/")[0]
    arm.after(read_last, lambda: arm.sandbox.estate.remove(holder.get(kind, address)))

    found = arm.kind(kind)

    assert len(found) == 1
    assert "two" in found[0].resource.address


def test_grants_are_empty_where_nothing_is_shared(arm: Arm) -> None:
    for maker in MAKERS:
        maker.make(arm, "one")
        found = arm.kind(maker.kind)
        assert all(grants(each) == frozenset() for each in found) or maker.kind == "azure.compute.disk", maker.kind
