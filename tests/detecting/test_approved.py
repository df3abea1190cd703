"""What of the events an approval settles, for how long, and what it never settles."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from snapbase.errors import ApprovalRefused
from snapbase.event import Action
from snapbase.operations import approve as approving
from snapbase.operations import evidence
from snapbase.operations.diff import finished_run
from snapbase.store import Store, bundle
from tests.detecting.world import DAY, EVE, SNAPSHOT, THIEF, approve, did, report, run, said, told
from tests.store.world import grant


def test_an_event_is_news_until_it_is_approved_and_then_never_again(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=1, made="vol-9"), did(Action.INHIBIT, days=1, name="rbin:DeleteRule")])
    run(store, 2)
    (high, medium) = told(store)
    assert [high.rule, medium.rule] == ["recovery-inhibited", "restore-by-new-principal"]

    approve(store, 2, findings=(medium.id,))

    assert told(store) == [high]
    run(store, 3)
    assert told(store) == [high], "the same finding with the same id in every run"
    assert store.verify_baselines().problems == ()


def test_a_whole_approval_settles_what_it_listed_and_keeps_what_was_held_back(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.RESTORE, days=1, made="vol-9"), did(Action.INHIBIT, days=1, name="rbin:DeleteRule")])
    run(store, 2)
    restored = next(each for each in told(store) if each.rule == "restore-by-new-principal")

    approve(store, 2, excepted=(restored.id,))
    run(store, 40)

    assert [each.id for each in told(store)] == [restored.id]
    approve(store, 40)
    assert told(store) == []
    run(store, 41)
    assert told(store) == []


@pytest.mark.parametrize("before", [5, 50], ids=["minutes before the run", "the hour before"])
def test_what_an_approval_listed_is_silent_though_it_is_looked_at_once_more(store: Store, before: int) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=2, minutes=-before)])
    run(store, 2)
    assert said(store) == ["recovery-inhibited"]

    approve(store, 2.5)
    run(store, 3)
    assert said(store) == []
    approve(store, 3.5, of=finished_run(store))
    run(store, 4)
    assert said(store) == []


def test_an_event_that_was_approved_alone_stays_silent_when_the_rest_is_approved(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=2, minutes=-5)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,))

    approve(store, 2.1)
    run(store, 3)

    assert said(store) == []


def test_an_event_that_came_after_the_approval_but_happened_before_it_is_news(store: Store) -> None:
    run(store, 0)
    approve(store, 0.001)
    store.add_events([did(Action.INHIBIT, minutes=-20)])
    run(store, 1)

    assert said(store) == ["recovery-inhibited"]


def test_what_happened_between_the_run_and_its_approval_was_not_approved(store: Store) -> None:
    run(store, 0)
    approve(store, 5)
    store.add_events([did(Action.INHIBIT, days=3)])
    run(store, 6)

    assert said(store) == ["recovery-inhibited"]


def test_what_is_held_back_for_long_makes_no_burst_of_what_others_do_every_day_since(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1)])
    run(store, 2)
    approve(store, 2, excepted=(told(store)[0].id,))
    builds = replace(EVE, id="builds")
    for day in range(10, 40):
        names = [f"built-{day}-{number}" for number in range(25)]
        store.add_events(
            did(Action.CREATE, days=day, minutes=n, actor=builds, id=name, made=name, subjects=())
            for n, name in enumerate(names)
        )
    run(store, 38.5)
    approve(store, 38.5, excepted=[each.id for each in told(store) if each.rule == "recovery-inhibited"])
    run(store, 40)

    assert said(store) == ["recovery-inhibited"]


def test_an_approval_with_an_end_ends(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,), until=DAY + timedelta(days=10))
    run(store, 3)
    assert said(store) == []

    approve(store, 3)
    run(store, 9)
    assert said(store) == []
    run(store, 11)
    assert said(store) == ["recovery-inhibited"]


def test_a_stolen_share_needs_the_flag_that_a_standing_one_needs(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.SHARE, days=1), did(Action.UNSHARE, days=1, minutes=1)])
    last = run(store, 2)

    with pytest.raises(ApprovalRefused, match="unknown holders"):
        approving.plan(store, approving.Request(run=last, by="ann", reason="seen", findings=(told(store)[0].id,)))


def test_what_an_approved_holder_does_is_no_theft(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    store.add_events([did(Action.COPY, days=1, actor=THIEF)])
    approve(store, 0)
    run(store, 2, grants=(grant(),))

    assert said(store) == []


def test_what_a_holder_does_whose_share_was_held_back_is_theft(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    shared = run(store, 1, grants=(grant(),))
    finding = next(each for each in report(store).findings if each.grantee)
    approve(store, 1, of=shared, excepted=(finding.id,))
    store.add_events([did(Action.COPY, days=1.5, actor=THIEF)])
    run(store, 2, grants=(grant(),))

    assert said(store) == ["foreign-copy"]


def test_a_share_approved_by_itself_may_be_used(store: Store) -> None:
    run(store, 0)
    approve(store, 0)
    run(store, 1, grants=(grant(),))
    finding = next(each for each in report(store).findings if each.grantee)
    approve(store, 1, findings=(finding.id,))
    store.add_events([did(Action.COPY, days=1.5, actor=THIEF)])
    run(store, 2, grants=(grant(),))

    assert said(store) == []


def test_an_approved_removal_is_no_approval_of_the_next_share(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    approve(store, 0)
    run(store, 1)
    (removed,) = report(store).findings
    approve(store, 1, findings=(removed.id,))
    store.add_events([did(Action.SHARE, days=1.5), did(Action.UNSHARE, days=1.5, minutes=1)])
    run(store, 2)

    assert said(store) == ["unbaselined-share"]


def test_a_snapshot_approved_whole_is_approved_with_its_holders_of_that_run(store: Store) -> None:
    run(store, 0, grants=(grant(),))
    approve(store, 0)
    run(store, 1)
    approve(store, 1, snapshots=(SNAPSHOT,))
    store.add_events([did(Action.SHARE, days=1.5), did(Action.UNSHARE, days=1.5, minutes=1)])
    run(store, 2)

    assert said(store) == ["unbaselined-share"]


@pytest.mark.parametrize("revoked", [False, True])
def test_an_approval_that_does_not_count_settles_no_event(store: Store, *, revoked: bool) -> None:
    """Nothing in the inventory changed meanwhile: both runs have one revision."""
    first = run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.SHARE, days=1), did(Action.UNSHARE, days=1, minutes=1)])
    second = run(store, 2)
    assert first.last_rev == second.last_rev
    request = approving.Request(run=second, by="eve", reason="fine", allow_unknown=True)
    line = approving.approve(store, approving.plan(store, request), at=DAY + timedelta(days=2), pending=not revoked)
    if revoked:
        evidence.revoke(store, line.id, by="ann", reason="it was not")
    store.add_events([did(Action.INHIBIT, days=3, name="rbin:DeleteRule")])
    run(store, 4)
    other = next(each for each in told(store) if each.rule == "recovery-inhibited")

    approve(store, 4, findings=(other.id,))

    assert said(store) == ["unbaselined-share"]


def test_an_event_can_be_approved_before_anything_else_was(store: Store) -> None:
    store.add_events([did(Action.INHIBIT, days=-3), did(Action.EXPORT, days=-2)])
    run(store, 0)
    inhibited = next(each for each in told(store) if each.rule == "recovery-inhibited")

    approve(store, 0, findings=(inhibited.id,))

    assert said(store) == ["snapshot-export"]


def test_an_approval_of_events_is_proven_and_moves_to_another_store(store: Store, tmp_path: Path) -> None:
    run(store, 0)
    approve(store, 0)
    store.add_events([did(Action.INHIBIT, days=1)])
    run(store, 2)
    approve(store, 2, findings=(told(store)[0].id,))

    assert store.verify_baselines().problems == ()
    with Store.open(f"sqlite:///{tmp_path}/other.db", write=True) as other:
        exported = bundle.parse("".join(store.export_baselines()).splitlines())
        other.import_baselines(exported, claimed={}, at=DAY + timedelta(days=3))
        other.add_events(store.events(DAY - timedelta(days=30), DAY + timedelta(days=30)))
        run(other, 4)

        assert said(other) == []
        assert any(pin.subject.startswith("event:aws:inhibit") for pin in other.effective()[1].around)
