"""The command line: parse -> operation -> report -> exit code."""

import gc
import sys
import traceback


def main() -> None:
    """The console script. Every `SnapbaseError` becomes two lines on stderr and its own exit code."""
    from snapbase.cli.app import app
    from snapbase.errors import SnapbaseError

    # Nearly all that is made here lives until its report is written: to look through it after every 700th object (as
    # Python does) took a third of the time of a plan of 100,000 findings, 9.3 s instead of 6.5. Cycles still go, a
    # little later: the peak stays the same.
    gc.set_threshold(50_000)
    try:
        code = app(standalone_mode=False)
    except SnapbaseError as error:
        _say(f"snapbase: {error.message}")
        if error.hint:
            _say(f"  {error.hint}")
        code = error.exit_code
    except KeyboardInterrupt:
        _say("snapbase: stopped. What was recorded stays; nothing was taken for deleted.")
        code = 2
    except BrokenPipeError:
        # What was to be said was not read to its end, so nothing may be taken for fine.
        sys.stderr.close()
        code = 2
    except Exception as error:
        code = _click_error(error)
    sys.exit(code if isinstance(code, int) else 0)


def _click_error(error: Exception) -> int:
    """Usage errors in click's own words; anything else is a bug, told with its traceback, and no drift."""
    import click

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        _say("snapbase: stopped.")
        return 2
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    traceback.print_exception(error)
    _say("snapbase: this is a bug in snapbase; nothing that was recorded is lost.")
    return 2


def _say(text: str) -> None:
    """Lines on stderr; a cloud's own words may be in them."""
    from snapbase.report.text import plain

    for line in text.split("\n"):
        sys.stderr.write(f"{plain(line, 500)}\n")
