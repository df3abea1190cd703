"""Events of audit logs: kept once, finished later, found by what they are about, forgotten in time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind
from snapbase.store import Store
from tests.store.world import EPOCH, minute

SNAPSHOT = "arn:aws:ec2:eu-west-1::snapshot/snap-1"
SHARE = Event(
    cloud="aws",
    id="e1",
    at=minute(5),
    name="ec2:ModifySnapshotAttribute",
    action=Action.SHARE,
    actor=Actor("arn:aws:sts::1:assumed-role/ops/eve", ActorKind.ROLE, "arn:aws:iam::1:role/ops"),
    account="111122223333",
    region="eu-west-1",
    source_ip="203.0.113.9",
    subjects=(SNAPSHOT,),
    targets=(Principal(PrincipalKind.ACCOUNT, "999988887777"),),
)


def test_an_event_comes_back_whole_and_is_kept_once(store: Store) -> None:
    hostile = replace(SHARE, id="e\u0000\ud800", user_agent="\u202e<script>\u0000", detail="x" * 10_000)

    assert store.add_events([SHARE, hostile, SHARE]) == 2
    assert store.add_events([SHARE, hostile]) == 0

    found = list(store.events(EPOCH, minute(60)))
    assert SHARE in found
    assert len(found) == 2


def test_an_event_of_another_cloud_may_have_the_same_id(store: Store) -> None:
    assert store.add_events([SHARE, replace(SHARE, cloud="gcp")]) == 2


def test_an_operation_that_only_began_takes_its_outcome_later(store: Store) -> None:
    store.add_events([replace(SHARE, result=Result.STARTED, subjects=())])
    store.add_events([SHARE])
    store.add_events([replace(SHARE, result=Result.STARTED)])

    assert store.events_about([SNAPSHOT]) == [SHARE]


def test_events_are_found_by_what_they_are_about_made_and_came_from(store: Store) -> None:
    copy = replace(SHARE, id="e2", at=minute(1), action=Action.COPY, subjects=(), source=SNAPSHOT, made="snap-2")
    store.add_events([SHARE, copy, replace(SHARE, id="e3", subjects=("other",))])

    assert [each.id for each in store.events_about([SNAPSHOT])] == ["e2", "e1"]
    assert [each.id for each in store.events_about(["snap-2"])] == ["e2"]
    assert store.events_about([]) == []


def test_the_window_leaves_out_its_beginning_and_takes_its_end(store: Store) -> None:
    store.add_events([replace(SHARE, id=str(at), at=minute(at)) for at in range(5)])

    assert [each.id for each in store.events(minute(1), minute(3))] == ["2", "3"]


def test_old_events_are_forgotten_with_what_they_were_about(store: Store) -> None:
    store.add_events([replace(SHARE, id="old", at=EPOCH - timedelta(days=400)), SHARE])

    assert store.prune_events(EPOCH) == 1
    assert [each.id for each in store.events_about([SNAPSHOT])] == ["e1"]


def test_a_watermark_grows_only_over_stretches_that_touch(store: Store) -> None:
    source = ("aws.cloudtrail", "111122223333", "eu-west-1")
    for since, until in ((0, 10), (8, 20), (5, 15)):
        store.mark_log(source, minute(since), minute(until))
    assert store.logs_read() == {source: (minute(0), minute(20))}

    store.mark_log(source, minute(30), minute(40))
    assert store.logs_read() == {source: (minute(30), minute(40))}


def test_what_is_too_old_to_keep_is_not_kept_again_but_takes_its_outcome_where_it_still_is(store: Store) -> None:
    begun, old = replace(SHARE, result=Result.STARTED), replace(SHARE, id="e0", at=minute(4))
    store.add_events([begun])

    assert store.add_events([SHARE, old, replace(SHARE, id="e9", at=minute(6))], since=minute(6)) == 1
    assert store.add_events([old], since=minute(4)) == 1
    assert SHARE in store.events_about([SNAPSHOT])


@pytest.mark.parametrize("result", [Result.FAILED, Result.DENIED])
def test_what_succeeds_under_the_id_of_what_failed_is_kept_whole_beside_it(store: Store, result: Result) -> None:
    """Whoever calls Azure chooses the correlation id: one failed call must not hide all that follow."""
    tried = replace(SHARE, result=result, detail="AuthorizationFailed", targets=(), subjects=("other",))
    store.add_events([tried])
    told = store.newest_event()
    done = replace(SHARE, at=minute(50))

    assert store.add_events([done]) == 1
    assert store.add_events([done, tried]) == 0

    kept = replace(done, id="e1/succeeded")
    assert store.events_about([SNAPSHOT]) == [kept]
    assert list(store.events_kept_after(told)) == [kept], "it is news to whoever knows the failure"
    assert store.events_about(["other"]) == [tried]


def test_what_succeeded_stays_so_whatever_is_said_of_it_later(store: Store) -> None:
    store.add_events([SHARE])

    assert store.add_events([replace(SHARE, result=Result.FAILED, detail="no")]) == 0
    assert store.events_about([SNAPSHOT]) == [SHARE]
