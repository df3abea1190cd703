"""The approval of a cohort: proposed and tried, kept, ended, revoked, confirmed, altered."""

from dataclasses import replace

from sqlalchemy import create_engine, text

from snapbase.operations import evidence, origins
from snapbase.store.cohorts import decode, encode
from tests.store.rotating import (
    DAY,
    START,
    STRANGER,
    World,
    learn,
    points,
    rules,
    snapshot,
)


def test_without_an_approved_origin_everything_is_listed(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    world.read(10, points(10))

    assert rules(world.report()) == {"snapshot-appeared": 1, "snapshot-disappeared": 1}
    assert world.report().summary.cohorts == ()


def test_what_was_held_back_stays(world: World) -> None:
    day = learn(world)
    there = points(day)
    world.read(day, there | {snapshot(day).uid: snapshot(day, key="theirs")})
    (finding,) = world.report().findings
    world.approve(excepted=(finding.id,))

    assert [each.entry for each in world.report().findings] == ["cohort:key"]


def test_an_approval_of_an_origin_ends_and_can_be_revoked(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    world.approve_origin(until=START + 10 * DAY)
    world.read(10, points(10))
    report = world.report()

    assert "snapshot-appeared" in rules(report)
    assert any("ended 2026-01-11" in note and "ada" in note for note in report.notes)


def test_a_revoked_origin_is_listed_again(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    line = world.approve_origin()
    world.read(10, points(10))
    assert world.report().findings == ()
    evidence.revoke(world.store, line, by="bob", reason="not ours")

    assert rules(world.report()) == {"snapshot-appeared": 1, "snapshot-disappeared": 1}


def test_with_four_eyes_an_origin_counts_once_it_is_confirmed(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    line = world.approve_origin(pending=True)
    world.read(10, points(10))
    assert "snapshot-appeared" in rules(world.report())
    evidence.confirm(world.store, line, by="bob")

    assert world.report().findings == ()


def test_the_log_is_whole_with_an_origin_in_it(world: World) -> None:
    learn(world)

    assert evidence.verify(world.store).problems == ()


def test_a_later_whole_approval_leaves_the_origin_approved(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    world.approve()
    world.read(day + 1, points(day + 1))

    assert world.report().findings == ()
    assert world.report().summary.expected_appeared == 2


def test_a_cohort_that_was_altered_counts_for_nothing(world: World, store_url: str) -> None:
    day = learn(world)
    world.read(day, points(day))
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE cohort SET body = replace(body, 'key/backup', 'theirs')"))
    engine.dispose()
    report = world.report()

    assert "snapshot-appeared" in rules(report)
    assert any("altered" in note for note in report.notes)


def test_what_is_proposed_was_tried_on_the_history(world: World) -> None:
    for day in range(10):
        there = points(day)
        if day == 7:
            there[snapshot(7).uid] = snapshot(7, key="theirs")
        elif day > 7:
            there.pop(snapshot(7).uid, None)
        run = world.read(day, there)
    (proposed,) = origins.propose(world.store, run)
    test = proposed.test

    assert test is not None
    assert (test.runs, test.appeared) == (9, 17)
    assert {name for name, _, _ in test.listed} == {"key", "retention"}
    assert proposed.proposal.cohort.keys == {"key/backup"}


def test_a_cohort_survives_the_store(world: World) -> None:
    learn(world)
    assert world.run is not None
    (proposal,) = origins.derived(world.store, world.run)
    cohort = replace(proposal.cohort, grants=frozenset({STRANGER}), encrypted=frozenset({None, True, False}))

    assert decode(encode(cohort, low_trust=True)) == (cohort, True)
    assert encode(cohort, low_trust=True) == encode(decode(encode(cohort, low_trust=True))[0], low_trust=True)
