"""Which plan made a snapshot, where only another view of it says so: its recovery point, in the same account and place.

Asked when the snapshot is read, of many at a time; what is stored of either stays as the cloud told it.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, or_, select

from snapbase.model import Scope
from snapbase.rotation.origin import PLANNED, Plan, plan_of
from snapbase.store import tables
from snapbase.store.history import among, chunks

_PART = 5_000


class Home(NamedTuple):
    """Where both views of one thing are."""

    cloud: str
    account: str
    location: str
    uid: str


def home(scope: Scope, uid: str) -> Home:
    return Home(scope.cloud, scope.account, scope.location, uid)


def plans(connection: Connection, before: int, after: int, uids: Collection[str]) -> Mapping[Home, Plan]:
    """What the recovery points of some snapshots say that were there in (before, after], or at either end.

    Without those that no recovery point is a view of, and those of which several say different things.
    """
    if not uids:
        return {}
    resource, version = tables.resource.c, tables.version.c
    rows: list[Any] = []
    for part in chunks(sorted(set(uids)), _PART):
        query = (
            select(resource.subject, resource.scope_id, version.profile_id, version.document)
            .join_from(tables.resource, tables.version, version.resource_id == resource.id)
            .where(among(connection, resource.subject, part))
            .where(version.opened <= after, or_(version.closed.is_(None), version.closed > before))
        )
        rows += connection.execute(query).all()
    scopes = _scopes(connection, {scope_id for _, scope_id, _, _ in rows})
    origins = _origins(connection, {profile for _, _, profile, _ in rows})
    told: dict[Home, Plan] = {}
    unclear: set[Home] = set()
    for subject, scope_id, profile, document in rows:
        if scope_id not in scopes:
            continue
        plan = plan_of(origins[profile], orjson.loads(document)["facts"])
        where = Home(*scopes[scope_id], subject)
        if told.setdefault(where, plan) != plan:
            unclear.add(where)
    return {where: plan for where, plan in told.items() if where not in unclear} if unclear else told


def _scopes(connection: Connection, ids: Collection[int]) -> dict[int, tuple[str, str, str]]:
    """Of some scopes those of recovery points, by id."""
    scope, kinds = tables.scope.c, sorted(PLANNED.values())
    found: dict[int, tuple[str, str, str]] = {}
    for part in chunks(sorted(ids)):
        query = select(scope.id, scope.cloud, scope.account, scope.location)
        query = query.where(scope.id.in_(part), scope.kind.in_(kinds))
        found |= {row_id: (cloud, account, location) for row_id, cloud, account, location in connection.execute(query)}
    return found


def _origins(connection: Connection, profiles: Collection[int]) -> dict[int, str | None]:
    profile = tables.profile.c
    found: dict[int, str | None] = {}
    for part in chunks(sorted(profiles)):
        query = select(profile.id, profile.body).where(profile.id.in_(part))
        found |= {row_id: orjson.loads(body)["origin"] for row_id, body in connection.execute(query)}
    return found
