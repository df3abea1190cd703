"""`db`: the store's schema, how much it keeps, and copies of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.context import Globals, configuration, duration, opened, store_place

if TYPE_CHECKING:
    from snapbase.store.backup import Copied
    from snapbase.store.prune import Pruned


def upgrade(context: typer.Context) -> None:
    """Create the store, or bring its schema up to this snapbase."""
    from snapbase.store import schema

    typer.echo(schema.upgrade(_url(context)))


def check(context: typer.Context) -> None:
    """Say whether the store's schema is this snapbase's; exit 2 if not."""
    from snapbase.store import schema

    typer.echo(schema.check(_url(context)))


def prune(
    context: typer.Context,
    older_than: Annotated[
        str | None, typer.Option(help="Forget what was over so long ago: 400d; else keep_days under [store].")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much would go.")] = False,
    vacuum: Annotated[
        bool,
        typer.Option("--vacuum", help="SQLite: write the file anew, smaller; needs as much space again meanwhile."),
    ] = False,
) -> None:
    """Forget what was over long ago, but for what approvals and detections need.

    Every diff from the horizon on, every approved state and `baselines verify` stay as they are; anything older is
    refused. Collecting goes on meanwhile.
    """
    from datetime import timedelta

    from snapbase.operations import retention

    config = configuration(context)
    days = config.store.keep_days
    keep = duration(older_than) if older_than else timedelta(days=days) if days else None
    url = store_place(context, config)
    with opened(context, config) as store:
        found = retention.prune(store, url, config, keep, dry=dry_run)
    typer.echo("\n".join(_pruned(found, dry=dry_run)))
    if not dry_run:
        _space(url, vacuum=vacuum)


def _pruned(found: "Pruned", *, dry: bool) -> list[str]:
    verb = "Would forget" if dry else "Forgot"
    rows = {name: count for name, count in found.rows.items() if count}
    listed = ", ".join(f"{count:,} of {_TABLES.get(name, name)}" for name, count in rows.items())
    lines = [f"{verb} {sum(rows.values()):,} rows: {listed}." if rows else f"{verb} nothing."]
    if found.horizon is None:
        lines.append("No run is that old: the inventory is kept whole.")
        return lines
    since = f"{found.horizon.since:%Y-%m-%d %H:%M} UTC (revision {found.horizon.rev})"
    lines.append(f"Everything since {since} {'would be' if dry else 'is'} kept.")
    if found.needed:
        lines.append(f"{found.needed:,} older rows stay: approvals or audit events need them.")
    if found.held_by is not None:
        lines.append(
            f"Baseline {found.held_by} holds the rest: rotation is judged by all that came and went since it."
            " Approve a newer run as a whole to let go of more."
        )
    return lines


_TABLES = {
    "version": "resources' versions", "grant": "grants", "unread": "single misses", "coverage": "coverage",
    "event": "audit events", "resource": "resources", "profile": "profiles", "principal": "principals",
    "rev": "revisions", "run": "runs", "trust": "trust lists", "claim": "ticket claims",
}  # fmt: skip


def _space(url: str, *, vacuum: bool) -> None:
    from snapbase.store import prune as pruning

    free = pruning.spare(url)
    if free is None:
        typer.echo("PostgreSQL gives the space to new rows by itself (autovacuum).")
    elif vacuum:
        pruning.shrink(url)
        typer.echo(f"The file is {free / 2**20:,.0f} MiB smaller.")
    elif free > 2**20:
        typer.echo(f"{free / 2**20:,.0f} MiB in the file are free for new rows; --vacuum gives them back to the disk.")


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to (SQLite, mode 0600).", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Copy the whole store into one SQLite file, whichever database it is in. Collecting goes on meanwhile.

    The copy is a store: `--store sqlite:///FILE` reads it. For the approved state alone, as text for review, there is
    `baselines export`.
    """
    from snapbase.store import backup as copying

    _say_copied(f"Copied to {file}", copying.write(_url(context), file, force=force))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `db backup` wrote.", show_default=False)],
) -> None:
    """Fill an empty store, in either database, from a backup. Exit 1 if what was approved is not as it was.

    To take over an approved state into a store that has one, there is `baselines import`.
    """
    from snapbase.operations import evidence
    from snapbase.store import backup as copying

    config = configuration(context)
    _say_copied("Restored", copying.load(store_place(context, config), file))
    with opened(context, config) as store:
        problems = evidence.verify(store).problems
    if problems:
        typer.echo(f"The approval log does not hold ({len(problems)} problems): see `snapbase baselines verify`.")
        raise typer.Exit(1)


def _say_copied(what: str, copied: "Copied") -> None:
    from snapbase.finding import several

    typer.echo(f"{what}: {copied.rows:,} rows, {several(copied.lines, 'line')} of the approval log.")
    if copied.head:
        typer.echo(f"Its head: {copied.head}")


def _url(context: typer.Context) -> str:
    given: Globals = context.obj
    return store_place(context, configuration(context)) if given.store_url is None else given.store_url
