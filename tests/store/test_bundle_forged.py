"""Rows slipped into an exported file whose head is the right one: what no line accounts for is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from snapbase.model import BaselineScope, Pin
from snapbase.operations import evidence
from snapbase.store import Store, bundle, codec, proofs, tables
from snapbase.store.baselines import in_force, line_hash
from snapbase.store.evidence import Verified
from tests.store.test_candidates import CLOSED, KEY, OPEN, STANDING, TWICE, Desk, Player, _shared, _step, desk
from tests.store.test_evidence import BY, _database, _say, _sql
from tests.store.world import AMERICA, EUROPE, PUBLIC, grant, minute, reading, seen, snapshot

__all__ = ["desk"]
Row = dict[str, Any]
A = snapshot("a").uid
AMERICAN = [AMERICA.cloud, AMERICA.account, AMERICA.location, AMERICA.kind]


def _rows(store: Store) -> list[Row]:
    return [json.loads(line) for line in evidence.export(store)]


def _load(rows: list[Row], head: str = "") -> tuple[bundle.Bundle, Verified]:
    """With the head of the honest file, which its first row names."""
    return evidence.load(map(json.dumps, rows), head=head or rows[0]["hash"])


def _of(rows: list[Row], thing: str, uid: str = "") -> Row:
    return next(row for row in rows if row["thing"] == thing and uid in ("", row.get("uid")))


def _state(row: Row) -> Row:
    """Of a row of the whole approval, what a row of a single one would hold."""
    return {name: value for name, value in row.items() if name not in ("thing", "scope")}


def _evil(rows: list[Row], **other: Any) -> Row:
    """A public snapshot that nobody approved."""
    honest = _of(rows, "resource", A)
    words = json.dumps(_state(honest)).replace(A, snapshot("evil").uid)
    shared = {**json.loads(words), "grants": [["public", "all", "read", "ec2:createVolumePermission", "", ""]]}
    return {"rev": _of(rows, "line")["rev"], "uid": shared["uid"], "scope": honest["scope"], "state": shared, **other}


@pytest.fixture
def whole(desk: Desk) -> list[Row]:
    """Approved as a whole behind a closed key; above it one share by itself, and the coverage of a scope."""
    desk.collect(seen(snapshot("b")), _shared(KEY), key=CLOSED)
    desk.approve()
    found = desk.collect(seen(snapshot("b")), seen(snapshot("a", guards=(KEY,)), {grant(), grant(PUBLIC)}), key=OPEN)
    desk.approve([each.id for each in found.findings])
    number = desk.store.begin_run("", "", minute(desk.tick()))
    desk.store.record(number, reading(AMERICA, desk.tick(), [seen(snapshot("z"))], listed="partial"))
    run = desk.store.finish_run(number, trust=b"{}", at=minute(desk.tick()))
    scope = f"{proofs.SCOPE}{proofs.scope_name(*AMERICAN)}"
    pins = [Pin(scope, "coverage:list", run.last_rev, None, BY), Pin("gone", "presence", run.last_rev, None, BY)]
    pins.append(Pin(snapshot("z").uid, "presence", run.last_rev - 1, None, BY))
    _say(desk.store, BaselineScope.PARTIAL, 0, None, *pins, run=run.id)
    rows = _rows(desk.store)
    assert {row["thing"] for row in rows} == {
        "head", "line", "pin", "trust", "scope", "resource", "pinned-scope", "pinned", "guard",
    }  # fmt: skip
    assert _load(rows)[1].problems == ()
    return rows


def test_an_honest_file_leaves_nothing_about_single_approvals_unproven(whole: list[Row]) -> None:
    assert _load(whole)[1].unproven == ()


def _add(thing: str, **other: Any) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [*rows, {"thing": thing, **_evil(rows, **other)}]


def _again(thing: str, **other: Any) -> Callable[[list[Row]], list[Row]]:
    """The same row once more, or nearly."""
    return lambda rows: [*rows, {**_of(rows, thing), **other}]


def _alter(thing: str, **other: Any) -> Callable[[list[Row]], list[Row]]:
    def altered(rows: list[Row]) -> list[Row]:
        place = rows.index(_of(rows, thing))
        return [*rows[:place], {**rows[place], **other}, *rows[place + 1 :]]

    return altered


def _over_a_pinned(rows: list[Row]) -> list[Row]:
    """The proven row's key, the state of a share with everybody."""
    proven = next(row for row in rows if row["thing"] == "pinned" and row["state"])
    state = {**proven["state"], "grants": _evil(rows)["state"]["grants"]}
    return [*rows, {"thing": "guard", **{name: proven[name] for name in ("rev", "uid", "scope")}, "state": state}]


def _beside_a_pinned(rows: list[Row]) -> list[Row]:
    """At a revision of a single approval, of what nothing approved lies behind."""
    return [*rows, {"thing": "guard", **_evil(rows, rev=_of(rows, "guard")["rev"])}]


def _erased(rows: list[Row]) -> list[Row]:
    """A proven row once more, as never seen there."""
    proven = next(row for row in rows if row["thing"] == "pinned" and row["state"])
    return [*rows, {**proven, "state": None, "listed": False}]


def _elsewhere(rows: list[Row]) -> list[Row]:
    """A pinned subject in a scope of which nothing was known."""
    proven = next(row for row in rows if row["thing"] == "pinned" and row["state"])
    return [*rows, {**proven, "scope": AMERICAN, "state": None, "listed": False}]


def _first_seen_later(rows: list[Row]) -> list[Row]:
    proven = next(row for row in rows if row["thing"] == "pinned" and row["state"])
    return [*rows, {**proven, "scope": AMERICAN, "state": None, "listed": True, "first": 10**9}]


def _opened(rows: list[Row]) -> list[Row]:
    """The key stood open when the share behind it was approved, says the file."""
    guard = _of(rows, "guard")
    limits = guard["state"]["profile"]["limits"]
    assert limits["admits"]
    state = {**guard["state"], "profile": {**guard["state"]["profile"], "limits": {**limits, "admits": ["*"]}}}
    return [{**row, "state": state} if row is guard else row for row in rows]


def _slipped_in(rows: list[Row]) -> list[Row]:
    evil = _evil(rows)
    return [*rows, {"thing": "resource", "scope": evil["scope"], **evil["state"]}]


def _without(thing: str) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [row for row in rows if row["thing"] != thing]


FORGED = {
    "pinned, of nothing pinned, where all was approved": _add("pinned", listed=True, first=1),
    "pinned, of nothing pinned, at no known revision": _add("pinned", listed=True, first=1, rev=10**9),
    "guard, where all was approved": _add("guard"),
    "guard, before everything": _add("guard", rev=0),
    "guard, at no known revision": _add("guard", rev=10**9),
    "guard, over a pinned": _over_a_pinned,
    "guard, beside a pinned": _beside_a_pinned,
    "guard, twice": _again("guard"),
    "guard, in another scope": _again("guard", scope=AMERICAN),
    "guard, of nothing": _again("guard", uid="other"),
    "guard, opened": _opened,
    "guard, gone": _without("guard"),
    "pinned, twice": _again("pinned"),
    "pinned, erased": _erased,
    "pinned, elsewhere": _elsewhere,
    "pinned, first seen later": _first_seen_later,
    "pinned-scope, of none pinned": _again("pinned-scope", scope=["aws", "1", "2", "3"], coverage={}),
    "pinned-scope, twice": _again("pinned-scope", coverage={}),
    "pinned-scope, at no known revision": _again("pinned-scope", rev=10**9),
    "pinned-scope, listed": _alter("pinned-scope", listed=True),
    "scope, of which nothing is known": _again("scope", scope=AMERICAN, listed=False, coverage={}),
    "scope, listed": _again("scope", scope=AMERICAN, listed=True, coverage={}),
    "scope, twice": _again("scope"),
    "scope, twice and saying nothing": _again("scope", listed=False, coverage={}),
    "resource, of its own": _slipped_in,
    "resource, twice": _again("resource"),
    "trust, of no approval": _again("trust", id=99),
    "trust, twice": _again("trust"),
    "cohort": lambda rows: [*rows, {"thing": "cohort", "baseline_id": 1, "origin": "dlm:1", "body": "{}"}],
    "pin, of no line": _again("pin", id=99, baseline_id=99),
    "pin, of a line": _again("pin", id=99),
    "line, twice": _again("line"),
    "head, of other lines": _alter("head", lines=9),
}


def test_a_row_that_no_line_accounts_for_is_refused(whole: list[Row]) -> None:
    forged = {name: forge(whole) for name, forge in FORGED.items()}
    assert whole not in forged.values()

    assert [name for name, rows in forged.items() if not _load(rows)[1].problems] == []


@pytest.mark.parametrize("thing", ["scope", "resource"])
def test_where_nothing_was_approved_as_a_whole_there_is_no_such_content(desk: Desk, thing: str) -> None:
    found = desk.collect(_shared()).findings
    desk.approve([each.id for each in found])
    rows, place = _rows(desk.store), [EUROPE.cloud, EUROPE.account, EUROPE.location, EUROPE.kind]
    row = {"thing": thing, "scope": place, "uid": "evil", "listed": True, "coverage": {}}

    assert _load(rows)[1].problems == ()
    assert _load([*rows, row])[1].problems


def test_lines_after_the_given_head_are_refused_unless_a_key_signed_them(desk: Desk) -> None:
    """Whoever has the file can write them, with all that they cover."""
    desk.collect(seen(snapshot("a")))
    desk.approve()
    head = _rows(desk.store)[0]["hash"]
    desk.collect(seen(snapshot("a")), seen(snapshot("evil"), {grant(PUBLIC)}))
    desk.approve()
    rows = _rows(desk.store)

    assert _load(rows)[1].problems == ()
    (later,) = _load(rows, head)[1].problems
    assert (later.line, "give the newest head" in later.words) == (2, True)
    for row in rows:
        row.update({"signature": row["hash"]} if row["thing"] == "line" else {})
    found = bundle.parse(map(json.dumps, rows))
    assert bundle.verify(found, head=head, check=lambda words, signature: words == signature).problems == ()


def test_what_was_proven_is_replayed_over_what_stood_in_front(whole: list[Row], store_url: str) -> None:
    """Also of a file that somebody imports without asking what it proves."""
    found = bundle.parse(map(json.dumps, _over_a_pinned(whole)))
    proven = next(row for row in whole if row["thing"] == "pinned" and row["state"])

    from snapbase.store.restore import _moments

    (moment,) = (each for rev, each in _moments(found, None).items() if rev == proven["rev"])
    assert moment.states[tuple(proven["scope"])][proven["uid"]] == proven["state"]


def _older(url: str) -> None:
    """As before single approvals covered what they lean on: the log is hashed anew without those proofs."""
    with _database(url) as connection:
        connection.execute(tables.proof.delete().where(tables.proof.c.subject == proofs.BESIDE))
        before = ""
        for row in connection.execute(tables.baseline.select().order_by(tables.baseline.c.id)).mappings().all():
            proof, this = tables.proof.c, tables.baseline.c.id == row["id"]
            kept = connection.execute(
                tables.proof.select().with_only_columns(proof.subject, proof.rev, proof.digest)
                .where(proof.baseline_id == row["id"])
            )  # fmt: skip
            root = proofs.root(proofs.Proof(*each) for each in kept)
            line = {**row, "covered": root, "prev_hash": before}
            query = tables.pin.select().where(tables.pin.c.baseline_id == row["id"]).order_by(tables.pin.c.id)
            before = line["hash"] = line_hash(line, [dict(each) for each in connection.execute(query).mappings()])
            connection.execute(tables.baseline.update().where(this).values(line))
        connection.commit()


def test_a_log_from_before_verifies_and_says_what_it_does_not_cover(
    whole: list[Row], desk: Desk, store_url: str
) -> None:
    assert not any("stood in front" in words for words in desk.store.verify_baselines().unproven)
    _older(store_url)

    found = desk.store.verify_baselines()

    assert found.problems == ()
    assert any(words.endswith("which was not checked: 2, 3.") for words in found.unproven)
    rows = _rows(desk.store)
    _, verified = _load(rows)
    assert verified.problems == ()
    assert [words.split(":")[0] for words in verified.unproven] == [
        "What stood in front of single approvals",
        "Scopes approved by themselves",
        "Said not to have been in scopes that had not been listed by then",
    ]
    for name in ("guard, over a pinned", "guard, where all was approved", "guard, beside a pinned", "guard, twice",
                 "pinned, erased", "pinned, of nothing pinned, where all was approved"):  # fmt: skip
        assert _load(FORGED[name](rows))[1].problems, name


def test_what_stood_in_front_cannot_be_altered_in_the_store(whole: list[Row], desk: Desk, store_url: str) -> None:
    assert desk.store.verify_baselines().problems == ()
    shut = codec.canonical(_of(whole, "guard")["state"]["profile"]).decode()
    _sql(store_url, f"UPDATE profile SET body = '{shut.replace('999988887777', '*')}' WHERE body = '{shut}'")

    words = {each.words.split(" as of")[0] for each in desk.store.verify_baselines().problems}

    assert f"What it covered is not what it was: {proofs.BESIDE}" in words


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(_step, min_size=2, max_size=9))
@example(steps=[*STANDING, ("guard", 0, CLOSED), ("guard", 0, OPEN)])
@example(steps=TWICE)
def test_every_row_of_an_honest_file_counts_and_none_is_too_many(
    fresh: Callable[[], Any], steps: list[tuple[Any, ...]]
) -> None:
    with fresh() as opened:
        player = Player(opened)
        player.play([("read", 0, "complete", {}), *steps])
        if not in_force(player.store.baselines()):
            return
        assert player.store.verify_baselines().problems == ()
        rows = _rows(player.store)

    _, verified = _load(rows)

    assert verified.problems == ()
    assert all(words.startswith("Lines not in force") for words in verified.unproven)
    for place, row in enumerate(rows):
        # Not what no line in force names.
        if row["thing"] not in ("head", "trust"):
            assert _load([*rows[:place], *rows[place + 1 :]], rows[0]["hash"])[1].problems, row
            assert _load([*rows, row])[1].problems, row
