"""`approve-baseline` and `baselines`: what was said to be fine, and by whom."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import KindOption, configuration, moment, opened, say
from snapbase.errors import NotFound

if TYPE_CHECKING:
    from snapbase.finding import Finding
    from snapbase.model import Baseline
    from snapbase.operations.approve import Plan

Ids = list[str] | None


def approve_baseline(
    context: typer.Context,
    run: Annotated[
        int | None, typer.Option(help="The run that was reviewed; the last finished one by default.")
    ] = None,
    excepted: Annotated[Ids, typer.Option("--except", help="Hold this finding back; repeatable.")] = None,
    finding: Annotated[Ids, typer.Option(help="Approve only this finding; repeatable.")] = None,
    snapshot: Annotated[Ids, typer.Option(help="Approve this snapshot as it was; repeatable.")] = None,
    principal: Annotated[Ids, typer.Option(help="Approve every finding that names this principal.")] = None,
    kind: KindOption = None,
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

    config = configuration(context)
    with opened(context, config, write=True) as store, store.lock():
        request = operation.Request(
            run=finished_run(store, run),
            by=by or operation.claimed_identity()["user"],
            reason=reason,
            ticket=ticket,
            until=moment(until) if until else None,
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
        baseline = operation.approve(store, plan)
    typer.echo(_done(plan, baseline))


def _delta(plan: "Plan") -> list[str]:
    from snapbase.report.text import plain

    lines = [f"Approving, of run {plan.request.run.id}:"]
    lines += [f"  {_line(finding)}" for finding in plan.approved]
    lines += [f"  {plain(uid)}, as it was" for uid in plan.snapshots]
    if len(lines) == 1:
        lines.append("  nothing that differs from what was approved before")
    return lines


def _line(finding: "Finding") -> str:
    from snapbase.report.text import plain

    name = finding.subject.name or finding.subject.address or finding.subject.uid
    return plain(f"{finding.severity:<8}  {finding.id}  {finding.title}: {name}", 200)


def _done(plan: "Plan", baseline: "Baseline") -> str:
    lines = [f"Baseline {baseline.id} approved by {baseline.approval.by}: {len(plan.approved)} findings."]
    if plan.request.until:
        lines.append(f"Until {plan.request.until:%Y-%m-%d %H:%M} UTC; then they return.")
    if plan.held:
        lines.append(f"Not approved, still findings: {len(plan.held)}")
        lines += [f"  {_line(finding)}" for finding in plan.held[:20]]
    if plan.moved:
        lines.append(f"Changed since run {plan.request.run.id}, not approved: {len(plan.moved)}")
        lines += [f"  {_line(finding)}" for finding in plan.moved[:20]]
    if plan.report.coverage:
        lines.append(f"Not read, so not judged: {len(plan.report.coverage)} readings.")
    return "\n".join(lines)


def list_baselines(
    context: typer.Context,
    fmt: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
) -> None:
    """Every approval, oldest first."""
    from snapbase.report.listing import listing

    with opened(context, configuration(context)) as store:
        found = store.baselines()
    if fmt == "json":
        typer.echo(json.dumps([_as_json(each) for each in found], indent=2))
        return
    columns = ("id", "what", "run", "approved", "by", "entries", "reason")
    rows = [
        (
            str(each.id),
            each.scope,
            str(each.run_id),
            f"{each.approval.at:%Y-%m-%d %H:%M}",
            each.approval.by,
            str(each.entries),
            " ".join(filter(None, (each.approval.reason, each.approval.ticket and f"[{each.approval.ticket}]"))),
        )
        for each in found
    ]
    typer.echo(listing(columns, rows, empty="Nothing was approved yet. `snapbase approve-baseline` does."), nl=False)


def show_baseline(
    context: typer.Context,
    baseline: Annotated[int, typer.Argument(help="Its id.")],
    fmt: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
) -> None:
    """One approval: who, why, and every entry it pinned."""
    from snapbase.report.listing import facts, listing

    with opened(context, configuration(context)) as store:
        found = next((each for each in store.baselines() if each.id == baseline), None)
        pins = store.pins(baseline) if found else ()
    if found is None:
        raise NotFound(f"There is no baseline {baseline}.", hint="`snapbase baselines list` lists them.")
    if fmt == "json":
        shown = [{"subject": p.subject, "entry": p.entry, "rev": p.rev, "held": p.held} for p in pins]
        typer.echo(json.dumps(_as_json(found) | {"pins": shown}, indent=2))
        return
    body = _as_json(found)
    typer.echo(facts([(name, str(value)) for name, value in body.items() if value not in (None, "", {})]), nl=False)
    rows = [("held back" if pin.held else "pinned", str(pin.rev), pin.entry, pin.subject) for pin in pins]
    typer.echo(listing(("what", "as of", "entry", "subject"), rows, empty="No pins: the run as a whole."), nl=False)


def _as_json(baseline: "Baseline") -> dict[str, Any]:
    approval = baseline.approval
    return {
        "id": baseline.id,
        "scope": baseline.scope,
        "run_id": baseline.run_id,
        "approved_at": f"{approval.at:%Y-%m-%dT%H:%M:%SZ}",
        "approved_by": approval.by,
        "reason": approval.reason,
        "ticket": approval.ticket,
        "until": f"{approval.until:%Y-%m-%dT%H:%M:%SZ}" if approval.until else None,
        "entries": baseline.entries,
        "claimed": dict(baseline.claimed),
        "hash": baseline.hash,
    }
