"""What the log passes over, folds, counts and names: from records in AWS's own shapes."""

from typing import Any

import pytest

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.cloudtrail_names import NAMES
from snapbase.audit.log import Broken, audit_logs
from snapbase.event import Action
from tests.audit.cloudtrail_records import (
    ACCOUNT,
    IMAGE,
    KEY,
    OTHER,
    POINT,
    RDS,
    REGION,
    SNAP,
    SNAPSHOT,
    parsed,
    record,
    service_event,
    share,
)

SUBNET = f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/subnet-0123456789abcdef0"


def test_a_completed_job_names_what_it_made_and_its_start() -> None:
    start = parsed(record("backup", "StartRestoreJob", {"recoveryPointArn": POINT}, {"restoreJobId": "job-1"}))
    details = {
        "restoreJobId": "job-1",
        "recoveryPointArn": POINT,
        "createdResourceArn": "arn:aws:x",
        "state": "COMPLETED",
    }
    end = parsed(service_event("backup", "RestoreCompleted", details))

    assert "restoreJobId=job-1" in start.detail
    assert "restoreJobId=job-1" in end.detail
    assert (end.action, end.made, end.source) == (Action.RESTORE, "arn:aws:x", POINT)


@pytest.mark.parametrize(
    ("service", "name", "request_", "ids"),
    [
        ("ec2", "DescribeSnapshots", {"snapshotSet": {}, "ownersSet": {"items": [{"owner": "self"}]}}, 0),
        ("ec2", "DescribeSnapshots", {"snapshotSet": {"items": [{"snapshotId": SNAPSHOT}]}}, 1),
        ("ec2", "DescribeSnapshots", None, 0),
        ("ec2", "DescribeSnapshotAttribute", {"snapshotId": SNAPSHOT}, 1),
        ("ec2", "DescribeImages", {"imagesSet": {"items": [{"imageId": IMAGE}, {"imageId": "ami-2"}]}}, 2),
        ("ec2", "GetSnapshotBlockPublicAccessState", {}, 1),
        ("rds", "DescribeDBSnapshots", {"includePublic": True}, 0),
        ("rds", "DescribeDBSnapshots", {"dBSnapshotIdentifier": "n"}, 1),
        ("redshift", "DescribeClusterSnapshots", {}, 0),
        ("lightsail", "GetDiskSnapshots", {}, 0),
    ],
)
def test_listings_count_what_they_ask_for(service: str, name: str, request_: Any, ids: int) -> None:
    event = parsed(record(service, name, request_, readOnly=True))

    assert (event.action, event.ids) == (Action.ENUMERATE, ids)


@pytest.mark.parametrize(
    "raw",
    [
        record("ec2", "RunInstances", {"instancesSet": {"items": [{"imageId": IMAGE}]}}),
        record("ec2", "CreateVolume", {"size": "8"}),
        record("ec2", "DescribeInstances", {}),
        record("cloudtrail", "StopLogging", {}),
        record("rds", "ModifyDBInstance", {"dBInstanceIdentifier": "o", "dBInstanceClass": "x"}),
        record("kms", "CreateGrant", {"keyId": KEY, "granteePrincipal": f"arn:aws:iam::{ACCOUNT}:role/x"}),
        record("ram", "CreateResourceShare", {"principals": [OTHER], "resourceArns": [SUBNET]}),
        record("elasticache", "CreateCacheCluster", {"cacheClusterId": "c"}),
    ],
)
def test_what_does_not_concern_us_is_passed_over(raw: dict[str, Any]) -> None:
    assert AUDIT_LOG.recognise(raw)
    assert AUDIT_LOG.parse(raw) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": 1700000000}, "eventTime"),
        ({"eventTime": "0001-01-01T00:00:00+23:59"}, "eventTime"),
        ({"recipientAccountId": "someone", "userIdentity": {}}, "account"),
        ({"recipientAccountId": ["1"], "userIdentity": "x"}, "account"),
        ({"awsRegion": None}, "awsRegion"),
        ({"eventName": ["DeleteSnapshot"]}, "eventName"),
        ({"eventSource": {}}, "eventSource"),
    ],
)
def test_what_is_broken_is_named(change: dict[str, Any], why: str) -> None:
    read = AUDIT_LOG.parse({**share({"group": "all"}), **change})

    assert isinstance(read, Broken)
    assert why in read.why


def test_addresses_follow_the_partition_and_hostile_names_stay_values() -> None:
    china = parsed(share({"userId": OTHER}, awsRegion="cn-north-1"))
    hostile = parsed(record("rds", "DeleteDBSnapshot", {"dBSnapshotIdentifier": "a:b/c\n' OR 1=1"}))

    assert china.subjects == (f"arn:aws-cn:ec2:cn-north-1::snapshot/{SNAPSHOT}",)
    assert hostile.subjects == (f"{RDS}:snapshot:a:b/c\n' or 1=1",)


def test_a_tag_cannot_name_a_snapshot() -> None:
    tags = {"tagSpecificationSet": {"items": [{"tags": [{"key": "snapshotId", "value": "snap-victim"}]}]}}

    event = parsed(record("ec2", "CreateSnapshot", {"volumeId": "vol-1", **tags}, {"snapshotId": SNAPSHOT}))

    assert event.subjects == (SNAP,)


def test_a_record_without_an_id_has_the_same_one_every_time() -> None:
    raw = share({"group": "all"})
    del raw["eventID"]

    assert parsed(raw).id == parsed(dict(raw)).id
    assert parsed(raw).id != parsed({**raw, "eventTime": "2026-03-04T05:06:08Z"}).id


def test_folding_tells_each_event_once_and_reads_of_blocks_by_the_hour() -> None:
    shares = [parsed(share({"group": "all"}, eventID=each)) for each in ("a", "b", "a")]
    blocks = [
        parsed(
            record(
                "ebs",
                "GetSnapshotBlock",
                {"snapshotId": SNAPSHOT},
                eventID=f"b{n}",
                eventTime=f"2026-03-04T0{5 + n // 3}:0{n}:00Z",
            )
        )
        for n in range(6)
    ]

    assert [each.id for each in AUDIT_LOG.fold(shares)] == ["a", "b"]
    first, again = list(AUDIT_LOG.fold(blocks)), list(AUDIT_LOG.fold(blocks[1:]))
    assert len(first) == 2
    assert {each.id for each in again} == {each.id for each in first}


def test_the_log_is_found_and_its_table_is_whole() -> None:
    assert AUDIT_LOG in audit_logs()
    told = {name for each in AUDIT_LOG.behaviours for name in each.names}
    known = {f"{source.partition('.')[0]}:{name}" for source, rows in NAMES.items() for name in rows}

    assert told == known
    assert {each.action for each in AUDIT_LOG.behaviours} == set(Action)
