"""One thing seen several times is said once, with the other views named and approved with it."""

from datetime import date

from snapbase.diff import Change
from snapbase.finding import Finding
from snapbase.model import PrincipalKind, Scope
from snapbase.rules import findings
from snapbase.rules.example import SCOPE, appeared, disappeared, modified, shared
from snapbase.rules.rule import Context
from snapbase.trust import TrustClass, TrustList

SNAPSHOT = "arn:aws:ec2:eu-west-1::snapshot/snap-0a1b2c3d4e5f60718"
VAULT = Scope(SCOPE.cloud, SCOPE.account, SCOPE.location, "aws.backup.recovery-point")
BIN = Scope(SCOPE.cloud, SCOPE.account, SCOPE.location, "aws.ec2.recycled-snapshot")


def _view(change: Change, uid: str) -> Change:
    return Change(type=change.type, scope=change.scope, uid=uid, entry=change.entry, before=change.before,
                  after=change.after)  # fmt: skip


def _point() -> Change:
    return _view(appeared(VAULT, uid="vault/point", subject=SNAPSHOT), "vault/point")


def _told(*changes: Change) -> tuple[Finding, ...]:
    return findings(changes, Context(TrustList(own=frozenset({SCOPE.account})), on=date(2026, 11, 25)))


def test_a_recovery_point_and_its_snapshot_are_one_finding() -> None:
    (one,) = _told(_point(), appeared())

    assert one.subject.uid == SNAPSHOT
    assert one.also == ("vault/point",)
    assert "aws.backup.recovery-point" in one.detail
    assert set(one.covers) == {(SNAPSHOT, "presence"), ("vault/point", "presence")}


def test_a_recovery_point_whose_snapshot_is_no_news_is_said_alone() -> None:
    (one,) = _told(_point())

    assert one.subject.uid == "vault/point"


def test_a_deleted_snapshot_in_the_recycle_bin_is_not_called_destroyed() -> None:
    recycled = appeared(
        BIN, uid="bin", subject=SNAPSHOT, attributes={"state": "recycled"}, facts={"destroyed_at": "2026-12-09T00:00"}
    )

    (one,) = _told(disappeared(), _view(recycled, "bin"))

    assert one.rule == "snapshot-disappeared"
    assert "in the recycle bin until 2026-12-09" in one.detail


def test_only_being_there_is_told_once() -> None:
    """Another change of a view is news of its own."""
    edited = modified("kept_days", 30, 1, VAULT, uid="vault/point", subject=SNAPSHOT)

    assert {each.rule for each in _told(appeared(), _view(edited, "vault/point"))} == {
        "snapshot-appeared", "snapshot-modified",
    }  # fmt: skip


def test_a_shared_image_names_the_snapshots_it_gives_away() -> None:
    image = shared(PrincipalKind.ACCOUNT, "999988887777", TrustClass.UNKNOWN, facts={"snapshots": [SNAPSHOT]})

    (one,) = _told(image)

    assert one.also == (SNAPSHOT,)
    assert "snap-0a1b2c3d4e5f60718" in one.detail
