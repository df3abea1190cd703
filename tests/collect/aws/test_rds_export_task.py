"""Databases that left RDS for a bucket."""

import pytest
from moto.rds.models import rds_backends

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Grant, Principal, PrincipalKind, Resource
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, HOSTILE, OUTSIDER, Aws, grants
from tests.collect.aws.databases import LOGIN

KIND = "aws.rds.export-task"
LISTS = "rds:DescribeExportTasks"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/exports"
KEY = f"arn:aws:kms:{HOME}:{OUTSIDER}:key/11111111-2222-3333-4444-555555555555"
AWAY = Grant(Principal(PrincipalKind.OTHER, "s3://away"), "read", "rds:StartExportTask")


def _snapshot(aws: Aws, name: str = "before-upgrade") -> str:
    """The ARN of a new snapshot of a new instance."""
    rds = aws.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20, **LOGIN
    )
    return str(
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name)["DBSnapshot"]["DBSnapshotArn"]
    )


def _cluster_snapshot(aws: Aws) -> str:
    rds = aws.client("rds")
    rds.create_db_cluster(DBClusterIdentifier="search", Engine="aurora-postgresql", **LOGIN)
    made = rds.create_db_cluster_snapshot(DBClusterIdentifier="search", DBClusterSnapshotIdentifier="monthly")
    return str(made["DBClusterSnapshot"]["DBClusterSnapshotArn"])


def _export(aws: Aws, source: str, name: str = "out", bucket: str = "away", **more: object) -> None:
    asked = {"ExportTaskIdentifier": name, "SourceArn": source, "S3BucketName": bucket}
    aws.client("rds").start_export_task(**asked, IamRoleArn=ROLE, KmsKeyId=KEY, **more)


def _resources(aws: Aws, kind: str) -> list[Resource]:
    return [each.resource for each in aws.read(kind)]


def _task(name: str = "out") -> object:
    """Moto's own, to be made otherwise."""
    return rds_backends[ACCOUNT][HOME].export_tasks[name]


def test_a_task_names_the_bucket_the_role_and_the_key(aws: Aws) -> None:
    source = _snapshot(aws)
    _export(aws, source, S3Prefix="q3/", ExportOnly=["sales.orders"])

    seen = aws.one(KIND)

    resource = seen.resource
    assert grants(seen) == {AWAY}
    assert (resource.address, resource.source, resource.name, resource.owner) == (source, source, "out", ACCOUNT)
    assert (resource.key, resource.encrypted, resource.origin) == (KEY, True, "rds-export")
    assert resource.attributes == {"role": ROLE, "source_type": "SNAPSHOT"}
    assert resource.facts == {"prefix": "q3/", "only": ["sales.orders"]}
    assert resource.subject == next(e.uid for e in _resources(aws, "aws.rds.snapshot") if e.address == source)
    assert resource.uid.startswith(f"{source}/exports/out@")


def test_a_cluster_snapshot_is_a_snapshot_too(aws: Aws) -> None:
    source = _cluster_snapshot(aws)
    _export(aws, source)

    seen = aws.one(KIND).resource

    assert seen.subject == next(e.uid for e in _resources(aws, "aws.rds.cluster-snapshot") if e.address == source)


def test_each_export_of_a_snapshot_is_one_of_its_own(aws: Aws) -> None:
    source = _snapshot(aws)
    _export(aws, source, "first")
    _export(aws, source, HOSTILE, "elsewhere")

    seen = {each.resource.name: each for each in aws.read(KIND)}

    assert grants(seen["first"]) == {AWAY}
    assert next(iter(grants(seen[HOSTILE]))).principal.id == "s3://elsewhere"


@pytest.mark.parametrize(
    ("status", "counts"), [("complete", True), ("in_progress", True), ("canceled", True), ("failed", False)]
)
def test_what_may_have_been_written_counts(aws: Aws, status: str, counts: bool) -> None:
    _export(aws, _snapshot(aws))
    _task().status = status  # type: ignore[attr-defined]

    assert bool(aws.read(KIND)) == counts


def test_progress_changes_nothing(aws: Aws) -> None:
    _export(aws, _snapshot(aws))
    _task().status = "in_progress"  # type: ignore[attr-defined]
    before = aws.one(KIND)
    _task().status = "complete"  # type: ignore[attr-defined]

    assert aws.one(KIND) == before


def test_a_task_that_has_not_started_is_not_counted_yet(aws: Aws) -> None:
    _export(aws, _snapshot(aws))
    _task().status, _task().created_at = "starting", None  # type: ignore[attr-defined]

    assert aws.read(KIND) == []


def test_more_of_them_than_one_page(aws: Aws) -> None:
    source = _snapshot(aws)
    for number in range(103):
        _export(aws, source, f"out-{number:03}")

    assert len(aws.read(KIND)) == 103


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
def test_a_list_that_cannot_be_read_is_not_empty(aws: Aws, fault: FaultKind) -> None:
    _export(aws, _snapshot(aws))
    aws.break_(fault, LISTS)

    with pytest.raises(CallFailed):
        aws.read(KIND)
