"""What every command starts from: the options before the command's name, the configuration, the store."""

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from snapbase.errors import SnapbaseError, UsageError

if TYPE_CHECKING:
    from snapbase.settings import Config
    from snapbase.store import Store

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration file (SNAPBASE_CONFIG).", show_default=False)
]
StoreOption = Annotated[str | None, typer.Option("--store", help="Store URL (SNAPBASE_STORE_URL).", show_default=False)]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary on stderr.")]


def _table_or_json(given: str) -> str:
    if given not in ("table", "json"):
        raise UsageError(f"There is no format {given!r}.", hint="There are json, table.")
    return given


TableOption = Annotated[str, typer.Option("--format", "-f", help="table or json.", callback=_table_or_json)]
FormatOption = Annotated[str, typer.Option("--format", "-f", help="table, json, csv, markdown, html or sarif.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the report there (mode 0600).")]
CloudOption = Annotated[list[str] | None, typer.Option("--cloud", help="aws, azure or gcp; repeatable.")]
AccountOption = Annotated[list[str] | None, typer.Option("--account", help="Account, subscription or project.")]
RegionOption = Annotated[list[str] | None, typer.Option("--region", help="Region or `global`; repeatable.")]
KindOption = Annotated[list[str] | None, typer.Option("--kind", help="Such as aws.ec2.snapshot; globs; repeatable.")]

OwnerOption = Annotated[list[str] | None, typer.Option("--owner", help="Accounts of this owner; repeatable.")]
TeamOption = Annotated[list[str] | None, typer.Option("--team", help="Accounts of this team; repeatable.")]
EnvironmentOption = Annotated[list[str] | None, typer.Option("--environment", help="Such as production; repeatable.")]


@dataclass(frozen=True, slots=True)
class Globals:
    config_path: Path | None
    store_url: str | None
    quiet: bool


def configuration(context: typer.Context) -> "Config":
    from snapbase.config import load

    given: Globals = context.obj
    return load(given.config_path, os.environ)


@contextmanager
def opened(context: typer.Context, config: "Config", *, write: bool = False) -> Iterator["Store"]:
    """The store named by `--store`, the environment, the configuration, or the user's data folder."""
    from snapbase.store import Store

    with Store.open(store_place(context, config), write=write) as store:
        yield store


def store_place(context: typer.Context, config: "Config") -> str:
    """The URL of that store."""
    from snapbase.config import store_url

    given: Globals = context.obj
    return store_url(config) if given.store_url is None else given.store_url


def say(context: typer.Context, line: str) -> None:
    """A line for people: stderr, unless quiet."""
    given: Globals = context.obj
    if not given.quiet:
        complain(line)


def warn(lines: Iterable[str]) -> None:
    """What went wrong: stderr, however quiet."""
    for line in lines:
        complain(f"snapbase: {line}")


def complain(line: str) -> None:
    """A line on stderr. Where that is full, or its reader is gone, what was begun goes on: the report matters more."""
    from snapbase.report.text import plain

    with suppress(OSError):
        sys.stderr.write(f"{plain(line, 500)}\n")


def publish(text: str, output: Path | None) -> None:
    """The report itself: stdout, or a file that only its owner can read."""
    try:
        if output is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        _save(text, output)
    except BrokenPipeError:
        raise
    except OSError as error:
        where, why = output or "The standard output", error.strerror or str(error)
        raise SnapbaseError(f"{where} cannot be written: {why}.", hint="Name a file that can: --output FILE.") from None


_IN_PLACE = {errno.EPERM, errno.EACCES, errno.EROFS, errno.EBUSY}
"""Why a file may not be replaced that may be written to: its folder is another's, or it is a mount of its own."""


def _save(text: str, output: Path) -> None:
    """All at once: a disk that is full leaves the report that was there.

    Pipes, devices, and files that are open already (/dev/stdout) are written to as they are.
    """
    before = output.stat() if output.exists() else None
    if before is None or (stat.S_ISREG(before.st_mode) and not _is_open(before)):
        try:
            _replace(Path(os.path.realpath(output)), text, before)
            return
        except OSError as error:
            if before is None or error.errno not in _IN_PLACE:
                raise
    _write(os.open(output, os.O_WRONLY | os.O_TRUNC), text)


def _replace(place: Path, text: str, before: os.stat_result | None) -> None:
    descriptor, part = tempfile.mkstemp(prefix=".snapbase-", dir=place.parent)
    try:
        if before is not None and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        _write(descriptor, text)
        os.replace(part, place)
    except BaseException:
        os.unlink(part)
        raise


def _write(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if is_file:  # /dev/null is everybody's
            os.fchmod(descriptor, 0o600)
        file.write(text)
        if is_file:
            file.flush()
            os.fsync(descriptor)


def _is_open(found: os.stat_result) -> bool:
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):
            if os.path.samestat(os.fstat(int(name)), found):
                return True
    return False


def refuse_empty(option: str, *given: str | None) -> None:
    """A word that is not there: a script's variable that is not set would name everything, or nobody."""
    if any(each is not None and not each.strip() for each in given):
        raise UsageError(f"{option} is empty.", hint=f"Say what is meant, or leave {option} out.")


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


_LONGEST = timedelta(days=36_500)


def duration(text: str) -> timedelta:
    """`30s`, `90m`, `24h`, `7d`, `2w`; a century at most."""
    if not _is_duration(text):
        raise UsageError(f"{text!r} is not a length of time.", hint="Write 90m, 24h, 7d or 2w.")
    try:
        found = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    except (OverflowError, ValueError):
        found = timedelta.max
    if found > _LONGEST:
        raise UsageError(f"{text[:40]!r} is too long.", hint=f"A length of time is {_LONGEST.days}d at most.")
    return found


def _is_duration(text: str) -> bool:
    return text[-1:] in _UNITS and text[:-1].isdecimal()


def moment(text: str) -> datetime:
    """An end: a date (its last moment, UTC), an RFC 3339 time, or a length of time from now."""
    if _is_duration(text):
        return datetime.now(UTC) + duration(text)
    try:
        at = datetime.fromisoformat(text)
        if len(text) == 10:
            at += timedelta(days=1)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError:
        raise UsageError(f"{text!r} is not a date.", hint="Write 2026-12-31, an RFC 3339 time, or 30d.") from None
    except OverflowError:
        raise UsageError(f"{text!r} is the end of all dates.", hint="Leave it out where there is no end.") from None
