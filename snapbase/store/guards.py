"""What stood in front of resources: guardrails and containers, each as one, however many scopes see it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, and_, func, select

from snapbase.model import Aspect, Limits, Outcome, State
from snapbase.store import codec, tables
from snapbase.store.history import LISTED, alive, among, chunks, states_of


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one scope made of a guardrail."""

    row_id: int
    profile_id: int
    opened: int
    """When it was seen to become this."""
    closed: int | None
    """When it was seen no more."""
    scope_id: int
    outcome: str | None
    """How the list of the scope was read; None where nothing is known of that."""
    reason: str
    missed: int | None
    """When a list that was read in part first did not show it."""

    @property
    def complete(self) -> bool:
        return self.outcome == Outcome.COMPLETE

    @property
    def fresh(self) -> bool:
        """Whether it was seen when it was looked for last."""
        return self.outcome is None or (self.outcome in LISTED and self.missed is None)


def standing(connection: Connection, rev: int, uids: Collection[str]) -> dict[str, State]:
    """The states of guardrails and containers, by uid.

    Several scopes can see one, as every project sees the keys that it uses. A scope that is not read completely keeps
    what it saw once: that counts only where no complete scope sees it, or where it is the later change. Among those
    that count, what could be read decides; and what one of them lets through is not held back. Where none of them is
    of now, it is said to be unseen.
    """
    found: dict[str, State] = {}
    since: dict[tuple[int, int | None], str] = {}
    for part in chunks(sorted(uids)):
        sights = _sights(connection, rev, part)
        states = states_of(connection, rev, [each.row_id for every in sights.values() for each in every])
        for uid, every in sights.items():
            if counting := _counting([each for each in every if each.row_id in states]):
                joined = _joined([states[each.row_id] for each in counting], outdated=_outdated(counting, every))
                if not any(each.fresh for each in counting):
                    joined = replace(joined, unseen=_unseen(connection, rev, counting[-1], since))
                found[uid] = joined
    return found


def _sights(connection: Connection, rev: int, uids: Sequence[str]) -> dict[str, list[_Sight]]:
    """The last that each scope saw of some guardrails until a revision, by uid; the latest change is at the end."""
    resource, version, coverage, unread = tables.resource, tables.version, tables.coverage, tables.unread
    later = version.alias()
    last = select(func.max(later.c.opened)).where(later.c.resource_id == resource.c.id, later.c.opened <= rev)
    listed = and_(coverage.c.scope_id == resource.c.scope_id, coverage.c.aspect == Aspect.LIST, alive(coverage, rev))
    missed = and_(unread.c.resource_id == resource.c.id, unread.c.outcome == Outcome.PARTIAL, alive(unread, rev))
    query = (
        select(resource.c.uid, resource.c.id, version.c.profile_id, version.c.opened, version.c.closed,
               resource.c.scope_id, coverage.c.outcome, func.coalesce(unread.c.reason, coverage.c.reason),
               unread.c.opened)
        .join_from(resource, version, version.c.resource_id == resource.c.id)
        .outerjoin(coverage, listed)
        .outerjoin(unread, missed)
        .where(among(connection, resource.c.uid, uids), version.c.opened == last.scalar_subquery())
        .order_by(version.c.opened, resource.c.id)
    )  # fmt: skip
    found: dict[str, list[_Sight]] = {}
    for uid, *sight in connection.execute(query):
        found.setdefault(uid, []).append(_Sight(*sight))
    return found


def _unseen(connection: Connection, rev: int, last: _Sight, since: dict[tuple[int, int | None], str]) -> str:
    """Why a guardrail was not seen, and since when; `since` remembers that, for thousands lie in one scope."""
    missed = last.missed if last.outcome in LISTED else None
    place = (last.scope_id, missed)
    if place not in since:
        turned = missed if missed is not None else _incomplete_since(connection, rev, last.scope_id)
        at = connection.execute(select(tables.rev.c.at).where(tables.rev.c.id == turned)).scalar_one()
        since[place] = f"{codec.moment(at):%Y-%m-%d %H:%M} UTC"
    return f"not read since {since[place]}: {last.reason}"


def _incomplete_since(connection: Connection, rev: int, scope_id: int) -> int | None:
    """When a scope was not listed completely any more; where it never was, when it was first tried."""
    coverage = tables.coverage.c
    listed = (coverage.scope_id == scope_id, coverage.aspect == Aspect.LIST)
    whole = (coverage.outcome == Outcome.COMPLETE, coverage.closed <= rev)
    ended = select(func.max(coverage.closed)).where(*listed, *whole)
    first = select(func.min(coverage.opened)).where(*listed)
    return connection.execute(select(func.coalesce(ended.scalar_subquery(), first.scalar_subquery()))).scalar()


def _counting(present: Sequence[_Sight]) -> list[_Sight]:
    last = max((each.opened for each in present if each.complete), default=None)
    return [each for each in present if last is None or each.complete or each.opened > last]


def _outdated(counting: Sequence[_Sight], every: Sequence[_Sight]) -> bool:
    """Whether a complete scope knew something else later, though by now nothing there names the guardrail any more."""
    if any(each.complete for each in counting):
        return False
    latest = counting[-1]
    gone = [each for each in every if each not in counting and each.complete and each.profile_id != latest.profile_id]
    return any((each.closed or 0) > latest.opened for each in gone)


def _joined(states: Sequence[State], *, outdated: bool) -> State:
    """One state of what several scopes made of a guardrail: whose holders could be read last, and the joined limits."""
    state = max(reversed(states), key=lambda each: each.miss is None)
    limits = _loosest([each.resource.limits for each in states])
    if limits is not None and outdated:
        limits = replace(limits, unknown=limits.unknown or "it was seen to be another since, where it is seen no more")
    return replace(state, resource=replace(state.resource, limits=limits))


def _loosest(every: Sequence[Limits | None]) -> Limits | None:
    """What all of some limits hold back; one that was not read completely says only whom it lets in."""
    if len(set(every)) == 1:
        return every[0]
    limits = [each for each in every if each is not None]
    if len(limits) < len(every):
        return None
    known = [each for each in limits if not each.unknown]
    named = [each.admits for each in limits if each.admits is not None]
    blocks = set.intersection(*(set(each.blocks) for each in known or limits))
    anyone = not named or any(each.admits is None for each in known)
    admits = None if anyone else tuple(sorted({each for admitted in named for each in admitted}))
    return Limits(tuple(sorted(blocks)), admits, "" if known else limits[-1].unknown)
