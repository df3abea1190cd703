"""Locks of EBS snapshots, which nobody can delete while they hold.

A kind of its own: where locks may not be listed, that is a hole in the coverage and not an unlocked snapshot.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every lock that holds; one that has ended protects nothing."""
    for lock in region.pages("ec2", "DescribeLockedSnapshots", "Snapshots", MaxResults=1000):
        if lock.get("OwnerId") in (None, region.account) and lock.get("LockState") != "expired":
            yield Observation(_resource(region, lock))


def _resource(region: Region, lock: dict[str, Any]) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::snapshot/{lock['SnapshotId']}"
    times = {
        "expires_at": lock.get("LockExpiresOn"),
        "cool_off_until": lock.get("CoolOffPeriodExpiresOn"),
    }
    return Resource(
        uid=f"{arn}/lock",
        address=arn,
        type=ResourceType.GUARDRAIL,
        name=f"the lock of {lock['SnapshotId']}",
        created_at=lock.get("LockCreatedOn"),
        owner=region.account,
        attributes={"lock": lock.get("LockState"), "lock_days": lock.get("LockDuration")},
        facts={name: at.astimezone(UTC).isoformat() for name, at in times.items() if at},
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.snapshot-lock",
    title="EBS snapshot locks",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeLockedSnapshots",),
    calls="1 per 1,000",
    blind="Whether a lock that is gone was taken off or had run out, which its last known end tells.",
    shares=False,
)
