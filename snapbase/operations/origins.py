"""Origins: what makes snapshots again and again, what approving it would hide, and the approval itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from heapq import nlargest

from snapbase.diff import ChangeType
from snapbase.errors import ApprovalRefused, NotFound, UsageError
from snapbase.model import Approval, Baseline, BaselineScope, Pin, Run, RunState
from snapbase.operations.approve import claimed_identity, is_called, nearest
from snapbase.operations.diff import against_baseline
from snapbase.operations.rotation import Window, judged_by
from snapbase.operations.witnesses import Witnesses
from snapbase.rotation.cohort import Approved, Cohort
from snapbase.rotation.deeds import UNTOLD
from snapbase.rotation.origin import Evidence, said_by
from snapbase.rotation.rhythm import History, Proposal
from snapbase.rotation.verdict import Passage
from snapbase.store import Store
from snapbase.store.baselines import NewLine, Sign
from snapbase.store.cohorts import encode, entry, subject

_LOOK_BACK = timedelta(days=60)
"""Far enough for most retentions, near enough that a policy changed long ago does not count any more."""

_FEW = 20
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BackTest:
    """What a cohort would have hidden over the stored runs, and what it would have listed."""

    runs: int
    since: datetime
    appeared: int
    disappeared: int
    listed: tuple[tuple[str, int, tuple[str, ...]], ...]
    """(invariant, how many, examples)."""


@dataclass(frozen=True, slots=True)
class Proposed:
    proposal: Proposal
    approved: Approved | None
    test: BackTest | None
    """None: fewer than two runs are stored."""

    @property
    def origin(self) -> str:
        return self.proposal.cohort.origin

    @property
    def evidence(self) -> str:
        return self.proposal.cohort.evidence


def propose(store: Store, run: Run) -> list[Proposed]:
    """Every origin that the stored history up to a run shows, tried on that history; the largest first."""
    proposals = derived(store, run)
    approved = store.cohorts(_end(run)).cohorts
    tests = _tested(store, run, [each.cohort for each in proposals])
    return [
        Proposed(each, approved.get(each.cohort.origin), tests.get(each.cohort.origin) if tests else None)
        for each in proposals
    ]


def derived(store: Store, run: Run) -> list[Proposal]:
    """The cohorts of what there is as of a run and of what went in the last two months, not tried on it."""
    history, first = History(), _first(store, run)
    witnesses = Witnesses(store)
    for passages in store.passages(0, run.last_rev, gone_after=first.last_rev if first else 0):
        told = witnesses.of_passages(_asked(passages))
        for passage in passages:
            history.add(passage, told.get(passage.row, UNTOLD))
    return history.proposals(_end(run), [state for state, _ in store.policies(run.last_rev)])


def _asked(passages: Iterable[Passage]) -> Iterator[Passage]:
    """Whose makers matter: all whose origin the cloud does not name, and of the others enough to see with which role
    their service works."""
    named: dict[str, list[Passage]] = {}
    for each in passages:
        said = said_by(each.state.scope, each.state.resource.origin)
        if said:
            named.setdefault(said, []).append(each)
        else:
            yield each
    for some in named.values():
        yield from nlargest(_FEW, some, key=lambda each: each.state.resource.created_at or _NEVER)


def _end(run: Run) -> datetime:
    return run.finished_at or run.started_at


def _tested(store: Store, run: Run, cohorts: Iterable[Cohort]) -> Mapping[str, BackTest]:
    """From the first run that finished: what came before it was never seen to come."""
    first = _first(store, run)
    if first is None:
        return {}
    nobody = Approval("", _end(run), "")
    jury = {each.origin: Approved(each, nobody, low_trust=True) for each in cohorts}
    rotation = judged_by(store, Window(first.last_rev, run, _end(run)), jury)
    listed: dict[str, list[tuple[str, int, tuple[str, ...]]]] = {}
    for change in rotation.changes:
        if change.type != ChangeType.BACKUP_STOPPED:
            broken = (change.entry.removeprefix("cohort:"), change.count, change.examples)
            listed.setdefault(change.uid.partition(":")[2], []).append(broken)
    runs = len(_recent(store, run)) - 1
    return {
        beat.origin: BackTest(runs, _end(first), beat.appeared, beat.disappeared, tuple(listed.get(beat.origin, ())))
        for beat in rotation.heartbeats
    }


def _recent(store: Store, last: Run) -> list[Run]:
    """The finished runs of the two months before one, itself the last."""
    since, kept = _end(last) - _LOOK_BACK, store.horizon()
    found = [each for each in store.runs(limit=None) if each.state == RunState.FINISHED and each.id <= last.id]
    found = [each for each in found if kept is None or each.last_rev >= kept.rev]
    return sorted((each for each in found if _end(each) >= since), key=lambda each: each.id)


def _first(store: Store, last: Run) -> Run | None:
    runs = _recent(store, last)
    return runs[0] if len(runs) > 1 else None


@dataclass(frozen=True, slots=True)
class Listed:
    """One origin, approved or only seen."""

    origin: str
    evidence: str
    live: int
    approved: Approved | None


def listing(store: Store, run: Run) -> list[Listed]:
    """Approved origins, and those that the inventory as of a run shows; the largest first."""
    approved = store.cohorts(_end(run)).cohorts
    live: dict[str, int] = {}
    evidence: dict[str, str] = {}
    for proposal in derived(store, run):
        live[proposal.cohort.origin] = proposal.live
        evidence[proposal.cohort.origin] = proposal.cohort.evidence
    found = [
        Listed(
            origin,
            approved[origin].cohort.evidence if origin in approved else evidence[origin],
            live.get(origin, 0),
            approved.get(origin),
        )
        for origin in {*approved, *live}
    ]
    return sorted(found, key=lambda each: (-each.live, each.origin))


def find(origins: Sequence[str], name: str) -> str:
    """An origin to look at, by its id, or by a part of it where that is unambiguous; raises `NotFound`."""
    found = [name] if name in origins else [each for each in origins if name and name in each]
    if len(found) != 1:
        what = f"matches {len(found)} origins" if found else "is no origin that the stored history shows"
        raise NotFound(f"{name} {what}.", hint="`snapbase origins list` lists them.")
    return found[0]


def named(origins: Sequence[str], name: str) -> str:
    """An origin to approve, by its id or the end of it: a part of it may be another's, too. Raises `NotFound`."""
    found = [name] if name in origins else [each for each in origins if is_called(each, name)]
    if len(found) != 1:
        what = f"names {len(found)} origins" if found else "is no origin that the stored history shows"
        near = found or [each for each in origins if name in each] or get_close_matches(name, origins)
        raise NotFound(f"{name} {what}.{nearest(near)}", hint="`snapbase origins list` lists them.")
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which origins somebody wants to approve."""

    run: Run
    origins: tuple[str, ...]
    by: str
    reason: str
    ticket: str = ""
    until: datetime | None = None
    low_trust: bool = False


def plan(store: Store, request: Request) -> list[Proposed]:
    """What would be approved; raises `NotFound`, `UsageError` or `ApprovalRefused` before anything is done."""
    if not request.reason.strip():
        raise UsageError("An approval needs a reason.", hint="Add --reason 'why this is fine'.")
    known = {each.origin: each for each in propose(store, request.run)}
    chosen = {named(list(known), name) for name in request.origins}
    weak = sorted(origin for origin in chosen if not Evidence(known[origin].evidence).strong)
    if weak and not request.low_trust:
        raise ApprovalRefused(
            f"Anybody can make a snapshot that looks like one of {', '.join(weak)}: "
            f"the evidence is a {known[weak[0]].evidence}.",
            hint="With --low-trust they are counted and sampled in every report instead of listed.",
        )
    return [known[origin] for origin in sorted(chosen)]


def approve(
    store: Store,
    request: Request,
    chosen: Sequence[Proposed],
    *,
    at: datetime | None = None,
    pending: bool = False,
    sign: Sign | None = None,
) -> Baseline:
    """Appends the approval to the log, and the cohorts beside it. Needs the store's lock."""
    run = request.run
    approval = Approval(request.by, at or datetime.now(UTC), request.reason, request.ticket, request.until)
    bodies = {
        each.origin: encode(each.proposal.cohort, low_trust=not Evidence(each.evidence).strong) for each in chosen
    }
    against = against_baseline(store, run)
    line = NewLine(
        scope=BaselineScope.PARTIAL,
        run_id=run.id,
        rev=against.rev,
        trust_id=against.baseline.trust_id if against.baseline else None,
        approval=approval,
        pins=[Pin(subject(name), entry(body), run.last_rev, run.trust_id, approval) for name, body in bodies.items()],
        claimed=claimed_identity(),
        entries=len(bodies),
        pending=pending,
    )
    baseline = store.append_baseline(line, sign=sign)
    store.save_cohorts(baseline.id, bodies)
    return baseline
