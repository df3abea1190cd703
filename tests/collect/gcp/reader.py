"""Reads the sandbox through the real SDKs as the engine does, without the engine."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from snapbase.collect.collector import Collector, Target
from snapbase.collect.gcp.cloud import CLOUD
from snapbase.collect.runtime import Runtime
from snapbase.model import Grant, Miss, Observation, Scope
from snapbase.sandbox.faults import Fault, FaultKind
from snapbase.sandbox.gcp.estate import ORGANIZATION, Shelf
from snapbase.sandbox.gcp.server import GcpSandbox
from snapbase.settings import GcpEntry
from tests.collect.waiting import runtime

PROJECT = "prod-data"
SNAPSHOTS = Shelf(PROJECT, "global", "snapshots")
REGIONAL = Shelf(PROJECT, "regions/europe-west1", "snapshots")
IMAGES = Shelf(PROJECT, "global", "images")
MACHINE_IMAGES = Shelf(PROJECT, "global", "machineImages")
INSTANT = Shelf(PROJECT, "zones/europe-west1-b", "instantSnapshots")
DISKS = Shelf(PROJECT, "zones/europe-west1-b", "disks")
FOLDER = "folders/7"
ABOVE = tuple(f"//cloudresourcemanager.googleapis.com/{name}" for name in (FOLDER, ORGANIZATION))
"""The uids of what the project lies in."""
EVE = "user:eve@evil.example"


@dataclass
class Google:
    """A running sandbox with one project, and a reader's runtime."""

    sandbox: GcpSandbox
    url: str
    runtime: Runtime = field(default_factory=runtime)

    def __post_init__(self) -> None:
        self.sandbox.estate.add_folder("Prod", ORGANIZATION, number="7")
        body = self.sandbox.estate.add_project(PROJECT, "Prod", FOLDER)
        self.number = str(body["name"]).removeprefix("projects/")

    @property
    def project_uid(self) -> str:
        return f"//cloudresourcemanager.googleapis.com/projects/{self.number}"

    def put(self, shelf: Shelf, name: str, **fields: Any) -> dict[str, Any]:
        """Adds a resource past the API, which would refuse much of what is tried here."""
        body = {"name": name, "status": "READY", "selfLink": f"sandbox/{name}", **fields}
        return self.sandbox.estate.put(shelf, body)

    def bind(self, shelf: Shelf, name: str, *bindings: dict[str, Any]) -> None:
        self.sandbox.estate.set_policy(shelf.path(name), list(bindings))

    def key(self) -> str:
        """The name of a new key, put past the API."""
        place = "locations/eu/keyRings/ring"
        for shelf, name in (
            (Shelf(PROJECT, "locations/eu", "keyRings"), "ring"),
            (Shelf(PROJECT, place, "cryptoKeys"), "key"),
        ):
            self.sandbox.estate.put(shelf, {"name": name, "body": {"name": shelf.path(name)}})
        return f"projects/{PROJECT}/{place}/cryptoKeys/key"

    def break_(self, kind: FaultKind, operation: str, **how: Any) -> Fault:
        return self.sandbox.switchboard.break_(Fault(kind, cloud="gcp", operation=operation, **how))

    def asked(self, operation: str) -> int:
        return sum(call[3] == operation for call in self.sandbox.switchboard.calls)

    def targets(self, *projects: str) -> list[Target]:
        return list(CLOUD.connect(GcpEntry(endpoint=self.url, projects=projects), self.runtime).targets())

    def reading(self, kind: Collector, location: str = "global") -> Iterator[Observation]:
        target = next(each for each in self.targets(PROJECT) if each.location == location)
        return kind.read(target.handle, Scope("gcp", target.account, location, kind.kind))

    def reading_of(self, kind: Collector, account: str) -> Iterator[Observation]:
        """Of a folder or an organisation."""
        target = next(each for each in self.targets(PROJECT) if each.account == account)
        return kind.read(target.handle, Scope("gcp", target.account, target.location, kind.kind))

    def read(self, kind: Collector, location: str = "global") -> dict[str, Observation]:
        return {each.resource.name or "": each for each in self.reading(kind, location)}

    def missed(self, kind: Collector) -> Miss:
        """Why a scope could not be listed."""
        return broken_off(self.reading(kind))


def broken_off(reading: Iterator[Any]) -> Miss:
    """What `classify` says of the exception that ends a reading."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is, `classify` must know it
        list(reading)
    miss = CLOUD.classify(raised.value)
    assert miss is not None
    return miss


def granted(observation: Observation) -> Grant:
    """The only grant."""
    assert observation.grants is not None
    (grant,) = observation.grants
    return grant
