"""Redshift Serverless snapshots, and who may restore them by the accounts in the list and the resource policy."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from snapbase.collect.aws.errors import CallFailed, vanished
from snapbase.collect.aws.plain import incarnation, key, listed
from snapbase.collect.aws.policy import grants as policy_grants
from snapbase.collect.aws.session import Region, observed
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, Scope

_SERVICE = "redshift-serverless"
_MECHANISM = "redshift-serverless:restore"
_LISTS = ("accountsWithRestoreAccess", "accountsWithProvisionedRestoreAccess")


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot of the account that has been made completely, with its policy."""
    snapshots = listed(region, _SERVICE, "ListSnapshots", "snapshots", maxResults=100)
    for observation in region.runtime.map(partial(_observe, region), filter(partial(_made, region), snapshots)):
        if observation is not None:
            yield observation


def _made(region: Region, snapshot: dict[str, Any]) -> bool:
    own = snapshot.get("ownerAccount") in (None, region.account)
    return own and snapshot.get("status") != "CREATING" and bool(snapshot.get("snapshotCreateTime"))


def _observe(region: Region, snapshot: dict[str, Any]) -> Observation | None:
    return observed(_resource(region, snapshot), lambda: _grants(region, snapshot))


def _grants(region: Region, snapshot: dict[str, Any]) -> frozenset[Grant]:
    """Whoever the policy names, for whatever action, and the accounts of the list that it does not name."""
    policy = _policy(region, snapshot)
    found = policy_grants(policy, Access.RESTORE, _MECHANISM, region.account) if policy else frozenset()
    named = {each.principal for each in found}
    accounts = {str(account) for name in _LISTS for account in snapshot.get(name) or ()}
    inline = {Principal(PrincipalKind.ACCOUNT, account) for account in accounts} - named
    return found | {Grant(each, Access.RESTORE, _MECHANISM) for each in inline}


def _policy(region: Region, snapshot: dict[str, Any]) -> str:
    """The policy's text; empty where there is none. Raises where the snapshot itself is gone."""
    try:
        answer = region.call(_SERVICE, "GetResourcePolicy", resourceArn=snapshot["snapshotArn"])
    except CallFailed as error:
        if not vanished(error):
            raise
        # The same code for a snapshot without a policy as for none of that ARN.
        region.call(_SERVICE, "GetSnapshot", snapshotArn=snapshot["snapshotArn"])
        return ""
    return str((answer.get("resourcePolicy") or {}).get("policy") or "")


def _resource(region: Region, snapshot: dict[str, Any]) -> Resource:
    address, made = str(snapshot["snapshotArn"]), snapshot["snapshotCreateTime"]
    key_arn, guards = key(region, snapshot.get("kmsKeyId"))
    return Resource(
        uid=incarnation(address, made),
        address=address,
        name=snapshot.get("snapshotName"),
        created_at=made,
        owner=snapshot.get("ownerAccount") or region.account,
        source=snapshot.get("namespaceArn") or snapshot.get("namespaceName"),
        # Amazon Redshift Management Guide, "Encryption at rest": a namespace is always encrypted.
        encrypted=True,
        key=key_arn,
        guards=guards,
        attributes={"retention_days": snapshot.get("snapshotRetentionPeriod")},
        facts={"namespace": snapshot["namespaceName"]} if snapshot.get("namespaceName") else {},
    )


COLLECTOR = Collector(
    kind="aws.redshift-serverless.snapshot",
    title="Redshift Serverless snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=(
        "redshift-serverless:ListSnapshots",
        "redshift-serverless:GetResourcePolicy",
        "redshift-serverless:GetSnapshot",
        "kms:DescribeKey",
    ),
    calls="1 per 100 + 1 per snapshot, 2 where it has no policy",
    blind="Recovery points, made by themselves and kept for a day; tags.",
)
