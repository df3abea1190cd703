"""Every command, by name. The modules behind them import what they need only when called."""

from typing import Annotated

import typer

from snapbase import __version__
from snapbase.cli import approving, collecting, database, inventory, playing, reporting
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
db = typer.Typer(help="The store's schema.", no_args_is_help=True)
app.add_typer(baselines, name="baselines")
app.add_typer(snapshots, name="snapshots")
app.add_typer(db, name="db")


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


app.command("run")(collecting.run)
app.command("collect")(collecting.collect)
app.command("diff")(reporting.diff)
app.command("approve-baseline")(approving.approve_baseline)
app.command("status")(reporting.status)
app.command("demo")(playing.demo)
app.command("sandbox")(playing.sandbox)
baselines.command("list")(approving.list_baselines)
baselines.command("show")(approving.show_baseline)
snapshots.command("list")(inventory.list_snapshots)
snapshots.command("show")(inventory.show_snapshot)
db.command("upgrade")(database.upgrade)
db.command("check")(database.check)
