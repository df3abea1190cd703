"""`watch`: the command that stays."""

import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.cli.collecting import stopping
from snapbase.cli.context import FormatOption, configuration, duration, opened, publish, say, store_place, warn
from snapbase.errors import UsageError

if TYPE_CHECKING:
    from snapbase.operations.notify import Teller
    from snapbase.operations.watch import Round


def watch(
    context: typer.Context,
    every: Annotated[str | None, typer.Option(help="From one round to the next: 30s, 5m.")] = None,
    full: Annotated[str | None, typer.Option(help="How often everything is read: 30m, 1h.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop after so many rounds, with run's exit code.")] = None,
    fmt: FormatOption = "table",
    fail_on: Annotated[str | None, typer.Option(help="Lowest severity that counts as drift.")] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Exit 0 where the only trouble is coverage.")] = False,
) -> None:
    """Ask the audit logs again and again, read at once what they name, and print each new finding once.

    The first round reads everything and prints all of the drift. Where the configuration has a queue, what it names is
    read within seconds, and printed again once the log says who did it. Other commands may write between rounds.
    Whoever is to be notified is told as `run` tells them.
    """
    from snapbase.cli.reporting import known_format, known_severity
    from snapbase.operations import watch as operation
    from snapbase.operations.diff import exit_code
    from snapbase.operations.notify import Teller

    config = configuration(context)
    if not config.audit.enabled:
        raise UsageError("There is nothing to watch without audit logs.", hint="Set audit.enabled = true.")
    given = {"every": every, "full": full}
    paces = {name: duration(text).total_seconds() for name, text in given.items() if text is not None}
    if any(seconds <= 0 for seconds in paces.values()):
        raise UsageError("--every and --full take at least a second.")
    config = config.model_copy(update={"watch": config.watch.model_copy(update=paces)})
    level = config.report.fail_on if fail_on is None else fail_on
    known_severity(level)
    known_format(fmt)
    stop = threading.Event()
    whole = None
    teller = Teller(config.notify, store_place(context, config))
    try:
        with opened(context, config, write=True) as store, stopping(stop):
            for found in operation.rounds(store, config, count=rounds, stop=stop):
                whole = found.whole or whole
                try:
                    _print(context, found, fmt)
                finally:  # whoever reads it may be gone
                    _tell(teller, found)
    except BrokenPipeError:
        raise
    except Exception as error:
        warn(teller.tell_failure(error))
        raise
    raise typer.Exit(2 if whole is None else exit_code(whole, fail_on=level, allow_incomplete=allow_incomplete))


def _print(context: typer.Context, found: "Round", fmt: str) -> None:
    from snapbase.cli.reporting import rendered
    from snapbase.report.text import plain

    for note in found.notes:
        say(context, plain(note, 500))
    if found.fresh is not None:
        publish(rendered(found.fresh, fmt, None), None)
        sys.stdout.flush()


def _tell(teller: "Teller", found: "Round") -> None:
    if found.failure is not None:
        warn(teller.tell_failure(found.failure))
    if found.whole is not None:
        warn(teller.tell(found.whole, found.failure))
