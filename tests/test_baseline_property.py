"""Random histories, writers, trusted lists and approvals, against an oracle that keeps full copies of everything."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
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
from snapbase.store import Store, schema
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


def _grant(account: str, condition: str = "") -> Grant:
    kind = PrincipalKind.ACCOUNT if account.isdigit() else PrincipalKind.PUBLIC
    return Grant(Principal(kind, account), Access.READ, "ec2:createVolumePermission", condition)


_grants = st.frozensets(
    st.sampled_from([_grant("all"), _grant(ACCOUNTS[0]), _grant(ACCOUNTS[0], "only on Sundays"), _grant(ACCOUNTS[1])]),
    max_size=3,
)
_content = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(["standard", "archive"]), _grants))
_outcome = st.sampled_from(["complete", "complete", "denied", "partial"])
_number = st.integers(0, 1)
_step = st.one_of(
    st.tuples(st.just("read"), _number, _outcome, _content),
    st.tuples(st.just("both"), st.lists(st.tuples(_number, _number, _outcome, _content, st.integers(0, 9)), max_size=4),
              st.booleans()),
    st.tuples(st.just("trust"), st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from(sorted(RANKS)))),
    st.tuples(st.just("whole"), st.sets(st.integers(0, 7))),
    st.tuples(st.just("single"), st.integers(0, 7), st.sampled_from([None, None, 1, 3])),
)  # fmt: skip


def _reading(number: int, outcome: str, content: Content, at: datetime) -> Reading:
    scope = SCOPES[number]
    observations = [
        Observation(Resource(uid=f"{number}{name}", address=f"{number}{name}", attributes={"tier": tier}), grants)
        for name, (tier, grants) in sorted(content.items())
    ]
    if outcome == "denied":
        observations = []
    return Reading(scope, at, observations, (Coverage(scope, "list", outcome), Coverage(scope, "sharing", outcome)))


def _trust(classes: Trust) -> bytes:
    of = {what: frozenset(each for each, its in classes.items() if its == what) for what in RANKS}
    entries = tuple(TrustedEntry(account, reason="backups") for account in sorted(of["trusted"]))
    own = frozenset({"111122223333"})
    return json.dumps(
        TrustList(own=own, members=of["org"], former=of["former-org"], entries=entries).to_json()
    ).encode()


@pytest.fixture
def fresh(store_url: str, tmp_path: Path) -> Callable[[], Any]:
    """A new empty store for every example."""
    counter = iter(range(10**6))
    schema.upgrade(f"sqlite:///{tmp_path}/empty.db")

    @contextmanager
    def make() -> Iterator[Store]:
        number = next(counter)
        url = f"sqlite:///{shutil.copy(tmp_path / 'empty.db', tmp_path / f'{number}.db')}"
        if not store_url.startswith("sqlite"):
            if number:
                _empty(store_url)
            url = store_url
        with Store.open(url, write=True) as store:
            yield store

    return make


def _empty(url: str) -> None:
    from sqlalchemy import text

    from snapbase.store.database import connect
    from snapbase.store.tables import metadata

    engine = connect(url, write=True)
    with engine.begin() as connection:
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))
    engine.dispose()


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
        self._record(run, _reading(scope, outcome, content, self.at))
        self._finish(run, self.at)

    def both(self, readings: list[tuple[int, int, str, Content, int]], killed: bool) -> None:
        """Two runs at the same time, recording in alternation; the first may be killed."""
        runs = [self.store.begin_run("", "", self.at) for _ in range(2)]
        for writer, scope, outcome, content, minute in readings:
            self._record(runs[writer], _reading(scope, outcome, content, self.at + timedelta(minutes=minute)))
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
        self.oracle.approve_whole(_covers(held), self.judged)

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
        assert _covers(self.found) == oracle.findings(now)
        assert _covers(each for each in self.found if each.rule == "trust-lost") == oracle.lost(now)
        assert _covers(each for each in self.found if each.rule == "trust-widened") == oracle.widened(now)

    def _record(self, run: int, reading: Reading) -> None:
        if self.oracle.read(reading):
            self.store.record(run, reading)
        else:
            with pytest.raises(StaleReading):
                self.store.record(run, reading)

    def _finish(self, run: int, at: datetime) -> None:
        self.run = self.store.finish_run(run, trust=_trust(self.oracle.trust), at=at)
        self.judged = at

    def _approve(self, **what: Any) -> None:
        assert self.run is not None
        flags: dict[str, Any] = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
        request = approving.Request(run=self.run, by="ada", reason="because", **flags, **what)
        approving.approve(self.store, approving.plan(self.store, request), at=self.at)


def _covers(findings: Any) -> set[Entry]:
    return {cover for each in findings for cover in each.covers if not cover[0].startswith("scope:")}


def _of_a(*grants: Grant) -> Step:
    return ("read", 0, "complete", {"a": ("standard", frozenset(grants))})


_SOLD, _SUNDAYS = _grant(ACCOUNTS[0]), _grant(ACCOUNTS[0], "only on Sundays")
_LATER: Step = ("trust", {})
HELD_WIDENING = [("whole", set()), ("trust", {ACCOUNTS[0]: "trusted"}), ("whole", {0}), _LATER]
"""An addition to the trusted list that somebody held back stays a finding."""
HELD_OVER_A_DATE = [_of_a(), ("whole", set()), _of_a(_SOLD), ("single", 0, 3), _of_a(_SUNDAYS), ("whole", {0}),
                    _LATER, _LATER]  # fmt: skip
"""Held back above an approval with an end: when that ends, what is held back is still not approved."""
TWO_DATES = [_of_a(), ("whole", set()), _of_a(_SOLD), ("single", 0, 3), _of_a(_SUNDAYS), ("single", 0, 3),
             ("whole", set()), _LATER, _LATER]  # fmt: skip
"""Of two approvals with an end the newer one counts, also after the whole was approved."""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, max_size=10))
@example(steps=HELD_WIDENING)
@example(steps=HELD_OVER_A_DATE)
@example(steps=TWO_DATES)
def test_every_diff_against_every_baseline_is_what_full_copies_say(fresh: Callable[[], Any], steps: list[Step]) -> None:
    with fresh() as store:
        Player(store).play([("read", 0, "complete", {}), *steps])
