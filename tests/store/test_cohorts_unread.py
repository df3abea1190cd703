"""Sharing that nobody could read: a new snapshot is not taken for one whose grants were seen to fit."""

from dataclasses import replace

from snapbase.finding import Report
from snapbase.model import Outcome
from tests.store.rotating import World, learn, points, rules, snapshot


def unknown(report: Report) -> set[str]:
    """The uids said to be shared otherwise, or not known."""
    return {uid for each in report.findings if each.entry == "cohort:grants" for uid, _ in each.covers}


def test_a_new_one_is_not_silent_while_nobodys_sharing_can_be_read(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    assert world.report().findings == ()
    world.read(day + 1, points(day + 1), refused=points(day + 1))
    report = world.report()

    # Two were read once and two never: of none is it known now.
    assert unknown(report) == {snapshot(day + back, source).uid for back in (0, 1) for source in ("vol-1", "vol-2")}
    assert rules(report) == {"coverage-lost": 1, "origin-violated": 4}
    assert report.summary.expected_appeared == 0
    assert report.summary.expected_disappeared == 4


def test_it_stays_said_after_the_hole_itself_was_approved(world: World) -> None:
    day = learn(world)
    world.read(day, points(day), refused=points(day))
    world.approve()
    world.read(day + 1, points(day + 1), refused=points(day + 1))

    assert unknown(world.report()) == {snapshot(day + 1, source).uid for source in ("vol-1", "vol-2")}


def test_it_is_silent_once_sharing_is_read_again(world: World) -> None:
    day = learn(world)
    world.read(day, points(day), refused=points(day))
    world.read(day + 1, points(day + 1))

    assert world.report().findings == ()
    assert world.report().summary.expected_appeared == 4


def test_of_single_ones_only_those_are_not_known(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    world.read(day + 1, points(day + 1), refused={snapshot(day).uid})

    assert unknown(world.report()) == {snapshot(day).uid}
    assert world.report().summary.expected_appeared == 3


def test_what_follows_from_its_own_fields_need_not_be_read(world: World) -> None:
    day = learn(world)
    managed = {uid: replace(each, inferred="its key is managed by AWS") for uid, each in points(day).items()}
    asked = {"by-hand-1", "by-hand-2"}
    there = managed | {uid: snapshot(day, name=uid, origin=None, tags={}) for uid in asked}
    world.read(day, there, refused=asked)

    assert unknown(world.report()) == set()
    assert world.report().summary.expected_appeared == 2


def test_where_not_even_the_list_was_read_that_alone_is_said(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    world.read(day + 1, {}, outcome=Outcome.DENIED)

    assert {each.rule for each in world.report().findings} == {"coverage-lost"}


def test_an_origin_approved_meanwhile_is_held_to_what_was_last_read(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.read(10, points(10), refused=points(10))
    world.approve()
    world.approve_origin()
    world.read(11, points(11), refused=points(11))

    assert unknown(world.report()) == {snapshot(11, source).uid for source in ("vol-1", "vol-2")}
