"""Approved cohorts: a line of the approval log pins each by the digest of its content, which lies beside the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from snapbase.model import Approval, Grant, Principal, Scope
from snapbase.rotation.cohort import SUBJECT, Approved, Cohort, Place, Rhythm
from snapbase.store import baselines, codec, tables

ENTRY = "cohort:"
"""What the pin's entry begins with; the digest of the cohort's body follows, so that the log's hash covers it."""


@dataclass(frozen=True, slots=True)
class Approvals:
    """The cohorts that count, by origin, and what must be said of those that do not."""

    cohorts: Mapping[str, Approved]
    ended: tuple[tuple[str, Approval], ...] = ()
    """Origins whose newest approval has ended."""
    altered: tuple[str, ...] = ()
    """Origins whose content is not what was approved."""


def subject(origin: str) -> str:
    return f"{SUBJECT}{codec.clean(origin)}"


def entry(body: bytes) -> str:
    return f"{ENTRY}{codec.digest(body)}"


def save(connection: Connection, baseline_id: int, bodies: Mapping[str, bytes]) -> None:
    """The content that a line of the log has pinned."""
    rows = [
        {"baseline_id": baseline_id, "origin": codec.clean(origin), "body": body.decode()}
        for origin, body in bodies.items()
    ]
    if rows:
        connection.execute(insert(tables.cohort), rows)


def approved(connection: Connection, at: datetime, up_to: int | None) -> Approvals:
    """Of each origin the newest approval that is in force and has not ended; a later whole approval leaves it alone."""
    pins = _pins(connection, up_to)
    if not pins:
        return Approvals({})
    found: dict[str, Approved] = {}
    ended: list[tuple[str, Approval]] = []
    altered: list[str] = []
    newest: set[str] = set()
    for baseline_id, origin, digest, approval in pins:
        over = approval.until is not None and at >= approval.until
        if over and origin not in newest:
            ended.append((origin, approval))
        newest.add(origin)
        if over or origin in found or origin in altered:
            continue
        body = _body(connection, baseline_id, origin)
        if body is None or entry(body) != digest:
            altered.append(origin)
            continue
        cohort, low_trust = decode(body)
        found[origin] = Approved(cohort, approval, low_trust)
    return Approvals(found, tuple(ended), tuple(altered))


def _pins(connection: Connection, up_to: int | None) -> list[tuple[int, str, str, Approval]]:
    """(line, origin, entry, approval) of every cohort in force, newest first."""
    pin = tables.pin.c
    query = (
        select(pin.baseline_id, pin.subject, pin.entry, pin.who, pin.at, pin.why, pin.ticket, pin.until)
        .where(pin.subject.startswith(SUBJECT, autoescape=True), pin.entry.startswith(ENTRY, autoescape=True))
        .order_by(pin.id.desc())
    )
    rows = [row for row in connection.execute(query) if up_to is None or row[0] <= up_to]
    if not rows:
        return []
    lines = [each for each in baselines.every(connection) if up_to is None or each.id <= up_to]
    revoked, confirmed = baselines.revocations(lines), baselines.confirmations(lines)
    counted = {each.id for each in lines if each.id not in revoked and (not each.pending or each.id in confirmed)}
    return [
        (line, name.removeprefix(SUBJECT), digest, _approval(line, *words))
        for line, name, digest, *words in rows
        if line in counted
    ]


def _approval(line: int, who: str, at: str, why: str, ticket: str, until: str | None) -> Approval:
    return Approval(who, codec.moment(at), why, ticket, codec.optional_moment(until), line)


def _body(connection: Connection, baseline_id: int, origin: str) -> bytes | None:
    columns = tables.cohort.c
    query = select(columns.body).where(columns.baseline_id == baseline_id, columns.origin == origin)
    found = connection.execute(query).scalar()
    return None if found is None else str(found).encode()


def encode(cohort: Cohort, *, low_trust: bool) -> bytes:
    """Canonical: the same cohort gives the same bytes."""
    scopes = sorted(cohort.scopes)
    numbers = {scope: number for number, scope in enumerate(scopes)}
    series = [
        [numbers[place.scope], place.source, strain, each.keep, each.low, each.high, each.points, each.most,
         each.retired]
        for place, strains in sorted(cohort.series.items())
        for strain, each in sorted(strains.items())
    ]  # fmt: skip
    return codec.canonical(
        {
            "origin": cohort.origin,
            "evidence": cohort.evidence,
            "low_trust": low_trust,
            "scopes": [[each.cloud, each.account, each.location, each.kind] for each in scopes],
            "series": series,
            "keys": sorted(cohort.keys),
            "encrypted": _flags(cohort.encrypted),
            "grants": None if cohort.grants is None else sorted(map(codec.grant_key, cohort.grants)),
            "destinations": sorted(cohort.destinations),
            "postures": {name: sorted(values) for name, values in cohort.postures.items()},
            "policy": cohort.policy,
            "actors": sorted(cohort.actors),
        }
    )


def _flags(values: frozenset[bool | None]) -> list[bool | None]:
    return [flag for flag in (None, False, True) if flag in values]


def decode(body: bytes) -> tuple[Cohort, bool]:
    """The cohort, and whether it is of low trust."""
    read = orjson.loads(body)
    scopes = [Scope(*each) for each in read["scopes"]]
    series: dict[Place, dict[str, Rhythm]] = {}
    for number, source, strain, *rhythm in read["series"]:
        series.setdefault(Place(scopes[number], source), {})[strain] = Rhythm(*rhythm)
    grants = read["grants"]
    cohort = Cohort(
        origin=read["origin"],
        evidence=read["evidence"],
        series=series,
        keys=frozenset(read["keys"]),
        encrypted=frozenset(read["encrypted"]),
        grants=None if grants is None else frozenset(map(_grant, grants)),
        destinations=frozenset(read["destinations"]),
        postures={name: frozenset(values) for name, values in read["postures"].items()},
        policy=read["policy"],
        actors=frozenset(read.get("actors", ())),  # those approved before logs were asked have none
    )
    return cohort, bool(read["low_trust"])


def _grant(key: Sequence[Any]) -> Grant:
    kind, name, access, mechanism, condition, expires = key
    return Grant(Principal(kind, name), access, mechanism, condition, codec.optional_moment(expires))
