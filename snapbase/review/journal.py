"""Decisions on disk: one line for each step, so that quitting, or a crash, loses none. Readable by their owner only."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from snapbase.config import data_folder
from snapbase.errors import Busy, StoreError
from snapbase.model import Run
from snapbase.review.decisions import Choice, Decision, Decisions, Did, Event, Saved, Undid
from snapbase.store.database import place


def path_of(store_url: str, run: Run, folder: Path | None = None) -> Path:
    """One file for each store and run; a store that was made anew has other runs, even where their numbers return."""
    folder = folder or data_folder() / "review"
    key = f"{place(store_url)}\n{run.id}\n{run.started_at.isoformat()}"
    return folder / f"run-{run.id}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.jsonl"


@contextmanager
def kept(path: Path) -> Iterator[Decisions]:
    """The decisions of a file, which is written as they are made. One reviewer at a time; raises `Busy`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"The decisions cannot be kept in {path}: {error.strerror}.") from error
    try:
        os.fchmod(descriptor, 0o600)
        _only_one(descriptor)
        decisions = Decisions()
        decisions.replay(_events(descriptor, path))
        decisions.record_with(lambda event: _append(descriptor, path, event))
        yield decisions
    finally:
        os.close(descriptor)


def _only_one(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy("This run is being reviewed in another terminal.", hint="Quit there: decisions are kept.") from None


def _events(descriptor: int, path: Path) -> Iterator[Event]:
    """Every whole line; what a crash left of the last one is cut off."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        whole = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                os.ftruncate(descriptor, whole)
                return
            whole += len(line)
            try:
                yield _event(orjson.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                hint = "Move the file away to begin again; what was saved stays approved."
                raise StoreError(f"Line {number} of {path} is not a decision.", hint=hint) from error


def _event(body: Any) -> Event:
    if "did" in body:
        found = {str(key): (choice, str(note)) for key, (choice, note) in body["did"].items()}
        return Did({key: Decision(Choice(choice) if choice else None, note) for key, (choice, note) in found.items()})
    if "saved" in body:
        return Saved(int(body["baseline"]), tuple(str(each) for each in body["saved"]))
    if body == {"undid": True}:
        return Undid()
    raise ValueError(body)


def _append(descriptor: int, path: Path, event: Event) -> None:
    match event:
        case Did(step):
            body: dict[str, Any] = {"did": {key: [each.choice, each.note] for key, each in step.items()}}
        case Saved(baseline, ids):
            body = {"saved": ids, "baseline": baseline}
        case Undid():
            body = {"undid": True}
    line = orjson.dumps(body) + b"\n"
    before = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, line)
        if written == len(line):
            return
        reason = "no space"
    except OSError as error:
        reason = error.strerror or "not writable"
    os.ftruncate(descriptor, before)
    raise StoreError(f"The decision could not be kept in {path}: {reason}.")
