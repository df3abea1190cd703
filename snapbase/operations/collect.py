"""Enumerate the clouds into the store: one run, one lock, whatever happens in the middle."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from snapbase.audit.log import audit_logs
from snapbase.collect import engine
from snapbase.errors import CredentialsError, SnapbaseError, StaleReading
from snapbase.model import ANYWHERE, Aspect, Reading, Run, Scope
from snapbase.operations import audit, detecting, trusting
from snapbase.settings import Config
from snapbase.store import Store


@dataclass(frozen=True, slots=True)
class Collected:
    """What one run did."""

    run: Run
    scopes: int
    """Scopes read completely."""
    unread: int
    """Scopes that were not."""
    resources: int
    changed: int
    """Scopes whose content or outcome changed."""


@dataclass(slots=True)
class _Tally:
    scopes: int = 0
    unread: int = 0
    resources: int = 0
    changed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reading: Reading) -> None:
        self.reasons.update(each.reason for each in reading.coverage if each.aspect == Aspect.LIST and each.reason)
        if reading.scope.kind == ANYWHERE:
            return
        listed = all(each.complete for each in reading.coverage)
        self.scopes += listed
        self.unread += not listed
        self.resources += len(reading.observations)


def collect(
    store: Store,
    config: Config,
    selection: engine.Selection,
    *,
    progress: Callable[[engine.Progress], None],
    stop: threading.Event,
) -> Collected:
    """Reads everything selected and records it. Needs the store's lock.

    Raises `CredentialsError` where no cloud could be entered at all, and `Interrupted` when stopped; what was recorded
    until then stays true, and the run counts as abandoned.
    """
    previous = trusting.of_run(store, store.last_run())
    run_id = store.begin_run(str(selection), config.digest(), _now())
    tally = _Tally()
    try:
        readings = engine.collect(config, selection, known=_known(store), progress=progress, stop=stop)
        for reading in readings:
            try:
                tally.changed += store.record(run_id, reading).rev is not None
            except StaleReading:
                continue
            tally.add(reading)
        if stop.is_set():
            raise SnapbaseError("Stopped. What was read until now is recorded; nothing is taken for deleted.")
        _refuse_nothing(tally)
        if config.audit.enabled and not (selection.kinds or selection.locations):
            audit.fetch(store, config, selection, run_id=run_id, stop=stop)
            store.prune_events(_now() - timedelta(days=config.audit.keep_days))
        trust = trusting.trust_now(store, config, store.head(), previous)
        run = store.finish_run(run_id, trust=trusting.to_bytes(trust, detecting.settings(config)), at=_now())
    except BaseException:
        store.abandon_run(run_id, _now())
        raise
    return Collected(run, tally.scopes, tally.unread, tally.resources, tally.changed)


def _known(store: Store) -> dict[Scope, int]:
    """The scopes that collectors read; the logs are read by themselves."""
    logs = {log.name for log in audit_logs()}
    return {scope: held for scope, held in store.known_scopes().items() if scope.kind not in logs}


def _refuse_nothing(tally: _Tally) -> None:
    if tally.scopes or tally.resources:
        return
    reason = next((f": {words}" for words, _ in tally.reasons.most_common(1)), ".")
    raise CredentialsError(
        f"Nothing could be read{reason}",
        hint="Check the credentials and [[aws]], [[azure]], [[gcp]] in the configuration.",
    )


def _now() -> datetime:
    return datetime.now(UTC)
