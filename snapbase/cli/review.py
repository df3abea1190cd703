"""`review`: the findings of a run, one by one, in the terminal."""

import os
import sys
from typing import Annotated

import typer

from snapbase.cli.context import configuration, moment, opened, refuse_empty, say, store_place
from snapbase.errors import UsageError


def review(
    context: typer.Context,
    run: Annotated[int | None, typer.Option(help="The run to review; the last finished one by default.")] = None,
    by: Annotated[str | None, typer.Option(help="Who approves; the OS user by default.")] = None,
) -> None:
    """Walk the findings one by one: approve, leave, note, filter; ? lists the keys.

    Decisions are kept until the next time. Nothing is approved before it is saved; saving shows first what would be.
    """
    refuse_empty("--by", by)
    _possible()
    from snapbase.operations.approve import claimed_identity
    from snapbase.operations.diff import finished_run
    from snapbase.operations.evidence import signer
    from snapbase.review.app import review as walk
    from snapbase.review.desk import Desk
    from snapbase.review.journal import kept, path_of

    config = configuration(context)
    url = store_place(context, config)
    with opened(context, config) as store:
        judged = finished_run(store, run)
        desk = Desk(
            store=store,
            write=lambda: opened(context, config, write=True),
            run=judged,
            by=by or claimed_identity()["user"],
            moment=moment,
            pending=config.approval.four_eyes,
            sign=signer(config),
        )
        with kept(path_of(url, judged)) as decisions:
            say(context, f"Run {judged.id} is compared with what was approved…")
            saved = walk(desk, decisions)
            waiting = sum(each.choice == "approve" for each in decisions.open.values())
    for line in saved:
        typer.echo(line)
    if waiting:
        say(context, f"Decided but not saved: {waiting:,}. They are kept: `snapbase review --run {judged.id}` goes on.")


def _possible() -> None:
    """A terminal, and the optional library that draws on it."""
    try:
        import textual  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "The review needs Textual, which is not installed.", hint="pip install 'snapbase[review]'"
        ) from None
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError(
            "The review needs a terminal.", hint="`snapbase diff` lists the findings, `approve-baseline` approves them."
        )
