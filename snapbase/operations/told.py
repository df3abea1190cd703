"""What was told to whom, in a file beside the store: everything is told once by each way, and again when it gets worse.

It is written after a delivery, so that a crash tells something twice and never not at all.
"""

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from snapbase.config import data_folder
from snapbase.errors import Busy, ConfigurationError
from snapbase.store.database import place


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was told: how bad it was then (0 is worst), and when."""

    rank: int
    at: datetime


@dataclass(slots=True)
class Told:
    """By way, then by what was told."""

    path: Path
    ways: dict[str, dict[str, Entry]] = field(default_factory=dict)
    problem: str = ""
    """Why it cannot be kept: all of it will be told again."""
    written: bool = False

    def is_new(self, way: str, thing: str, rank: int) -> bool:
        """Not told by this way yet, or not as bad."""
        entry = self.ways.get(way, {}).get(thing)
        return entry is None or rank < entry.rank

    def add(self, way: str, things: Mapping[str, int], at: datetime) -> None:
        self.ways.setdefault(way, {}).update({thing: Entry(rank, at) for thing, rank in things.items()})
        self._write()

    def forget(self, standing: Collection[str], since: Mapping[str, datetime]) -> None:
        """What does not stand any more is news when it comes back.

        `since`: by what a thing begins with, until when it must have been told for that.
        """
        before = {way: len(things) for way, things in self.ways.items()}
        for way, things in self.ways.items():
            self.ways[way] = {
                thing: entry
                for thing, entry in things.items()
                if thing in standing or any(thing.startswith(start) and entry.at > at for start, at in since.items())
            }
        if before != {way: len(things) for way, things in self.ways.items()}:
            self._write()

    def _write(self) -> None:
        body = {
            way: {thing: [entry.rank, entry.at.isoformat()] for thing, entry in things.items()}
            for way, things in self.ways.items()
        }
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(orjson.dumps(body))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            self.written = True
        except OSError as error:
            self.problem = f"What was told cannot be kept in {self.path}: {error.strerror}."


Ways = dict[str, dict[str, Entry]]


@contextmanager
def kept(store_url: str, unkept: Mapping[str, Mapping[str, Entry]] | None = None) -> Iterator[Told]:
    """What was told of a store until now. One teller at a time: raises `Busy`.

    A file that is missing, damaged or out of reach counts as nothing told: rather twice than never. `unkept` is what
    whoever asks has told and could not write.
    """
    path = path_of(store_url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield Told(path, _both(_read(path), unkept or {}))
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another snapbase is telling what is new just now.") from None
        except OSError:  # no locks there: two at once may tell something twice
            pass
        yield Told(path, _both(_read(path), unkept or {}))
    finally:
        os.close(descriptor)


def _both(read: Ways, unkept: Mapping[str, Mapping[str, Entry]]) -> Ways:
    return read | {way: read.get(way, {}) | dict(things) for way, things in unkept.items()}


def path_of(store_url: str) -> Path:
    """Beside a store that is a file; else in the user's data folder, named by where the store is."""
    scheme, _, rest = store_url.partition("://")
    named = rest.partition("?")[0]
    file = named.removeprefix("/")
    if scheme.startswith("sqlite") and named.startswith("/") and file and not file.startswith(":"):
        return Path(f"{file}.told")
    name = f"{hashlib.sha256(place(store_url).encode()).hexdigest()[:16]}.told"
    try:
        return data_folder() / "notify" / name
    except ConfigurationError:  # where nothing can be kept: what is new is told again by each run, rather than never
        return Path(os.devnull) / name


def _read(path: Path) -> Ways:
    try:
        body = orjson.loads(path.read_bytes())
        return {way: {thing: _entry(*told) for thing, told in things.items()} for way, things in body.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _entry(rank: int, at: str) -> Entry:
    return Entry(int(rank), datetime.fromisoformat(at).astimezone(UTC))
