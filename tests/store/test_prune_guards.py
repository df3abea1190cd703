"""What stood in front of a share when it was approved by itself stays known, however long ago that was."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from snapbase.model import Limits, Observation, Resource, ResourceType
from snapbase.store import Store
from snapbase.store.prune import BEGINNING, Wanted, prune
from tests.store.test_candidates import (
    CLOSED,
    KEY,
    KEYS,
    OPEN,
    STANDING,
    TRUST,
    TWICE,
    Desk,
    Player,
    _keyed,
    _shared,
    _step,
    desk,
)
from tests.store.world import EUROPE, grant, minute, reading, seen, snapshot, url_of

__all__ = ["desk"]

OTHER = "arn:aws:kms:eu-west-1:111122223333:key/2"


def _forget(desk: Desk) -> None:
    """Everything that is over by now."""
    url = url_of(desk.store)
    prune(url, Wanted(minute(desk.now), events_before=BEGINNING, heard_since=minute(desk.now)))


def _told(desk: Desk) -> set[tuple[str, str]]:
    return {(each.subject.uid, each.change.type) for each in desk.report().findings}


def _approve_share(desk: Desk, share: Observation, *, behind: Limits) -> None:
    """The share by itself, in a store where nothing was ever approved whole."""
    found = desk.collect(share, key=behind).findings
    desk.approve([each.id for each in found])


def test_an_approved_share_behind_a_key_is_no_news_when_the_key_s_old_policy_is_pruned(desk: Desk) -> None:
    _approve_share(desk, _keyed(), behind=OPEN)
    desk.collect(_keyed(), key=Limits(admits=(*(OPEN.admits or ()), "111122223333")))
    desk.collect(_keyed())
    assert _told(desk) == set()

    _forget(desk)

    assert _told(desk) == set()


@pytest.mark.parametrize("whole", [False, True], ids=["nothing approved whole", "approved whole before the wall"])
def test_a_wall_that_fell_is_told_also_when_its_standing_is_pruned(desk: Desk, whole: bool) -> None:
    if whole:
        desk.collect(key=OPEN)
        desk.approve()
    _approve_share(desk, _shared(KEY), behind=CLOSED)
    desk.collect(_shared(KEY), key=OPEN)
    desk.collect(_shared(KEY))
    told = _told(desk)
    assert (snapshot("a").uid, "grant-worse") in told

    _forget(desk)

    assert _told(desk) == told


def test_what_stands_in_front_of_nothing_approved_goes(desk: Desk) -> None:
    """Nor does what stood there at another time."""
    _approve_share(desk, _shared(KEY), behind=CLOSED)
    for limits in (OPEN, CLOSED, OPEN):
        number = desk.store.begin_run("", "", minute(desk.tick()))
        guards = [Resource(uid=uid, address=uid, type=ResourceType.GUARDRAIL, limits=limits) for uid in (KEY, OTHER)]
        desk.store.record(number, reading(KEYS, desk.tick(), [seen(each) for each in guards]))
        beside = seen(snapshot("b", guards=(OTHER,)), {grant()})
        desk.store.record(number, reading(EUROPE, desk.tick(), [_shared(KEY), beside]))
        desk.run = desk.store.finish_run(number, trust=TRUST, at=minute(desk.tick()))

    _forget(desk)

    kept = {uid: desk.store.history(uid) for uid in (KEY, OTHER)}
    assert {uid: len(parts) for uid, parts in kept.items()} == {KEY: 1, OTHER: 1}
    assert _versions(desk, KEY) == 2
    assert _versions(desk, OTHER) == 1


def _versions(desk: Desk, uid: str) -> int:
    with desk.store._engine.connect() as connection:
        query = "SELECT count(*) FROM version JOIN resource ON resource.id = version.resource_id WHERE uid = '{}'"
        return int(connection.exec_driver_sql(query.format(uid)).scalar_one())


FELL = [*STANDING, ("guard", 0, CLOSED), ("guard", 0, OPEN)]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, min_size=2, max_size=9))
@example(steps=FELL)
@example(steps=TWICE)
def test_a_report_is_the_same_whatever_was_pruned(fresh: Callable[[], Any], steps: list[tuple[Any, ...]]) -> None:
    with fresh() as opened:
        store: Store = opened
        player = Player(store)
        player.play([("read", False, "complete", {}), *steps])
        told = player.report()

        _forget(player)

        assert player.report().findings == told.findings
