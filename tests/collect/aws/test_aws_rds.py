"""RDS snapshots of instances and clusters."""

from snapbase.sandbox.aws.story import OUTSIDER
from tests.collect.aws.reader import PUBLIC, Amazon, accounts, holders, read


def test_more_snapshots_than_one_page(amazon: Amazon) -> None:
    rds = amazon.client("rds")
    for number in range(101):
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=f"nightly-{number}")

    seen = read(amazon.region(), "aws.rds.snapshot")

    for number in range(101):
        rds.delete_db_snapshot(DBSnapshotIdentifier=f"nightly-{number}")
    assert len([name for name in seen if name.startswith("nightly-")]) == 101


def test_types_and_a_name_that_came_back(amazon: Amazon) -> None:
    rds = amazon.client("rds")
    before = read(amazon.region(), "aws.rds.snapshot")
    rds.delete_db_snapshot(DBSnapshotIdentifier="orders-before-upgrade")
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="orders-before-upgrade")
    after = read(amazon.region(), "aws.rds.snapshot")

    old, new = before["orders-before-upgrade"].resource, after["orders-before-upgrade"].resource
    assert old.address == new.address
    assert old.uid != new.uid
    automated = next(each.resource for name, each in before.items() if name.startswith("rds:"))
    assert automated.origin == "rds-automated"
    assert automated.inferred is not None


def test_cluster_snapshots_with_a_public_and_an_account_grant(amazon: Amazon) -> None:
    amazon.client("rds").modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="search-monthly", AttributeName="restore", ValuesToAdd=["all", OUTSIDER]
    )

    monthly = read(amazon.region(), "aws.rds.cluster-snapshot")["search-monthly"]

    assert holders(monthly) == {PUBLIC, *accounts(OUTSIDER)}
