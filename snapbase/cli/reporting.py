"""`diff` and `status`: the commands that only look at the store."""

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    EnvironmentOption,
    FormatOption,
    OutputOption,
    OwnerOption,
    TeamOption,
    configuration,
    duration,
    opened,
    publish,
)
from snapbase.errors import UsageError

if TYPE_CHECKING:
    from snapbase.finding import Report
    from snapbase.operations.diff import Against
    from snapbase.store import Store


def diff(
    context: typer.Context,
    run: Annotated[int | None, typer.Option(help="The run to judge; the last finished one by default.")] = None,
    baseline: Annotated[int | None, typer.Option(help="The baseline to judge against; the last by default.")] = None,
    older: Annotated[int | None, typer.Option("--from", help="Compare with this run instead of a baseline.")] = None,
    newer: Annotated[int | None, typer.Option("--to", help="With --from: the newer run.")] = None,
    since: Annotated[str | None, typer.Option(help="Compare with the last run before this long ago: 24h, 7d.")] = None,
    fmt: FormatOption = "table",
    output: OutputOption = None,
    cloud: CloudOption = None,
    account: AccountOption = None,
    owner: OwnerOption = None,
    team: TeamOption = None,
    environment: EnvironmentOption = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only findings of this rule; repeatable.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only findings this bad or worse.")] = None,
    fail_on: Annotated[str | None, typer.Option(help="Lowest severity that counts as drift.")] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Exit 0 where the only trouble is coverage.")] = False,
) -> None:
    """Drift of the last run against the approved baseline, or of any run against any other.

    Calls no cloud and writes nothing. Exit 0: nothing; 1: drift; 3: no drift, but something was not read.
    """
    from snapbase.operations import diff as operation
    from snapbase.operations import narrowing
    from snapbase.operations.accounts import Whose, chosen, whose

    config = configuration(context)
    for level in (severity, fail_on):
        if level is not None:
            known_severity(level)
    known_format(fmt)
    clouds, rules = narrowing.clouds(cloud), narrowing.rules(rule)
    with opened(context, config) as store:
        judged = operation.finished_run(store, newer if newer is not None else run)
        report = operation.diff(store, judged, _against(store, judged.id, baseline, older, newer, since))
        theirs = whose(owner, team, environment)
        named = narrowing.accounts(store, account, also={each.account for each in report.findings})
        accounts = chosen(store, judged, named, theirs)
    wanted = operation.Filter(clouds, accounts, rules, severity or "", by_owner=theirs != Whose())
    report = operation.narrow(report, wanted)
    publish(rendered(report, fmt, output), output)
    level = config.report.fail_on if fail_on is None else fail_on
    raise typer.Exit(operation.exit_code(report, fail_on=level, allow_incomplete=allow_incomplete))


def _against(
    store: "Store", run: int, baseline: int | None, older: int | None, newer: int | None, since: str | None
) -> "Against":
    from snapbase.operations import diff as operation

    if sum(each is not None for each in (baseline, older, since)) > 1:
        raise UsageError("--baseline, --from and --since exclude each other.")
    if newer is not None and older is None:
        raise UsageError("--to goes with --from.")
    if since is not None:
        return operation.against_run(store, operation.latest_before(store, datetime.now(UTC) - duration(since)))
    if older is not None:
        before = operation.finished_run(store, older)
        if before.id >= run:
            raise UsageError(f"Run {before.id} is not older than run {run}.", hint="--from is the older one.")
        return operation.against_run(store, before)
    return operation.against_baseline(store, operation.finished_run(store, run), baseline)


def rendered(report: "Report", fmt: str, output: Path | None) -> str:
    """The report in a format; in colour only on a terminal."""
    from snapbase.report import Options, reporters

    known_format(fmt)
    terminal = output is None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((80, 24)).columns
    return reporters()[fmt].render(report, Options(width=width, colour=terminal))


def known_format(text: str) -> None:
    from snapbase.report import reporters

    if text not in reporters():
        raise UsageError(f"There is no format {text!r}.", hint=f"There are {', '.join(sorted(reporters()))}.")


def known_severity(text: str) -> None:
    from snapbase.finding import Severity

    if text not in list(Severity):
        raise UsageError(f"There is no severity {text!r}.", hint=f"There are {', '.join(Severity)}.")


def status(
    context: typer.Context,
    max_age: Annotated[str | None, typer.Option(help="Exit 2 when the last complete run is older: 2h, 1d.")] = None,
) -> None:
    """Is cron alive? When the last run ended and what it could not read."""
    from snapbase.operations.accounts import unseen
    from snapbase.operations.inventory import health
    from snapbase.report.text import plain

    limit = duration(max_age) if max_age is not None else None
    config = configuration(context)
    with opened(context, config) as store:
        state = health(store)
        strange = unseen(store, (each.id for each in config.accounts))
    if state.last is None or state.age is None:
        typer.echo("No finished run yet.")
        raise typer.Exit(2)
    typer.echo(f"Last run: {state.last.id}, finished {_ago(state.age.total_seconds())} ago.")
    typer.echo(f"Unread: {len(state.gaps)} readings." if state.gaps else "Everything selected was read completely.")
    if state.complete is None:
        typer.echo("Last complete run: none kept.")
    elif state.gaps:
        typer.echo(f"Last complete run: {state.complete.id}.")
    if strange:
        typer.echo(f"[[accounts]] names what no run ever met: {plain(', '.join(strange), 300)}.")
    if limit is None:
        return
    ended = (state.complete.finished_at or state.complete.started_at) if state.complete else None
    if ended is None or datetime.now(UTC) - ended > limit:
        typer.echo(f"Too old: no complete run within {max_age}.")
        raise typer.Exit(2)


def _ago(seconds: float) -> str:
    from snapbase.finding import several

    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return several(int(seconds // length), unit)
    return "less than a minute"
