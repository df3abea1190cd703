"""AWS Backup plans and what is assigned to them, kept here like the vaults: moto's have no new versions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import arn, shelf, take
from snapbase.sandbox.aws.wire import Call

_GONE = "ResourceNotFoundException"


def _plan(call: Call, parameters: Parameters) -> dict[str, Any]:
    return take(call, "plans", parameters["BackupPlanId"], _GONE)


def _selections(call: Call, plan: str) -> dict[str, Any]:
    return shelf(call, f"selections of {plan}")


def create(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    identifier = str(uuid4())
    plan = {
        "BackupPlanId": identifier,
        "BackupPlanArn": arn(call, f"backup-plan:{identifier}"),
        "CreationDate": datetime.now(UTC),
    }
    shelf(call, "plans")[identifier] = plan
    return _version(plan, parameters["BackupPlan"])


def update(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _version(_plan(call, parameters), parameters["BackupPlan"])


def _version(plan: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A rule keeps its id as long as it keeps its name."""
    known = {rule["RuleName"]: rule["RuleId"] for rule in plan.get("BackupPlan", {}).get("Rules", ())}
    rules = [{**rule, "RuleId": known.get(rule["RuleName"], str(uuid4()))} for rule in given["Rules"]]
    plan.update(BackupPlan={**given, "Rules": rules}, VersionId=uuid4().hex)
    return {name: plan[name] for name in ("BackupPlanId", "BackupPlanArn", "CreationDate", "VersionId")}


def delete(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    plan = _plan(call, parameters)
    del shelf(call, "plans")[plan["BackupPlanId"]]
    return {**plan, "DeletionDate": datetime.now(UTC)}


def get(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return _plan(call, parameters)


def list_plans(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    found = [
        {name: value for name, value in each.items() if name != "BackupPlan"}
        | {"BackupPlanName": each["BackupPlan"]["BackupPlanName"]}
        for _, each in sorted(shelf(call, "plans").items())
    ]
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {"BackupPlansList": some, "NextToken": following}


def select(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    plan, identifier = _plan(call, parameters)["BackupPlanId"], str(uuid4())
    shown = {"BackupPlanId": plan, "SelectionId": identifier, "CreationDate": datetime.now(UTC)}
    _selections(call, plan)[identifier] = {**shown, "BackupSelection": parameters["BackupSelection"]}
    return shown


def unselect(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    get_selection(call, parameters)
    del _selections(call, parameters["BackupPlanId"])[parameters["SelectionId"]]
    return {}


def get_selection(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    plan = _plan(call, parameters)["BackupPlanId"]
    return take(call, f"selections of {plan}", parameters["SelectionId"], _GONE)


def list_selections(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    plan = _plan(call, parameters)["BackupPlanId"]
    found = [
        {name: each[name] for name in ("BackupPlanId", "SelectionId", "CreationDate")}
        | {name: each["BackupSelection"][name] for name in ("SelectionName", "IamRoleArn")}
        for _, each in sorted(_selections(call, plan).items())
    ]
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {"BackupSelectionsList": some, "NextToken": following}


def handlers() -> dict[str, Handler]:
    """By operation name, as `backup:ListBackupPlans`."""
    return {
        "backup:CreateBackupPlan": create,
        "backup:CreateBackupSelection": select,
        "backup:DeleteBackupPlan": delete,
        "backup:DeleteBackupSelection": unselect,
        "backup:GetBackupPlan": get,
        "backup:GetBackupSelection": get_selection,
        "backup:ListBackupPlans": list_plans,
        "backup:ListBackupSelections": list_selections,
        "backup:UpdateBackupPlan": update,
    }
