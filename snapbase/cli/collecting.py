"""`collect` and `run`: the commands that look at clouds."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    FormatOption,
    KindOption,
    OutputOption,
    RegionOption,
    complain,
    configuration,
    opened,
    publish,
    say,
    store_place,
    warn,
)
from snapbase.errors import StoreError, UsageError

if TYPE_CHECKING:
    from snapbase.collect.engine import Progress, Selection
    from snapbase.finding import Report
    from snapbase.model import Scope
    from snapbase.operations.collect import Collected
    from snapbase.settings import Config
    from snapbase.store import Store


def collect(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be read, and what it costs.")] = False,
    cloud: CloudOption = None,
    account: AccountOption = None,
    region: RegionOption = None,
    kind: KindOption = None,
) -> None:
    """Enumerate snapshots and who they are shared with, into the store.

    Narrowing (--cloud, --account, --region, --kind) never closes anything outside.
    """
    config = configuration(context)
    selection = _selection(cloud, account, region, kind)
    if plan:
        _plan(context, config, selection)
        return
    with opened(context, config, write=True) as store, store.lock():
        result = _collect(context, store, config, selection)
    raise typer.Exit(3 if result.unread else 0)


def run(
    context: typer.Context,
    fmt: FormatOption = "table",
    output: OutputOption = None,
    fail_on: Annotated[str | None, typer.Option(help="Lowest severity that counts as drift.")] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Exit 0 where the only trouble is coverage.")] = False,
) -> None:
    """What cron calls: collect, diff against the approved baseline, notify; one lock, one exit code.

    Whoever is to be notified is told once what is new, and that a run failed.
    """
    from snapbase.cli.reporting import known_format, known_severity, rendered
    from snapbase.operations import notify
    from snapbase.operations.diff import exit_code

    config = configuration(context)
    if fail_on is not None:
        known_severity(fail_on)
    known_format(fmt)
    _writable(output)
    place = store_place(context, config)
    try:
        report = _judged(context, config)
    except Exception as error:
        warn(notify.tell_failure(config.notify, place, error))
        raise
    try:
        publish(rendered(report, fmt, output), output)
    finally:  # whoever reads the report may be gone
        warn(notify.tell(config.notify, place, report))
    _forget(context, config)
    level = config.report.fail_on if fail_on is None else fail_on
    raise typer.Exit(exit_code(report, fail_on=level, allow_incomplete=allow_incomplete))


def _judged(context: typer.Context, config: "Config") -> "Report":
    """Everything read, and what is to be said of it."""
    from snapbase.operations import diff as operation
    from snapbase.operations import tickets

    with opened(context, config, write=True) as store, store.lock():
        result = _collect(context, store, config, _selection(None, None, None, None))
        against = operation.against_baseline(store, result.run)
        report = operation.diff(store, result.run, against)
        if tickets.check(store, config.tickets, report):
            report = operation.diff(store, result.run, against)
    return report


def _forget(context: typer.Context, config: "Config") -> None:
    """What the run found out is told already: that nothing could be forgotten must not hide it."""
    from snapbase.operations.retention import prune_when_due

    try:
        with opened(context, config) as store:
            prune_when_due(store, store_place(context, config), config)
    except StoreError as error:
        say(context, f"Nothing was pruned: {error.message}")


def _selection(*narrowed: list[str] | None) -> "Selection":
    from snapbase.collect.engine import Selection
    from snapbase.operations import narrowing

    clouds, accounts, locations, kinds = (narrowing.words(each) for each in narrowed)
    clouds = narrowing.clouds(clouds)
    kinds = narrowing.kinds(kinds, clouds)
    return Selection(clouds=clouds, accounts=accounts, locations=locations, kinds=kinds)


def _collect(context: typer.Context, store: "Store", config: "Config", selection: "Selection") -> "Collected":
    from snapbase.operations.collect import collect as operation

    warn(_killed(store))
    stop = threading.Event()
    with stopping(stop), _progress(context) as progress:
        result = operation(store, config, selection, progress=progress, stop=stop)
    unread = f", {result.unread} not read completely" if result.unread else ""
    say(context, f"Run {result.run.id}: {result.resources:,} resources in {result.scopes} scopes{unread}.")
    return result


def _killed(store: "Store") -> Iterator[str]:
    """What is left of a run that could not even say that it ended: we hold the lock, so nobody runs."""
    from snapbase.model import RunState

    for run in store.runs(limit=1):
        if run.state == RunState.RUNNING:
            yield f"run {run.id}, begun {run.started_at:%Y-%m-%d %H:%M} UTC, was killed. What it had recorded stays."


def _plan(context: typer.Context, config: "Config", selection: "Selection") -> None:
    from snapbase.operations.collect import plan as operation
    from snapbase.report.text import plain

    for line in operation(config, selection, _known(context, config)):
        typer.echo(plain(line, 400))


def _known(context: typer.Context, config: "Config") -> "Mapping[Scope, int]":
    """What was ever read, and how much it held; nothing before the first run, which makes the store."""
    try:
        with opened(context, config) as store:
            return store.known_scopes()
    except StoreError as error:
        say(context, f"Planned without what earlier runs saw: {error.message}")
        return {}


def _writable(output: Path | None) -> None:
    """Whoever waits for hours must not hear only then that the report has nowhere to go."""
    if output is None:
        return
    folder, why = output.parent, ""
    if output.is_dir():
        why = "it is a folder"
    elif not folder.is_dir():
        why = f"{folder} is no folder" if folder.exists() else f"there is no {folder}"
    elif not os.access(output if output.exists() else folder, os.W_OK):
        why = "no permission"
    if why:
        raise UsageError(f"{output} cannot be written: {why}.", hint="Nothing was read. Name a file that can.")


_AT_ONCE: Mapping[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
"""What each does the second time."""


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks the run to end in order, and so to tell that it failed; the second ends it."""

    def ask(*_: object) -> None:
        for each, ending in _AT_ONCE.items():
            signal.signal(each, ending)
        stop.set()
        complain("")  # below the terminal's own ^C
        complain("Stopping; what was read is kept. Press Ctrl-C again to stop at once.")

    before = {each: signal.signal(each, ask) for each in _AT_ONCE}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _progress(context: typer.Context) -> Iterator[Callable[["Progress"], None]]:
    if context.obj.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)
        yield lambda seen: bar.update(task, completed=seen.done, total=seen.planned or None)
