"""Is everything there that a run needs: configuration, store, credentials, every permission, the clock."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from snapbase.collect.aws.session import home_region
from snapbase.collect.collector import Collector, Connection, Target, cloud, collectors
from snapbase.collect.engine import CLOUDS, Selection
from snapbase.collect.runtime import Runtime
from snapbase.errors import ConfigurationError, CredentialsError, StoreError
from snapbase.locations import locator
from snapbase.model import ANYWHERE, Miss, Outcome
from snapbase.operations import policy, queues, skips
from snapbase.operations.accounts import unseen
from snapbase.operations.evidence import signer
from snapbase.operations.probing import Probe, Tried, places_to_try, try_all
from snapbase.settings import AwsEntry, Config
from snapbase.store import Store
from snapbase.vendors import names

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
    stored = _stored(store_url)
    checks = [_configured(config), *_named(config), stored]
    checks += _unseen(config, store_url) if stored.state == State.OK else []
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


def _named(config: Config) -> Iterator[Check]:
    """Files and programs that the configuration names, and that a run would stop at, or go without."""
    tries: dict[str, Callable[[], object]] = {}
    if config.detect.locations:
        tries["[detect] locations"] = lambda: locator(config.detect.locations)
    if config.trust.vendors:
        tries["[trust] vendors"] = lambda: names(config.trust.vendors)
    if config.approval.signing_key:
        tries["[approval] signing_key"] = lambda: signer(config)
    for name, look in tries.items():
        try:
            look()
        except ConfigurationError as error:
            yield Check("configuration", name, State.FAILED, error.message, error.hint)
        else:
            yield Check("configuration", name, State.OK, "can be read")
    programs = {"[tickets] command": config.tickets.command, "[notify] command": config.notify.command}
    for name, command in programs.items():
        if command:
            found = shutil.which(command[0])
            fix = "" if found else "Name a program that is there, and may be run."
            state, detail = (State.OK, found) if found else (State.MISSING, f"there is no program {command[0]}")
            yield Check("configuration", name, state, detail, fix)
    if config.notify.services and find_spec("apprise") is None:
        words = "apprise is not installed: nobody is told by them"
        yield Check("configuration", "[notify] services", State.MISSING, words, "pip install 'snapbase[notify]'")


def _stored(url: str) -> Check:
    from snapbase.store import schema

    try:
        return Check("store", "schema", State.OK, schema.check(url))
    except StoreError as error:
        # A store that is not there yet, or of an older schema, is made or upgraded by the next run.
        state = State.WARNING if error.hint.startswith("Run `snapbase") else State.FAILED
        return Check("store", "schema", state, error.message, error.hint)


def _unseen(config: Config, url: str) -> Iterator[Check]:
    """Whose accounts are named by an id that nothing was ever seen of: an owner who is never told would not know."""
    if not config.accounts:
        return
    with Store.open(url) as store:
        strange = unseen(store, (each.id for each in config.accounts))
    if strange:
        fix = "Correct the ids in [[accounts]] that no run ever met; one of an account that is new may stay."
        yield Check("accounts", "[[accounts]]", State.WARNING, f"no run ever met {_listed(strange)}", fix)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _kinds(name: str, config: Config, selection: Selection) -> tuple[Collector, ...]:
    configured = Selection(kinds=config.collect.kinds)
    return tuple(k for k in collectors(name) if selection.takes_kind(k.kind) and configured.takes_kind(k.kind))


def _entry(
    name: str, entry: Any, kinds: tuple[Collector, ...], config: Config, selection: Selection, *, thorough: bool
) -> list[Check]:
    label = f"[[{name}]] {entry.name}"
    kinds = tuple(each for each in kinds if not skips.has(entry.skip, each.kind))
    probe = Probe()
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
        home = home_region(entry) if isinstance(entry, AwsEntry) else ""
        places = places_to_try(targets, selection.locations, home, thorough=thorough)
        checks += _accounts(label, targets, len(places))
        try_all(name, kinds, places, probe, entry.skip, threads=config.collect.threads, thorough=thorough)
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


def _permissions(
    name: str, kinds: tuple[Collector, ...], tried: Mapping[str, Tried], skip: Sequence[str]
) -> Iterator[Check]:
    logged = policy.log_permissions(name, skip)
    for wanted in policy.permissions(name, kinds, skip):
        needed = ", ".join(kind.title for kind in kinds if wanted in kind.permissions)
        if not needed and wanted not in tried and wanted not in logged:
            # Regions that are configured need not be found.
            continue
        needed = needed or ("the audit log" if wanted in logged else "finding accounts and regions")
        yield _permitted(name, wanted, needed, tried.get(wanted, Tried()))


def _permitted(name: str, wanted: str, needed: str, tried: Tried) -> Check:
    if not tried.misses:
        if not tried.places:
            return Check("permission", wanted, State.UNTRIED, f"nothing there to try it on (for {needed})")
        accounts = len({account for account, _ in tried.places})
        return Check("permission", wanted, State.OK, f"allowed in {accounts} account{'s' * (accounts != 1)}")
    refused = {place: miss for place, miss in tried.misses.items() if miss.outcome == Outcome.DENIED}
    shown = refused or tried.misses
    places = sorted(shown)
    where = _listed(["/".join(each) for each in places])
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
