"""Writing an exported approved state into a store: the next run is compared with it as if it had been approved here.

The states that the approvals name are replayed in their order, on the clock of this store, as one run that no cloud was
asked for. What was approved keeps who, when and why; the lines themselves are new ones in this store's own log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from snapbase.errors import UsageError
from snapbase.model import Approval, Baseline, BaselineScope, Coverage, Pin, RunState, Scope
from snapbase.store import baselines, codec, cohorts, record, runs, tables
from snapbase.store.bundle import Bundle, Row
from snapbase.store.writer import Writer, head

_Place = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Restored:
    """`lines`: the new lines of this store's log."""

    lines: tuple[Baseline, ...]
    resources: int
    strange: int
    """Scopes this store knew and the file does not: all that is in them will be news."""


@dataclass(slots=True)
class _Moment:
    """What is known of one revision of the exporting store, by scope; a state of None was not there."""

    states: dict[_Place, dict[str, Row | None]]
    coverage: dict[_Place, Mapping[str, Sequence[str]]]
    listed: set[_Place]
    whole: bool = False


def restore(
    connection: Connection,
    bundle: Bundle,
    *,
    claimed: Mapping[str, str],
    at: datetime,
    pending: bool = False,
    sign: baselines.Sign | None = None,
) -> Restored:
    """Replays a verified file inside a write transaction."""
    layers = baselines.in_force(bundle.log)
    if not layers:
        raise UsageError("Nothing is in force in the file, so there is nothing to import.")
    whole = layers[0] if layers[0].scope == BaselineScope.WHOLE else None
    stamp = codec.stamp(at)
    run_id = runs.begin(connection, "imported", "", stamp)
    revs: dict[int, int] = {}
    strange = 0
    for rev, moment in sorted(_moments(bundle, whole).items()):
        if moment.whole:
            strange = _close_strangers(connection, run_id, moment, stamp)
        for place in sorted({*moment.states, *moment.coverage}):
            _write(connection, run_id, place, moment, stamp)
        revs[rev] = head(connection)
    lists = {row["id"]: runs.intern_trust(connection, row["body"].encode()) for row in bundle.of("trust")}
    base = revs[whole.rev] if whole else 0
    trust_id = lists.get(whole.trust_id or 0) if whole else None
    values = {"state": RunState.IMPORTED, "finished_at": stamp, "last_rev": base, "trust_id": trust_id}
    connection.execute(update(tables.run).where(tables.run.c.id == run_id).values(**values))
    numbers: dict[int, int] = {}
    new = []
    for line, rows in _counted(bundle, layers):
        entry = baselines.NewLine(
            scope=BaselineScope.WHOLE if whole and line.id == whole.id else BaselineScope.PARTIAL,
            run_id=run_id,
            rev=base,
            trust_id=trust_id,
            approval=line.approval,
            pins=[_pin(row, revs.get(row["rev"], base), lists, numbers) for row in rows],
            claimed={**line.claimed, **claimed, "imported_line": str(line.id), "imported_hash": line.hash},
            entries=line.entries,
            pending=pending,
        )
        made = baselines.append(connection, entry, sign=sign)
        numbers[line.id] = made.id
        bodies = {row["origin"]: row["body"].encode() for row in bundle.of("cohort") if row["baseline_id"] == line.id}
        cohorts.save(connection, made.id, bodies)
        new.append(made)
    return Restored(tuple(new), len(bundle.of("resource")), strange)


def _counted(bundle: Bundle, layers: Sequence[Baseline]) -> list[tuple[Baseline, list[Row]]]:
    """The lines to write anew with their pins: below the last whole one, only what it leaves alone: cohorts."""
    log = bundle.log
    revoked, confirmed = baselines.revocations(log), baselines.confirmations(log)
    ids = {each.id for each in layers}
    found = []
    for line in log:
        counts = line.scope in baselines.APPROVALS and line.id not in revoked
        if not counts or (line.pending and line.id not in confirmed):
            continue
        pins = bundle.pins(line.id)
        if line.id not in ids:
            pins = [row for row in pins if row["entry"].startswith(cohorts.ENTRY)]
        if line.id in ids or pins:
            found.append((line, pins))
    return found


def _moments(bundle: Bundle, whole: Baseline | None) -> dict[int, _Moment]:
    found: dict[int, _Moment] = {}
    for row in bundle.of("guard"):  # first: what was approved stands over what stood in front of it
        moment, place = found.setdefault(row["rev"], _Moment({}, {}, set())), _place(row)
        moment.states.setdefault(place, {})[row["uid"]] = row["state"]
    for row in bundle.of("pinned"):
        moment, place = found.setdefault(row["rev"], _Moment({}, {}, set())), _place(row)
        moment.states.setdefault(place, {})[row["uid"]] = row["state"]
        moment.listed |= {place} if row["listed"] else set()
    for row in bundle.of("pinned-scope"):
        moment, place = found.setdefault(row["rev"], _Moment({}, {}, set())), _place(row)
        moment.coverage[place] = row["coverage"]
        moment.listed |= {place} if row["listed"] else set()
    if whole is not None:
        moment = found.setdefault(whole.rev, _Moment({}, {}, set()))
        moment.whole = True
        for row in bundle.of("scope"):
            moment.states.setdefault(_place(row), {})
            moment.coverage[_place(row)] = row["coverage"]
            moment.listed |= {_place(row)} if row["listed"] else set()
        for row in bundle.of("resource"):
            moment.states.setdefault(_place(row), {})[row["uid"]] = row
    return found


def _place(row: Row) -> _Place:
    cloud, account, location, kind = row["scope"]
    return cloud, account, location, kind


def _close_strangers(connection: Connection, run_id: int, moment: _Moment, stamp: str) -> int:
    """Nothing in a scope that the file does not know was ever approved in it."""
    columns = tables.scope.c
    query = select(columns.id, columns.cloud, columns.account, columns.location, columns.kind)
    strangers = 0
    for scope_id, *place in connection.execute(query).all():
        if tuple(place) in moment.states:
            continue
        writer = Writer(connection, run_id, scope_id, stamp)
        for row in record.known_rows(connection, scope_id, ()).values():
            record.close_resource(writer, row)
        writer.flush()
        strangers += writer.wrote
        # What is read next differs from what is open now, even where it is what was read last.
        known = tables.scope_state.c.scope_id == scope_id
        connection.execute(update(tables.scope_state).where(known).values(set_digest=None))
    return strangers


def _write(connection: Connection, run_id: int, place: _Place, moment: _Moment, stamp: str) -> None:
    """One scope as of one moment: only what differs from what the store has."""
    scope = Scope(*place)
    scope_id = record.scope_of(connection, scope)
    state = record.scope_state(connection, scope_id)
    wanted = moment.states.get(place, {})
    known = record.known_rows(connection, scope_id, wanted)
    writer = Writer(connection, run_id, scope_id, stamp)
    for uid, row in wanted.items():
        _resource(writer, scope_id, uid, row, known.get(uid))
    if moment.whole:
        for row_ in (each for uid, each in known.items() if uid not in wanted):
            record.close_resource(writer, row_)
    said = [Coverage(scope, aspect, *words) for aspect, words in moment.coverage.get(place, {}).items()]
    record.cover(connection, writer, scope_id, said)
    writer.flush()
    complete_at = (writer.rev if writer.wrote else writer.rev - 1) if place in moment.listed else None
    record.touch(connection, scope_id, state, run_id, stamp, len(wanted), None, complete_at)


def _resource(writer: Writer, scope_id: int, uid: str, row: Row | None, known: record.Known | None) -> None:
    if row is None:
        if known is not None:
            record.close_resource(writer, known)
        return
    body = codec.canonical(row["profile"]).decode()
    profile = codec.Profile(body, row["type"], tuple(row["profile"]["guards"]))
    grants: set[codec.GrantKey] = {(k[0], k[1], k[2], k[3], k[4], k[5]) for k in row["grants"]}
    if known is None:
        row_id = writer.resource(scope_id, uid, row["address"], row["subject"], shared=row["read"])
        known = record.Known(row_id, row["read"])
    if known.version_id is None or known.digest != row["digest"]:
        if known.version_id is not None:
            writer.close(tables.version, known.version_id)
        writer.version(known.resource_id, profile, codec.canonical(row["document"]).decode(), row["digest"])
    if row["read"] and not known.shared_before:
        writer.first_shared(known.resource_id)
    for key, grant_id in known.grants.items():
        if key not in grants:
            writer.close(tables.grant, grant_id)
    for key in sorted(grants - known.grants.keys()):
        writer.grant(known.resource_id, key)
    missed = row["unread"][0] if row["unread"] else None
    if known.unread is not None and known.unread[1] != missed:
        writer.close(tables.unread, known.unread[0])
    if missed is not None and (known.unread is None or known.unread[1] != missed):
        writer.unread(known.resource_id, *row["unread"])


def _pin(row: Row, rev: int, lists: Mapping[int, int], numbers: Mapping[int, int]) -> Pin:
    until = codec.optional_moment(row["until"])
    came_from = numbers.get(row["origin"] or 0)
    approval = Approval(row["who"], codec.moment(row["at"]), row["why"], row["ticket"], until, came_from)
    return Pin(row["subject"], row["entry"], rev, lists.get(row["trust_id"] or 0), approval, bool(row["held"]))
