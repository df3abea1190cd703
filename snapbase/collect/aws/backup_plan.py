"""AWS Backup plans: what they back up and when, how long it is kept, and the accounts that get a copy of all of it."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import (
    Access,
    Grant,
    Json,
    Limits,
    Observation,
    Principal,
    PrincipalKind,
    Resource,
    ResourceType,
    Scope,
)

_UNASSIGNED = Limits(blocks=(PrincipalKind.ACCOUNT,))
"""A plan to which nothing is assigned copies nothing."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every plan that is not deleted; raises at the end if one could not be read: half of one reads as changed."""
    failed: list[CallFailed] = []
    listed = region.pages("backup", "ListBackupPlans", "BackupPlansList", MaxResults=1000)
    for observation in region.runtime.map(partial(_observe, region, failed), listed):
        if observation is not None:
            yield observation
    if failed:
        raise failed[0]


def _observe(region: Region, failed: list[CallFailed], listed: Mapping[str, Any]) -> Observation | None:
    name = str(listed["BackupPlanId"])
    try:
        plan = region.call("backup", "GetBackupPlan", BackupPlanId=name)
        selections = list(_selections(region, name))
    except CallFailed as error:
        if not vanished(error):
            failed.append(error)
        return None
    rules = (plan.get("BackupPlan") or {}).get("Rules") or []
    return Observation(_resource(region, plan, rules, selections), frozenset(_grants(region, rules)))


def _selections(region: Region, plan: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is assigned to a plan, each with its id; without what is taken off it meanwhile."""
    for each in region.pages("backup", "ListBackupSelections", "BackupSelectionsList", BackupPlanId=plan):
        selection = str(each["SelectionId"])
        try:
            told = region.call("backup", "GetBackupSelection", BackupPlanId=plan, SelectionId=selection)
        except CallFailed as error:
            if not vanished(error):
                raise
            continue
        yield selection, told["BackupSelection"]


def _grants(region: Region, rules: list[dict[str, Any]]) -> Iterator[Grant]:
    """Every other account into whose vaults a rule puts a copy of each recovery point."""
    for rule in rules:
        vaults = [action["DestinationBackupVaultArn"] for action in rule.get("CopyActions") or ()]
        for vault in filter(None, (*vaults, rule.get("TargetLogicallyAirGappedBackupVaultArn"))):
            account = (*str(vault).split(":"), "", "", "", "", "")[4] or str(vault)
            if account != region.account:
                yield Grant(Principal(PrincipalKind.ACCOUNT, account), Access.READ, "backup:CopyActions", f"to {vault}")


def _resource(
    region: Region, plan: Mapping[str, Any], rules: list[dict[str, Any]], selections: list[tuple[str, dict[str, Any]]]
) -> Resource:
    """A plan by its ARN, whose id AWS never gives twice; versions and the last execution, which move, are left out."""
    own = f"arn:{region.partition}:backup:{region.region}:{region.account}:backup-plan:{plan['BackupPlanId']}"
    uid = str(plan.get("BackupPlanArn") or own)
    options = (plan.get("BackupPlan") or {}).get("AdvancedBackupSettings")
    return Resource(
        uid=uid,
        address=uid,
        type=ResourceType.POLICY,
        name=(plan.get("BackupPlan") or {}).get("BackupPlanName"),
        created_at=plan.get("CreationDate"),
        owner=region.account,
        limits=None if selections else _UNASSIGNED,
        attributes={"assigned": bool(selections)},
        facts={
            **_named("rule", [(str(each.get("RuleId") or ""), "RuleName", _timeless(each)) for each in rules]),
            **_retentions(rules),
            **_named("selection", [(identifier, "SelectionName", each) for identifier, each in selections]),
            **({"advanced_settings": options} if options else {}),
        },
    )


def _retentions(rules: list[dict[str, Any]]) -> dict[str, Json]:
    """Days of each rule, of several with one name the fewest; `always` where it never expires, which -1 says too (AWS
    Backup API reference, Lifecycle)."""
    found: dict[str, int | None] = {}
    for rule in rules:
        days = (rule.get("Lifecycle") or {}).get("DeleteAfterDays")
        kept = None if days is None or days < 0 else int(days)
        name = f"retention_days {rule.get('RuleName')}"
        before = found.get(name)
        found[name] = kept if before is None else before if kept is None else min(before, kept)
    return {name: "always" if days is None else days for name, days in found.items()}


def _timeless(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Without how long it keeps what it makes, which is said apart: less of that is worse than another change."""
    lifecycle = {name: value for name, value in (rule.get("Lifecycle") or {}).items() if name != "DeleteAfterDays"}
    rest = {name: value for name, value in rule.items() if name != "Lifecycle"}
    return {**rest, "Lifecycle": lifecycle} if lifecycle else rest


def _named(what: str, found: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Json]:
    """Each in the API's own words under its name, with its id where two have one name."""
    names = [str(each.get(field)) for _, field, each in found]
    return {
        f"{what} {name}" if names.count(name) == 1 else f"{what} {name} ({identifier})": {
            key: value for key, value in each.items() if key != field
        }
        for name, (identifier, field, each) in sorted(zip(names, found, strict=True), key=lambda pair: pair[0])
    }


COLLECTOR = Collector(
    kind="aws.backup.plan",
    title="backup plans",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=(
        "backup:ListBackupPlans",
        "backup:GetBackupPlan",
        "backup:ListBackupSelections",
        "backup:GetBackupSelection",
    ),
    calls="1 per 1,000 + 2 per plan + 1 per selection",
    blind="What bears the tags that a selection asks for; what a plan's role may do beside; copies made on demand.",
)
