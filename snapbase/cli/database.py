"""`db`: the store's schema."""

import typer

from snapbase.cli.context import Globals, configuration


def upgrade(context: typer.Context) -> None:
    """Create the store, or bring its schema up to this snapbase."""
    from snapbase.store import schema

    typer.echo(schema.upgrade(_url(context)))


def check(context: typer.Context) -> None:
    """Say whether the store's schema is this snapbase's; exit 2 if not."""
    from snapbase.store import schema

    typer.echo(schema.check(_url(context)))


def _url(context: typer.Context) -> str:
    from snapbase.config import store_url

    given: Globals = context.obj
    return given.store_url or store_url(configuration(context))
