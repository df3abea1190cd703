"""When what is approved was judged: at the end of the run that was reviewed, however late somebody approved it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from snapbase.model import Baseline, Principal
from snapbase.store import Store
from snapbase.store.baselines import APPROVALS
from snapbase.trust import TrustList, worse

if TYPE_CHECKING:
    from snapbase.operations.diff import Against


def judged_at(store: Store, line: Baseline) -> datetime:
    """Of one line of the log. An imported one names a run of this store that is later than what was reviewed."""
    run = store.run(line.run_id)
    return min(line.approval.at, run.finished_at or run.started_at)


def days(store: Store, lists: Iterable[TrustList]) -> dict[int | None, datetime]:
    """Of every approval by its line; of none where no trust ends, for then all days are alike."""
    if not any(entry.until for trust in lists for entry in trust.entries):
        return {}
    return {line.id: judged_at(store, line) for line in store.baselines() if line.scope in APPROVALS}


def lost(
    holders: Iterable[Principal],
    against: "Against",
    now: tuple[TrustList, datetime],
    lists: Iterable[TrustList],
    when: Mapping[int | None, datetime],
) -> set[Principal]:
    """Who is trusted less `now` than by a list that something was approved under; `when`: what `days` says of these.

    Of single approvals on the first day that any can be of: whoever is named in vain is only looked at.
    """
    principals = list(holders)
    trust, at = now
    approved = [(each, min((against.at, *when.values()))) for each in lists]
    approved += [] if against.first else [(against.trust, against.at)]
    return {who for each, day in approved for who in worse(principals, each, trust, on=(day.date(), at.date()))}
