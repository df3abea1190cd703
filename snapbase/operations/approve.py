"""Approve what was reviewed: a whole run, or single findings of it. Nothing is copied; pins name values by revision."""

import getpass
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from snapbase.diff import PRESENCE, WHOLE, ChangeType, covers
from snapbase.errors import ApprovalRefused, NotFound, UsageError
from snapbase.finding import Finding, Report
from snapbase.model import Approval, Baseline, BaselineScope, Pin, Run
from snapbase.operations.detecting import still_late
from snapbase.operations.diff import Against, against_baseline, against_run, diff
from snapbase.store import Store
from snapbase.store.baselines import NewLine, Sign
from snapbase.trust import TrustClass

_NEAREST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to approve, and the flags that ask for the dangerous parts."""

    run: Run
    by: str
    reason: str
    ticket: str = ""
    until: datetime | None = None
    excepted: tuple[str, ...] = ()
    """Finding ids to hold back from a whole-run approval."""
    findings: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """With `principals`: only findings on these kinds (globs)."""
    allow_public: bool = False
    allow_unknown: bool = False
    allow_incomplete: bool = False

    @property
    def whole(self) -> bool:
        return not (self.findings or self.snapshots or self.principals)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an approval would do; shown before it is done."""

    request: Request
    report: Report
    against: Against
    approved: tuple[Finding, ...]
    held: tuple[Finding, ...]
    """Findings of the run that stay findings."""
    moved: tuple[Finding, ...]
    """What changed after the run: not approved, and still findings."""
    snapshots: tuple[str, ...] = ()
    """Uids approved as they were, whole."""


def plan(store: Store, request: Request) -> Plan:
    """The delta of an approval; raises `NotFound`, `UsageError` or `ApprovalRefused` before anything is done."""
    if request.whole and request.until is not None:
        raise UsageError(
            "A whole run is approved without an end.",
            hint="Approve it with --except, then the findings that may only stay for a while with --finding --until.",
        )
    if request.excepted and not request.whole:
        raise UsageError("--except goes with a whole run, not with --finding, --snapshot or --principal.")
    if request.kinds and not request.principals:
        raise UsageError(
            "--kinds goes with --principal.",
            hint="It narrows what is approved of a principal; a whole run is narrowed with --except.",
        )
    if request.kinds and (request.findings or request.snapshots):
        hint = "Approve findings and snapshots with another command."
        raise UsageError("--kinds narrows --principal alone.", hint=hint)
    against = against_baseline(store, request.run)
    report = diff(store, request.run, against)
    approved, snapshots = _chosen(store, request, report)
    chosen = {finding.id for finding in approved}
    held = tuple(finding for finding in report.findings if finding.id not in chosen)
    result = Plan(request, report, against, approved, held, _moved(store, request.run), snapshots)
    _refuse(result)
    return result


def approve(
    store: Store, result: Plan, *, at: datetime | None = None, pending: bool = False, sign: Sign | None = None
) -> Baseline:
    """Appends the approval to the log. Needs the store's lock. `pending`: it counts once somebody else confirms it."""
    request = result.request
    approval = Approval(request.by, at or datetime.now(UTC), request.reason, request.ticket, request.until)
    run = request.run
    if request.whole:
        late = still_late(store, run, result.approved, result.against.pins.around, approval)
        pins = _kept(store, result, approval) + late + _held(store, result, approval)
        scope, rev, trust_id = BaselineScope.WHOLE, run.last_rev, run.trust_id
    else:
        named = dict.fromkeys(each for finding in result.approved for each in finding.covers)
        pins = [Pin(subject, entry, run.last_rev, run.trust_id, approval) for subject, entry in named]
        pins += [Pin(uid, WHOLE, run.last_rev, run.trust_id, approval) for uid in result.snapshots]
        timed = _kept(store, result, approval) if result.snapshots else []
        pins += [pin for pin in timed if pin.subject in result.snapshots]
        scope, rev, trust_id = BaselineScope.PARTIAL, result.against.rev, _trust_id(result.against)
    line = NewLine(
        scope=scope,
        run_id=run.id,
        rev=rev,
        trust_id=trust_id,
        approval=approval,
        pins=pins,
        claimed=claimed_identity(),
        entries=len(result.approved) + len(result.snapshots),
        pending=pending,
    )
    return store.append_baseline(line, sign=sign)


def claimed_identity() -> dict[str, str]:
    """The OS user and host, recorded beside whatever name `--by` claims."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return {"user": user, "host": socket.gethostname()}


def _trust_id(against: Against) -> int | None:
    return against.baseline.trust_id if against.baseline else None


def _chosen(store: Store, request: Request, report: Report) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    by_id = {finding.id: finding for finding in report.findings}
    if request.whole:
        excepted = _with_what_ended(report, {_find(by_id, name).id for name in request.excepted})
        return tuple(f for f in report.findings if f.id not in excepted), ()
    chosen = {_find(by_id, name).id for name in request.findings}
    for principal in request.principals:
        held = [f for f in report.findings if f.grantee and f.grantee.principal.id == principal]
        held = [f for f in held if not request.kinds or any(fnmatchcase(f.kind, glob) for glob in request.kinds)]
        if not held:
            raise NotFound(f"No finding of run {request.run.id} names the principal {principal}.")
        chosen |= {finding.id for finding in held}
    snapshots = tuple(_uid(store, request.run, name) for name in request.snapshots)
    chosen |= {finding.id for finding in report.findings if finding.subject.uid in snapshots}
    chosen = _with_what_ended(report, chosen)
    return tuple(f for f in report.findings if f.id in chosen), snapshots


def _with_what_ended(report: Report, ids: set[str]) -> set[str]:
    """Whoever names an approval that has ended means all that it let through, each judged for itself."""
    ended = {f.approval for f in report.findings if f.id in ids and f.change.type == ChangeType.APPROVAL_EXPIRED}
    return ids | {f.id for f in report.findings if ended and f.approval in ended}


def _find(by_id: dict[str, Finding], name: str) -> Finding:
    """A finding by its id, or by the beginning of it where that is unambiguous."""
    found = [by_id[name]] if name in by_id else [f for key, f in by_id.items() if key.startswith(name) and name]
    if len(found) != 1:
        what = "is ambiguous" if found else "is not a finding of this run"
        raise NotFound(f"{name} {what}.", hint="`snapbase diff` lists the findings with their ids.")
    return found[0]


def _uid(store: Store, run: Run, name: str) -> str:
    """By its uid, its address or the end of that. A part of it would name another once the one that was meant is gone;
    its name, where that is a tag, is anybody's to write."""
    if not name.strip():
        raise UsageError("--snapshot is empty.", hint="`snapbase snapshots list` lists the uids.")
    near = {state.resource.uid: state.resource.address for state in store.states(run.last_rev, match=name)}
    found = [uid for uid, address in near.items() if is_called(address, name)]
    if name in near:
        return name
    if len(found) != 1:
        what = "names several snapshots" if found else "is the uid or the address of no snapshot"
        hint = "`snapbase snapshots list` lists the uids, from which no part may be missing."
        raise NotFound(f"{name} {what} as of run {run.id}.{nearest(found or near)}", hint=hint)
    return found[0]


def is_called(whole: str, name: str) -> bool:
    """Whether a name is all of an id, or its end from a `/` or a `:` on: `snap-1` of `arn:…:snapshot/snap-1`."""
    return whole == name or whole.endswith((f"/{name}", f":{name}"))


def nearest(found: Collection[str]) -> str:
    """A few ids that may be meant, in words; empty where there are none."""
    few = sorted(found, key=lambda each: (len(each), each))[:_NEAREST]
    more = f" and {len(found) - len(few):,} more" if len(found) > len(few) else ""
    return f" Near it: {', '.join(few)}{more}." if few else ""


def _moved(store: Store, run: Run) -> tuple[Finding, ...]:
    """What the store has seen change since the reviewed run."""
    latest = store.last_run()
    if latest is None or latest.id <= run.id:
        return ()
    return diff(store, latest, against_run(store, run)).findings


def _refuse(result: Plan) -> None:
    request = result.request
    public = [f for f in result.approved if f.grantee and f.grantee.trust == TrustClass.ANYONE and f.change.after]
    foreign = (TrustClass.FORMER_ORG, TrustClass.UNKNOWN)
    unknown = [f for f in result.approved if f.grantee and f.grantee.trust in foreign and f.change.after]
    # An exposure that an attribute alone shows, where the grants could not be read, names no holder.
    public += [f for f in result.approved if f.grantee is None and f.rule == "public-share"]
    unknown += [f for f in result.approved if f.grantee is None and f.rule == "bearer-access"]
    asked: list[tuple[str, str]] = []
    if public and not request.allow_public:
        asked.append((f"{_count(public)} with everyone", "--allow-public"))
    if unknown and not request.allow_unknown:
        asked.append((f"{_count(unknown)} with unknown holders", "--allow-unknown"))
    if request.whole and result.report.coverage and not request.allow_incomplete:
        gaps = len(result.report.coverage)
        asked.append((f"{gaps} reading{'' if gaps == 1 else 's'} that did not complete", "--allow-incomplete"))
    if asked:
        words = ", ".join(what for what, _ in asked)
        flags = " ".join(flag for _, flag in asked)
        raise ApprovalRefused(
            f"This would bless {words}.",
            hint=f"If that is meant, say so: {flags} --reason '…'. Or hold findings back with --except ID.",
        )
    if not request.reason.strip():
        raise UsageError("An approval needs a reason.", hint="Add --reason 'why this is fine'.")


def _count(found: Sequence[Finding]) -> str:
    return f"{len(found)} share{'' if len(found) == 1 else 's'}"


def _held(store: Store, result: Plan, approval: Approval) -> list[Pin]:
    """Excepted findings stay at the values that were approved before, wherever those came from."""
    held: list[Pin] = []
    back = [each for finding in result.held for each in finding.covers]
    pins = store.pins_on(result.against.pins, {subject for subject, _ in back})
    for subject, entry in back:
        own = pins.get(subject, ())
        older = _stack(result, own, subject, entry, approval)
        held += [*(replace(pin, held=True) for pin in older), *_newer_attributes(own, entry, older[-1])]
    return held


def _newer_attributes(own: Iterable[Pin], entry: str, older: Pin) -> list[Pin]:
    """A pin on presence stands for the attributes too: those that were approved after it keep their own value."""
    if entry != PRESENCE:
        return []
    newer: list[Pin] = []
    for pin in own:
        if pin.rev == older.rev and pin.entry in (PRESENCE, WHOLE):
            break
        if pin.entry.startswith("attr:"):
            newer.append(replace(pin, held=True))
    return newer[::-1]


def _stack(result: Plan, own: Iterable[Pin], subject: str, entry: str, approval: Approval) -> list[Pin]:
    """What is approved for an entry and what falls into its place as each approval ends; the lowest comes first."""
    stack: list[Pin] = []
    against = result.against
    for pin in own:
        until = pin.approval.until
        ended = until is not None and result.report.evaluated_at >= until
        if ended or not covers(pin.entry, entry):
            continue
        stack.append(replace(pin, entry=entry))
        if until is None:
            return stack[::-1]
    older = replace(approval, until=None, at=min(against.at, approval.at))  # its value was judged then
    lowest = Pin(subject, entry, against.rev, _trust_id(against), older, held=True)
    return [lowest, *stack[::-1]]


def _kept(store: Store, result: Plan, approval: Approval) -> list[Pin]:
    """Entries let through only until a date keep that date: below them lies the value that was approved before them."""
    against = result.against
    if not against.pins.ends:
        return []
    bare = replace(against, pins=against.pins.without_deadlines())
    only_timed = _entries(diff(store, result.request.run, bare).findings) - _entries(result.report.findings)
    pins = store.pins_on(against.pins, {subject for subject, _ in only_timed})
    return [
        pin
        for subject, entry in sorted(only_timed)
        for pin in _stack(result, pins.get(subject, ()), subject, entry, approval)
    ]


def _entries(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    return {each for finding in findings for each in finding.covers}
