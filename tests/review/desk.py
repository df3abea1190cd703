"""A small estate with an approved first run and a second one to review; and the desk to review it at."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from snapbase.errors import UsageError
from snapbase.model import Observation, Outcome
from snapbase.operations import approve as approving
from snapbase.operations.diff import finished_run
from snapbase.operations.trusting import to_bytes
from snapbase.review.desk import Desk
from snapbase.store import Store
from snapbase.trust import TrustList
from tests.store.world import AMERICA, EUROPE, OUTSIDER, PUBLIC, grant, minute, reading, seen, snapshot

TRUST = to_bytes(TrustList(own=frozenset({"111122223333"})))
HOSTILE = (
    "[bold red]x[/] \x1b[31mred\x1b]0;owned\x07 \u202egnp.exe\u200b [@click=app.quit]click[/] :skull:\n" + "z" * 400
)
SHARED = ("orders", "ledger", "backups")


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/store/snapbase.db"


def estate(url: str, *, attacked: bool = True, readable: bool = True, approved: bool = True) -> None:
    """Run 1 is approved whole. In run 2 three snapshots are shared with an outsider, one with everyone, one is new."""
    names = (*SHARED, "public", "quiet")
    with Store.open(url, write=True) as store:
        _run(store, 0, [seen(snapshot(name)) for name in names])
        request = approving.Request(run=finished_run(store), by="ada", reason="day one")
        if approved:
            approving.approve(store, approving.plan(store, request), at=minute(5))
        shares = {name: {grant(OUTSIDER)} for name in SHARED} | {"public": {grant(PUBLIC)}}
        now = [seen(snapshot(name), shares.get(name, ()) if attacked else ()) for name in names]
        fresh = replace(snapshot("hostile"), name=HOSTILE, tags={HOSTILE: HOSTILE}, facts={"description": HOSTILE})
        _run(store, 10, [*now, seen(fresh)] if attacked else now, readable=readable)


def _run(store: Store, at: int, found: Sequence[Observation], *, readable: bool = True) -> None:
    run = store.begin_run("", "config", minute(at))
    store.record(run, reading(EUROPE, at + 1, found))
    listed = Outcome.COMPLETE if readable else Outcome.DENIED
    store.record(run, reading(AMERICA, at + 1, [], listed=listed))
    store.finish_run(run, trust=TRUST, at=minute(at + 2))


def desk_of(url: str, store: Store, *, pending: bool = False) -> Desk:
    return Desk(
        store=store,
        write=lambda: Store.open(url, write=True),
        run=finished_run(store, 2),
        by="grace",
        moment=_days,
        pending=pending,
    )


def _days(text: str) -> datetime:
    if not text.endswith("d"):
        raise UsageError(f"{text} is not a date.", hint="Write 30d.")
    return datetime.now(UTC) + timedelta(days=int(text[:-1]))
