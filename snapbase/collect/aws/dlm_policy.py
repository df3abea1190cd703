"""Data Lifecycle Manager policies: what they share and copy by themselves, over and over."""

import re
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

_GRANTED = "ShareRules"


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every policy, custom and default; raises at the end if one could not be read: half of one reads as changed."""
    failed: list[CallFailed] = []
    for observation in region.runtime.map(partial(_observe, region, failed), _listed(region)):
        if observation is not None:
            yield observation
    if failed:
        raise failed[0]


def _listed(region: Region) -> Iterator[str]:
    """Ids of every policy; default ones have to be asked for (DLM API: DefaultPolicyType)."""
    seen: set[str] = set()
    for narrowing in ({}, {"DefaultPolicyType": "ALL"}):
        for policy in region.call("dlm", "GetLifecyclePolicies", **narrowing).get("Policies") or ():
            if policy["PolicyId"] not in seen:
                seen.add(policy["PolicyId"])
                yield policy["PolicyId"]


def _observe(region: Region, failed: list[CallFailed], policy_id: str) -> Observation | None:
    try:
        policy = region.call("dlm", "GetLifecyclePolicy", PolicyId=policy_id)["Policy"]
    except CallFailed as error:
        if not vanished(error):
            failed.append(error)
        return None
    return Observation(_resource(region, policy), frozenset(_grants(policy)))


def _schedules(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (policy.get("PolicyDetails") or {}).get("Schedules") or []


def _grants(policy: Mapping[str, Any]) -> Iterator[Grant]:
    """Everyone whom a schedule shares its snapshots with, each time it makes one."""
    for rule in (rule for schedule in _schedules(policy) for rule in schedule.get(_GRANTED) or ()):
        after = rule.get("UnshareInterval")
        until = f"unshared after {after} {rule.get('UnshareIntervalUnit', 'DAYS').lower()}" if after else ""
        for account in rule["TargetAccounts"]:
            yield Grant(Principal(PrincipalKind.ACCOUNT, account), Access.READ, f"dlm:{_GRANTED}", until)


def _resource(region: Region, policy: Mapping[str, Any]) -> Resource:
    own = f"arn:{region.partition}:dlm:{region.region}:{region.account}:policy/{policy['PolicyId']}"
    uid = str(policy.get("PolicyArn") or own)
    details = policy.get("PolicyDetails") or {}
    return Resource(
        uid=uid,
        address=uid,
        type=ResourceType.POLICY,
        name=policy.get("Description"),
        created_at=policy.get("DateCreated"),
        owner=region.account,
        limits=_limits(policy.get("State")),
        attributes={
            "state": policy.get("State"),
            "type": details.get("PolicyType"),
            "default": bool(policy.get("DefaultPolicy")),
        },
        facts=_facts(details),
        tags=policy.get("Tags") or {},
    )


def _limits(state: str | None) -> Limits | None:
    """A policy that is switched off shares nothing; what one in error still does nobody says."""
    if state == "ENABLED":
        return None
    off = state == "DISABLED"
    return Limits(blocks=(PrincipalKind.ACCOUNT,)) if off else Limits(unknown=f"the policy is in state {state}")


def _facts(details: Mapping[str, Any]) -> dict[str, Json]:
    """What it takes, keeps and copies where, in the API's own words; whom it shares with are its grants."""
    facts: dict[str, Json] = {
        _snake(name): value for name, value in details.items() if name not in ("PolicyType", "Schedules")
    }
    for number, schedule in enumerate(_schedules({"PolicyDetails": details}), 1):
        kept = {name: value for name, value in schedule.items() if name not in (_GRANTED, "Name")}
        facts[f"schedule {number}"] = {"name": schedule.get("Name"), **kept}
    return facts


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


COLLECTOR = Collector(
    kind="aws.dlm.policy",
    title="lifecycle policies",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("dlm:GetLifecyclePolicies", "dlm:GetLifecyclePolicy"),
    calls="2 + 1 per policy",
    blind="Which snapshots it has shared so far, which they say themselves; what its role may do beside.",
)
