"""Events that are read long after they happened: by when they were kept they are judged, not by when they happened."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from snapbase.event import Action, Result
from snapbase.model import Run
from snapbase.operations.diff import finished_run
from snapbase.store import Store, bundle
from tests.detecting.world import DAY, EVE, approve, did, run, said, told


def test_what_a_log_told_only_after_the_approved_run_is_news_however_long_ago_it_happened(store: Store) -> None:
    store.add_events([did(Action.CREATE, days=-20)])
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=-5)])
    run(store, 1)
    assert said(store) == ["recovery-inhibited"]

    approve(store, 1)
    run(store, 2)
    assert said(store) == []
    assert store.verify_baselines().problems == ()


def test_of_what_happened_as_long_ago_the_approved_run_knew_the_rest_and_it_stays_settled(store: Store) -> None:
    store.add_events([did(Action.INHIBIT, days=-5), did(Action.EXPORT, days=-4)])
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=-5, minutes=1)])
    run(store, 1)

    assert [each.subject.uid for each in told(store)] == ["event:aws:inhibit--5-1-:user/eve"]


def _told_late(store: Store) -> Run:
    """A run since the approved one, and after it an event of before both; the newest run has heard of it."""
    run(store, -1)
    approve(store, -1)
    older = run(store, 0)
    store.add_events([did(Action.INHIBIT, days=-0.5)])
    run(store, 1)
    return older


def test_an_approval_of_an_older_run_settles_what_it_was_shown_and_nothing_that_came_after(store: Store) -> None:
    older = _told_late(store)
    assert said(store) == ["recovery-inhibited"]
    approve(store, 1.5, of=older)
    assert said(store) == [], "it was among what was shown"

    store.add_events([did(Action.INHIBIT, days=-0.4)])
    run(store, 2)
    assert len(told(store)) == 1


def test_one_late_event_that_was_approved_alone_stays_silent_when_an_older_run_is_approved_whole(store: Store) -> None:
    older = _told_late(store)
    approve(store, 1, findings=(told(store)[0].id,))
    approve(store, 1.5, of=older)

    run(store, 2)

    assert said(store) == []


def test_whoever_is_told_of_late_is_as_new_as_then(store: Store) -> None:
    store.add_events([did(Action.CREATE, days=-25, actor=replace(EVE, id="ops"))])
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=-5, made="vol-9")])
    run(store, 1)

    assert said(store) == ["restore-by-new-principal"]


def test_what_is_late_by_more_than_is_judged_at_all_is_no_news(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=-120)])
    run(store, 1)

    assert said(store) == []


def test_history_that_is_read_where_no_log_was_known_before_is_no_news(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/quiet.db", write=True) as quiet:
        run(quiet, 0)
        approve(quiet, 0)
        quiet.add_events([did(Action.INHIBIT, days=-5), did(Action.INHIBIT, minutes=-20)])
        run(quiet, 1)

        assert len(told(quiet)) == 1


def test_an_imported_approval_knows_no_store_but_its_own(store: Store, tmp_path: Path) -> None:
    """What this store reads first is what the other one's run was judged with: it would all be told again."""
    store.add_events([did(Action.INHIBIT, days=-5)])
    run(store, 0)
    approve(store, 0)

    with Store.open(f"sqlite:///{tmp_path}/other.db", write=True) as other:
        exported = bundle.parse("".join(store.export_baselines()).splitlines())
        other.import_baselines(exported, claimed={}, at=DAY + timedelta(days=3))
        other.add_events(store.events(DAY - timedelta(days=30), DAY))
        run(other, 4)

        assert said(other) == []


def test_a_run_of_before_this_was_known_is_judged_by_time_alone(store: Store) -> None:
    from sqlalchemy import update

    from snapbase.store import tables
    from snapbase.store.database import writing

    run(store, 0)
    with writing(store._engine) as connection:
        connection.execute(update(tables.run).values(heard=None))
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=-5), did(Action.INHIBIT, minutes=-20)])
    run(store, 1)

    assert len(told(store)) == 1
    assert finished_run(store).heard == 3


def test_a_try_that_succeeds_is_news_though_the_refusal_was_approved(store: Store) -> None:
    """Whoever calls Azure chooses the correlation id: the same once more is no answer to what was said of it."""
    run(store, 0)
    approve(store, 0)
    refused = did(Action.INHIBIT, days=1, result=Result.DENIED, detail="no")
    store.add_events([refused])
    run(store, 2)
    for each in told(store):
        approve(store, 2, findings=(each.id,))
    approve(store, 2)
    assert said(store) == []

    store.add_events([replace(refused, at=DAY + timedelta(days=2.1), result=Result.SUCCEEDED, detail="")])
    run(store, 3)

    assert said(store) == ["recovery-inhibited"]
