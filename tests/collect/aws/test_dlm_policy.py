"""Lifecycle policies, and whom they share every snapshot with that they make."""

from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Observation, Principal, PrincipalKind, ResourceType
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOSTILE, OUTSIDER, PARTNER, Aws, grants

KIND = "aws.dlm.policy"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/dlm"


def _details(*rules: dict[str, Any], **schedule: Any) -> dict[str, Any]:
    daily = {"Name": "daily", "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"}, "RetainRule": {"Count": 7}}
    return {
        "ResourceTypes": ["VOLUME"],
        "TargetTags": [{"Key": "backup", "Value": "yes"}],
        "Schedules": [{**daily, **schedule, "ShareRules": list(rules)}],
    }


def _create(aws: Aws, details: dict[str, Any], state: str = "ENABLED", description: str = "nightly") -> str:
    made = aws.client("dlm").create_lifecycle_policy(
        ExecutionRoleArn=ROLE, Description=description, State=state, PolicyDetails=details
    )
    return str(made["PolicyId"])


def test_whom_a_policy_shares_with_are_its_grants(aws: Aws) -> None:
    rules = (
        {"TargetAccounts": [OUTSIDER, PARTNER]},
        {"TargetAccounts": [ACCOUNT], "UnshareInterval": 3, "UnshareIntervalUnit": "DAYS"},
    )
    policy = _create(aws, _details(*rules), description=HOSTILE)

    seen = aws.one(KIND)

    assert {(g.principal.id, g.access, g.mechanism, g.condition) for g in grants(seen)} == {
        (OUTSIDER, "read", "dlm:ShareRules", ""),
        (PARTNER, "read", "dlm:ShareRules", ""),
        (ACCOUNT, "read", "dlm:ShareRules", "unshared after 3 days"),
    }
    assert seen.resource.type == ResourceType.POLICY
    assert seen.resource.uid.endswith(policy)
    assert seen.resource.name == HOSTILE
    assert seen.resource.limits is None


def test_sharing_more_changes_the_grants_and_nothing_else(aws: Aws) -> None:
    policy = _create(aws, _details())
    before = aws.one(KIND)
    aws.client("dlm").update_lifecycle_policy(
        PolicyId=policy,
        PolicyDetails={**_details({"TargetAccounts": [OUTSIDER]}), "PolicyType": "EBS_SNAPSHOT_MANAGEMENT"},
    )
    after = aws.one(KIND)

    assert before.resource == after.resource
    assert {g.principal for g in grants(after) - grants(before)} == {Principal(PrincipalKind.ACCOUNT, OUTSIDER)}


def test_copies_elsewhere_and_retention_are_facts(aws: Aws) -> None:
    copy = {"Target": "eu-west-1", "Encrypted": True, "CmkArn": f"arn:aws:kms:eu-west-1:{OUTSIDER}:key/1"}
    _create(aws, _details(CrossRegionCopyRules=[copy]))

    facts = aws.one(KIND).resource.facts

    assert facts["schedule 1"] == {
        "name": "daily",
        "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"},
        "RetainRule": {"Count": 7},
        "CrossRegionCopyRules": [copy],
    }
    assert facts["target_tags"] == [{"Key": "backup", "Value": "yes"}]


def test_whose_snapshots_an_event_based_policy_copies(aws: Aws) -> None:
    event = {"EventType": "shareSnapshot", "SnapshotOwner": [PARTNER], "DescriptionRegex": ".*"}
    action = {
        "Name": "copy",
        "CrossRegionCopy": [{"Target": "eu-west-1", "EncryptionConfiguration": {"Encrypted": False}}],
    }
    source = {"Type": "MANAGED_CWE", "Parameters": event}
    _create(aws, {"PolicyType": "EVENT_BASED_POLICY", "EventSource": source, "Actions": [action]})

    seen = aws.one(KIND)

    assert grants(seen) == frozenset()
    assert (seen.resource.facts["event_source"], seen.resource.facts["actions"]) == (source, [action])


def test_a_disabled_policy_holds_its_grants_back(aws: Aws) -> None:
    _create(aws, _details({"TargetAccounts": [OUTSIDER]}), state="DISABLED")

    seen = aws.one(KIND)

    assert len(grants(seen)) == 1
    assert seen.resource.limits is not None
    assert seen.resource.limits.blocks == (PrincipalKind.ACCOUNT,)


def test_what_a_policy_in_error_still_shares_is_not_known(aws: Aws) -> None:
    _create(aws, _details({"TargetAccounts": [OUTSIDER]}), state="ERROR")

    limits = aws.one(KIND).resource.limits

    assert limits is not None
    assert (limits.blocks, limits.unknown) == ((), "the policy is in state ERROR")


def test_default_policies_are_listed_too(aws: Aws) -> None:
    _create(aws, _details())
    aws.client("dlm").create_lifecycle_policy(
        ExecutionRoleArn=ROLE, Description="default", State="ENABLED", DefaultPolicy="VOLUME"
    )

    assert {each.resource.attributes["default"] for each in aws.read(KIND)} == {False, True}


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
@pytest.mark.parametrize("operation", ["dlm:GetLifecyclePolicies", "dlm:GetLifecyclePolicy"])
def test_what_cannot_be_read_is_neither_empty_nor_unshared(aws: Aws, operation: str, fault: FaultKind) -> None:
    _create(aws, _details({"TargetAccounts": [OUTSIDER]}))
    aws.break_(fault, operation)
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(aws.reading(KIND))

    assert seen == []


def test_one_that_cannot_be_read_hides_no_other(aws: Aws) -> None:
    for _ in range(3):
        _create(aws, _details())
    aws.break_(FaultKind.DENIED, "dlm:GetLifecyclePolicy", times=1)
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(aws.reading(KIND))

    assert len(seen) == 2


def test_a_policy_deleted_since_it_was_listed_is_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = _create(aws, _details()), _create(aws, _details())
    aws.before("GetLifecyclePolicy", lambda: aws.client("dlm").delete_lifecycle_policy(PolicyId=gone), monkeypatch)

    assert [each.resource.uid.rpartition("/")[2] for each in aws.read(KIND)] == [kept]
