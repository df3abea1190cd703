"""Who stands behind a role: denied, eligible, or of another tenant."""

from collections.abc import Sequence
from typing import Any

import pytest

from snapbase.collect.azure.denials import Hold, _denial
from snapbase.collect.azure.rbac_eligible import LATENT
from snapbase.collect.azure.roles import OF_THE_ROLE, SOMEBODY_ELSES_LINK, holder_of
from snapbase.model import Principal, PrincipalKind
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP
from tests.collect.azure.arm import GROUP, HERE, WHO, Arm, grants, held

OTHER = "00000000-0000-4000-8000-0000000000ee"
MANAGEMENT = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
MINT = "Microsoft.Compute/snapshots/beginGetAccess/action"


def _role(arm: Arm, name: str, **permission: Sequence[str]) -> str:
    role = "77777777-0000-4000-8000-000000000000"
    permissions = [{"actions": [], "notActions": [], **{key: list(value) for key, value in permission.items()}}]
    definition = {"properties": {"roleName": name, "permissions": permissions, "assignableScopes": [HERE]}}
    arm.writer.definitions.create_or_update(HERE.lstrip("/"), role, definition)
    return role


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ({"actions": [MINT.upper()]}, {("read", "azure.rbac/R", "")}),
        ({"actions": ["Microsoft.Compute/snapshots/*"]}, {("read", "azure.rbac/R", "")}),
        ({"actions": ["*"], "notActions": ["microsoft.compute/*/BEGINGETACCESS/action"]}, None),
        ({"actions": ["*/read"]}, set()),
        ({"actions": ["*"], "notActions": ["*"]}, set()),
        (
            {"dataActions": ["Microsoft.Compute/snapshots/download/action"]},
            {("read", "azure.rbac.data/R", SOMEBODY_ELSES_LINK)},
        ),
        ({"dataActions": ["*"], "notDataActions": ["*/download/action"]}, set()),
        (
            {"actions": ["Microsoft.Compute/disks/beginGetAccess/action"]},
            {("read", "azure.rbac.disks/R", "")},
        ),
        (
            {"actions": ["*/recoveryPoints/provisionInstantItemRecovery/action"]},
            {("restore", "azure.rbac.recovery-points/R", "")},
        ),
        (
            {"actions": ["Microsoft.RecoveryServices/*"]},
            {("restore", "azure.rbac.recovery-points/R", "")},
        ),
        ({"actions": ["Microsoft.DataProtection/*"]}, {("restore", "azure.rbac.backups/R", "")}),
    ],
)
def test_what_a_role_is_worth(arm: Arm, permission: dict[str, list[str]], expected: set[Any] | None) -> None:
    arm.writer.assign(HERE, _role(arm, "R", **permission), WHO, "User")

    found = {(each.access, each.mechanism, each.condition) for each in grants(arm.containers()[HERE])}

    if expected is None:
        assert ("reshare", "azure.rbac/R", "") in found
        assert "azure.rbac/R" not in {way for access, way, _ in found if access == "read"}
    else:
        assert found == expected


@pytest.mark.parametrize("scope", [HERE, MANAGEMENT, "/"])
def test_a_deny_assignment_takes_away_what_it_names(arm: Arm, scope: str) -> None:
    address = arm.snapshot("one")
    arm.writer.assign(HERE, roles.OWNER, WHO, "User")
    arm.writer.assign(address, roles.OWNER, WHO, "User")
    arm.deny(scope, ["Microsoft.Compute/snapshots/*"])

    assert {each.access for each in grants(arm.snapshots()["one"])} == {"reshare"}
    assert "azure.rbac/Owner" not in {
        each.mechanism for each in grants(arm.containers()[HERE]) if each.access == "read"
    }


@pytest.mark.parametrize(
    ("properties", "remains", "condition"),
    [
        ({"principals": [{"id": WHO.upper(), "type": "User"}]}, False, ""),
        ({"principals": [{"id": OTHER, "type": "User"}]}, True, ""),
        ({"excludePrincipals": [{"id": WHO, "type": "User"}]}, True, ""),
        ({"excludePrincipals": [{"id": OTHER, "type": "User"}]}, False, ""),
        ({"excludePrincipals": [{"id": OTHER, "type": "Group"}]}, True, "hands off"),
        ({"condition": "@Resource[x] StringEquals 'y'"}, True, "hands off"),
        ({"doNotApplyToChildScopes": True}, True, ""),
        ({"permissions": [{"actions": ["*/delete"], "notActions": []}]}, True, ""),
        ({"permissions": [{"actions": ["*"], "notActions": [MINT]}]}, True, ""),
    ],
)
def test_whom_a_deny_assignment_holds_back(arm: Arm, properties: dict[str, Any], remains: bool, condition: str) -> None:
    address = arm.snapshot("one")
    arm.writer.assign(address, roles.DISK_SNAPSHOT_CONTRIBUTOR, WHO, "User")
    arm.deny(HERE, ["*"], **properties)

    found = grants(arm.snapshots()["one"])

    assert bool(found) is remains
    assert all(condition in each.condition and bool(each.condition) is bool(condition) for each in found)


def test_a_deny_of_which_nobody_says_where_holds_nothing_back_for_certain() -> None:
    everyone = [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]
    denial = _denial({"properties": {"permissions": [{"actions": ["*"]}], "principals": everyone}})

    assert denial.holds(Principal(PrincipalKind.USER, WHO), [MINT], HERE, inside=False) == Hold.PERHAPS


def test_who_may_not_mint_links_may_still_use_those_of_others(arm: Arm) -> None:
    permission = {"actions": ["Microsoft.Compute/snapshots/*"], "dataActions": ["Microsoft.Compute/snapshots/*"]}
    arm.writer.assign(HERE, _role(arm, "R", **permission), WHO, "User")
    arm.deny(HERE, [MINT])

    assert held(arm.containers()[HERE]) == {("user", WHO, "read", "azure.rbac.data/R")}


def test_a_group_is_held_back_only_as_far_as_nobody_in_it_is_left_out(arm: Arm) -> None:
    address = arm.snapshot("one")
    arm.writer.assign(address, roles.DISK_SNAPSHOT_CONTRIBUTOR, WHO, "Group")
    arm.deny(HERE, ["*"], excludePrincipals=[{"id": OTHER, "type": "User"}])

    assert ["hands off" in each.condition for each in grants(arm.snapshots()["one"])] == [True]


@pytest.mark.parametrize(("kind", "certain"), [("ForeignGroup", False), ("", False), ("ServicePrincipal", True)])
def test_whoever_may_be_several_is_held_back_like_a_group(kind: str, certain: bool) -> None:
    left_out = [{"id": OTHER, "type": "User"}]
    everyone = [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]
    told = {"scope": HERE, "permissions": [{"actions": ["*"]}], "principals": everyone, "excludePrincipals": left_out}
    holder = holder_of({"principalId": WHO, "principalType": kind})

    found = _denial({"properties": told}).holds(holder, [MINT], HERE, inside=False)

    assert found == (Hold.YES if certain else Hold.PERHAPS)


def test_what_a_role_gives_under_a_condition_of_its_own_is_conditional(arm: Arm) -> None:
    """As most built-in roles have it that may hand out a few others."""
    role = _role(arm, "R", actions=["Microsoft.Authorization/roleAssignments/write"])
    arm.writer.assign(HERE, role, WHO, "User")
    first = arm.sandbox.estate.definitions[role]["properties"]["permissions"][0]
    arm.sandbox.estate.strict = False
    first["condition"] = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})))"

    assert {(each.access, each.condition) for each in grants(arm.containers()[HERE])} == {("reshare", OF_THE_ROLE)}

    both = [first, {"actions": ["Microsoft.Authorization/*"]}]
    arm.sandbox.estate.definitions[role]["properties"]["permissions"] = both
    assert {(each.access, each.condition) for each in grants(arm.containers()[HERE])} == {("reshare", "")}


def test_a_deny_below_a_container_leaves_its_grant(arm: Arm) -> None:
    arm.writer.assign(HERE, roles.CONTRIBUTOR, WHO, "User")
    arm.deny(arm.group, ["*"])

    assert held(arm.containers()[HERE]) == {("user", WHO, "read", "azure.rbac/Contributor")}


def test_who_may_activate_a_role_has_it_only_latently(arm: Arm) -> None:
    arm.writer.make_eligible(arm.group, roles.OWNER, WHO)
    arm.writer.make_eligible(MANAGEMENT, roles.READER, WHO)

    found = {each.resource.uid: each for each in arm.kind("azure.rbac.eligible")}

    assert set(found) == {f"{arm.group.lower()}#eligible", f"{MANAGEMENT.lower()}#eligible"}
    owner = found[f"{arm.group.lower()}#eligible"]
    assert held(owner) == {("user", WHO, access, "azure.pim/Owner") for access in ("read", "reshare")}
    assert owner.resource.limits == LATENT
    assert grants(found[f"{MANAGEMENT.lower()}#eligible"]) == frozenset()
    assert grants(arm.containers()[arm.group.lower()]) == frozenset()


def test_a_role_on_what_holds_no_data_reaches_none(arm: Arm) -> None:
    site = f"{arm.group}/providers/Microsoft.Web/sites/shop"
    arm.writer.make_eligible(site, roles.OWNER, WHO)
    arm.writer.assign(site, roles.OWNER, WHO, "User")
    arm.sandbox.estate.directory[WHO] = {"kind": "user", "id": WHO, "userPrincipalName": "e_evil.example#EXT#@corp"}

    (eligible,) = arm.kind("azure.rbac.eligible")

    assert grants(eligible) == frozenset()
    assert arm.kind("azure.entra.guest") == []


def test_without_a_licence_nobody_is_eligible(arm: Arm) -> None:
    answer = arm.sandbox.answer

    def unlicensed(method: str, target: str, body: Any) -> Answer:
        if "roleEligibilityScheduleInstances" in target:
            problem = {"code": "AadPremiumLicenseRequired", "message": "The tenant needs Microsoft Entra ID P2."}
            return Answer(400, {"error": problem})
        return answer(method, target, body)

    arm.sandbox.answer = unlicensed  # type: ignore[method-assign]

    assert arm.kind("azure.rbac.eligible") == []


@pytest.mark.parametrize("scope", [HERE, f"{HERE}/resourceGroups/{GROUP}"])
def test_a_delegation_is_a_grant_to_the_managing_tenant(arm: Arm, scope: str) -> None:
    address = arm.writer.delegate(scope, WHO.upper(), roles.CONTRIBUTOR)
    arm.writer.delegate(scope, OTHER, roles.READER)
    arm.writer.delegate(scope, OTHER, roles.USER_ACCESS_ADMINISTRATOR)

    found = {each.resource.uid: each for each in arm.kind("azure.lighthouse")}

    assert len(found) == 3
    assert held(found.pop(address.lower())) == {("tenant", WHO, "read", "azure.lighthouse/Contributor")}
    others = {each for observation in found.values() for each in grants(observation)}
    assert [(each.access, bool(each.condition)) for each in others] == [("reshare", True)]


def test_a_delegation_that_must_be_activated_is_latent(arm: Arm) -> None:
    arm.writer.delegate(HERE, WHO, roles.CONTRIBUTOR, eligible=True)

    now, later = sorted(arm.kind("azure.lighthouse"), key=lambda each: each.resource.uid)

    assert (grants(now), now.resource.limits) == (frozenset(), None)
    assert held(later) == {("tenant", WHO, "read", "azure.lighthouse/Contributor")}
    assert later.resource.limits == LATENT


def test_a_delegation_without_its_definition_or_role_is_unknown(arm: Arm) -> None:
    arm.writer.delegate(HERE, WHO, "99999999-0000-4000-8000-000000000000")
    hollow = arm.writer.delegate(HERE, WHO, roles.OWNER)
    kept = arm.sandbox.estate.resource(hollow)["properties"]["registrationDefinitionId"].lower()
    arm.sandbox.estate.resources[kept]["properties"] = {}

    assert [each.grants for each in arm.kind("azure.lighthouse")] == [None, None]


def test_a_group_deleted_meanwhile_has_no_delegations(arm: Arm) -> None:
    """Answered as ARM answers for a group that is gone."""
    arm.writer.delegate(HERE, WHO, roles.CONTRIBUTOR)
    answer = arm.sandbox.answer

    def gone(method: str, target: str, body: Any) -> Answer:
        if f"/{GROUP}/providers/Microsoft.ManagedServices" in target:
            return Answer(404, {"error": {"code": "ResourceGroupNotFound", "message": "gone"}})
        return answer(method, target, body)

    arm.sandbox.answer = gone  # type: ignore[method-assign]

    assert len(arm.kind("azure.lighthouse")) == 1
