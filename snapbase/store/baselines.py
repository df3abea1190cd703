"""The approval log: append-only, each line chained to the one before by a hash over its canonical content."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection, RowMapping, insert, select

from snapbase.model import Approval, Baseline, BaselineScope, Pin
from snapbase.store import codec, pins, proofs, tables
from snapbase.store.bulk import insert_rows
from snapbase.store.pins import NO_PINS, InForce
from snapbase.store.writer import next_id

Sign: TypeAlias = Callable[[str], str]
"""The signature of a line's hash."""
APPROVALS = (BaselineScope.WHOLE, BaselineScope.PARTIAL)
_SINCE_EVIDENCE = frozenset({"about", "pending", "covered"})
"""Columns of which lines written before there was evidence know nothing; their hash leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """One line to be, with its pins in order: a later pin on the same entry wins."""

    scope: str
    run_id: int
    """The reviewed one."""
    rev: int
    """As of which everything is approved that no pin speaks of."""
    trust_id: int | None
    approval: Approval
    pins: Sequence[Pin] = ()
    claimed: Mapping[str, str]
    """The OS user and host, and what else was only claimed."""
    entries: int
    """How many findings it lets through."""
    pending: bool = False
    """It counts once somebody else confirms it."""
    about: int | None = None
    """The line that this one revokes or confirms."""


def append(connection: Connection, line: NewLine, *, sign: Sign | None = None) -> Baseline:
    """Appends one line with its pins. `sign`: what signs its hash."""
    columns = tables.baseline.c
    last = connection.execute(select(columns.hash).order_by(columns.id.desc()).limit(1)).scalar()
    baseline_id = next_id(connection, tables.baseline)
    covered: list[proofs.Proof] = []
    if line.scope in APPROVALS:
        whole = line.rev if line.scope == BaselineScope.WHOLE else None
        covered = proofs.of_line(connection, whole, line.trust_id, line.pins)
    row = {
        "id": baseline_id,
        "scope": line.scope,
        "run_id": line.run_id,
        "rev": line.rev,
        "trust_id": line.trust_id,
        **_approval(line.approval),
        "entries": line.entries,
        "claimed": codec.canonical(line.claimed).decode(),
        "prev_hash": last or "",
        "about": line.about,
        "pending": line.pending,
        "covered": proofs.root(covered),
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
            "origin": pin.approval.baseline_id,
        }
        for position, pin in enumerate(line.pins)
    ]
    row["hash"] = line_hash(row, rows)
    row["signature"] = sign(row["hash"]) if sign else ""
    connection.execute(insert(tables.baseline), [row])
    insert_rows(connection, tables.pin, [tuple(each[column.name] for column in tables.pin.columns) for each in rows])
    insert_rows(connection, tables.proof, [(baseline_id, *each) for each in covered])
    return from_row(row)


def line_hash(row: Mapping[str, Any], pins: Sequence[Mapping[str, Any]]) -> str:
    """Over every column of a line and of its pins, but the hash itself and the signature of it."""
    hidden = {"hash", "signature"} if row["covered"] else {"hash", "signature", *_SINCE_EVIDENCE}
    line = {name: value for name, value in row.items() if name not in hidden}
    if row["covered"]:
        return codec.digest(codec.canonical(line), codec.canonical(pins))
    older = [{name: value for name, value in pin.items() if name != "origin"} for pin in pins]
    return codec.digest(codec.canonical(line), codec.canonical(older))


def _approval(approval: Approval) -> dict[str, Any]:
    return {
        "who": codec.clean(approval.by),
        "at": codec.stamp(approval.at),
        "why": codec.clean(approval.reason),
        "ticket": codec.clean(approval.ticket),
        "until": codec.stamp(approval.until) if approval.until else None,
    }


def every(connection: Connection) -> list[Baseline]:
    """Every line, oldest first."""
    query = select(tables.baseline).order_by(tables.baseline.c.id)
    return [from_row(row) for row in connection.execute(query).mappings()]


def effective(connection: Connection, baseline_id: int | None) -> tuple[Baseline | None, InForce]:
    """The newest approval in force (up to one line), as of the revision of the whole one below it, and what it pins.

    Whether one of them has ended is for the caller to judge, by the clock of its run.
    """
    lines = [each for each in every(connection) if baseline_id is None or each.id <= baseline_id]
    if not lines or (baseline_id is not None and lines[-1].id != baseline_id):
        return None, NO_PINS
    layers = in_force(lines)
    if not layers:
        return None, NO_PINS
    whole = layers[0] if layers[0].scope == BaselineScope.WHOLE else None
    # A whole approval carries on what was let through until a date, with the value below it: revoked, that one shows.
    found = pins.of_lines(connection, [each.id for each in layers], revocations(lines))
    carried = replace(layers[-1], rev=whole.rev if whole else 0, trust_id=whole.trust_id if whole else None)
    return carried, found


def in_force(lines: Sequence[Baseline]) -> list[Baseline]:
    """The approvals that count as of the last of these lines: the last whole one, and the partial ones above it.

    Revoked lines are skipped, and pending ones until somebody else confirmed them. A whole approval states everything
    anew: what lies below it comes back only when it is revoked.
    """
    revoked, confirmed = revocations(lines), confirmations(lines)
    counted = [
        each
        for each in lines
        if each.scope in APPROVALS and each.id not in revoked and (not each.pending or each.id in confirmed)
    ]
    whole = [place for place, each in enumerate(counted) if each.scope == BaselineScope.WHOLE]
    return counted[whole[-1] :] if whole else counted


def revocations(lines: Sequence[Baseline]) -> dict[int, Baseline]:
    """The revoked lines, with what revoked each."""
    return {each.about: each for each in lines if each.scope == BaselineScope.REVOKED and each.about is not None}


def confirmations(lines: Sequence[Baseline]) -> dict[int, Baseline]:
    return {each.about: each for each in lines if each.scope == BaselineScope.CONFIRMED and each.about is not None}


def pending(lines: Sequence[Baseline]) -> list[Baseline]:
    """The approvals that wait for somebody else."""
    said = revocations(lines).keys() | confirmations(lines).keys()
    return [each for each in lines if each.pending and each.id not in said]


def from_row(row: Mapping[str, Any] | RowMapping) -> Baseline:
    return Baseline(
        id=row["id"],
        scope=row["scope"],
        run_id=row["run_id"],
        rev=row["rev"],
        trust_id=row["trust_id"],
        approval=codec.approval_of(row["id"], row["who"], row["at"], row["why"], row["ticket"], row["until"]),
        entries=row["entries"],
        claimed=orjson.loads(row["claimed"]),
        hash=row["hash"],
        about=row["about"],
        pending=bool(row["pending"]),
        covered=row["covered"],
        signature=row["signature"],
    )
