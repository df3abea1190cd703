"""The story's warehouses, caches, tables and file systems, and what the thief takes of them."""

import json
from typing import Any

from snapbase.sandbox.story import Act

_LOGIN = {"MasterUsername": "owner", "MasterUserPassword": "Not-a-secret-1"}
_WAREHOUSE = "warehouse-quarter-end"
_SALES = "sales-month-end"


def seed(account: Any, region: str) -> None:
    """One source and one snapshot of each kind, shared with nobody."""
    redshift = account.client("redshift", region)
    redshift.create_cluster(ClusterIdentifier="warehouse", NodeType="ra3.large", **_LOGIN)
    redshift.create_cluster_snapshot(SnapshotIdentifier=_WAREHOUSE, ClusterIdentifier="warehouse")
    serverless = account.client("redshift-serverless", region)
    serverless.create_namespace(namespaceName="sales")
    serverless.create_snapshot(snapshotName=_SALES, namespaceName="sales")
    _seed_caches(account, region)
    lightsail = account.client("lightsail", region)
    lightsail.create_disk(diskName="blog", availabilityZone=f"{region}a", sizeInGb=8)
    lightsail.create_disk_snapshot(diskName="blog", diskSnapshotName="blog-before-the-move")
    _seed_files(account, region)


def _seed_caches(account: Any, region: str) -> None:
    elasticache = account.client("elasticache", region)
    elasticache.create_cache_cluster(
        CacheClusterId="sessions", Engine="redis", CacheNodeType="cache.t3.micro", NumCacheNodes=1
    )
    elasticache.create_snapshot(SnapshotName="sessions-before-upgrade", CacheClusterId="sessions")
    memorydb = account.client("memorydb", region)
    memorydb.create_cluster(ClusterName="scores", NodeType="db.t4g.small", ACLName="open-access")
    memorydb.create_snapshot(SnapshotName="scores-season-end", ClusterName="scores")


def _seed_files(account: Any, region: str) -> None:
    dynamodb = account.client("dynamodb", region)
    dynamodb.create_table(
        TableName="carts",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.create_backup(TableName="carts", BackupName="carts-before-sale")
    fsx = account.client("fsx", region)
    made = fsx.create_file_system(FileSystemType="LUSTRE", StorageCapacity=1200, SubnetIds=["subnet-0123456789"])
    fsx.create_backup(
        FileSystemId=made["FileSystem"]["FileSystemId"], Tags=[{"Key": "Name", "Value": "renderings, weekly"}]
    )


def attack(account: Any, region: str, outsider: str) -> tuple[Act, ...]:
    """Both warehouses are opened to `outsider`; nothing else of this file is touched."""
    account.client("redshift", region).authorize_snapshot_access(
        SnapshotIdentifier=_WAREHOUSE, AccountWithRestoreAccess=outsider
    )
    serverless = account.client("redshift-serverless", region)
    sales = next(each for each in serverless.list_snapshots()["snapshots"] if each["snapshotName"] == _SALES)
    address = sales["snapshotArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [outsider]},
        "Action": ["redshift-serverless:RestoreFromSnapshot"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    serverless.put_resource_policy(resourceArn=address, policy=policy)
    rule = "unknown-account-share"
    return (
        Act(f"let account {outsider} restore Redshift snapshot {_WAREHOUSE}", rule, _WAREHOUSE),
        Act(f"let account {outsider} restore Redshift Serverless snapshot {_SALES}", rule, address),
    )
