"""The grant index: who holds what as of a revision, counted in the database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, distinct, func, select

from snapbase.model import Principal, Scope
from snapbase.store import codec, tables
from snapbase.store.history import alive


@dataclass(frozen=True, slots=True)
class Holding:
    """What one principal holds of one scope."""

    principal: Principal
    scope: Scope
    type: str
    """Of the resources: a `snapshot`, or a `container` whose grants reach everything below it."""
    resources: int
    since: datetime
    """When the oldest of the grants was first seen."""
    newest: int
    """The revision that first saw the newest of them."""


def holdings(connection: Connection, rev: int) -> list[Holding]:
    """Every (principal, scope, type) with open grants, by principal and scope."""
    grant, principal, resource, scope = tables.grant, tables.principal, tables.resource, tables.scope
    version, profile, clock = tables.version, tables.profile, tables.rev
    place = (scope.c.cloud, scope.c.account, scope.c.location, scope.c.kind)
    who = (principal.c.kind, principal.c.key)
    query = (
        select(
            *who,
            *place,
            profile.c.type,
            func.count(distinct(resource.c.id)),
            func.min(clock.c.at),
            func.max(grant.c.opened),
        )
        .join_from(grant, principal, principal.c.id == grant.c.principal_id)
        .join(resource, resource.c.id == grant.c.resource_id)
        .join(version, version.c.resource_id == resource.c.id)
        .join(profile, profile.c.id == version.c.profile_id)
        .join(scope, scope.c.id == resource.c.scope_id)
        .join(clock, clock.c.id == grant.c.opened)
        .where(alive(grant, rev), alive(version, rev))
        .group_by(*who, *place, profile.c.type)
        .order_by(*who, *place, profile.c.type)
    )
    found = []
    for kind, key, cloud, account, location, scope_kind, type_, count, since, newest in connection.execute(query):
        where = Scope(cloud, account, location, scope_kind)
        found.append(Holding(Principal(kind, key), where, type_, count, codec.moment(since), newest))
    return found
