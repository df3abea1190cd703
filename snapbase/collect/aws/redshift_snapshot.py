"""Redshift snapshots, and the accounts that may restore them: the list itself tells."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import incarnation, key, listed
from snapbase.collect.aws.session import Region, tags
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, Scope

_MECHANISM = "redshift:restore"
_SUPPORT = "amazon-redshift-support"
"""What AuthorizeSnapshotAccess takes for AWS Support in the place of an account (its API reference)."""


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every snapshot of the account that has been made completely; a new one is counted once it is."""
    for snapshot in listed(region, "redshift", "DescribeClusterSnapshots", "Snapshots", MaxRecords=100):
        # Until then its creation time, part of its identity, is missing or moves.
        if snapshot.get("Status") != "creating" and snapshot.get("SnapshotCreateTime"):
            yield Observation(_resource(region, snapshot), _grants(snapshot))


def _grants(snapshot: dict[str, Any]) -> frozenset[Grant]:
    holders = {_principal(each) for each in snapshot.get("AccountsWithRestoreAccess") or ()}
    return frozenset(Grant(each, Access.RESTORE, _MECHANISM) for each in holders)


def _principal(listed_account: dict[str, Any]) -> Principal:
    account, alias = listed_account.get("AccountId"), listed_account.get("AccountAlias")
    if _SUPPORT in (account, alias) and account in (None, "", _SUPPORT):
        return Principal(PrincipalKind.SERVICE, _SUPPORT)
    if account:
        return Principal(PrincipalKind.ACCOUNT, str(account))
    return Principal(PrincipalKind.OTHER, str(alias or "unnamed"))


def _resource(region: Region, snapshot: dict[str, Any]) -> Resource:
    made = snapshot["SnapshotCreateTime"]
    kind = str(snapshot.get("SnapshotType") or "")
    key_arn, guards = key(region, snapshot.get("KmsKeyId"))
    return Resource(
        uid=incarnation(_arn(region, snapshot), made),
        address=_arn(region, snapshot),
        name=snapshot["SnapshotIdentifier"],
        created_at=made,
        owner=snapshot.get("OwnerAccount") or region.account,
        source=snapshot.get("ClusterIdentifier"),
        origin="redshift-automated" if kind == "automated" else None,
        encrypted=snapshot.get("Encrypted"),
        key=key_arn,
        guards=guards,
        attributes={
            "type": kind,
            "node_type": snapshot.get("NodeType"),
            "nodes": snapshot.get("NumberOfNodes"),
            "retention_days": snapshot.get("ManualSnapshotRetentionPeriod"),
            "source_region": snapshot.get("SourceRegion"),
        },
        facts={"database": snapshot["DBName"]} if snapshot.get("DBName") else {},
        tags=tags(snapshot.get("Tags")),
    )


def _arn(region: Region, snapshot: dict[str, Any]) -> str:
    if snapshot.get("SnapshotArn"):
        return str(snapshot["SnapshotArn"])
    name = f"{snapshot['ClusterIdentifier']}/{snapshot['SnapshotIdentifier']}"
    return f"arn:{region.partition}:redshift:{region.region}:{region.account}:snapshot:{name}"


COLLECTOR = Collector(
    kind="aws.redshift.snapshot",
    title="Redshift snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("redshift:DescribeClusterSnapshots", "kms:DescribeKey"),
    calls="1 per 100",
    blind="Datashares, which share live data; snapshot copy grants, which let another region hold copies.",
)
