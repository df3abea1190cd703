"""`audit`: the clouds' own logs, fetched or from files."""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapbase.cli.context import (
    AccountOption,
    CloudOption,
    EnvironmentOption,
    OwnerOption,
    TableOption,
    TeamOption,
    configuration,
    duration,
    opened,
    say,
)

if TYPE_CHECKING:
    from snapbase.event import Event
    from snapbase.operations.audit import Taken


def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Log files: JSON or JSON lines, plain or .gz, of any cloud.")],
) -> None:
    """Take in audit logs from files. Each event is kept once, however often it is given.

    What happened before [audit] keep_days is counted and left out: the next run would forget it again.
    Exit 3: some records could not be read; 2: none could.
    """
    from snapbase.finding import several
    from snapbase.operations import audit as operation

    config = configuration(context)
    with opened(context, config, write=True) as store, store.lock():
        taken = operation.import_files(store, config, files)
    _said(taken)
    if taken.forgotten:
        days = config.audit.keep_days
        typer.echo(
            f"{several(taken.forgotten, 'event')} not kept, being older than {several(days, 'day')}:"
            f" set keep_days under [audit] to more, and import again."
        )
    if taken.broken or taken.unread:
        raise typer.Exit(3 if taken.events else 2)


def fetch(
    context: typer.Context,
    cloud: CloudOption = None,
    account: AccountOption = None,
) -> None:
    """Read the clouds' audit logs from where they were read to the last time.

    Exit 3: some logs or records could not be read; 2: none could.
    """
    from snapbase.collect.engine import Selection
    from snapbase.operations import audit as operation
    from snapbase.operations import narrowing

    config = configuration(context)
    selection = Selection(narrowing.clouds(cloud), narrowing.words(account))
    with opened(context, config, write=True) as store, store.lock():
        taken = operation.fetch_alone(
            store, config, selection, stop=threading.Event(), progress=lambda words: say(context, words)
        )
    _said(taken)
    if taken.broken or taken.unread:
        raise typer.Exit(3 if taken.events or None in taken.logs.values() else 2)


def _said(taken: "Taken") -> None:
    from snapbase.report.text import plain, several

    typer.echo(f"{several(taken.events, 'event')}, {taken.new:,} of them new.")
    for why, count in taken.broken.most_common():
        where = taken.places.get(why, ())
        named = f" ({plain(', '.join(where[:3]), 300)}{' and others' if len(where) > 3 else ''})" if where else ""
        typer.echo(f"{several(count, 'record')} not read: {plain(why)}{named}")
    for source, why in sorted(taken.unread.items()):
        typer.echo(f"{plain(source)} was not read to the end: {plain(why, 300)}")


def list_events(
    context: typer.Context,
    match: Annotated[str, typer.Argument(help="Part of a subject, an actor or an event's name.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d.")] = "7d",
    cloud: CloudOption = None,
    account: AccountOption = None,
    owner: OwnerOption = None,
    team: TeamOption = None,
    environment: EnvironmentOption = None,
    listings: Annotated[bool, typer.Option("--all", help="With what was only listed, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The newest of a table; JSON has all.")] = 200,
    fmt: TableOption = "table",
) -> None:
    """What the logs say was done, oldest first; as JSON, one event a line."""
    from snapbase.event import Action
    from snapbase.operations import audit as operation
    from snapbase.operations import narrowing
    from snapbase.operations.accounts import Whose, chosen, whose
    from snapbase.operations.diff import finished_run

    now, wanted, clouds = datetime.now(UTC), whose(owner, team, environment), narrowing.clouds(cloud)
    with opened(context, configuration(context)) as store:
        kept: Iterable[Event] = store.events(now - duration(since), now)
        there: set[str] = set()
        if account:  # an account that no run read may still be in a log
            kept = list(kept)
            there = {each.account for each in kept}
        accounts = narrowing.accounts(store, account, also=there)
        if wanted != Whose():
            accounts = chosen(store, finished_run(store), accounts, wanted)
        found = operation.listing(kept, match=match, clouds=clouds, accounts=accounts)
        if fmt == "json":
            for each in found:
                typer.echo(json.dumps(_as_json(each)))
            return
        events = list(found)
    done = [each for each in events if listings or match or each.action != Action.ENUMERATE]
    if not events:
        typer.echo("No event kept of that time: `snapbase audit fetch` reads them.")
    for each in done[-limit:]:
        typer.echo(_lines(each))
    if left := len(done) - min(len(done), limit):
        typer.echo(f"Older and not shown: {left:,} (--limit, or --format json).")
    if left := len(events) - len(done):
        typer.echo(f"Only listed, and not shown: {left:,} (--all).")


def _lines(event: "Event") -> str:
    """Two lines: names of calls, people and things together do not fit into columns at 80."""
    from snapbase.event import Result
    from snapbase.report.text import plain

    subject = (next(iter(event.subjects), "") or event.made or event.source).rpartition("/")[2]
    result = "" if event.result == Result.SUCCEEDED else f" ({event.result})"
    who = (event.actor.id or event.actor.via).rpartition("/")[2]
    what = "  ".join(filter(None, (f"{event.at:%Y-%m-%d %H:%M}", plain(event.name, 80) + result, plain(subject, 120))))
    return f"{what}\n{'':18}by {plain(who, 120)} from {plain(event.source_ip or 'unknown', 60)}"


def _as_json(event: "Event") -> dict[str, Any]:
    from snapbase.report.json_report import rfc3339

    return asdict(event) | {"at": rfc3339(event.at)}
