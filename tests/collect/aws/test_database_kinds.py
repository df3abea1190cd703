"""Snapshots and backups of databases, caches and file systems: what holds for every kind of them."""

import socket
from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed, classify
from snapbase.collect.collector import collectors
from snapbase.model import Outcome
from snapbase.sandbox.faults import FaultKind
from tests.collect.aws.account import HOSTILE, Aws, collector
from tests.collect.aws.databases import KINDS, Kind

EVERY = pytest.mark.parametrize("kind", KINDS, ids=str)
UNSHARED = {"aws.fsx.backup", "aws.elasticache.snapshot", "aws.memorydb.snapshot", "aws.lightsail.snapshot"}


def _names(aws: Aws, kind: Kind) -> set[str | None]:
    return {each.resource.name for each in aws.read(kind.kind)}


@EVERY
def test_a_snapshot_is_read_and_stays_the_same(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")

    first, again = aws.one(kind.kind), aws.one(kind.kind)

    assert first == again
    assert first.grants == frozenset()
    resource = first.resource
    assert (resource.name, resource.owner) == ("monthly", aws.region().account)
    assert resource.source
    assert resource.created_at is not None
    assert resource.uid.startswith(resource.address)
    assert resource.inferred is None


@EVERY
def test_pages_are_followed_to_the_end(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    made = {f"nightly-{number:03}" for number in range(kind.page + 1)}
    for name in sorted(made):
        kind.make(aws, name)
    aws.switchboard.calls.clear()

    assert _names(aws, kind) == made
    assert len([each for each in aws.switchboard.calls if each[3] == kind.lists]) == 2


@EVERY
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FaultKind.DENIED, Outcome.DENIED),
        (FaultKind.SCP_DENIED, Outcome.DENIED),
        (FaultKind.EXPIRED, Outcome.DENIED),
        (FaultKind.THROTTLED, Outcome.THROTTLED),
        (FaultKind.DISABLED, Outcome.DISABLED),
        (FaultKind.ERROR, Outcome.FAILED),
        (FaultKind.UNIMPLEMENTED, Outcome.FAILED),
        (FaultKind.TRUNCATED, Outcome.FAILED),
        (FaultKind.RESET, Outcome.FAILED),
    ],
)
def test_a_list_that_cannot_be_read_is_not_empty(aws: Aws, kind: Kind, fault: FaultKind, outcome: Outcome) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    aws.break_(fault, kind.lists)

    with pytest.raises(CallFailed) as failed:
        aws.read(kind.kind)

    miss = classify(failed.value)
    assert miss is not None
    assert miss.outcome == outcome, miss.reason


@EVERY
def test_a_hiccup_is_waited_out(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    aws.break_(FaultKind.THROTTLED, kind.lists, times=1)

    assert _names(aws, kind) == {"monthly"}


@EVERY
def test_a_name_that_came_back_is_another_snapshot(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    before = aws.one(kind.kind).resource
    kind.delete(aws, "monthly")
    kind.make(aws, "monthly")

    assert aws.one(kind.kind).resource.uid != before.uid


@EVERY
def test_a_deleted_snapshot_is_gone(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    kind.make(aws, "weekly")
    kind.delete(aws, "weekly")

    assert _names(aws, kind) == {"monthly"}


@EVERY
def test_a_hostile_name_is_a_name(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, HOSTILE)

    assert _names(aws, kind) == {HOSTILE}


@EVERY
def test_what_is_asked_is_declared_and_only_reads(aws: Aws, kind: Kind) -> None:
    kind.prepare(aws)
    kind.make(aws, "monthly")
    region = aws.region()

    list(collector(kind.kind).read(region, None))  # type: ignore[arg-type]

    assert region.runtime.operations <= set(collector(kind.kind).permissions)
    verbs = ("Describe", "List", "Get")
    assert all(each.partition(":")[2].startswith(verbs) for each in collector(kind.kind).permissions)


def test_kinds_without_sharing_say_so() -> None:
    assert all(not each.shares for each in collectors("aws") if each.kind in {*UNSHARED, "aws.dynamodb.backup"})


@EVERY
@pytest.mark.parametrize(
    ("region", "answer", "empty"),
    [
        ("xx-nowhere-9", socket.EAI_NONAME, True),
        ("xx-nowhere-9", socket.EAI_AGAIN, False),
        ("us-east-1", socket.EAI_NONAME, False),
    ],
)
def test_a_region_without_the_service_has_none(
    aws: Aws, kind: Kind, region: str, answer: int, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where botocore knows of no endpoint and there is no such host; a broken network is no proof."""
    from snapbase.collect.aws.cloud import CLOUD
    from snapbase.settings import AwsEntry

    def lookup(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(answer, "no such name")

    handle = _handle(CLOUD.connect(AwsEntry(regions=(region,)), aws.region().runtime), region)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    reading = collector(kind.kind).read(handle, None)  # type: ignore[arg-type]

    if empty:
        assert list(reading) == []
        return
    with pytest.raises(CallFailed):
        list(reading)


def _handle(connection: Any, region: str) -> Any:
    from snapbase.collect.aws.session import Region

    return Region("123456789012", region, connection.clients)
