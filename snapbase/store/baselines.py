"""The approval log: append-only, each line chained to the one before by a hash over its canonical content."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, insert, select

from snapbase.model import Approval, Baseline, BaselineScope, Pin
from snapbase.store import codec, tables
from snapbase.store.writer import next_id


def append(
    connection: Connection,
    *,
    scope: str,
    run_id: int,
    rev: int,
    trust_id: int | None,
    approval: Approval,
    pins: Sequence[Pin],
    claimed: Mapping[str, str],
    entries: int,
) -> Baseline:
    """Appends one approval with its pins, in order: a later pin on the same entry wins."""
    columns = tables.baseline.c
    last = connection.execute(select(columns.hash).order_by(columns.id.desc()).limit(1)).scalar()
    baseline_id = next_id(connection, tables.baseline)
    row = {
        "id": baseline_id,
        "scope": scope,
        "run_id": run_id,
        "rev": rev,
        "trust_id": trust_id,
        **_approval(approval),
        "entries": entries,
        "claimed": codec.canonical(claimed).decode(),
        "prev_hash": last or "",
    }
    first = next_id(connection, tables.pin)
    rows = [
        {
            "id": first + position,
            "baseline_id": baseline_id,
            "subject": pin.subject,
            "entry": pin.entry,
            "rev": pin.rev,
            "trust_id": pin.trust_id,
            "held": pin.held,
            **_approval(pin.approval),
        }
        for position, pin in enumerate(pins)
    ]
    row["hash"] = codec.digest(codec.canonical(row), codec.canonical(rows))
    connection.execute(insert(tables.baseline), [row])
    if rows:
        connection.execute(insert(tables.pin), rows)
    return _baseline(row)


def _approval(approval: Approval) -> dict[str, Any]:
    return {
        "who": approval.by,
        "at": codec.stamp(approval.at),
        "why": approval.reason,
        "ticket": approval.ticket,
        "until": codec.stamp(approval.until) if approval.until else None,
    }


def every(connection: Connection) -> list[Baseline]:
    """Every approval, oldest first."""
    query = select(tables.baseline).order_by(tables.baseline.c.id)
    return [_baseline(row) for row in connection.execute(query).mappings()]


def pins_of(connection: Connection, first: int, last: int) -> tuple[Pin, ...]:
    """The pins of some approvals in a row, newest first."""
    columns = tables.pin.c
    query = select(tables.pin).where(columns.baseline_id >= first, columns.baseline_id <= last)
    rows = connection.execute(query.order_by(columns.id.desc())).mappings()
    return tuple(_pin(row) for row in rows)


def effective(connection: Connection, baseline_id: int | None) -> tuple[Baseline | None, tuple[Pin, ...]]:
    """The newest approval (up to one id), carrying the revision of the last whole one below it, and the live pins.

    Pins come newest first; whether one has ended is for the caller to judge, by the clock of its run.
    """
    found = [each for each in every(connection) if baseline_id is None or each.id <= baseline_id]
    if not found or (baseline_id is not None and found[-1].id != baseline_id):
        return None, ()
    whole = next((each.id for each in reversed(found) if each.scope == BaselineScope.WHOLE), found[0].id)
    return found[-1], pins_of(connection, whole, found[-1].id)


def _baseline(row: Mapping[str, Any] | RowMapping) -> Baseline:
    return Baseline(
        id=row["id"],
        scope=row["scope"],
        run_id=row["run_id"],
        rev=row["rev"],
        trust_id=row["trust_id"],
        approval=_as_approval(row, row["id"]),
        entries=row["entries"],
        claimed=orjson.loads(row["claimed"]),
        hash=row["hash"],
    )


def _pin(row: RowMapping) -> Pin:
    approval = _as_approval(row, row["baseline_id"])
    return Pin(row["subject"], row["entry"], row["rev"], row["trust_id"], approval, bool(row["held"]))


def _as_approval(row: Mapping[str, Any] | RowMapping, baseline_id: int) -> Approval:
    until: datetime | None = codec.optional_moment(row["until"])
    return Approval(row["who"], codec.moment(row["at"]), row["why"], row["ticket"], until, baseline_id)
