"""Reads the sandbox through the real SDKs as the engine does, without the engine."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapbase.collect.azure import compute_snapshot, rbac
from snapbase.collect.azure.session import AzureConnection
from snapbase.collect.collector import Collector, Target, collectors
from snapbase.collect.runtime import Runtime
from snapbase.model import Grant, Observation, Scope
from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.clients import Writer
from snapbase.sandbox.azure.estate import Body
from snapbase.sandbox.azure.server import SUBSCRIPTIONS, AzureSandbox
from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.settings import AzureEntry
from tests.collect.waiting import runtime

SUBSCRIPTION = SUBSCRIPTIONS[0]
GROUP = "rg-one"
HERE = f"/subscriptions/{SUBSCRIPTION}"
WHO = "00000000-0000-4000-8000-0000000000ff"


@dataclass
class Arm:
    """A running sandbox, a writer in its first subscription, and a reader's runtime."""

    sandbox: AzureSandbox
    url: str
    runtime: Runtime = field(default_factory=runtime)

    def __post_init__(self) -> None:
        self.writer = Writer(self.url, SUBSCRIPTION)
        self.group = self.writer.group(GROUP)

    @property
    def switchboard(self) -> Switchboard:
        return self.sandbox.switchboard

    def connect(self, subscriptions: Sequence[str] = ()) -> AzureConnection:
        return AzureConnection(AzureEntry(endpoint=self.url, subscriptions=tuple(subscriptions)), self.runtime)

    def target(self) -> Target:
        return next(self.connect([SUBSCRIPTION]).targets())

    def read(self, collector: Collector) -> list[Observation]:
        """What a new run reads of one kind in the first subscription."""
        self.runtime.close()
        self.runtime = runtime()
        target = self.target()
        return list(collector.read(target.handle, Scope("azure", target.account, target.location, collector.kind)))

    def kind(self, name: str) -> list[Observation]:
        """What a new run reads of a kind, by its name."""
        return self.read(next(each for each in collectors("azure") if each.kind == name))

    def snapshots(self) -> dict[str, Observation]:
        """By name."""
        return {each.resource.name or "": each for each in self.read(compute_snapshot.COLLECTOR)}

    def containers(self) -> dict[str, Observation]:
        """By uid."""
        return {each.resource.uid: each for each in self.read(rbac.COLLECTOR)}

    def snapshot(self, name: str, disk: str = "disk-one", **properties: object) -> str:
        return self.writer.snapshot(GROUP, name, disk, **properties)

    def stored(self, name: str) -> Body:
        """The body behind a snapshot, to be changed as no SDK could."""
        return self.sandbox.estate.resource(f"{self.group}/providers/Microsoft.Compute/snapshots/{name}")

    def deny(self, scope: str, actions: Sequence[str], **properties: Any) -> None:
        """A deny assignment as only Azure's own services make them: of everyone, unless `properties` say otherwise."""
        kind = "Microsoft.Authorization/denyAssignments"
        everyone = [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]
        body = {
            "denyAssignmentName": "hands off",
            "scope": scope,
            "permissions": [{"actions": list(actions), "notActions": []}],
            "principals": everyone,
            "excludePrincipals": [],
            **properties,
        }
        address = f"{scope}/providers/{kind}/{uuid.uuid4()}"
        made = {"id": address, "name": address.rpartition("/")[2], "type": kind, "properties": body}
        self.sandbox.estate.resources[address.lower()] = made

    def after(self, path_end: str, act: Callable[[], object]) -> None:
        """Lets `act` happen right after the first call whose path ends so was answered."""
        answer = self.sandbox.answer
        done: list[str] = []

        def answered(method: str, target: str, body: Body) -> Answer:
            found = answer(method, target, body)
            if not done and target.partition("?")[0].lower().endswith(path_end.lower()):
                done.append(target)
                act()
            return found

        self.sandbox.answer = answered  # type: ignore[method-assign]

    def fault(self, kind: FaultKind, operation: str, *, times: int | None = None, skip: int = 0) -> Fault:
        return self.switchboard.break_(Fault(kind, cloud="azure", operation=operation, times=times, skip=skip))


def grants(observation: Observation) -> frozenset[Grant]:
    assert observation.grants is not None, observation.miss
    return observation.grants


def held(observation: Observation) -> set[tuple[str, str, str, str]]:
    """Grants as (kind, id, access, mechanism)."""
    return {(g.principal.kind, g.principal.id, g.access, g.mechanism) for g in grants(observation)}
