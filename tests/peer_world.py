"""A running AWS sandbox and the store of one test: all that lies between somebody's click and a report."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from snapbase.collect import limit
from snapbase.collect.aws.session import Region
from snapbase.collect.engine import Selection, targets
from snapbase.collect.runtime import Runtime
from snapbase.finding import Finding, Report
from snapbase.model import Run, State
from snapbase.operations import approve as approving
from snapbase.operations.collect import collect
from snapbase.operations.diff import against_baseline, diff, finished_run
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.story import MANAGEMENT, MEMBER, REGIONS, ROLE, seed
from snapbase.sandbox.faults import Switchboard
from snapbase.settings import AwsEntry, CollectSection, Config
from snapbase.store import Store

HOME, ELSEWHERE = REGIONS
EBS, IMAGE, RDS, CLUSTER = "aws.ec2.snapshot", "aws.ec2.image", "aws.rds.snapshot", "aws.rds.cluster-snapshot"
EVERYONE = {"Group": "all"}
_KEYS = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
_NONE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


@dataclass
class Estate:
    """The seeded sandbox of a module; what a test takes in its second region goes with the test."""

    url: str
    switchboard: Switchboard
    config: Config
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    taken: list[tuple[str, str]] = field(default_factory=list)

    def client(self, service: str, account: str = MEMBER) -> Any:
        if (service, account) not in self.clients:
            keys = dict(_KEYS)
            if account != MANAGEMENT:
                role = f"arn:aws:iam::{account}:role/{ROLE}"
                told = self.client("sts", MANAGEMENT).assume_role(RoleArn=role, RoleSessionName="peers")["Credentials"]
                keys = {
                    "aws_access_key_id": told["AccessKeyId"],
                    "aws_secret_access_key": told["SecretAccessKey"],
                    "aws_session_token": told["SessionToken"],
                }
            made = boto3.client(service, region_name=ELSEWHERE, endpoint_url=self.url, **keys)
            self.clients[service, account] = made
        return self.clients[service, account]

    def take(self, account: str = MEMBER) -> str:
        """The id of a new EBS snapshot."""
        ec2 = self.client("ec2", account)
        volume = ec2.create_volume(AvailabilityZone=f"{ELSEWHERE}a", Size=1)["VolumeId"]
        self.taken.append((account, str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"])))
        return self.taken[-1][1]

    def share(self, snapshot: str, *holders: dict[str, str], account: str = MEMBER, how: str = "Add") -> None:
        ec2 = self.client("ec2", account)
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={how: list(holders)})

    def clear(self) -> None:
        self.switchboard.heal()
        for account, snapshot in self.taken:
            self.client("ec2", account).delete_snapshot(SnapshotId=snapshot)
        self.taken.clear()


@dataclass
class World:
    """The sandbox, and the store of one test."""

    estate: Estate
    store: Store
    config: Config
    kinds: tuple[str, ...] = (EBS,)
    regions: tuple[str, ...] = (ELSEWHERE,)

    def collect(self) -> Run:
        selection = Selection(("aws",), (MEMBER,), self.regions, self.kinds)
        collect(self.store, self.config, selection, progress=lambda _: None, stop=threading.Event())
        return finished_run(self.store)

    def report(self) -> Report:
        run = self.collect()
        return diff(self.store, run, against_baseline(self.store, run))

    def plan(self, run: Run, *findings: str) -> approving.Plan:
        flags: dict[str, Any] = {"allow_unknown": True, "allow_public": True, "allow_incomplete": True}
        request = approving.Request(run=run, by="ada", reason="as it should be", findings=findings, **flags)
        return approving.plan(self.store, request)

    def approve(self, *findings: str) -> None:
        approving.approve(self.store, self.plan(finished_run(self.store), *findings))

    def states(self, kind: str = EBS) -> dict[str, State]:
        """By the last part of the address."""
        found = self.store.states(self.store.head())
        return {each.resource.address.rpartition("/")[2]: each for each in found if each.scope.kind == kind}

    def region(self) -> Region:
        """As collectors get it."""
        runtime = Runtime(threads=4)
        selection = Selection(("aws",), (MEMBER,))
        found = targets(self.config, selection, stop=threading.Event(), runtime=runtime, shut={})
        handle = next(each.handle for _, each, _ in found if each.location == ELSEWHERE)
        assert isinstance(handle, Region)
        return handle


def about(report: Report, *names: str) -> list[Finding]:
    return [each for each in report.findings if each.subject.uid.rpartition("/")[2] in names]


def said(report: Report, *names: str) -> list[tuple[str, str]]:
    return [(each.rule, each.severity.value) for each in about(report, *names)]


@contextmanager
def started() -> Iterator[Estate]:
    """A seeded sandbox, and a configuration that gives up soon."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _NONE:
            patch.delenv(name, raising=False)
        for name, value in _KEYS.items():
            patch.setenv(name.upper(), value)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setattr(limit, "FIRST_PAUSE", 0.02)
        patch.setattr(limit, "LONGEST_PAUSE", 0.05)
        patch.setattr(limit, "SLOWEST", 50.0)
        server = AwsSandbox(switchboard := Switchboard())
        try:
            seed(url := server.start())
            entry = AwsEntry(endpoint=url, organization=True, role=ROLE, regions=REGIONS)
            yield Estate(url, switchboard, Config(aws=(entry,), collect=CollectSection(give_up_after=0.1)))
        finally:
            server.stop()
