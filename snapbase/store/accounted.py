"""Whether every row of an exported file is one that a line in force accounts for: what nobody approved is not in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapbase.model import Aspect, Baseline, BaselineScope, Outcome, ResourceType
from snapbase.store import codec, proofs
from snapbase.store.evidence import Problem

Row = Mapping[str, Any]
Things = Mapping[str, Sequence[Row]]
Pinned = tuple[str, int]
"""(subject, revision)."""
_ONCE = {
    "line": ("id",),
    "pin": ("id",),
    "cohort": ("baseline_id", "origin"),
    "trust": ("id",),
    "scope": ("scope",),
    "resource": ("scope", "uid"),
    "pinned-scope": ("rev", "scope"),
    "pinned": ("rev", "scope", "uid"),
    "guard": ("rev", "scope", "uid"),
}
_GOODS = (ResourceType.SNAPSHOT, ResourceType.DISK)
"""What stands in front of nothing."""


_PLACED = ("scope", "resource", "pinned-scope", "pinned", "guard")


@dataclass(frozen=True, slots=True)
class Reach:
    """What lines pin of resources and scopes, each with the newest revision that a line which pins it names.

    Of what was first seen after that, the line says nothing.
    """

    last: Mapping[Pinned, int]

    def has(self, row: Row) -> bool:
        """A row of a pinned subject. Files from before `first` was told have everything counted."""
        last = self.last.get((row["uid"], row["rev"]))
        return last is not None and (row.get("first", 0) <= last or row["state"] is not None)

    def has_scope(self, row: Row) -> bool:
        return (f"{proofs.SCOPE}{scope_name(row)}", row["rev"]) in self.last


def reach(lines: Iterable[tuple[Baseline, Sequence[Row]]]) -> Reach:
    """Of some lines with their pins."""
    found: dict[Pinned, int] = {}
    for line, pins in lines:
        last = proofs.newest(whole_of(line), (row["rev"] for row in pins))
        for row in pins:
            if proofs.is_resource(row["subject"]) or row["subject"].startswith(proofs.SCOPE):
                key = (row["subject"], row["rev"])
                found[key] = max(last, found.get(key, 0))
    return Reach(found)


def whole_of(line: Baseline) -> int | None:
    """The revision as of which a line approved everything."""
    return line.rev if line.scope == BaselineScope.WHOLE else None


def scope_name(row: Row) -> str:
    return proofs.scope_name(*row["scope"])


def guards_of(state: Row) -> set[str]:
    return {codec.clean(each) for each in state["profile"]["guards"]}


def in_front(things: Things, pinned: Reach) -> set[Pinned]:
    """What the pinned resources lay behind when they were approved."""
    found: set[Pinned] = set()
    for row in things.get("pinned", ()):
        if row["state"] is not None and pinned.has(row):
            found.update((uid, row["rev"]) for uid in guards_of(row["state"]))
    return found


def problems(things: Things, whole: int | None, pinned: Reach) -> Iterator[Problem]:
    """Rows that stand twice, and rows that belong to nothing in force: neither to the whole approval nor to a pin."""
    yield from _head_problems(things)
    for thing, columns in _ONCE.items():
        yield from _twice(thing, columns, things.get(thing, ()))
    named = {row["trust_id"] for thing in ("line", "pin") for row in things.get(thing, ())}
    for row in things.get("trust", ()):
        if row["id"] not in named:
            yield _stray(f"trust list {row['id']}", "no approval names it")
    for row in things.get("scope", ()):
        if whole is None or not (row["listed"] or row["coverage"]):
            yield _stray(scope_name(row), "nothing was approved as a whole in it")
    if whole is None:
        yield from (_stray(row["uid"], "nothing was approved as a whole") for row in things.get("resource", ()))
    yield from _pinned_problems(things, pinned)
    yield from _guard_problems(things, whole, pinned)


def _pinned_problems(things: Things, pinned: Reach) -> Iterator[Problem]:
    for row in things.get("pinned", ()):
        if not pinned.has(row):
            yield _stray(_then(row["uid"], row), "nothing in force pins it")
        if row["state"] is not None and row["state"]["uid"] != row["uid"]:
            yield _stray(_then(row["uid"], row), "it holds something else")
    for row in things.get("pinned-scope", ()):
        if not pinned.has_scope(row):
            yield _stray(_then(scope_name(row), row), "nothing in force pins it")
        if row["coverage"].get(Aspect.LIST, [""])[0] == Outcome.COMPLETE and not row["listed"]:
            yield _stray(_then(scope_name(row), row), "it was listed completely, and is said never to have been")


def _stray(what: str, why: str) -> Problem:
    return Problem(None, f"The file holds what no line accounts for: {what}: {why}.")


def _head_problems(things: Things) -> Iterator[Problem]:
    (head,), lines = things["head"], things.get("line", ())
    if (head["lines"], head["hash"]) != (len(lines), lines[-1]["hash"] if lines else ""):
        yield Problem(None, "Its first row names another last line: lines were added or removed.")


def _twice(thing: str, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Problem]:
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        key = tuple(tuple(row[each]) if each == "scope" else row[each] for each in columns)
        if key in seen:
            yield _stray(f"{thing} {' '.join(map(str, key))}", "it stands there twice")
        seen.add(key)


def _guard_problems(things: Things, whole: int | None, pinned: Reach) -> Iterator[Problem]:
    fronts = in_front(things, pinned)
    for row in things.get("guard", ()):
        key, state = (row["uid"], row["rev"]), row["state"]
        what = f"{_then(row['uid'], row)}, in front of single approvals"
        if row["rev"] == whole:
            yield _stray(what, "everything as of then is told elsewhere")
        elif key in pinned.last:
            yield _stray(what, "it was approved itself")
        elif key not in fronts:
            yield _stray(what, "nothing that was approved lies behind it")
        elif state["uid"] != row["uid"] or state["type"] in _GOODS or state["profile"]["type"] in _GOODS:
            yield _stray(what, "it is nothing that stands in front")


def _then(name: str, row: Row) -> str:
    return f"{name} as of revision {row['rev']}"


def unproven(things: Things, proven: Reach) -> Iterator[str]:
    """What no line covers. `proven`: the lines that cover what single approvals lean on beside their subjects."""
    fronts = in_front(things, proven)
    guards = sum((row["uid"], row["rev"]) not in fronts for row in things.get("guard", ()))
    if guards:
        yield f"What stood in front of single approvals: {guards}. No line covers it: it is taken as the file says."
    scopes = sum(not proven.has_scope(row) for row in things.get("pinned-scope", ()))
    if scopes:
        yield f"Scopes approved by themselves: {scopes}. No line covers whether they had ever been listed by then."
    nowhere = (row for row in things.get("pinned", ()) if row["state"] is None and not row["listed"])
    absent = sum(not proven.has(row) for row in nowhere)
    if absent:
        yield f"Said not to have been in scopes that had not been listed by then: {absent}. No line covers that."
    places = {tuple(row["scope"]) for thing in _PLACED for row in things.get(thing, ())}
    unclear = sum("/" in part for place in places for part in place)
    if unclear:
        yield f"Names of scopes that can be cut in more than one way: {unclear}. They are taken as the file cuts them."
