"""What is deleted into the recycle bin, the rules that put it there, and the locks that forbid deleting at all."""

import time
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Observation, ResourceType
from snapbase.sandbox.aws.shelf import shelf
from snapbase.sandbox.aws.wire import Call
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import ACCOUNT, HOME, HOSTILE, Aws

RECYCLED = "aws.ec2.recycled-snapshot"
RULE = "aws.rbin.rule"
LOCK = "aws.ec2.snapshot-lock"


def _rule(aws: Aws, days: int = 7, kind: str = "EBS_SNAPSHOT", description: str = "", locked: bool = False) -> str:
    lock = {"LockConfiguration": {"UnlockDelay": {"UnlockDelayValue": 7, "UnlockDelayUnit": "DAYS"}}} if locked else {}
    period = {"RetentionPeriodValue": days, "RetentionPeriodUnit": "DAYS"}
    made = aws.client("rbin").create_rule(ResourceType=kind, RetentionPeriod=period, Description=description, **lock)
    return str(made["Identifier"])


def test_a_deleted_snapshot_is_in_the_bin_and_not_destroyed(aws: Aws) -> None:
    _rule(aws)
    snapshot = aws.snapshot()
    uid = aws.one("aws.ec2.snapshot").resource.uid
    aws.client("ec2").delete_snapshot(SnapshotId=snapshot)

    seen = aws.one(RECYCLED).resource

    assert aws.read("aws.ec2.snapshot") == []
    assert (seen.subject, seen.address) == (uid, uid)
    assert seen.uid != uid
    assert seen.facts["destroyed_at"]


def test_without_a_rule_deleted_is_destroyed(aws: Aws) -> None:
    aws.client("ec2").delete_snapshot(SnapshotId=aws.snapshot())

    assert aws.read(RECYCLED) == []


def test_deleted_again_after_a_restore_is_another_stay_in_the_bin(aws: Aws) -> None:
    _rule(aws)
    snapshot, ec2 = aws.snapshot(), aws.client("ec2")
    ec2.delete_snapshot(SnapshotId=snapshot)
    bin_ = shelf(Call(ACCOUNT, HOME, "ec2", "DeleteSnapshot", b"", {}), "recycled")
    bin_[snapshot]["RecycleBinEnterTime"] -= timedelta(hours=1)
    before = aws.one(RECYCLED).resource
    ec2.restore_snapshot_from_recycle_bin(SnapshotId=snapshot)
    assert len(aws.read("aws.ec2.snapshot")) == 1
    ec2.delete_snapshot(SnapshotId=snapshot)

    assert aws.one(RECYCLED).resource.uid != before.uid


def test_pages_of_the_bin(aws: Aws) -> None:
    _rule(aws)
    for _ in range(6):
        aws.client("ec2").delete_snapshot(SnapshotId=aws.snapshot())

    listed = aws.region().pages("ec2", "ListSnapshotsInRecycleBin", "Snapshots", MaxResults=5)

    assert len({each["SnapshotId"] for each in listed}) == 6
    assert len(aws.read(RECYCLED)) == 6


def test_rules_of_every_type_are_guardrails(aws: Aws) -> None:
    _rule(aws, 7, description=HOSTILE)
    _rule(aws, 14, "EC2_IMAGE", locked=True)
    _rule(aws, 21, "EBS_VOLUME")

    seen = [each.resource for each in aws.read(RULE)]

    assert {each.type for each in seen} == {ResourceType.GUARDRAIL}
    assert {each.attributes["resource_type"]: each.attributes["retention_days"] for each in seen} == {
        "EBS_SNAPSHOT": 7,
        "EC2_IMAGE": 14,
        "EBS_VOLUME": 21,
    }
    assert [each.attributes["deletion_protection"] for each in seen] == [False, True, False]
    assert seen[0].name == HOSTILE


def test_a_pending_unlock_is_seen_before_it_ends(aws: Aws) -> None:
    rule = _rule(aws, locked=True)
    aws.client("rbin").unlock_rule(Identifier=rule)

    resource = aws.one(RULE).resource

    assert resource.attributes["deletion_protection"] is False
    assert resource.facts["lock_ends_at"]


def test_the_end_of_a_lock_reads_alike_wherever_the_collector_runs(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = _rule(aws, locked=True)
    aws.client("rbin").unlock_rule(Identifier=rule)
    ends = []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        ends.append(aws.one(RULE).resource.facts["lock_ends_at"])
    monkeypatch.undo()
    time.tzset()

    assert ends[0] == ends[1]


def test_pages_of_rules(aws: Aws) -> None:
    made = {_rule(aws) for _ in range(3)}

    listed = aws.region().pages("rbin", "ListRules", "Rules", ResourceType="EBS_SNAPSHOT", MaxResults=2)

    assert {each["Identifier"] for each in listed} == made


def test_a_rule_deleted_since_it_was_listed_is_left_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = _rule(aws, 1), _rule(aws, 2)
    aws.before("GetRule", lambda: aws.client("rbin").delete_rule(Identifier=gone), monkeypatch)

    assert [each.resource.uid.rpartition("/")[2] for each in aws.read(RULE)] == [kept]


@pytest.mark.parametrize(
    ("mode", "hours", "state"),
    [("governance", None, "governance"), ("compliance", 3, "compliance-cooloff"), ("compliance", None, "compliance")],
)
def test_a_lock_says_how_firm_it_is_and_until_when(aws: Aws, mode: str, hours: int | None, state: str) -> None:
    snapshot = aws.snapshot()
    cool_off = {"CoolOffPeriod": hours} if hours else {}
    aws.client("ec2").lock_snapshot(SnapshotId=snapshot, LockMode=mode, LockDuration=30, **cool_off)

    lock = aws.one(LOCK).resource

    assert lock.type == ResourceType.GUARDRAIL
    assert lock.subject == aws.one("aws.ec2.snapshot").resource.uid
    assert (lock.attributes["lock"], lock.attributes["lock_days"]) == (state, 30)
    assert ("cool_off_until" in lock.facts) == bool(hours)
    with pytest.raises(ClientError):
        aws.client("ec2").delete_snapshot(SnapshotId=snapshot)


def test_a_lock_that_was_taken_off_is_gone_and_pages_are_followed(aws: Aws) -> None:
    ec2, snapshots = aws.client("ec2"), [aws.snapshot() for _ in range(6)]
    for each in snapshots:
        ec2.lock_snapshot(SnapshotId=each, LockMode="governance", LockDuration=1)
    assert len(list(aws.region().pages("ec2", "DescribeLockedSnapshots", "Snapshots", MaxResults=5))) == 6
    ec2.unlock_snapshot(SnapshotId=snapshots[0])

    assert len(aws.read(LOCK)) == 5


@pytest.mark.parametrize("fault", [FaultKind.DENIED, FaultKind.THROTTLED, FaultKind.TRUNCATED, FaultKind.UNIMPLEMENTED])
@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        (RECYCLED, "ec2:ListSnapshotsInRecycleBin"),
        (RULE, "rbin:ListRules"),
        (RULE, "rbin:GetRule"),
        (LOCK, "ec2:DescribeLockedSnapshots"),
    ],
)
def test_what_cannot_be_read_is_not_taken_for_gone(aws: Aws, kind: str, operation: str, fault: FaultKind) -> None:
    _rule(aws)
    aws.client("ec2").delete_snapshot(SnapshotId=aws.snapshot())
    aws.client("ec2").lock_snapshot(SnapshotId=aws.snapshot(), LockMode="governance", LockDuration=1)
    aws.break_(fault, operation)
    seen: list[Observation] = []

    with pytest.raises(CallFailed):
        seen.extend(aws.reading(kind))

    assert seen == []
