"""The engines and types of snapshots that one RDS API serves, each snapshot counted once."""

from dataclasses import replace

from snapbase.collect.aws import rds, rds_snapshot
from snapbase.model import Principal, PrincipalKind
from tests.collect.aws.account import OUTSIDER, Aws, grants

LOGIN = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret"}


def _instance(aws: Aws, *snapshots: str) -> None:
    client = aws.client("rds")
    client.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t3.small", Engine="postgres", AllocatedStorage=20, **LOGIN
    )
    for name in snapshots:
        client.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name)


def test_a_neptune_snapshot_comes_through_rds_with_its_sharing(aws: Aws) -> None:
    neptune = aws.client("neptune")
    neptune.create_db_cluster(DBClusterIdentifier="graph", Engine="neptune")
    neptune.create_db_cluster_snapshot(DBClusterIdentifier="graph", DBClusterSnapshotIdentifier="graph-monthly")
    aws.client("rds").modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="graph-monthly", AttributeName="restore", ValuesToAdd=[OUTSIDER]
    )

    seen = {each.resource.name: each for each in aws.read("aws.rds.cluster-snapshot")}

    assert seen["graph-monthly"].resource.attributes["engine"] == "neptune"
    assert {each.principal for each in grants(seen["graph-monthly"])} == {Principal(PrincipalKind.ACCOUNT, OUTSIDER)}
    assert aws.read("aws.rds.snapshot") == []


def test_a_snapshot_that_two_passes_list_is_one(aws: Aws) -> None:
    _instance(aws, "weekly", "monthly")
    passes = ("", "manual", "automated")

    seen = list(rds.read(aws.region(), replace(rds_snapshot.INSTANCE, passes=passes)))

    assert len(seen) == len({each.resource.uid for each in seen}) == 3


def test_snapshots_of_aws_backup_are_read_in_a_pass_of_their_own(aws: Aws) -> None:
    _instance(aws, "weekly", "job-1")
    aws.mark_as_backup("job-1")

    seen = {str(each.resource.name): each.resource for each in aws.read("aws.rds.snapshot")}

    assert seen["job-1"].origin == "aws-backup"
    assert seen["job-1"].inferred is not None
    assert seen["weekly"].inferred is None
