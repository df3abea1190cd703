"""How much the store keeps: what is over for long enough goes, but for what approvals and detections need."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from snapbase.errors import UsageError
from snapbase.model import Pin
from snapbase.rules.detected import ENTRY, key_in
from snapbase.settings import Config
from snapbase.store import Store
from snapbase.store.prune import Pruned, Wanted
from snapbase.store.prune import prune as from_store

LEAST = timedelta(days=61)
"""Origins are proposed from two months, and tried on them."""
_EVERY = timedelta(days=1)


def prune(
    store: Store, url: str, config: Config, keep: timedelta | None, *, dry: bool = False, at: datetime | None = None
) -> Pruned:
    """Forgets what was over so long ago, and audit events after their own time. Raises `UsageError`.

    Needs no lock: writers and this wait for each other's batches.
    """
    now = at or datetime.now(UTC)
    if keep is None:
        raise UsageError("How much is to be kept?", hint="Add --older-than 400d, or keep_days under [store].")
    if keep < LEAST:
        raise UsageError(
            f"At least {LEAST.days} days are kept.", hint="Origins are proposed from two months, and tried on them."
        )
    before = now - keep
    wanted = Wanted(
        before,
        events_before=events_before(config, now),
        heard_since=_heard_since(store, config, before),
        bound=frozenset(key for pin in _event_pins(store) if (key := key_in(pin.subject))),
    )
    return from_store(url, wanted, dry=dry)


def prune_when_due(store: Store, url: str, config: Config, *, at: datetime | None = None) -> Pruned | None:
    """Once a day, where the configuration says how much to keep."""
    now = at or datetime.now(UTC)
    last = store.horizon()
    if config.store.keep_days is None or (last is not None and now - last.pruned_at < _EVERY):
        return None
    return prune(store, url, config, timedelta(days=config.store.keep_days), at=now)


def forget_events(store: Store, config: Config, at: datetime) -> int:
    """Audit events after their own time, but for those that approvals name; returns how many."""
    before = events_before(config, at)
    if all(first >= before for first in store.first_events().values()):
        return 0
    return store.prune_events(before, frozenset(key for pin in _event_pins(store) if (key := key_in(pin.subject))))


def events_before(config: Config, at: datetime) -> datetime:
    """Audit events from before that moment are not kept."""
    return at - timedelta(days=config.audit.keep_days)


def _event_pins(store: Store) -> Iterator[Pin]:
    for line in store.baselines():
        yield from (pin for pin in store.pins(line.id) if pin.entry == ENTRY and key_in(pin.subject))


def _heard_since(store: Store, config: Config, before: datetime) -> datetime:
    """How far back a run at the horizon looks at events; what was held back is judged with all that followed it."""
    held = {key for pin in _event_pins(store) if pin.held and (key := key_in(pin.subject))}
    back = [each.at for each in store.named_events(held)] if held else []
    return min([before - timedelta(days=config.detect.days), *back]) - timedelta(hours=config.detect.window_hours)
