"""Snapshots whose plan only their recovery points name: what must be said where those do not, or were not asked."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from snapbase.finding import several
from snapbase.model import Scope
from snapbase.rotation.cohort import Approved, Place, place_of
from snapbase.rotation.origin import PLANNED, is_plan, said_by, teller
from snapbase.rotation.verdict import Broken, Fate, Invariant, Passage, Verdict

_FEW = 3


class Planned:
    """The approved cohorts of plans, and what of theirs was read as of a run."""

    def __init__(self, cohorts: Mapping[str, Approved], listed: Mapping[Scope, datetime]) -> None:
        """`listed`: when each scope was read whose list is complete."""
        self._cohorts, self._listed = cohorts, listed
        self._at: dict[Place, str] = {}
        """Of each place one plan that makes points there."""
        for origin in sorted(filter(is_plan, cohorts)):
            for place in cohorts[origin].cohort.series:
                self._at.setdefault(place, origin)
        self._seen: Mapping[Scope, datetime] | None = None
        self._older: dict[str, Counter[str]] = {}
        self._untold: Counter[str] = Counter()
        self._places: set[str] = set()

    def seen(self, origin: str) -> Mapping[Scope, datetime]:
        """When each scope was read in which an origin's points are looked for: a plan has one recovery point for each,
        and they are counted once."""
        if not is_plan(origin):
            return self._listed
        if self._seen is None:
            self._seen = {scope: at for scope, at in self._listed.items() if teller(scope, origin) is None}
        return self._seen

    def untold(self, passage: Passage) -> Verdict | None:
        """Of a new one where an approved plan makes its like and no recovery point says that this is one: the plan's
        cohort says so once, for it may be, and nothing of it is known to hold."""
        kind = PLANNED.get(passage.state.resource.origin or "")
        origin = self._at.get(place_of(passage.state)) if kind and passage.came and passage.plan is None else None
        if origin is None:
            return None
        scope = passage.state.scope
        where = f"{scope.account}/{scope.location}"
        why = "no recovery point names it"
        if teller(scope, origin) not in self._listed:
            why = f"the recovery points of {where} were not read"
        return Verdict(Fate.VIOLATED, origin, (Broken(Invariant.PLAN, why),))

    def sat(self, passage: Passage, origin: str) -> None:
        """Keeps what a report must say of one that is judged by a cohort which knows of no plan."""
        scope, resource = passage.state.scope, passage.state.resource
        kind = PLANNED.get(resource.origin or "")
        if kind is None or not passage.came or origin != said_by(scope, resource.origin):
            return
        if passage.plan is not None:
            if passage.plan.origin:
                self._older.setdefault(origin, Counter())[passage.plan.origin] += 1
        elif Scope(scope.cloud, scope.account, scope.location, kind) not in self._listed:
            self._untold[origin] += 1
            self._places.add(f"{scope.account}/{scope.location}")

    def notes(self) -> tuple[str, ...]:
        """One for each cohort that was approved before its plans were told apart, and one for all that nobody told."""
        older = (
            f"The origin {origin} was approved without the plans behind it: {several(plans.total(), 'snapshot')} of "
            f"{_few(plans)} came by it, and no change of a plan breaks it. Approve the plans with --origin, and revoke "
            f"baseline {self._cohorts[origin].approval.baseline_id}."
            for origin, plans in sorted(self._older.items())
        )
        untold = (
            f"Which plan made {several(count, 'snapshot')} of the origin {origin} is not known, and so not whether it "
            f"is as approved: recovery points were not read in {_few(self._places)}."
            for origin, count in sorted(self._untold.items())
        )
        without = [origin for origin in self._cohorts if is_plan(origin) and not self._cohorts[origin].cohort.policy]
        return (*older, *untold, *_documents(without))


def _documents(without: Sequence[str]) -> Iterator[str]:
    if without:
        yield f"Whether {_few(without)} changed is not known: there was no document of it to be approved."


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:_FEW]) + (f" and {len(ordered) - _FEW:,} more" if len(ordered) > _FEW else "")
