"""Who did it, for whom, and how it ended."""

from typing import Any

import pytest

from snapbase.audit.gcp_audit import AUDIT_LOG
from snapbase.audit.gcp_names import principal
from snapbase.collect.gcp.policy import principal as collected
from snapbase.collect.gcp.role_table import HOLDERS
from snapbase.collect.gcp.roles import ORGANIZATION
from snapbase.event import Action, ActorKind, Result
from snapbase.model import Principal, PrincipalKind
from tests.audit.gcp_records import DISK, EVE, POOLS, SNAPSHOT, STORAGE, VAULT, bindings, deltas, parsed, path, record


@pytest.mark.parametrize(
    ("changes", "action", "targets"),
    [
        ([("ADD", STORAGE, EVE)], Action.SHARE, [EVE]),
        ([("REMOVE", STORAGE, EVE)], Action.UNSHARE, [EVE]),
        ([("REMOVE", STORAGE, "user:ada@acme.example"), ("ADD", STORAGE, EVE)], Action.SHARE, [EVE]),
        (
            [("ADD", STORAGE, "allAuthenticatedUsers"), ("ADD", STORAGE, EVE)],
            Action.SHARE,
            ["allAuthenticatedUsers", EVE],
        ),
        ([], Action.POLICY, []),
    ],
)
@pytest.mark.parametrize("kind", ["snapshots", "images", "machineImages", "instantSnapshots", "disks"])
def test_a_difference_of_policies_says_who_was_given_access(
    kind: str, changes: list[tuple[str, str, str]], action: str, targets: list[str]
) -> None:
    """The whole policy in the request still names everybody else, who must not be taken for new."""
    whole = bindings("group:dba@acme.example", EVE)

    found = parsed(f"v1.compute.{kind}.setIamPolicy", path(SNAPSHOT), whole, **deltas(*changes))

    assert (found.action, found.targets) == (action, tuple(principal(each) for each in targets))


def test_without_a_difference_the_targets_are_all_and_the_detail_says_so() -> None:
    found = parsed("v1.compute.snapshots.setIamPolicy", path(SNAPSHOT), bindings("group:dba@acme.example", EVE))

    assert (found.action, [each.id for each in found.targets]) == (
        Action.SHARE,
        ["dba@acme.example", "eve@evil.example"],
    )
    assert found.detail == "the whole new policy, not what changed: roles/compute.storageAdmin"


@pytest.mark.parametrize(
    ("request_", "action"),
    [
        ({"policy": {"bindings": []}}, Action.UNSHARE),
        ({"policy": {"etag": "a"}}, Action.UNSHARE),
        ({"bindings": [{"role": STORAGE, "members": [EVE]}]}, Action.SHARE),
        ({}, Action.POLICY),
    ],
    ids=["emptied", "emptied by omission", "of the old form", "left out of the record"],
)
def test_a_policy_that_is_set_whole(request_: dict[str, Any], action: str) -> None:
    assert parsed("compute.snapshots.setIamPolicy", path(SNAPSHOT), request_).action == action


@pytest.mark.parametrize(
    ("container", "log"), [("projects/acme-prod", ""), ("folders/7", ""), ("organizations/31", ""), ("acme-prod", "x")]
)
@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("roles/editor", Action.SHARE),
        (STORAGE, Action.SHARE),
        ("organizations/31/roles/restoreOperator", Action.SHARE),
        ("roles/cloudtpu.serviceAgent", Action.SHARE),
        ("roles/logging.viewer", Action.POLICY),
    ],
)
def test_a_role_on_a_project_or_above_is_a_share_if_it_can_reach_copies(
    container: str, log: str, role: str, action: str
) -> None:
    log = f"{'projects/acme-prod' if log else container}/logs/cloudaudit.googleapis.com%2Factivity"
    fields = {"serviceName": "cloudresourcemanager.googleapis.com", **deltas(("ADD", role, EVE))}

    found = parsed("SetIamPolicy", container, bindings(EVE, role=role), logName=log, **fields)

    name = container if "/" in container else f"projects/{container}"
    assert found.subjects == (f"//cloudresourcemanager.googleapis.com/{name}",)
    assert (found.action, found.targets) == (action, (Principal(PrincipalKind.USER, "eve@evil.example"),))
    assert found.detail == f"{role} given"


@pytest.mark.parametrize("service", ["storage", "pubsub", "bigquery", "iam"])
def test_a_policy_of_another_service_is_none_of_ours(service: str) -> None:
    entry = record("SetIamPolicy", "x", bindings(EVE), serviceName=f"{service}.googleapis.com")

    assert AUDIT_LOG.parse(entry) is None


def test_every_role_that_reaches_copies_is_a_share() -> None:
    """As the collectors know them."""
    held = {role for permission in (*ORGANIZATION.read, *ORGANIZATION.reshare) for role in HOLDERS[permission]}
    fields = {"serviceName": "cloudresourcemanager.googleapis.com"}
    given = {role: parsed("SetIamPolicy", "acme-prod", {}, **fields, **deltas(("ADD", role, EVE))) for role in held}

    assert [role for role, each in given.items() if each.action != Action.SHARE] == []


def test_a_copy_that_was_made_in_somebody_elses_project() -> None:
    """The record lies in the victim's log and names the source alone."""
    control = {"metadata": {"@type": "type.googleapis.com/google.cloud.audit.CrossEntityControlAuditMetadata"}}
    who = {"authenticationInfo": {"principalEmail": "eve@evil.example"}, "requestMetadata": {}}

    made = parsed("v1.compute.snapshots.insert", path(DISK), **control, **who)
    restored = parsed("v1.compute.disks.insert", path(SNAPSHOT), **control, **who)

    assert (made.action, made.subjects, made.made) == (Action.CREATE, (DISK,), "")
    assert (restored.action, restored.subjects, restored.source) == (Action.RESTORE, (SNAPSHOT,), SNAPSHOT)
    assert (made.id, made.result) == ("acme-prod/1a2b3c", Result.SUCCEEDED), "its own, beside the one of the other log"
    assert (made.actor.kind, made.actor.id, made.source_ip) == (ActorKind.FOREIGN, "eve@evil.example", "")


@pytest.mark.parametrize(
    ("who", "kind", "issuer"),
    [
        ({"principalEmail": "ada@acme.example"}, ActorKind.HUMAN, ""),
        ({"principalEmail": "deploy@acme-prod.iam.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalEmail": "123-compute@developer.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalEmail": "service-123@compute-system.iam.gserviceaccount.com"}, ActorKind.SERVICE, ""),
        # Deployment Manager works as it, and does what anybody tells it.
        ({"principalEmail": "123@cloudservices.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalEmail": "service-123@compute-system-1.iam.gserviceaccount.com"}, ActorKind.ROLE, ""),
        ({"principalSubject": f"{POOLS}/workloadIdentityPools/p/subject/s"}, ActorKind.ROLE, ""),
        ({"principalSubject": f"{POOLS}/workforcePools/p/subject/s"}, ActorKind.HUMAN, ""),
        ({}, ActorKind.UNKNOWN, ""),
        (
            {
                "principalEmail": "deploy@acme-prod.iam.gserviceaccount.com",
                "serviceAccountDelegationInfo": [
                    {"firstPartyPrincipal": {"principalEmail": "eve@acme.example"}},
                    {"principalSubject": "serviceAccount:step@acme-prod.iam.gserviceaccount.com"},
                ],
            },
            ActorKind.ROLE,
            "eve@acme.example",
        ),
    ],
)
def test_who_it_was(who: dict[str, Any], kind: str, issuer: str) -> None:
    actor = parsed("compute.snapshots.delete", path(SNAPSHOT), authenticationInfo=who).actor

    assert (actor.kind, actor.issuer) == (kind, issuer)
    assert actor.id == who.get("principalEmail", who.get("principalSubject", ""))
    assert actor.account == ("acme-prod" if actor.id.startswith("deploy@") else actor.account)


@pytest.mark.parametrize(
    ("fields", "result", "detail"),
    [
        ({"status": {}}, Result.SUCCEEDED, ""),
        ({"status": {"code": 7, "message": "no\npermission"}}, Result.DENIED, "no permission"),
        ({"status": {"code": 6, "message": "exists"}}, Result.FAILED, "exists"),
        ({"response": {"error": {"errors": [{"code": "QUOTA_EXCEEDED"}]}}}, Result.FAILED, "QUOTA_EXCEEDED"),
        ({"authorizationInfo": [{"permission": "compute.snapshots.delete", "granted": False}]}, Result.DENIED, ""),
        ({"authorizationInfo": [{"granted": True}, {"granted": False}]}, Result.SUCCEEDED, ""),
        ({"operation": {"id": "op-1", "first": True}}, Result.STARTED, ""),
        ({"operation": {"id": "op-1", "first": True, "last": True}}, Result.SUCCEEDED, ""),
    ],
)
def test_how_it_ended(fields: dict[str, Any], result: str, detail: str) -> None:
    found = parsed("compute.snapshots.delete", path(SNAPSHOT), **fields)

    assert (found.result, found.detail) == (result, detail)


def test_a_call_that_only_validates_changes_nothing() -> None:
    method, fields = "google.cloud.backupdr.v1.BackupDR.DeleteBackup", {"serviceName": "backupdr.googleapis.com"}

    assert parsed(method, VAULT, {"validateOnly": True}, **fields).result == Result.DRY_RUN


MEMBERS = (
    "allUsers",
    "allAuthenticatedUsers",
    "user:Eve@Evil.example",
    "group:g@x.example",
    "serviceAccount:p.svc.id.goog[ns/ksa]",
    "domain:Evil.example",
    "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s",
    "principalSet://iam.googleapis.com/locations/global/workforcePools/p/*",
    "deleted:user:e@x.example?uid=1",
    "projectOwner:acme-prod",
    "nonsense",
    "user:" + "x" * 2000,
    "user: a\n b",
)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_is_whom_the_collectors_take_it_for(member: str) -> None:
    assert principal(member) == collected(member)
