"""Reads the sandbox through boto3 as the engine does, without the engine."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import boto3

from snapbase.collect.aws import cloud as aws_cloud
from snapbase.collect.aws.cloud import AwsConnection
from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Target, Where, collectors
from snapbase.collect.limit import Limiter
from snapbase.collect.runtime import Runtime
from snapbase.model import Grant, Observation, Principal, PrincipalKind, Scope
from snapbase.sandbox.aws.server import AwsSandbox
from snapbase.sandbox.aws.story import MEMBER, REGIONS, ROLE
from snapbase.sandbox.faults import Switchboard
from snapbase.settings import AwsEntry

HOME, ELSEWHERE = REGIONS
PUBLIC = Principal(PrincipalKind.PUBLIC, "all")


def runtime() -> Runtime:
    """Two attempts, on a clock that waiting moves at once."""
    waited = [0.0]

    def sleep(seconds: float) -> None:
        waited[0] += seconds

    limiter = Limiter(attempts=2, clock=lambda: time.monotonic() + waited[0], sleep=sleep)
    return Runtime(threads=4, limiter=limiter, sample=0)


@dataclass
class Amazon:
    """One started and seeded sandbox, and one connection to it: making clients is what costs time."""

    url: str
    sandbox: AwsSandbox
    switchboard: Switchboard
    runtime: Runtime = field(default_factory=runtime)
    _connection: AwsConnection | None = None
    _regions: dict[tuple[str, str], Region] = field(default_factory=dict)

    def fresh(self) -> None:
        """Forgets what calls were made, learnt and remembered; the connection's clients stay."""
        self.runtime.close()
        self.runtime = runtime()
        self.switchboard.heal()
        self.switchboard.calls.clear()
        if self._connection is not None:
            self._connection.clients.runtime = self.runtime
            self._connection.clients.sample = 0

    def entry(self, **more: Any) -> AwsEntry:
        return AwsEntry(**{"endpoint": self.url, "organization": True, "role": ROLE, "regions": REGIONS, **more})

    def connect(self, **more: Any) -> AwsConnection:
        made = aws_cloud.CLOUD.connect(self.entry(**more), self.runtime)
        assert isinstance(made, AwsConnection)
        return made

    def targets(self, **more: Any) -> list[Target]:
        return list(self.connect(**more).targets())

    def region(self, account: str = MEMBER, region: str = HOME) -> Region:
        if self._connection is None:
            self._connection = self.connect()
            self._connection.clients.sample = 0
            for each in self._connection.targets():
                if each.where == Where.REGIONAL:
                    self._regions[each.account, each.location] = each.handle
        return self._regions[account, region]

    def client(self, service: str, account: str = MEMBER, region: str = HOME) -> Any:
        """What the tests themselves change the estate with."""
        return self.region(account, region).clients.of(account, service, region)


def read(region: Region, kind: str) -> dict[str, Observation]:
    """By description or name."""
    collector = next(each for each in collectors("aws") if each.kind == kind)
    scope = Scope("aws", region.account, region.region, kind)
    seen = list(collector.read(region, scope))
    assert len({each.resource.uid for each in seen}) == len(seen)
    return {str(each.resource.facts.get("description") or each.resource.name): each for each in seen}


def holders(observation: Observation) -> set[Principal]:
    assert observation.grants is not None, observation.miss
    return {grant.principal for grant in observation.grants}


def accounts(*numbers: str) -> set[Principal]:
    return {Principal(PrincipalKind.ACCOUNT, each) for each in numbers}


def shared(seen: Iterable[tuple[str, Observation]]) -> dict[str, set[Principal]]:
    """Who holds what, of the resources that somebody holds."""
    return {name: holders(each) for name, each in seen if each.grants}


def conditions(grants: Iterable[Grant]) -> set[str]:
    return {each.condition for each in grants}


def plain_client(url: str, service: str, region: str = HOME) -> Any:
    return boto3.client(service, region_name=region, endpoint_url=url)
