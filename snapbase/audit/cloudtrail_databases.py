"""CloudTrail event names of databases, caches, file systems and Lightsail, as `cloudtrail_names` writes them.

RDS, Aurora, DocumentDB and Neptune are all `rds.amazonaws.com`.
"""

from typing import Final

from snapbase.audit.cloudtrail_record import Find, Names, Record
from snapbase.audit.cloudtrail_shape import (
    Row,
    asked,
    both,
    bucket,
    either,
    ends_backups,
    only_if,
    own,
    parties,
    policy,
    restorers,
    retention,
    switched,
    told,
    words,
)
from snapbase.event import Action

_SHARE, _RESTORERS = restorers()


def _rds(kind: str, *names: str) -> Find:
    return own("rds", f"{kind}:", asked(*names), lower=True)


def _written(record: Record) -> Names:
    """What an export leaves in a bucket, as its collector names it."""
    sources, tasks = asked("sourceArn")(record), asked("exportTaskIdentifier")(record)
    return tuple(f"{source}/exports/{task}" for source in sources for task in tasks)


_DB, _CLUSTER = _rds("snapshot", "dBSnapshotIdentifier"), _rds("cluster-snapshot", "dBClusterSnapshotIdentifier")
_DB_MADE = either(told("dBSnapshotArn"), _DB)
_CLUSTER_MADE = either(told("dBClusterSnapshotArn"), _CLUSTER)
_DB_SOURCE = _rds("snapshot", "sourceDBSnapshotIdentifier")
_CLUSTER_SOURCE = _rds("cluster-snapshot", "sourceDBClusterSnapshotIdentifier")
_DB_COPY = either(told("dBSnapshotArn"), _rds("snapshot", "targetDBSnapshotIdentifier"))
_CLUSTER_COPY = either(told("dBClusterSnapshotArn"), _rds("cluster-snapshot", "targetDBClusterSnapshotIdentifier"))
_EITHER = both(_rds("snapshot", "snapshotIdentifier"), _rds("cluster-snapshot", "snapshotIdentifier"))
"""RestoreDBClusterFromSnapshot takes both sorts under one name."""
_PUBLIC = words("publiclyAccessible")
_KEPT = words("backupRetentionPeriod", "deletionProtection")
_ENDED = words("skipFinalSnapshot", "deleteAutomatedBackups")
_COPIED = words("sourceRegion", "kmsKeyId")
_AUTOMATED = either(
    told("dBInstanceAutomatedBackupsArn", "dBClusterAutomatedBackupsArn"),
    asked("dBInstanceAutomatedBackupsArn", "dbiResourceId", "dbClusterResourceId"),
)

_RDS: dict[str, Row] = {
    "CreateDBSnapshot": Row(Action.CREATE, made=_DB_MADE, source=asked("dBInstanceIdentifier")),
    "CreateDBClusterSnapshot": Row(Action.CREATE, made=_CLUSTER_MADE, source=asked("dBClusterIdentifier")),
    "CopyDBSnapshot": Row(Action.COPY, _DB_SOURCE, made=_DB_COPY, source=_DB_SOURCE, tell=_COPIED),
    "CopyDBClusterSnapshot": Row(
        Action.COPY, _CLUSTER_SOURCE, made=_CLUSTER_COPY, source=_CLUSTER_SOURCE, tell=_COPIED
    ),
    "ModifyDBSnapshotAttribute": Row(_SHARE, _DB, whom=_RESTORERS, tell=words("attributeName")),
    "ModifyDBClusterSnapshotAttribute": Row(_SHARE, _CLUSTER, whom=_RESTORERS, tell=words("attributeName")),
    "ModifyDBSnapshot": Row(Action.MODIFY, _DB, tell=words("engineVersion")),
    "RestoreDBInstanceFromDBSnapshot": Row(
        Action.RESTORE,
        both(_DB, _CLUSTER),
        made=asked("dBInstanceIdentifier"),
        source=both(_DB, _CLUSTER),
        tell=_PUBLIC,
    ),
    "RestoreDBClusterFromSnapshot": Row(
        Action.RESTORE, _EITHER, made=asked("dBClusterIdentifier"), source=_EITHER, tell=_PUBLIC
    ),
    "RestoreDBInstanceToPointInTime": Row(
        Action.RESTORE,
        made=asked("targetDBInstanceIdentifier"),
        source=asked("sourceDBInstanceIdentifier", "sourceDBInstanceAutomatedBackupsArn"),
        tell=_PUBLIC,
    ),
    "RestoreDBClusterToPointInTime": Row(
        Action.RESTORE, made=asked("dBClusterIdentifier"), source=asked("sourceDBClusterIdentifier"), tell=_PUBLIC
    ),
    "StartExportTask": Row(
        Action.EXPORT,
        asked("sourceArn"),
        made=_written,
        source=asked("sourceArn"),
        whom=bucket("s3BucketName"),
        tell=words("s3BucketName", "iamRoleArn"),
        started=True,
    ),
    "DeleteDBSnapshot": Row(Action.DELETE, _DB),
    "DeleteDBClusterSnapshot": Row(Action.DELETE, _CLUSTER),
    "DeleteDBInstanceAutomatedBackup": Row(Action.DELETE, _AUTOMATED, source=told("dBInstanceIdentifier")),
    "DeleteDBClusterAutomatedBackup": Row(Action.DELETE, _AUTOMATED, source=told("dBClusterIdentifier")),
    "StopDBInstanceAutomatedBackupsReplication": Row(Action.INHIBIT, asked("sourceDBInstanceArn")),
    "DeleteDBInstance": Row(
        ends_backups("deleteAutomatedBackups"),
        asked("dBInstanceIdentifier"),
        made=_rds("snapshot", "finalDBSnapshotIdentifier"),
        source=asked("dBInstanceIdentifier"),
        tell=_ENDED,
    ),
    "DeleteDBCluster": Row(
        ends_backups("deleteAutomatedBackups"),
        asked("dBClusterIdentifier"),
        made=_rds("cluster-snapshot", "finalDBSnapshotIdentifier"),
        source=asked("dBClusterIdentifier"),
        tell=_ENDED,
    ),
    "ModifyDBInstance": Row(
        retention("backupRetentionPeriod", switches=("deletionProtection",)), asked("dBInstanceIdentifier"), tell=_KEPT
    ),
    "ModifyDBCluster": Row(
        retention("backupRetentionPeriod", switches=("deletionProtection",)), asked("dBClusterIdentifier"), tell=_KEPT
    ),
    **{
        name: Row(
            Action.ENUMERATE,
            both(_DB, _CLUSTER),
            tell=words("includePublic", "includeShared", "snapshotType"),
            listing=True,
        )
        for name in (
            "DescribeDBSnapshots",
            "DescribeDBClusterSnapshots",
            "DescribeDBSnapshotAttributes",
            "DescribeDBClusterSnapshotAttributes",
            "DescribeDBInstanceAutomatedBackups",
            "DescribeDBClusterAutomatedBackups",
        )
    },
}


def _warehouse(name: str, cluster: str) -> Find:
    """`<cluster>/<snapshot>`; without the cluster, which calls need not name, the snapshot alone."""

    def found(record: Record) -> Names:
        clusters = told("clusterIdentifier", "snapshot.clusterIdentifier")(record) or asked(cluster)(record)
        prefix = f"{clusters[0]}/" if clusters else ""
        return own("redshift", f"snapshot:{prefix}", asked(name))(record)

    return found


_ARN = told("snapshotArn", "snapshot.snapshotArn")
_HOUSE = either(_ARN, asked("snapshotArn"), _warehouse("snapshotIdentifier", "snapshotClusterIdentifier"))
_HOUSE_NEW = either(_ARN, _warehouse("snapshotIdentifier", "clusterIdentifier"))
_HOUSE_SOURCE = own("redshift", "snapshot:", asked("sourceSnapshotIdentifier"))
_REDSHIFT: dict[str, Row] = {
    "CreateClusterSnapshot": Row(Action.CREATE, made=_HOUSE_NEW, source=asked("clusterIdentifier")),
    "CopyClusterSnapshot": Row(
        Action.COPY,
        _HOUSE_SOURCE,
        made=either(_ARN, _warehouse("targetSnapshotIdentifier", "sourceSnapshotClusterIdentifier")),
        source=_HOUSE_SOURCE,
    ),
    "AuthorizeSnapshotAccess": Row(Action.SHARE, _HOUSE, whom=parties("accountWithRestoreAccess")),
    "RevokeSnapshotAccess": Row(Action.UNSHARE, _HOUSE, whom=parties("accountWithRestoreAccess")),
    "ModifyClusterSnapshot": Row(Action.MODIFY, _HOUSE, tell=words("manualSnapshotRetentionPeriod")),
    "BatchModifyClusterSnapshots": Row(
        Action.MODIFY,
        own("redshift", "snapshot:", asked("snapshotIdentifierList")),
        tell=words("manualSnapshotRetentionPeriod"),
    ),
    "RestoreFromClusterSnapshot": Row(
        Action.RESTORE,
        _HOUSE,
        made=asked("clusterIdentifier"),
        source=_HOUSE,
        tell=words("ownerAccount", "publiclyAccessible"),
    ),
    "RestoreTableFromClusterSnapshot": Row(
        Action.RESTORE, _HOUSE_NEW, made=asked("clusterIdentifier"), source=_HOUSE_NEW, tell=words("newTableName")
    ),
    "DeleteClusterSnapshot": Row(Action.DELETE, _HOUSE),
    "BatchDeleteClusterSnapshots": Row(
        Action.DELETE, own("redshift", "snapshot:", asked("snapshotIdentifier", "identifiers"))
    ),
    "DeleteCluster": Row(
        switched("skipFinalClusterSnapshot", True, Action.INHIBIT, Action.MODIFY),
        asked("clusterIdentifier"),
        source=asked("clusterIdentifier"),
        tell=words("skipFinalClusterSnapshot", "finalClusterSnapshotIdentifier"),
    ),
    "ModifyCluster": Row(
        retention("automatedSnapshotRetentionPeriod"),
        asked("clusterIdentifier"),
        tell=words("automatedSnapshotRetentionPeriod", "manualSnapshotRetentionPeriod"),
    ),
    "EnableSnapshotCopy": Row(Action.POLICY, asked("clusterIdentifier"), tell=words("destinationRegion")),
    "DisableSnapshotCopy": Row(Action.INHIBIT, asked("clusterIdentifier")),
    "DeleteSnapshotSchedule": Row(Action.INHIBIT, asked("scheduleIdentifier")),
    "DescribeClusterSnapshots": Row(Action.ENUMERATE, _HOUSE, tell=words("ownerAccount"), listing=True),
}

_LESS = either(_ARN, own("redshift-serverless", "snapshot/", asked("snapshotArn", "snapshotName")))
_SERVERLESS: dict[str, Row] = {
    "CreateSnapshot": Row(Action.CREATE, made=_LESS, source=asked("namespaceName")),
    "ConvertRecoveryPointToSnapshot": Row(Action.CREATE, made=_LESS, source=asked("recoveryPointId")),
    "UpdateSnapshot": Row(Action.MODIFY, _LESS, tell=words("retentionPeriod")),
    "DeleteSnapshot": Row(Action.DELETE, _LESS),
    "RestoreFromSnapshot": Row(
        Action.RESTORE, _LESS, made=asked("namespaceName"), source=_LESS, tell=words("ownerAccount")
    ),
    "RestoreTableFromSnapshot": Row(Action.RESTORE, _LESS, made=asked("namespaceName"), source=_LESS),
    "RestoreFromRecoveryPoint": Row(Action.RESTORE, made=asked("namespaceName"), source=asked("recoveryPointId")),
    "PutResourcePolicy": Row(Action.POLICY, asked("resourceArn"), whom=policy("policy")),
    "DeleteResourcePolicy": Row(Action.UNSHARE, asked("resourceArn")),
    "CreateSnapshotCopyConfiguration": Row(Action.POLICY, asked("namespaceName"), tell=words("destinationRegion")),
    "DeleteSnapshotCopyConfiguration": Row(Action.INHIBIT, asked("snapshotCopyConfigurationId")),
    "ListSnapshots": Row(Action.ENUMERATE, asked("namespaceArn", "namespaceName"), listing=True),
}

_FILES = own("fsx", "backup/", asked("backupId"))
_FILES_MADE = either(told("backup.resourceARN"), own("fsx", "backup/", told("backup.backupId")))
_FILES_SOURCE = own("fsx", "backup/", asked("sourceBackupId"))
_FSX: dict[str, Row] = {
    "CreateBackup": Row(Action.CREATE, made=_FILES_MADE, source=asked("fileSystemId", "volumeId")),
    "CopyBackup": Row(Action.COPY, _FILES_SOURCE, made=_FILES_MADE, source=_FILES_SOURCE, tell=_COPIED),
    "DeleteBackup": Row(Action.DELETE, _FILES),
    "CreateFileSystemFromBackup": Row(Action.RESTORE, _FILES, made=told("fileSystem.fileSystemId"), source=_FILES),
    "CreateVolumeFromBackup": Row(Action.RESTORE, _FILES, made=told("volume.volumeId"), source=_FILES),
    "CreateSnapshot": Row(Action.CREATE, made=told("snapshot.resourceARN"), source=asked("volumeId")),
    "DeleteSnapshot": Row(Action.DELETE, asked("snapshotId")),
    "RestoreVolumeFromSnapshot": Row(
        Action.RESTORE, asked("snapshotId"), made=asked("volumeId"), source=asked("snapshotId")
    ),
    "UpdateFileSystem": Row(
        retention(
            *(
                f"{each}.automaticBackupRetentionDays"
                for each in (
                    "windowsConfiguration",
                    "lustreConfiguration",
                    "ontapConfiguration",
                    "openZFSConfiguration",
                )
            )
        ),
        asked("fileSystemId"),
    ),
    "DescribeBackups": Row(Action.ENUMERATE, own("fsx", "backup/", asked("backupIds")), listing=True),
}

_TABLE = either(told("backupDetails.backupArn"), asked("backupArn"))
_BACKUP = asked("backupArn")
_DYNAMODB: dict[str, Row] = {
    "CreateBackup": Row(Action.CREATE, made=_TABLE, source=asked("tableName")),
    "DeleteBackup": Row(Action.DELETE, _BACKUP),
    "RestoreTableFromBackup": Row(Action.RESTORE, _BACKUP, made=asked("targetTableName"), source=_BACKUP),
    "RestoreTableToPointInTime": Row(
        Action.RESTORE, made=asked("targetTableName"), source=asked("sourceTableArn", "sourceTableName")
    ),
    "ExportTableToPointInTime": Row(
        Action.EXPORT,
        asked("tableArn"),
        source=asked("tableArn"),
        whom=bucket("s3Bucket"),
        tell=words("s3Bucket", "s3BucketOwner"),
        started=True,
    ),
    "UpdateContinuousBackups": Row(
        switched("pointInTimeRecoverySpecification.pointInTimeRecoveryEnabled", False, Action.INHIBIT, Action.POLICY),
        asked("tableName"),
    ),
    "ListBackups": Row(Action.ENUMERATE, asked("tableName"), listing=True),
}


def _caches(service: str, separator: str) -> dict[str, Row]:
    """ElastiCache and MemoryDB name theirs alike."""
    here = own(service, f"snapshot{separator}", asked("snapshotName"))
    origin = own(service, f"snapshot{separator}", asked("sourceSnapshotName"))
    copy = either(told("aRN", "snapshot.aRN"), own(service, f"snapshot{separator}", asked("targetSnapshotName")))
    made = either(told("aRN", "snapshot.aRN"), here)
    restored = Row(
        only_if("snapshotName", Action.RESTORE),
        here,
        made=asked("cacheClusterId", "replicationGroupId", "clusterName"),
        source=here,
    )
    return {
        "CreateSnapshot": Row(
            Action.CREATE, made=made, source=asked("cacheClusterId", "replicationGroupId", "clusterName")
        ),
        "CopySnapshot": Row(
            lambda record: Action.EXPORT if asked("targetBucket")(record) else Action.COPY,
            origin,
            made=copy,
            source=origin,
            whom=bucket("targetBucket"),
            tell=words("targetBucket"),
        ),
        "DeleteSnapshot": Row(Action.DELETE, made),
        "CreateCacheCluster": restored,
        "CreateReplicationGroup": restored,
        "CreateCluster": restored,
        "DescribeSnapshots": Row(Action.ENUMERATE, here, listing=True),
    }


_LESS_CACHE = own("elasticache", "serverlesssnapshot:", asked("serverlessCacheSnapshotName"))
_LESS_CACHE_MADE = either(told("serverlessCacheSnapshot.aRN"), _LESS_CACHE)
_LESS_CACHE_SOURCE = own("elasticache", "serverlesssnapshot:", asked("sourceServerlessCacheSnapshotName"))
_LESS_CACHE_COPY = either(
    told("serverlessCacheSnapshot.aRN"),
    own("elasticache", "serverlesssnapshot:", asked("targetServerlessCacheSnapshotName")),
)
_ELASTICACHE: dict[str, Row] = {
    **_caches("elasticache", ":"),
    "CreateServerlessCacheSnapshot": Row(Action.CREATE, made=_LESS_CACHE_MADE, source=asked("serverlessCacheName")),
    "CopyServerlessCacheSnapshot": Row(
        Action.COPY, _LESS_CACHE_SOURCE, made=_LESS_CACHE_COPY, source=_LESS_CACHE_SOURCE
    ),
    "DeleteServerlessCacheSnapshot": Row(Action.DELETE, _LESS_CACHE),
    "ExportServerlessCacheSnapshot": Row(
        Action.EXPORT, _LESS_CACHE, source=_LESS_CACHE, whom=bucket("s3BucketName"), tell=words("s3BucketName")
    ),
    "DescribeServerlessCacheSnapshots": Row(Action.ENUMERATE, _LESS_CACHE, listing=True),
}


def _lightsail(kind: str) -> dict[str, Row]:
    """By name, unique in a region: the ARN's own last part is never in a record."""
    name = f"{kind[:1].lower()}{kind[1:]}SnapshotName"
    here = own("lightsail", f"{kind}Snapshot/", asked(name))
    source = asked(f"{kind[:1].lower()}{kind[1:]}Name")
    many = "Instances" if kind == "Instance" else kind
    made = asked("instanceNames", "diskName", "relationalDatabaseName")
    return {
        f"Create{kind}Snapshot": Row(Action.CREATE, made=here, source=source),
        f"Delete{kind}Snapshot": Row(Action.DELETE, here),
        f"Create{many}FromSnapshot": Row(Action.RESTORE, here, made=made, source=here),
        f"Get{kind}Snapshots": Row(Action.ENUMERATE, listing=True),
    }


_COPIED_HERE = both(
    own("lightsail", "InstanceSnapshot/", asked("targetSnapshotName")),
    own("lightsail", "DiskSnapshot/", asked("targetSnapshotName")),
)
_EXPORTED = both(
    own("lightsail", "InstanceSnapshot/", asked("sourceSnapshotName")),
    own("lightsail", "DiskSnapshot/", asked("sourceSnapshotName")),
)
_LIGHTSAIL: dict[str, Row] = {
    **_lightsail("Instance"),
    **_lightsail("Disk"),
    **_lightsail("RelationalDatabase"),
    "CopySnapshot": Row(Action.COPY, both(_EXPORTED, _COPIED_HERE), source=_EXPORTED, tell=_COPIED),
    "ExportSnapshot": Row(Action.EXPORT, _EXPORTED, source=_EXPORTED),
    "DeleteAutoSnapshot": Row(Action.DELETE, source=asked("resourceName"), tell=words("resourceName", "date")),
    "DisableAddOn": Row(
        switched("addOnType", "AutoSnapshot", Action.INHIBIT, ""),
        source=asked("resourceName"),
        tell=words("resourceName"),
    ),
}

DATABASES: Final[dict[str, dict[str, Row]]] = {
    "rds.amazonaws.com": _RDS,
    "redshift.amazonaws.com": _REDSHIFT,
    "redshift-serverless.amazonaws.com": _SERVERLESS,
    "fsx.amazonaws.com": _FSX,
    "dynamodb.amazonaws.com": _DYNAMODB,
    "elasticache.amazonaws.com": _ELASTICACHE,
    "memorydb.amazonaws.com": _caches("memorydb", "/"),
    "memory-db.amazonaws.com": _caches("memorydb", "/"),
    "lightsail.amazonaws.com": _LIGHTSAIL,
}
