"""A project that holds keys of Cloud KMS: who may use them, and what that leaves of a share."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from snapbase.collect.gcp import iam, kms_key, snapshot
from snapbase.collect.gcp.errors import Unread
from snapbase.exposure import Exposure, expose
from snapbase.model import Limits, Miss, Observation, Resource, Scope, State
from snapbase.sandbox.gcp.clients import send
from snapbase.sandbox.gcp.estate import ORGANIZATION, Shelf
from snapbase.trust import TrustedEntry, TrustList
from tests.collect.gcp.reader import EVE, FOLDER, PROJECT, SNAPSHOTS, Google, granted

VAULT = "key-vault"
RING = f"projects/{VAULT}/locations/eu/keyRings/backups"
KEY = f"{RING}/cryptoKeys/ledger"
RINGS = "cloudkms.projects.locations.keyRings"
THEIR_AGENT = "serviceAccount:service-999988887777@compute-system.iam.gserviceaccount.com"
_DECRYPTS = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_TODAY = date(2026, 11, 25)


@dataclass
class Vault:
    """A project of its own for keys, right below the organisation."""

    google: Google

    def __post_init__(self) -> None:
        body = self.google.sandbox.estate.add_project(VAULT, "Vault", ORGANIZATION)
        self.number = str(body["name"]).removeprefix("projects/")

    @property
    def agent(self) -> str:
        """Compute Engine's own account in our project, without which no disk is made there under a key."""
        return f"serviceAccount:service-{self.google.number}@compute-system.iam.gserviceaccount.com"

    def make(self, *names: str, **fields: Any) -> None:
        """Keys in the ring, through the API; `KEY` where none is named."""
        if self.google.sandbox.estate.get(Shelf(VAULT, "locations/eu", "keyRings"), "backups") is None:
            make_ring(self.google, RING)
        for name in names or (KEY.rpartition("/")[2],):
            make_key(self.google, f"{RING}/cryptoKeys/{name}", **fields)

    def protect(self, name: str = "orders", key: str = KEY) -> None:
        """A snapshot in our project, encrypted with a key."""
        self.google.put(SNAPSHOTS, name, snapshotEncryptionKey={"kmsKeyName": f"{key}/cryptoKeyVersions/1"})

    def admit(self, where: str, member: str, role: str = _DECRYPTS, expression: str = "") -> None:
        """One more binding in the policy of a key, a ring or what lies above."""
        binding: dict[str, Any] = {"role": role, "members": [member]}
        if expression:
            binding["condition"] = {"title": "if", "expression": expression}
        estate = self.google.sandbox.estate
        estate.set_policy(where, [*estate.policy(where).bindings, binding])

    def one(self) -> Resource:
        """The only key, as it is read."""
        [found] = self.google.read(kms_key.COLLECTOR).values()
        return found.resource

    def broken_off(self) -> tuple[list[Observation], Miss]:
        """What a reading yields before it breaks off, and why it does."""
        seen: list[Observation] = []

        def reading() -> Iterator[Observation]:
            for each in self.google.reading(kms_key.COLLECTOR):
                seen.append(each)
                yield each

        with pytest.raises(Unread) as raised:
            list(reading())
        return seen, raised.value.why

    def exposed(
        self, member: str = EVE, *, without: str = "", own: tuple[str, ...] = (), trusted: tuple[str, ...] = ()
    ) -> Exposure:
        """What a grant on the snapshot is worth, judged with everything that was read around it."""
        google = self.google
        google.bind(SNAPSHOTS, "orders", {"role": "roles/compute.storageAdmin", "members": [member]})
        seen = google.read(snapshot.COLLECTOR)["orders"]
        scope = Scope("gcp", PROJECT, "global", "gcp.compute.snapshot")
        guards = {each.resource.uid: State(scope, each.resource, each.grants, each.miss) for each in self._around()}
        guards.pop(without, None)
        trust = TrustList(
            own=frozenset({PROJECT, google.number, *own}),
            domains=frozenset({"ours.example"}),
            entries=tuple(TrustedEntry(each) for each in trusted),
        )
        return expose(granted(seen), State(scope, seen.resource, seen.grants, None), guards, trust, on=_TODAY)

    def _around(self) -> Iterator[Observation]:
        """What decides about a snapshot's grants beside itself."""
        yield from self.google.reading(iam.COLLECTOR)
        for name in (FOLDER, ORGANIZATION):
            yield from self.google.reading_of(iam.COLLECTOR, name)
        with suppress(Unread):
            yield from self.google.reading(kms_key.COLLECTOR)


def make_ring(google: Google, ring: str) -> None:
    """A key ring by its full name, through the API."""
    place, _, name = ring.rpartition("/")
    send("POST", f"{google.url}/v1/{place}", {}, keyRingId=name)


def make_key(google: Google, key: str, **fields: Any) -> None:
    """A key by its full name in a ring that is there, through the API."""
    place, _, name = key.rpartition("/")
    send("POST", f"{google.url}/v1/{place}", {"purpose": "ENCRYPT_DECRYPT", **fields}, cryptoKeyId=name)


def limits_of(resource: Resource) -> Limits:
    assert resource.limits is not None
    return resource.limits
