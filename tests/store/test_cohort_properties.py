"""Whatever happens in a rotating estate: cohorts hide existence and nothing else."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapbase.finding import Report
from snapbase.model import Grant, Outcome, Resource
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store, schema
from tests.store import test_cohorts_planned as planned
from tests.store.rotating import (
    DAY,
    KEEP,
    ORIGIN,
    STRANGER,
    World,
    learn,
    points,
    snapshot,
)

_point = st.tuples(
    st.sampled_from(["vol-1", "vol-2", "vol-9"]),
    st.sampled_from(["key/backup", "theirs"]),
    st.sampled_from([ORIGIN, "dlm:policy-2", None]),
    st.sampled_from([frozenset(), frozenset(), frozenset({STRANGER})]),
)
_steps = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abcd"), _point, max_size=3),
        st.sets(st.integers(0, 9), max_size=4),
        st.sampled_from(["complete", "complete", "complete", "denied"]),
        st.sampled_from(["nothing", "nothing", "whole", "finding"]),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohorts") / "learned.db"
    schema.upgrade(f"sqlite:///{path}")
    with Store.open(f"sqlite:///{path}", write=True) as store:
        learn(World(store))
    return path


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_steps)
def test_cohorts_hide_existence_and_nothing_else(learned: Path, tmp_path: Path, steps: list[Any]) -> None:
    url = f"sqlite:///{shutil.copy(learned, tmp_path / 'copy.db')}"
    with Store.open(url, write=True) as store:
        world = World(store)
        extra: dict[str, tuple[Resource, frozenset[Grant]]] = {}
        for number, (added, removed, outcome, said) in enumerate(steps):
            day = 10 + number
            for letter, (source, key, origin, grants) in added.items():
                made = snapshot(day, source, f"{letter}{number}", key=key, origin=origin)
                extra[made.uid] = (made, grants)
            there = points(day)
            for place in sorted(removed):
                there.pop(sorted(there)[place % len(there)])
            if day % 3 == 0 and extra:
                extra.pop(min(extra))
            there |= {uid: each for uid, (each, _) in extra.items()}
            shared = {uid: grants for uid, (_, grants) in extra.items()}
            world.read(day, there if outcome == "complete" else {}, shared, outcome=outcome)
            _compare(world)
            if said == "whole":
                world.approve()
            elif said == "finding" and (found := world.report().findings):
                world.approve(findings=(found[0].id,))
            _compare(world)


def _compare(world: World) -> None:
    """With the cohorts and without: the same of everything but existence, and that is accounted for."""
    assert world.run is not None
    against = against_baseline(world.store, world.run)
    quiet = diff(world.store, world.run, against)
    plain = diff(world.store, world.run, replace(against, up_to=0))
    existence = ("snapshot-appeared", "snapshot-disappeared")
    cohorts = ("origin-violated", "early-deletion", "backup-stopped")

    def others(report: Report) -> set[str]:
        return {each.id for each in report.findings if each.rule not in (*existence, *cohorts)}

    def uids(report: Report, *of: str) -> set[str]:
        return {uid for each in report.findings if each.rule in of for uid, entry in each.covers if entry == "presence"}

    assert others(quiet) == others(plain)
    assert uids(quiet, *existence) <= uids(plain, *existence)
    silent = uids(plain, *existence) - uids(quiet, *existence, *cohorts)
    for finding in (each for each in plain.findings if each.rule in existence and each.subject.uid in silent):
        subject = finding.subject
        assert subject.origin == ORIGIN
        assert subject.source in ("vol-1", "vol-2")
        assert subject.created_at is not None
        if finding.rule == "snapshot-disappeared":
            assert world.run.started_at - subject.created_at >= (KEEP - 1) * DAY


_days = st.lists(
    st.tuples(
        st.sampled_from([Outcome.COMPLETE, Outcome.COMPLETE, Outcome.DENIED]),
        st.sets(st.sampled_from(["vol-1", "vol-2"])),
        st.dictionaries(st.sampled_from("ab"), st.sampled_from([None, planned.BY_PLAN, "backup-plan:other"])),
        st.sampled_from([5, 5, 1]),
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def planful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "planful.db"
    schema.upgrade(f"sqlite:///{path}")
    with Store.open(f"sqlite:///{path}", write=True) as store:
        planned.learned(World(store))
    return path


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(days=_days)
def test_only_what_a_recovery_point_says_an_unchanged_plan_made_is_silent(
    planful: Path, tmp_path: Path, days: list[Any]
) -> None:
    url = f"sqlite:///{shutil.copy(planful, tmp_path / 'copy.db')}"
    with Store.open(url, write=True) as store:
        world, told, kept = World(store), set[str](), 5
        extra: dict[str, Resource] = {}
        told |= planned.backups(9).keys()
        for day, (outcome, late, by_hand, kept) in enumerate(days, 10):
            extra |= {
                f"{letter}{day}": replace(snapshot(day, "vol-1", f"{letter}{day}"), origin="aws-backup", tags={})
                for letter in by_hand
            }
            there = planned.backups(day)
            new = {uid for uid, each in there.items() if uid.endswith(f"@{day}") and each.source in late}
            views = planned.views(each for uid, each in there.items() if uid not in new)
            for letter, origin in by_hand.items():
                views |= planned.views([extra[f"{letter}{day}"]], origin=origin)
            world.read(day, planned.plan(kept), scope=planned.PLANS)
            world.read(day, views if outcome == Outcome.COMPLETE else {}, scope=planned.POINTS, outcome=outcome)
            world.read(day, there | extra)
            if outcome == Outcome.COMPLETE:
                told |= {str(each.subject) for each in views.values() if each.origin == planned.BY_PLAN}
        report = world.report()
        listed = {uid for each in report.findings for uid, entry in each.covers if entry == "presence"}
        new = ({*planned.backups(9 + len(days))} - {*planned.backups(9)}) | extra.keys()

        assert new - listed <= told
        assert kept == 5 or new & told <= listed | _made_before_the_plan_changed(days)


def _made_before_the_plan_changed(days: list[Any]) -> set[str]:
    """Up to the day before the last on which the plan was as approved."""
    first = 10 + max((number + 1 for number, (*_, kept) in enumerate(days) if kept == 5), default=0)
    return {uid for day in range(10, first) for uid in (*planned.backups(day), f"a{day}", f"b{day}")}
