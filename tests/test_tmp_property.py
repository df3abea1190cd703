"""Random histories and approvals against an oracle that keeps full copies and sets of approved values."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapbase.diff import entries
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
    State,
)
from snapbase.operations import approve as approving
from snapbase.operations.diff import against_baseline, diff
from snapbase.store import Store, schema
from snapbase.trust import TrustList

SCOPES = (
    Scope("aws", "111122223333", "eu-west-1", "aws.ec2.snapshot"),
    Scope("aws", "111122223333", "us-east-1", "aws.ec2.snapshot"),
)
TRUST = json.dumps(TrustList(own=frozenset({"111122223333"})).to_json()).encode()
START = datetime(2026, 1, 1, tzinfo=UTC)
Entry = tuple[str, str]
Copy = dict[str, State]

_grants = st.frozensets(
    st.sampled_from(
        [
            Grant(Principal(PrincipalKind.PUBLIC, "all"), Access.READ, "ec2:createVolumePermission"),
            Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), Access.READ, "ec2:createVolumePermission"),
        ]
    )
)
_content = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(["standard", "archive"]), _grants))
_step = st.one_of(
    st.tuples(
        st.just("read"), st.integers(0, 1), st.sampled_from(["complete", "complete", "denied", "partial"]), _content
    ),
    st.tuples(st.just("whole"), st.sets(st.integers(0, 7)), st.none(), st.none()),
    st.tuples(st.just("single"), st.integers(0, 7), st.sampled_from([None, 1, 3]), st.none()),
)


class _Oracle:
    """Everything copied, nothing clever."""

    def __init__(self) -> None:
        self.world: Copy = {}
        self.complete: set[Scope] = set()
        self.base: dict[str, dict[str, Any]] = {}
        self.base_known: set[Scope] = set()
        self.pins: dict[Entry, list[tuple[Any, int | None, bool]]] = {}

    def read(self, reading: Reading) -> None:
        seen = {each.resource.uid for each in reading.observations}
        if reading.coverage[0].complete:
            self.complete.add(reading.scope)
            for uid in [u for u, state in self.world.items() if state.scope == reading.scope and u not in seen]:
                del self.world[uid]
        for each in reading.observations:
            self.world[each.resource.uid] = State(reading.scope, each.resource, each.grants, None)

    def approved(self, uid: str, entry: str, now: int) -> Any:
        return self._top(uid, entry, now)[0]

    def _top(self, uid: str, entry: str, now: int) -> tuple[Any, int | None, bool]:
        for value, until, known in self.pins.get((uid, entry), []):
            if until is None or now < until:
                return value, until, known
        return self.base.get(uid, {}).get(entry), None, _scope_of(uid) in self.base_known

    def findings(self, now: int) -> set[Entry]:
        found: set[Entry] = set()
        for uid in {*self.world, *self.base, *(uid for uid, _ in self.pins)}:
            found |= self._findings_of(uid, now)
        return found

    def _findings_of(self, uid: str, now: int) -> set[Entry]:
        present = entries(self.world.get(uid))
        presence, _, known = self._top(uid, "presence", now)
        if not present:
            return {(uid, "presence")} if presence else set()
        names = {*present, *self.base.get(uid, {}), *(entry for subject, entry in self.pins if subject == uid)}
        differ = {name for name in names if self.approved(uid, name, now) != present.get(name)}
        found = {(uid, name) for name in differ if name.startswith("grant:")}
        if presence:
            return found | {(uid, name) for name in differ if name.startswith("attr:")}
        return found | {(uid, "presence")} if known else found

    def approve_whole(self, held: set[Entry], now: int) -> None:
        kept: dict[Entry, list[tuple[Any, int | None, bool]]] = {}
        present = {uid: entries(state) for uid, state in self.world.items()}
        for uid, entry in held:
            for name in self._covered(uid, entry):
                kept[uid, name] = [(self._top(uid, name, now)[0], None, self._top(uid, name, now)[2])]
        for (uid, entry), layers in self.pins.items():
            value, until, known = self._top(uid, entry, now)
            bare = next((each for each in layers if each[1] is None), None) or (
                self.base.get(uid, {}).get(entry), None, _scope_of(uid) in self.base_known)  # fmt: skip
            is_now = present.get(uid, {}).get(entry)
            if until is not None and (uid, entry) not in kept and value == is_now != bare[0]:
                kept[uid, entry] = [(value, until, known), bare]
        self.pins = kept
        self.base, self.base_known = deepcopy(present), set(self.complete)

    def approve_single(self, uid: str, entry: str, until: int | None) -> None:
        present = entries(self.world.get(uid))
        for name in self._covered(uid, entry):
            known = _scope_of(uid) in self.complete
            self.pins.setdefault((uid, name), []).insert(0, (present.get(name), until, known))

    def _covered(self, uid: str, entry: str) -> set[str]:
        if entry != "presence":
            return {entry}
        names = {*entries(self.world.get(uid)), *self.base.get(uid, {}), *(e for u, e in self.pins if u == uid)}
        return {"presence"} | {name for name in names if name.startswith("attr:")}


def _scope_of(uid: str) -> Scope:
    return SCOPES[int(uid[0])]


def _reading(number: int, outcome: str, content: dict[str, Any], at: datetime) -> Reading:
    scope = SCOPES[number]
    observations = [
        Observation(Resource(uid=f"{number}{name}", address=f"{number}{name}", attributes={"tier": tier}), grants)
        for name, (tier, grants) in sorted(content.items())
    ]
    if outcome == "denied":
        observations = []
    return Reading(scope, at, observations, (Coverage(scope, "list", outcome), Coverage(scope, "sharing", outcome)))


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


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, max_size=10))
def test_every_diff_against_every_baseline_is_what_full_copies_say(
    fresh: Callable[[], Any], steps: list[tuple[Any, ...]]
) -> None:
    with fresh() as store:
        oracle = _Oracle()
        _play(store, oracle, [("read", 0, "complete", {}), *steps])


def _play(store: Store, oracle: _Oracle, steps: list[tuple[Any, ...]]) -> None:
    run: Run | None = None
    for hour, (what, first, second, third) in enumerate(steps):
        at = START + timedelta(hours=hour)
        if what == "read":
            run_id = store.begin_run("", "", at)
            reading = _reading(first, second, third, at)
            store.record(run_id, reading)
            run = store.finish_run(run_id, trust=TRUST, at=at)
            oracle.read(reading)
            now = hour
        assert run is not None
        found = diff(store, run, against_baseline(store, run)).findings
        relevant = {cover for each in found for cover in each.covers if not cover[0].startswith("scope:")}
        assert relevant == oracle.findings(now)
        if what == "whole":
            held = [each for number, each in enumerate(found) if number in first]
            _approve(store, run, at, excepted=tuple(each.id for each in held))
            oracle.approve_whole({c for each in held for c in each.covers if not c[0].startswith("scope:")}, now)
        elif what == "single" and first < len(found):
            chosen = found[first]
            until = second if chosen.entry.startswith("grant:") else None
            ends = START + timedelta(hours=hour + until) if until else None
            _approve(store, run, at, findings=(chosen.id,), until=ends)
            if not chosen.subject.uid.startswith("scope:"):
                oracle.approve_single(chosen.subject.uid, chosen.entry, hour + until if until else None)
    if run is not None:
        found = diff(store, run, against_baseline(store, run)).findings
        relevant = {cover for each in found for cover in each.covers if not cover[0].startswith("scope:")}
        assert relevant == oracle.findings(now)


def _approve(store: Store, run: Run, at: datetime, **what: Any) -> None:
    flags: dict[str, Any] = {"allow_public": True, "allow_unknown": True, "allow_incomplete": True}
    request = approving.Request(run=run, by="ada", reason="because", **flags, **what)
    approving.approve(store, approving.plan(store, request), at=at)
