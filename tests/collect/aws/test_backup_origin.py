"""From the cloud to the cohort: the plan that made an EBS snapshot is its recovery point's to tell."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from snapbase.collect.aws.errors import CallFailed
from snapbase.model import Aspect, Coverage, Outcome, Reading, Run, Scope
from snapbase.operations import approve as approving
from snapbase.operations import origins, trusting
from snapbase.operations.diff import against_baseline, diff
from snapbase.sandbox.aws import backup
from snapbase.sandbox.aws.wire import Call
from snapbase.sandbox.faults import FaultKind
from snapbase.store import Store
from snapbase.trust import TrustList
from tests.collect.aws.account import ACCOUNT, HOME, Aws

KINDS = ("aws.backup.plan", "aws.backup.recovery-point", "aws.ec2.snapshot")
TRUST = trusting.to_bytes(TrustList(own=frozenset({ACCOUNT})))


@pytest.fixture
def aws(running: Aws) -> Aws:
    running.reset()
    running.client("backup").create_backup_vault(BackupVaultName="vault")
    return running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/snapbase.db", write=True) as store:
        yield store


def _plan(days: int) -> dict[str, Any]:
    rule = {"RuleName": "daily", "TargetBackupVaultName": "vault", "Lifecycle": {"DeleteAfterDays": days}}
    return {"BackupPlanName": "nightly", "Rules": [rule]}


def _volume(aws: Aws) -> str:
    volume = aws.client("ec2").create_volume(AvailabilityZone=f"{HOME}a", Size=8)["VolumeId"]
    return f"arn:aws:ec2:{HOME}:{ACCOUNT}:volume/{volume}"


def _run_plan(aws: Aws, plan: str, source: str) -> None:
    told = aws.client("backup").get_backup_plan(BackupPlanId=plan)
    backup.run_plan(Call(ACCOUNT, HOME, "backup", "StartBackupJob", b"", {}), told, source)


def _read(aws: Aws, store: Store) -> Run:
    number = store.begin_run("", "", datetime.now(UTC))
    for kind in KINDS:
        scope = Scope("aws", ACCOUNT, HOME, kind)
        try:
            found, outcome = aws.read(kind), Outcome.COMPLETE
        except CallFailed:
            found, outcome = [], Outcome.DENIED
        coverage = tuple(Coverage(scope, each, outcome) for each in (Aspect.LIST, Aspect.SHARING))
        store.record(number, Reading(scope, datetime.now(UTC), found, coverage))
    return store.finish_run(number, trust=TRUST, at=datetime.now(UTC))


def _approve(store: Store, run: Run, origin: str) -> None:
    whole = approving.Request(run=run, by="ada", reason="fine")
    approving.approve(store, approving.plan(store, whole), at=run.finished_at)
    request = origins.Request(run=run, origins=(origin,), by="ada", reason="reviewed")
    origins.approve(store, request, origins.plan(store, request), at=run.finished_at)


def test_a_plan_cut_short_breaks_the_cohort_of_the_snapshots_it_makes(aws: Aws, store: Store) -> None:
    plan = aws.client("backup").create_backup_plan(BackupPlan=_plan(35))["BackupPlanId"]
    volume = _volume(aws)
    for _ in range(3):
        _run_plan(aws, plan, volume)
    run = _read(aws, store)
    (proposed,) = origins.derived(store, run)
    assert (proposed.cohort.origin, proposed.live) == (f"backup-plan:{plan}", 6)
    assert proposed.policy.endswith(plan)
    _approve(store, run, proposed.cohort.origin)

    aws.client("backup").update_backup_plan(BackupPlanId=plan, BackupPlan=_plan(1))
    _run_plan(aws, plan, volume)
    run = _read(aws, store)
    found = {each.entry: each for each in diff(store, run, against_baseline(store, run)).findings}

    assert found["cohort:policy"].count == 1
    assert "retention_days daily is 1, was 35" in found["cohort:policy"].detail
    assert "presence" not in found


def test_a_backup_on_demand_of_the_same_volume_is_listed(aws: Aws, store: Store) -> None:
    plan = aws.client("backup").create_backup_plan(BackupPlan=_plan(35))["BackupPlanId"]
    volume = _volume(aws)
    for _ in range(3):
        _run_plan(aws, plan, volume)
    run = _read(aws, store)
    _approve(store, run, f"backup-plan:{plan}")

    role = f"arn:aws:iam::{ACCOUNT}:role/backup"
    made = aws.client("backup").start_backup_job(BackupVaultName="vault", ResourceArn=volume, IamRoleArn=role)
    run = _read(aws, store)
    listed = {each.rule: each.subject.uid for each in diff(store, run, against_baseline(store, run)).findings}

    assert listed == {"snapshot-appeared": made["RecoveryPointArn"]}


def test_recovery_points_that_may_not_be_listed_are_said(aws: Aws, store: Store) -> None:
    plan = aws.client("backup").create_backup_plan(BackupPlan=_plan(35))["BackupPlanId"]
    volume = _volume(aws)
    for _ in range(3):
        _run_plan(aws, plan, volume)
    run = _read(aws, store)
    _approve(store, run, f"backup-plan:{plan}")

    _run_plan(aws, plan, volume)
    aws.break_(FaultKind.DENIED, "backup:ListRecoveryPointsByBackupVault")
    run = _read(aws, store)
    found = {each.entry: each for each in diff(store, run, against_baseline(store, run)).findings}

    assert found["cohort:plan"].count == 1
    assert f"recovery points of {ACCOUNT}/{HOME} were not read" in found["cohort:plan"].detail
