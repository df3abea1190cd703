"""Snapshots of Aurora, Neptune and DocumentDB clusters, all served by RDS, and who may restore them."""

from collections.abc import Iterator

from snapbase.collect.aws import rds
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Scope

CLUSTER = rds.Flavour(
    "DBClusterSnapshot", source="DBClusterIdentifier", lineage="DbClusterResourceId", encrypted="StorageEncrypted"
)


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """Every cluster snapshot of the account."""
    return rds.read(region, CLUSTER)


COLLECTOR = Collector(
    kind="aws.rds.cluster-snapshot",
    title="database cluster snapshots",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusterSnapshotAttributes", "kms:DescribeKey"),
    calls="2 per 100 + 1 per manual snapshot",
    blind="DocumentDB elastic clusters and Neptune Analytics graphs, which have APIs of their own. Copies in S3 are "
    "aws.rds.export-task.",
)
