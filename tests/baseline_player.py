"""Histories that can be played: readings, trusted lists and approvals, to a store and to the oracle beside it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from snapbase.errors import StaleReading
from snapbase.finding import Finding
from snapbase.model import (
    Access,
    Coverage,
    Grant,
    Observation,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    Run,
    Scope,
)
from snapbase.operations import approve as approving
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store
from snapbase.trust import TrustedEntry, TrustList
from tests.baseline_oracle import RANKS, Entry, Oracle, Trust

SCOPES = (
    Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot"),
    Scope("aws", "111122223333", "us-east-1", "aws.ec2.snapshot"),
)
ACCOUNTS = ("999988887777", "888877776666")
START = datetime(2026, 1, 1, tzinfo=UTC)
Content = dict[str, tuple[str, frozenset[Grant]]]
Step = tuple[Any, ...]


def grant_to(account: str, condition: str = "") -> Grant:
    kind = PrincipalKind.ACCOUNT if account.isdigit() else PrincipalKind.PUBLIC
    return Grant(Principal(kind, account), Access.READ, "ec2:createVolumePermission", condition)


_GRANTS = st.frozensets(
    st.sampled_from(
        [grant_to("all"), grant_to(ACCOUNTS[0]), grant_to(ACCOUNTS[0], "only on Sundays"), grant_to(ACCOUNTS[1])]
    ),
    max_size=3,
)
CONTENTS = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(["standard", "archive"]), _GRANTS))
OUTCOMES = st.sampled_from(["complete", "complete", "denied", "partial"])


def reading_of(number: int, outcome: str, content: Content, at: datetime) -> Reading:
    """One scope of `SCOPES` as it was read."""
    scope = SCOPES[number]
    observations = [
        Observation(Resource(uid=f"{number}{name}", address=f"{number}{name}", attributes={"tier": tier}), grants)
        for name, (tier, grants) in sorted(content.items())
    ]
    if outcome == "denied":
        observations = []
    return Reading(scope, at, observations, (Coverage(scope, "list", outcome), Coverage(scope, "sharing", outcome)))


def trust_of(classes: Trust) -> bytes:
    """A trusted list in which everybody else is nobody."""
    of = {what: frozenset(each for each, its in classes.items() if its == what) for what in RANKS}
    entries = tuple(TrustedEntry(account, reason="backups") for account in sorted(of["trusted"]))
    own = frozenset({"111122223333"})
    return json.dumps(
        TrustList(own=own, members=of["org"], former=of["former-org"], entries=entries).to_json()
    ).encode()


@dataclass
class Player:
    """Plays a history to the store and to the oracle; after every step both must say the same."""

    store: Store
    oracle: Oracle = field(default_factory=lambda: Oracle(SCOPES))
    at: datetime = START
    run: Run | None = None
    judged: datetime = START
    """When the last run ended: approvals end by this clock."""
    found: tuple[Finding, ...] = ()
    """As of the last check."""

    def play(self, steps: list[Step]) -> None:
        for what, *details in steps:
            getattr(self, what)(*details)
            self.check()
            self.at += timedelta(hours=1)

    def read(self, scope: int, outcome: str, content: Content) -> None:
        """One run of one scope."""
        run = self.store.begin_run("", "", self.at)
        self._record(run, reading_of(scope, outcome, content, self.at))
        self._finish(run, self.at)

    def both(self, readings: list[tuple[int, int, str, Content, int]], killed: bool) -> None:
        """Two runs at the same time, recording in alternation; the first may be killed."""
        runs = [self.store.begin_run("", "", self.at) for _ in range(2)]
        for writer, scope, outcome, content, minute in readings:
            self._record(runs[writer], reading_of(scope, outcome, content, self.at + timedelta(minutes=minute)))
        if killed:
            self.store.abandon_run(runs[0], self.at + timedelta(minutes=20))
        else:
            self._finish(runs[0], self.at + timedelta(minutes=20))
            self.check()
        self._finish(runs[1], self.at + timedelta(minutes=30))

    def trust(self, classes: Trust) -> None:
        """A run that finds the clouds as they were, and everybody else as somebody else."""
        self.oracle.trust = classes
        self._finish(self.store.begin_run("", "", self.at), self.at)

    def whole(self, excepted: set[int]) -> None:
        held = [each for number, each in enumerate(self.found) if number in excepted]
        self._approve(excepted=tuple(each.id for each in held))
        self.oracle.approve_whole(covers(held), self.judged)

    def single(self, number: int, hours: int | None) -> None:
        if number >= len(self.found) or self.found[number].rule == "approval-expired":
            return
        chosen = self.found[number]
        lasting = hours is None or not chosen.entry.startswith(("grant:", "trust"))
        until = None if lasting else self.at + timedelta(hours=hours or 0)
        self._approve(findings=(chosen.id,), until=until)
        if not chosen.subject.uid.startswith("scope:"):
            self.oracle.approve_single(chosen.subject.uid, chosen.entry, until)

    def check(self) -> None:
        assert self.run is not None
        self.found = diff(self.store, self.run, against_baseline(self.store, self.run)).findings
        oracle, now = self.oracle, self.judged
        assert covers(self.found) == oracle.findings(now)
        assert covers(each for each in self.found if each.rule == "trust-lost") == oracle.lost(now)
        assert covers(each for each in self.found if each.rule == "trust-widened") == oracle.widened(now)

    def _record(self, run: int, reading: Reading) -> None:
        if self.oracle.read(reading):
            self.store.record(run, reading)
        else:
            with pytest.raises(StaleReading):
                self.store.record(run, reading)

    def _finish(self, run: int, at: datetime) -> None:
        self.run = self.store.finish_run(run, trust=trust_of(self.oracle.trust), at=at)
        self.judged = at

    def _approve(self, **what: Any) -> None:
        assert self.run is not None
        flags: dict[str, Any] = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(run=self.run, by="ada", reason="because", **flags, **what)
        approving.approve(self.store, approving.plan(self.store, request), at=self.at)


def covers(findings: Iterable[Finding]) -> set[Entry]:
    """The entries that findings are about, but for the coverage of scopes."""
    return {cover for each in findings for cover in each.covers if not cover[0].startswith("scope:")}


def of_a(*grants: Grant) -> Step:
    """A complete reading of the first scope, which has one resource with these grants."""
    return ("read", 0, "complete", {"a": ("standard", frozenset(grants))})


SOLD, SUNDAYS = grant_to(ACCOUNTS[0]), grant_to(ACCOUNTS[0], "only on Sundays")
LATER: Step = ("trust", {})
