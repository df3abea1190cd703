"""A made-up estate that lives day by day: schedules make and delete, people and scanners come and go."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from snapbase.model import (
    Aspect,
    Coverage,
    Grant,
    Json,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    ResourceType,
    Scope,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
REPORT = timedelta(hours=6)
"""Every day's run and report."""
VENDOR = Grant(Principal(PrincipalKind.ACCOUNT, "555566667777"), "read", "ec2:createVolumePermission")
FORMER = Grant(Principal(PrincipalKind.ACCOUNT, "222200000001"), "read", "ec2:createVolumePermission")
ENTRA = "/subscriptions/{}/resourceGroups/AzureBackupRG_weu_1/providers/Microsoft.Compute/snapshots/AzureBackup_{}"


@dataclass(slots=True)
class Maker:
    """One schedule: what it makes of which sources, when, and for how long."""

    name: str
    scope: Scope
    sources: list[str]
    hour: float
    keep: int
    build: Callable[["Maker", str, datetime, str], Resource]
    key: str | None = None
    grants: frozenset[Grant] = frozenset()
    every: int = 1
    off: bool = False
    late: bool = False
    """Only tonight."""


class Estate:
    """Everything there is, by scope; what changed since the last reading; what cannot be read."""

    def __init__(self, live: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = START
        self.there: dict[Scope, dict[str, Observation]] = {}
        self.dirty: set[Scope] = set()
        self.denied: set[Scope] = set()
        self.members = {f"2222000000{number:02}" for number in range(20)}
        self.operations: set[str] = set()
        """What is said of these uids, origins and scopes is true, and no attack."""
        self.makers = list(_makers(live, self.chance))
        self._people = max(1, live // 20_000)
        self._number = 0
        self._ends: dict[str, tuple[Scope, datetime]] = {}
        for maker in self.makers:
            self._policy(maker)

    def add(self, scope: Scope, resource: Resource, grants: frozenset[Grant] = frozenset()) -> Resource:
        self.there.setdefault(scope, {})[resource.uid] = Observation(resource, grants)
        self.dirty.add(scope)
        return resource

    def remove(self, scope: Scope, uid: str) -> None:
        if self.there.get(scope, {}).pop(uid, None) is not None:
            self.dirty.add(scope)

    def name(self) -> str:
        self._number += 1
        return f"{self._number:017x}"

    def make(self, maker: Maker, source: str, at: datetime) -> Resource:
        return self.add(maker.scope, maker.build(maker, source, at, self.name()), maker.grants)

    def settle(self) -> None:
        """As it is on the first day: every schedule has run for long enough."""
        for maker in self.makers:
            for back in range(maker.keep, 0, -1):
                if back % maker.every == 0:
                    self._run(maker, START - timedelta(days=back))
        for _ in range(max(2, len(self.makers))):
            self._person(START - timedelta(days=self.chance.uniform(1, 20)))
        first = next(each for each in self.makers if each.scope.kind == "aws.ec2.snapshot")
        golden = ec2(first, "vol-golden", START - timedelta(days=200), self.name())
        self.add(first.scope, golden, frozenset({FORMER}))
        # Every enabled region is read, the empty ones too: only then is something new there news.
        unused = Scope(first.scope.cloud, first.scope.account, "ap-south-1", first.scope.kind)
        self.there[unused] = {}
        self.dirty.add(unused)

    def day(self, number: int) -> None:
        """One night of work up to the morning's report."""
        midnight = START + timedelta(days=number)
        self.now = midnight + REPORT
        for place, maker in enumerate(self.makers):
            if not maker.off and not maker.late and (number + place) % maker.every == 0:
                self._run(maker, midnight)
            maker.late = False
            self._expire(maker)
        self._scanner(number)
        for _ in range(self._people):
            if self.chance.random() > 0.7:
                continue
            self._person(self.now - timedelta(hours=self.chance.uniform(8, 20)))
        for uid, (scope, ends) in list(self._ends.items()):
            if ends <= self.now:
                self.remove(scope, uid)
                del self._ends[uid]

    def _run(self, maker: Maker, midnight: datetime) -> None:
        for source in maker.sources:
            at = midnight + timedelta(hours=maker.hour, minutes=self.chance.uniform(-20, 20))
            self.make(maker, source, at.replace(microsecond=0))

    def _expire(self, maker: Maker) -> None:
        limit = self.now - timedelta(days=maker.keep)
        old = [
            uid
            for uid, each in self.there.get(maker.scope, {}).items()
            if uid.startswith(f"{maker.name}|") and each.resource.created_at and each.resource.created_at < limit
        ]
        for uid in old:
            self.remove(maker.scope, uid)

    def _person(self, at: datetime) -> None:
        """Somebody makes one by hand; it stays a while."""
        maker = self.chance.choice([each for each in self.makers if each.scope.kind == "aws.ec2.snapshot"])
        number = self.name()
        resource = ec2(maker, self.chance.choice(maker.sources), at, number, tags={"Name": f"before upgrade {number}"})
        self.add(maker.scope, resource)
        self._ends[resource.uid] = (maker.scope, at + timedelta(days=self.chance.uniform(5, 30)))
        self.operations.add(resource.uid)

    def _scanner(self, number: int) -> None:
        """An agentless scanner: snapshots a volume, shares it with its vendor, deletes it an hour later."""
        maker = next(each for each in self.makers if each.scope.kind == "aws.ec2.snapshot")
        at = self.now - timedelta(minutes=10)
        source = maker.sources[number % min(5, len(maker.sources))]
        resource = ec2(maker, source, at, self.name(), tags={"created-by": "scanner", "Name": "scan"})
        self.add(maker.scope, resource, frozenset({VENDOR}))
        self._ends[resource.uid] = (maker.scope, at + timedelta(hours=1))
        self.operations.add(resource.uid)

    def _policy(self, maker: Maker) -> None:
        """The policy document behind a maker, where it is itself in the inventory."""
        kinds = {"dlm": "aws.dlm.policy", "schedule": "gcp.compute.snapshot-schedule"}
        kind = kinds.get(maker.name.partition(":")[0])
        if kind is None:
            return
        scope = Scope(maker.scope.cloud, maker.scope.account, maker.scope.location, kind)
        reference = maker.name.partition(":")[2]
        address = reference if "/" in reference else f"arn:aws:dlm:{scope.location}:{scope.account}:policy/{reference}"
        facts = {"schedule 1": {"retain": maker.keep}}
        self.add(scope, Resource(uid=address, address=address, type=ResourceType.POLICY, name=reference, facts=facts))

    def readings(self) -> Iterator[Reading]:
        """Of the scopes that changed, or cannot be read."""
        for scope in sorted(self.dirty | self.denied):
            denied = scope in self.denied
            outcome = Outcome.DENIED if denied else Outcome.COMPLETE
            reason = "ec2:DescribeSnapshots denied" if denied else ""
            found = [] if denied else list(self.there.get(scope, {}).values())
            aspects = (Aspect.LIST, Aspect.SHARING)
            yield Reading(scope, self.now, found, tuple(Coverage(scope, each, outcome, reason) for each in aspects))
        self.dirty.clear()


def ec2(maker: Maker, source: str, at: datetime, number: str, **more: object) -> Resource:
    """An EBS snapshot; without the reserved tags of a policy unless `more` says so."""
    fields: dict[str, object] = {
        "uid": f"hand|{number}",
        "address": f"arn:aws:ec2:{maker.scope.location}::snapshot/snap-{number}",
        "created_at": at.replace(microsecond=0),
        "owner": maker.scope.account,
        "source": source,
        "encrypted": True,
        "key": maker.key,
        "attributes": {"state": "completed", "storage_tier": "standard", "size_gib": 100},
        **more,
    }
    return Resource(**fields)  # type: ignore[arg-type]


def _dlm(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    tags = {"aws:dlm:lifecycle-policy-id": maker.name[4:], "aws:dlm:lifecycle-schedule-name": "Daily"}
    return ec2(maker, source, at, number, uid=f"{maker.name}|{number}", origin=maker.name, tags=tags)


def _point(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    attributes: dict[str, Json] = {"vault": "main", "vault_type": "BACKUP_VAULT", "kept_days": maker.keep}
    return Resource(
        uid=f"{maker.name}|{number}",
        address=f"arn:aws:backup:{maker.scope.location}:{maker.scope.account}:recovery-point:{number}",
        created_at=at,
        owner=maker.scope.account,
        source=source,
        origin=maker.name,
        encrypted=True,
        key=maker.key,
        attributes=attributes,
        facts={"plan_rule": "daily"},
    )


def _rds(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    name = f"rds:{source}-{at:%Y-%m-%d-%H-%M}"
    return Resource(
        uid=f"{maker.name}|{number}",
        address=f"arn:aws:rds:{maker.scope.location}:{maker.scope.account}:snapshot:{name}",
        name=name,
        created_at=at,
        source=source,
        origin="rds-automated",
        encrypted=True,
        key=maker.key,
        attributes={"type": "automated", "engine": "postgres", "size_gib": 50},
        inferred="automated snapshots cannot be shared",
    )


def _azure(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    return Resource(
        uid=f"{maker.name}|{number}",
        address=ENTRA.format(maker.scope.account, number),
        name=f"AzureBackup_{number}",
        created_at=at,
        source=source,
        encrypted=True,
        attributes={"sku": "Standard_ZRS", "network_access_policy": "DenyAll", "size_gb": 128},
    )


def _gcp(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    root = f"//compute.googleapis.com/projects/{maker.scope.account}/global/snapshots"
    return Resource(
        uid=f"{maker.name}|{number}",
        address=f"{root}/{source.rpartition('/')[2]}-{at:%Y%m%d%H%M}-{number[-6:]}",
        name=f"{source.rpartition('/')[2]}-{at:%Y%m%d}",
        created_at=at,
        source=source,
        origin=maker.name,
        encrypted=True,
        attributes={"storage_locations": ["eu"], "disk_size_gb": 200},
        facts={"source_snapshot_schedule_policy_id": "1"},
    )


def _image(maker: Maker, source: str, at: datetime, number: str) -> Resource:
    return Resource(
        uid=f"{maker.name}|{number}",
        address=f"arn:aws:ec2:{maker.scope.location}::image/ami-{number}",
        name=f"ci-base-{at:%Y%m%d%H%M}",
        created_at=at,
        source=source,
        encrypted=True,
        key=maker.key,
        attributes={"state": "available", "type": "machine"},
        tags={"pipeline": "base-image"},
    )


@dataclass(frozen=True, slots=True)
class _Family:
    share: float
    keep: int
    kind: str
    build: Callable[[Maker, str, datetime, str], Resource]
    places: tuple[tuple[str, str, str], ...] = field(default=())


_FAMILIES = (
    _Family(0.45, 14, "aws.ec2.snapshot", _dlm),
    _Family(0.20, 21, "aws.backup.recovery-point", _point),
    _Family(0.10, 7, "aws.rds.snapshot", _rds),
    _Family(0.10, 7, "azure.compute.snapshot", _azure),
    _Family(0.12, 14, "gcp.compute.snapshot", _gcp),
    _Family(0.03, 5, "aws.ec2.image", _image),
)
_REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")


def _makers(live: int, chance: random.Random) -> Iterator[Maker]:
    for family in _FAMILIES:
        sources = max(2, round(live * family.share / family.keep))
        count = max(1, min(24, sources // 3))
        for number in range(count):
            own = [f"{family.kind}/src-{each:05}" for each in range(number, sources, count)]
            scope, name, key = _identity(family, number)
            hour = chance.uniform(1, 4)
            yield Maker(name, scope, own, hour, family.keep, family.build, key)


def _identity(family: _Family, number: int) -> tuple[Scope, str, str | None]:
    cloud = family.kind.partition(".")[0]
    if cloud == "azure":
        return Scope(cloud, f"sub-{number:04}", "global", family.kind), f"azure-{number}", None
    if cloud == "gcp":
        project = f"project-{number}"
        policy = f"//compute.googleapis.com/projects/{project}/regions/europe-west1/resourcePolicies/nightly"
        return Scope(cloud, project, "global", family.kind), f"schedule:{policy}", None
    account, region = f"1111000000{number % 12:02}", _REGIONS[number % len(_REGIONS)]
    names = {
        "aws.ec2.snapshot": f"dlm:policy-{number:017x}",
        "aws.backup.recovery-point": f"backup-plan:{number:08x}-plan",
        "aws.rds.snapshot": f"rds-{number}",
        "aws.ec2.image": f"ci-{number}",
    }
    key = f"arn:aws:kms:{region}:{account}:key/backup"
    return Scope(cloud, account, region, family.kind), names[family.kind], key
