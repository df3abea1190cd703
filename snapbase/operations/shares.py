"""Who outside can take our data, by principal: how much, where, since when, and what of it nobody approved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from snapbase.exposure import Exposure, expose
from snapbase.finding import Report
from snapbase.model import Principal, ResourceType, Run, Scope
from snapbase.operations import trusting
from snapbase.operations.diff import Filter, against_standing, diff
from snapbase.operations.inventory import Listed
from snapbase.store import Store
from snapbase.store.shares import Holding
from snapbase.trust import Judgement, TrustClass, TrustList


@dataclass(frozen=True, slots=True)
class Holder:
    """One principal that holds something of ours."""

    principal: Principal
    judgement: Judgement
    """The least trusted of those that the places give it."""
    snapshots: int
    containers: int
    """Projects, subscriptions, keys…: everything below them is within reach."""
    places: tuple[Scope, ...]
    since: datetime
    unapproved: int
    """Findings of the run that name it."""


def holders(store: Store, run: Run, wanted: Filter, *, everybody: bool = False) -> list[Holder]:
    """Who is not of the owner's own account, the least trusted and the greatest holdings first.

    Without `everybody` our own organisation and the cloud's services are left out.
    """
    trust, day = trusting.of_run(store, run), _day(run)
    against = against_standing(store, run)
    listed = _unapproved(diff(store, run, against))
    by_principal: dict[Principal, list[Holding]] = {}
    for holding in store.holdings(run.last_rev):
        if _within(holding.scope, wanted):
            by_principal.setdefault(holding.principal, []).append(holding)
    found = [_holder(principal, held, trust, day, listed) for principal, held in by_principal.items()]
    shown = [each for each in found if everybody or each.judgement.trust in _OUTSIDE]
    return sorted(shown, key=lambda each: (-each.judgement.trust.rank, -each.snapshots, each.principal))


_DATA = (ResourceType.SNAPSHOT, ResourceType.DISK)
_OUTSIDE = frozenset({TrustClass.TRUSTED, TrustClass.FORMER_ORG, TrustClass.UNKNOWN, TrustClass.ANYONE})


def held_by(store: Store, run: Run, name: str, wanted: Filter) -> Iterator[tuple[Listed, tuple[Exposure, ...]]]:
    """Every resource on which a principal of this id holds a grant, with what each grant is worth there."""
    trust, day = trusting.of_run(store, run), _day(run)
    principals = {each for each, _ in store.principals(run.last_rev) if each.id == name or str(each) == name}
    for state in store.states_held_by(run.last_rev, principals):
        if not _within(state.scope, wanted):
            continue
        guards = store.guards(run.last_rev, set(state.resource.guards))
        exposures = tuple(expose(grant, state, guards, trust, on=day) for grant in sorted(state.grants or ()))
        own = tuple(each for each in exposures if each.grant.principal in principals)
        yield Listed(state, exposures), own


def _holder(
    principal: Principal, held: Iterable[Holding], trust: TrustList, day: date, listed: dict[Principal, int]
) -> Holder:
    held = list(held)
    judged = [trust.judge(principal, account=each.scope.account, kind=each.scope.kind, on=day) for each in held]
    return Holder(
        principal,
        max(judged, key=lambda each: each.trust.rank),
        snapshots=sum(each.resources for each in held if each.type in _DATA),
        containers=sum(each.resources for each in held if each.type not in _DATA),
        places=tuple(sorted({each.scope for each in held})),
        since=min(each.since for each in held),
        unapproved=listed.get(principal, 0),
    )


def _unapproved(report: Report) -> dict[Principal, int]:
    counted: dict[Principal, int] = {}
    for finding in report.findings:
        if finding.grantee is not None and finding.change.after is not None:
            principal = finding.grantee.principal
            counted[principal] = counted.get(principal, 0) + 1
    return counted


def _within(scope: Scope, wanted: Filter) -> bool:
    return (not wanted.clouds or scope.cloud in wanted.clouds) and (
        not wanted.accounts or scope.account in wanted.accounts
    )


def _day(run: Run) -> date:
    return (run.finished_at or run.started_at).date()
