"""What an approval covered, as digests over canonical content: recomputed from documents and grants, not from digests.

Every resource, grant, miss and coverage is a leaf. A whole approval has one digest for each scope as of its revision; a
pin has one for its subject as of the pin's. Row ids and revisions are no content: the same state gives the same digest
in every store, and in a file.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from snapbase.model import Pin
from snapbase.store import codec, tables
from snapbase.store.history import alive, chunks

SCOPE = "scope:"
"""How the subject of a pin on a scope's coverage begins."""
EMPTY_SCOPES = "every scope without a resource"
BESIDE = "what single approvals lean on"
"""What a line that pins something covers beside its subjects; lines from before that have no such proof."""
_STREAM = {"yield_per": 5_000}
Leaf = tuple[int, str, bytes]
"""(scope's row, uid or nothing, digest)."""


class Proof(NamedTuple):
    """The digest of one subject as of a revision; a trust list has none (0)."""

    subject: str
    rev: int
    digest: str


def is_resource(subject: str) -> bool:
    """Whether a pin's subject is something watched; trust lists and origins have digests of their own."""
    return not subject.startswith((SCOPE, "trust:", "origin:"))


def root(proofs: Iterable[Proof]) -> str:
    return codec.digest(codec.canonical(sorted(proofs)))


def leaf(*parts: Any) -> bytes:
    return hashlib.sha256(codec.canonical(parts)).digest()


def resource_leaf(
    scope: str, uid: str, address: str, subject: str | None, read: bool, profile: str, digest: str, document: str
) -> bytes:
    """`read`: its grants had been read by then; `profile`: the digest of what it shares with others."""
    return leaf("resource", scope, uid, address, subject, read, profile, digest, document)


def grant_leaf(scope: str, uid: str, terms: Sequence[str]) -> bytes:
    return leaf("grant", scope, uid, *terms)


def unread_leaf(scope: str, uid: str, outcome: str, reason: str) -> bytes:
    return leaf("unread", scope, uid, outcome, reason)


def coverage_leaf(scope: str, aspect: str, outcome: str, reason: str) -> bytes:
    return leaf("coverage", scope, aspect, outcome, reason)


def listed_leaf(scope: str) -> bytes:
    """The scope had been listed completely by then: only after that, absence was a fact."""
    return leaf("listed", scope)


def unlisted_leaf(scope: str, uid: str) -> bytes:
    """It was seen in the scope, which had not been listed completely by then: that it was not there was no fact."""
    return leaf("unlisted", scope, uid)


def folded(leaves: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(sorted(leaves))).hexdigest()


def profile_digest(digest: str, kind: str, body: str, guards: Iterable[str]) -> str:
    return codec.digest(digest.encode(), kind.encode(), body.encode(), codec.canonical(sorted(guards)))


def trust_proof(row_id: int, digest: str, body: str) -> Proof:
    return Proof(f"trust list {row_id}", 0, codec.digest(digest.encode(), body.encode()))


def everything_in(scope: str) -> str:
    return f"everything in {scope}"


def scope_name(cloud: str, account: str, location: str, kind: str) -> str:
    return f"{cloud}/{account}/{location}/{kind}"


def of_line(connection: Connection, whole: int | None, trust_id: int | None, pins: Sequence[Pin]) -> list[Proof]:
    """All that one line of the log stands on. `whole`: the revision it approved everything as of."""
    found = list(_everything(connection, whole)) if whole is not None else []
    last = newest(whole, (pin.rev for pin in pins))
    found += _pinned(connection, {(pin.subject, pin.rev) for pin in pins}, last)
    lists = {each for each in (trust_id, *(pin.trust_id for pin in pins)) if each is not None}
    columns = tables.trust.c
    for part in chunks(sorted(lists)):
        rows = connection.execute(select(columns.id, columns.digest, columns.body).where(columns.id.in_(part)))
        found += [trust_proof(*row) for row in rows]
    return found


def _everything(connection: Connection, rev: int) -> Iterator[Proof]:
    names = _names(connection)
    streams = [_resources(connection, rev, names), _grants(connection, rev, names), _unread(connection, rev, names)]
    around = [_coverage(connection, rev, names), _listed(connection, rev, names)]
    empty: list[bytes] = []
    for scope_id, leaves in groupby(merge(*streams, *around, key=itemgetter(0)), key=itemgetter(0)):
        found = list(leaves)
        if any(uid for _, uid, _ in found):
            yield Proof(everything_in(names[scope_id]), rev, folded(each for _, _, each in found))
        else:
            empty += [each for _, _, each in found]
    if empty:
        yield Proof(EMPTY_SCOPES, rev, folded(empty))


def _pinned(connection: Connection, pinned: set[tuple[str, int]], last: int) -> list[Proof]:
    """`last`: the newest revision that the line names."""
    names = _names(connection)
    by_rev: dict[int, list[str]] = {}
    for subject, rev in sorted(pinned):
        if is_resource(subject) or subject.startswith(SCOPE):
            by_rev.setdefault(rev, []).append(subject)
    found = []
    for rev, subjects in by_rev.items():
        listed = {scope_id: each for scope_id, _, each in _listed(connection, rev, names)}
        by_scope: dict[str, list[bytes]] = {each: [] for each in subjects if each.startswith(SCOPE)}
        for scope_id, _, each in _coverage(connection, rev, names) if by_scope else ():
            if (subject := f"{SCOPE}{names[scope_id]}") in by_scope:
                by_scope[subject].append(each)
        found += [Proof(subject, rev, folded(leaves)) for subject, leaves in by_scope.items()]
        beside = [each for scope_id, each in listed.items() if f"{SCOPE}{names[scope_id]}" in by_scope]
        guards: set[str] = set()
        for part in chunks(each for each in subjects if is_resource(each)):
            rows = [row for row in seen(connection, part) if row.first <= last]
            found += _subjects(connection, rev, part, rows, names, listed)
            beside += [unlisted_leaf(names[row.scope_id], row.uid) for row in rows if row.scope_id not in listed]
            guards |= _behind(connection, rev, [row.id for row in rows])
        found.append(Proof(BESIDE, rev, folded([*beside, *_in_front(connection, rev, guards, names)])))
    return found


def _subjects(
    connection: Connection,
    rev: int,
    uids: Sequence[str],
    rows: Sequence[Any],
    names: Mapping[int, str],
    listed: Mapping[int, bytes],
) -> Iterator[Proof]:
    """A subject that was not there leaves that its scopes were listed: those in which it had been seen (`rows`)."""
    leaves: dict[str, list[bytes]] = {uid: [] for uid in uids}
    for row in rows:
        leaves[row.uid].append(listed.get(row.scope_id, b""))
    for _, uid, each in _leaves(connection, rev, names, [row.id for row in rows]):
        leaves[uid].append(each)
    return (Proof(uid, rev, folded(found)) for uid, found in leaves.items())


def _behind(connection: Connection, rev: int, ids: Sequence[int]) -> set[str]:
    """What some resources lay behind."""
    guard, version = tables.profile_guard.c, tables.version
    query = select(guard.guard).join_from(version, tables.profile_guard, guard.profile_id == version.c.profile_id)
    return set(connection.scalars(query.where(version.c.resource_id.in_(ids), alive(version, rev)).distinct()))


def _in_front(connection: Connection, rev: int, uids: Iterable[str], names: Mapping[int, str]) -> Iterator[bytes]:
    """What stood in front decides what a grant was worth when it was approved."""
    resource = tables.resource.c
    for part in chunks(sorted(uids)):
        ids = connection.scalars(select(resource.id).where(resource.uid.in_(part))).all()
        yield from (each for _, _, each in _leaves(connection, rev, names, ids))


def _leaves(connection: Connection, rev: int, names: Mapping[int, str], ids: Sequence[int]) -> Iterator[Leaf]:
    for stream in (_resources, _grants, _unread):
        yield from stream(connection, rev, names, ids)


def seen(connection: Connection, uids: Sequence[str]) -> Sequence[Any]:
    """(id, uid, scope_id, first) of some subjects, one for each scope: `first` is the revision that saw it there."""
    columns, version = tables.resource.c, tables.version.c
    first = func.coalesce(func.min(version.opened), 0).label("first")
    query = (
        select(columns.id, columns.uid, columns.scope_id, first)
        .join_from(tables.resource, tables.version, version.resource_id == columns.id, isouter=True)
        .where(columns.uid.in_(uids))
        .group_by(columns.id, columns.uid, columns.scope_id)
    )
    return connection.execute(query).all()


def newest(whole: int | None, revs: Iterable[int]) -> int:
    """The last revision that a line names; it says nothing of what was first seen after that."""
    return max((whole or 0, *revs))


def _names(connection: Connection) -> dict[int, str]:
    columns = tables.scope.c
    query = select(columns.id, columns.cloud, columns.account, columns.location, columns.kind)
    names: defaultdict[int, str] = defaultdict(lambda: "a scope that is gone")
    names.update({row_id: scope_name(*place) for row_id, *place in connection.execute(query)})
    return names


def _of(query: Select[Any], ids: Sequence[int] | None) -> Select[Any]:
    """Of some resources only, or of all, scope by scope and without holding them in memory."""
    if ids is not None:
        return query.where(tables.resource.c.id.in_(ids))
    return query.order_by(tables.resource.c.scope_id).execution_options(**_STREAM)


def _resources(
    connection: Connection, rev: int, names: Mapping[int, str], ids: Sequence[int] | None = None
) -> Iterator[Leaf]:
    resource, version = tables.resource.c, tables.version
    query = (
        select(resource.scope_id, resource.uid, resource.address, resource.subject, resource.first_shared,
               version.c.profile_id, version.c.digest, version.c.document)
        .join_from(tables.resource, version, version.c.resource_id == resource.id)
        .where(alive(version, rev))
    )  # fmt: skip
    profiles: dict[int, str] = dict(_profiles(connection, None)) if ids is None else {}
    rows: Iterable[Any] = connection.execute(_of(query, ids))
    if ids is not None:
        rows = list(rows)
        for part in chunks(sorted({row[5] for row in rows})):
            profiles |= dict(_profiles(connection, part))
    for scope_id, uid, address, subject, first_shared, profile_id, digest, document in rows:
        read = first_shared is not None and first_shared <= rev
        # A profile that is gone stands for nothing that was ever approved.
        terms = (profiles.get(profile_id, ""), digest, document)
        yield scope_id, uid, resource_leaf(names[scope_id], uid, address, subject, read, *terms)


def _profiles(connection: Connection, ids: Sequence[int] | None) -> Iterator[tuple[int, str]]:
    profile, guard = tables.profile, tables.profile_guard
    query, behind = select(profile), select(guard)
    if ids is not None:
        query, behind = query.where(profile.c.id.in_(ids)), behind.where(guard.c.profile_id.in_(ids))
    guards: dict[int, list[str]] = {}
    for profile_id, uid in connection.execute(behind):
        guards.setdefault(profile_id, []).append(uid)
    for row_id, digest, kind, body in connection.execute(query.execution_options(**_STREAM)):
        yield row_id, profile_digest(digest, kind, body, guards.get(row_id, ()))


def _grants(
    connection: Connection, rev: int, names: Mapping[int, str], ids: Sequence[int] | None = None
) -> Iterator[Leaf]:
    resource, grant, principal = tables.resource.c, tables.grant, tables.principal
    terms = (principal.c.kind, principal.c.key, grant.c.access, grant.c.mechanism, grant.c.condition)
    query = (
        select(resource.scope_id, resource.uid, *terms, grant.c.expires_at)
        .join_from(tables.resource, grant, grant.c.resource_id == resource.id)
        .join(principal, principal.c.id == grant.c.principal_id)
        .where(alive(grant, rev))
    )
    for scope_id, uid, *key in connection.execute(_of(query, ids)):
        yield scope_id, uid, grant_leaf(names[scope_id], uid, key)


def _unread(
    connection: Connection, rev: int, names: Mapping[int, str], ids: Sequence[int] | None = None
) -> Iterator[Leaf]:
    resource, unread = tables.resource.c, tables.unread
    query = (
        select(resource.scope_id, resource.uid, unread.c.outcome, unread.c.reason)
        .join_from(tables.resource, unread, unread.c.resource_id == resource.id)
        .where(alive(unread, rev))
    )
    for scope_id, uid, outcome, reason in connection.execute(_of(query, ids)):
        yield scope_id, uid, unread_leaf(names[scope_id], uid, outcome, reason)


def _coverage(connection: Connection, rev: int, names: Mapping[int, str]) -> Iterator[Leaf]:
    columns = tables.coverage.c
    query = select(columns.scope_id, columns.aspect, columns.outcome, columns.reason).order_by(columns.scope_id)
    for scope_id, *terms in connection.execute(query.where(alive(tables.coverage, rev))):
        yield scope_id, "", coverage_leaf(names[scope_id], *terms)


def _listed(connection: Connection, rev: int, names: Mapping[int, str]) -> Iterator[Leaf]:
    columns = tables.scope_state.c
    query = select(columns.scope_id, columns.first_complete).order_by(columns.scope_id)
    for scope_id, first in connection.execute(query):
        if first is not None and first <= rev:
            yield scope_id, "", listed_leaf(names[scope_id])
