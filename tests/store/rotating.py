"""A store that is read once a day while a lifecycle policy makes and deletes: for the tests of approved cohorts."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from snapbase.finding import Report
from snapbase.model import (
    Aspect,
    Coverage,
    Grant,
    Miss,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    Run,
    Scope,
)
from snapbase.operations import approve as approving
from snapbase.operations import origins, trusting
from snapbase.operations.diff import Against, against_baseline, diff
from snapbase.store import Store
from snapbase.trust import TrustList

START = datetime(2026, 1, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
HERE = Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot")
POLICY = replace(HERE, kind="aws.dlm.policy")
ORIGIN = "dlm:policy-1"
KEEP = 5
TRUST = trusting.to_bytes(TrustList(own=frozenset({HERE.account})))
REFUSED = Miss(Outcome.DENIED, "ec2:DescribeSnapshotAttribute denied")
STRANGER = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "ec2:createVolumePermission")


def snapshot(day: float, source: str = "vol-1", name: str = "", **fields: Any) -> Resource:
    uid = name or f"{source}@{day}"
    return Resource(
        **{
            "uid": uid,
            "address": f"arn:aws:ec2:eu-west-1::snapshot/{uid}",
            "created_at": START + day * DAY - timedelta(hours=3),
            "owner": HERE.account,
            "source": source,
            "origin": ORIGIN,
            "encrypted": True,
            "key": "key/backup",
            "attributes": {"storage_tier": "standard"},
            "tags": {"aws:dlm:lifecycle-policy-id": "policy-1"},
            **fields,
        }
    )


def points(day: int, *sources: str) -> dict[str, Resource]:
    """What the policy has made and not deleted yet, on the morning of a day."""
    return {
        each.uid: each
        for source in sources or ("vol-1", "vol-2")
        for back in range(KEEP)
        for each in (snapshot(day - back, source),)
    }


class World:
    """A store that is read once a day."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.run: Run | None = None

    def read(
        self,
        day: int,
        there: dict[str, Resource],
        shared: dict[str, frozenset[Grant]] | None = None,
        scope: Scope = HERE,
        outcome: str = Outcome.COMPLETE,
        refused: Collection[str] = (),
    ) -> Run:
        """`refused` are the uids whose sharing is not shown; where that is everybody's, so says the coverage."""
        at = START + day * DAY
        number = self.store.begin_run("", "", at)
        found = [
            Observation(each, None, REFUSED) if each.uid in refused
            else Observation(each, (shared or {}).get(each.uid, frozenset()))
            for each in there.values()
        ]  # fmt: skip
        asked = {each.uid for each in there.values() if not each.inferred}
        sharing = outcome if not refused else Outcome.DENIED if asked <= set(refused) else Outcome.PARTIAL
        coverage = (Coverage(scope, Aspect.LIST, outcome), Coverage(scope, Aspect.SHARING, sharing))
        self.store.record(number, Reading(scope, at, found, coverage))
        self.run = self.store.finish_run(number, trust=TRUST, at=at)
        return self.run

    def approve(self, **what: Any) -> None:
        assert self.run is not None
        flags = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(run=self.run, by="ada", reason="fine", **{**flags, **what})
        approving.approve(self.store, approving.plan(self.store, request), at=self.run.finished_at)

    def approve_origin(self, *, pending: bool = False, until: datetime | None = None) -> int:
        assert self.run is not None
        request = origins.Request(run=self.run, origins=(ORIGIN,), by="ada", reason="reviewed", until=until)
        chosen = origins.plan(self.store, request)
        return origins.approve(self.store, request, chosen, at=self.run.finished_at, pending=pending).id

    def report(self, against: Against | None = None) -> Report:
        assert self.run is not None
        return diff(self.store, self.run, against or against_baseline(self.store, self.run))


def learn(world: World) -> int:
    """Ten days of work, then everything is approved on the tenth."""
    for day in range(10):
        world.read(day, points(day))
    world.approve()
    world.approve_origin()
    return 10


def rules(report: Report) -> dict[str, int]:
    return {finding.rule: finding.count for finding in report.findings}
