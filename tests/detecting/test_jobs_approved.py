"""Somebody approves a job that was seen, and the log names who asked for it later."""

from dataclasses import replace

from snapbase.event import Action, Event
from snapbase.store import Store
from tests.detecting.world import EVE, approve, did, run, told
from tests.store.world import OUTSIDER

JOB = "0A1B2C3D-0000-4000-8000-000000000001"


def copied() -> tuple[Event, Event]:
    """As the service lists it, and as the log has it."""
    listed = did(Action.COPY, days=1, name="backup:CopyJob", targets=(OUTSIDER,), detail=f"copyJobId={JOB} COMPLETED")
    role = replace(EVE, id="arn:aws:iam::111122223333:role/backup", via="backup.amazonaws.com")
    asked = replace(listed, id="asked", name="backup:StartCopyJob", detail=f"copyJobId={JOB} ")
    return replace(listed, id=f"copy-job/{JOB}", actor=role), asked


def test_an_approved_job_stays_approved_when_the_log_names_who_asked(store: Store) -> None:
    listed, asked = copied()
    run(store, 0)
    approve(store, 0)
    store.add_events([listed])
    run(store, 2)
    (found,) = told(store)
    assert found.rule == "foreign-copy"
    approve(store, 2, findings=(found.id,))
    assert told(store) == []

    store.add_events([asked])
    run(store, 3)

    assert told(store) == []


def test_it_is_told_with_the_name_where_nobody_approved_it(store: Store) -> None:
    listed, asked = copied()
    run(store, 0)
    approve(store, 0)
    store.add_events([listed])
    run(store, 2)
    (before,) = told(store)
    store.add_events([asked])
    run(store, 3)

    (after,) = told(store)
    assert (before.attribution[0].event_id, after.attribution[0].event_id) == (listed.id, "asked")
