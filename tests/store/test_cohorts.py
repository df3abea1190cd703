"""Approved cohorts in the store and in a diff: what they account for, and that they hide nothing else."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from snapbase.finding import Report
from snapbase.model import (
    Aspect,
    Coverage,
    Grant,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    ResourceType,
    Run,
    Scope,
)
from snapbase.operations import approve as approving
from snapbase.operations import evidence, origins, trusting
from snapbase.operations.diff import Against, against_baseline, against_run, diff
from snapbase.store import Store, schema
from snapbase.store.cohorts import decode, encode
from snapbase.trust import TrustList

START = datetime(2026, 1, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
HERE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
POLICY = replace(HERE, kind="aws.dlm.policy")
ORIGIN = "dlm:policy-1"
KEEP = 5
TRUST = trusting.to_bytes(TrustList(own=frozenset({HERE.account})))
STRANGER = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "ec2:createVolumePermission")


def snapshot(day: float, source: str = "vol-1", name: str = "", **fields: Any) -> Resource:
    uid = name or f"{source}@{day}"
    return Resource(
        **{
            "uid": uid,
            "address": f"arn:aws:ec2:eu-west-1::snapshot/{uid}",
            "created_at": START + day * DAY - timedelta(hours=3),
            "owner": HERE.account,
            "source": source,
            "origin": ORIGIN,
            "encrypted": True,
            "key": "key/backup",
            "attributes": {"storage_tier": "standard"},
            "tags": {"aws:dlm:lifecycle-policy-id": "policy-1"},
            **fields,
        }
    )


def points(day: int, *sources: str) -> dict[str, Resource]:
    """What the policy has made and not deleted yet, on the morning of a day."""
    return {
        each.uid: each
        for source in sources or ("vol-1", "vol-2")
        for back in range(KEEP)
        for each in (snapshot(day - back, source),)
    }


class World:
    """A store that is read once a day."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run: Run | None = None

    def read(
        self,
        day: int,
        there: dict[str, Resource],
        shared: dict[str, frozenset[Grant]] | None = None,
        scope: Scope = HERE,
        outcome: str = Outcome.COMPLETE,
    ) -> Run:
        at = START + day * DAY
        number = self.store.begin_run("", "", at)
        found = [Observation(each, (shared or {}).get(each.uid, frozenset())) for each in there.values()]
        coverage = tuple(Coverage(scope, aspect, outcome) for aspect in (Aspect.LIST, Aspect.SHARING))
        self.store.record(number, Reading(scope, at, found, coverage))
        self.run = self.store.finish_run(number, trust=TRUST, at=at)
        return self.run

    def approve(self, **what: Any) -> None:
        assert self.run is not None
        flags = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(run=self.run, by="ada", reason="fine", **{**flags, **what})
        approving.approve(self.store, approving.plan(self.store, request), at=self.run.finished_at)

    def approve_origin(self, *, pending: bool = False, until: datetime | None = None) -> int:
        assert self.run is not None
        request = origins.Request(run=self.run, origins=(ORIGIN,), by="ada", reason="reviewed", until=until)
        chosen = origins.plan(self.store, request)
        return origins.approve(self.store, request, chosen, at=self.run.finished_at, pending=pending).id

    def report(self, against: Against | None = None) -> Report:
        assert self.run is not None
        return diff(self.store, self.run, against or against_baseline(self.store, self.run))


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    with Store.open(store_url, write=True) as store:
        yield World(store)


def learn(world: World) -> int:
    """Ten days of work, then everything is approved on the tenth."""
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    world.approve_origin()
    return 10


def rules(report: Report) -> dict[str, int]:
    return {finding.rule: finding.count for finding in report.findings}


def test_a_day_of_work_is_one_line(world: World) -> None:
    day = learn(world)
    world.read(day, points(day))
    report = world.report()

    assert report.findings == ()
    assert (report.summary.expected_appeared, report.summary.expected_disappeared) == (2, 2)
    (beat,) = report.summary.cohorts
    assert (beat.origin, beat.appeared, beat.disappeared, beat.sources) == (ORIGIN, 2, 2, 2)


def test_without_an_approved_origin_everything_is_listed(world: World) -> None:
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    world.read(10, points(10))

    assert rules(world.report()) == {"snapshot-appeared": 1, "snapshot-disappeared": 1}
    assert world.report().summary.cohorts == ()


def test_a_month_later_it_is_still_quiet(world: World) -> None:
    day = learn(world)
    for later in range(30):
        world.read(day + later, points(day + later))
    report = world.report()

    assert report.findings == ()
    assert report.summary.expected_appeared == report.summary.expected_disappeared == 60


def test_a_share_is_listed_whoever_made_the_snapshot(world: World) -> None:
    day = learn(world)
    there = points(day)
    new, old = snapshot(day).uid, snapshot(day - 3).uid
    world.read(day, there, {new: frozenset({STRANGER}), old: frozenset({STRANGER})})
    found = {(finding.rule, finding.subject.uid) for finding in world.report().findings}

    assert {("unknown-account-share", new), ("unknown-account-share", old)} <= found


def test_another_key_is_one_line_until_it_is_approved(world: World) -> None:
    day = learn(world)
    world.read(day, points(day) | {name: replace(each, key="theirs") for name, each in points(day).items()
                                   if each.uid in (snapshot(day).uid, snapshot(day, "vol-2").uid)})  # fmt: skip
    (finding,) = world.report().findings

    assert (finding.rule, finding.entry, finding.count) == ("origin-violated", "cohort:key", 2)
    assert "theirs" in finding.detail
    assert {subject for subject, _ in finding.covers} == {snapshot(day).uid, snapshot(day, "vol-2").uid}
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_what_was_held_back_stays(world: World) -> None:
    day = learn(world)
    there = points(day)
    world.read(day, there | {snapshot(day).uid: snapshot(day, key="theirs")})
    (finding,) = world.report().findings
    world.approve(excepted=(finding.id,))

    assert [each.entry for each in world.report().findings] == ["cohort:key"]


def test_a_young_one_that_goes_is_early_even_if_it_came_after_the_baseline(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later))
    there = points(day + 3)
    del there[snapshot(day + 1).uid]
    world.read(day + 3, there)
    (finding,) = world.report().findings

    assert (finding.rule, finding.entry) == ("early-deletion", "cohort:retention")
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_a_source_without_new_points_has_stopped_until_that_is_approved(world: World) -> None:
    day = learn(world)
    for later in range(3):
        there = points(day + later, "vol-1") | {
            name: each for name, each in points(day - 1, "vol-2").items() if later < 2 or each.source == "vol-2"
        }
        world.read(day + later, there)
    (finding,) = world.report().findings

    assert (finding.rule, finding.count, finding.change.after) == ("backup-stopped", 1, ["vol-2"])
    world.approve(findings=(finding.id,))
    assert world.report().findings == ()


def test_a_stopped_source_that_was_held_back_stays(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1") | points(day - 1, "vol-2"))
    (finding,) = world.report().findings
    world.approve(excepted=(finding.id,))

    assert rules(world.report()) == {"backup-stopped": 1}


def test_a_whole_approval_accepts_that_a_source_has_stopped(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1") | points(day - 1, "vol-2"))
    assert rules(world.report()) == {"backup-stopped": 1}
    world.approve()
    world.read(day + 3, points(day + 3, "vol-1") | points(day - 1, "vol-2"))

    assert world.report().findings == ()


def test_what_was_not_read_has_not_stopped(world: World) -> None:
    day = learn(world)
    for later in range(4):
        world.read(day + later, {}, outcome=Outcome.DENIED)

    assert "backup-stopped" not in rules(world.report())
    assert "early-deletion" not in rules(world.report())


def test_a_new_source_is_one_line_and_silent_once_approved(world: World) -> None:
    day = learn(world)
    for later in range(3):
        world.read(day + later, points(day + later, "vol-1", "vol-2", "vol-3"))
    found = [each for each in world.report().findings if each.entry == "cohort:source"]

    assert [(each.rule, each.count) for each in found] == [("origin-violated", 7)]
    world.approve_origin()
    assert rules(world.report()) == {}


def test_a_changed_policy_is_said_of_what_it_made(world: World) -> None:
    def policy(retain: int) -> dict[str, Resource]:
        address = "arn:aws:dlm:eu-west-1:111122223333:policy/policy-1"
        facts = {"schedule 1": {"retain": retain}}
        return {address: Resource(uid=address, address=address, type=ResourceType.POLICY, facts=facts)}

    world.read(0, policy(5), scope=POLICY)
    day = learn(world)
    world.read(day, points(day))
    world.read(day + 1, policy(1), scope=POLICY)
    world.read(day + 1, points(day + 1))
    found = {(each.rule, each.entry): each.count for each in world.report().findings}

    assert found[("origin-violated", "cohort:policy")] == 2
    assert ("snapshot-modified", "attr:schedule 1") in found


def test_the_same_address_again_is_a_replacement_whoever_made_it(world: World) -> None:
    day = learn(world)
    there = points(day)
    victim = there.pop(snapshot(day - 4).uid)
    world.read(day, there | {"again": replace(victim, uid="again", created_at=START + day * DAY)})

    assert "snapshot-replaced" in rules(world.report())


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


def test_two_runs_are_compared_by_the_same_cohorts(world: World) -> None:
    day = learn(world)
    older = world.read(day, points(day))
    world.read(day + 1, points(day + 1))

    assert world.report(against_run(world.store, older)).findings == ()


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
