"""RDS snapshots that others share with us."""

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, PARTNER, Aws
from tests.collect.aws.databases import LOGIN

KIND = "aws.rds.incoming-snapshot"
LISTS = ("rds:DescribeDBSnapshots", "rds:DescribeDBClusterSnapshots")


def _instance(aws: Aws, account: str, *names: str) -> None:
    rds = aws.client("rds", account)
    rds.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t3.small", Engine="postgres", AllocatedStorage=20, **LOGIN
    )
    for name in names:
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name)


def _share(aws: Aws, account: str, name: str, *whom: str) -> None:
    aws.client("rds", account).modify_db_snapshot_attribute(
        DBSnapshotIdentifier=name, AttributeName="restore", ValuesToAdd=list(whom)
    )


def test_those_that_name_us_and_no_others(aws: Aws) -> None:
    other = aws.member()
    _instance(aws, other, "ours-too", "partners", "private")
    _share(aws, other, "ours-too", ACCOUNT, PARTNER)
    _share(aws, other, "partners", PARTNER)
    _instance(aws, ACCOUNT, "own")

    incoming = aws.one(KIND).resource

    assert (incoming.owner, incoming.name) == (other, "ours-too")
    assert incoming.address == f"arn:aws:rds:us-east-1:{other}:snapshot:ours-too"
    assert incoming.uid == f"{incoming.subject}@incoming:{ACCOUNT}"
    assert {each.resource.name for each in aws.read("aws.rds.snapshot")} >= {"own"}
    assert incoming.uid not in {each.resource.uid for each in aws.read("aws.rds.snapshot")}


def test_a_cluster_snapshot_comes_in_too(aws: Aws) -> None:
    other = aws.member()
    rds = aws.client("rds", other)
    rds.create_db_cluster(DBClusterIdentifier="search", Engine="aurora-postgresql", **LOGIN)
    rds.create_db_cluster_snapshot(DBClusterIdentifier="search", DBClusterSnapshotIdentifier="search-monthly")
    rds.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="search-monthly", AttributeName="restore", ValuesToAdd=[ACCOUNT]
    )

    assert aws.one(KIND).resource.name == "search-monthly"


def test_what_is_shared_no_longer_is_gone_and_what_comes_back_is_another(aws: Aws) -> None:
    other = aws.member()
    _instance(aws, other, "ours-too")
    _share(aws, other, "ours-too", ACCOUNT)
    before = aws.one(KIND).resource
    rds = aws.client("rds", other)
    rds.delete_db_snapshot(DBSnapshotIdentifier="ours-too")

    assert aws.read(KIND) == []

    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="ours-too")
    _share(aws, other, "ours-too", ACCOUNT)

    after = aws.one(KIND).resource
    assert (after.address, after.uid == before.uid) == (before.address, False)


def test_more_of_them_than_one_page(aws: Aws) -> None:
    other = aws.member()
    names = [f"nightly-{number:03}" for number in range(101)]
    _instance(aws, other, *names)
    for name in names:
        _share(aws, other, name, ACCOUNT)

    assert {each.resource.name for each in aws.read(KIND)} == set(names)


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED])
def test_a_list_that_cannot_be_read_is_not_empty(aws: Aws, fault: FaultKind, operation: str) -> None:
    aws.break_(fault, operation)

    with pytest.raises(CallFailed):
        aws.read(KIND)
