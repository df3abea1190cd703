"""Pruning beside others: reports that are under way, kills, and what is said of what is gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from snapbase.errors import NotFound
from snapbase.event import Action, Actor, ActorKind, Event
from snapbase.model import Principal, PrincipalKind
from snapbase.operations import trusting
from snapbase.operations.diff import latest_before
from snapbase.operations.inventory import story
from snapbase.store import Store, events, history
from snapbase.store.database import reading as reading_of
from snapbase.store.database import writing
from snapbase.store.horizon import as_of
from snapbase.store.prune import BEGINNING, Pruned, Wanted, prune
from snapbase.trust import TrustList
from tests.store.world import EPOCH, EUROPE, grant, minute, reading, seen, snapshot

DAY = timedelta(days=1)
TRUST = trusting.to_bytes(TrustList(own=frozenset({EUROPE.account})))


def _prune(url: str, before: datetime, events_before: datetime = BEGINNING) -> Pruned:
    return prune(url, Wanted(before, events_before=events_before, heard_since=before))


@pytest.fixture
def days(store_url: str) -> Iterator[Store]:
    """Ten runs, one a day; one snapshot takes the place of another, and one stays and changes."""
    with Store.open(store_url, write=True) as store:
        for day in range(10):
            run = store.begin_run("", "", EPOCH + day * DAY)
            whom = Principal(PrincipalKind.ACCOUNT, f"{day:012}")
            here = [seen(snapshot(f"s{day}"), {grant(whom)}), seen(snapshot("stays", value=day // 4), {grant()})]
            store.record(run, reading(EUROPE, 1440 * day, here))
            store.finish_run(run, trust=TRUST, at=minute(1440 * day))
        yield store


def test_a_report_under_way_is_of_the_moment_at_which_it_began(days: Store, store_url: str) -> None:
    with as_of(days._engine, 2) as connection:
        before = list(history.states(connection, 2))
        assert {each.resource.name for each in before} == {"s1", "stays"}

        assert _prune(store_url, EPOCH + 5 * DAY).rows["version"]

        assert list(history.states(connection, 2)) == before
    with pytest.raises(NotFound, match="was pruned"):
        list(days.states(2))


def test_a_report_under_way_holds_up_neither_the_pruning_nor_anybody_else(days: Store, store_url: str) -> None:
    def read() -> None:
        with Store.open(store_url) as other:
            found.append(len(list(other.states(10))))

    found: list[int] = []
    with as_of(days._engine, 10) as connection:
        assert len(list(history.states(connection, 10))) == 2  # holds its tables until the end
        pruning = threading.Thread(target=_prune, args=(store_url, EPOCH + 5 * DAY))
        pruning.start()
        readers = []
        for _ in range(20):
            readers.append(threading.Thread(target=read))
            readers[-1].start()
            time.sleep(0.1)
        for each in (pruning, *readers):
            each.join(20)
        held_up = [each for each in (pruning, *readers) if each.is_alive()]
    for each in (pruning, *readers):
        each.join(20)

    assert held_up == []
    assert found == [2] * 20
    _prune(store_url, EPOCH + 5 * DAY)
    with reading_of(days._engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM resource")).scalar_one() == 6


_VICTIM = """
import sys
from datetime import datetime
from snapbase.store import prune
prune._BATCH = 1
before = datetime.fromisoformat(sys.argv[2])
print("begun", flush=True)
prune.prune(sys.argv[1], prune.Wanted(before, events_before=prune.BEGINNING, heard_since=before))
"""


@pytest.mark.parametrize("wait", [0.0, 0.01, 0.03, 0.1])
def test_whatever_a_killed_pruning_leaves_the_next_one_takes(days: Store, store_url: str, wait: float) -> None:
    before = EPOCH + 7 * DAY
    told = [list(days.states(rev)) for rev in range(8, 11)]
    command = [sys.executable, "-c", _VICTIM, store_url, before.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        time.sleep(wait)
        os.kill(victim.pid, signal.SIGKILL)

    assert [list(days.states(rev)) for rev in range(8, 11)] == told
    with Store.open(store_url, write=True) as store, store.lock():
        run = store.begin_run("", "", EPOCH + 10 * DAY)
        store.record(run, reading(EUROPE, 14400, [seen(snapshot("new"), {grant()})]))
        store.finish_run(run, trust=b"{}", at=minute(14400))
    _prune(store_url, before)
    assert _prune(store_url, before).rows == {}
    assert [list(days.states(rev)) for rev in range(8, 11)] == told
    assert days.verify_baselines().problems == ()


def test_a_diff_since_what_was_pruned_is_refused_and_never_of_another_run(days: Store, store_url: str) -> None:
    assert latest_before(days, EPOCH + 2 * DAY).id == 3
    assert latest_before(days, EPOCH - DAY).id == 1
    _prune(store_url, EPOCH + 5 * DAY)

    assert latest_before(days, EPOCH + 5 * DAY).id == 6
    for moment in (EPOCH - DAY, EPOCH + 2 * DAY):
        with pytest.raises(NotFound, match="pruned"):
            latest_before(days, moment)


def test_a_story_says_where_it_was_cut(days: Store, store_url: str) -> None:
    run = days.run(10)
    whole = story(days, run, snapshot("stays").uid)
    assert whole.kept_since is None
    found = _prune(store_url, EPOCH + 5 * DAY)
    assert found.horizon is not None

    cut = story(days, run, snapshot("stays").uid)

    assert cut.kept_since == found.horizon.since
    assert cut.versions[0].opened_at == cut.kept_since
    assert story(days, run, snapshot("s9").uid).kept_since is None
    # What the very run at the horizon found first was first seen then.
    assert story(days, run, snapshot("s5").uid).kept_since is None
    with pytest.raises(NotFound, match="pruned"):
        story(days, run, snapshot("s2").uid)


def _event(number: int) -> Event:
    actor = Actor("arn:aws:iam::111122223333:user/ada", ActorKind.HUMAN)
    return Event(cloud="aws", id=f"e{number}", at=minute(number), name="ec2:CreateSnapshot", action=Action.CREATE,
                 actor=actor, account="111122223333", region="eu-west-1", subjects=())  # fmt: skip


def test_events_go_a_batch_at_a_time_without_listing_all_that_is_old(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        store.add_events(_event(number) for number in range(10))
        bound = [("aws", "e0"), ("aws", "e2")]
        with writing(store._engine) as connection:
            assert len(events.forgotten(connection, minute(9), bound, limit=3)) == 3
            assert events.prune(connection, minute(9), bound, limit=3) == 3
        assert [each.id for each in store.events(BEGINNING, datetime.now(UTC))] == [
            "e0",
            "e2",
            "e5",
            "e6",
            "e7",
            "e8",
            "e9",
        ]
        found = prune(store_url, Wanted(BEGINNING + DAY, events_before=minute(9), heard_since=BEGINNING, bound=bound))
        assert found.rows == {"event": 4}
