"""Redshift Serverless, which moto lacks: namespaces, their snapshots, and the resource policies that share them."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.ec2 import Handler, page
from snapbase.sandbox.aws.shelf import arn, put, shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal

_GONE = "ResourceNotFoundException"
_TAKEN = "ConflictException"


def handlers() -> dict[str, Handler]:
    """By operation name, as `redshift-serverless:ListSnapshots`."""
    return {
        f"redshift-serverless:{name}": handler
        for name, handler in {
            "CreateNamespace": create_namespace,
            "CreateSnapshot": create_snapshot,
            "DeleteSnapshot": delete_snapshot,
            "GetSnapshot": get_snapshot,
            "ListSnapshots": list_snapshots,
            "PutResourcePolicy": put_policy,
            "GetResourcePolicy": get_policy,
            "DeleteResourcePolicy": delete_policy,
        }.items()
    }


def create_namespace(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    name = parameters["namespaceName"]
    made = {
        "namespaceName": name,
        "namespaceArn": arn(call, f"namespace/{uuid4()}"),
        "kmsKeyId": parameters.get("kmsKeyId", "AWS_OWNED_KMS_KEY"),
        "status": "AVAILABLE",
    }
    return {"namespace": put(call, "namespace", name, _TAKEN, made)}


def create_snapshot(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    namespace = take(call, "namespace", parameters["namespaceName"], _GONE)
    name = parameters["snapshotName"]
    made = {
        **{field: namespace[field] for field in ("namespaceName", "namespaceArn", "kmsKeyId")},
        "snapshotName": name,
        "snapshotArn": arn(call, f"snapshot/{uuid4()}"),
        "snapshotCreateTime": datetime.now(UTC),
        "snapshotRetentionPeriod": parameters.get("retentionPeriod", -1),
        "ownerAccount": call.account,
        "status": "AVAILABLE",
    }
    return {"snapshot": put(call, "snapshot", name, _TAKEN, made)}


def delete_snapshot(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    snapshot = take(call, "snapshot", parameters["snapshotName"], _GONE)
    shelf(call, "policy").pop(snapshot["snapshotArn"], None)
    return {"snapshot": shelf(call, "snapshot").pop(parameters["snapshotName"])}


def get_snapshot(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"snapshot": _shown(call, _by_arn(call, parameters["snapshotArn"]))}


def list_snapshots(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = [each for _, each in sorted(shelf(call, "snapshot").items())]
    some, following = page(found, {"maxResults": 100, **parameters}, size="maxResults", token="nextToken")
    return {"snapshots": [_shown(call, each) for each in some]} | ({"nextToken": following} if following else {})


def _shown(call: Call, snapshot: dict[str, Any]) -> dict[str, Any]:
    """With the accounts that its policy names, as AWS lists them."""
    policy = shelf(call, "policy").get(snapshot["snapshotArn"], {}).get("policy", "")
    accounts = sorted({str(each) for each in re.findall(r'"(\d{12})"', policy)})
    return {**snapshot, "accountsWithRestoreAccess": accounts}


def put_policy(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    address = _by_arn(call, parameters["resourceArn"])["snapshotArn"]
    try:
        json.loads(parameters["policy"])
    except ValueError as error:
        raise Refusal("ValidationException", "The policy is not valid JSON") from error
    policy = {"policy": parameters["policy"], "resourceArn": address}
    shelf(call, "policy")[address] = policy
    return {"resourcePolicy": policy}


def get_policy(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"resourcePolicy": take(call, "policy", parameters["resourceArn"], _GONE)}


def delete_policy(call: Call, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    take(call, "policy", parameters["resourceArn"], _GONE)
    shelf(call, "policy").pop(parameters["resourceArn"])
    return {}


def _by_arn(call: Call, address: str) -> dict[str, Any]:
    for each in shelf(call, "snapshot").values():
        if each["snapshotArn"] == address:
            return each
    raise Refusal(_GONE, f"{address} not found.")
