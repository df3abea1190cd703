"""Fast restore of our EBS snapshots that another account enabled: somebody is making volumes of them."""

from collections.abc import Iterator

from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, Scope

_ENDED = frozenset({"disabling", "disabled"})


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """One per snapshot and foreign account (EC2 API: OwnerId is the account that enabled it), over all zones."""
    zones: dict[tuple[str, str], list[str]] = {}
    for each in region.pages("ec2", "DescribeFastSnapshotRestores", "FastSnapshotRestores", MaxResults=200):
        account = str(each.get("OwnerId") or region.account)
        if account != region.account and each.get("State") not in _ENDED:
            zones.setdefault((str(each["SnapshotId"]), account), []).append(str(each.get("AvailabilityZone") or ""))
    for (snapshot_id, account), where in sorted(zones.items()):
        user = Principal(PrincipalKind.ACCOUNT, account)
        grant = Grant(user, Access.READ, "ec2:EnableFastSnapshotRestores")
        yield Observation(_resource(region, snapshot_id, account, sorted(where)), frozenset({grant}))


def _resource(region: Region, snapshot_id: str, account: str, zones: list[str]) -> Resource:
    arn = f"arn:{region.partition}:ec2:{region.region}::snapshot/{snapshot_id}"
    return Resource(
        uid=f"{arn}/fast-restore/{account}",
        address=arn,
        name=f"fast restore of {snapshot_id}",
        owner=region.account,
        source=arn,
        attributes={"zones": zones},
        subject=arn,
    )


COLLECTOR = Collector(
    kind="aws.ec2.fast-restore",
    title="fast restores by other accounts",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("ec2:DescribeFastSnapshotRestores",),
    calls="1 per 200",
    blind="Volumes made without fast restore; whether AWS shows an owner what other accounts enable is not documented.",
)
