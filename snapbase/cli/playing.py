"""`demo` and `sandbox`: the local clouds."""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.reporting import rendered
from snapbase.errors import UsageError

if TYPE_CHECKING:
    from snapbase.operations.demo import Scene
    from snapbase.sandbox import Endpoints


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the endpoints and the store up, for playing.")] = False,
) -> None:
    """Watch a theft of data get caught in three local clouds; no account needed."""
    _installed()
    from snapbase import sandbox as local
    from snapbase.operations import demo as operation
    from snapbase.sandbox.faults import Switchboard
    from snapbase.store import Store

    switchboard = Switchboard()
    with _folder(keep) as folder, local.clouds(switchboard) as endpoints, local.environment(endpoints):
        config, path = operation.configuration(endpoints, folder)
        url = f"sqlite:///{folder / 'snapbase.db'}"
        with Store.open(url, write=True) as store:
            for scene in operation.scenes(store, config, endpoints, switchboard):
                _show(scene)
        _farewell(keep, path, endpoints)
        if keep:
            _wait()


def sandbox() -> None:
    """Start the local clouds alone, and print what to export."""
    _installed()
    from snapbase import sandbox as local
    from snapbase.operations import demo as operation
    from snapbase.sandbox.faults import Switchboard

    with _folder(False) as folder, local.clouds(Switchboard()) as endpoints:
        _, path = operation.configuration(endpoints, folder)
        for line in _exports(endpoints, path):
            typer.echo(line)
        sys.stderr.write("Three clouds are up; Ctrl-C stops them.\n")
        _wait()


def _installed() -> None:
    if find_spec("moto") is None:
        words = "The local clouds need moto and more, which are not installed."
        raise UsageError(words, hint="pip install 'snapbase[sandbox]'")


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="snapbase-demo-"))
        return
    with tempfile.TemporaryDirectory(prefix="snapbase-demo-") as folder:
        yield Path(folder)


def _show(scene: "Scene") -> None:
    from snapbase.report.listing import width
    from snapbase.report.text import command_lines

    room = width()
    typer.secho(f"\n{scene.title}", bold=True)
    if scene.command:
        typer.secho("$ " + "\n  ".join(command_lines(scene.command, room - 2)), dim=True)
    if scene.collected:
        seen = scene.collected
        unread = f", {seen.unread} not read completely" if seen.unread else ""
        typer.echo(f"Run {seen.run.id}: {seen.resources} resources in {seen.scopes} scopes{unread}.")
    if scene.baseline:
        baseline = scene.baseline
        typer.echo(f"Baseline {baseline.id} approved by {baseline.approval.by}: {baseline.entries} findings covered.")
    for act in scene.acts:
        typer.echo(_hanging(act.did, "  · ", room))
    if scene.report:
        typer.echo("")
        typer.echo(rendered(scene.report, "table", None), nl=False)
    if scene.code is not None:
        typer.secho(f"exit {scene.code}", dim=True)


def _hanging(text: str, mark: str, width: int) -> str:
    """Over lines that end with a word, all below the first one's text; a longer word stays whole, to be copied."""
    below = " " * len(mark)
    return fill(text, width, initial_indent=mark, subsequent_indent=below, break_long_words=False,
                break_on_hyphens=False)  # fmt: skip


def _exports(endpoints: "Endpoints", config: Path) -> Iterator[str]:
    for name, value in {**endpoints.environment(), "SNAPBASE_CONFIG": str(config)}.items():
        yield f"export {name}={shlex.quote(value)}"


def _farewell(keep: bool, config: Path, endpoints: "Endpoints") -> None:
    from snapbase.report.listing import width

    typer.secho("\nWhat to type next", bold=True)
    if keep:
        typer.echo("In another terminal, with these clouds still up:\n")
        for line in _exports(endpoints, config):
            typer.echo(f"  {line}")
        typer.echo("")
        lines: tuple[tuple[str, str], ...] = (
            ("snapbase snapshots list --shared", "who can use what"),
            ("snapbase snapshots show UID", "one snapshot's whole story"),
            ("snapbase diff --from 1 --to 2", "the attack again"),
            ("snapbase approve-baseline --finding ID --reason …", "let one finding through"),
        )
    else:
        lines = (
            ("snapbase demo --keep", "the same, and the clouds stay up to play with"),
            ("snapbase diff", "what changed since the approved baseline"),
            ("snapbase approve-baseline --finding ID --reason …", "let one finding through"),
            ("snapbase snapshots show UID", "one snapshot's whole story"),
            ("snapbase collect --plan", "what a run with your own credentials would read"),
        )
    room = max(len(command) for command, _ in lines) + 2
    side_by_side = room + max(len(words) for _, words in lines) + 2 <= width()
    for command, words in lines:
        typer.echo(f"  {command:<{room}}{words}" if side_by_side else f"  {command}\n      {words}")


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
