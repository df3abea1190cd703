"""`init`: a first configuration."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from snapbase.cli.context import publish, say


def init(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to; `-` is stdout. By default where snapbase looks by itself."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Sign in and say as whom, and to which accounts, subscriptions or projects.")
    ] = False,
) -> None:
    """Write a commented configuration from what credentials this machine seems to have.

    Looks at the environment and at what aws, az and gcloud keep, and calls nobody unless --look. No secret is written.
    """
    from snapbase.config import usual_path
    from snapbase.operations import configure

    clouds = configure.found(os.environ)
    looks = configure.looked(clouds, os.environ) if look else []
    text = configure.written(clouds, looks)
    usual = usual_path()
    path = output or usual
    if str(path) == "-":
        publish(text, None)
    else:
        configure.save(path, text, force=force)
        say(context, f"Wrote {path}.")
    for each in clouds:
        say(context, f"[[{each.cloud}]] {each.why}")
    for seen in looks:
        for words in seen.words:
            say(context, f"  {seen.cloud}: {words}")
    if not clouds:
        say(context, "No credentials were found: sign in with aws, az or gcloud, or fill in an entry of the file.")
    option = "" if path == usual else " --config FILE" if str(path) == "-" else f" --config {path}"
    sys.stdout.flush()
    say(context, f"Next: `snapbase{option} doctor` says what is missing, `snapbase{option} run` reads and reports,")
    say(context, f"and `snapbase{option} approve-baseline --reason '…'` approves what was reviewed.")
    if looks and not any(each.ok for each in looks):
        raise typer.Exit(2)
