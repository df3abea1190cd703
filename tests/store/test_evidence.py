"""The log as evidence: whatever is altered, removed, reordered or cut off by SQL is found, and named."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, create_engine, text

from snapbase.model import Approval, Baseline, BaselineScope, Coverage, Pin
from snapbase.store import Store, bundle, cohorts, evidence, tables
from snapbase.store.baselines import NewLine
from snapbase.store.database import connect
from snapbase.store.evidence import Verified
from tests.store.world import AMERICA, EUROPE, OUTSIDER, PUBLIC, grant, minute, reading, seen, snapshot

BY = Approval("alice", minute(10), "reviewed", "T-1", minute(500))
A, B, C = (snapshot(name).uid for name in "abc")
GUARD = "arn:aws:kms:eu-west-1:111122223333:key/1"


@pytest.fixture
def url(store_url: str) -> str:
    """A store with two scopes and a log of four lines: whole, partial, a revocation, and a whole one with pins."""
    with Store.open(store_url, write=True) as store:
        run_id = store.begin_run("", "config", minute(0))
        shared = seen(snapshot("a", guards=(GUARD,)), {grant(condition="org"), grant(PUBLIC)})
        store.record(run_id, reading(EUROPE, 1, [shared, seen(snapshot("b"), None), seen(snapshot("c"))]))
        store.record(run_id, reading(AMERICA, 2, listed="denied"))
        run = store.finish_run(run_id, trust=b'{"own": ["111122223333"]}', at=minute(3))
        _say(store, BaselineScope.WHOLE, run.last_rev, run.trust_id)
        later = store.begin_run("", "config", minute(4))
        store.record(later, reading(EUROPE, 5, [shared, seen(snapshot("b", value=1)), seen(snapshot("d"))]))
        newer = store.finish_run(later, trust=b'{"own": []}', at=minute(6))
        pins = [Pin(B, "attr:size", newer.last_rev, newer.trust_id, BY), Pin(C, "presence", 1, None, BY)]
        scope = "scope:" + "/".join((AMERICA.cloud, AMERICA.account, AMERICA.location, AMERICA.kind))
        pins.append(Pin(scope, "coverage:list", newer.last_rev, None, BY))
        _say(store, BaselineScope.PARTIAL, run.last_rev, run.trust_id, *pins, run=newer.id)
        _say(store, BaselineScope.REVOKED, run.last_rev, run.trust_id, about=2)
        kept = replace(pins[0], held=True, approval=replace(BY, baseline_id=2))
        _say(store, BaselineScope.WHOLE, newer.last_rev, newer.trust_id, kept, run=newer.id)
    return store_url


def _say(store: Store, scope: str, rev: int, trust_id: int | None, *pins: Pin, run: int = 1, **more: Any) -> Baseline:
    sign = more.pop("sign", None)
    said: dict[str, Any] = {"approval": BY, "claimed": {"user": "root"}, "entries": len(pins), **more}
    line = NewLine(scope=scope, run_id=run, rev=rev, trust_id=trust_id, pins=pins, **said)
    return store.append_baseline(line, sign=sign)


def _verify(url: str, **given: Any) -> Verified:
    with Store.open(url) as store:
        return store.verify_baselines(**given)


@contextmanager
def _database(url: str) -> Iterator[Connection]:
    """As somebody who can write the database would come in: no foreign key holds them up."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        yield connection
    engine.dispose()


def _sql(url: str, *statements: str) -> None:
    with _database(url) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def _each(url: str, statements: Iterable[str]) -> Iterator[tuple[str, Verified]]:
    """What verification says after each statement alone."""
    with _database(url) as connection:
        connection.commit()
        for statement in statements:
            connection.exec_driver_sql(statement)
            yield statement, evidence.verify(connection)
            connection.rollback()


def _words(found: Verified) -> str:
    return "\n".join(f"{each.line}: {each.words}" for each in found.problems)


def test_what_nobody_touched_verifies(url: str) -> None:
    found = _verify(url)

    assert found.problems == ()
    assert found.lines == 4
    assert found.head == _head(url)
    assert "cut off" in found.unproven[0]


def _head(url: str) -> str:
    with Store.open(url) as store:
        return store.baselines()[-1].hash


_OTHER: dict[str, str] = {"Text": "'altered'", "Integer": "77", "BigInteger": "77", "Boolean": "NOT {column}"}
_SPECIAL = {"at": "'2020-01-01T00:00:00.000000Z'", "until": "'2030-01-01T00:00:00.000000Z'", "claimed": "'{{}}'"}


def _other(column: Any) -> str:
    """Another value that the column can hold."""
    given = _SPECIAL.get(column.name) or _OTHER[type(column.type).__name__]
    return given.format(column=f'"{column.name}"')


def _altered(table: Table, where: str, *but: str) -> Iterator[str]:
    for column in table.columns:
        if column.name not in but:
            yield f'UPDATE {table.name} SET "{column.name}" = {_other(column)} WHERE {where}'


@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_every_column_of_every_line_is_covered(url: str, line: int) -> None:
    # A signature is checked with its key.
    for statement, found in _each(url, _altered(tables.baseline, f"id = {line}", "signature")):
        assert {each.line for each in found.problems} & {line, 77}, statement


def test_every_column_of_every_pin_is_covered(url: str) -> None:
    for pin, line in ((1, 2), (2, 2), (3, 2), (4, 4)):
        for statement, found in _each(url, _altered(tables.pin, f"id = {pin}")):
            assert line in {each.line for each in found.problems}, statement


def test_every_column_of_the_kept_digests_is_covered(url: str) -> None:
    for statement, found in _each(url, _altered(tables.proof, f"subject = '{C}'")):
        assert "2: " in _words(found), statement


_SNAPSHOT_A = f"(SELECT id FROM resource WHERE uid = '{A}')"
_CONTENT = [
    # A row's own number says nothing and is covered by nothing; everything that refers to one is.
    ("resource", "id", "id", _SNAPSHOT_A, "77"),
    ("resource", "scope_id", "id", _SNAPSHOT_A, "2"),
    ("resource", "uid", "id", _SNAPSHOT_A, "'other'"),
    ("resource", "address", "id", _SNAPSHOT_A, "'other'"),
    ("resource", "subject", "id", _SNAPSHOT_A, "'other'"),
    ("resource", "first_shared", "id", _SNAPSHOT_A, "NULL"),
    ("version", "resource_id", "resource_id", _SNAPSHOT_A, "77"),
    ("version", "profile_id", "resource_id", _SNAPSHOT_A, "2"),
    ("version", "digest", "resource_id", _SNAPSHOT_A, "'other'"),
    ("version", "document", "resource_id", _SNAPSHOT_A, """'{"name":"other"}'"""),
    ("version", "opened", "resource_id", _SNAPSHOT_A, "4"),
    ("version", "closed", "resource_id", _SNAPSHOT_A, "2"),
    ("profile", "id", "id", "1", "77"),
    ("profile", "digest", "id", "1", "'other'"),
    ("profile", "type", "id", "1", "'guardrail'"),
    ("profile", "body", "id", "1", "'{}'"),
    ("profile_guard", "profile_id", "guard", f"'{GUARD}'", "2"),
    ("profile_guard", "guard", "guard", f"'{GUARD}'", "'other'"),
    ("grant", "resource_id", "condition", "'org'", "2"),
    ("grant", "principal_id", "condition", "'org'", "77"),
    ("grant", "access", "condition", "'org'", "'restore'"),
    ("grant", "mechanism", "condition", "'org'", "'other'"),
    ("grant", "condition", "condition", "'org'", "''"),
    ("grant", "expires_at", "condition", "'org'", "'2027-01-01T00:00:00.000000Z'"),
    ("grant", "opened", "condition", "'org'", "4"),
    ("grant", "closed", "condition", "'org'", "2"),
    ("principal", "id", "key", f"'{OUTSIDER.id}'", "77"),
    ("principal", "kind", "key", f"'{OUTSIDER.id}'", "'user'"),
    ("principal", "key", "key", f"'{OUTSIDER.id}'", "'111122223333'"),
    ("unread", "resource_id", "opened", "1", "1"),
    ("unread", "outcome", "opened", "1", "'throttled'"),
    ("unread", "reason", "opened", "1", "'other'"),
    ("unread", "opened", "opened", "1", "4, closed = NULL"),
    ("unread", "closed", "opened", "1", "2"),
    ("coverage", "scope_id", "outcome", "'denied'", "77"),
    ("coverage", "aspect", "aspect", "'sharing'", "'other'"),
    ("coverage", "outcome", "outcome", "'denied'", "'complete'"),
    ("coverage", "reason", "outcome", "'denied'", "'other'"),
    ("coverage", "opened", "outcome", "'denied'", "4"),
    ("coverage", "closed", "outcome", "'denied'", "3"),
    ("scope", "id", "location", "'eu-west-1'", "77"),
    ("scope", "cloud", "location", "'eu-west-1'", "'gcp'"),
    ("scope", "account", "location", "'eu-west-1'", "'999988887777'"),
    ("scope", "location", "location", "'eu-west-1'", "'eu-west-2'"),
    ("scope", "kind", "location", "'eu-west-1'", "'aws.rds.snapshot'"),
    ("scope_state", "first_complete", "scope_id", "1", "NULL"),
    ("trust", "id", "id", "1", "77"),
    ("trust", "digest", "id", "1", "'other'"),
    ("trust", "body", "id", "1", """'{"own": ["999988887777"]}'"""),
    ("run", "last_rev", "id", "1", "3"),
    ("run", "trust_id", "id", "1", "2"),
]


def test_every_column_of_what_was_approved_is_covered(url: str) -> None:
    changes = (f'UPDATE "{table}" SET "{column}" = {other} WHERE "{where}" = {value}'
               for table, column, where, value, other in _CONTENT)  # fmt: skip
    for statement, found in _each(url, changes):
        assert {each.line for each in found.problems} & {1, 2}, statement


def test_nothing_that_an_approval_stands_on_was_forgotten() -> None:
    tried = {(table, column) for table, column, *_ in _CONTENT}
    # What happened to a scope or a run afterwards, and the numbers of rows to which nothing refers.
    free = {
        "scope_state": {"scope_id", "read_at", "last_attempt_run", "last_complete_run", "seen", "set_digest"},
        "run": {"id", "state", "selection", "config_digest", "started_at", "finished_at", "heard"},
        **{name: {"id"} for name in ("version", "grant", "unread", "coverage")},
    }
    names = {name for name, _ in tried}

    for table in (tables.metadata.tables[name] for name in names):
        columns = {column.name for column in table.columns} - free.get(table.name, set())
        assert {column for name, column in tried if name == table.name} == columns


def test_an_altered_version_is_named(url: str) -> None:
    _sql(url, f"""UPDATE version SET document = '{{"tampered": 1}}' WHERE resource_id = {_SNAPSHOT_A}""")

    words = _words(_verify(url))

    assert f"everything in aws/111122223333/eu-west-1/aws.ec2.snapshot as of revision 2: {A}." in words


def test_a_grant_slipped_into_an_approved_state_is_named_by_its_scope(url: str) -> None:
    terms = "99, id, 1, 'read', 'way', '', '', 1, NULL FROM resource WHERE uid"
    _sql(url, f"INSERT INTO \"grant\" SELECT {terms} = '{C}'")

    words = _words(_verify(url))

    assert "1: What it covered is not what it was: everything in aws/111122223333/eu-west-1" in words
    assert f"2: What it covered is not what it was: {C} as of revision 1" in words
    assert "4: " in words


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_removed_line_is_named(url: str, line: int) -> None:
    _sql(url, f"DELETE FROM proof WHERE baseline_id = {line}", f"DELETE FROM pin WHERE baseline_id = {line}",
         f"DELETE FROM baseline WHERE id = {line}")  # fmt: skip

    assert f"{line + 1}: The log jumps here: {line} removed." in _words(_verify(url))


def test_reordered_lines_are_found(url: str) -> None:
    for table, column in (("baseline", "id"), ("pin", "baseline_id"), ("proof", "baseline_id")):
        _sql(url, *(f"UPDATE {table} SET {column} = {new} WHERE {column} = {old}"
                    for old, new in ((2, 99), (3, 2), (99, 3))))  # fmt: skip

    assert {each.line for each in _verify(url).problems} >= {2, 3}


def test_truncation_is_found_with_a_head_only(url: str) -> None:
    head = _head(url)
    _sql(url, *(f"DELETE FROM {table} WHERE {column} = 4" for table, column in
                (("proof", "baseline_id"), ("pin", "baseline_id"), ("baseline", "id"))))  # fmt: skip

    assert _verify(url).problems == ()
    assert any("cut off" in each for each in _verify(url).unproven)
    assert "truncated or rewritten" in _words(_verify(url, head=head))


def test_a_head_kept_earlier_still_holds_when_the_log_has_grown(url: str) -> None:
    head = _head(url)
    with Store.open(url, write=True) as store:
        _say(store, BaselineScope.REVOKED, 2, None, about=4)

    found = _verify(url, head=head)

    assert found.problems == ()
    assert any("1 line came after the given head" in each for each in found.unproven)


def _sign(words: str) -> str:
    return hashlib.sha256(f"secret {words}".encode()).hexdigest()


def _check(words: str, signature: str) -> bool:
    return _sign(words) == signature


def test_a_signed_log_that_was_rewritten_is_found_without_any_head(url: str) -> None:
    assert "No line is signed." in _words(_verify(url, check=_check))
    with Store.open(url, write=True) as store:
        _say(store, BaselineScope.REVOKED, 2, None, about=4, sign=_sign)
    assert _verify(url, check=_check).problems == ()

    _sql(url, "UPDATE baseline SET signature = 'forged' WHERE id = 5")
    assert "5: Its signature" in _words(_verify(url, check=_check))
    with Store.open(url, write=True) as store:
        _say(store, BaselineScope.REVOKED, 2, None, about=1)
    assert "6: It is not signed" in _words(_verify(url, check=_check))


def test_lines_from_before_there_was_evidence_still_verify(url: str) -> None:
    """As a store upgraded from the schema before: nothing covered, hashed without the columns there were not."""
    from snapbase.store import baselines, codec

    engine = connect(url, write=True)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM proof"))
        before = ""
        for number in (1, 2, 3, 4):
            connection.execute(tables.baseline.update().where(tables.baseline.c.id == number).values(
                about=None, covered="", prev_hash=before))  # fmt: skip
            connection.execute(tables.pin.update().values(origin=None))
            row = connection.execute(tables.baseline.select().where(tables.baseline.c.id == number)).mappings().one()
            query = tables.pin.select().where(tables.pin.c.baseline_id == number).order_by(tables.pin.c.id)
            pins = [dict(each) for each in connection.execute(query).mappings()]
            before = baselines.line_hash(dict(row), pins)
            hidden = ("hash", "signature", "about", "pending", "covered")
            older = {name: value for name, value in row.items() if name not in hidden}
            bare = [{name: value for name, value in pin.items() if name != "origin"} for pin in pins]
            assert before == codec.digest(codec.canonical(older), codec.canonical(bare))
            connection.execute(tables.baseline.update().where(tables.baseline.c.id == number).values(hash=before))
    engine.dispose()

    found = _verify(url)

    assert found.problems == ()
    assert any("only themselves checked: 1, 2, 3, 4" in each for each in found.unproven)
    _sql(url, "UPDATE baseline SET pending = NOT pending WHERE id = 2")
    assert "2: It claims to be older" in _words(_verify(url))


def test_what_is_collected_later_changes_no_evidence(url: str) -> None:
    with Store.open(url, write=True) as store:
        run_id = store.begin_run("", "", minute(20))
        store.record(run_id, reading(EUROPE, 21, [seen(snapshot("a", value=9), {grant(PUBLIC)})]))
        full = reading(AMERICA, 22, [seen(snapshot("z"))])
        store.record(run_id, replace(full, coverage=(Coverage(AMERICA, "list", "complete"),)))
        store.finish_run(run_id, trust=b"{}", at=minute(23) + timedelta(seconds=1))

    assert _verify(url).problems == ()


def test_a_cohort_lies_beside_the_log_and_is_covered_by_it(url: str, tmp_path: Path) -> None:
    body = b'{"origin": "dlm:policy-1"}'
    pin = Pin(cohorts.subject("dlm:policy-1"), cohorts.entry(body), 3, None, BY)
    with Store.open(url, write=True) as store:
        line = _say(store, BaselineScope.PARTIAL, 3, None, pin)
        store.save_cohorts(line.id, {"dlm:policy-1": body})
        _say(store, BaselineScope.WHOLE, 3, 2, run=2)
        exported = list(store.export_baselines())
    assert _verify(url).problems == ()

    tampered = [f"UPDATE cohort SET {name} = 'other'" for name in ("origin", "body")]
    for statement, found in _each(url, [*tampered, "UPDATE cohort SET baseline_id = 1", "DELETE FROM cohort"]):
        assert "5: What it covered is not what it was: the cohort of origin:dlm:policy-1." in _words(found), statement

    there = f"sqlite:///{tmp_path}/there.db"
    with Store.open(there, write=True) as store:
        read = bundle.parse(exported)
        assert bundle.verify(read).problems == ()
        made = store.import_baselines(read, claimed={}, at=minute(60)).lines
        assert [(each.id, each.scope, each.claimed["imported_line"]) for each in made] == [
            (1, "partial", "5"),
            (2, "whole", "6"),
        ]
        assert store.verify_baselines().problems == ()
    with _database(there) as connection:
        assert connection.execute(text("SELECT baseline_id, body FROM cohort")).all() == [(1, body.decode())]
    gone = [line for line in exported if '"thing":"cohort"' not in line]
    assert "the cohort of origin:dlm:policy-1" in _words(bundle.verify(bundle.parse(gone)))


def test_a_thing_that_is_later_seen_in_a_second_scope_too_changes_no_older_pin(store_url: str) -> None:
    """What was approved does not reach there, and the scope was listed long before."""
    with Store.open(store_url, write=True) as store:
        run_id = store.begin_run("", "config", minute(0))
        store.record(run_id, reading(EUROPE, 1, [seen(snapshot("a"))]))
        store.record(run_id, reading(AMERICA, 2, [seen(snapshot("b"))]))
        run = store.finish_run(run_id, trust=b"{}", at=minute(3))
        _say(store, BaselineScope.PARTIAL, 0, None, Pin(A, "presence", run.last_rev, None, BY))
        later = store.begin_run("", "config", minute(4))
        store.record(later, reading(AMERICA, 5, [seen(snapshot("a"), {grant()}), seen(snapshot("b"))]))
        newer = store.finish_run(later, trust=b"{}", at=minute(6))
        assert store.verify_baselines().problems == ()
        held = Pin(A, "presence", run.last_rev, None, BY, held=True)
        _say(store, BaselineScope.WHOLE, newer.last_rev, newer.trust_id, held, run=newer.id)
        assert store.verify_baselines().problems == ()


def test_that_absence_was_a_fact_is_covered_where_the_thing_came_later(store_url: str) -> None:
    with Store.open(store_url, write=True) as store:
        run_id = store.begin_run("", "config", minute(0))
        store.record(run_id, reading(EUROPE, 1, [seen(snapshot("b"))]))
        run = store.finish_run(run_id, trust=b"{}", at=minute(3))
        later = store.begin_run("", "config", minute(4))
        store.record(later, reading(EUROPE, 5, [seen(snapshot("a")), seen(snapshot("b"))]))
        newer = store.finish_run(later, trust=b"{}", at=minute(6))
        held = Pin(A, "presence", run.last_rev, None, BY, held=True)
        _say(store, BaselineScope.WHOLE, newer.last_rev, newer.trust_id, held, run=newer.id)
    assert _verify(store_url).problems == ()

    _sql(store_url, f"UPDATE scope_state SET first_complete = {newer.last_rev}")

    assert f"What it covered is not what it was: {A} as of revision {run.last_rev}" in _words(_verify(store_url))
