"""How a snapshot of each kind is made and deleted through the real SDK, for tests that run over the kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.collect.aws.account import Aws

LOGIN = {"MasterUsername": "owner", "MasterUserPassword": "Not-a-secret-1"}


@dataclass(frozen=True)
class Kind:
    """One kind, with one source that has no snapshots yet."""

    kind: str
    lists: str
    """The operation that lists it, as faults name it."""
    page: int
    prepare: Callable[[Aws], Any]
    make: Callable[[Aws, str], Any]
    delete: Callable[[Aws, str], Any]

    def __str__(self) -> str:
        return self.lists


def _redshift(aws: Aws) -> None:
    aws.client("redshift").create_cluster(ClusterIdentifier="sales", NodeType="ra3.large", **LOGIN)
    backend_snapshots(aws).clear()


def backend_snapshots(aws: Aws) -> Any:
    """Moto's Redshift snapshots; a new cluster comes with an automated one."""
    from moto.redshift.models import redshift_backends

    from tests.collect.aws.account import ACCOUNT, HOME

    return redshift_backends[ACCOUNT][HOME].snapshots


def _fsx(aws: Aws) -> None:
    aws.client("fsx").create_file_system(FileSystemType="LUSTRE", StorageCapacity=1200, SubnetIds=["subnet-0123456789"])


def _fsx_make(aws: Aws, name: str) -> None:
    fsx = aws.client("fsx")
    source = fsx.describe_file_systems()["FileSystems"][0]["FileSystemId"]
    fsx.create_backup(FileSystemId=source, Tags=[{"Key": "Name", "Value": name}])


def _fsx_delete(aws: Aws, name: str) -> None:
    fsx = aws.client("fsx")
    found = [each for each in fsx.describe_backups()["Backups"] if {"Key": "Name", "Value": name} in each["Tags"]]
    fsx.delete_backup(BackupId=found[0]["BackupId"])


def _table(aws: Aws) -> None:
    aws.client("dynamodb").create_table(
        TableName="carts",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _table_delete(aws: Aws, name: str) -> None:
    dynamodb = aws.client("dynamodb")
    found = [each for each in dynamodb.list_backups()["BackupSummaries"] if each["BackupName"] == name]
    dynamodb.delete_backup(BackupArn=found[0]["BackupArn"])


KINDS = (
    Kind(
        "aws.redshift.snapshot",
        "redshift:DescribeClusterSnapshots",
        100,
        _redshift,
        lambda aws, name: aws.client("redshift").create_cluster_snapshot(
            SnapshotIdentifier=name, ClusterIdentifier="sales"
        ),
        lambda aws, name: aws.client("redshift").delete_cluster_snapshot(SnapshotIdentifier=name),
    ),
    Kind(
        "aws.redshift-serverless.snapshot",
        "redshift-serverless:ListSnapshots",
        100,
        lambda aws: aws.client("redshift-serverless").create_namespace(namespaceName="sales"),
        lambda aws, name: aws.client("redshift-serverless").create_snapshot(snapshotName=name, namespaceName="sales"),
        lambda aws, name: aws.client("redshift-serverless").delete_snapshot(snapshotName=name),
    ),
    Kind("aws.fsx.backup", "fsx:DescribeBackups", 100, _fsx, _fsx_make, _fsx_delete),
    Kind(
        "aws.elasticache.snapshot",
        "elasticache:DescribeSnapshots",
        50,
        lambda aws: aws.client("elasticache").create_cache_cluster(
            CacheClusterId="sessions", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1
        ),
        lambda aws, name: aws.client("elasticache").create_snapshot(SnapshotName=name, CacheClusterId="sessions"),
        lambda aws, name: aws.client("elasticache").delete_snapshot(SnapshotName=name),
    ),
    Kind(
        "aws.elasticache.snapshot",
        "elasticache:DescribeServerlessCacheSnapshots",
        50,
        lambda aws: aws.client("elasticache").create_serverless_cache(ServerlessCacheName="s", Engine="valkey"),
        lambda aws, name: aws.client("elasticache").create_serverless_cache_snapshot(
            ServerlessCacheSnapshotName=name, ServerlessCacheName="s"
        ),
        lambda aws, name: aws.client("elasticache").delete_serverless_cache_snapshot(ServerlessCacheSnapshotName=name),
    ),
    Kind(
        "aws.memorydb.snapshot",
        "memorydb:DescribeSnapshots",
        50,
        lambda aws: aws.client("memorydb").create_cluster(
            ClusterName="sessions", NodeType="db.t4g.small", ACLName="open-access"
        ),
        lambda aws, name: aws.client("memorydb").create_snapshot(SnapshotName=name, ClusterName="sessions"),
        lambda aws, name: aws.client("memorydb").delete_snapshot(SnapshotName=name),
    ),
    Kind(
        "aws.lightsail.snapshot",
        "lightsail:GetDiskSnapshots",
        20,
        lambda aws: aws.client("lightsail").create_disk(diskName="d", availabilityZone="us-east-1a", sizeInGb=8),
        lambda aws, name: aws.client("lightsail").create_disk_snapshot(diskSnapshotName=name, diskName="d"),
        lambda aws, name: aws.client("lightsail").delete_disk_snapshot(diskSnapshotName=name),
    ),
    Kind(
        "aws.lightsail.snapshot",
        "lightsail:GetInstanceSnapshots",
        20,
        lambda aws: aws.client("lightsail").create_instances(
            instanceNames=["i"], availabilityZone="us-east-1a", blueprintId="debian", bundleId="nano"
        ),
        lambda aws, name: aws.client("lightsail").create_instance_snapshot(instanceSnapshotName=name, instanceName="i"),
        lambda aws, name: aws.client("lightsail").delete_instance_snapshot(instanceSnapshotName=name),
    ),
    Kind(
        "aws.lightsail.snapshot",
        "lightsail:GetRelationalDatabaseSnapshots",
        20,
        lambda aws: aws.client("lightsail").create_relational_database(
            relationalDatabaseName="r",
            relationalDatabaseBlueprintId="postgres_16",
            relationalDatabaseBundleId="micro",
            masterDatabaseName="main",
            masterUsername="owner",
        ),
        lambda aws, name: aws.client("lightsail").create_relational_database_snapshot(
            relationalDatabaseSnapshotName=name, relationalDatabaseName="r"
        ),
        lambda aws, name: aws.client("lightsail").delete_relational_database_snapshot(
            relationalDatabaseSnapshotName=name
        ),
    ),
    Kind(
        "aws.dynamodb.backup",
        "dynamodb:ListBackups",
        100,
        _table,
        lambda aws, name: aws.client("dynamodb").create_backup(TableName="carts", BackupName=name),
        _table_delete,
    ),
)
