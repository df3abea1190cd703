"""A job and the event that asked for it are one; nothing else is taken for the other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapbase.event import Action, Actor, ActorKind, Event, Result
from snapbase.model import Principal, PrincipalKind
from snapbase.rules.jobs import joined

AT = datetime(2026, 11, 25, tzinfo=UTC)
JOB = "0A1B2C3D-0000-4000-8000-000000000001"
OURS, ROLE = "111122223333", "arn:aws:iam::111122223333:role/backup"
POINT, COPY = "arn:aws:backup:eu-west-1:111122223333:recovery-point:a", "arn:aws:ec2:eu-west-1::snapshot/snap-2"
THEIRS = Principal(PrincipalKind.ACCOUNT, "999988887777")
LISTED = Event(
    cloud="aws",
    id=f"copy-job/{JOB}",
    at=AT,
    name="backup:CopyJob",
    action=Action.COPY,
    actor=Actor(ROLE, ActorKind.ROLE, ROLE, "backup.amazonaws.com", OURS),
    account=OURS,
    region="eu-west-1",
    subjects=(POINT, COPY),
    source=POINT,
    made=COPY,
    targets=(THEIRS,),
    detail=f"copyJobId={JOB} COMPLETED",
)
ASKED = replace(
    LISTED,
    id="e-1",
    name="backup:StartCopyJob",
    actor=Actor("arn:aws:iam::111122223333:user/eve", ActorKind.HUMAN, account=OURS),
    source_ip="198.51.100.7",
    subjects=(POINT,),
    made="",
    targets=(),
    result=Result.STARTED,
    detail=f"copyJobId={JOB} ",
)
ENDED = replace(
    ASKED, id="e-2", name="backup:CopyJobCompleted", actor=Actor("backup.amazonaws.com", ActorKind.SERVICE), made=COPY
)


def test_who_asked_is_the_log_s_and_where_it_went_the_job_s() -> None:
    (one,), same = joined([LISTED, ASKED])

    assert same == {("aws", LISTED.id): ("aws", "e-1")}
    assert (one.id, one.actor, one.source_ip, one.at) == ("e-1", ASKED.actor, ASKED.source_ip, ASKED.at)
    assert (one.result, one.made, one.targets, one.subjects) == (Result.SUCCEEDED, COPY, (THEIRS,), (POINT, COPY))


def test_of_a_begin_and_an_end_it_is_the_one_that_names_somebody() -> None:
    found, same = joined([ENDED, LISTED, ASKED])

    assert set(same.values()) == {("aws", "e-1")}
    assert {each.id for each in found} == {"e-1", "e-2"}


def test_the_service_s_word_that_it_ended_does_not_make_it_the_service_s_own() -> None:
    """Where the call that asked for it was not read, it stays what somebody asked for."""
    by_itself = replace(LISTED, actor=ENDED.actor)

    assert joined([ENDED, LISTED])[1] == {}
    assert joined([ENDED, by_itself])[1] == {("aws", LISTED.id): ("aws", "e-2")}


def test_a_job_that_failed_was_only_tried_and_one_that_runs_has_begun() -> None:
    assert joined([ASKED, replace(LISTED, result=Result.FAILED)])[0][0].result == Result.FAILED
    assert joined([ASKED, replace(LISTED, result=Result.STARTED)])[0][0].result == Result.STARTED


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, detail="copyJobId=0A1B2C3D-0000-4000-8000-000000000002 "),
        replace(ASKED, detail=f"restoreJobId={JOB} "),
        replace(ASKED, account="999988887777"),
        replace(ASKED, name="ec2:CopySnapshot"),
        replace(ASKED, action=Action.RESTORE),
        replace(ASKED, result=Result.DENIED),
        replace(ASKED, cloud="gcp"),
    ],
)
def test_what_is_not_the_same_stays_two(other: Event) -> None:
    found, same = joined([other, LISTED])

    assert (same, len(found)) == ({}, 2)


VAULT = "/subscriptions/s/resourcegroups/g/providers/microsoft.recoveryservices/vaults/v"
MACHINE = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/m"
RESTORED = replace(
    LISTED,
    cloud="azure",
    id="backup-job/1",
    name="Microsoft.RecoveryServices/vaults/backupJobs/restore",
    action=Action.RESTORE,
    account="s",
    actor=Actor("", via="Azure Backup"),
    subjects=(VAULT, MACHINE),
    source=MACHINE,
    made="",
)
REQUESTED = replace(
    RESTORED,
    id="c/1",
    name="Microsoft.RecoveryServices/vaults/backupFabrics/.../restore/action",
    actor=ASKED.actor,
    subjects=(f"{VAULT}/backupfabrics/azure/protectioncontainers/iaasvmcontainer;iaasvmcontainerv2;g;m/x/y",),
)


@pytest.mark.parametrize(
    ("minutes", "subject", "count"),
    [
        (0, "", 1),
        (14, "", 1),
        (-4, "", 1),
        (16, "", 2),
        (-6, "", 2),
        (0, REQUESTED.subjects[0].replace(";m/", ";m2/"), 2),
        (0, REQUESTED.subjects[0].replace("/vaults/v/", "/vaults/v2/"), 2),
    ],
)
def test_azure_joins_by_vault_item_and_time(minutes: int, subject: str, count: int) -> None:
    asked = replace(REQUESTED, subjects=(subject,)) if subject else REQUESTED
    job = replace(RESTORED, at=AT + timedelta(minutes=minutes))

    assert len(joined([asked, job])[0]) == count


def test_two_restores_of_a_machine_are_two() -> None:
    later = timedelta(minutes=5)
    again = replace(REQUESTED, id="c/2", at=AT + later)
    job = replace(RESTORED, id="backup-job/2", at=AT + later)

    found, same = joined([RESTORED, REQUESTED, again, job])

    assert same == {("azure", "backup-job/1"): ("azure", "c/1"), ("azure", "backup-job/2"): ("azure", "c/2")}
    assert len(found) == 2


EVENTS = st.builds(
    lambda base, number, minutes, detail, account: replace(
        base,
        id=f"{base.id}{number}",
        at=AT + timedelta(minutes=minutes),
        detail=detail or base.detail,
        account=account or base.account,
    ),
    st.sampled_from([LISTED, ASKED, ENDED, RESTORED, REQUESTED]),
    st.integers(0, 3),
    st.integers(-30, 30),
    st.sampled_from(["", "", f"copyJobId={JOB}1 ", "copyJobId=", "\ud800"]),
    st.sampled_from(["", "", "other"]),
)


@given(st.lists(EVENTS, max_size=12))
def test_nothing_is_lost_but_jobs_into_what_asked_for_them(events: list[Event]) -> None:
    found, same = joined(events)

    keys = {(each.cloud, each.id) for each in events}
    left = {(each.cloud, each.id) for each in found}
    assert left | same.keys() == keys
    assert not left & same.keys()
    assert set(same.values()) <= left
    assert len(set(same.values())) == len(same)
