"""Who stands behind a role: denied, eligible, of another tenant, a guest; and subscriptions nobody let us into."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from snapbase.collect.azure.denials import Hold, _denial
from snapbase.collect.azure.entra_guest import guest
from snapbase.collect.azure.errors import Unread, classify
from snapbase.collect.azure.rbac_eligible import LATENT
from snapbase.collect.azure.roles import OF_THE_ROLE, SOMEBODY_ELSES_LINK, holder_of
from snapbase.collect.azure.signin import SignIn
from snapbase.model import ANYWHERE, Observation, Outcome, Principal, PrincipalKind
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.server import MANAGEMENT_GROUP, SUBSCRIPTIONS, TENANT
from snapbase.sandbox.faults import FaultKind
from snapbase.settings import AzureEntry
from tests.collect.azure.arm import GROUP, HERE, SUBSCRIPTION, WHO, Arm, grants, held
from tests.collect.azure.makers import DISK

OTHER = "00000000-0000-4000-8000-0000000000ee"
MANAGEMENT = f"/providers/Microsoft.Management/managementGroups/{MANAGEMENT_GROUP}"
MINT = "Microsoft.Compute/snapshots/beginGetAccess/action"
EVIL_TENANT = "99999999-9999-4999-8999-999999999999"


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
    assert _outsiders(arm) == []


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


def _person(arm: Arm, key: str, **told: Any) -> None:
    arm.sandbox.estate.directory[key] = {"kind": "user", "id": key, **told}
    arm.writer.assign(HERE, roles.CONTRIBUTOR, key, "User")


def _application(arm: Arm, key: str, owner: str) -> None:
    told = {"kind": "application", "id": key, "displayName": "App", "appOwnerOrganizationId": owner}
    arm.sandbox.estate.directory[key] = told
    arm.writer.assign(HERE, roles.CONTRIBUTOR, key, "ServicePrincipal")


def _outsiders(arm: Arm) -> list[Observation]:
    return arm.kind("azure.entra.guest")


def test_a_guest_is_named_by_their_home(arm: Arm) -> None:
    _person(arm, WHO, userPrincipalName="Eve_Adams_evil.example#EXT#@corp.onmicrosoft.com", userType="Guest")
    _person(arm, OTHER, userPrincipalName="ada@corp.example", userType="Member")

    (found,) = _outsiders(arm)

    assert held(found) == {("user", "eve_adams@evil.example", "read", "azure.entra/Contributor")}
    assert found.resource.uid == f"{HERE}#guest:{WHO}"
    # The assignment itself keeps the object id, whatever Graph says.
    assert {(kind, key) for kind, key, _, _ in held(arm.containers()[HERE])} == {("user", WHO), ("user", OTHER)}


def test_a_guest_who_may_only_read_an_image_can_start_it(arm: Arm) -> None:
    _person(arm, WHO, userPrincipalName="eve_evil.example#EXT#@corp", userType="Guest")
    arm.sandbox.estate.assignments.clear()
    arm.writer.assign(arm.writer.image(GROUP, "golden", DISK), roles.READER, WHO, "User")

    (found,) = _outsiders(arm)

    assert held(found) == {("user", "eve@evil.example", "launch", "azure.entra/Reader")}


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (EVIL_TENANT, {("tenant", EVIL_TENANT)}),
        ("f8cdef31-a31e-4b4a-93e4-5f571e91255a", {("service", "App")}),
        (TENANT, set()),
    ],
)
def test_an_application_is_named_by_its_owner(arm: Arm, owner: str, expected: set[tuple[str, str]]) -> None:
    _application(arm, WHO, owner)

    assert {(kind, key) for each in _outsiders(arm) for kind, key, _, _ in held(each)} == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"userPrincipalName": "ada@corp.example"}, None),
        ({"userPrincipalName": "ada@corp.example", "userType": None}, None),
        (
            {"userPrincipalName": "x@corp.example", "userType": "Guest", "mail": "X@Evil.example"},
            Principal(PrincipalKind.USER, "x@evil.example"),
        ),
        (
            {"userPrincipalName": "x_Evil.example#ext#@corp", "userType": "Member"},
            Principal(PrincipalKind.USER, "x@evil.example"),
        ),
        *(
            ({"userPrincipalName": "x@corp.example", "userType": "Member", "mail": "x@evil.example", **told}, expected)
            for told, expected in (
                ({"creationType": "Invitation"}, Principal(PrincipalKind.USER, "x@evil.example")),
                ({"creationType": "SelfServiceSignUp"}, Principal(PrincipalKind.USER, "x@evil.example")),
                ({"externalUserState": "Accepted"}, Principal(PrincipalKind.USER, "x@evil.example")),
                ({"creationType": None, "externalUserState": None}, None),
                ({"creationType": "EmailVerified"}, None),
            )
        ),
        ({"id": WHO, "userPrincipalName": "x#EXT#@corp"}, Principal(PrincipalKind.OTHER, f"guest {WHO}")),
        ({"id": WHO, "userPrincipalName": 7, "userType": "guest"}, Principal(PrincipalKind.OTHER, f"guest {WHO}")),
    ],
)
def test_who_is_a_guest(user: dict[str, Any], expected: Principal | None) -> None:
    assert guest(user) == expected


def test_a_guest_whose_home_is_not_told_is_unknown(arm: Arm) -> None:
    _person(arm, WHO, userPrincipalName="nobody", userType="Guest")

    (found,) = _outsiders(arm)

    assert found.grants is None


def test_many_are_asked_for_in_batches_and_the_deleted_are_left_out(arm: Arm) -> None:
    for number in range(17):
        key = f"00000000-0000-4000-8000-{number:012d}"
        _person(arm, key, userPrincipalName=f"u{number}_evil.example#EXT#@corp", userType="Guest")
    arm.writer.assign(HERE, roles.CONTRIBUTOR, WHO, "User")

    assert len(_outsiders(arm)) == 17
    assert [call[3] for call in arm.switchboard.calls].count("graph:User.Read.All") == 2


def test_where_graph_is_refused_the_kind_is_and_nothing_else(arm: Arm) -> None:
    _person(arm, WHO, userPrincipalName="eve_evil.example#EXT#@corp", userType="Guest")
    arm.fault(FaultKind.DENIED, "graph:*")

    with pytest.raises(Unread) as refused:
        _outsiders(arm)

    miss = classify(refused.value)
    assert miss is not None
    assert miss.outcome == Outcome.DENIED
    assert "application permission of Microsoft Graph" in miss.reason
    assert held(arm.containers()[HERE]) == {("user", WHO, "read", "azure.rbac/Contributor")}


def test_graph_is_not_asked_where_no_person_holds_a_role(arm: Arm) -> None:
    arm.writer.assign(HERE, roles.CONTRIBUTOR, WHO, "Group")
    fault = arm.fault(FaultKind.DENIED, "graph:*")

    assert _outsiders(arm) == []
    assert fault.struck == 0


def test_a_subscription_only_the_management_groups_know_is_not_silently_missing(arm: Arm) -> None:
    hidden = SUBSCRIPTIONS[1]
    arm.sandbox.hidden.add(hidden)

    found = {target.account: target for target in arm.connect().targets()}

    assert found[SUBSCRIPTION].failure is None
    assert found[hidden].location == ANYWHERE
    failure = found[hidden].failure
    assert failure is not None
    assert failure.outcome == Outcome.DENIED


def test_where_management_groups_cannot_be_read_the_visible_subscriptions_are_it(arm: Arm) -> None:
    arm.sandbox.hidden.add(SUBSCRIPTIONS[1])
    arm.fault(FaultKind.DENIED, "Microsoft.Management/managementGroups/descendants/read")

    assert [target.account for target in arm.connect().targets()] == [SUBSCRIPTION]


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.ERROR])
def test_subscriptions_that_could_not_be_told_this_time_are_said_after_those_that_could(
    arm: Arm, kind: FaultKind
) -> None:
    arm.fault(kind, "Microsoft.Management/managementGroups/descendants/read")
    targets = arm.connect().targets()

    assert {next(targets).account for _ in SUBSCRIPTIONS} == set(SUBSCRIPTIONS)
    with pytest.raises(Unread):
        next(targets)


@pytest.mark.parametrize(
    ("endpoint", "scope", "graph"),
    [
        (None, "https://management.azure.com/.default", "https://graph.microsoft.com"),
        (
            "https://management.chinacloudapi.cn",
            "https://management.chinacloudapi.cn/.default",
            "https://microsoftgraph.chinacloudapi.cn",
        ),
        (
            "https://management.usgovcloudapi.net/",
            "https://management.core.usgovcloudapi.net/.default",
            "https://graph.microsoft.us",
        ),
        ("https://arm.stack.example", "https://arm.stack.example/.default", ""),
    ],
)
def test_each_cloud_has_its_own_audience_and_directory(endpoint: str | None, scope: str, graph: str) -> None:
    from azure.core import AzureClouds
    from azure.mgmt.core.tools import get_arm_endpoints

    sign_in = SignIn(AzureEntry(endpoint=endpoint))

    assert (sign_in._scope, sign_in.graph) == (scope, graph)
    known = {tuple(get_arm_endpoints(each)["credential_scopes"]) for each in AzureClouds}
    assert (scope,) in known or not graph


def _certificate(folder: Path) -> Path:
    """A certificate with its key, as AZURE_CLIENT_CERTIFICATE_PATH wants it."""
    import trustme

    file = folder / "app.pem"
    issued = trustme.CA().issue_cert("app.corp.example", key_type=trustme.KeyType.RSA)
    issued.private_key_and_cert_chain_pem.write_to_path(file)
    return file


@pytest.mark.parametrize("way", ["secret", "certificate", "workload identity", "managed identity"])
def test_servers_sign_in_without_a_person(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What azure-identity is asked to try, in the order of DefaultAzureCredential; no token is fetched."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    settings = {
        "secret": {"AZURE_CLIENT_SECRET": "x"},
        "certificate": {"AZURE_CLIENT_CERTIFICATE_PATH": str(_certificate(tmp_path))},
        "workload identity": {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")},
        "managed identity": {},
    }
    for name, value in ({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": WHO} | settings[way]).items():
        monkeypatch.setenv(name, value)

    credential = SignIn(AzureEntry(tenant_id=TENANT))._credential.credential

    found = [type(each).__name__ for each in credential.credentials]
    inner = next(each for each in credential.credentials if type(each).__name__ == "EnvironmentCredential")
    by_environment = type(getattr(inner, "_credential", None)).__name__
    expected = {"secret": "ClientSecretCredential", "certificate": "CertificateCredential"}
    assert by_environment == expected.get(way, "NoneType")
    assert ("WorkloadIdentityCredential" in found) is (way == "workload identity")
    assert "ManagedIdentityCredential" in found
    assert not any("Interactive" in each for each in found)
