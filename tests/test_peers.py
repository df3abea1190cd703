"""Defects that were read in other tools, shown not to be here: a sandbox cloud, the real SDK, the store, the rules.

Those that need no cloud, and what other tests already prove, are in `test_peers_proven.py`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from snapbase.collect.aws.session import Region
from snapbase.finding import Severity
from snapbase.operations import approve as approving
from snapbase.operations.diff import against_baseline, diff, exit_code
from snapbase.rules import public_share
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, OUTSIDER, REGIONS
from snapbase.sandbox.faults import Fault, FaultKind
from snapbase.settings import TrustedAccount
from snapbase.store import Store
from tests.peer_world import CLUSTER, EBS, ELSEWHERE, EVERYONE, HOME, IMAGE, RDS, Estate, World, about, said, started


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with started() as estate:
        yield estate


@pytest.fixture
def world(estate: Estate, tmp_path: Path) -> Iterator[World]:
    with Store.open(f"sqlite:///{tmp_path}/snapbase.db", write=True) as store:
        yield World(estate, store, estate.config)
    estate.clear()


def test_a_throttled_chunk_of_shares_stays_in_the_report(world: World) -> None:
    """Cloud Custodian: a failed future of 20 or 50 snapshots is logged, and they are in no result."""
    taken = {world.estate.take() for _ in range(8)}
    for each in taken:
        world.estate.share(each, {"UserId": OUTSIDER})
    world.estate.switchboard.break_(
        Fault(FaultKind.THROTTLED, location=ELSEWHERE, operation="ec2:DescribeSnapshotAttribute", skip=3)
    )

    report = world.report()

    states = {name: each for name, each in world.states().items() if name in taken}
    unread = {name for name, each in states.items() if each.grants is None}
    assert set(states) == taken
    assert unread
    assert taken - unread
    assert {each.subject.uid.rpartition("/")[2] for each in about(report, *taken)} == taken
    assert {rule for rule, _ in said(report, *unread)} == {"sharing-unreadable"}
    assert not report.complete


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        (RDS, "DescribeDBSnapshotAttributes"),
        (CLUSTER, "DescribeDBClusterSnapshotAttributes"),
        (IMAGE, "DescribeImageAttribute"),
    ],
)
def test_one_that_is_gone_meanwhile_hides_no_other(
    world: World, kind: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prowler: one NotFound ends the loop over a region's cluster snapshots, the rest passes as not public.

    Cloud Custodian and ScoutSuite lose a chunk, or the region, by it.
    """
    world.kinds = (kind,)
    name, other, delete = _pair(world.estate, kind)
    done: list[object] = []
    real = Region.call

    def call(region: Region, service: str, asked: str, **parameters: Any) -> dict[str, Any]:
        if asked == operation and name in parameters.values() and not done:
            done.append(delete())
        return real(region, service, asked, **parameters)

    monkeypatch.setattr(Region, "call", call)
    report = world.report()

    assert done
    addresses = {each.resource.address for each in world.states(kind).values()}
    assert not [each for each in addresses if each.endswith(name)]
    seen = [each for each in world.states(kind).values() if each.resource.address.endswith(other)]
    assert [len(each.grants or ()) for each in seen] == [1]
    assert report.complete


def _pair(estate: Estate, kind: str) -> tuple[str, str, Callable[[], Any]]:
    """One that goes, one that is shared and stays, and what makes the first go."""
    if kind == IMAGE:
        ec2 = estate.client("ec2")
        gone, stays = (ec2.register_image(Name=name)["ImageId"] for name in ("goes", "stays"))
        ec2.modify_image_attribute(ImageId=stays, LaunchPermission={"Add": [{"UserId": OUTSIDER}]})
        return gone, stays, lambda: ec2.deregister_image(ImageId=gone)
    rds = estate.client("rds")
    login = {"MasterUsername": "owner", "MasterUserPassword": "not-a-secret"}
    share = {"AttributeName": "restore", "ValuesToAdd": [OUTSIDER]}
    if kind == RDS:
        size = {"DBInstanceClass": "db.t3.small", "AllocatedStorage": 20}
        rds.create_db_instance(DBInstanceIdentifier="peers", Engine="postgres", **size, **login)
        for name in ("goes", "stays"):
            rds.create_db_snapshot(DBInstanceIdentifier="peers", DBSnapshotIdentifier=name)
        rds.modify_db_snapshot_attribute(DBSnapshotIdentifier="stays", **share)
        return "goes", "stays", lambda: rds.delete_db_snapshot(DBSnapshotIdentifier="goes")
    rds.create_db_cluster(DBClusterIdentifier="peers", Engine="aurora-postgresql", **login)
    for name in ("goes", "stays"):
        rds.create_db_cluster_snapshot(DBClusterIdentifier="peers", DBClusterSnapshotIdentifier=name)
    rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier="stays", **share)
    return "goes", "stays", lambda: rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="goes")


def test_an_old_public_snapshot_behind_many_newer_ones_is_found(world: World) -> None:
    """Prowler: `max_ebs_snapshots` looks at the newest only; older public ones are missed."""
    oldest = world.estate.take()
    world.estate.share(oldest, EVERYONE)
    newer = {world.estate.take() for _ in range(12)}

    report = world.report()

    assert said(report, oldest) == [("public-share", "critical")]
    assert {*newer, oldest} <= set(world.states())


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        ([EVERYONE, {"UserId": OUTSIDER}], [("public-share", "critical"), ("unknown-account-share", "critical")]),
        ([{"UserId": OUTSIDER}], [("unknown-account-share", "critical")]),
        ([EVERYONE], [("public-share", "critical")]),
        ([{"UserId": MEMBER}], []),
    ],
)
def test_everyone_and_somebody_are_told_apart_and_both_said(
    world: World, holders: list[dict[str, str]], expected: list[tuple[str, str]]
) -> None:
    """Steampipe: public only where the list is exactly `all`, strangers are but info.

    Cloud Custodian: `everyone_only` was wrong for EBS, then for RDS. The owner's own id in a list is no share.
    """
    taken = world.estate.take()
    world.estate.share(taken, *holders)

    assert said(world.report(), taken) == expected


def test_another_name_is_no_deletion_and_no_new_snapshot(world: World) -> None:
    """Security Monkey: the Name tag is part of the identity, so a retag is a deletion and a creation."""
    taken = world.estate.take()
    world.estate.share(taken, {"UserId": OUTSIDER})
    world.report()
    world.approve()
    world.estate.client("ec2").create_tags(Resources=[taken], Tags=[{"Key": "Name", "Value": "renamed"}])

    report = world.report()

    assert {(each.rule, each.severity) for each in report.findings} == {("snapshot-modified", "info")}
    assert len(about(report, taken)) == len(report.findings)


def test_the_public_sweep_keeps_its_question_on_every_page(world: World) -> None:
    """aws-config-rules: the next page is asked for with the token alone, and is one of everything."""
    public = {world.estate.take() for _ in range(7)}
    for each in public:
        world.estate.share(each, EVERYONE)
        world.estate.take()
    asked = {"OwnerIds": ["self"], "RestorableByUserIds": ["all"], "MaxResults": 5}

    swept = [str(each["SnapshotId"]) for each in world.region().pages("ec2", "DescribeSnapshots", "Snapshots", **asked)]

    assert public <= set(swept)
    assert len(swept) == len(set(swept)) > 5
    every = world.estate.client("ec2").describe_snapshots(OwnerIds=["self"], RestorableByUserIds=["all"])["Snapshots"]
    assert set(swept) == {each["SnapshotId"] for each in every}


def test_every_long_list_is_asked_for_in_pages_and_of_our_own_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steampipe: without MaxResults AWS sends every snapshot in one answer; Cartography: forgot OwnerIds."""
    theirs = world.estate.take(MANAGEMENT)
    world.estate.share(theirs, {"UserId": MEMBER}, account=MANAGEMENT)
    asked: list[tuple[str, dict[str, Any]]] = []
    real = Region.call

    def call(region: Region, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        asked.append((operation, parameters))
        return real(region, service, operation, **parameters)

    monkeypatch.setattr(Region, "call", call)
    world.kinds = (EBS, IMAGE, RDS, CLUSTER, "aws.ec2.incoming-snapshot")
    world.report()

    lists = [(name, told) for name, told in asked if name in ("DescribeSnapshots", "DescribeImages")]
    assert lists
    assert all("MaxResults" in told or "SnapshotIds" in told for _, told in lists)
    whose = {"OwnerIds", "Owners", "RestorableByUserIds", "ExecutableUsers", "SnapshotIds"}
    assert all(whose & told.keys() for _, told in lists)
    assert all("MaxRecords" in told for name, told in asked if name == "DescribeDBSnapshots")
    assert theirs not in world.states()
    assert theirs in world.states("aws.ec2.incoming-snapshot")


def test_sharing_is_never_asked_for_by_more_than_the_threads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudQuery: the sharing of RDS snapshots was read a hundred at once, until everything was throttled."""
    for _ in range(12):
        world.estate.take()
    world.config = world.config.model_copy(
        update={"collect": world.config.collect.model_copy(update={"threads": 6, "give_up_after": 60})}
    )
    lock, now, most = threading.Lock(), 0, 0
    real = Region.call

    def call(region: Region, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        try:
            return real(region, service, operation, **parameters)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(Region, "call", call)
    world.collect()

    assert 1 < most <= 12, "a scope's own thread, and the threads that it shares with the others"


def test_a_region_that_is_not_asked_any_more_is_not_empty(world: World) -> None:
    """Cartography: `--aws-regions` without a region deletes everything that was known of it."""
    taken, world.regions = world.estate.take(), REGIONS
    world.report()
    world.approve()
    [entry] = world.config.aws
    world.config = world.config.model_copy(update={"aws": (entry.model_copy(update={"regions": (HOME,)}),)})

    report = world.report()

    assert taken in world.states()
    assert {each.rule for each in report.findings} == {"coverage-lost"}
    assert exit_code(report, fail_on="critical") == 3


def test_one_approval_on_day_one_approves_one_thing(world: World) -> None:
    """cdk-real-drift: with a file as the unit, nothing accepted was green and one thing accepted was red."""
    for _ in range(2):
        world.estate.share(world.estate.take(), {"UserId": OUTSIDER})
    before = world.report()

    world.approve(before.findings[0].id)

    after = diff(world.store, before.run, against_baseline(world.store, before.run))
    assert [each.id for each in after.findings] == [each.id for each in before.findings[1:]]
    assert exit_code(after, fail_on="low") == exit_code(before, fail_on="low") == 1


def test_what_changed_since_the_review_is_not_approved_with_it(world: World) -> None:
    """AIDE accepts the state of the moment; Tripwire refuses what moved only in its high security mode."""
    taken = world.estate.take()
    reviewed = world.collect()
    world.estate.share(taken, EVERYONE)
    world.collect()

    plan = world.plan(reviewed)
    approving.approve(world.store, plan)

    assert [each.rule for each in plan.moved] == ["public-share"]
    assert said(world.report(), taken) == [("public-share", "critical")]


def test_other_words_or_another_severity_leave_an_approval_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Security Monkey: an issue is its text and score, so a new wording orphans every justification."""
    taken, other = world.estate.take(), world.estate.take()
    for each in (taken, other):
        world.estate.share(each, EVERYONE)
    before = {each.subject.uid.rpartition("/")[2]: each for each in world.report().findings}
    world.approve(before[taken].id)
    monkeypatch.setattr(public_share, "of_exposure", lambda _: Severity.LOW)
    monkeypatch.setattr(public_share, "effect_words", lambda _: "Put differently.")

    after = world.report()

    assert not about(after, taken)
    [same] = about(after, other)
    assert (same.id, same.detail) == (before[other].id, "Put differently.")


def test_a_share_that_comes_back_after_its_end_was_approved_is_news(world: World) -> None:
    """Security Monkey: what was fixed and is broken again keeps the justification it had before."""
    taken = world.estate.take()
    world.estate.share(taken, {"UserId": OUTSIDER})
    [first] = about(world.report(), taken)
    world.approve(first.id)
    world.approve()
    world.estate.share(taken, {"UserId": OUTSIDER}, how="Remove")
    assert said(world.report(), taken) == [("share-removed", "info")]
    world.approve()

    world.estate.share(taken, {"UserId": OUTSIDER})

    assert said(world.report(), taken) == [("unknown-account-share", "critical")]


def test_trusting_somebody_makes_no_share_worse(world: World) -> None:
    """Prowler: adding an id to `trusted_account_ids` made checks fail that had passed."""
    taken = world.estate.take()
    world.estate.share(taken, {"UserId": OUTSIDER})
    world.report()
    world.approve()
    account = TrustedAccount(id=OUTSIDER, name="Lab", reason="moves in")
    trust = world.config.trust.model_copy(update={"accounts": (*world.config.trust.accounts, account)})
    world.config = world.config.model_copy(update={"trust": trust})

    assert [each.rule for each in world.report().findings] == ["trust-widened"]


def test_block_new_sharing_hides_nothing_that_is_public_already(world: World) -> None:
    """Prowler has to say it in words: one of the two states blocks what is new only, what is open stays open."""
    ec2, taken = world.estate.client("ec2"), world.estate.take()
    world.estate.share(taken, EVERYONE)
    world.kinds = (EBS, "aws.ec2.region-settings")
    found = {}
    for state in ("block-new-sharing", "block-all-sharing"):
        ec2.enable_snapshot_block_public_access(State=state)
        found[state] = said(world.report(), taken)
    ec2.disable_snapshot_block_public_access()

    assert found == {
        "block-new-sharing": [("public-share", "critical")],
        "block-all-sharing": [("public-share", "high")],
    }


@pytest.mark.parametrize(("kind", "failed"), [(EBS, "error"), (IMAGE, "failed")])
def test_one_that_gets_ready_has_not_changed(world: World, kind: str, failed: str) -> None:
    """Cartography compares whole rows: one still being made when it was approved differs as soon as it is done."""
    world.kinds = (kind,)
    taken = world.estate.take() if kind == EBS else world.estate.client("ec2").register_image(Name="new")["ImageId"]
    backend = ec2_backends[MEMBER][ELSEWHERE]
    made, field_, ready = (
        (backend.snapshots[taken], "status", "completed")
        if kind == EBS
        else (backend.amis[taken], "state", "available")
    )
    setattr(made, field_, "pending")
    world.report()
    world.approve()
    setattr(made, field_, ready)
    assert said(world.report(), taken) == []

    setattr(made, field_, failed)

    assert said(world.report(), taken) == [("snapshot-modified", "low")]
