"""`approve-baseline`: what is said to be fine, and by whom."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.context import configuration, moment, opened, refuse_empty, say
from snapbase.cli.origins import approve_origins
from snapbase.errors import UsageError

if TYPE_CHECKING:
    from snapbase.finding import Finding
    from snapbase.model import Baseline
    from snapbase.operations.approve import Plan

Ids = list[str] | None
_ONE_BY_ONE = 40
"""More findings than this are shown by who holds them."""
_EXAMPLES = 3


def approve_baseline(
    context: typer.Context,
    run: Annotated[
        int | None, typer.Option(help="The run that was reviewed; the last finished one by default.")
    ] = None,
    excepted: Annotated[Ids, typer.Option("--except", help="Hold this finding back; repeatable.")] = None,
    finding: Annotated[Ids, typer.Option(help="Approve only this finding; repeatable.")] = None,
    snapshot: Annotated[Ids, typer.Option(help="Approve this snapshot as it was; repeatable.")] = None,
    principal: Annotated[Ids, typer.Option(help="Approve every finding that names this principal.")] = None,
    origin: Annotated[Ids, typer.Option(help="Approve what this origin makes as expected; repeatable.")] = None,
    low_trust: Annotated[bool, typer.Option("--low-trust", help="With --origin: also on weak evidence.")] = False,
    kind: Annotated[Ids, typer.Option("--kinds", "--kind", help="With --principal: only these kinds; globs.")] = None,
    by: Annotated[str | None, typer.Option(help="Who approves; the OS user by default.")] = None,
    reason: Annotated[str, typer.Option(help="Why this is fine.")] = "",
    ticket: Annotated[str, typer.Option(help="Change ticket.")] = "",
    until: Annotated[str | None, typer.Option(help="Only until then: 2026-12-31, 30d.")] = None,
    allow_public: Annotated[bool, typer.Option("--allow-public", help="Also shares with everyone.")] = False,
    allow_unknown: Annotated[bool, typer.Option("--allow-unknown", help="Also shares with unknown holders.")] = False,
    allow_incomplete: Annotated[bool, typer.Option("--allow-incomplete", help="Also a run with holes.")] = False,
) -> None:
    """Approve what was reviewed: a whole run, or single findings, snapshots or principals of it.

    Shows the delta first, and says last what was not approved.
    """
    from snapbase.operations import approve as operation
    from snapbase.operations.diff import finished_run
    from snapbase.operations.evidence import signer

    named = {
        "--except": excepted,
        "--finding": finding,
        "--snapshot": snapshot,
        "--principal": principal,
        "--kinds": kind,
    }
    for option, words in {**named, "--origin": origin, "--by": [by]}.items():
        refuse_empty(option, *words or ())
    if origin:
        allowed = {
            "--allow-public": allow_public,
            "--allow-unknown": allow_unknown,
            "--allow-incomplete": allow_incomplete,
        }
        _refuse_beside_origin(option for option, given in {**named, **allowed}.items() if given)
        approve_origins(context, origin, run=run, words=(by, reason, ticket, until), low_trust=low_trust)
        return
    if low_trust:
        raise UsageError("--low-trust goes with --origin.", hint="`snapbase origins list` lists them.")
    config = configuration(context)
    sign, pending = signer(config), config.approval.four_eyes
    with opened(context, config, write=True) as store, store.lock():
        request = operation.Request(
            run=finished_run(store, run),
            by=by or operation.claimed_identity()["user"],
            reason=reason,
            ticket=ticket,
            until=moment(until) if until is not None else None,
            excepted=tuple(excepted or ()),
            findings=tuple(finding or ()),
            snapshots=tuple(snapshot or ()),
            principals=tuple(principal or ()),
            kinds=tuple(kind or ()),
            allow_public=allow_public,
            allow_unknown=allow_unknown,
            allow_incomplete=allow_incomplete,
        )
        plan = operation.plan(store, request)
        for line in _delta(plan):
            say(context, line)
        baseline = operation.approve(store, plan, pending=pending, sign=sign)
    typer.echo(_done(plan, baseline))
    say(context, f"Head of the log, to be kept elsewhere: {baseline.hash}")


def _refuse_beside_origin(given: Iterable[str]) -> None:
    """An origin's approval says nothing of shares, and nothing of single findings."""
    if beside := ", ".join(given):
        hint = "Approve findings and snapshots with another command."
        raise UsageError(f"--origin is an approval of its own: leave out {beside}.", hint=hint)


def _delta(plan: "Plan") -> list[str]:
    from snapbase.report.text import plain

    lines = [f"Approving, of run {plan.request.run.id}:"]
    lines += _shown(plan.approved)
    lines += [f"  {plain(uid)}, as it was" for uid in plan.snapshots]
    if len(lines) == 1:
        lines.append("  nothing that differs from what was approved before")
    return lines


def _shown(found: "Sequence[Finding]") -> Iterator[str]:
    """One by one; where there are too many to read, counted by rule and holder, with examples."""
    if len(found) <= _ONE_BY_ONE:
        yield from (f"  {_line(finding)}" for finding in found)
        return
    groups = [(key, list(each)) for key, each in groupby(sorted(found, key=_group), key=_group)]
    for (_, rule, _), same in sorted(groups, key=lambda group: (group[0][0], -len(group[1]), group[0])):
        yield f"  {same[0].severity:<8}  {len(same):>7,}  {rule}{_held_by(same[0])}"
        yield from (f"      {_line(finding)}" for finding in same[:_EXAMPLES])
        if len(same) > _EXAMPLES:
            yield f"      … and {len(same) - _EXAMPLES:,} more"


def _group(finding: "Finding") -> tuple[int, str, str]:
    return finding.severity.rank, finding.rule, finding.grantee.principal.id if finding.grantee else ""


def _held_by(finding: "Finding") -> str:
    """Who holds all of a group, and how to approve just them."""
    from snapbase.report.text import holder, plain

    if finding.grantee is None:
        return ""
    return f"  {holder(finding)}  (--principal {plain(finding.grantee.principal.id, 120)})"


def _line(finding: "Finding") -> str:
    from snapbase.report.text import plain

    name = finding.subject.name or finding.subject.address or finding.subject.uid
    return plain(f"{finding.severity:<8}  {finding.id}  {finding.title}: {name}", 200)


def _done(plan: "Plan", baseline: "Baseline") -> str:
    from snapbase.report.text import plain

    lines = [f"Baseline {baseline.id} approved by {plain(baseline.approval.by, 60)}: {len(plan.approved):,} findings."]
    if baseline.pending:
        lines.append(f"It counts once somebody else confirms it: snapbase baselines confirm {baseline.id} --by OTHER")
    if plan.request.until:
        lines.append(f"Until {plan.request.until:%Y-%m-%d %H:%M} UTC; then they return.")
    if plan.held:
        lines.append(f"Not approved, still findings: {len(plan.held):,}")
        lines += _shown(plan.held)
    if plan.moved:
        lines.append(f"Changed since run {plan.request.run.id}, not approved: {len(plan.moved):,}")
        lines += _shown(plan.moved)
    if plan.report.coverage:
        lines.append(f"Not read, so not judged: {len(plan.report.coverage):,} readings.")
    return "\n".join(lines)
