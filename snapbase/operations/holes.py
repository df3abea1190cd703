"""Records of a log that could not be read: the log is read on from behind them, so what they tell of nobody is told."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from snapbase.audit.log import Fetched
from snapbase.finding import several
from snapbase.model import Aspect, Coverage, Miss, Outcome, Scope
from snapbase.store import Store

STAYS = timedelta(days=2)
"""How long a log stays incomplete for them: also whoever reads it once a day is told in a second run."""
_MINUTE = "%Y-%m-%d %H:%M"
_HOLE = re.compile(r"[0-9]+ records? of it could not be read: .*, said until ([0-9]{4}(?:-[0-9]{2}){2} [0-9:]{5}) UTC$")


def hole_of(found: Iterable[Fetched], at: datetime) -> Miss | None:
    """What could not be read of a log just now."""
    broken = sum((Counter(each.broken) for each in found), Counter[str]())
    if not broken:
        return None
    what = ", ".join(f"{why} ({count})" if count > 1 else why for why, count in broken.most_common(3))
    words = f"{several(broken.total(), 'record')} of it could not be read: {what}"
    return Miss(Outcome.PARTIAL, f"{words}, said until {at + STAYS:{_MINUTE}} UTC")


def open_holes(store: Store, at: datetime) -> dict[Scope, Miss]:
    """What could not be read of logs before, and is still to be said, however well the rest of them is read.

    A whole approval of a run that says so ends it earlier.
    """
    first, last = f"{at:{_MINUTE}}", f"{at + STAYS:{_MINUTE}}"
    found: dict[Scope, Miss] = {}
    for gap, _ in store.coverage(store.head()):
        told = _HOLE.search(gap.reason)
        if told and first < told[1] <= last:
            found[gap.scope] = Miss(Outcome.PARTIAL, told[0])
    baseline = store.effective()[0] if found else None
    approved = store.coverage_at(baseline.rev) if baseline and baseline.rev else {}
    return {scope: hole for scope, hole in found.items() if not _says(approved.get((scope, Aspect.LIST)), hole)}


def _says(coverage: Coverage | None, hole: Miss) -> bool:
    return coverage is not None and coverage.reason.endswith(hole.reason)


def beside(missed: Miss | None, hole: Miss | None) -> Miss | None:
    """Both, where there are both: the hole comes last, for there it is found again."""
    return replace(missed, reason=f"{missed.reason}; {hole.reason}") if missed and hole else missed or hole
