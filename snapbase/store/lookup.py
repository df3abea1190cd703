"""What detections ask: events worth judging, what actors did before, and what the inventory knows of a resource."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from snapbase.event import Action, Event
from snapbase.model import Cloud, Principal, ResourceType, Scope, State
from snapbase.store import codec, tables
from snapbase.store.events import event, from_body
from snapbase.store.history import alive, chunks


@dataclass(frozen=True, slots=True)
class Met:
    """What is known of an address, by everything that was ever found there."""

    state: State
    """As last seen; its grants are left out."""
    ever: frozenset[tuple[Principal, datetime, datetime | None]]
    """Everybody whose grant was ever seen, from the start of a run to that of the one which saw it gone, if any did."""
    then: frozenset[Principal]
    """Everybody who held a grant as of the earlier revision."""


def met(connection: Connection, cloud: str, addresses: Collection[str], then: int, rev: int) -> dict[str, Met]:
    """By address, as of a revision: also what is gone by then. Azure's addresses are in lower case, as in its log."""
    found: dict[str, Met] = {}
    for part in chunks(sorted({codec.clean(each) for each in addresses})):
        states = _last_states(connection, cloud, part, rev)
        ids = {row_id: address for address, (row_ids, _) in states.items() for row_id in row_ids}
        ever = _spans(connection, ids, rev)
        held = _holders(connection, ids, alive(tables.grant, then))
        for address, (_, state) in states.items():
            found[address] = Met(state, frozenset(ever.get(address, ())), frozenset(held.get(address, ())))
    return found


def _last_states(
    connection: Connection, cloud: str, addresses: Collection[str], rev: int
) -> dict[str, tuple[set[int], State]]:
    resource, version, profile, scope = tables.resource, tables.version, tables.profile, tables.scope
    is_azure = cloud == Cloud.AZURE
    place_of = func.lower(resource.c.address) if is_azure else resource.c.address
    is_snapshot = profile.c.type == ResourceType.SNAPSHOT
    query = (
        select(
            resource.c.id,
            resource.c.uid,
            resource.c.address,
            resource.c.subject,
            profile.c.body,
            version.c.document,
            scope.c.cloud,
            scope.c.account,
            scope.c.location,
            scope.c.kind,
        )
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .join(profile, profile.c.id == version.c.profile_id)
        .join(scope, scope.c.id == resource.c.scope_id)
        .where(scope.c.cloud == cloud, place_of.in_(addresses), version.c.opened <= rev)
        .order_by(is_snapshot, version.c.opened, version.c.id)
    )
    found: dict[str, tuple[set[int], State]] = {}
    for row_id, uid, address, subject, body, document, *place in connection.execute(query):
        state = State(Scope(*place), codec.decode(uid, address, subject, body, document), None, None)
        name = address.lower() if is_azure else address
        known = found[name][0] if name in found else set()
        found[name] = ({*known, row_id}, state)
    return found


def _holders(connection: Connection, ids: dict[int, str], when: ColumnElement[bool]) -> dict[str, set[Principal]]:
    grant, principal = tables.grant, tables.principal
    found: dict[str, set[Principal]] = {}
    for part in chunks(sorted(ids)):
        query = select(grant.c.resource_id, principal.c.kind, principal.c.key).join_from(grant, principal)
        for row_id, kind, key in connection.execute(query.where(grant.c.resource_id.in_(part), when)):
            found.setdefault(ids[row_id], set()).add(Principal(kind, key))
    return found


def _spans(
    connection: Connection, ids: dict[int, str], rev: int
) -> dict[str, set[tuple[Principal, datetime, datetime | None]]]:
    grant, principal = tables.grant, tables.principal
    opened, closed, first, last = (each.alias() for each in (tables.rev, tables.rev, tables.run, tables.run))
    query = (
        select(grant.c.resource_id, principal.c.kind, principal.c.key, first.c.started_at, last.c.started_at)
        .join_from(grant, principal, principal.c.id == grant.c.principal_id)
        .join(opened, opened.c.id == grant.c.opened)
        .join(first, first.c.id == opened.c.run_id)
        .outerjoin(closed, and_(closed.c.id == grant.c.closed, closed.c.id <= rev))
        .outerjoin(last, last.c.id == closed.c.run_id)
        .where(grant.c.opened <= rev)
    )
    found: dict[str, set[tuple[Principal, datetime, datetime | None]]] = {}
    for part in chunks(sorted(ids)):
        for row_id, kind, key, since, until in connection.execute(query.where(grant.c.resource_id.in_(part))):
            span = (Principal(kind, key), codec.moment(since), codec.optional_moment(until))
            found.setdefault(ids[row_id], set()).add(span)
    return found


_IDLESS = event.c.body.contains('"ids":0,', autoescape=True)
"""Of a body's canonical JSON; quotes within values are escaped, so that no value can look like it."""
_DONE = or_(
    event.c.action == Action.ENUMERATE,
    *(event.c.body.contains(f'"result":"{each}"', autoescape=True) for each in ("succeeded", "started")),
)
_TELLING = or_(event.c.action != Action.ENUMERATE, _IDLESS)


def telling(connection: Connection, since: datetime, until: datetime, after: int | None = None) -> Iterator[Event]:
    """As `events.between`, without the listings that name ids, of which there are most: polling tells nothing.

    `after`: only what was kept after the event of that number.
    """
    query = select(event.c.body).where(event.c.at > codec.stamp(since), event.c.at <= codec.stamp(until), _TELLING)
    if after is not None:
        query = query.where(event.c.id > after)
    for (body,) in connection.execute(query.order_by(event.c.at, event.c.cloud, event.c.event_id)):
        yield from_body(body)


def named(connection: Connection, keys: Collection[tuple[str, str]], after: int = 0) -> list[Event]:
    """The events of some clouds with some ids, those that are still kept; `after`: as for `telling`."""
    found = []
    for part in chunks(sorted({event_id for _, event_id in keys})):
        query = select(event.c.cloud, event.c.event_id, event.c.body)
        query = query.where(event.c.event_id.in_(part), event.c.id > after)
        found += [from_body(body) for cloud, key, body in connection.execute(query) if (cloud, key) in keys]
    return found


def newest(connection: Connection) -> int:
    """The number of the event that was kept last; 0 before any was."""
    return int(connection.execute(select(func.max(event.c.id))).scalar() or 0)


def kept_after(connection: Connection, number: int) -> Iterator[Event]:
    """What was kept after the event of that number, whenever it happened, but for listings, in the order of keeping."""
    query = select(event.c.body).where(event.c.id > number, event.c.action != Action.ENUMERATE)
    for (body,) in connection.execute(query.order_by(event.c.id)):
        yield from_body(body)


def habits(connection: Connection, since: datetime, until: datetime) -> dict[tuple[str, str, str], tuple[int, ...]]:
    """By cloud, actor and action: how often in each hour in which it was done; what was only tried, of listings."""
    hour = func.substr(event.c.at, 1, 13)
    query = (
        select(event.c.cloud, event.c.actor, event.c.action, func.count())
        .where(and_(event.c.at > codec.stamp(since), event.c.at <= codec.stamp(until)), _DONE, _TELLING)
        .group_by(event.c.cloud, event.c.actor, event.c.action, hour)
    )
    found: dict[tuple[str, str, str], list[int]] = {}
    for cloud, actor, action, count in connection.execute(query):
        found.setdefault((cloud, actor, action), []).append(count)
    return {key: tuple(sorted(counts)) for key, counts in found.items()}


def beginnings(connection: Connection) -> dict[str, datetime]:
    """By cloud: when the oldest event happened that is kept. One look at an index for each cloud, not at all events."""
    found = {}
    for cloud in Cloud:
        if connection.execute(select(event.c.event_id).where(event.c.cloud == cloud).limit(1)).first() is None:
            continue
        query = select(event.c.at).where(event.c.cloud == cloud).order_by(event.c.at).limit(1)
        found[str(cloud)] = codec.moment(connection.execute(query).scalar_one())
    return found
