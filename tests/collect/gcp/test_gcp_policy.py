"""IAM policies as grants: every kind of principal, roles by what they reach, conditions and their ends."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from snapbase.collect.gcp.policy import expiry, grants, principal
from snapbase.collect.gcp.role_table import HOLDERS
from snapbase.collect.gcp.roles import (
    DISK,
    FOLDER,
    IMAGE,
    INSTANT_SNAPSHOT,
    MACHINE_IMAGE,
    ORGANIZATION,
    PROJECT,
    SNAPSHOT,
    UNRESOLVED,
    Reach,
)
from snapbase.model import Access, Grant, Principal, PrincipalKind


def _policy(*bindings: tuple[str, list[str]] | tuple[str, list[str], str, str]) -> Any:
    made = []
    for role, members, *condition in bindings:
        title, expression = condition or ("", "")
        made.append(
            SimpleNamespace(role=role, members=members, condition=SimpleNamespace(title=title, expression=expression))
        )
    return SimpleNamespace(bindings=made)


def _hidden(_: str) -> frozenset[str] | None:
    return None


def _only(policy: Any, reach: Reach = SNAPSHOT) -> Grant:
    (grant,) = grants(policy, reach, _hidden)
    return grant


@pytest.mark.parametrize(
    ("member", "kind", "key"),
    [
        ("allUsers", PrincipalKind.PUBLIC, "allUsers"),
        ("allAuthenticatedUsers", PrincipalKind.AUTHENTICATED, "allAuthenticatedUsers"),
        ("user:Eve@Evil.Example", PrincipalKind.USER, "eve@evil.example"),
        ("group:dba@corp.example", PrincipalKind.GROUP, "dba@corp.example"),
        ("domain:Corp.Example", PrincipalKind.DOMAIN, "corp.example"),
        ("serviceAccount:b@p.iam.gserviceaccount.com", PrincipalKind.SERVICE_ACCOUNT, "b@p.iam.gserviceaccount.com"),
        ("serviceAccount:p.svc.id.goog[ns/ksa]", PrincipalKind.SERVICE_ACCOUNT, "p.svc.id.goog[ns/ksa]"),
        (
            "principal://iam.googleapis.com/locations/global/workforcePools/pool/subject/Ada",
            PrincipalKind.FEDERATED,
            "principal://iam.googleapis.com/locations/global/workforcePools/pool/subject/Ada",
        ),
        (
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/*",
            PrincipalKind.FEDERATED,
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/*",
        ),
        ("deleted:user:eve@evil.example?uid=12", PrincipalKind.DELETED, "deleted:user:eve@evil.example?uid=12"),
        ("projectOwner:prod", PrincipalKind.PROJECT_TEAM, "projectOwner:prod"),
        ("projectEditor:prod", PrincipalKind.PROJECT_TEAM, "projectEditor:prod"),
        ("projectViewer:prod", PrincipalKind.PROJECT_TEAM, "projectViewer:prod"),
        ("allusers", PrincipalKind.OTHER, "allusers"),
        ("somethingNew:x", PrincipalKind.OTHER, "somethingNew:x"),
        ("", PrincipalKind.OTHER, ""),
    ],
)
def test_every_member_is_some_principal(member: str, kind: PrincipalKind, key: str) -> None:
    assert principal(member) == Principal(kind, key)


def test_two_endless_members_stay_two() -> None:
    first, second = principal("user:" + "a" * 5000 + "1@x"), principal("user:" + "a" * 5000 + "2@x")

    assert len(first.id) <= 512
    assert first != second


_SORTS = (SNAPSHOT, IMAGE, MACHINE_IMAGE, INSTANT_SNAPSHOT, DISK, PROJECT, FOLDER, ORGANIZATION)


@pytest.mark.parametrize(
    ("role", "reached"),
    [
        ("roles/owner", "ssssssss"),
        ("roles/editor", "rrrrrrrr"),
        ("roles/viewer", "-r--rrrr"),
        ("roles/compute.storageAdmin", "ss-sssss"),
        ("roles/compute.instanceAdmin", "-rs-rsss"),
        ("roles/compute.imageUser", "-r---rrr"),
        ("roles/backupdr.diskOperator", "r---rrrr"),
        ("roles/backupdr.restoreUser", "-----rrr"),
        ("roles/cloudsql.viewer", "-----rrr"),
        ("roles/iam.securityAdmin", "ssssssss"),
        ("roles/resourcemanager.projectIamAdmin", "-----sss"),
        ("roles/resourcemanager.folderIamAdmin", "------ss"),
        ("roles/resourcemanager.organizationAdmin", "-----sss"),
        ("roles/compute.viewer", "--------"),
        ("roles/browser", "--------"),
    ],
)
def test_a_role_grants_the_most_it_allows(role: str, reached: str) -> None:
    """`s` re-shares, `r` reads, `-` neither; on each sort of resource in order."""
    words = {Access.RESHARE: "s", Access.READ: "r", None: "-"}

    assert "".join(words[sort.access(role, _hidden)[0]] for sort in _SORTS) == reached


@pytest.mark.parametrize(
    ("permissions", "access"),
    [
        ({"compute.snapshots.useReadOnly", "compute.snapshots.get"}, Access.READ),
        ({"compute.snapshots.useReadOnly", "compute.snapshots.setIamPolicy"}, Access.RESHARE),
        ({"compute.images.useReadOnly"}, None),
        (set(), None),
    ],
)
def test_a_custom_role_grants_what_it_permits(permissions: set[str], access: Access | None) -> None:
    policy = _policy(("projects/prod/roles/mine", ["user:eve@evil.example"]))

    found = grants(policy, SNAPSHOT, lambda _: frozenset(permissions))

    assert [(grant.access, grant.condition) for grant in found] == ([(access, "")] if access else [])


def test_a_custom_role_may_carry_off_backups_of_databases_and_nothing_else() -> None:
    policy = _policy(("projects/prod/roles/mine", ["user:eve@evil.example"]))

    (grant,) = grants(policy, PROJECT, lambda _: frozenset({"cloudsql.backupRuns.export"}))

    assert grant.access == Access.READ


def test_the_collectors_own_roles_reach_no_data() -> None:
    """What the documentation tells people to grant snapbase must not let it take anything home."""
    recommended = {"roles/compute.viewer", "roles/iam.securityReviewer", "roles/cloudasset.viewer"}

    assert not recommended & frozenset().union(*HOLDERS.values())


@pytest.mark.parametrize("role", ["projects/prod/roles/dump", "organizations/1/roles/dump", "", "owner", "💥"])
def test_a_role_that_cannot_be_resolved_is_kept_and_said_to_be_unknown(role: str) -> None:
    grant = _only(_policy((role, ["user:eve@evil.example"])))

    assert (grant.access, grant.mechanism, grant.condition) == (Access.READ, f"gcp.iam/{role}", UNRESOLVED)


def test_a_role_that_came_without_its_condition_still_counts_and_is_not_unconditional() -> None:
    grant = _only(_policy(("roles/owner_withcond_0123456789abcdef0123", ["user:ada@corp.example"])))

    assert grant.mechanism == "gcp.iam/roles/owner"
    assert "did not return" in grant.condition


def test_every_binding_of_a_role_counts_with_its_own_condition_and_duplicates_do_not() -> None:
    policy = _policy(
        ("roles/owner", ["user:ada@corp.example", "user:Ada@corp.example"]),
        ("roles/owner", ["user:ada@corp.example"], "weekdays", "request.time.getDayOfWeek() < 6"),
    )

    assert sorted(grant.condition for grant in grants(policy, SNAPSHOT, _hidden)) == [
        "",
        "weekdays: request.time.getDayOfWeek() < 6",
    ]


def test_endless_conditions_are_cut_but_still_told_apart() -> None:
    before = _only(_policy(("roles/owner", ["user:a@b.c"], "t\n\x1b[2J", "x" * 4000 + " == 1")))
    after = _only(_policy(("roles/owner", ["user:a@b.c"], "t\n\x1b[2J", "x" * 4000 + " == 2")))

    assert len(before.condition) <= 300
    assert "\n" not in before.condition
    assert before.condition != after.condition


@pytest.mark.parametrize(
    ("expression", "end"),
    [
        ('request.time < timestamp("2027-01-01T00:00:00Z")', datetime(2027, 1, 1, tzinfo=UTC)),
        ("request.time <= timestamp('2027-01-01T01:00:00.000+01:00')", datetime(2027, 1, 1, tzinfo=UTC)),
        ('(request.time<timestamp("2027-01-01T00:00:00Z"))', datetime(2027, 1, 1, tzinfo=UTC)),
        (
            'resource.name.startsWith("a") && request.time < timestamp("2027-01-01T00:00:00Z")',
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        (
            'request.time < timestamp("2028-01-01T00:00:00Z") && request.time < timestamp("2027-01-01T00:00:00Z")',
            datetime(2027, 1, 1, tzinfo=UTC),
        ),
        ('request.time < timestamp("2027-01-01T00:00:00Z") || true', None),
        ('!(request.time < timestamp("2027-01-01T00:00:00Z"))', None),
        ('request.time > timestamp("2027-01-01T00:00:00Z")', None),
        ('request.time < timestamp("2027-01-01T00:00:00")', None),
        ('request.time < timestamp("soon")', None),
        ('request.time < timestamp("0001-01-01T00:00:00+23:00")', None),
        ('resource.name != "a" && request.time < timestamp("2027-01-01T00:00:00Z")', None),
        ("""resource.name.extract("a && request.time < timestamp('2020-01-01T00:00:00Z') && {b}") == ''""", None),
        ("""resource.name.extract('"a" && request.time < timestamp("2020-01-01T00:00:00Z") && {b}') == ''""", None),
        ('(true && request.time < timestamp("2020-01-01T00:00:00Z") && true) == false', None),
        ('size([true && request.time < timestamp("2020-01-01T00:00:00Z") && true]) == 1', None),
        ('true // && request.time < timestamp("2020-01-01T00:00:00Z")', None),
        ('resource.name == "\\" && request.time < timestamp(\'2020-01-01T00:00:00Z\') && \\""', None),
        ('resource.name == """a" && request.time < timestamp("2020-01-01T00:00:00Z") && "b"""', None),
        ("", None),
    ],
)
def test_a_condition_ends_only_where_it_surely_does(expression: str, end: datetime | None) -> None:
    assert expiry(expression) == end
