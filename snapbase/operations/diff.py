"""Drift of a run against the approved baseline, or of any run against any other. Never calls a cloud, never writes."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from snapbase.diff import (
    Candidate,
    Change,
    ChangeType,
    compare,
    compare_approvals,
    compare_coverage,
    compare_trust,
    scope_subject,
)
from snapbase.errors import NotFound, UsageError
from snapbase.exposure import Sides, View
from snapbase.finding import CoverageGap, Finding, Report, Severity, Summary
from snapbase.model import (
    ANYWHERE,
    SKIPPED,
    Baseline,
    Coverage,
    Pin,
    Principal,
    ResourceType,
    Run,
    RunState,
    Scope,
    State,
)
from snapbase.operations import audit, detecting, placing, trusting
from snapbase.operations.accounts import TELLING, owned
from snapbase.operations.days import days, judged_at, lost
from snapbase.operations.rotation import Rotation, Window, judged
from snapbase.rules import findings
from snapbase.rules.detected import merged
from snapbase.rules.rule import Context
from snapbase.store import Store
from snapbase.store.baselines import in_force, pending, revocations
from snapbase.store.pins import NO_PINS, InForce
from snapbase.trust import TrustList


@dataclass(frozen=True, slots=True)
class Against:
    """What a run is compared with."""

    rev: int
    trust: TrustList
    at: datetime
    """When that was judged."""
    pins: InForce = NO_PINS
    baseline: Baseline | None = None
    words: str = ""
    """In words, where it is not the approved baseline."""
    first: bool = False
    """Nothing was ever approved."""
    notes: tuple[str, ...] = ()
    """What must be said of the approvals themselves: those that wait, those that were taken back."""
    up_to: int | None = None
    """The line of the log up to which approvals count, where not all of them do."""


def finished_run(store: Store, run_id: int | None = None) -> Run:
    """The run of that id, or the last finished one; raises `NotFound` where there is none."""
    run = store.last_run() if run_id is None else store.run(run_id)
    if run is None:
        raise NotFound("There is no finished run yet.", hint="Run `snapbase collect` first.")
    if run.state != RunState.FINISHED:
        raise NotFound(f"Run {run.id} is {run.state}, not finished.", hint="`snapbase status` lists the runs.")
    return run


def against_baseline(store: Store, run: Run, baseline_id: int | None = None) -> Against:
    """The last approved baseline with its pins; before the first approval, nothing.

    Raises `UsageError` where a newer run is what was approved as a whole: of what came to be after a run nothing can be
    said by comparing with it.
    """
    lines = store.baselines()
    if baseline_id is not None and baseline_id not in {each.id for each in lines}:
        raise NotFound(f"There is no baseline {baseline_id}.", hint="`snapbase baselines list` lists them.")
    found = _against(store, run, lines, baseline_id)
    if found.rev > run.last_rev:
        whole = _whole(lines, baseline_id)
        raise UsageError(
            f"Run {run.id} is older than run {whole.run_id}, which baseline {whole.id} approved as a whole.",
            hint=f"Approve a newer run, or revoke baseline {whole.id} first; compare with an older line of the log "
            "(`diff --baseline ID`), or run with run (`diff --from RUN --to RUN`).",
        )
    return found


def against_standing(store: Store, run: Run) -> Against:
    """What was approved when no newer run was yet: of an older run, the last line below the approvals of newer ones."""
    lines = store.baselines()
    found = _against(store, run, lines, None)
    while found.rev > run.last_rev:
        whole = _whole(lines, None)
        lines = [each for each in lines if each.id < whole.id]
        if not lines:
            return Against(0, trusting.of_run(store, run), run.finished_at or run.started_at, first=True)
        found = _against(store, run, lines, lines[-1].id)
    return found


def _whole(lines: Sequence[Baseline], up_to: int | None) -> Baseline:
    """The approval of a whole run that counts; there is one wherever a revision is compared with."""
    return in_force([each for each in lines if up_to is None or each.id <= up_to])[0]


def _against(store: Store, run: Run, lines: Sequence[Baseline], baseline_id: int | None) -> Against:
    baseline, pins = store.effective(baseline_id)
    notes = _said_of(lines, baseline)
    if baseline is None:
        return Against(0, trusting.of_run(store, run), run.finished_at or run.started_at, first=True, notes=notes)
    first = baseline.rev == 0
    trust = trusting.of_run(store, run) if first else trusting.of_id(store, baseline.trust_id)
    at = baseline.approval.at if first else judged_at(store, _whole(lines, baseline_id))
    return Against(baseline.rev, trust, at, pins, baseline, first=first, notes=notes, up_to=baseline_id)


def _said_of(lines: Sequence[Baseline], baseline: Baseline | None) -> tuple[str, ...]:
    waiting = [str(each.id) for each in pending(lines)]
    taken_back = revocations(lines).get(baseline.id) if baseline else None
    notes = []
    if waiting:
        what = "1 approval waits" if len(waiting) == 1 else f"{len(waiting)} approvals wait"
        notes.append(f"{what} for a confirmation by somebody else, without effect until then: {', '.join(waiting)}.")
    if baseline and taken_back:
        said = taken_back.approval
        notes.append(f"Baseline {baseline.id} was revoked later, by {said.by}: {said.reason}")
    return tuple(notes)


def against_run(store: Store, older: Run) -> Against:
    return Against(
        older.last_rev,
        trusting.of_run(store, older),
        older.finished_at or older.started_at,
        words=f"run {older.id}",
    )


def diff(store: Store, run: Run, against: Against, *, at: datetime | None = None) -> Report:
    """The report. The same store gives the same bytes: it is judged at the run's end unless `at` says otherwise."""
    at = at or run.finished_at or run.started_at
    trust = trusting.of_run(store, run)
    rotation = Rotation() if against.first else judged(store, Window(against.rev, run, at, against.pins, against.up_to))
    holders = store.principals(run.last_rev)
    changes = _changes(store, run, against, trust, at, rotation, holders)
    below = store.below(run.last_rev, _fences(changes))
    claims = store.claims({change.uid for change in changes if change.type == ChangeType.APPEARED})
    tuning = detecting.tuning_at(store, run)
    locate, unlocated = placing.locator_of(tuning)
    found = findings(changes, Context(trust, at.date(), below, claims, tuning))
    found = _attributed(store, against, found, changes, at)
    found = placing.placed(found, tuning, locate)
    seen = detecting.sightings(store, run, against, trust, at, locate=locate)
    told = placing.named(merged(found, seen.findings), locate)
    gaps = tuple(CoverageGap(gap, since) for gap, since in store.coverage(run.last_rev))
    return Report(
        baseline=against.baseline,
        run=run,
        complete=not gaps,
        evaluated_at=at,
        summary=_expected(_summary(store, run, against, trust, found, at, holders), rotation),
        coverage=gaps,
        findings=owned(told, tuning.accounts),
        since=against.words,
        notes=(
            *trusting.caveats(gap.coverage for gap in gaps),
            *_skipped(store, run),
            *against.notes,
            *rotation.notes,
            *_pruned(store, against, rotation),
            *audit.reach(store, run, found),
            *seen.notes,
            *unlocated,
        ),
    )


def _attributed(
    store: Store, against: Against, found: Sequence[Finding], changes: Sequence[Change], at: datetime
) -> tuple[Finding, ...]:
    """With what explains them since what was approved; of what was held back then, that may have been long before."""
    since = None if against.first else against.at
    told = audit.attributed(store, found, changes, since=since, until=at)
    silent = {each.id: each for each in told if not each.attribution} if store.newest_event() else {}
    pins = store.pins_on(against.pins, {subject for each in silent.values() for subject, _ in each.covers})
    held = {(subject, pin.entry) for subject, own in pins.items() for pin in own if pin.held}
    back = [each for each in silent.values() if not held.isdisjoint(each.covers)]
    older = {each.id: each for each in audit.attributed(store, back, changes, since=None, until=at)}
    return tuple(older.get(each.id, each) for each in told)


def _skipped(store: Store, run: Run) -> tuple[str, ...]:
    """What nobody read because the configuration says so: it counts as complete, and is not."""
    kinds = {scope.kind for (scope, _), each in store.coverage_at(run.last_rev).items() if each.reason == SKIPPED}
    return (f"Not read, because the configuration says so: {', '.join(sorted(kinds))}.",) if kinds else ()


def _pruned(store: Store, against: Against, rotation: Rotation) -> tuple[str, ...]:
    kept = store.horizon()
    if kept is None or against.rev >= kept.rev or not rotation.heartbeats:
        return ()
    return (f"What came and went before {kept.since:%Y-%m-%d %H:%M} UTC was pruned: it is not among what is expected.",)


def _expected(summary: Summary, rotation: Rotation) -> Summary:
    beats = rotation.heartbeats
    return replace(
        summary,
        expected_appeared=sum(each.appeared for each in beats),
        expected_disappeared=sum(each.disappeared for each in beats),
        cohorts=beats,
    )


def _changes(
    store: Store,
    run: Run,
    against: Against,
    trust: TrustList,
    at: datetime,
    rotation: Rotation,
    holders: Sequence[tuple[Principal, int]],
) -> list[Change]:
    lists = {each: trusting.of_id(store, each) for each in against.pins.trust_ids}
    when = days(store, (against.trust, *lists.values()))
    asked = store.changes(
        against.rev,
        run.last_rev,
        pins=against.pins,
        at=at,
        principals=lost((principal for principal, _ in holders), against, (trust, at), lists.values(), when),
        without=rotation.judged,
    )
    candidates = list(asked)
    guards = _guards(_states(candidates))
    before = View(against.trust, store.guards(against.rev, guards))
    after = View(trust, store.guards(run.last_rev, guards))
    then = _guards_at(store, {own.pin.rev for each in candidates for own in each.pins}, guards)
    sides = Sides(before, after, lists, approved_at=against.at, at=at, guards=then, days=when)
    changes = [change for change in compare(candidates, sides) if not rotation.settles(change)]
    changes += rotation.changes
    changes += _coverage_changes(store, run, against, at)
    if not against.first:
        changes += compare_trust(against.trust, trust, _trust_pins(store, against, at))
    changes += compare_approvals(tuple(changes))
    return changes


def _states(candidates: Iterable[Candidate]) -> Iterator[State]:
    """Everything that is compared, on either side."""
    for each in candidates:
        for state in (each.before, each.after, *(pinned.state for pinned in each.pins)):
            if state is not None:
                yield state


def _guards(states: Iterable[State]) -> set[str]:
    """Every guardrail that a grant lies behind."""
    return {guard for state in states if state.grants for guard in state.resource.guards}


def _guards_at(store: Store, revs: Iterable[int], uids: Collection[str]) -> dict[int, dict[str, State]]:
    """What stood in front of grants when they were approved one by one."""
    return {rev: store.guards(rev, uids, pins=True) for rev in sorted(revs)} if uids else {}


def _fences(changes: Iterable[Change]) -> set[str]:
    fences = (ResourceType.CONTAINER, ResourceType.GUARDRAIL)
    return {change.uid for change in changes if (state := change.state) and state.resource.type in fences}


def _coverage_changes(store: Store, run: Run, against: Against, at: datetime) -> list[Change]:
    pins = [pin for pin in against.pins.around if pin.subject.startswith("scope:")]
    then = {rev: store.coverage_at(rev) for rev in {pin.rev for pin in pins} | {against.rev}}
    now = store.coverage_at(run.last_rev)
    pinned = [(pin, _pinned_coverage(then[pin.rev], pin)) for pin in pins]
    return list(compare_coverage(then[against.rev], now, pinned, at=at))


def _pinned_coverage(coverage: Mapping[tuple[Scope, str], Coverage], pin: Pin) -> Coverage | None:
    found = (each for (scope, aspect), each in coverage.items() if pin.entry == f"coverage:{aspect}")
    return next((each for each in found if scope_subject(each.scope) == pin.subject), None)


def _trust_pins(store: Store, against: Against, at: datetime) -> dict[str, TrustList]:
    """For each approved entry of the trust list, the list it was approved in; the newest that has not ended wins."""
    live = [pin for pin in against.pins.around if pin.subject.startswith("trust:")]
    live = [pin for pin in live if pin.approval.until is None or at < pin.approval.until]
    return {pin.subject: trusting.of_id(store, pin.trust_id) for pin in reversed(live)}


def _summary(
    store: Store,
    run: Run,
    against: Against,
    trust: TrustList,
    found: Sequence[Finding],
    at: datetime,
    holders: Iterable[tuple[Principal, int]],
) -> Summary:
    counts = store.counts(run.last_rev)
    initial = store.initial(against.rev, run.last_rev)
    held = 0
    for principal, grants in holders:
        judged = trust.judge(principal, account="", kind="", on=at.date())
        held += grants if judged.trust.foreign else 0
    listed = sum(1 for each in found if each.grantee and each.grantee.trust in _FOREIGN and each.change.after)
    return Summary(
        snapshots=sum(counts.values()),
        initial=sum(initial.values()),
        approved_exposures=max(0, held - listed),
        by_kind=tuple(sorted(counts.items())),
    )


_FOREIGN = frozenset({"former-org", "unknown", "anyone"})


def latest_before(store: Store, moment: datetime) -> Run:
    """The last run finished at or before a moment; else the first finished one. `NotFound`: that one was pruned."""
    finished = [run for run in store.runs(limit=None) if run.state == RunState.FINISHED]
    if not finished:
        raise NotFound("There is no finished run yet.", hint="Run `snapbase collect` first.")
    earlier = [run for run in finished if (run.finished_at or run.started_at) <= moment]
    found = max(earlier, key=lambda run: run.id) if earlier else min(finished, key=lambda run: run.id)
    kept = store.horizon()
    if kept is not None and found.last_rev < kept.rev:
        # An older run that an approval keeps is not the one that was meant.
        raise NotFound(
            f"What was so at {moment:%Y-%m-%d %H:%M} UTC was pruned:"
            f" the store keeps everything since {kept.since:%Y-%m-%d %H:%M} UTC.",
            hint="Ask for a later time, or compare with an approved run (`--baseline`, `--from`).",
        )
    return found


@dataclass(frozen=True, slots=True)
class Filter:
    """Which findings somebody wants to see; empty means all."""

    clouds: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severity: str = ""
    """This bad or worse."""
    by_owner: bool = False
    """The accounts are those that are known as somebody's."""

    def hides(self, scope: Scope) -> bool:
        """Whether what was not read there is nothing to whoever wants to see these accounts.

        A cloud whose accounts could not even be listed is a hole in every account's picture, and what says whose
        accounts are in every owner's.
        """
        if self.clouds and scope.cloud not in self.clouds:
            return True
        everybody_s = scope.account == ANYWHERE or (self.by_owner and scope.kind in TELLING)
        return bool(self.accounts) and scope.account not in self.accounts and not everybody_s

    def keep(self, finding: Finding) -> bool:
        """What is said of no account alone is said to everybody: it may be about any of theirs."""
        return (
            (not self.clouds or finding.cloud in ("", *self.clouds))
            and (not self.accounts or finding.account in ("", *self.accounts))
            and (not self.rules or finding.rule in self.rules)
            and (not self.severity or finding.severity.rank <= Severity(self.severity).rank)
        )


def narrow(report: Report, wanted: Filter) -> Report:
    """The report with only the wanted findings. Its coverage is never narrowed by rule or severity."""
    gaps = tuple(gap for gap in report.coverage if not wanted.hides(gap.coverage.scope))
    found = tuple(finding for finding in report.findings if wanted.keep(finding))
    hidden = len(report.findings) - len(found)
    notes = report.notes
    if hidden:
        notes = (*notes, f"{hidden} more finding{'' if hidden == 1 else 's'} outside the filter.")
    return replace(report, findings=found, coverage=gaps, complete=not gaps, notes=notes)


def exit_code(report: Report, *, fail_on: str, allow_incomplete: bool = False) -> int:
    """0 nothing at or above `fail_on`; 1 drift; 3 no drift, but something was not read. Drift wins over 3."""
    if any(finding.severity.rank <= Severity(fail_on).rank for finding in report.findings):
        return 1
    return 0 if report.complete or allow_incomplete else 3
