"""Plan the scopes, read them in bounded threads, classify what goes wrong, and hand over one `Reading` each."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from snapbase.collect.collector import CloudDescriptor, Collector, Target, account_scope, cloud, collectors
from snapbase.collect.runtime import Runtime
from snapbase.collect.stopping import Interrupted
from snapbase.errors import CredentialsError
from snapbase.finding import several
from snapbase.model import ANYWHERE, SKIPPED, Aspect, Coverage, Miss, Observation, Outcome, Reading, Scope
from snapbase.settings import Config

CLOUDS = ("aws", "azure", "gcp")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run is narrowed to; empty means everything configured. Kinds may be globs."""

    clouds: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    scopes: frozenset[Scope] = field(default=frozenset(), kw_only=True)
    """Of what the others leave, exactly these; empty: all."""

    @classmethod
    def of(cls, scopes: Collection[Scope]) -> "Selection":
        """Exactly some scopes; nothing of other accounts is asked for."""
        return cls(
            clouds=tuple(sorted({each.cloud for each in scopes})),
            accounts=tuple(sorted({each.account for each in scopes})),
            locations=tuple(sorted({each.location for each in scopes})),
            kinds=tuple(sorted({each.kind for each in scopes})),
            scopes=frozenset(scopes),
        )

    def __str__(self) -> str:
        places = (("cloud", self.clouds), ("account", self.accounts), ("region", self.locations))
        parts = (*places, ("kind", self.kinds))
        return " ".join(f"{name}={','.join(sorted(values))}" for name, values in parts if values)

    def takes(self, scope: Scope) -> bool:
        return (
            (not self.clouds or scope.cloud in self.clouds)
            and (not self.accounts or scope.account in self.accounts)
            and (not self.locations or scope.location in self.locations)
            and self.takes_kind(scope.kind)
            and (not self.scopes or scope in self.scopes)
        )

    def takes_kind(self, kind: str) -> bool:
        return not self.kinds or any(fnmatchcase(kind, glob) for glob in self.kinds)


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    planned: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One scope that will be read, and how."""

    scope: Scope
    collector: Collector
    target: Target
    descriptor: CloudDescriptor


@dataclass(slots=True)
class _Plan:
    scopes: list[Planned] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    """What is known without reading: accounts that could be entered, and those that could not."""
    skipped: set[Scope] = field(default_factory=set)
    """What the configuration says not to read."""
    failures: list[tuple[str, Miss]] = field(default_factory=list)
    """Clouds whose accounts could not all be found out."""
    bugs: list[Exception] = field(default_factory=list)


def collect(
    config: Config,
    selection: Selection,
    *,
    known: Mapping[Scope, int],
    first: Collection[Scope] = frozenset(),
    progress: Callable[[Progress], None],
    stop: threading.Event,
) -> Iterator[Reading]:
    """One reading per scope, in order of completion. A failing scope never stops or hides another.

    `known` maps the scopes that were ever read to how many resources they had: after those that are to be `first`, the
    fullest are read first, and those that are no longer there to be read are said to be. An exception that no cloud
    explains is a bug: everything else is still read, then it is raised as it is.
    """
    told = config.collect
    runtime = Runtime(threads=told.threads, stop=stop, sample=told.sample, give_up_after=told.give_up_after)
    try:
        plan = _plan(config, selection, runtime)
        plan.scopes.sort(key=lambda each: (each.scope not in first, -known.get(each.scope, 0)))
        yield from plan.readings
        yield from _vanished(plan, selection, known)
        yield from _read_all(plan.scopes, told.threads, runtime, progress, stop, plan.bugs)
    finally:
        runtime.close()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a run would read."""

    lines: tuple[str, ...]
    """In words: one per scope, the fullest first, and what could not be planned."""
    scopes: int
    accounts: frozenset[str]
    """Those that are there, also where they could not be entered."""
    locations: frozenset[str]
    failures: tuple[str, ...]
    """Why clouds and accounts could not be entered."""


def plan(config: Config, selection: Selection, *, known: Mapping[Scope, int]) -> Foreseen:
    """Asks the clouds for accounts and regions, and reads nothing there."""
    runtime = Runtime(threads=config.collect.threads, give_up_after=config.collect.give_up_after)
    try:
        found = _plan(config, selection, runtime)
    finally:
        runtime.close()
    found.scopes.sort(key=lambda each: (-known.get(each.scope, 0), each.scope))
    lines = [
        f"{each.scope.kind:<28} {each.scope.account} {each.scope.location}: {each.collector.calls}"
        + (f" ({known[each.scope]:,} last time)" if known.get(each.scope) else "")
        for each in found.scopes
    ]
    shut = [f"{each.scope}: {c.outcome}, {c.reason}" for each in found.readings for c in each.coverage if c.reason]
    shut += [f"{name}: {miss.outcome}, {miss.reason}" for name, miss in found.failures]
    skipped = [f"{scope}: {SKIPPED}" for scope in sorted(found.skipped)]
    there = {*(each.scope for each in found.scopes), *(each.scope for each in found.readings), *found.skipped}
    return Foreseen(
        lines=(*lines, *shut, *skipped, several(len(found.scopes), "scope")),
        scopes=len(found.scopes),
        accounts=frozenset(each.account for each in there),
        locations=frozenset(each.location for each in there) - {ANYWHERE},
        failures=tuple(shut),
    )


def targets(
    config: Config, selection: Selection, *, stop: threading.Event, runtime: Runtime, shut: dict[str, Miss]
) -> Iterator[tuple[str, Target, Sequence[str]]]:
    """Every selected place that can be entered, by cloud, and what its entry says to skip; `shut` takes the entries and
    accounts that cannot be."""
    for name in CLOUDS:
        if selection.clouds and name not in selection.clouds:
            continue
        for entry in getattr(config, name):
            descriptor = cloud(name)
            try:
                for target in descriptor.connect(entry, runtime).targets():
                    if stop.is_set():
                        return
                    if selection.accounts and target.account not in selection.accounts:
                        continue
                    if target.failure is None:
                        yield name, target, entry.skip
                    else:
                        shut[f"{name} {target.account}"] = target.failure
            except CredentialsError as error:
                shut[f"[[{name}]] {entry.name}"] = Miss(Outcome.DENIED, f"{error.message} {error.hint}".strip())
            except Exception as error:
                miss = descriptor.classify(error)
                if miss is None:
                    raise
                shut[f"[[{name}]] {entry.name}"] = miss


def _plan(config: Config, selection: Selection, runtime: Runtime) -> _Plan:
    plan = _Plan()
    planned: set[Scope] = set()
    for name in CLOUDS:
        if selection.clouds and name not in selection.clouds:
            continue
        for entry in getattr(config, name):
            _plan_entry(plan, planned, name, entry, config, selection, runtime)
    return plan


def _plan_entry(
    plan: _Plan, planned: set[Scope], name: str, entry: object, config: Config, selection: Selection, runtime: Runtime
) -> None:
    descriptor = cloud(name)
    kinds = [each for each in collectors(name) if selection.takes_kind(each.kind) and _configured(config, each.kind)]
    try:
        for target in descriptor.connect(entry, runtime).targets():
            if selection.accounts and target.account not in selection.accounts:
                continue
            _plan_target(plan, planned, descriptor, kinds, target, selection, getattr(entry, "skip", ()))
    except CredentialsError as error:
        plan.failures.append((name, Miss(Outcome.DENIED, f"{error.message} {error.hint}".strip())))
    except Exception as error:
        miss = descriptor.classify(error)
        if miss is None:
            plan.bugs.append(error)
            miss = _bug(error)
        plan.failures.append((name, miss))


def _bug(error: Exception) -> Miss:
    return Miss(Outcome.FAILED, f"a bug in snapbase: {type(error).__name__}")


def _configured(config: Config, kind: str) -> bool:
    return not config.collect.kinds or any(fnmatchcase(kind, glob) for glob in config.collect.kinds)


def _plan_target(
    plan: _Plan,
    planned: set[Scope],
    descriptor: CloudDescriptor,
    kinds: list[Collector],
    target: Target,
    selection: Selection,
    skip: Sequence[str],
) -> None:
    account = account_scope(descriptor.name, target.account)
    if target.failure is not None and target.location == ANYWHERE:
        if account not in planned:
            planned.add(account)
            plan.readings.append(_failed(account, target.failure, shares=False))
        return
    if account not in planned:
        planned.add(account)
        plan.readings.append(_entered(account))
    for collector in kinds:
        scope = Scope(descriptor.name, target.account, target.location, collector.kind)
        if target.where not in collector.where or scope in planned or not selection.takes(scope):
            continue
        if any(fnmatchcase(collector.kind, glob) for glob in skip):
            plan.skipped.add(scope)
            continue
        planned.add(scope)
        if target.failure is not None:
            plan.readings.append(_failed(scope, target.failure, shares=collector.shares))
        else:
            plan.scopes.append(Planned(scope, collector, target, descriptor))


def _entered(scope: Scope) -> Reading:
    return Reading(scope, datetime.now(UTC), (), (Coverage(scope, Aspect.LIST, Outcome.COMPLETE),))


def _skipped(scope: Scope, held: int, *, shares: bool) -> Reading:
    """What held nothing may be left out for good; what held something is a hole in the picture, whoever wants it."""
    if held:
        words = f"skip says not to read it, though it held {held:,} when it was last read"
        return _failed(scope, Miss(Outcome.DEFERRED, words), shares=shares)
    aspects = (Aspect.LIST, Aspect.SHARING) if shares else (Aspect.LIST,)
    coverage = tuple(Coverage(scope, aspect, Outcome.COMPLETE, SKIPPED) for aspect in aspects)
    return Reading(scope, datetime.now(UTC), (), coverage)


def _failed(scope: Scope, miss: Miss, *, shares: bool) -> Reading:
    coverage = [Coverage(scope, Aspect.LIST, miss.outcome, miss.reason)]
    if shares:
        coverage.append(Coverage(scope, Aspect.SHARING, miss.outcome, miss.reason))
    return Reading(scope, datetime.now(UTC), (), tuple(coverage))


def _vanished(plan: _Plan, selection: Selection, known: Mapping[Scope, int]) -> Iterator[Reading]:
    """Scopes of earlier runs that are selected but can no longer be planned: they must not silently stay fresh."""
    planned = {each.scope for each in plan.scopes} | {reading.scope for reading in plan.readings}
    failures = dict(plan.failures)
    covered = {
        (reading.scope.cloud, reading.scope.account)
        for reading in plan.readings
        if reading.scope.location == ANYWHERE and not reading.coverage[0].complete
    }
    shares = {each.kind: each.shares for name in CLOUDS for each in collectors(name)}
    told: set[str] = set()
    for scope in sorted(known):
        if scope in planned or (scope.cloud, scope.account) in covered:
            continue
        if scope.account == ANYWHERE and scope.cloud not in failures:
            # Every account was found, whichever kinds of them are to be read.
            if not selection.accounts and Selection(clouds=selection.clouds).takes(scope):
                yield _entered(scope)
            continue
        if not selection.takes(scope):
            continue
        if scope in plan.skipped:
            yield _skipped(scope, known[scope], shares=shares.get(scope.kind, False))
            continue
        how = "check the collector's access there, and the configuration"
        gone = Miss(Outcome.DISABLED, f"{scope} is no longer visible to snapbase, or no longer configured: {how}")
        told.add(scope.cloud)
        yield _failed(scope, failures.get(scope.cloud, gone), shares=shares.get(scope.kind, False))
    for name, miss in failures.items():
        # Another entry of the cloud may have been entered: that leaves out as much, unless accounts were chosen.
        chosen = selection.accounts and any(scope.cloud == name for scope in planned)
        whole = Scope(name, ANYWHERE, ANYWHERE, ANYWHERE)
        if name not in told and whole not in planned and not chosen:
            yield _failed(whole, miss, shares=False)


def _read_all(
    scopes: list[Planned],
    threads: int,
    runtime: Runtime,
    progress: Callable[[Progress], None],
    stop: threading.Event,
    bugs: list[Exception],
) -> Iterator[Reading]:
    waiting = iter(scopes)
    running: set[Future[tuple[Reading, Exception | None]]] = set()
    done = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="scope") as pool:
        try:
            while not stop.is_set():
                for planned in waiting:
                    running.add(pool.submit(_read, planned, stop))
                    if len(running) >= threads + 2:
                        break
                if not running:
                    break
                finished, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    reading, bug = future.result()
                    done += 1
                    progress(Progress(done, len(scopes)))
                    if bug is not None:
                        bugs.append(bug)
                    if not stop.is_set():
                        yield reading
        finally:
            if running:
                runtime.stop.set()
            for future in running:
                future.cancel()
    if bugs and not stop.is_set():
        raise bugs[0]


def _read(planned: Planned, stop: threading.Event) -> tuple[Reading, Exception | None]:
    """One scope, whatever happens in it; the second value is an exception that is nobody's answer but a bug."""
    started = datetime.now(UTC)
    unique: dict[str, Observation] = {}
    failure: Miss | None = None
    bug: Exception | None = None
    try:
        for observation in planned.collector.read(planned.target.handle, planned.scope):
            # Pages shift while a cloud lists: the same resource may come twice.
            unique[observation.resource.uid] = observation
            if stop.is_set():
                raise Interrupted
    except Interrupted:
        failure = Miss(Outcome.FAILED, "the run was stopped")
    except Exception as error:
        failure = planned.descriptor.classify(error)
        if failure is None:
            bug = error
            failure = _bug(error)
    seen = list(unique.values())
    coverage = [_list_coverage(planned.scope, seen, failure)]
    if planned.collector.shares:
        coverage.append(_sharing_coverage(planned.scope, seen, failure))
    return Reading(planned.scope, started, tuple(seen), tuple(coverage)), bug


def _list_coverage(scope: Scope, seen: list[Observation], failure: Miss | None) -> Coverage:
    if failure is None:
        return Coverage(scope, Aspect.LIST, Outcome.COMPLETE)
    if not seen:
        return Coverage(scope, Aspect.LIST, failure.outcome, failure.reason)
    return Coverage(scope, Aspect.LIST, Outcome.PARTIAL, f"only in part ({failure.outcome}): {failure.reason}")


def _sharing_coverage(scope: Scope, seen: list[Observation], failure: Miss | None) -> Coverage:
    misses = [each.miss for each in seen if each.miss is not None]
    if failure is not None and not seen:
        return Coverage(scope, Aspect.SHARING, failure.outcome, failure.reason)
    if not misses:
        outcome = Outcome.COMPLETE if failure is None else Outcome.PARTIAL
        return Coverage(scope, Aspect.SHARING, outcome, failure.reason if failure else "")
    commonest = Counter(misses).most_common(1)[0][0]
    asked = sum(1 for each in seen if each.miss is not None or not each.resource.inferred)
    if len(misses) == asked:
        return Coverage(scope, Aspect.SHARING, commonest.outcome, commonest.reason)
    return Coverage(scope, Aspect.SHARING, Outcome.PARTIAL, f"of some only ({commonest.outcome}): {commonest.reason}")
