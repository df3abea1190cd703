"""RDS snapshots and clusters written to S3 buckets (StartExportTask): their tables as files outside RDS."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.plain import incarnation
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource, Scope

_FAILED = "FAILED"
_SNAPSHOT = frozenset({"snapshot", "cluster-snapshot"})


def read(region: Region, _: Scope) -> Iterator[Observation]:
    """One per task that RDS remembers to have written something. Cancelling one leaves in the bucket what it had
    written by then (RDS API reference, CancelExportTask)."""
    for task in region.pages("rds", "DescribeExportTasks", "ExportTasks", MaxRecords=100):
        # Until it starts it has written nothing, and its time, part of its identity, is missing.
        if task.get("S3Bucket") and task.get("TaskStartTime") and not _wrote_nothing(task):
            yield Observation(_resource(region, task), frozenset({_grant(str(task["S3Bucket"]))}))


def _wrote_nothing(task: dict[str, Any]) -> bool:
    return str(task.get("Status")).upper() == _FAILED and not task.get("TotalExtractedDataInGB")


def _grant(bucket: str) -> Grant:
    """Whoever may read the bucket. RDS does not say whose it is, and it can be another account's."""
    return Grant(Principal(PrincipalKind.OTHER, f"s3://{bucket}"), Access.READ, "rds:StartExportTask")


def _resource(region: Region, task: dict[str, Any]) -> Resource:
    """How far it is changes until it ends, and is left out."""
    source, name, started = str(task["SourceArn"]), str(task["ExportTaskIdentifier"]), task["TaskStartTime"]
    return Resource(
        uid=incarnation(f"{source}/exports/{name}", started),
        address=source,
        name=name,
        created_at=started,
        owner=region.account,
        source=source,
        origin="rds-export",
        encrypted=True,
        key=task.get("KmsKeyId"),
        attributes={"role": task.get("IamRoleArn"), "source_type": task.get("SourceType")},
        facts={
            name: value
            for name, value in (
                ("prefix", task.get("S3Prefix")),
                ("only", sorted(task.get("ExportOnly") or ())),
            )
            if value
        },
        subject=_subject(source, task),
    )


def _subject(source: str, task: dict[str, Any]) -> str | None:
    """The uid of the snapshot that was written out; None for a cluster, which is no snapshot."""
    made = task.get("SnapshotTime")
    return incarnation(source, made) if made and source.split(":")[5] in _SNAPSHOT else None


COLLECTOR = Collector(
    kind="aws.rds.export-task",
    title="RDS snapshots and clusters written to S3",
    where=frozenset({Where.REGIONAL}),
    read=read,
    permissions=("rds:DescribeExportTasks",),
    calls="1 per 100",
    blind=(
        "Whose the bucket is and who may read it; who started a task (the audit log says it); tasks that RDS has "
        "forgotten and those that failed, whose objects may still be there."
    ),
)
