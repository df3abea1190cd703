"""Whatever an attacker can get into a log: an event, something named as broken, or nothing; never an exception."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.cloudtrail_names import NAMES
from snapbase.audit.log import Broken, Parsed
from snapbase.event import Action, ActorKind, Event, Result
from tests.audit.cloudtrail_records import OTHER, SNAPSHOT, record, service_event, session, share

SEEDS = [
    share({"group": "all"}, {"userId": OTHER}),
    share({"userId": OTHER}, way="remove"),
    record("rds", "ModifyDBSnapshotAttribute", {"attributeName": "restore", "valuesToAdd": [OTHER]}),
    record("ec2", "CreateSnapshots", {"x": 1}, {"snapshotSet": {"items": [{"snapshotId": SNAPSHOT}]}}),
    record("backup", "PutBackupVaultAccessPolicy", {"backupVaultName": "v", "policy": '{"Statement": []}'}),
    record("kms", "PutKeyPolicy", {"policy": {"Statement": {"Effect": "Allow", "Principal": "*"}}}),
    service_event("ec2", "SharedSnapshotVolumeCreated", {"snapshotId": SNAPSHOT}, actor=OTHER),
    service_event("backup", "RestoreCompleted", {"state": "COMPLETED"}),
    record("ec2", "DescribeSnapshots", {"snapshotSet": {}}, userIdentity=session("aws-service-role/x/y")),
]
FIELDS = st.sampled_from(
    ["items", "item", "content", "userId", "group", "snapshotId", "Statement", "Principal", "AWS", "add", "remove"]
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "all", "*", "arn:", "arn:::::::", "\x00", "\ud800", "x" * 5_000, OTHER, SNAPSHOT, "0" * 4_000]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | FIELDS, inner, max_size=4),
    max_leaves=8,
)


def check(read: Parsed) -> None:
    if read is None:
        return
    if isinstance(read, Broken):
        assert read.why
        return
    assert isinstance(read, Event)
    assert read.id
    assert read.at.utcoffset() is not None
    assert read.action in set(Action)
    assert read.result in set(Result)
    assert read.actor.kind in set(ActorKind)
    assert len(read.subjects) <= 200
    assert len(read.targets) <= 200
    assert len(read.detail) <= 500
    assert len(read.user_agent) <= 300
    assert all(read.subjects)
    assert list(AUDIT_LOG.fold([read, read]))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += paths(inner, (*path, key))
    return found


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_records_are_read_or_named(data: st.DataObject) -> None:
    mutated = copy.deepcopy(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(mutated)))
        holder: Any = mutated
        for key in path[:-1]:
            holder = holder[key]
        if data.draw(st.booleans()) and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = data.draw(JUNK)
        if not mutated:
            break
    if AUDIT_LOG.recognise(mutated):
        check(AUDIT_LOG.parse(mutated))


@pytest.mark.parametrize("part", ["requestParameters", "responseElements", "serviceEventDetails", "userIdentity"])
@settings(max_examples=30, deadline=None)
@given(junk=JUNK)
def test_every_event_name_survives_any_parameters(part: str, junk: Any) -> None:
    for source, rows in NAMES.items():
        for name in rows:
            raw = record(source.partition(".")[0], name, {}, {}, **{part: junk})
            check(AUDIT_LOG.parse({**raw, "eventSource": source}))


def test_deep_nesting_and_huge_lists_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = {"items": [deep]}
    wide = {"items": [{"userId": f"{n:012}"} for n in range(50_000)]}

    for permission in (deep, {"add": deep}, {"add": wide}):
        read = AUDIT_LOG.parse(
            record("ec2", "ModifySnapshotAttribute", {"snapshotId": deep, "createVolumePermission": permission})
        )
        check(read)
    names = {"snapshotSet": {"items": [{"snapshotId": f"snap-{n}"} for n in range(50_000)]}}
    check(AUDIT_LOG.parse(record("ec2", "DescribeSnapshots", names)))
