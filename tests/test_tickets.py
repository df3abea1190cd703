"""Change tickets: a claim lowers a creation and nothing else, and is somebody's word until it is confirmed."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from snapbase.finding import Report, Severity
from snapbase.model import Run
from snapbase.operations import tickets
from snapbase.operations.diff import against_baseline, against_run, diff, finished_run
from snapbase.rules import findings
from snapbase.rules.example import appeared
from snapbase.rules.rule import Context
from snapbase.settings import TicketSection
from snapbase.store import Store
from snapbase.ticket import Claim, Standing, claimed
from snapbase.trust import TrustList
from tests.receiver import Receiver
from tests.store.world import EPOCH, EUROPE, grant, minute, reading, seen, snapshot

TAGS = ("change", "ticket")
UID = "arn:aws:ec2:eu-west-1::snapshot/new"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"change": "CHG123"}, "CHG123"),
        ({"ticket": "OPS-9", "other": "CHG1"}, "OPS-9"),
        ({"change": "see CHG123 and more"}, ""),
        ({"change": ""}, ""),
        ({}, ""),
    ],
)
def test_a_ticket_is_the_whole_value_of_a_known_key(tags: dict[str, str], expected: str) -> None:
    assert claimed(tags, TAGS, TicketSection().pattern) == expected


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, write=True) as opened:
        yield opened


def _runs(store: Store) -> tuple[Run, Run]:
    """A first run, and a second that sees a new snapshot with a ticket which is shared with a stranger."""
    ticketed = replace(snapshot("new"), tags={"change": "CHG123"})
    found = ([seen(snapshot("old"))], [seen(snapshot("old")), seen(ticketed, {grant()})])
    for number, each in enumerate(found):
        run = store.begin_run("", "c", EPOCH)
        store.record(run, reading(EUROPE, number, each))
        store.finish_run(run, trust=b'{"entries": [], "own": []}', at=minute(number + 1))
    return store.run(1), store.run(2)


def _report(store: Store) -> Report:
    old, new = _runs(store) if store.last_run() is None else (store.run(1), store.run(2))
    return diff(store, new, against_run(store, old))


def _severities(report: Report) -> dict[str, Severity]:
    return {each.rule: each.severity for each in report.findings}


def test_a_claim_lowers_the_creation_and_never_the_share(store: Store) -> None:
    before = _report(store)
    assert _severities(before) == {"snapshot-appeared": Severity.LOW, "unknown-account-share": Severity.CRITICAL}

    assert tickets.check(store, TicketSection(tags=TAGS), before) == 1

    after = _report(store)
    assert _severities(after) == {"snapshot-appeared": Severity.INFO, "unknown-account-share": Severity.CRITICAL}
    new = next(each for each in after.findings if each.rule == "snapshot-appeared")
    assert "CHG123, unconfirmed" in new.detail


def test_without_configured_keys_nobody_can_claim_anything(store: Store) -> None:
    assert tickets.check(store, TicketSection(), _report(store)) == 0


@pytest.mark.parametrize(
    ("code", "standing", "severity"),
    [
        ("import sys, json; q = json.load(sys.stdin); sys.exit(q['ticket'] != 'CHG123')", "confirmed", Severity.INFO),
        ("print('another volume'); raise SystemExit(1)", "refused", Severity.MEDIUM),
        ("raise SystemExit(7)", "unconfirmed", Severity.INFO),
        (r"import sys; sys.stdout.buffer.write(b'\xff\x00no'); sys.exit(1)", "refused", Severity.MEDIUM),
        ("import time; time.sleep(9)", "unconfirmed", Severity.INFO),
    ],
)
def test_a_command_is_asked_once(store: Store, code: str, standing: str, severity: Severity) -> None:
    section = TicketSection(tags=TAGS, command=(sys.executable, "-c", code), timeout=1.5)

    tickets.check(store, section, _report(store))

    assert store.claims([UID])[UID].standing == standing
    assert _severities(_report(store))["snapshot-appeared"] == severity
    asked_again = tickets.check(store, section, _report(store))
    assert asked_again == (standing == "unconfirmed")


class _Desk(BaseHTTPRequestHandler):
    answer: bytes = b"{}"

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert question["uid"] == UID
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        (b'{"confirmed": true}', "confirmed"),
        (b'{"confirmed": false, "reason": "closed"}', "refused"),
        (b'{"confirmed": "yes"}', "unconfirmed"),
        (b"<html>", "unconfirmed"),
        (b"[]", "unconfirmed"),
    ],
)
def test_a_url_is_asked_and_only_a_plain_yes_is_one(store: Store, answer: bytes, standing: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), type("Desk", (_Desk,), {"answer": answer}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        section = TicketSection(tags=TAGS, url=SecretStr(f"http://127.0.0.1:{server.server_port}/"), timeout=2)
        tickets.check(store, section, _report(store))
    finally:
        server.shutdown()
        server.server_close()

    assert store.claims([UID])[UID].standing == standing


def test_nobody_answers_where_nobody_listens(store: Store, tmp_path: Path) -> None:
    for section in (
        TicketSection(tags=TAGS, command=(str(tmp_path / "none"),)),
        TicketSection(tags=TAGS, url=SecretStr("http://127.0.0.1:9/")),
    ):
        tickets.check(store, section, _report(store))
        assert store.claims([UID])[UID].standing == Standing.UNCONFIRMED


def _many(store: Store, count: int) -> Report:
    """A run that sees so many new snapshots with a ticket."""
    many = [seen(replace(snapshot(str(number)), tags={"change": "CHG1"})) for number in range(count)]
    for number, each in enumerate(([], many)):
        run = store.begin_run("", "c", EPOCH)
        store.record(run, reading(EUROPE, number, each))
        store.finish_run(run, trust=b'{"entries": [], "own": []}', at=minute(number + 1))
    return diff(store, store.run(2), against_run(store, store.run(1)))


def _claims(store: Store, report: Report) -> Counter[tuple[str, str]]:
    uids = [each.subject.uid for each in report.findings]
    return Counter((each.standing, each.words) for each in store.claims(uids).values())


def test_whoever_makes_many_claims_does_not_stop_a_run_when_nobody_answers(store: Store, tmp_path: Path) -> None:
    report, asked = _many(store, 30), tmp_path / "asked"
    hanging = f"open({str(asked)!r}, 'a').write('.'); import time; time.sleep(60)"
    section = TicketSection(tags=TAGS, command=(sys.executable, "-c", hanging), timeout=0.5)

    assert tickets.check(store, section, report) == 30

    assert len(asked.read_text()) <= tickets._AT_ONCE + tickets._TRIES
    claims = _claims(store, report)
    assert set(claims) == {
        ("unconfirmed", "asking failed: TimeoutExpired"),
        ("unconfirmed", "not asked: asking failed for others just before"),
    }
    assert claims.total() == 30


@pytest.mark.parametrize("slow", ["answers late", "drips"])
def test_a_flood_of_claims_and_a_slow_desk_do_not_hold_up_the_alarm(
    store: Store, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, slow: str
) -> None:
    monkeypatch.setattr(tickets, "_LONGEST", 1.0)
    report = _many(store, 40)
    section = TicketSection(tags=TAGS, command=(sys.executable, "-c", "import time; time.sleep(0.4)"), timeout=1.0)
    if slow == "drips":
        receiver.slow = 0.1
        section = TicketSection(tags=TAGS, url=SecretStr(f"{receiver.url}/"), timeout=1.0)
    begun = time.monotonic()

    assert tickets.check(store, section, report) == 40

    assert time.monotonic() - begun < 5
    claims = _claims(store, report)
    assert claims["unconfirmed", "not asked: others took all the time"] > 10
    if slow == "drips":
        assert claims["unconfirmed", "asking failed: no answer in time"] == tickets._AT_ONCE
    else:
        assert 0 < claims["confirmed", ""] < 40
        again = diff(store, store.run(2), against_run(store, store.run(1)))
        assert sum("not asked: others took all the time" in each.detail for each in again.findings) > 10


def test_a_bug_in_asking_is_not_taken_for_silence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(tickets, "_asked", broken)

    with pytest.raises(RuntimeError, match="a bug"):
        tickets.check(store, TicketSection(tags=TAGS), _many(store, 3))


def test_hostile_words_of_a_claim_stay_words() -> None:
    change = appeared(tags={"change": "CHG1"})
    claim = Claim(change.uid, "CHG1", Standing.REFUSED, "\u202e[red]<script>")

    (found,) = findings([change], Context(TrustList(), date(2026, 11, 25), claims={change.uid: claim}))

    assert found.severity == Severity.MEDIUM
    assert "<script>" in found.detail


def test_the_first_report_of_a_store_has_nothing_to_claim(store: Store) -> None:
    _runs(store)
    run = finished_run(store, 1)

    assert tickets.check(store, TicketSection(tags=TAGS), diff(store, run, against_baseline(store, run))) == 0
