"""What AWS Backup's own list of jobs shows where CloudTrail is closed, and that a job is found once where it is not."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from snapbase import sandbox
from snapbase.collect.engine import Selection
from snapbase.event import ActorKind
from snapbase.finding import Finding, Severity
from snapbase.model import Outcome, PrincipalKind
from snapbase.operations import audit
from snapbase.rules.jobs import joined
from snapbase.sandbox import Endpoints
from snapbase.sandbox.aws import backup_jobs, story
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.story import MEMBER, OUTSIDER, REGIONS
from snapbase.sandbox.faults import Switchboard
from snapbase.settings import AwsEntry, Config
from snapbase.store import Store
from tests.observed import closed, copy_of, observe, since_first

REGION = REGIONS[0]
THIEF = "t.lambert"
ROLE = f"arn:aws:iam::{MEMBER}:role/service-role/AWSBackupDefaultServiceRole"
AWS = Selection(accounts=(MEMBER,))


@pytest.fixture(scope="module")
def endpoints(switchboard: Switchboard) -> Iterator[Endpoints]:
    server = AwsSandbox(switchboard)
    started = Endpoints(server.start(), "", "")
    with sandbox.environment(started):
        story.seed(started.aws)
        yield started
    server.stop()


@pytest.fixture(scope="module")
def config(endpoints: Endpoints) -> Config:
    entry = AwsEntry(endpoint=endpoints.aws, organization=True, role=story.ROLE, regions=(REGION,))
    found = Config(aws=(entry,))
    kinds = found.collect.model_copy(update={"kinds": ("aws.backup.recovery-point",)})
    return found.model_copy(update={"collect": kinds})


@pytest.fixture(scope="module")
def vault(endpoints: Endpoints) -> str:
    """A stranger's, in which whoever likes may put a copy."""
    return backup_jobs.vault_of(OUTSIDER, REGION, "loot")


@pytest.fixture(scope="module")
def before(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "s.db"
    with Store.open(f"sqlite:///{path}", write=True) as opened:
        observe(opened, config, AWS)
    return path


@pytest.fixture
def store(before: Path, tmp_path: Path) -> Iterator[Store]:
    """A store that saw the estate before."""
    with copy_of(before, tmp_path) as opened:
        yield opened


def _found(store: Store, rule: str, job: str) -> list[Finding]:
    """Of the rule, those that the job's event or one that names it shows."""
    return [
        each
        for each in since_first(store).findings
        if each.rule == rule and any(job in _told(store, event.event_id) for event in each.attribution)
    ]


def _told(store: Store, event_id: str) -> str:
    return " ".join(f"{each.id} {each.detail}" for each in store.named_events([("aws", event_id)]))


def _client(endpoints: Endpoints) -> Any:
    return story._Account(endpoints.aws, MEMBER, f"Developer/{THIEF}").client("backup", REGION)


def _point(backup: Any) -> str:
    (point, *_) = backup.list_recovery_points_by_backup_vault(BackupVaultName="daily")["RecoveryPoints"]
    return str(point["RecoveryPointArn"])


def _steal(endpoints: Endpoints, vault: str) -> str:
    backup = _client(endpoints)
    time.sleep(1 - time.time() % 1)  # CloudTrail tells whole seconds: not the one in which the run before ended
    made = backup.start_copy_job(
        RecoveryPointArn=_point(backup),
        SourceBackupVaultName="daily",
        DestinationBackupVaultArn=vault,
        IamRoleArn=ROLE,
    )
    return str(made["CopyJobId"])


def test_a_copy_to_an_unknown_account_is_found_where_cloudtrail_is_closed(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store, vault: str
) -> None:
    with closed(switchboard, "aws", "cloudtrail:LookupEvents"):
        job = _steal(endpoints, vault)
        observe(store, config, AWS)

    (found,) = _found(store, "foreign-copy", job)
    assert (found.severity, found.account) == (Severity.CRITICAL, MEMBER)
    assert found.grantee is not None
    assert (found.grantee.principal.kind, found.grantee.principal.id) == (PrincipalKind.ACCOUNT, OUTSIDER)
    assert ROLE in {each.actor for each in found.attribution}
    assert "AWSBackupDefaultServiceRole copied" in found.title
    gaps = {each.coverage.scope.kind: each.coverage.outcome for each in since_first(store).coverage}
    assert gaps == {"aws.cloudtrail": Outcome.DENIED}


def test_where_cloudtrail_is_open_it_is_one_finding_that_names_who_asked(
    endpoints: Endpoints, config: Config, store: Store, vault: str
) -> None:
    job = _steal(endpoints, vault)
    observe(store, config, AWS)

    (found,) = _found(store, "foreign-copy", job)
    assert [each for each in since_first(store).findings if each.rule == "foreign-copy"] == [found]
    assert {each.action for each in found.attribution} == {"backup:StartCopyJob"}
    assert all(THIEF in each.actor for each in found.attribution)
    assert found.severity == Severity.CRITICAL


def test_what_was_found_by_the_job_is_told_again_with_a_name_and_not_twice(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store, vault: str
) -> None:
    with closed(switchboard, "aws", "cloudtrail:LookupEvents"):
        job = _steal(endpoints, vault)
        observe(store, config, AWS)
    (before,) = _found(store, "foreign-copy", job)
    observe(store, config, AWS)

    (after,) = _found(store, "foreign-copy", job)
    assert before.id != after.id
    assert THIEF in after.attribution[0].actor


def test_a_restore_is_found_where_cloudtrail_is_closed_and_once_where_it_is_open(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store
) -> None:
    # As if the log had been known for long.
    store.mark_log(("aws.cloudtrail", MEMBER, REGION), *_long_ago(store))
    backup = _client(endpoints)
    with closed(switchboard, "aws", "cloudtrail:LookupEvents"):
        made = backup.start_restore_job(RecoveryPointArn=_point(backup), Metadata={"x": "y"}, IamRoleArn=ROLE)
        observe(store, config, AWS)
        (found,) = _found(store, "restore-by-new-principal", made["RestoreJobId"])
    assert ROLE in found.attribution[0].actor
    observe(store, config, AWS)

    (found,) = _found(store, "restore-by-new-principal", made["RestoreJobId"])
    assert THIEF in found.attribution[0].actor
    assert "restored-" in found.detail, "the job's own fact"


def _long_ago(store: Store) -> tuple[Any, Any]:
    run = store.run(1)
    return run.started_at - timedelta(days=30), run.started_at


def test_a_job_that_had_only_begun_has_ended_when_it_is_read_again(
    endpoints: Endpoints, config: Config, store: Store, vault: str
) -> None:
    job = _steal(endpoints, vault)
    backup_jobs.run_on(MEMBER, REGION, job)
    key = ("aws", f"copy-job/{job}")
    observe(store, config, AWS)
    (running,) = store.named_events([key])
    backup_jobs.end(MEMBER, REGION, job, "FAILED")
    assert not audit.fetch_alone(store, config, AWS, stop=threading.Event()).unread
    (ended,) = store.named_events([key])

    assert (running.result, ended.result) == ("started", "failed")
    (found,) = _found(store, "foreign-copy", job)
    assert found.severity == Severity.MEDIUM, "it was tried"


def test_jobs_that_may_not_be_listed_are_a_hole_of_their_own(
    endpoints: Endpoints, config: Config, switchboard: Switchboard, store: Store
) -> None:
    with closed(switchboard, "aws", "backup:ListCopyJobs"):
        observe(store, config, AWS)

    gaps = {each.coverage.scope.kind: each.coverage for each in since_first(store).coverage}
    assert gaps.keys() == {"aws.backup.jobs"}
    assert "backup:ListCopyJobs" in gaps["aws.backup.jobs"].reason
    observe(store, config, AWS)
    assert since_first(store).complete


def test_another_call_that_names_a_job_hides_none(
    endpoints: Endpoints, config: Config, store: Store, vault: str
) -> None:
    """What somebody writes into a call's words is theirs to choose."""
    job = _steal(endpoints, vault)
    observe(store, config, AWS)
    key = ("aws", f"copy-job/{job}")
    (known,) = store.named_events([key])
    for name, account in (("ec2:CopySnapshot", MEMBER), ("backup:StartCopyJob", OUTSIDER)):
        liar = replace(
            known, id="lie", name=name, account=account, targets=(), detail=f"copyJobId={job} ", actor=replace(
                known.actor, kind=ActorKind.HUMAN, id="eve")
        )  # fmt: skip
        assert joined([known, liar])[1] == {}
    honest = replace(known, id="asked", name="backup:StartCopyJob", detail=f"into x copyJobId={job} ", made="")
    once, same = joined([known, honest])
    assert same == {key: ("aws", "asked")}
    assert [(each.id, each.made) for each in once] == [("asked", known.made)]
