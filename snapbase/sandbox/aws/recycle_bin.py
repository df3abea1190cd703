"""Recycle Bin rules, and what `DeleteSnapshot` does while one holds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.ec2.models import ec2_backends

from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import shelf, take
from snapbase.sandbox.aws.wire import Call, Refusal

_MISSING = "ResourceNotFoundException"


def create_rule(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    identifier = uuid4().hex[:11]
    rule = {
        **parameters,
        "Identifier": identifier,
        "RuleArn": f"arn:aws:rbin:{call.region}:{call.account}:rule/{identifier}",
        "Status": "available",
        "LockState": "locked" if parameters.get("LockConfiguration") else "unlocked",
    }
    shelf(call, "rules")[identifier] = rule
    return rule


def list_rules(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    rules = [each for _, each in sorted(shelf(call, "rules").items())]
    found = [each for each in rules if each["ResourceType"] == parameters["ResourceType"]]
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    listed = ("Identifier", "Description", "RetentionPeriod", "LockState", "RuleArn")
    return {"Rules": [{name: each.get(name) for name in listed} for each in some], "NextToken": following}


def get_rule(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    return take(call, "rules", parameters["Identifier"], _MISSING)


def update_rule(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    rule = _unlocked(call, parameters["Identifier"])
    rule.update(parameters)
    return rule


def unlock_rule(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """Pending for as long as the lock was made to delay."""
    rule = take(call, "rules", parameters["Identifier"], _MISSING)
    delay = timedelta(days=rule["LockConfiguration"]["UnlockDelay"]["UnlockDelayValue"])
    rule.update(LockState="pending_unlock", LockEndTime=datetime.now(UTC) + delay)
    return rule


def delete_rule(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    _unlocked(call, parameters["Identifier"])
    del shelf(call, "rules")[parameters["Identifier"]]
    return {}


def _unlocked(call: Call, identifier: str) -> dict[str, Any]:
    rule = take(call, "rules", identifier, _MISSING)
    if rule["LockState"] != "unlocked":
        raise Refusal("ConflictException", "The rule is locked")
    return rule


def delete_snapshot(call: Call, parameters: Parameters) -> None:
    """Into the bin where a rule holds for it, and gone from everywhere else; locked ones stay (moto does the rest)."""
    snapshot = ec2_backends[call.account][call.region].snapshots.get(parameters["SnapshotId"])
    if snapshot is None:
        return
    if snapshot.id in shelf(call, "locks"):
        raise Refusal("OperationNotPermitted", f"The snapshot {snapshot.id} is locked")
    days = _kept(call, {tag["key"]: tag["value"] for tag in snapshot.get_tags()})
    if days:
        entered = datetime.now(UTC)
        shelf(call, "recycled")[snapshot.id] = {
            "SnapshotId": snapshot.id,
            "Description": snapshot.description,
            "VolumeId": snapshot.volume.id,
            "RecycleBinEnterTime": entered,
            "RecycleBinExitTime": entered + timedelta(days=days),
            "snapshot": snapshot,
        }


def _kept(call: Call, tags: Mapping[str, str]) -> int:
    """The longest retention of any rule for a snapshot with these tags; 0: none."""
    days = [0]
    for rule in shelf(replace(call, service="rbin"), "rules").values():
        asked = [(each["ResourceTagKey"], each.get("ResourceTagValue")) for each in rule.get("ResourceTags") or ()]
        if rule["ResourceType"] == "EBS_SNAPSHOT" and (
            not asked or any(key in tags and value in (None, tags[key]) for key, value in asked)
        ):
            days.append(int(rule["RetentionPeriod"]["RetentionPeriodValue"]))
    return max(days)


def list_snapshots(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    found = [each for _, each in sorted(shelf(call, "recycled").items())]
    some, following = page(found, parameters, size="MaxResults", token="NextToken")
    return {"Snapshots": some, "NextToken": following}


def restore_snapshot(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    recycled = take(call, "recycled", parameters["SnapshotId"], "InvalidSnapshot.NotFound")
    ec2_backends[call.account][call.region].snapshots[parameters["SnapshotId"]] = recycled["snapshot"]
    del shelf(call, "recycled")[parameters["SnapshotId"]]
    return {"SnapshotId": parameters["SnapshotId"]}


def handlers() -> dict[str, Handler]:
    """By operation name, as `rbin:ListRules`."""
    return {
        "ec2:DeleteSnapshot": delete_snapshot,
        "ec2:ListSnapshotsInRecycleBin": list_snapshots,
        "ec2:RestoreSnapshotFromRecycleBin": restore_snapshot,
        "rbin:CreateRule": create_rule,
        "rbin:DeleteRule": delete_rule,
        "rbin:GetRule": get_rule,
        "rbin:ListRules": list_rules,
        "rbin:UnlockRule": unlock_rule,
        "rbin:UpdateRule": update_rule,
    }
