"""The engine over clouds in memory: what goes wrong in one place stops no other, and nothing is said falsely."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from snapbase.collect import engine
from snapbase.collect.collector import CloudDescriptor, Collector, Target, Where, account_scope
from snapbase.collect.engine import Progress, Selection
from snapbase.errors import CredentialsError
from snapbase.model import ANYWHERE, Aspect, Miss, Observation, Outcome, Reading, Resource, Scope
from snapbase.settings import Config

KIND = "aws.ec2.snapshot"
EVERYTHING = Selection()


class _Denied(Exception):
    pass


@dataclass
class _Cloud:
    """A cloud as values: its targets, and what each place answers; an exception stands for itself."""

    targets: list[Target | Exception]
    answers: dict[tuple[str, str], list[Observation | Exception]] = field(default_factory=dict)
    began: Callable[[], None] = lambda: None

    def connect(self, entry: object, runtime: object) -> "_Connection":
        return _Connection(self)

    def read(self, handle: Any, scope: Scope) -> Iterator[Observation]:
        self.began()
        for each in self.answers.get((scope.account, scope.location), []):
            if isinstance(each, Exception):
                raise each
            yield each


@dataclass
class _Connection:
    cloud: _Cloud

    def identity(self) -> str:
        return "somebody"

    def targets(self) -> Iterator[Target]:
        for each in self.cloud.targets:
            if isinstance(each, Exception):
                raise each
            yield each


def _classify(error: BaseException) -> Miss | None:
    return Miss(Outcome.DENIED, "denied: grant it") if isinstance(error, _Denied) else None


def _seen(uid: str, miss: Miss | None = None, inferred: str | None = None) -> Observation:
    return Observation(Resource(uid=uid, address=uid, inferred=inferred), None if miss else frozenset(), miss)


@pytest.fixture(name="read")
def _read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Reading]]:
    def read(
        clouds: _Cloud | Mapping[str, _Cloud],
        selection: Selection = EVERYTHING,
        known: Mapping[Scope, int] | None = None,
        stop: threading.Event | None = None,
        into: list[Reading] | None = None,
        threads: int = 4,
        skip: tuple[str, ...] = (),
    ) -> list[Reading]:
        by_name = clouds if isinstance(clouds, Mapping) else {"aws": clouds}

        def descriptor(name: str) -> CloudDescriptor:
            return CloudDescriptor(name, name, by_name[name].connect, _classify)

        def kinds(name: str) -> tuple[Collector, ...]:
            where = frozenset({Where.REGIONAL})
            kind = KIND.replace("aws", name)
            return (Collector(kind, kind, where, by_name[name].read, (), "1", ""),) if name in by_name else ()

        monkeypatch.setattr(engine, "cloud", descriptor)
        monkeypatch.setattr(engine, "collectors", kinds)
        entry = {"skip": list(skip)}
        config = Config.model_validate({name: [entry] for name in by_name} | {"collect": {"threads": threads}})
        readings = into if into is not None else []
        stop = stop or threading.Event()
        for reading in engine.collect(config, selection, known=known or {}, progress=lambda _: None, stop=stop):
            readings.append(reading)
        return readings

    return read


def _outcomes(readings: list[Reading], aspect: str = Aspect.LIST) -> dict[tuple[str, str], str]:
    return {
        (reading.scope.account, reading.scope.location): each.outcome
        for reading in readings
        for each in reading.coverage
        if each.aspect == aspect
    }


def _scope(account: str, location: str) -> Scope:
    return Scope("aws", account, location, KIND)


def test_every_scope_is_read_once_and_every_account_is_entered(read: Callable[..., list[Reading]]) -> None:
    cloud = _Cloud([Target("1", "a"), Target("1", "b"), Target("1", "a")], {("1", "a"): [_seen("x"), _seen("y")]})

    readings = read(cloud)

    assert _outcomes(readings) == dict.fromkeys([("1", ANYWHERE), ("1", "a"), ("1", "b")], Outcome.COMPLETE)
    assert len(readings) == 3
    assert {each.resource.uid for reading in readings for each in reading.observations} == {"x", "y"}


def test_a_failing_scope_neither_stops_nor_hides_another(read: Callable[..., list[Reading]]) -> None:
    cloud = _Cloud(
        [Target("1", "a"), Target("1", "b"), Target("1", "c")],
        {("1", "a"): [_Denied()], ("1", "b"): [_seen("x"), _Denied()], ("1", "c"): [_seen("y")]},
    )

    readings = read(cloud)

    expected = {("1", "a"): Outcome.DENIED, ("1", "b"): Outcome.PARTIAL, ("1", "c"): Outcome.COMPLETE}
    assert _outcomes(readings, Aspect.SHARING) == expected
    assert _outcomes(readings) == expected | {("1", ANYWHERE): Outcome.COMPLETE}
    assert {each.resource.uid for reading in readings for each in reading.observations} == {"x", "y"}


def test_a_bug_in_one_scope_is_raised_after_all_others_were_read(read: Callable[..., list[Reading]]) -> None:
    bug = TypeError("not an answer of the cloud")
    cloud = _Cloud([Target("1", "a"), Target("1", "b")], {("1", "a"): [_seen("x"), bug]})
    readings: list[Reading] = []

    with pytest.raises(TypeError) as raised:
        read(cloud, into=readings)

    assert raised.value is bug
    assert _outcomes(readings)["1", "a"] == Outcome.PARTIAL
    assert _outcomes(readings)["1", "b"] == Outcome.COMPLETE


def test_a_bug_while_planning_one_cloud_does_not_hide_another(read: Callable[..., list[Reading]]) -> None:
    readings: list[Reading] = []

    with pytest.raises(TypeError):
        read({"aws": _Cloud([TypeError()]), "gcp": _Cloud([Target("p", "a")])}, into=readings)

    assert _outcomes(readings)["p", "a"] == Outcome.COMPLETE
    assert _outcomes(readings)[ANYWHERE, ANYWHERE] == Outcome.FAILED


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        ([_seen("x"), _seen("y")], Outcome.COMPLETE),
        ([_seen("x"), _seen("y", Miss(Outcome.THROTTLED, "slow"))], Outcome.PARTIAL),
        ([_seen("x", Miss(Outcome.THROTTLED, "slow"))], Outcome.THROTTLED),
        ([_seen("x", inferred="AWS-managed key"), _seen("y", Miss(Outcome.DENIED, "no"))], Outcome.DENIED),
    ],
)
def test_sharing_is_complete_only_where_nothing_was_missed(
    read: Callable[..., list[Reading]], seen: list[Observation], outcome: str
) -> None:
    readings = read(_Cloud([Target("1", "a")], {("1", "a"): list(seen)}))

    assert _outcomes(readings, Aspect.SHARING) == {("1", "a"): outcome}
    assert _outcomes(readings)["1", "a"] == Outcome.COMPLETE


def test_a_resource_listed_twice_is_one(read: Callable[..., list[Reading]]) -> None:
    readings = read(_Cloud([Target("1", "a")], {("1", "a"): [_seen("x"), _seen("x")]}))

    assert [len(each.observations) for each in readings if each.scope == _scope("1", "a")] == [1]


def test_an_account_that_cannot_be_entered_is_one_gap(read: Callable[..., list[Reading]]) -> None:
    failed = Target("2", ANYWHERE, failure=Miss(Outcome.DENIED, "the role cannot be assumed"))

    readings = read(_Cloud([Target("1", "a"), failed]))

    assert _outcomes(readings)["2", ANYWHERE] == Outcome.DENIED
    assert _outcomes(readings)["1", "a"] == Outcome.COMPLETE


def test_no_credentials_for_one_cloud_do_not_stop_another(read: Callable[..., list[Reading]]) -> None:
    clouds = {"aws": _Cloud([CredentialsError("no credentials")]), "gcp": _Cloud([Target("p", "a")])}

    readings = read(clouds, known={_scope("1", "a"): 5})

    assert _outcomes(readings)["1", "a"] == Outcome.DENIED
    assert _outcomes(readings)["p", "a"] == Outcome.COMPLETE


def test_a_cloud_never_entered_is_a_gap_that_closes_when_it_is(read: Callable[..., list[Reading]]) -> None:
    whole = Scope("aws", ANYWHERE, ANYWHERE, ANYWHERE)

    before = read(_Cloud([CredentialsError("no credentials")]))
    after = read(_Cloud([Target("1", "a")]), known={whole: 0})

    assert [(each.scope, each.coverage[0].outcome) for each in before] == [(whole, Outcome.DENIED)]
    assert _outcomes(after)[ANYWHERE, ANYWHERE] == Outcome.COMPLETE


def test_an_entry_never_entered_is_a_gap_beside_another_of_its_cloud(read: Callable[..., list[Reading]]) -> None:
    entries = _Cloud([Target("1", "a"), CredentialsError("no credentials")])

    whole = read(entries)
    chosen = read(entries, Selection(accounts=("1",)))

    assert _outcomes(whole) == dict.fromkeys([("1", ANYWHERE), ("1", "a")], Outcome.COMPLETE) | {
        (ANYWHERE, ANYWHERE): Outcome.DENIED
    }
    assert (ANYWHERE, ANYWHERE) not in _outcomes(chosen)


@pytest.mark.parametrize(
    ("selection", "closed"),
    [
        (Selection(kinds=("aws.rds.*",)), True),
        (Selection(locations=("b",)), True),
        (Selection(clouds=("gcp",)), False),
        (Selection(accounts=("1",)), False),
    ],
)
def test_a_whole_cloud_s_gap_closes_by_whatever_finds_all_its_accounts(
    read: Callable[..., list[Reading]], selection: Selection, closed: bool
) -> None:
    known = {Scope("aws", ANYWHERE, ANYWHERE, ANYWHERE): 0}

    readings = read({"aws": _Cloud([Target("1", "a")]), "gcp": _Cloud([])}, selection, known=known)

    assert ((ANYWHERE, ANYWHERE) in _outcomes(readings)) == closed


def test_what_was_found_before_the_listing_broke_is_read(read: Callable[..., list[Reading]]) -> None:
    readings = read(_Cloud([Target("1", "a"), _Denied()]), known={_scope("1", "a"): 1, _scope("2", "a"): 1})

    assert _outcomes(readings)["1", "a"] == Outcome.COMPLETE
    assert _outcomes(readings)["2", "a"] == Outcome.DENIED


def test_scopes_that_vanished_do_not_stay_fresh(read: Callable[..., list[Reading]]) -> None:
    broken = Target("1", "b", failure=Miss(Outcome.DENIED, "denied"))

    readings = read(_Cloud([Target("1", "a"), broken]), known={_scope("1", "gone"): 3, account_scope("aws", "9"): 0})

    assert _outcomes(readings)["1", "gone"] == Outcome.DISABLED
    assert _outcomes(readings)["9", ANYWHERE] == Outcome.DISABLED


def test_narrowing_touches_nothing_outside(read: Callable[..., list[Reading]]) -> None:
    cloud = _Cloud([Target("1", "a"), Target("1", "b"), Target("2", "a")])
    known = {_scope("1", "gone"): 1, _scope("2", "gone"): 1}

    readings = read(cloud, Selection(accounts=("1",), locations=("a",)), known)

    assert {each.scope for each in readings} == {account_scope("aws", "1"), _scope("1", "a")}


def test_the_fullest_scopes_are_read_first(read: Callable[..., list[Reading]]) -> None:
    cloud = _Cloud([Target("1", "small"), Target("1", "big"), Target("1", "new")])
    order: list[str] = []
    handed = cloud.read

    def noting(handle: Any, scope: Scope) -> Iterator[Observation]:
        order.append(scope.location)
        return handed(handle, scope)

    cloud.read = noting  # type: ignore[method-assign]
    read(cloud, known={_scope("1", "big"): 900, _scope("1", "small"): 1}, threads=1)

    assert order == ["big", "small", "new"]


def test_a_stopped_run_records_no_scope_as_complete(read: Callable[..., list[Reading]]) -> None:
    stop = threading.Event()
    cloud = _Cloud([Target("1", "a"), Target("1", "b")], {("1", "a"): [_seen("x")]}, began=stop.set)

    readings = read(cloud, stop=stop)

    assert {each.scope for each in readings} == {account_scope("aws", "1")}


def test_a_selection_has_one_text() -> None:
    assert str(Selection()) == ""
    assert str(Selection(clouds=("gcp", "aws"), kinds=("x.*",))) == "cloud=aws,gcp kind=x.*"
    assert Progress(1, 2).done == 1


def test_a_kind_that_is_skipped_is_not_read_and_is_no_hole_where_it_held_nothing(
    read: Callable[..., list[Reading]],
) -> None:
    asked: list[bool] = []
    place = Target("1", "eu-west-1")
    cloud = _Cloud([place], began=lambda: asked.append(True))
    scope = Scope("aws", "1", "eu-west-1", KIND)

    readings = {each.scope: each for each in read(cloud, known={scope: 0}, skip=("aws.ec2.*",))}

    assert not asked
    assert all(each.complete for each in readings[scope].coverage)
    assert "skipped" in readings[scope].coverage[0].reason


def test_a_kind_that_is_skipped_though_it_held_something_is_a_hole(read: Callable[..., list[Reading]]) -> None:
    scope = Scope("aws", "1", "eu-west-1", KIND)

    readings = {each.scope: each for each in read(_Cloud([Target("1", "eu-west-1")]), known={scope: 7}, skip=(KIND,))}

    assert [each.outcome for each in readings[scope].coverage] == [Outcome.DEFERRED, Outcome.DEFERRED]
    assert "7" in readings[scope].coverage[0].reason


def test_what_is_skipped_and_was_never_read_is_not_mentioned(read: Callable[..., list[Reading]]) -> None:
    assert {each.scope for each in read(_Cloud([Target("1", "eu-west-1")]), skip=(KIND,))} == {
        account_scope("aws", "1")
    }
