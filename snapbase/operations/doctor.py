"""Is everything there that a run needs: configuration, store, credentials, every permission, the clock.

Permissions are tried rather than computed, by starting to read each kind and stopping as soon as every operation it
needs was answered once: what a policy says and what a cloud allows differ (service control policies, perimeters).
"""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeVar

from snapbase.collect.collector import Collector, Connection, Target, cloud, collectors
from snapbase.collect.engine import CLOUDS, Selection
from snapbase.collect.limit import Limiter, Retry
from snapbase.collect.runtime import Runtime
from snapbase.errors import ConfigurationError, CredentialsError, StoreError
from snapbase.model import ANYWHERE, Miss, Outcome, Scope
from snapbase.operations import policy, queues, skips
from snapbase.operations.logs import READERS
from snapbase.settings import Config

T = TypeVar("T")

_CALLS, _OBSERVATIONS = 60, 25
"""After so much of one kind in one place, an operation that was not needed yet counts as not tried."""
_ACCOUNTS, _REGIONS = 25, 3
"""How many of each are tried unless thorough: a role is usually the same everywhere."""
_ATTEMPTS = 3
_DRIFT, _TOO_MUCH_DRIFT = 60.0, 240.0
"""Seconds; signatures are refused at five minutes (AWS General Reference, "Signing"; the others' tokens likewise)."""
_ENDPOINTS = {
    "aws": "https://sts.amazonaws.com",
    "azure": "https://management.azure.com",
    "gcp": "https://compute.googleapis.com",
}
_LISTED = 4
"""Places named in one line."""


class State(StrEnum):
    OK = "ok"
    UNTRIED = "untried"
    """Nothing is there on which it could be tried."""
    WARNING = "warning"
    MISSING = "missing"
    """Something stays unread until it is fixed."""
    FAILED = "failed"
    """Nothing can be done until it is fixed."""


@dataclass(frozen=True, slots=True)
class Check:
    area: str
    """configuration, store, credentials, clock, accounts or permission."""
    subject: str
    state: State
    detail: str
    fix: str = ""


def exit_code(checks: Iterable[Check]) -> int:
    """2: nothing can be done as it is; 3: something cannot be read; 0: all is well."""
    states = {check.state for check in checks}
    return 2 if State.FAILED in states else 3 if State.MISSING in states else 0


def misconfigured(error: ConfigurationError) -> Check:
    return Check("configuration", "the file", State.FAILED, error.message, error.hint)


def examine(config: Config, store_url: str, selection: Selection, *, thorough: bool = False) -> list[Check]:
    """Everything that can be checked, in the order in which it should be fixed."""
    checks = [_configured(config), _stored(store_url)]
    for name in CLOUDS:
        entries = getattr(config, name)
        if not entries or (selection.clouds and name not in selection.clouds):
            continue
        kinds = _kinds(name, config, selection)
        for entry in entries:
            checks += _entry(name, entry, kinds, config, selection, thorough=thorough)
    return checks


def _configured(config: Config) -> Check:
    counted = [f"{len(found)} [[{name}]]" for name in CLOUDS if (found := getattr(config, name))]
    if not counted:
        fix = "Add an [[aws]], [[azure]] or [[gcp]] entry; config.example.toml has them all."
        return Check("configuration", "clouds", State.FAILED, "no cloud is configured", fix)
    return Check("configuration", "clouds", State.OK, ", ".join(counted))


def _stored(url: str) -> Check:
    from snapbase.store import schema

    try:
        return Check("store", "schema", State.OK, schema.check(url))
    except StoreError as error:
        # A store that is not there yet, or of an older schema, is made or upgraded by the next run.
        state = State.WARNING if error.hint.startswith("Run `snapbase") else State.FAILED
        return Check("store", "schema", state, error.message, error.hint)


def _kinds(name: str, config: Config, selection: Selection) -> tuple[Collector, ...]:
    configured = Selection(kinds=config.collect.kinds)
    return tuple(k for k in collectors(name) if selection.takes_kind(k.kind) and configured.takes_kind(k.kind))


class _Enough(Exception):
    """Enough was asked in this place."""


@dataclass(slots=True)
class _Tried:
    """What came of one operation."""

    places: set[tuple[str, str]] = field(default_factory=set)
    """Account and location where it was answered."""
    misses: dict[tuple[str, str], Miss] = field(default_factory=dict)


class _Probe(Limiter):
    """Lets every call through, remembers what came of it, and ends a reading that has asked enough."""

    def __init__(self) -> None:
        super().__init__(attempts=_ATTEMPTS, give_up_after=10)
        self._noting = threading.Lock()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self.tried: defaultdict[str, _Tried] = defaultdict(_Tried)
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


def _entry(
    name: str, entry: Any, kinds: tuple[Collector, ...], config: Config, selection: Selection, *, thorough: bool
) -> list[Check]:
    label = f"[[{name}]] {entry.name}"
    kinds = tuple(each for each in kinds if not skips.has(entry.skip, each.kind))
    probe = _Probe()
    runtime = Runtime(threads=config.collect.threads, limiter=probe, sample=0)
    try:
        checks = [_clock(name, entry)]
        try:
            connection = cloud(name).connect(entry, runtime)
            who = connection.identity()
            targets = _targets(connection, selection)
        except CredentialsError as error:
            return [*checks, Check("credentials", label, State.FAILED, error.message, error.hint)]
        except Exception as error:
            miss = cloud(name).classify(error)
            if miss is None:
                raise
            return [*checks, Check("credentials", label, State.FAILED, miss.reason, _advice(miss))]
        checks.append(Check("credentials", label, State.OK, f"signed in as {who}"))
        places = _places(targets, selection.locations, getattr(entry, "home_region", ""), thorough=thorough)
        checks += _accounts(label, targets, len(places))
        _try_all(name, kinds, places, probe, entry.skip, threads=config.collect.threads, thorough=thorough)
        return [*checks, *_permissions(name, kinds, probe.tried, entry.skip), *_heard(entry, runtime)]
    finally:
        runtime.close()


def _heard(entry: Any, runtime: Runtime) -> Iterator[Check]:
    queue = queues.of_entry(entry)
    if queue is None:
        return
    miss = queues.tried(queue, runtime)
    if miss is None:
        yield Check("queue", queue.name, State.OK, "answers")
    else:
        state = State.WARNING if miss.outcome == Outcome.THROTTLED else State.MISSING
        yield Check("queue", queue.name, state, miss.reason, _advice(miss))


def _targets(connection: Connection, selection: Selection) -> list[Target]:
    return [each for each in connection.targets() if not selection.accounts or each.account in selection.accounts]


def _accounts(label: str, targets: list[Target], tried: int) -> Iterator[Check]:
    reachable = {each.account for each in targets if each.failure is None}
    places = sum(each.failure is None for each in targets)
    sample = f"; permissions are tried in {tried} of them (--thorough: in all)" if tried < len(reachable) else ""
    failed = [each for each in targets if each.failure is not None]
    if reachable:
        yield Check("accounts", label, State.OK, f"{len(reachable)} reachable, {places} places to read in them{sample}")
    for target in failed:
        miss = target.failure
        if miss is not None:
            where = target.account if target.location == ANYWHERE else f"{target.account}/{target.location}"
            # An account that was closed or suspended stays so, whatever is granted.
            state = State.WARNING if miss.outcome == Outcome.DISABLED else State.MISSING
            yield Check("accounts", where, state, miss.reason, _advice(miss))
    if not reachable:
        fix = "Check the accounts, subscriptions or projects in the configuration, and the role in them."
        yield Check("accounts", label, State.FAILED, "no account can be entered", fix)


def _try_all(
    name: str,
    kinds: tuple[Collector, ...],
    places: Mapping[str, list[Target]],
    probe: _Probe,
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


def _places(targets: list[Target], locations: tuple[str, ...], home: str, *, thorough: bool) -> dict[str, list[Target]]:
    """Where to try, by account: of many accounts some, of many regions the first few, home before others."""
    found: dict[str, list[Target]] = defaultdict(list)
    for target in sorted(targets, key=lambda each: each.location != home):
        if target.failure is not None or (locations and target.location not in locations):
            continue
        if thorough or sum(each.where == target.where for each in found[target.account]) < _REGIONS:
            found[target.account].append(target)
    step = 1 if thorough else max(1, -(-len(found) // _ACCOUNTS))
    return {account: found[account] for account in sorted(found)[::step]}


def _try(kind: Collector, target: Target, probe: _Probe, *, thorough: bool) -> None:
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


def _try_logs(name: str, target: Target, probe: _Probe, skip: Sequence[str]) -> None:
    """One short question to each log that is there; what is refused comes back as a value."""
    until = datetime.now(UTC)
    for log, reader in READERS.items():
        if log.startswith(f"{name}.") and target.where in reader.where and not skips.has(skip, log):
            probe.begin(target.account)
            try:
                next(reader.read(target.handle, target.account, target.location, until, until), None)
            except _Enough:
                return


def _permissions(
    name: str, kinds: tuple[Collector, ...], tried: Mapping[str, _Tried], skip: Sequence[str]
) -> Iterator[Check]:
    logged = policy.log_permissions(name, skip)
    for wanted in policy.permissions(name, kinds, skip):
        needed = ", ".join(kind.title for kind in kinds if wanted in kind.permissions)
        if not needed and wanted not in tried and wanted not in logged:
            # Regions that are configured need not be found.
            continue
        needed = needed or ("the audit log" if wanted in logged else "finding accounts and regions")
        yield _permitted(name, wanted, needed, tried.get(wanted, _Tried()))


def _permitted(name: str, wanted: str, needed: str, tried: _Tried) -> Check:
    if not tried.misses:
        if not tried.places:
            return Check("permission", wanted, State.UNTRIED, f"nothing there to try it on (for {needed})")
        accounts = len({account for account, _ in tried.places})
        return Check("permission", wanted, State.OK, f"allowed in {accounts} account{'s' * (accounts != 1)}")
    refused = {place: miss for place, miss in tried.misses.items() if miss.outcome == Outcome.DENIED}
    shown = refused or tried.misses
    places = sorted(shown)
    where = ", ".join("/".join(each) for each in places[:_LISTED]) + (
        f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    )
    miss = shown[places[0]]
    if not refused:
        # Throttling passes, and what is not enabled has nothing to read; anything else would fail a run as well.
        state = State.WARNING if miss.outcome in (Outcome.THROTTLED, Outcome.DISABLED) else State.MISSING
        detail = f"{miss.outcome} in {where}; needed for {needed}"
        return Check("permission", wanted, state, detail, f"{wanted}: {_advice(miss)}")
    by_policy = _above(miss)
    what = f"denied by a {by_policy}" if by_policy else "denied"
    fix = (
        f"{wanted}: {_advice(miss).replace('from it', f'from the {by_policy}')}"
        if by_policy
        else f"{wanted}: allow it to the collector's identity in {where} (`snapbase policy {name}` writes it out)"
    )
    return Check("permission", wanted, State.MISSING, f"{what} in {where}; needed for {needed}", fix)


_ABOVE = re.compile(r"\b(?:denied|blocked)\b.*\bby (?:a )?((?!collector)[A-Za-z ]+?(?:policy|boundary|Controls))(?=:)")


def _above(miss: Miss) -> str:
    """What denies from above the account, if anything: granting the permission would then change nothing."""
    found = _ABOVE.search(miss.reason)
    return found[1] if found else ""


def _advice(miss: Miss) -> str:
    """What each cloud's errors say to do stands behind the last colon."""
    return miss.reason.rpartition(": ")[2]


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


def _clock(name: str, entry: Any) -> Check:
    """Our clock against the Date of an answer; any answer will do."""
    import requests

    endpoint = entry.endpoint or _ENDPOINTS[name]
    subject = f"against {endpoint}"
    try:
        before = datetime.now(UTC)
        answer = requests.head(endpoint, timeout=5)
        after = datetime.now(UTC)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError) as error:
        return Check("clock", subject, State.WARNING, f"could not be compared ({type(error).__name__})")
    ours = before + (after - before) / 2
    seconds = (ours - theirs).total_seconds() - 0.5
    words = f"{abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) < _DRIFT:
        return Check("clock", subject, State.OK, f"{words}")
    fix = "Set this machine's clock (NTP): requests signed at another time are refused."
    return Check("clock", subject, State.FAILED if abs(seconds) > _TOO_MUCH_DRIFT else State.WARNING, words, fix)
