"""One account of a running sandbox, read through boto3 and HTTP as the engine does, without the engine's threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import boto3
import pytest
import requests
from moto.rds.models import rds_backends

from snapbase.collect.aws.cloud import CLOUD
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, collectors
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.model import Grant, Observation, Scope
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import AwsEntry

ACCOUNT = "123456789012"
HOME = "us-east-1"
PARTNER = "444455556666"
OUTSIDER = "999988887777"
HOSTILE = "=cmd|'/c calc'!A0 <script>&amp; \u202e 日本"


@dataclass
class Aws:
    """The account of the sandbox's own credentials in one region."""

    url: str
    switchboard: Switchboard
    handle: Region | None = None
    clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def region(self) -> Region:
        """As collectors get it, with a runtime of its own that never waits; the clients are made once."""
        runtime = Runtime(threads=4, limiter=Limiter(attempts=2, sleep=lambda _: None))
        if self.handle is None:
            targets = CLOUD.connect(AwsEntry(endpoint=self.url, regions=(HOME,)), runtime).targets()
            self.handle = next(each.handle for each in targets if each.location == HOME)
        self.handle.clients.runtime, self.handle.clients.sample = runtime, 0
        return self.handle

    def reading(self, kind: str) -> Iterator[Observation]:
        """The observations of one kind as they come; raises what the collector raises."""
        return collector(kind).read(self.region(), Scope("aws", ACCOUNT, HOME, kind))

    def read(self, kind: str) -> list[Observation]:
        seen = list(self.reading(kind))
        assert len({each.resource.uid for each in seen}) == len(seen)
        return seen

    def one(self, kind: str) -> Observation:
        [seen] = self.read(kind)
        return seen

    def client(self, service: str, account: str = ACCOUNT) -> Any:
        """With keys of `account`, ours or a member of our organisation; made once, for they are slow to make."""
        if (service, account) not in self.clients:
            self.clients[service, account] = self._client(service, account)
        return self.clients[service, account]

    def _client(self, service: str, account: str) -> Any:
        keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        if account != ACCOUNT:
            role = f"arn:aws:iam::{account}:role/visitor"
            told = self.client("sts").assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
            keys = {
                "aws_access_key_id": told["AccessKeyId"],
                "aws_secret_access_key": told["SecretAccessKey"],
                "aws_session_token": told["SessionToken"],
            }
        return boto3.Session(**keys).client(service, region_name=HOME, endpoint_url=self.url)

    def member(self) -> str:
        """The number of another account, made in our organisation."""
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        made = organizations.create_account(Email="other@example.com", AccountName="other")
        return str(made["CreateAccountStatus"]["AccountId"])

    def break_(self, kind: FaultKind, operation: str, **more: Any) -> None:
        self.switchboard.break_(Fault(kind, operation=operation, **more))

    def after(self, operation: str, act: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
        """Does `act` once, when the last page of `operation` has been read and before anything is made of it."""
        real, done = Region.pages, list[object]()

        def pages(region: Region, service: str, asked: str, *words: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
            listed = list(real(region, service, asked, *words, **parameters))
            if asked == operation and not done:
                done.append(act())
            return iter(listed)

        patch.setattr(Region, "pages", pages)

    def snapshot(self, **volume: Any) -> str:
        """The id of a new EBS snapshot."""
        ec2 = self.client("ec2")
        made = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=8, **volume)["VolumeId"]
        return str(ec2.create_snapshot(VolumeId=made)["SnapshotId"])

    def before(self, operation: str, act: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
        """Does `act` once, before the first call of `operation`."""
        real, done, lock = Region.call, list[object](), Lock()

        def call(region: Region, service: str, asked: str, **parameters: Any) -> dict[str, Any]:
            with lock:
                if asked == operation and not done:
                    done.append(act())
            return real(region, service, asked, **parameters)

        patch.setattr(Region, "call", call)

    def mark_as_backup(self, name: str) -> None:
        """Makes an RDS snapshot one that AWS Backup took."""
        rds_backends[ACCOUNT][HOME].database_snapshots[name].snapshot_type = "awsbackup"

    def image(self, name: str = "golden") -> str:
        """The id of a new image with one snapshot behind it."""
        device = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": self.snapshot()}}]
        return str(self.client("ec2").register_image(Name=name, BlockDeviceMappings=device)["ImageId"])

    def reset(self) -> None:
        self.switchboard.heal()
        self.switchboard.calls.clear()
        # A member's keys are forgotten with the member.
        self.clients = {key: client for key, client in self.clients.items() if key[1] == ACCOUNT}
        requests.post(f"{self.url}/moto-api/reset", timeout=10)


@contextmanager
def started() -> Iterator[Aws]:
    """A sandbox for a module of tests; `reset` between them."""
    switchboard = Switchboard()
    sandbox = AwsSandbox(switchboard)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        try:
            yield Aws(sandbox.start(), switchboard)
        finally:
            sandbox.stop()


def collector(kind: str) -> Collector:
    return next(each for each in collectors("aws") if each.kind == kind)


def grants(observation: Observation) -> frozenset[Grant]:
    assert observation.grants is not None, observation.miss
    return observation.grants
