"""`demo` and `sandbox`: the local clouds."""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
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
    typer.secho(f"\n{scene.title}", bold=True)
    if scene.command:
        typer.secho(f"$ {scene.command}", dim=True)
    if scene.collected:
        seen = scene.collected
        unread = f", {seen.unread} not read completely" if seen.unread else ""
        typer.echo(f"Run {seen.run.id}: {seen.resources} resources in {seen.scopes} scopes{unread}.")
    if scene.baseline:
        baseline = scene.baseline
        typer.echo(f"Baseline {baseline.id} approved by {baseline.approval.by}: {baseline.entries} findings covered.")
    for act in scene.acts:
        typer.echo(f"  · {act.did}")
    if scene.report:
        typer.echo("")
        typer.echo(rendered(scene.report, "table", None), nl=False)
    if scene.code is not None:
        typer.secho(f"exit {scene.code}", dim=True)


def _exports(endpoints: "Endpoints", config: Path) -> Iterator[str]:
    for name, value in {**endpoints.environment(), "SNAPBASE_CONFIG": str(config)}.items():
        yield f"export {name}={shlex.quote(value)}"


def _farewell(keep: bool, config: Path, endpoints: "Endpoints") -> None:
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
    for command, words in lines:
        typer.echo(f"  {command:<50} {words}")


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
