"""What RDS instance and cluster snapshots have in common: names that come back, types, and the `restore` attribute."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from snapbase.collect.aws.ec2_snapshot import origin
from snapbase.collect.aws.plain import incarnation
from snapbase.collect.aws.session import Region, observed, tags
from snapbase.model import Access, Grant, Observation, Principal, PrincipalKind, Resource

_ORIGINS = {"automated": "rds-automated", "awsbackup": "aws-backup"}
_AUTOMATED = "automated snapshots cannot be shared"
_BACKUP = "AWS Backup snapshots cannot be shared through RDS"
_MANAGED_KEY = "encrypted with a key that AWS manages: such a snapshot cannot be shared"


@dataclass(frozen=True, slots=True)
class Flavour:
    """The names that one of the two APIs uses."""

    name: str
    """`DBSnapshot` or `DBClusterSnapshot`, of which the names of operations and fields are made."""
    source: str
    lineage: str
    encrypted: str
    passes: tuple[str, ...] = ("", "awsbackup")
    """Snapshot types that need a pass of their own; the empty one is RDS's default, automated and manual."""

    @property
    def identifier(self) -> str:
        return f"{self.name}Identifier"

    @property
    def arn(self) -> str:
        return f"{self.name}Arn"

    def pages(self, region: Region, **narrowing: Any) -> Iterator[dict[str, Any]]:
        """Every snapshot of the list, 100 a page."""
        return region.pages("rds", f"Describe{self.name}s", f"{self.name}s", MaxRecords=100, **narrowing)


def read(region: Region, flavour: Flavour) -> Iterator[Observation]:
    """Every snapshot of the account that has been made completely; a new one is counted once it is."""
    for observation in region.runtime.map(_observer(region, flavour), _listed(region, flavour)):
        if observation is not None:
            yield observation


def _listed(region: Region, flavour: Flavour) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for kind in flavour.passes:
        for snapshot in flavour.pages(region, **({"SnapshotType": kind} if kind else {})):
            # Until then its creation time, part of its identity, is missing or moves.
            if snapshot.get("Status") == "creating" or not snapshot.get("SnapshotCreateTime"):
                continue
            # Which types the default pass leaves out is the service's to change; a snapshot counts once all the same.
            if snapshot[flavour.arn] not in seen:
                seen.add(snapshot[flavour.arn])
                yield snapshot


def _observer(region: Region, flavour: Flavour) -> Callable[[dict[str, Any]], Observation | None]:
    def observe(snapshot: dict[str, Any]) -> Observation | None:
        resource = _resource(region, flavour, snapshot)
        if resource.inferred and not region.sampled(resource.uid):
            return Observation(resource)
        return observed(resource, lambda: _grants(region, flavour, str(snapshot[flavour.identifier])))

    return observe


def _grants(region: Region, flavour: Flavour, identifier: str) -> frozenset[Grant]:
    name = f"{flavour.name}Attributes"
    answer = region.call("rds", f"Describe{name}", **{flavour.identifier: identifier})
    attributes = (answer.get(f"{name}Result") or {}).get(name) or ()
    values = [value for each in attributes if each["AttributeName"] == "restore" for value in each["AttributeValues"]]
    return frozenset(Grant(_principal(each), Access.RESTORE, "rds:restore") for each in values)


def _principal(value: str) -> Principal:
    return Principal(PrincipalKind.PUBLIC if value == "all" else PrincipalKind.ACCOUNT, value)


def _resource(region: Region, flavour: Flavour, snapshot: dict[str, Any]) -> Resource:
    address = str(snapshot[flavour.arn])
    made = snapshot["SnapshotCreateTime"]
    labels = tags(snapshot.get("TagList"))
    encrypted = snapshot.get(flavour.encrypted)
    key = snapshot.get("KmsKeyId") if encrypted else None
    managed = key is not None and region.key_manager(key) == "AWS"
    kind = str(snapshot.get("SnapshotType") or "")
    return Resource(
        uid=incarnation(address, made),
        address=address,
        name=snapshot[flavour.identifier],
        created_at=made,
        owner=region.account,
        source=snapshot.get(flavour.source),
        origin=_ORIGINS.get(kind) or origin(labels),
        encrypted=encrypted,
        key=key,
        guards=() if key is None or managed else (key,),
        attributes={
            "type": kind,
            "engine": snapshot.get("Engine"),
            "engine_version": snapshot.get("EngineVersion"),
            "size_gib": snapshot.get("AllocatedStorage"),
        },
        facts={"lineage": snapshot[flavour.lineage]} if snapshot.get(flavour.lineage) else {},
        tags=labels,
        inferred=_inferred(kind, managed),
    )


def _inferred(kind: str, managed: bool) -> str | None:
    if kind == "automated":
        return _AUTOMATED
    if kind == "awsbackup":
        return _BACKUP
    return _MANAGED_KEY if managed else None
