"""azure.rbac: assignments above snapshots, at the scope they were made at."""

import pytest

from snapbase.collect.azure.errors import Unread, classify
from snapbase.model import Outcome, ResourceType
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, TENANT
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import HERE, SUBSCRIPTION, WHO, Arm, grants, held

MANAGEMENT = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups/read"
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/read"
ROLES = "Microsoft.Authorization/roleDefinitions/read"


def test_subscription_and_resource_groups_are_there_without_any_assignment(arm: Arm) -> None:
    found = arm.containers()

    assert set(found) == {HERE, arm.group.lower()}
    assert all(grants(each) == frozenset() for each in found.values())
    assert all(each.resource.type == ResourceType.CONTAINER for each in found.values())
    assert found[HERE].resource.attributes["subscription_id"] == SUBSCRIPTION
    assert found[HERE].resource.attributes["tenant_id"] == TENANT
    assert found[arm.group.lower()].resource.guards == (HERE,)


@pytest.mark.parametrize("scope", [HERE, f"{HERE}/resourceGroups/RG-One", MANAGEMENT, "/"])
def test_an_assignment_lives_at_its_own_scope_and_nowhere_else(arm: Arm, scope: str) -> None:
    arm.writer.assign(scope, roles.CONTRIBUTOR, WHO, "ServicePrincipal")

    found = arm.containers()

    expected = {("service-principal", WHO, "read", "azure.rbac/Contributor")}
    assert held(found.pop(scope.lower())) == expected
    assert all(grants(each) == frozenset() for each in found.values())


def test_what_lies_above_a_subscription_guards_it(arm: Arm) -> None:
    arm.writer.assign(MANAGEMENT, roles.READER, WHO, "Group")

    found = arm.containers()

    assert found[HERE].resource.guards == (MANAGEMENT.lower(),)
    assert found[MANAGEMENT.lower()].resource.name == MANAGEMENT_GROUP


def test_access_administrators_can_reshare_and_not_read(arm: Arm) -> None:
    arm.writer.assign(HERE, roles.USER_ACCESS_ADMINISTRATOR, WHO, "User")

    assert held(arm.containers()[HERE]) == {("user", WHO, "reshare", "azure.rbac/User Access Administrator")}


def test_a_custom_role_is_its_actions_minus_its_not_actions(arm: Arm) -> None:
    role = "77777777-0000-4000-8000-000000000000"
    permissions = [{"actions": ["Microsoft.Compute/*"], "notActions": ["microsoft.compute/snapshots/*/ACTION"]}]
    definition = {"properties": {"roleName": "VM people", "permissions": permissions, "assignableScopes": [HERE]}}
    arm.writer.definitions.create_or_update(HERE.lstrip("/"), role, definition)
    arm.writer.assign(HERE, role, WHO, "Group")
    # Who may not read snapshots may still read disks.
    others = {("group", WHO, "read", f"azure.rbac.{thing}/VM people") for thing in ("disks", "restore-points")}
    assert held(arm.containers()[HERE]) == others

    definition["properties"]["permissions"] = [{"actions": ["Microsoft.Compute/*"], "notActions": []}]
    arm.writer.definitions.create_or_update(HERE.lstrip("/"), role, definition)
    assert held(arm.containers()[HERE]) == {("group", WHO, "read", "azure.rbac/VM people")}


def test_a_role_left_out_of_the_listing_is_asked_for_by_itself(arm: Arm) -> None:
    arm.writer.assign(HERE, roles.CONTRIBUTOR, WHO, "User")
    listed = arm.sandbox.estate.definitions.pop(roles.CONTRIBUTOR)
    arm.sandbox.estate.unlisted[roles.CONTRIBUTOR] = listed

    assert held(arm.containers()[HERE]) == {("user", WHO, "read", "azure.rbac/Contributor")}


def test_a_role_nobody_can_read_leaves_only_its_scope_unknown(arm: Arm) -> None:
    arm.writer.assign(arm.group, "99999999-0000-4000-8000-000000000000", WHO, "User")

    found = arm.containers()

    assert found[arm.group.lower()].grants is None
    assert found[HERE].grants == frozenset()


@pytest.mark.parametrize("operation", [GROUPS, ASSIGNMENTS])
def test_a_refused_listing_is_raised(arm: Arm, operation: str) -> None:
    arm.fault(FaultKind.DENIED, operation)

    with pytest.raises(Unread) as refused:
        arm.containers()

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED
    assert operation in miss.reason


def test_refused_role_definitions_are_raised_only_where_a_role_is_needed(arm: Arm) -> None:
    arm.fault(FaultKind.DENIED, ROLES)
    assert set(arm.containers()) == {HERE, arm.group.lower()}

    arm.writer.assign(HERE, roles.OWNER, WHO, "User")
    with pytest.raises(Unread):
        arm.containers()


def test_pages_of_groups_and_assignments_are_followed(arm: Arm) -> None:
    arm.sandbox.page_size = 2
    scopes = [arm.writer.group(f"rg-{number}") for number in range(5)]
    for scope in scopes:
        arm.writer.assign(scope, roles.OWNER, WHO, "User")

    found = arm.containers()

    assert all(len(grants(found[scope.lower()])) == 2 for scope in scopes)


def test_both_kinds_share_one_listing(arm: Arm) -> None:
    from snapbase.collect.azure import compute_snapshot, rbac
    from snapbase.model import Scope

    arm.writer.assign(HERE, roles.OWNER, WHO, "User")
    handle = arm.target().handle
    arm.switchboard.calls.clear()
    for collector in (compute_snapshot.COLLECTOR, rbac.COLLECTOR):
        list(collector.read(handle, Scope("azure", SUBSCRIPTION, "global", collector.kind)))

    called = [call[3] for call in arm.switchboard.calls]
    assert called.count(ASSIGNMENTS) == called.count(ROLES) == 1


def test_managing_tenants_are_posture_of_the_subscription(arm: Arm) -> None:
    arm.sandbox.estate.subscriptions[SUBSCRIPTION]["managedByTenants"] = [{"tenantId": WHO.upper()}]

    assert arm.containers()[HERE].resource.attributes["managed_by_tenants"] == [WHO]
