"""Recycle Bin retention rules: how long what is deleted can be brought back, and whether the rule is locked."""

from collections.abc import Iterator
from datetime import UTC
from functools import partial
from typing import Any

from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope

_TYPES = ("EBS_SNAPSHOT", "EC2_IMAGE", "EBS_VOLUME")


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every rule; raises at the end if one could not be read: half of one reads as changed."""
    failed: list[CallFailed] = []
    listed = (
        str(rule["Identifier"])
        for kind in _TYPES
        for rule in region.pages("rbin", "ListRules", "Rules", ResourceType=kind, MaxResults=1000)
    )
    for observation in region.runtime.map(partial(_observe, region, failed), listed):
        if observation is not None:
            yield observation
    if failed:
        raise failed[0]


def _observe(region: Region, failed: list[CallFailed], identifier: str) -> Observation | None:
    try:
        return Observation(_resource(region, region.call("rbin", "GetRule", Identifier=identifier)))
    except CallFailed as error:
        if not vanished(error):
            failed.append(error)
        return None


def _resource(region: Region, rule: dict[str, Any]) -> Resource:
    own = f"arn:{region.partition}:rbin:{region.region}:{region.account}:rule/{rule['Identifier']}"
    uid = str(rule.get("RuleArn") or own)
    return Resource(
        uid=uid,
        address=uid,
        type=ResourceType.GUARDRAIL,
        name=rule.get("Description") or rule["Identifier"],
        owner=region.account,
        attributes={
            "resource_type": rule.get("ResourceType"),
            "retention_days": (rule.get("RetentionPeriod") or {}).get("RetentionPeriodValue"),
            # While an unlock is pending the rule still holds, but from its end on anybody can delete it.
            "deletion_protection": rule.get("LockState") == "locked",
        },
        facts={
            "only": _pairs(rule.get("ResourceTags")),
            "excluded": _pairs(rule.get("ExcludeResourceTags")),
            **({"lock_ends_at": rule["LockEndTime"].astimezone(UTC).isoformat()} if rule.get("LockEndTime") else {}),
        },
    )


def _pairs(tags: list[dict[str, str]] | None) -> list[str]:
    """In one order: `key=value`, or the key alone where any value will do."""
    return sorted("=".join(filter(None, (each["ResourceTagKey"], each.get("ResourceTagValue")))) for each in tags or ())


COLLECTOR = Collector(
    kind="aws.rbin.rule",
    title="recycle bin rules",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("rbin:ListRules", "rbin:GetRule"),
    calls="3 + 1 per rule",
    blind="Which snapshots bear the tags that a rule asks for.",
    shares=False,
)
