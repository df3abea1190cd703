"""AWS Backup's jobs through the real SDK from the sandbox, whose own copies and restores are in its lists."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.backup_jobs import AUDIT_LOG
from snapbase.audit.backup_jobs_fetch import HISTORY, OVERLAP, PERMISSIONS, fetch
from snapbase.audit.log import Broken, Fetched
from snapbase.collect.aws.errors import classify
from snapbase.event import Action, ActorKind, Event, Result
from snapbase.model import Outcome, Principal, PrincipalKind
from snapbase.operations.logs import READERS
from snapbase.sandbox.aws import backup_jobs, story
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard

ACCOUNT, REGION, OUTSIDER = story.MANAGEMENT, "us-east-1", story.OUTSIDER
HOUR = timedelta(hours=1)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/AWSBackupDefaultServiceRole"
VOLUME = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-1"


@dataclass
class Amazon:
    url: str
    switchboard: Switchboard
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    page: int | None = None

    def client(self) -> Any:
        return boto3.client(
            "backup",
            region_name=REGION,
            endpoint_url=self.url,
            config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def read(self, since: datetime | None = None, until: datetime | None = None) -> list[Fetched]:
        client, now = self.client(), datetime.now(UTC)

        def ask(operation: str, **parameters: Any) -> Any:
            self.asked.append((operation, parameters))
            more = {"MaxResults": self.page} if self.page else {}
            return getattr(client, xform_name(operation))(**{**parameters, **more})

        return list(fetch(ask, classify, ACCOUNT, REGION, since or now - HOUR, until or now))

    def events(self, **window: Any) -> list[Event]:
        (found,) = self.read(**window)
        assert (found.miss, found.broken) == (None, {})
        return list(found.events)


@pytest.fixture(scope="module")
def started(aws_url: str, switchboard: Switchboard) -> Amazon:
    amazon = Amazon(aws_url, switchboard)
    amazon.client().create_backup_vault(BackupVaultName="ours")
    backup_jobs.vault_of(OUTSIDER, REGION, "loot")
    return amazon


@pytest.fixture
def amazon(started: Amazon) -> Amazon:
    started.switchboard.heal()
    started.asked.clear()
    started.page = None
    backup_jobs.forget(ACCOUNT, REGION)
    return started


def point(amazon: Amazon) -> str:
    backup = amazon.client()
    made = backup.start_backup_job(BackupVaultName="ours", ResourceArn=VOLUME, IamRoleArn=ROLE)
    return str(made["RecoveryPointArn"])


def copied(amazon: Amazon, account: str = OUTSIDER, vault: str = "loot") -> str:
    into = f"arn:aws:backup:{REGION}:{account}:backup-vault:{vault}"
    made = amazon.client().start_copy_job(
        RecoveryPointArn=point(amazon), SourceBackupVaultName="ours", DestinationBackupVaultArn=into, IamRoleArn=ROLE
    )
    return str(made["CopyJobId"])


def restored(amazon: Amazon) -> str:
    made = amazon.client().start_restore_job(RecoveryPointArn=point(amazon), Metadata={"x": "y"}, IamRoleArn=ROLE)
    return str(made["RestoreJobId"])


def test_a_copy_says_into_whose_vault_and_how_it_ended(amazon: Amazon) -> None:
    job = copied(amazon)

    (found,) = amazon.events()

    assert (found.id, found.name, found.action) == (f"copy-job/{job}", "backup:CopyJob", Action.COPY)
    assert (found.account, found.region, found.result) == (ACCOUNT, REGION, Result.SUCCEEDED)
    assert found.targets == (Principal(PrincipalKind.ACCOUNT, OUTSIDER),)
    assert found.made.startswith(f"arn:aws:backup:{REGION}:{OUTSIDER}:recovery-point:")
    assert found.subjects == (found.source, found.made)
    assert f"copyJobId={job} COMPLETED" in found.detail
    assert f"{OUTSIDER}:backup-vault:loot" in found.detail
    assert (found.actor.issuer, found.actor.via) == (ROLE, "backup.amazonaws.com")
    assert (found.actor.kind, found.actor.account) == (ActorKind.ROLE, ACCOUNT)


def test_a_copy_within_the_account_has_no_target(amazon: Amazon) -> None:
    copied(amazon, ACCOUNT, "ours")

    (found,) = amazon.events()
    assert found.targets == ()


def test_a_copy_into_a_vault_that_refuses_it_was_denied(amazon: Amazon) -> None:
    copied(amazon, vault="not there")

    (found,) = amazon.events()
    assert (found.result, found.made) == (Result.DENIED, "")
    assert "Access Denied" in found.detail


def test_a_restore_says_what_it_made(amazon: Amazon) -> None:
    job = restored(amazon)

    (found,) = amazon.events()
    assert (found.id, found.action, found.result) == (f"restore-job/{job}", Action.RESTORE, Result.SUCCEEDED)
    assert found.made.startswith(f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/restored-")
    assert found.source.startswith(f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:")
    assert found.region == REGION


def test_what_runs_has_begun_and_is_read_again_when_it_has_ended(amazon: Amazon) -> None:
    jobs = {f"copy-job/{copied(amazon)}", f"restore-job/{restored(amazon)}"}
    for job in jobs:
        backup_jobs.run_on(ACCOUNT, REGION, job.partition("/")[2])
    running = amazon.events()
    for job in jobs:
        backup_jobs.end(ACCOUNT, REGION, job.partition("/")[2], began=timedelta(days=2))
    ended = amazon.events()

    assert {each.id for each in running} == {each.id for each in ended} == jobs
    assert {each.result for each in running} == {Result.STARTED}
    assert {each.made for each in running} == {""}
    # They began before all that was asked for.
    assert {each.result for each in ended} == {Result.SUCCEEDED}
    assert all(each.made and each.at < datetime.now(UTC) - timedelta(days=1) for each in ended)


def test_what_failed_or_was_aborted_has_failed(amazon: Amazon) -> None:
    for state in ("FAILED", "ABORTED"):
        backup_jobs.end(ACCOUNT, REGION, restored(amazon), state)

    assert [each.result for each in amazon.events()] == [Result.FAILED] * 2


def test_what_ended_before_is_not_read_again(amazon: Amazon) -> None:
    copied(amazon)
    later = datetime.now(UTC) + OVERLAP + timedelta(minutes=1)

    assert amazon.events(since=later, until=later + HOUR) == []
    assert len(amazon.events(since=later - timedelta(minutes=2), until=later + HOUR)) == 1


def test_every_page_is_read_and_each_job_is_one(amazon: Amazon) -> None:
    jobs = {f"copy-job/{copied(amazon)}" for _ in range(5)}
    amazon.page = 2

    found = amazon.events()

    assert sorted(each.id for each in found) == sorted(jobs)
    assert len(amazon.asked) == 2 * 3 + 2
    assert {operation for operation, _ in amazon.asked} == {"ListCopyJobs", "ListRestoreJobs"}


def test_a_list_that_cannot_be_read_is_said_and_hides_no_other(
    amazon: Amazon, refusal: tuple[FaultKind, Outcome]
) -> None:
    kind, outcome = refusal
    copied(amazon)
    restored(amazon)
    amazon.switchboard.break_(Fault(kind, cloud="aws", operation="backup:ListCopyJobs"))

    (found,) = amazon.read()

    assert found.miss is not None
    assert (found.miss.outcome, [each.action for each in found.events]) == (outcome, [Action.RESTORE])


def test_a_region_that_is_not_enabled_reads_as_for_other_kinds(amazon: Amazon) -> None:
    amazon.switchboard.break_(Fault(FaultKind.DISABLED, cloud="aws", operation="backup:ListRestoreJobs"))

    (found,) = amazon.read()
    assert found.miss is not None
    assert "the region or service is not enabled there" in found.miss.reason


def test_what_aws_backup_forgot_is_said(amazon: Amazon) -> None:
    until = datetime.now(UTC)
    read, gone = amazon.read(until - timedelta(days=40), until)

    assert (read.since, read.until, read.miss) == (until - HISTORY, until, None)
    assert gone.miss is not None
    assert (gone.since, gone.until, gone.miss.outcome) == (until - timedelta(days=40), read.since, Outcome.PARTIAL)


def test_a_list_without_end_is_given_up() -> None:
    now = datetime.now(UTC)

    def ask(operation: str, **_: Any) -> Any:
        return {"CopyJobs": [], "NextToken": "again"}

    (found,) = fetch(ask, classify, ACCOUNT, REGION, now - HOUR, now)
    assert found.miss is not None
    assert found.miss.outcome == Outcome.PARTIAL


def test_errors_of_our_own_are_not_swallowed() -> None:
    def ask(operation: str, **_: Any) -> Any:
        raise KeyError(operation)

    now = datetime.now(UTC)
    with pytest.raises(KeyError):
        list(fetch(ask, classify, ACCOUNT, REGION, now - HOUR, now))


def test_broken_jobs_are_counted_and_named() -> None:
    def ask(operation: str, **_: Any) -> Any:
        return {"CopyJobs": [{"CopyJobId": "x"}, copy(State="NEW ONE"), copy(CreationDate="never")]}

    now = datetime.now(UTC)
    (found,) = fetch(ask, classify, ACCOUNT, REGION, now - HOUR, now)
    assert set(found.broken) == {
        "the job has no id",
        "the job's state is none that is known",
        "CreationDate is not a time",
    }
    assert found.events == ()


def test_the_permissions_are_what_is_asked(amazon: Amazon) -> None:
    amazon.switchboard.calls.clear()
    amazon.read()

    assert {operation for *_, operation in amazon.switchboard.calls} == set(PERMISSIONS)
    assert READERS["aws.backup.jobs"].permissions == PERMISSIONS


def copy(**more: Any) -> dict[str, Any]:
    """As the command line shows one."""
    return {
        "AccountId": ACCOUNT,
        "CopyJobId": "0A1B2C3D-0000-4000-8000-000000000001",
        "SourceBackupVaultArn": f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:ours",
        "SourceRecoveryPointArn": f"arn:aws:ec2:{REGION}::snapshot/snap-1",
        "DestinationBackupVaultArn": f"arn:aws:backup:eu-west-1:{OUTSIDER}:backup-vault:loot",
        "DestinationRecoveryPointArn": "arn:aws:ec2:eu-west-1::snapshot/snap-2",
        "ResourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/vol-1",
        "CreationDate": "2026-11-25T01:02:03.456000+01:00",
        "CompletionDate": 1764032523.4,
        "State": "COMPLETED",
        "IamRoleArn": ROLE,
        **more,
    }


def restore(**more: Any) -> dict[str, Any]:
    return {
        "AccountId": ACCOUNT,
        "RestoreJobId": "0A1B2C3D-0000-4000-8000-000000000002",
        "RecoveryPointArn": f"arn:aws:ec2:{REGION}::snapshot/snap-1",
        "BackupVaultArn": f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:ours",
        "CreatedResourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/vol-2",
        "CreationDate": datetime(2026, 11, 25, tzinfo=UTC),
        "Status": "COMPLETED",
        "IamRoleArn": ROLE,
        "CreatedBy": {},
        **more,
    }


def test_a_job_of_a_plan_or_of_a_test_is_the_services_own() -> None:
    plan = {"BackupPlanId": "p"}
    kinds = [
        told(copy(CreatedByBackupJobId="b", CreatedBy=plan)).actor.kind,
        told(copy(CreatedBy=plan)).actor.kind,  # the plan is the backup's, and this copy of it was asked for
        told(restore(CreatedBy={"RestoreTestingPlanArn": "t"})).actor.kind,
        told(restore()).actor.kind,
        told(restore(IamRoleArn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/backup.amazonaws.com/x")).actor.kind,
    ]
    assert kinds == [ActorKind.SERVICE, ActorKind.ROLE, ActorKind.SERVICE, ActorKind.ROLE, ActorKind.SERVICE]


def test_a_part_of_a_composite_that_left_has_left() -> None:
    assert told(copy(State="PARTIAL")).result == Result.SUCCEEDED


def test_of_a_job_that_is_read_twice_the_end_stays() -> None:
    running, ended = told(copy(State="RUNNING")), told(copy())

    assert list(AUDIT_LOG.fold([running, ended])) == list(AUDIT_LOG.fold([ended, running])) == [ended]


def told(record: dict[str, Any]) -> Event:
    found = AUDIT_LOG.parse(record)
    assert isinstance(found, Event), found
    return found


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.datetimes()
    | st.text(max_size=12)
    | st.sampled_from(
        ["", ":" * 9, "arn:", "\x00", "\ud800", "x" * 50_000, "0001-01-01T00:00:00+23:59", f"arn:a:b:c:{ACCOUNT}:d:e"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([copy, restore]), st.data())
def test_whatever_is_in_a_job_it_is_read_or_named(made: Any, data: st.DataObject) -> None:
    record = made()
    for name in data.draw(st.lists(st.sampled_from(sorted(record)), min_size=1, max_size=4)):
        record[name] = data.draw(JUNK)

    assert AUDIT_LOG.recognise(record) is True
    found = AUDIT_LOG.parse(record)
    if isinstance(found, Broken):
        assert found.why
        return
    assert found is not None
    assert found.at.utcoffset() == timedelta()
    assert found.result in set(Result)
    assert found.subjects
    assert all(found.subjects)
    assert len(found.detail) <= 500
    assert "\n" not in found.detail
    assert list(AUDIT_LOG.fold([found, found])) == [found]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(copy() | restore())) | st.text(max_size=5), JUNK, max_size=8))
def test_any_object_is_read_or_named(record: dict[str, Any]) -> None:
    AUDIT_LOG.recognise(record)
    AUDIT_LOG.parse(record)
