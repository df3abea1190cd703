"""Every command, by name. The modules behind them import what they need only when called."""

from typing import Annotated

import typer

from snapbase import __version__
from snapbase.cli import (
    approving,
    audit,
    collecting,
    database,
    inventory,
    origins,
    playing,
    policy,
    reporting,
    review,
    shares,
    starting,
    watching,
)
from snapbase.cli import baselines as log
from snapbase.cli.context import ConfigOption, Globals, QuietOption, StoreOption

app = typer.Typer(
    name="snapbase",
    help="Who can take our cloud snapshots home, and what changed since somebody last said that was fine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
baselines = typer.Typer(help="What was approved, by whom, why and until when.", no_args_is_help=True)
snapshots = typer.Typer(help="The inventory.", no_args_is_help=True)
expected = typer.Typer(help="What makes snapshots again and again.", no_args_is_help=True)
logs = typer.Typer(help="The clouds' audit logs: who did it.", no_args_is_help=True)
db = typer.Typer(help="The store: its schema, how much it keeps, copies of it.", no_args_is_help=True)
app.add_typer(baselines, name="baselines")
app.add_typer(snapshots, name="snapshots")
app.add_typer(expected, name="origins")
app.add_typer(db, name="db")
app.add_typer(logs, name="audit")
policies = typer.Typer(help="The least that a cloud must allow for the chosen kinds.", no_args_is_help=True)
app.add_typer(policies, name="policy")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"snapbase {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    config: ConfigOption = None,
    store: StoreOption = None,
    quiet: QuietOption = False,
    version: Annotated[  # noqa: ARG001 - click calls it eagerly
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    context.obj = Globals(config, store, quiet)


app.command("init", short_help="Write a commented configuration.")(starting.init)
app.command("run", short_help="What cron calls: collect, read the logs, diff, notify.")(collecting.run)
app.command("watch", short_help="Ask the audit logs again and again; tell what is new.")(watching.watch)
app.command("collect", short_help="Read snapshots and who may use them into the store.")(collecting.collect)
app.command("diff", short_help="Drift against the approved baseline, or between runs.")(reporting.diff)
app.command("approve-baseline", short_help="Approve what was reviewed, whole or in part.")(approving.approve_baseline)
app.command("shares", short_help="Who outside can take our data: how much, since when.")(shares.shares)
app.command("review", short_help="Walk the findings one by one, by keyboard.")(review.review)
app.command("status", short_help="Is cron alive? When the last run ended, and how.")(reporting.status)
app.command("demo", short_help="Watch a theft get caught in three local clouds.")(playing.demo)
app.command("sandbox", short_help="Start the local clouds alone.")(playing.sandbox)
baselines.command("list")(log.list_baselines)
baselines.command("show")(log.show_baseline)
baselines.command("revoke")(log.revoke)
baselines.command("confirm")(log.confirm)
baselines.command("verify")(log.verify)
baselines.command("export")(log.export)
baselines.command("import")(log.import_)
snapshots.command("list")(inventory.list_snapshots)
snapshots.command("show")(inventory.show_snapshot)
expected.command("list")(origins.list_origins)
expected.command("show")(origins.show_origin)
expected.command("propose")(origins.propose)
db.command("upgrade")(database.upgrade)
db.command("check")(database.check)
db.command("prune")(database.prune)
db.command("backup")(database.backup)
db.command("restore")(database.restore)
app.command("doctor", short_help="Try every permission; say what is missing, and where.")(policy.doctor)
policies.command("aws")(policy.aws)
policies.command("azure")(policy.azure)
policies.command("gcp")(policy.gcp)
logs.command("fetch")(audit.fetch)
logs.command("import")(audit.import_files)
logs.command("list")(audit.list_events)
