"""Backup plans, what is assigned to them, and the accounts that get a copy of everything."""

from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Observation, PrincipalKind, ResourceType, Scope, State
from snapbase.rotation.cohort import by_name, policy_of
from snapbase.rotation.rhythm import digest_of
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, HOSTILE, OUTSIDER, PARTNER, Aws, grants

KIND = "aws.backup.plan"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/backup"


def _vault(account: str) -> str:
    return f"arn:aws:backup:eu-west-1:{account}:backup-vault:copies"


def _rule(name: str = "daily", days: int = 35, *copies: str, **more: Any) -> dict[str, Any]:
    return {
        "RuleName": name,
        "TargetBackupVaultName": "vault",
        "ScheduleExpression": "cron(0 5 ? * * *)",
        "Lifecycle": {"DeleteAfterDays": days},
        "CopyActions": [{"DestinationBackupVaultArn": _vault(each)} for each in copies],
        **more,
    }


def _create(aws: Aws, *rules: dict[str, Any], name: str = "plan", assigned: bool = True) -> str:
    backup = aws.client("backup")
    plan = str(backup.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": list(rules)})["BackupPlanId"])
    if assigned:
        _assign(aws, plan)
    return plan


def _assign(aws: Aws, plan: str, name: str = "volumes", **what: Any) -> None:
    chosen = what or {"Resources": ["arn:aws:ec2:*:*:volume/*"]}
    selection = {"SelectionName": name, "IamRoleArn": ROLE, **chosen}
    aws.client("backup").create_backup_selection(BackupPlanId=plan, BackupSelection=selection)


def _update(aws: Aws, plan: str, *rules: dict[str, Any]) -> None:
    aws.client("backup").update_backup_plan(
        BackupPlanId=plan, BackupPlan={"BackupPlanName": "plan", "Rules": list(rules)}
    )


def _state(seen: Observation) -> State:
    return State(Scope("aws", ACCOUNT, HOME, KIND), seen.resource, seen.grants, seen.miss)


def test_accounts_that_get_copies_are_its_grants_and_the_own_one_is_none(aws: Aws) -> None:
    gapped = f"arn:aws:backup:{HOME}:{PARTNER}:backup-vault:gapped"
    _create(
        aws, _rule("daily", 35, OUTSIDER, ACCOUNT), _rule("b", TargetLogicallyAirGappedBackupVaultArn=gapped),
        name=HOSTILE,
    )  # fmt: skip

    seen = aws.one(KIND)

    assert {(g.principal.kind, g.principal.id, g.access, g.mechanism, g.condition) for g in grants(seen)} == {
        (PrincipalKind.ACCOUNT, OUTSIDER, "read", "backup:CopyActions", f"to {_vault(OUTSIDER)}"),
        (PrincipalKind.ACCOUNT, PARTNER, "read", "backup:CopyActions", f"to {gapped}"),
    }
    assert (seen.resource.type, seen.resource.name, seen.resource.limits) == (ResourceType.POLICY, HOSTILE, None)


def test_what_it_does_is_told_in_the_api_s_words(aws: Aws) -> None:
    plan = _create(aws, _rule("monthly", 365), _rule("daily", 35))
    _assign(aws, plan, "tagged", ListOfTags=[
        {"ConditionType": "STRINGEQUALS", "ConditionKey": "tier", "ConditionValue": "gold"}
    ])  # fmt: skip

    resource = aws.one(KIND).resource

    assert resource.attributes == {"assigned": True}
    assert {*resource.facts} == {
        "rule daily", "rule monthly", "selection tagged", "selection volumes", "retention_days daily",
        "retention_days monthly",
    }  # fmt: skip
    daily = resource.facts["rule daily"]
    assert isinstance(daily, dict)
    assert (daily["ScheduleExpression"], "Lifecycle" in daily) == ("cron(0 5 ? * * *)", False)
    assert (resource.facts["retention_days daily"], resource.facts["retention_days monthly"]) == (35, 365)
    assert resource.facts["selection volumes"] == {"IamRoleArn": ROLE, "Resources": ["arn:aws:ec2:*:*:volume/*"]}


def test_keeping_it_for_less_changes_that_and_nothing_else(aws: Aws) -> None:
    plan = _create(aws, _rule(Lifecycle={"DeleteAfterDays": 365, "MoveToColdStorageAfterDays": 30}))
    before = aws.one(KIND).resource.facts
    _update(aws, plan, _rule(Lifecycle={"DeleteAfterDays": 120, "MoveToColdStorageAfterDays": 30}))
    after = aws.one(KIND).resource.facts

    assert {name for name in before if before[name] != after[name]} == {"retention_days daily"}
    rule = after["rule daily"]
    assert isinstance(rule, dict)
    assert rule["Lifecycle"] == {"MoveToColdStorageAfterDays": 30}


def test_what_never_expires_is_said_and_of_one_name_the_shortest_counts(aws: Aws) -> None:
    _create(aws, _rule("daily", 1), _rule("daily", 35), _rule("daily", Lifecycle={}), _rule("yearly", Lifecycle={}))

    facts = aws.one(KIND).resource.facts

    assert (facts["retention_days daily"], facts["retention_days yearly"]) == (1, "always")


def test_two_selections_of_one_name_are_two(aws: Aws) -> None:
    plan = _create(aws, _rule())
    _assign(aws, plan, "volumes", Resources=["arn:aws:rds:*:*:db:*"])

    names = sorted(name for name in aws.one(KIND).resource.facts if name.startswith("selection"))

    assert len(names) == 2
    assert all(name.startswith("selection volumes (") for name in names)


def test_a_plan_without_anything_assigned_holds_its_grants_back(aws: Aws) -> None:
    _create(aws, _rule("daily", 35, OUTSIDER), assigned=False)

    seen = aws.one(KIND)

    assert len(grants(seen)) == 1
    assert seen.resource.limits is not None
    assert seen.resource.limits.blocks == (PrincipalKind.ACCOUNT,)


def test_a_new_version_that_says_the_same_is_the_same(aws: Aws) -> None:
    plan = _create(aws, _rule())
    before = aws.one(KIND)
    _update(aws, plan, _rule())

    assert aws.one(KIND) == before


@pytest.mark.parametrize(
    "rule", [_rule(days=1), _rule("daily", 35, OUTSIDER), _rule(ScheduleExpression="cron(0 5 1 * ? *)")]
)
def test_an_edited_plan_has_another_digest(aws: Aws, rule: dict[str, Any]) -> None:
    plan = _create(aws, _rule())
    before = aws.one(KIND)
    _update(aws, plan, rule)

    assert digest_of(_state(aws.one(KIND))) != digest_of(_state(before))


def test_it_is_found_by_the_origin_that_recovery_points_name(aws: Aws) -> None:
    plan, _ = _create(aws, _rule()), _create(aws, _rule())
    named = by_name(map(_state, aws.read(KIND)))

    found = policy_of(f"backup-plan:{plan}", named)

    assert found is not None
    assert found.resource.address.endswith(f":backup-plan:{plan}")


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
@pytest.mark.parametrize(
    "operation",
    ["backup:ListBackupPlans", "backup:GetBackupPlan", "backup:ListBackupSelections", "backup:GetBackupSelection"],
)
def test_what_cannot_be_read_is_neither_empty_nor_unshared(aws: Aws, operation: str, fault: FaultKind) -> None:
    _create(aws, _rule("daily", 35, OUTSIDER))
    aws.break_(fault, operation)
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(aws.reading(KIND))

    assert seen == []


def test_every_page_is_read(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = {_create(aws, _rule(), name=str(number)) for number in range(3)}
    region, called = aws.region(), []
    ask = type(region).call

    def one_at_a_time(self: Any, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation.startswith("List"):
            parameters["MaxResults"] = 1
            called.append(operation)
        return ask(self, service, operation, **parameters)

    monkeypatch.setattr(type(region), "call", one_at_a_time)

    assert {each.resource.uid.rpartition(":")[2] for each in aws.read(KIND)} == plans
    assert called.count("ListBackupPlans") == 3


def test_what_is_deleted_since_it_was_listed_is_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = _create(aws, _rule()), _create(aws, _rule())
    aws.before("GetBackupPlan", lambda: aws.client("backup").delete_backup_plan(BackupPlanId=gone), monkeypatch)

    assert [each.resource.uid.rpartition(":")[2] for each in aws.read(KIND)] == [kept]
