"""Whatever an attacker can get into the log: an event, something named as broken, or nothing; never an exception."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from snapbase.audit.activity_log import AUDIT_LOG
from snapbase.audit.log import Broken
from snapbase.event import Action, ActorKind, Result
from tests.audit.activity_records import CASES, DISK, SNAPSHOT, event, exported, full, portal

SEEDS = [shape(full(each[0]), each[1], asked=each[2]) for each in CASES for shape in (portal, exported)]
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "/", "//providers/", "\x00", "\ud800", "x" * 5_000, SNAPSHOT, '{"a"', "[" * 3_000, "9" * 5000]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += places(each, (*path, key))
    return found


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_mutated_records_are_read_or_named(data: st.DataObject) -> None:
    mutated = copy.deepcopy(data.draw(st.sampled_from(SEEDS)))
    bodies = mutated["properties"]
    if "requestbody" in bodies:
        bodies["requestbody"] = json.loads(bodies["requestbody"])
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(places(mutated)))
        holder: Any = mutated
        for key in where[:-1]:
            holder = (
                holder[key] if isinstance(holder, dict | list) and (isinstance(holder, list) or key in holder) else {}
            )
        if isinstance(holder, dict | list) and where[-1:]:
            try:
                holder[where[-1]] = data.draw(JUNK)
            except IndexError:
                continue
    bodies = mutated.get("properties")
    if isinstance(bodies, dict) and isinstance(bodies.get("requestbody"), dict) and data.draw(st.booleans()):
        bodies["requestbody"] = json.dumps(bodies["requestbody"])
    assert AUDIT_LOG.recognise(mutated) in (True, False)
    found = AUDIT_LOG.parse(mutated)
    if isinstance(found, Broken):
        assert found.why
    elif found is not None:
        assert found.id
        assert found.at.utcoffset() is not None
        assert found.action in set(Action)
        assert found.result in set(Result)
        assert found.actor.kind in set(ActorKind)
        assert found.subjects
        assert all(found.subjects)
        assert all(len(each) <= 3_000 for each in (*found.subjects, found.detail, found.actor.id, found.source_ip))
        assert list(AUDIT_LOG.fold([found, found])) in ([found], [])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(SEEDS[0] | SEEDS[1])) | st.text(max_size=5), JUNK, max_size=8))
def test_any_object_is_read_or_named(entry: dict[str, Any]) -> None:
    AUDIT_LOG.recognise(entry)
    AUDIT_LOG.parse(entry)


def test_nesting_without_end_is_no_exception() -> None:
    deep = '{"properties":' * 100_000
    entry = portal("Microsoft.Compute/disks/write", DISK, asked=deep + "{}" + "}" * 100_000, answered="[" * 100_000)

    assert event(AUDIT_LOG.parse(entry)).action == Action.CREATE
