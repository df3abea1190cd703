"""The approved state as a file: one JSON line for each thing, sorted, with nothing in it that changes by itself."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, select

from snapbase.errors import UsageError
from snapbase.model import Baseline, BaselineScope
from snapbase.store import accounted, baselines, codec, proofs, tables
from snapbase.store.accounted import scope_name
from snapbase.store.evidence import (
    Check,
    Problem,
    Verified,
    after,
    chain_problems,
    cohort_problems,
    head_problems,
    signature_problems,
    unowned_problems,
)
from snapbase.store.history import alive, chunks
from snapbase.store.proofs import Proof

SCHEMA = "snapbase.baseline/1"
Row = dict[str, Any]


def export(connection: Connection) -> Iterator[str]:
    """The whole log, and the content of what is in force of it. Raises `UsageError` where nothing is."""
    lines = _rows(connection, tables.baseline, "line")
    layers = baselines.in_force([baselines.from_row(row) for row in lines])
    if not layers:
        raise UsageError("Nothing is approved, so there is nothing to export.")
    yield _text({"thing": "head", "schema": SCHEMA, "hash": lines[-1]["hash"], "lines": len(lines)})
    yield from map(_text, lines)
    pins = _rows(connection, tables.pin, "pin")
    yield from map(_text, pins)
    yield from map(_text, _rows(connection, tables.cohort, "cohort"))
    trust_ids = {each["trust_id"] for each in (*lines, *pins)}
    yield from (_text(row) for row in _rows(connection, tables.trust, "trust") if row["id"] in trust_ids)
    whole = layers[0] if layers[0].scope == BaselineScope.WHOLE else None
    if whole is not None:
        yield from map(_text, _base(connection, whole.rev))
    by_line: dict[int, list[Row]] = {each.id: [] for each in layers}
    for row in pins:
        by_line.get(row["baseline_id"], []).append(row)
    reach = accounted.reach((each, by_line[each.id]) for each in layers)
    pinned = {(rev, subject): last for (subject, rev), last in reach.last.items()}
    yield from map(_text, _pinned(connection, pinned))
    yield from map(_text, _guards(connection, (each for each in pinned if whole is None or each[0] != whole.rev)))


def _text(row: Row) -> str:
    """Pure ASCII: what a cloud named can neither hide nor reorder what a reviewer sees."""
    return json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n"


def _rows(connection: Connection, table: Any, thing: str) -> list[Row]:
    query = select(table).order_by(*table.primary_key.columns)
    return [{"thing": thing, **row} for row in connection.execute(query).mappings()]


def _base(connection: Connection, rev: int) -> Iterator[Row]:
    """Every scope as of a revision, each followed by what was in it."""
    resource, version = tables.resource.c, tables.version
    query = select(resource.scope_id).join_from(tables.resource, version).where(alive(version, rev)).distinct()
    filled = {scope_id for (scope_id,) in connection.execute(query)}
    for scope_id, scope in _scopes(connection, rev):
        yield {"thing": "scope", **scope}
        if scope_id in filled:
            found = _resources(connection, rev, resource.scope_id == scope_id)
            yield from ({"thing": "resource", "scope": scope["scope"], **each} for _, each in sorted(found.items()))


def _scopes(connection: Connection, rev: int) -> list[tuple[int, Row]]:
    scope, state, coverage = tables.scope.c, tables.scope_state, tables.coverage
    found: dict[int, Row] = {}
    query = select(scope.id, scope.cloud, scope.account, scope.location, scope.kind, state.c.first_complete)
    for scope_id, *place, first in connection.execute(query.join_from(tables.scope, state, isouter=True)):
        found[scope_id] = {"scope": place, "listed": first is not None and first <= rev, "coverage": {}}
    columns = (coverage.c.scope_id, coverage.c.aspect, coverage.c.outcome, coverage.c.reason)
    for scope_id, aspect, outcome, reason in connection.execute(select(*columns).where(alive(coverage, rev))):
        found[scope_id]["coverage"][aspect] = [outcome, reason]
    known = ((scope_id, each) for scope_id, each in found.items() if each["listed"] or each["coverage"])
    return sorted(known, key=lambda item: tuple(item[1]["scope"]))


def _resources(connection: Connection, rev: int, where: Any) -> dict[tuple[int, str], Row]:
    """By scope and uid."""
    resource, version, profile = tables.resource.c, tables.version, tables.profile
    query = (
        select(resource.id, resource.scope_id, resource.uid, resource.address, resource.subject, resource.first_shared,
               version.c.digest, version.c.document, profile.c.type, profile.c.body)
        .join_from(tables.resource, version, version.c.resource_id == resource.id)
        .join(profile, profile.c.id == version.c.profile_id)
        .where(alive(version, rev), where)
    )  # fmt: skip
    by_id: dict[int, Row] = {}
    found: dict[tuple[int, str], Row] = {}
    for row_id, scope_id, uid, address, subject, first, digest, document, kind, body in connection.execute(query):
        by_id[row_id] = found[scope_id, uid] = {
            "uid": uid, "address": address, "subject": subject, "digest": digest, "type": kind, "unread": None,
            "read": first is not None and first <= rev, "profile": orjson.loads(body),
            "document": orjson.loads(document), "grants": [],
        }  # fmt: skip
    for part in chunks(by_id):
        _add_sharing(connection, rev, part, by_id)
    for each in by_id.values():
        each["grants"].sort()
    return found


def _add_sharing(connection: Connection, rev: int, ids: Sequence[int], by_id: Mapping[int, Row]) -> None:
    grant, principal, unread = tables.grant, tables.principal, tables.unread
    terms = (principal.c.kind, principal.c.key, grant.c.access, grant.c.mechanism, grant.c.condition)
    query = (
        select(grant.c.resource_id, *terms, grant.c.expires_at)
        .join_from(grant, principal, principal.c.id == grant.c.principal_id)
        .where(grant.c.resource_id.in_(ids), alive(grant, rev))
    )
    for row_id, *key in connection.execute(query):
        by_id[row_id]["grants"].append(key)
    missed = select(unread.c.resource_id, unread.c.outcome, unread.c.reason)
    for row_id, outcome, reason in connection.execute(missed.where(unread.c.resource_id.in_(ids), alive(unread, rev))):
        by_id[row_id]["unread"] = [outcome, reason]


def _pinned(connection: Connection, pinned: Mapping[tuple[int, str], int]) -> Iterator[Row]:
    """Every pinned subject as of its pin's revision, in each scope that a line which names it knew it in by its newest
    revision; `state` is null where it was not there then."""
    resource = tables.resource.c
    for rev in sorted({rev for rev, _ in pinned}):
        scopes = dict(_scopes(connection, rev))
        subjects = sorted(subject for at, subject in pinned if at == rev)
        named = {f"{proofs.SCOPE}{proofs.scope_name(*each['scope'])}": each for each in scopes.values()}
        yield from ({"thing": "pinned-scope", "rev": rev, **named[each]} for each in subjects if each in named)
        for part in chunks(each for each in subjects if proofs.is_resource(each)):
            found = _resources(connection, rev, resource.uid.in_(part))
            seen = ((row.uid, row.scope_id, row.first) for row in proofs.seen(connection, part))
            for uid, scope_id, first in sorted(row for row in seen if row[2] <= pinned[rev, row[0]]):
                scope = scopes.get(scope_id) or _unknown(connection, scope_id)
                place = {"scope": scope["scope"], "listed": scope["listed"], "first": first}
                yield {"thing": "pinned", "rev": rev, "uid": uid, **place, "state": found.get((scope_id, uid))}


def _guards(connection: Connection, pinned: Iterable[tuple[int, str]]) -> Iterator[Row]:
    """What stood in front of what was approved by itself, as of then: what a fallen one let through is told by it."""
    resource = tables.resource.c
    subjects: dict[int, set[str]] = {}
    for rev, subject in pinned:
        subjects.setdefault(rev, set()).add(subject)
    for rev, uids in sorted(subjects.items()):
        scopes = dict(_scopes(connection, rev))
        guards: set[str] = set()
        for part in chunks(sorted(filter(proofs.is_resource, uids))):
            for row in _resources(connection, rev, resource.uid.in_(part)).values():
                guards.update(row["profile"]["guards"])
        for part in chunks(sorted(guards - uids)):
            for (scope_id, uid), row in sorted(_resources(connection, rev, resource.uid.in_(part)).items()):
                scope = scopes.get(scope_id) or _unknown(connection, scope_id)
                yield {"thing": "guard", "rev": rev, "uid": uid, "scope": scope["scope"], "state": row}


def _unknown(connection: Connection, scope_id: int) -> Row:
    """A scope of which nothing was known yet."""
    columns = tables.scope.c
    query = select(columns.cloud, columns.account, columns.location, columns.kind).where(columns.id == scope_id)
    return {"scope": list(connection.execute(query).one()), "listed": False}


@dataclass(slots=True)
class Bundle:
    """A file, read."""

    things: dict[str, list[Row]] = field(default_factory=dict)

    def of(self, thing: str) -> list[Row]:
        return self.things.get(thing, [])

    @property
    def log(self) -> list[Baseline]:
        return [baselines.from_row(row) for row in self.of("line")]

    def pins(self, number: int) -> list[Row]:
        return [row for row in self.of("pin") if row["baseline_id"] == number]


_THINGS = ("head", "line", "pin", "cohort", "trust", "scope", "resource", "pinned-scope", "pinned", "guard")


def parse(text: Iterable[str]) -> Bundle:
    """Raises `UsageError` where a line is not what `export` writes."""
    bundle = Bundle()
    for number, line in enumerate(text, 1):
        try:
            row = orjson.loads(line)
            thing = row.pop("thing")
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            raise _wrong(number) from None
        if thing not in _THINGS or (number == 1) != (thing == "head"):
            raise _wrong(number)
        bundle.things.setdefault(thing, []).append(row)
    head = bundle.of("head")
    if not head or head[0].get("schema") != SCHEMA:
        raise _wrong(1)
    return bundle


def _wrong(number: int) -> UsageError:
    return UsageError(f"Line {number} of the file is not what `snapbase baselines export` writes.")


def verify(bundle: Bundle, *, head: str = "", check: Check | None = None) -> Verified:
    """What the file itself proves: its chain, and that the content in it is what the lines in force covered."""
    try:
        return _verify(bundle, head, check)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UsageError(f"The file does not hold together ({type(error).__name__}: {error}).") from None


def _verify(bundle: Bundle, head: str, check: Check | None) -> Verified:
    lines = bundle.of("line")
    pins: dict[int, list[Row]] = {}
    for row in bundle.of("pin"):
        pins.setdefault(row["baseline_id"], []).append(row)
    problems = [*chain_problems(lines, pins), *unowned_problems(lines, pins), *head_problems(lines, head)]
    problems += signature_problems(lines, check) if check is not None else _later_problems(lines, head)
    layers = [(each, pins.get(each.id, [])) for each in baselines.in_force(bundle.log)]
    whole = next((rev for line, _ in layers if (rev := accounted.whole_of(line)) is not None), None)
    unproven = []
    leaning = []
    for layer, rows in layers:
        covers, beside = _proofs(bundle, layer, rows), _beside(bundle, layer, rows, whole)
        if not layer.covered:
            unproven.append(f"Line {layer.id} is older than this evidence: what it covered is taken as the file says.")
        elif proofs.root([*covers, *beside]) == layer.covered:
            leaning.append((layer, rows))
        elif proofs.root(covers) != layer.covered:
            problems.append(Problem(layer.id, "What it covered is not what the file says."))
    problems += cohort_problems(bundle.of("pin"), bundle.of("cohort"))
    problems += accounted.problems(bundle.things, whole, accounted.reach(layers))
    outside = len(lines) - len(layers)
    if outside:
        unproven.append(
            f"Lines not in force, so with no content in the file: {outside}. Only their hashes were checked."
        )
    unproven += accounted.unproven(bundle.things, accounted.reach(leaning))
    if not head and check is None:
        unproven.append("Without --head or --public-key a file that was rewritten looks whole.")
    return Verified(len(lines), lines[-1]["hash"] if lines else "", tuple(problems), tuple(unproven))


def _later_problems(lines: Sequence[Row], head: str) -> Iterator[Problem]:
    """Whoever has the file can write lines after a head, each with all that it covers; no key has signed these."""
    if later := after(lines, head):
        words = f"After the given head come more lines ({later}), for which nothing vouches: give the newest head."
        yield Problem(lines[-later]["id"], words)


def _proofs(bundle: Bundle, layer: Baseline, pins: Sequence[Row]) -> list[Proof]:
    found = list(_everything(bundle, layer.rev)) if layer.scope == BaselineScope.WHOLE else []
    reach = accounted.reach([(layer, pins)])
    leaves: dict[tuple[str, int], list[bytes]] = {each: [] for each in reach.last}
    for row in filter(reach.has, bundle.of("pinned")):
        key = (row["uid"], row["rev"])
        leaves[key] += [proofs.listed_leaf(scope_name(row))] if row["listed"] else [b""]
        leaves[key] += _leaves(scope_name(row), row["state"]) if row["state"] else []
    for row in filter(reach.has_scope, bundle.of("pinned-scope")):
        leaves[f"{proofs.SCOPE}{scope_name(row)}", row["rev"]] += _coverage(row)
    found += [Proof(subject, rev, proofs.folded(each)) for (subject, rev), each in leaves.items()]
    lists = {layer.trust_id, *(row["trust_id"] for row in pins)}
    trust = (row for row in bundle.of("trust") if row["id"] in lists)
    return found + [proofs.trust_proof(row["id"], row["digest"], row["body"]) for row in trust]


def _beside(bundle: Bundle, layer: Baseline, pins: Sequence[Row], whole: int | None) -> list[Proof]:
    """`whole`: the revision as of which the file holds everything."""
    reach = accounted.reach([(layer, pins)])
    leaves: dict[int, list[bytes]] = {rev: [] for _, rev in reach.last}
    for row in filter(reach.has, bundle.of("pinned")):
        leaves[row["rev"]] += [] if row["listed"] else [proofs.unlisted_leaf(scope_name(row), row["uid"])]
    for row in filter(reach.has_scope, bundle.of("pinned-scope")):
        leaves[row["rev"]] += [proofs.listed_leaf(scope_name(row))] if row["listed"] else []
    fronts = accounted.in_front(bundle.things, reach)
    for row in bundle.of("resource"):
        if whole is not None and (row["uid"], whole) in fronts:
            leaves[whole] += _leaves(scope_name(row), row)
    for row in (*bundle.of("pinned"), *bundle.of("guard")):
        if row["rev"] != whole and row["state"] and (row["uid"], row["rev"]) in fronts:
            leaves[row["rev"]] += _leaves(scope_name(row), row["state"])
    return [Proof(proofs.BESIDE, rev, proofs.folded(each)) for rev, each in leaves.items()]


def _everything(bundle: Bundle, rev: int) -> Iterator[Proof]:
    inside: dict[str, list[bytes]] = {}
    for row in bundle.of("resource"):
        inside.setdefault(scope_name(row), []).extend(_leaves(scope_name(row), row))
    empty: list[bytes] = []
    for row in bundle.of("scope"):
        name = scope_name(row)
        around = [*_coverage(row), *([proofs.listed_leaf(name)] if row["listed"] else [])]
        if name in inside:
            yield Proof(proofs.everything_in(name), rev, proofs.folded(inside.pop(name) + around))
        else:
            empty += around
    if empty:
        yield Proof(proofs.EMPTY_SCOPES, rev, proofs.folded(empty))
    yield from (Proof(proofs.everything_in(name), rev, proofs.folded(each)) for name, each in inside.items())


def _coverage(row: Row) -> list[bytes]:
    return [proofs.coverage_leaf(scope_name(row), aspect, *said) for aspect, said in row["coverage"].items()]


def _leaves(scope: str, row: Row) -> list[bytes]:
    body = codec.canonical(row["profile"]).decode()
    guards = accounted.guards_of(row)
    profile = proofs.profile_digest(codec.digest(body.encode()), row["type"], body, guards)
    uid, document = row["uid"], codec.canonical(row["document"]).decode()
    terms = (row["address"], row["subject"], row["read"], profile, row["digest"], document)
    found = [proofs.resource_leaf(scope, uid, *terms)]
    found += [proofs.grant_leaf(scope, uid, key) for key in row["grants"]]
    return found + ([proofs.unread_leaf(scope, uid, *row["unread"])] if row["unread"] else [])
