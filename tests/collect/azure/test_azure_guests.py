"""Guests, and applications of other tenants: whose they are, as Microsoft Graph tells it."""

from typing import Any

import pytest

from snapbase.collect.azure.entra_guest import guest
from snapbase.collect.azure.errors import Unread, classify
from snapbase.model import Observation, Outcome, Principal, PrincipalKind
from snapbase.sandbox.azure import roles
from snapbase.sandbox.azure.server import TENANT
from snapbase.sandbox.faults import FaultKind
from tests.collect.azure.arm import GROUP, HERE, WHO, Arm, held
from tests.collect.azure.makers import DISK

OTHER = "00000000-0000-4000-8000-0000000000ee"
EVIL_TENANT = "99999999-9999-4999-8999-999999999999"


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
