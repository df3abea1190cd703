"""Questions about what is there: snapshots, one snapshot's story, who can take what, whether cron is alive."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from snapbase.errors import NotFound
from snapbase.event import Event
from snapbase.exposure import Exposure, expose
from snapbase.model import Approval, Cloud, Coverage, Outcome, Run, Scope, State
from snapbase.operations import trusting
from snapbase.store import Store


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the inventory: a resource with its exposures outside its own account, judged."""

    state: State
    exposures: tuple[Exposure, ...]
    unread: bool = False
    """The sharing of its whole scope could not be read: what is known is what was known last."""


@dataclass(frozen=True, slots=True)
class Version:
    """One stretch of a snapshot's life during which nothing about it changed."""

    opened_at: datetime
    closed_at: datetime | None
    listed: Listed


@dataclass(frozen=True, slots=True)
class Story:
    uid: str
    versions: tuple[Version, ...]
    approvals: tuple[tuple[str, Approval], ...]
    """(entry, approval) of every pin on it, newest first."""
    events: tuple[Event, ...] = ()
    """What the audit logs say was done to it, oldest first."""
    kept_since: datetime | None = None
    """It is older than this, and what it was before was pruned; None: the story is whole."""


@dataclass(frozen=True, slots=True)
class Health:
    """The dead-man check: what the last run says, and how old it is."""

    last: Run | None
    complete: Run | None
    """The last finished run after which nothing was unread."""
    age: timedelta | None
    """Since `last` finished."""
    gaps: tuple[Coverage, ...]


def snapshots(
    store: Store,
    run: Run,
    *,
    kinds: tuple[str, ...] = (),
    clouds: tuple[str, ...] = (),
    accounts: tuple[str, ...] = (),
    match: str = "",
    shared: bool = False,
) -> Iterator[Listed]:
    """The inventory as of a run."""
    trust = trusting.of_run(store, run)
    day = (run.finished_at or run.started_at).date()
    unread = _unread(store, run)
    for state in store.states(run.last_rev, kinds=kinds, accounts=accounts, match=match):
        if clouds and state.scope.cloud not in clouds:
            continue
        guards = store.guards(run.last_rev, set(state.resource.guards)) if state.grants else {}
        exposures = tuple(expose(grant, state, guards, trust, on=day) for grant in sorted(state.grants or ()))
        if exposures or not shared:
            yield Listed(state, exposures, state.scope in unread)


def _unread(store: Store, run: Run) -> set[Scope]:
    """Scopes whose list or sharing was not read; of a part of them, the misses of each resource say more."""
    gaps = (gap for gap, _ in store.coverage(run.last_rev))
    return {gap.scope for gap in gaps if gap.outcome != Outcome.PARTIAL}


def story(store: Store, run: Run, name: str) -> Story:
    """Everything known of one snapshot, by uid, address, or the end of one; raises `NotFound`."""
    uid = _resolve(store, run, name)
    trust = trusting.of_run(store, run)
    day = (run.finished_at or run.started_at).date()
    versions, unread = [], _unread(store, run)
    stretches = store.history(uid)
    for opened, closed, rev, state, _ in stretches:
        guards = store.guards(rev, set(state.resource.guards)) if state.grants else {}
        exposures = tuple(expose(grant, state, guards, trust, on=day) for grant in sorted(state.grants or ()))
        stale = closed is None and state.scope in unread
        versions.append(Version(opened, closed, Listed(state, exposures, stale)))
    _, pins = store.effective(None)
    approvals = tuple((pin.entry, pin.approval) for pin in store.pins_on(pins, {uid}).get(uid, ()))
    names = {name for version in versions for name in _names(version.listed.state)}
    older = [each.since for each in stretches if each.older]
    events = tuple(store.events_about({uid, *names}))
    return Story(uid, tuple(versions), approvals, events, min(older, default=None))


def _names(state: State) -> set[str]:
    """By which audit logs know it: not by its source, whose other snapshots are stories of their own."""
    names = {state.resource.uid, state.resource.address}
    return names | {name.lower() for name in names if state.scope.cloud == Cloud.AZURE}


def _resolve(store: Store, run: Run, name: str) -> str:
    if any(True for _ in store.history(name)):
        return name
    found = _addressed(store, run, name) or {state.resource.uid for state in store.states(run.last_rev, match=name)}
    if len(found) != 1:
        kept = store.horizon()
        gone = f": what was gone before {kept.since:%Y-%m-%d %H:%M} UTC was pruned" if kept else ""
        what = f"matches {len(found)} snapshots" if found else f"is not there{gone}"
        hint = "`snapbase snapshots list` lists the uids; what is gone is found by its whole uid or address."
        raise NotFound(f"{name} {what}.", hint=hint)
    return found.pop()


def _addressed(store: Store, run: Run, address: str) -> set[str]:
    """What has an address, or had it last: the story of what is gone must not be another's, called nearly the same."""
    asked = {cloud: address.lower() if cloud == Cloud.AZURE else address for cloud in Cloud}
    met = (store.met(cloud, [name], run.last_rev, run.last_rev) for cloud, name in asked.items())
    return {each.state.resource.uid for found in met for each in found.values()}


def health(store: Store, *, at: datetime | None = None) -> Health:
    """The last finished run, and the last one that read everything."""
    last = store.last_full_run()
    if last is None:
        return Health(None, None, None, ())
    gaps = tuple(gap for gap, _ in store.coverage(last.last_rev))
    whole = store.last_full_run(complete=True) if gaps else last
    ended = last.finished_at or last.started_at
    return Health(last, whole, (at or datetime.now(UTC)) - ended, gaps)
