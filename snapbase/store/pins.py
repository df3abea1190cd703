"""The pins that count: there can be a hundred thousand, so they stay in the database and are asked for by subject."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from snapbase.model import Approval, Pin
from snapbase.store import codec, tables
from snapbase.store.history import among, chunks

AROUND = ("scope:", "trust:", "origin:", "event:")
"""How the subjects begin that are no resource: coverage, the trust list, cohorts and events."""
_ENDED = datetime.min.replace(tzinfo=UTC)
_PART = 20_000


@dataclass(frozen=True, slots=True)
class InForce:
    """Which pins count."""

    lines: tuple[int, ...] = ()
    """Those of these lines of the approval log."""
    taken_back: tuple[int, ...] = ()
    """Of what a whole approval carried on until a date, not what these lines had let through: they were revoked."""
    around: tuple[Pin, ...] = ()
    """Those of them, newest first, whose subject is no resource."""
    trust_ids: frozenset[int] = frozenset()
    """The rows of the trust lists that they were approved under."""
    ends: bool = False
    """Some of them have an end."""
    timed: bool = True
    """False: as if every approval with an end had ended."""

    def without_deadlines(self) -> "InForce":
        """The same, as if every approval that has an end had ended."""
        return replace(self, around=tuple(map(_ended, self.around)), timed=False)

    def counting(self) -> ColumnElement[bool]:
        """In a query of the table of pins: those that count, also where they have ended."""
        pin = tables.pin.c
        stands = or_(pin.until.is_(None), pin.origin.is_(None), pin.origin.not_in(self.taken_back))
        return and_(pin.baseline_id.in_(self.lines), stands)

    def live(self, at: datetime | None) -> ColumnElement[bool]:
        """In a query of the table of pins: those that count and have not ended by then."""
        until = tables.pin.c.until
        endless = until.is_(None)
        if not self.timed:
            return and_(self.counting(), endless)
        return self.counting() if at is None else and_(self.counting(), or_(endless, until > codec.stamp(at)))


NO_PINS = InForce()


def of_lines(connection: Connection, lines: Collection[int], taken_back: Collection[int]) -> InForce:
    """Those of some lines of the approval log, but what these carry on of others that were revoked."""
    chosen = InForce(tuple(lines), tuple(taken_back))
    pin = tables.pin.c
    around = or_(*(pin.subject.startswith(each, autoescape=True) for each in AROUND))
    kinds = connection.execute(select(pin.trust_id, pin.until.is_not(None)).where(chosen.counting()).distinct()).all()
    return replace(
        chosen,
        around=_load(connection, chosen, around),
        trust_ids=frozenset(trust_id for trust_id, _ in kinds if trust_id is not None),
        ends=any(end for _, end in kinds),
    )


def on(connection: Connection, chosen: InForce, subjects: Collection[str]) -> dict[str, list[Pin]]:
    """The pins of each of some subjects, newest first."""
    found: dict[str, list[Pin]] = {}
    for part in chunks(subjects, _PART) if chosen.lines else ():
        for pin in _load(connection, chosen, among(connection, tables.pin.c.subject, part)):
            found.setdefault(pin.subject, []).append(pin)
    return found


def of_entries(connection: Connection, chosen: InForce, entries: Collection[str]) -> tuple[Pin, ...]:
    """The pins of some entries, newest first."""
    return _load(connection, chosen, tables.pin.c.entry.in_(entries))


def _load(connection: Connection, chosen: InForce, where: ColumnElement[bool]) -> tuple[Pin, ...]:
    if not chosen.lines:
        return ()
    found = _pins(connection, and_(chosen.counting(), where))
    return found if chosen.timed else tuple(map(_ended, found))


def of_line(connection: Connection, baseline_id: int) -> tuple[Pin, ...]:
    """The pins of one line, newest first."""
    return _pins(connection, tables.pin.c.baseline_id == baseline_id)


def _pins(connection: Connection, where: ColumnElement[bool]) -> tuple[Pin, ...]:
    pin = tables.pin.c
    value = (pin.subject, pin.entry, pin.rev, pin.trust_id, pin.held)
    query = select(pin.baseline_id, pin.origin, *value, pin.who, pin.at, pin.why, pin.ticket, pin.until)
    approvals: dict[tuple[Any, ...], Approval] = {}
    found: list[Pin] = []
    for line, origin, subject, entry, rev, trust_id, held, *said in connection.execute(
        query.where(where).order_by(pin.id.desc())
    ).all():
        key = (origin or line, *said)
        approval = approvals.get(key)  # thousands of pins share one
        if approval is None:
            approval = approvals[key] = codec.approval_of(*key)
        found.append(Pin(subject, entry, rev, trust_id, approval, bool(held)))
    return tuple(found)


def _ended(pin: Pin) -> Pin:
    return replace(pin, approval=replace(pin.approval, until=_ENDED)) if pin.approval.until else pin
