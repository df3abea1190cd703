"""`origins`: what makes snapshots again and again, and what approving it would hide."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import TableOption, configuration, moment, opened, say

if TYPE_CHECKING:
    from snapbase.operations.origins import Proposed
    from snapbase.rotation.cohort import Cohort

RunOption = Annotated[int | None, typer.Option(help="As of this run; the last finished one by default.")]
_SHOWN = 5
_LINE = 160


def list_origins(context: typer.Context, run: RunOption = None, fmt: TableOption = "table") -> None:
    """Every origin the history shows: how strong the evidence is, and whether somebody approved it."""
    from snapbase.operations import origins as operation
    from snapbase.operations.diff import finished_run
    from snapbase.report.json_report import approval_json
    from snapbase.report.listing import listing

    with opened(context, configuration(context)) as store:
        found = operation.listing(store, finished_run(store, run))
    if fmt == "json":
        body = [
            {
                "origin": each.origin,
                "evidence": each.evidence,
                "snapshots": each.live,
                "approved": approval_json(each.approved.approval) if each.approved else None,
                "low_trust": bool(each.approved and each.approved.low_trust),
            }
            for each in found
        ]
        typer.echo(json.dumps(body, indent=2))
        return
    rows = []
    for each in found:
        approval = each.approved.approval if each.approved else None
        said = f"{approval.at:%Y-%m-%d} by {approval.by}" if approval else "no"
        if approval and approval.until:
            said += f" until {approval.until:%Y-%m-%d}"
        rows.append((f"{each.live:,}", each.evidence, said, each.origin))
    empty = "Nothing says what made any snapshot yet."
    typer.echo(listing(("snapshots", "evidence", "approved", "origin"), rows, empty=empty), nl=False)


def show_origin(
    context: typer.Context,
    origin: Annotated[str, typer.Argument(help="Its id, or a part of it.")],
    run: RunOption = None,
    fmt: TableOption = "table",
) -> None:
    """One origin: the invariants that are approved, else those that would be."""
    from snapbase.operations import origins as operation
    from snapbase.operations.diff import finished_run
    from snapbase.report.listing import facts

    with opened(context, configuration(context)) as store:
        found = operation.propose(store, finished_run(store, run))
    name = operation.find([each.origin for each in found], origin)
    proposed = next(each for each in found if each.origin == name)
    if fmt == "json":
        typer.echo(json.dumps(_as_json(proposed), indent=2))
        return
    cohort = proposed.approved.cohort if proposed.approved else proposed.proposal.cohort
    pairs = [("origin", cohort.origin), ("evidence", cohort.evidence)]
    if proposed.approved:
        approval = proposed.approved.approval
        pairs.append(("approved", f"{approval.at:%Y-%m-%d %H:%M} by {approval.by}: {approval.reason}"))
    else:
        pairs.append(("approved", "no; what follows is what would be"))
    typer.echo(facts([*pairs, *_over_lines(_invariants(cohort))]), nl=False)
    typer.echo("\n".join(_tried(proposed)))


def propose(
    context: typer.Context,
    run: RunOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is approved already.")] = False,
    fmt: TableOption = "table",
) -> None:
    """What each origin not approved yet would have hidden over the stored runs, with samples."""
    from snapbase.operations import origins as operation
    from snapbase.operations.diff import finished_run

    with opened(context, configuration(context)) as store:
        found = operation.propose(store, finished_run(store, run))
    shown = [each for each in found if everything or each.approved is None]
    if fmt == "json":
        typer.echo(json.dumps([_as_json(each) for each in shown], indent=2))
        return
    for each in shown:
        typer.echo("\n".join(_proposed(each)) + "\n")
    if not shown:
        typer.echo("Nothing to propose: every origin that the history shows is approved, or there is none.")


def approve_origins(
    context: typer.Context,
    origins: Sequence[str],
    *,
    run: int | None,
    words: tuple[str | None, str, str, str | None],
    low_trust: bool,
) -> None:
    """`approve-baseline --origin`: shows what would be hidden, then approves it. `words`: by, reason, ticket, until."""
    by, reason, ticket, until = words
    from snapbase.operations import origins as operation
    from snapbase.operations.approve import claimed_identity
    from snapbase.operations.diff import finished_run
    from snapbase.operations.evidence import signer

    config = configuration(context)
    with opened(context, config, write=True) as store, store.lock():
        request = operation.Request(
            run=finished_run(store, run),
            origins=tuple(origins),
            by=by or claimed_identity()["user"],
            reason=reason,
            ticket=ticket,
            until=moment(until) if until is not None else None,
            low_trust=low_trust,
        )
        chosen = operation.plan(store, request)
        for each in chosen:
            for line in _proposed(each):
                say(context, line)
        baseline = operation.approve(store, request, chosen, pending=config.approval.four_eyes, sign=signer(config))
    count = f"{len(chosen)} origin{'' if len(chosen) == 1 else 's'}"
    from snapbase.report.text import plain

    typer.echo(f"Baseline {baseline.id} approved by {plain(baseline.approval.by, 60)}: {count}.")
    if baseline.pending:
        typer.echo(f"It counts once somebody else confirms it: snapbase baselines confirm {baseline.id} --by OTHER")
    if request.until:
        typer.echo(f"Until {request.until:%Y-%m-%d %H:%M} UTC; then what they make is listed again.")
    typer.echo("Only that their snapshots come and go is expected: shares, keys and locks are listed one by one.")
    say(context, f"Head of the log, to be kept elsewhere: {baseline.hash}")


def _proposed(proposed: "Proposed") -> Iterator[str]:
    from snapbase.report.text import plain

    proposal = proposed.proposal
    weak = "" if proposal.cohort.strong else "; low trust: would be counted and sampled"
    yield plain(proposed.origin, 240)
    yield f"  {proposal.cohort.evidence}{weak}; {proposal.live:,} now, {proposal.went:,} gone"
    for name, value in _over_lines(_invariants(proposal.cohort)):
        yield f"  {name}: {plain(value, 200)}" if name else f"    {plain(value, 200)}"
    for invariant, value, count in proposal.rare[:_SHOWN]:
        yield f"  rare: {count} with {plain(invariant, 60)} {plain(value, 120) or 'none'}"
    yield from _tried(proposed)


def _tried(proposed: "Proposed") -> Iterator[str]:
    from snapbase.report.text import plain

    test = proposed.test
    if test is None:
        yield "  not tried: it takes two runs"
        return
    runs = f"{test.runs} run{'' if test.runs == 1 else 's'}"
    yield f"  over {runs} since {test.since:%Y-%m-%d} it would have hidden +{test.appeared:,} -{test.disappeared:,}"
    for invariant, count, examples in test.listed:
        yield f"    and listed {count:,} for {invariant}: {', '.join(plain(each, 80) for each in examples)}"
    samples = proposed.proposal.samples
    if samples:
        yield "  such as:"
        yield from (f"    {plain(each, 200)}" for each in samples[:_SHOWN])


def _invariants(cohort: "Cohort") -> list[tuple[str, str]]:
    """The invariants for a person to read."""
    rhythms = [each for strains in cohort.series.values() for each in strains.values()]
    keeps = sorted(each.keep for each in rhythms if each.keep)
    lows = sorted(each.low for each in rhythms if each.high)
    highs = sorted(each.high for each in rhythms if each.high)
    holders = "not read" if cohort.grants is None else ", ".join(sorted(str(each.principal) for each in cohort.grants))
    return [
        ("kinds", ", ".join(sorted(cohort.kinds))),
        ("accounts", _few(account for _, account in cohort.accounts)),
        ("regions", _few({each.location for each in cohort.scopes})),
        ("sources", f"{len(cohort.sources):,}"),
        ("keys", _few(key or "no key" for key in cohort.keys)),
        ("shared with", holders or "nobody"),
        ("copies", _few(each or "none elsewhere" for each in cohort.destinations)),
        ("retention", _span(keeps[0] * 3600, keeps[-1] * 3600) if keeps else "not known yet"),
        ("cadence", _span(lows[0], highs[-1]) if highs else "not known yet"),
        ("points of a source", f"{min(each.points for each in rhythms)} to {max(each.points for each in rhythms)}"),
        # Never only a few: one of them may be somebody who should not be.
        ("made or deleted by", ", ".join(sorted(cohort.actors)) or "no audit log told"),
        ("policy document", f"as of now ({cohort.policy[:12]})" if cohort.policy else "not in the inventory"),
    ]


def _over_lines(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A long value goes on below, without a name: what is cut out of one could be who should not be in it."""
    for name, value in pairs:
        line, *rest = value.split(", ")
        for each in rest:
            if len(line) + len(each) > _LINE:
                yield name, f"{line},"
                name, line = "", each  # noqa: PLW2901
            else:
                line = f"{line}, {each}"
        yield name, line


def _few(values: Iterable[str]) -> str:
    ordered = sorted(set(values))
    more = f" and {len(ordered) - 5:,} more" if len(ordered) > 5 else ""
    return ", ".join(ordered[:5]) + more


def _span(low: float, high: float) -> str:
    from snapbase.rotation.cohort import words

    first, last = words(timedelta(seconds=low)), words(timedelta(seconds=high))
    return first if first == last else f"{first} to {last}"


def _as_json(proposed: "Proposed") -> dict[str, Any]:
    from snapbase.report.json_report import approval_json, rfc3339

    proposal, test = proposed.proposal, proposed.test
    return {
        "origin": proposed.origin,
        "evidence": proposed.evidence,
        "low_trust": not proposal.cohort.strong,
        "approved": approval_json(proposed.approved.approval) if proposed.approved else None,
        "snapshots": proposal.live,
        "gone": proposal.went,
        "invariants": dict(_invariants(proposal.cohort)),
        "policy": proposal.policy or None,
        "rare": [{"invariant": name, "value": value, "count": count} for name, value, count in proposal.rare],
        "samples": list(proposal.samples),
        "back_test": test
        and {
            "runs": test.runs,
            "since": rfc3339(test.since),
            "hidden": {"appeared": test.appeared, "disappeared": test.disappeared},
            "listed": [{"invariant": name, "count": count, "examples": few} for name, count, few in test.listed],
        },
    }
