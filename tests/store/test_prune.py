"""Pruning: what is kept answers as before, what is not is refused, and nothing else is left."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from snapbase.errors import NotFound, UsageError
from snapbase.event import Action, Actor, ActorKind, Event
from snapbase.finding import Report
from snapbase.model import Approval, BaselineScope, Outcome, Pin, Run, RunState
from snapbase.operations import evidence, retention
from snapbase.operations.diff import against_baseline, against_run, diff
from snapbase.operations.inventory import health
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.store.baselines import NewLine
from snapbase.store.prune import BEGINNING, Pruned, Wanted, prune
from snapbase.store.tables import metadata
from tests.baseline_clerk import BELOW_A_PARTIAL, CARRIED_ON, FALLS_BACK, STEPS, WAITS, Clerk
from tests.baseline_player import LATER, SOLD, START, SUNDAYS, Step, of_a
from tests.store.rotating import World, learn, points
from tests.store.world import AMERICA, EPOCH, EUROPE, grant, minute, reading, seen, snapshot, url_of

HOUR = timedelta(hours=1)


def _event(name: str, at: datetime, *subjects: str) -> Event:
    actor = Actor("arn:aws:iam::111122223333:user/mallory", ActorKind.HUMAN)
    return Event(cloud="aws", id=name, at=at, name="ec2:ModifySnapshotAttribute", action=Action.SHARE, actor=actor,
                 account="111122223333", region="eu-west-1", subjects=subjects)  # fmt: skip


def _prune(store: Store, before: datetime, **wanted: Any) -> Pruned:
    told = {"events_before": BEGINNING, "heard_since": before, **wanted}
    return prune(url_of(store), Wanted(before, **told))


def _answers(store: Store, revs: set[int], runs: set[int], lines: list[int]) -> dict[Any, Any]:
    """Everything that can be asked as of some revisions, and every diff between some runs and approvals."""
    found: dict[Any, Any] = {"verify": store.verify_baselines(), "log": store.baselines()}
    for rev in revs:
        found[rev] = [
            list(store.states(rev)), store.coverage(rev), store.coverage_at(rev), store.counts(rev),
            store.principals(rev), store.holdings(rev), store.policies(rev), list(store.unnamed(rev)),
            store.listed_at(rev), list(store.points(rev, rev)),
        ]  # fmt: skip
    kept = [each for each in reversed(store.runs(limit=None)) if each.id in runs]
    for number, run in enumerate(kept):
        for older in kept[:number]:
            found[older.id, run.id] = diff(store, run, against_run(store, older))
        for line in lines:
            found["line", line, run.id] = _against_line(store, run, line)
    return found


def _against_line(store: Store, run: Run, line: int) -> Report | str:
    """A run that is older than what the line approved is not compared."""
    try:
        return diff(store, run, against_baseline(store, run, line))
    except UsageError as refused:
        return refused.message


def _kept(store: Store, rev: int) -> tuple[set[int], set[int]]:
    """The revisions and the runs that must stay if everything since one does."""
    approved = {each.rev for each in store.baselines() if each.scope == BaselineScope.WHOLE}
    revs = {each for each in range(store.head() + 1) if each >= rev or each in approved or not each}
    runs = [each for each in store.runs(limit=None) if each.state == RunState.FINISHED]
    return revs, {each.id for each in runs if each.last_rev >= rev}


_NOTHING: Step = ("read", 0, "complete", {})
BETWEEN_APPROVALS: list[Step] = [
    of_a(), ("whole", set()), of_a(SOLD), of_a(SUNDAYS), _NOTHING, ("read", 0, "partial", {}), of_a(SUNDAYS),
    ("whole", {0}), of_a(), ("read", 0, "denied", {}), _NOTHING, of_a(SOLD),
]  # fmt: skip
"""What was open when a whole run was approved, and what was not, all of it long over."""
NAMED_AND_GONE: list[Step] = [
    ("whole", set()), of_a(SOLD), ("single", 0, None), ("single", 0, 3), _NOTHING, ("single", 0, None), of_a(),
    _NOTHING, LATER,
]  # fmt: skip
"""What single approvals named came and went between the runs that were approved as a whole."""


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, min_size=4, max_size=14), later=st.lists(STEPS, max_size=6), hours=st.integers(2, 14))
@example(steps=BETWEEN_APPROVALS, later=[("revoke", 1), ("revoke", 0), LATER], hours=12)
@example(steps=[of_a(), of_a(SOLD), of_a(), _NOTHING, of_a(SUNDAYS)], later=[], hours=2)
@example(steps=BETWEEN_APPROVALS, later=[("revoke", 1)], hours=4)
@example(steps=NAMED_AND_GONE, later=[of_a(), ("revoke", 3), ("revoke", 1), ("whole", set())], hours=9)
@example(steps=FALLS_BACK[:-3], later=FALLS_BACK[-3:], hours=4)
@example(steps=CARRIED_ON[:-1], later=[*CARRIED_ON[-1:], LATER], hours=4)
@example(steps=BELOW_A_PARTIAL[:-1], later=BELOW_A_PARTIAL[-1:], hours=5)
@example(steps=WAITS[:-2], later=WAITS[-2:], hours=3)
def test_what_is_kept_answers_as_before_and_what_is_not_is_refused(
    fresh: Callable[[], Any], steps: list[Step], later: list[Step], hours: int
) -> None:
    with fresh() as opened:
        store: Store = opened
        clerk = Clerk(store)
        clerk.play([("read", 0, "complete", {}), *steps])
        before = START + hours * HOUR
        over = [each for each in store.runs(limit=None) if each.finished_at and each.finished_at <= before]
        rev = max((each.last_rev for each in over), default=0)
        revs, runs = _kept(store, rev)
        lines = [each.id for each in store.baselines()]
        told = _answers(store, revs, runs, lines)

        found = _prune(store, before)

        assert (found.horizon.rev if found.horizon else 0) == rev
        assert _answers(store, revs, runs, lines) == told
        for gone in set(range(store.head() + 1)) - revs:
            with pytest.raises(NotFound, match="was pruned"):
                store.counts(gone)
        assert _prune(store, before).rows == {}
        clerk.play(later)
        assert store.verify_baselines().problems == ()


def test_nothing_is_left_of_what_nobody_needs(store_url: str) -> None:
    """Twenty snapshots came and went, with who held them and how they were read; two stay, one was approved."""
    with Store.open(store_url, write=True) as store:
        for day in range(21):
            run = store.begin_run("", "", minute(day))
            outcome = Outcome.DENIED if day % 3 == 1 else Outcome.COMPLETE
            here = [seen(snapshot(f"s{day}", value=day), {grant(condition=str(day))}), seen(snapshot("stays"), None)]
            store.record(run, reading(EUROPE, day, here, shared=outcome))
            store.record(run, reading(AMERICA, day, [seen(snapshot("tagged", value=day))]))
            store.finish_run(run, trust=f'{{"day": {day}}}'.encode(), at=minute(day))
            if day == 4:
                _approve(store, run)
        assert store.verify_baselines().problems == ()
        everything = _counts(store_url)

        dry = prune(url_of(store), Wanted(minute(19), events_before=BEGINNING, heard_since=minute(19)), dry=True)
        assert _counts(store_url) == everything
        found = _prune(store, minute(19))

        counts = _counts(store_url)
        assert {name: count for name, count in dry.rows.items() if count} == {
            name: found.rows[name] for name in ("version", "grant", "coverage")
        }
        # Two days of two snapshots and one approved day; the one that never changed has one version.
        assert (counts["resource"], counts["version"], counts["grant"]) == (5, 7, 3)
        # The runs in which something that is still told of began or ended; all the others go.
        assert (counts["run"], counts["trust"], counts["rev"]) == (7, 7, 12)
        assert {name: everything[name] - count for name, count in counts.items() if everything[name] != count} == {
            **{name: count for name, count in found.rows.items() if count},
            "horizon": -1,
        }
        assert store.verify_baselines().problems == ()


def _approve(store: Store, run_id: int, *pins: Pin) -> int:
    run = store.run(run_id)
    said = Approval("ada", run.started_at, "because")
    scope = BaselineScope.PARTIAL if pins else BaselineScope.WHOLE
    rev = 0 if pins else run.last_rev
    about: dict[str, Any] = {"run_id": run_id, "rev": rev, "trust_id": run.trust_id}
    return store.append_baseline(NewLine(scope=scope, approval=said, pins=pins, claimed={}, entries=1, **about)).id


def _counts(url: str) -> dict[str, int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        counts = {
            table.name: int(connection.execute(text(f'SELECT count(*) FROM "{table.name}"')).scalar_one())
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return counts


def _days(store: Store, count: int, *, changing: bool = True) -> None:
    """A run a day, in which one snapshot takes the place of another."""
    for day in range(count):
        run = store.begin_run("", "", EPOCH + timedelta(days=day))
        at = 60 * 24 * day
        store.record(run, reading(EUROPE, at, [seen(snapshot(f"s{day}"), {grant()})] if changing or not day else []))
        store.finish_run(run, trust=b"{}", at=minute(at))


def test_coverage_still_says_since_which_run_a_scope_is_not_read(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        for day, outcome in enumerate(["complete", "denied", "partial", "denied", "partial", "throttled"]):
            run = store.begin_run("", "", minute(day))
            store.record(run, reading(EUROPE, day, listed=outcome, shared="complete"))
            store.finish_run(run, trust=b"{}", at=minute(day))
        gaps = store.coverage(store.head())
        assert [since for _, since in gaps] == [2]

        assert _prune(store, minute(5)).rows["coverage"] == 4

        assert store.coverage(store.head()) == gaps


def test_an_approved_origin_keeps_what_came_and_went_since_the_baseline(world: World) -> None:
    day = learn(world)
    for later in range(12):
        run = world.read(day + later, points(day + later))
    told = world.report()
    assert told.summary.expected_disappeared == 24

    found = _prune(world.store, run.finished_at or run.started_at)

    assert found.held_by == 2
    assert found.rows["version"] > 0
    assert world.report() == told
    world.approve()
    assert _prune(world.store, run.finished_at or run.started_at).held_by is None
    assert world.report().findings == ()
    assert evidence.verify(world.store).problems == ()


def test_what_recent_events_name_keeps_its_whole_story(store_url: str) -> None:
    """Detections ask who ever held something, and what it was, also when it is gone."""
    heard = _event("e1", minute(90), snapshot("heard").address)
    with Store.open(store_url, write=True) as store:
        for at, names in enumerate((["heard", "unheard"], [], [])):
            run = store.begin_run("", "", minute(at))
            store.record(run, reading(EUROPE, at, [seen(snapshot(name), {grant()}) for name in names]))
            store.finish_run(run, trust=b"{}", at=minute(at))
        store.add_events([heard])
        addresses = [snapshot(name).address for name in ("heard", "unheard")]
        met = store.met("aws", addresses, 1, store.head())
        assert set(met) == set(addresses)

        _prune(store, minute(2), heard_since=minute(60))

        now = store.met("aws", addresses, store.head(), store.head())
        assert now == {addresses[0]: replace(met[addresses[0]], then=frozenset())}


def test_events_go_after_their_own_time_but_those_an_approval_names(store_url: str) -> None:
    names = ["old", "bound", "older", "recent", "newest"]
    events = [_event(name, EPOCH + timedelta(days=day)) for day, name in enumerate(names)]
    now = EPOCH + timedelta(days=403)
    with Store.open(store_url, write=True) as store:
        _days(store, 2)
        store.mark_log(("aws.cloudtrail", "111122223333", "eu-west-1"), EPOCH, now)
        store.add_events(events)
        run = store.last_run()
        assert run is not None
        said = Approval("ada", EPOCH, "because")
        _approve(store, run.id, Pin("event:aws:bound", "event", run.last_rev, run.trust_id, said))

        assert retention.forget_events(store, Config(), now) == 2

        assert [each.id for each in store.events(BEGINNING, now)] == ["bound", "recent", "newest"]
        assert store.logs_read()
        assert store.verify_baselines().problems == ()


def test_the_number_of_an_event_is_never_given_twice(store_url: str) -> None:
    """`watch` remembers the last one it looked at."""
    with Store.open(store_url, write=True) as store:
        store.add_events([_event("a", EPOCH)])
        told = store.newest_event()
        store.prune_events(EPOCH + timedelta(days=1))
        store.add_events([_event("b", minute(9))])

        assert [each.id for each in store.events_kept_after(told)] == ["b"]


def test_what_was_pruned_cannot_be_approved(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        _days(store, 5)
        _approve(store, 2)
        _prune(store, EPOCH + timedelta(days=3))
        said: dict[str, Any] = {"approval": Approval("ada", EPOCH, "because"), "claimed": {}, "entries": 0}
        late = NewLine(scope=BaselineScope.WHOLE, run_id=4, rev=1, trust_id=None, **said)
        with pytest.raises(NotFound, match="was pruned"):
            store.append_baseline(late)
        _approve(store, 2)
        _approve(store, 5)
        assert store.verify_baselines().problems == ()


def test_a_story_begins_with_the_horizon(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        for at in range(6):
            run = store.begin_run("", "", minute(at))
            store.record(run, reading(EUROPE, at, [seen(snapshot("a", value=at // 2), {grant()} if at == 1 else ())]))
            store.finish_run(run, trust=b"{}", at=minute(at))
        found = _prune(store, minute(3))
        assert found.horizon is not None

        first, *rest = store.history(snapshot("a").uid)

        assert first[0] == found.horizon.since
        assert first[3].resource.facts == {"size": 1}
        assert [each[3].resource.facts["size"] for each in rest] == [2]
        assert all(one[1] == other[0] for one, other in pairwise((first, *rest)))


def test_a_run_prunes_once_a_day_where_that_is_configured(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        _days(store, 3)
        config = Config.model_validate({"store": {"keep_days": 100}})
        now = EPOCH + timedelta(days=101, hours=1)

        assert retention.prune_when_due(store, store_url, Config(), at=now) is None
        found = retention.prune_when_due(store, store_url, config, at=now)
        assert found is not None
        assert found.rows["version"] == 1
        again = store.horizon()
        assert again is not None
        assert retention.prune_when_due(store, store_url, config, at=again.pruned_at + 23 * HOUR) is None
        assert retention.prune_when_due(store, store_url, config, at=again.pruned_at + 25 * HOUR) is not None
        for keep in (None, timedelta(days=60)):
            with pytest.raises(UsageError):
                retention.prune(store, store_url, config, keep)


def test_the_last_run_that_read_everything_is_found_however_many_rounds_came_after_it(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        assert health(store).last is None
        ids = [store.begin_run("", "", minute(at)) for at in range(2)]
        for at, outcome in enumerate(("complete", "denied")):
            store.record(ids[at], reading(EUROPE, at, listed=outcome))
            store.finish_run(ids[at], trust=b"{}", at=minute(at))
        for _ in range(300):
            store.finish_run(store.begin_run("some scopes", "", minute(5)), trust=b"{}", at=minute(6))

        found = health(store, at=minute(31))

        assert found.last is not None
        assert found.complete is not None
        assert (found.last.id, found.complete.id, found.age) == (ids[1], ids[0], timedelta(minutes=30))
        assert len(found.gaps) == 1
        # What is not kept any more cannot be called complete.
        _prune(store, minute(1))
        assert health(store).complete is None


def test_a_writer_does_not_wait_for_a_pruning(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/busy.db"
    with Store.open(url, write=True) as store:
        for at in range(30):
            run = store.begin_run("", "", minute(at))
            store.record(run, reading(EUROPE, at, [seen(snapshot(f"{at}-{n}"), {grant()}) for n in range(1000)]))
            store.finish_run(run, trust=b"{}", at=minute(at))
        pruning = threading.Thread(target=_prune, args=(store, minute(29)))
        pruning.start()
        first = number = 100
        while pruning.is_alive():
            with Store.open(url, write=True) as other, other.lock():
                run = other.begin_run("", "", minute(number))
                other.record(run, reading(AMERICA, number, [seen(snapshot(str(number)))]))
                other.finish_run(run, trust=b"{}", at=minute(number))
            number += 1
        pruning.join()

        assert number - first > 1, "one was through before the pruning was"
        assert [state.resource.name for state in store.states(store.head()) if state.scope == AMERICA] == [
            str(number - 1)
        ]
        assert evidence.verify(store).problems == ()
