"""RDS instance snapshots and who may restore them."""

from collections.abc import Iterator

from snapbase.collect.aws import rds
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Scope

INSTANCE = rds.Flavour("DBSnapshot", source="DBInstanceIdentifier", lineage="DbiResourceId", encrypted="Encrypted")


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every instance snapshot of the account."""
    return rds.read(region, INSTANCE)


COLLECTOR = Collector(
    kind="aws.rds.snapshot",
    title="RDS snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("rds:DescribeDBSnapshots", "rds:DescribeDBSnapshotAttributes", "kms:DescribeKey"),
    calls="2 per 100 + 1 per manual snapshot",
    blind="Restores to a public instance. Copies in S3 are aws.rds.export-task.",
)
