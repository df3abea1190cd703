"""The command line: parse -> operation -> report -> exit code."""

import gc
import os
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.exceptions import TyperException


def main() -> None:
    """The console script. Every `SnapbaseError` becomes two lines on stderr and its own exit code.

    0 and 1 are said of findings only: whatever else ends a command, a bug too, ends it with 2.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    _take_any_text()
    # Nearly all that is made here lives until its report is written: to look through it after every 700th object (as
    # Python does) took a third of the time of a plan of 100,000 findings, 9.3 s instead of 6.5. Cycles still go, a
    # little later: the peak stays the same.
    gc.set_threshold(50_000)
    try:
        code = _command(sys.argv[1:])
    except KeyboardInterrupt:
        _say("snapbase: stopped. What was recorded stays; nothing was taken for deleted.")
        code = 2
    except BrokenPipeError:
        # What was to be said was not read to its end, so nothing may be taken for fine.
        code = 2
    except Exception as error:
        with suppress(OSError):
            traceback.print_exception(error)
        _say("snapbase: this is a bug in snapbase; nothing that was recorded is lost.")
        code = 2
    _let_go()
    sys.exit(code)


def _command(words: list[str]) -> int:
    """Not through Typer's own `main`, which says 1 of a closed pipe, as of findings, and 130 of Ctrl-C."""
    import typer
    from typer.exceptions import TyperException

    from snapbase.cli.app import app
    from snapbase.errors import SnapbaseError

    try:
        if sys.stdout is None:
            raise SnapbaseError("There is no standard output.", hint="--output FILE writes a report to a file.")
        command = typer.main.get_command(app)
        with command.make_context("snapbase", words) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as done:
        sys.stdout.flush()
        return done.exit_code
    except typer.Abort:
        _say("snapbase: stopped.")
        return 2
    except TyperException as error:
        _say(_usage(error))
        return 2
    except SnapbaseError as error:
        _say(f"snapbase: {error.message}")
        if error.hint:
            _say(f"  {error.hint}")
        return error.exit_code
    except UnicodeEncodeError:
        if all(_is_text(word) for word in words):
            raise
        _say("snapbase: An argument is not UTF-8.\n  Only the name of a file may be anything else.")
        return 2
    return 0


def _is_text(word: str) -> bool:
    """Python keeps bytes that are no text as halves of surrogate pairs."""
    return not any("\ud800" <= each <= "\udfff" for each in word)


def _usage(error: "TyperException") -> str:
    """Typer's own words for what was typed; where nothing was, the help."""
    context, told = getattr(error, "ctx", None), error.format_message()
    if context is None:
        return f"Error: {told}"
    if told == context.get_help():
        return told
    return f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\nError: {told}"


def _let_go() -> None:
    """Nothing may be left of what cannot be written: Python would try at its end, and exit with 120."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _take_any_text() -> None:
    """A report is UTF-8, whatever the locale; a terminal is given no other characters than it says it has."""
    out = sys.stdout
    if isinstance(out, TextIOWrapper) and out.encoding.lower() != "utf-8":
        out.reconfigure(encoding=out.encoding if out.isatty() else "utf-8", errors="backslashreplace")


def _say(text: str) -> None:
    """Lines on stderr; a cloud's own words may be in them."""
    from snapbase.cli.context import complain

    for line in text.split("\n"):
        complain(line)
