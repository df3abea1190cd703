"""Data Lifecycle Manager, which moto does not have: policies that are kept, and never run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.ec2 import Handler, Parameters
from snapbase.sandbox.aws.shelf import shelf, take
from snapbase.sandbox.aws.wire import Call


def create(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    policy_id = f"policy-0{uuid4().hex[:16]}"
    default = parameters.get("DefaultPolicy")
    details = {"PolicyType": "EBS_SNAPSHOT_MANAGEMENT", **(parameters.get("PolicyDetails") or {})}
    shelf(call, "policies")[policy_id] = {
        "PolicyId": policy_id,
        "PolicyArn": f"arn:aws:dlm:{call.region}:{call.account}:policy/{policy_id}",
        "Description": parameters["Description"],
        "State": parameters["State"],
        "ExecutionRoleArn": parameters["ExecutionRoleArn"],
        "DateCreated": datetime.now(UTC),
        "DateModified": datetime.now(UTC),
        "PolicyDetails": {**details, **({"PolicyLanguage": "SIMPLIFIED", "ResourceType": default} if default else {})},
        "DefaultPolicy": bool(default),
        "Tags": parameters.get("Tags") or {},
    }
    return {"PolicyId": policy_id}


def update(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    changed = {name: value for name, value in parameters.items() if name != "PolicyId"}
    policy = take(call, "policies", parameters["PolicyId"], "ResourceNotFoundException")
    policy.update(changed, DateModified=datetime.now(UTC))
    return {}


def delete(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    take(call, "policies", parameters["PolicyId"], "ResourceNotFoundException")
    del shelf(call, "policies")[parameters["PolicyId"]]
    return {}


def get_all(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    default = bool(parameters.get("DefaultPolicyType"))
    found = [each for _, each in sorted(shelf(call, "policies").items()) if each["DefaultPolicy"] == default]
    listed = ("PolicyId", "Description", "State", "Tags", "DefaultPolicy")
    return {
        "Policies": [
            {name: each[name] for name in listed} | {"PolicyType": each["PolicyDetails"]["PolicyType"]}
            for each in found
        ]
    }


def get(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return {"Policy": take(call, "policies", parameters["PolicyId"], "ResourceNotFoundException")}


def handlers() -> dict[str, Handler]:
    """By operation name, as `dlm:GetLifecyclePolicies`."""
    return {
        "dlm:CreateLifecyclePolicy": create,
        "dlm:DeleteLifecyclePolicy": delete,
        "dlm:GetLifecyclePolicies": get_all,
        "dlm:GetLifecyclePolicy": get,
        "dlm:UpdateLifecyclePolicy": update,
    }
