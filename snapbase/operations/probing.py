"""Permissions are tried rather than computed: what a policy says and what a cloud allows differ.

Every kind is begun to be read, until every operation that it needs was answered once. A service control policy or a
perimeter is met in no other way.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from snapbase.collect.collector import Collector, Target, cloud
from snapbase.collect.limit import Limiter, Retry
from snapbase.model import Miss, Outcome, Scope
from snapbase.operations import skips
from snapbase.operations.logs import READERS

T = TypeVar("T")

_CALLS, _OBSERVATIONS = 60, 25
"""After so much of one kind in one place, an operation that was not needed yet counts as not tried."""
_ACCOUNTS, _REGIONS = 25, 3
"""How many of each are tried unless thorough: a role is usually the same everywhere."""
_ATTEMPTS = 3


class _Enough(Exception):
    """Enough was asked in this place."""


@dataclass(slots=True)
class Tried:
    """What came of one operation."""

    places: set[tuple[str, str]] = field(default_factory=set)
    """Account and location where it was answered."""
    misses: dict[tuple[str, str], Miss] = field(default_factory=dict)


class Probe(Limiter):
    """Lets every call through, remembers what came of it, and ends a reading that has asked enough."""

    def __init__(self) -> None:
        super().__init__(attempts=_ATTEMPTS, give_up_after=10)
        self._noting = threading.Lock()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self.tried: defaultdict[str, Tried] = defaultdict(Tried)
        """By permission."""

    def call(self, key: tuple[str, ...], send: Callable[[], T], verdict: Callable[[BaseException], Retry | None]) -> T:
        name, account, location, operation = key
        permission = _permission(name, operation)
        with self._noting:
            self._asked[account, location] += 1
            if self._asked[account, location] > _CALLS:
                raise _Enough
        try:
            answer = super().call(key, send, verdict)
        except Exception as error:
            miss = _explained(key, error)
            if miss is not None:
                # That the thing asked about is not there is an answer too.
                self._note(permission, (account, location), None if _absent(miss, error) else miss)
            raise
        self._note(permission, (account, location), None)
        return answer

    def _note(self, permission: str, place: tuple[str, str], miss: Miss | None) -> None:
        with self._noting:
            self._seen[place[0]].add(permission)
            tried = self.tried[permission]
            if miss is None:
                tried.places.add(place)
            else:
                tried.misses.setdefault(place, miss)

    def begin(self, account: str) -> None:
        with self._noting:
            for place in [each for each in self._asked if each[0] == account]:
                del self._asked[place]

    def answered(self, account: str, permissions: Iterable[str]) -> bool:
        """Whether every permission was tried in the account."""
        with self._noting:
            return self._seen[account].issuperset(permissions)


def _absent(miss: Miss, error: Exception) -> bool:
    """Whether the thing asked about was not there: the call itself was allowed."""
    words = f"{getattr(error, 'response', '')}"
    return miss.outcome == Outcome.FAILED and ("NotFound" in words or "NoSuch" in words)


def try_all(
    name: str,
    kinds: tuple[Collector, ...],
    places: Mapping[str, list[Target]],
    probe: Probe,
    skip: Sequence[str],
    *,
    threads: int,
    thorough: bool,
) -> None:
    """Starts to read every kind in each account: everywhere, or in a few places until each permission was tried."""

    def try_account(account: str) -> None:
        for target in places[account]:
            for kind in kinds:
                if target.where in kind.where and (thorough or not probe.answered(account, kind.permissions)):
                    _try(kind, target, probe, thorough=thorough)
            _try_logs(name, target, probe, skip)

    with ThreadPoolExecutor(threads, thread_name_prefix="doctor") as pool:
        for done in [pool.submit(try_account, account) for account in places]:
            done.result()


def places_to_try(
    targets: list[Target], locations: tuple[str, ...], home: str, *, thorough: bool
) -> dict[str, list[Target]]:
    """Where to try, by account: of many accounts some, of many regions the first few, home before others."""
    found: dict[str, list[Target]] = defaultdict(list)
    for target in sorted(targets, key=lambda each: each.location != home):
        if target.failure is not None or (locations and target.location not in locations):
            continue
        if thorough or sum(each.where == target.where for each in found[target.account]) < _REGIONS:
            found[target.account].append(target)
    step = 1 if thorough else max(1, -(-len(found) // _ACCOUNTS))
    return {account: found[account] for account in sorted(found)[::step]}


def _try(kind: Collector, target: Target, probe: Probe, *, thorough: bool) -> None:
    name = kind.kind.partition(".")[0]
    probe.begin(target.account)
    try:
        for number, _ in enumerate(
            kind.read(target.handle, Scope(name, target.account, target.location, kind.kind)), 1
        ):
            if number >= (_OBSERVATIONS if thorough else 1) and probe.answered(target.account, kind.permissions):
                return
    except _Enough:
        return
    except Exception as error:
        # What a cloud refused is noted already.
        if cloud(name).classify(error) is None:
            raise


def _try_logs(name: str, target: Target, probe: Probe, skip: Sequence[str]) -> None:
    """One short question to each log that is there; what is refused comes back as a value."""
    until = datetime.now(UTC)
    for log, reader in READERS.items():
        if log.startswith(f"{name}.") and target.where in reader.where and not skips.has(skip, log):
            probe.begin(target.account)
            try:
                next(reader.read(target.handle, target.account, target.location, until, until), None)
            except _Enough:
                return


def _permission(name: str, operation: str) -> str:
    """The permission behind an operation; only GCP's have other names."""
    if name != "gcp":
        return operation
    from snapbase.collect.gcp.errors import permission

    return permission(operation)


def _explained(key: tuple[str, ...], error: Exception) -> Miss | None:
    """A refused call in words, as the cloud's own errors have them."""
    name, account, location, operation = key
    failed: Exception
    if name == "aws":
        from snapbase.collect.aws.errors import CallFailed as AwsFailed

        failed = error if isinstance(error, AwsFailed) else AwsFailed(error, operation, account, location)
    elif name == "azure":
        from snapbase.collect.azure.errors import Unread

        failed = Unread(operation, account, error)
    else:
        from snapbase.collect.gcp.errors import CallFailed as GcpFailed
        from snapbase.collect.gcp.errors import is_cloud_error

        if not is_cloud_error(error):
            return None
        failed = GcpFailed(operation, account, location)
        failed.__cause__ = error
    return cloud(name).classify(failed)
