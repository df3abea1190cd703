"""Whoever is to be notified is told once, in time, without secrets, and again when it gets worse or comes back."""

import hmac
import json
import logging
import os
import re
import socket
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from snapbase.errors import CredentialsError
from snapbase.finding import Finding, Report, Severity
from snapbase.notify import Message, deliver
from snapbase.notify.webhook import SIGNATURE
from snapbase.operations import notify, told
from snapbase.operations.notify import defanged, tell, tell_failure
from snapbase.operations.told import Entry, kept, path_of
from snapbase.settings import NotifySection
from tests.receiver import Receiver
from tests.report.cases import CLEAN, DENIED_GAP, DRIFT, HOSTILE, finding

SECRET = "T0KEN-of-the-address"
PUBLIC = finding("public-share", Severity.CRITICAL, "Public: anyone can read it")
SHARED = finding("unknown-account-share", Severity.HIGH, "Shared with unknown account 999988887777")
MILD = finding("snapshot-appeared", Severity.LOW, "New")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store/snapbase.db"


def webhook(receiver: Receiver, **more: Any) -> NotifySection:
    return NotifySection(webhook=SecretStr(f"{receiver.url}/{SECRET}"), **more)


def report(*found: Finding, **more: Any) -> Report:
    return replace(CLEAN, findings=found, **more)


def test_without_a_way_nothing_is_told_or_kept(place: str) -> None:
    assert tell(NotifySection(), place, DRIFT) == ()
    assert not path_of(place).parent.exists()


def test_a_finding_is_told_once_and_only_at_the_level_or_above(receiver: Receiver, place: str) -> None:
    section = webhook(receiver)

    assert tell(section, place, report(SHARED, MILD)) == ()
    assert tell(section, place, report(SHARED, MILD)) == ()
    assert tell(section, place, report(PUBLIC, SHARED, MILD)) == ()

    assert receiver.told == [[SHARED.title], [PUBLIC.title]]
    body = receiver.bodies[1]
    assert body["schema"] == "snapbase.diff/1"
    assert body["notes"] == ["2 findings told before, or milder."]
    assert receiver.got[0][0] == f"/{SECRET}"


def test_what_gets_worse_is_told_again_and_what_gets_better_is_not(receiver: Receiver, place: str) -> None:
    section = webhook(receiver)

    for severity in (Severity.MEDIUM, Severity.HIGH, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL):
        tell(section, place, report(replace(SHARED, severity=severity)))

    assert [each["findings"][0]["severity"] for each in receiver.bodies] == ["medium", "high", "critical"]


def test_what_comes_back_after_it_was_gone_is_news(receiver: Receiver, place: str) -> None:
    section = webhook(receiver)

    for found in ((SHARED,), (), (SHARED,)):
        tell(section, place, report(*found))

    assert receiver.told == [[SHARED.title], [SHARED.title]]


def test_the_signature_holds_for_these_bytes_at_this_time(receiver: Receiver, place: str) -> None:
    begun = int(time.time())
    tell(webhook(receiver, key=SecretStr("the key")), place, report(SHARED))

    _, headers, body = receiver.got[0]
    found = re.fullmatch("t=([0-9]+),sha256=([0-9a-f]{64})", headers[SIGNATURE])
    assert found
    assert found[2] == hmac.new(b"the key", f"{found[1]}.".encode() + body, "sha256").hexdigest()
    assert begun <= int(found[1]) <= time.time()


@pytest.mark.parametrize(
    ("status", "words"), [(500, "it answered 500"), (404, "it answered 404"), (302, "it redirects (302)")]
)
def test_a_failed_delivery_is_said_and_tried_again(receiver: Receiver, place: str, status: int, words: str) -> None:
    section = webhook(receiver)
    receiver.status, receiver.location = status, f"{receiver.url}/elsewhere"

    (said,) = tell(section, place, report(SHARED))
    receiver.status = 200
    assert tell(section, place, report(SHARED)) == ()

    assert words in said
    assert SECRET not in said
    assert [path for path, _, _ in receiver.got] == [f"/{SECRET}"] * 2  # the redirect was not followed


def test_a_server_that_drips_does_not_hold_up_the_run(receiver: Receiver, place: str) -> None:
    receiver.slow = 0.1

    (said,) = tell(webhook(receiver, timeout=0.3), place, report(SHARED))

    assert receiver.dripped < 1_000, "its answer was not waited for"
    assert "no answer within 0.3 s" in said


def test_a_server_that_is_not_there_is_said_without_its_address(place: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    (said,) = tell(NotifySection(webhook=SecretStr(f"http://127.0.0.1:{port}/{SECRET}")), place, report(SHARED))

    assert said == "Not told by webhook: failed: ConnectionError. The next run tries again."


def test_one_way_that_fails_does_not_repeat_another(receiver: Receiver, place: str, tmp_path: Path) -> None:
    out = tmp_path / "told.json"
    code = f"import sys; open({str(out)!r}, 'ab').write(sys.stdin.buffer.read())"
    section = webhook(receiver, command=(sys.executable, "-c", code))
    receiver.status = 503

    tell(section, place, report(SHARED))
    receiver.status = 200
    tell(section, place, report(SHARED))

    assert json.loads(out.read_text())["findings"][0]["id"] == SHARED.id  # once: twice would be no JSON
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nonexistent/pager",), "it cannot be started: No such file or directory"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "it ended with 3"),
        ((sys.executable, "-c", "import time; time.sleep(30)"), "it did not end within 0.5 s"),
    ],
)
def test_a_command_that_fails_is_said(place: str, command: tuple[str, ...], words: str) -> None:
    (said,) = tell(NotifySection(command=command, timeout=0.5), place, report(SHARED))

    assert words in said


def test_a_command_is_no_shell(place: str, tmp_path: Path) -> None:
    tell(NotifySection(command=("/bin/echo", f"; touch {tmp_path}/owned")), place, report(SHARED))

    assert not (tmp_path / "owned").exists()


def test_a_hole_is_told_once_a_day_however_often_it_heals(receiver: Receiver, place: str) -> None:
    section = webhook(receiver)
    hole = report(complete=False, coverage=(DENIED_GAP,))

    for each in (hole, hole, report(), hole):
        tell(section, place, each)
    with kept(place) as book:
        ((way, (thing,)),) = book.ways.items()
        book.add(way, {thing: 0}, datetime.now(UTC) - timedelta(days=2))
    for each in (hole, report(), hole):
        tell(section, place, each)

    assert len(receiver.got) == 2
    assert receiver.bodies[0]["coverage"][0]["outcome"] == "denied"


def test_a_failed_run_is_told_once_until_one_succeeds(receiver: Receiver, place: str) -> None:
    section, error = webhook(receiver), CredentialsError("Nothing could be read.", hint="Check the credentials.")

    for _ in range(2):
        assert tell_failure(section, place, error) == ()
    tell(section, place, report())
    tell_failure(section, place, error)
    tell_failure(section, place, ValueError(SECRET))

    first, again, bug = receiver.bodies
    assert (first["schema"], first["error"]) == ("snapbase.failed/1", "Nothing could be read.")
    assert again == {**first, "at": again["at"]}
    assert bug["error"] == "a bug: ValueError"


def test_what_was_told_is_its_owner_s_alone_and_holds_no_address(receiver: Receiver, place: str) -> None:
    tell(webhook(receiver, key=SecretStr("the key")), place, report(SHARED))

    path = path_of(place)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name(f"{path.name}.lock").stat().st_mode & 0o777 == 0o600
    assert not re.search(rf"{SECRET}|the key|127\.0\.0\.1", path.read_text())


def test_a_place_without_a_file_is_found_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    one, same = (path_of(f"postgresql+psycopg://me:{word}@db/x") for word in ("one", "two"))

    assert one == same != path_of("postgresql+psycopg://me:one@db/y")
    assert one.is_relative_to(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"webhook": {"finding:x": 1}}', b"\xff"])
def test_a_damaged_file_tells_again_rather_than_never(receiver: Receiver, place: str, damage: bytes) -> None:
    section = webhook(receiver)
    tell(section, place, report(SHARED))
    path_of(place).write_bytes(damage)

    assert tell(section, place, report(SHARED)) == ()

    assert receiver.told == [[SHARED.title]] * 2


def test_what_cannot_be_kept_is_told_all_the_same(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    (said,) = tell(webhook(receiver), f"sqlite:///{tmp_path}/file/snapbase.db", report(SHARED))

    assert receiver.told == [[SHARED.title]]
    assert "What was told cannot be kept" in said


def test_two_at_once_do_not_tell_twice(receiver: Receiver, place: str) -> None:
    with kept(place):
        (said,) = tell(webhook(receiver), place, report(SHARED))

    assert "another snapbase is telling" in said
    assert receiver.got == []


def test_a_delivery_that_was_not_written_down_is_told_again(
    receiver: Receiver, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: int) -> None:
        raise KeyboardInterrupt

    section = webhook(receiver)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            tell(section, place, report(SHARED))

    tell(section, place, report(SHARED))

    assert receiver.told == [[SHARED.title]] * 2


def test_a_library_s_own_error_is_told_by_its_name() -> None:
    def broken(_: Message) -> None:
        raise ValueError(SECRET)

    assert deliver(broken, Message("", "", b""), 1) == "failed: ValueError"


def test_thousands_of_findings_come_in_messages_that_can_be_taken(
    receiver: Receiver, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_BATCH", 2)
    found = tuple(replace(SHARED, id=f"{number:012}") for number in range(5))

    tell(webhook(receiver), place, report(*found, complete=False, coverage=(DENIED_GAP,)))
    tell(webhook(receiver), place, report(*found, complete=False, coverage=(DENIED_GAP,)))

    assert [len(each) for each in receiver.told] == [2, 2, 1]
    receiver.got.clear()
    host = receiver.url.removeprefix("http://")
    section = NotifySection(services=(SecretStr(f"json://{host}/"),))
    tell(section, place, report(*found, complete=False, coverage=(DENIED_GAP,)))
    assert ["Not read" in each["message"] for each in receiver.bodies] == [True, False, False]


def test_people_are_told_through_any_service_of_apprise(receiver: Receiver, place: str) -> None:
    """By its plug-in for JSON, which posts to the receiver."""
    host = receiver.url.removeprefix("http://")
    section = NotifySection(services=(SecretStr(f"json://user:{SECRET}@{host}/?format=text"),))

    assert tell(section, place, report(SHARED, complete=False, coverage=(DENIED_GAP,))) == ()
    assert tell(section, place, report(SHARED, complete=False, coverage=(DENIED_GAP,))) == ()

    (body,) = receiver.bodies
    assert body["title"] == "snapbase: 1 high, 1 reading failed"
    assert SHARED.title in body["message"]
    assert "denied: ec2:DescribeSnapshots denied" in body["message"]
    with kept(place) as book:
        (way,) = book.ways
        assert re.fullmatch("service [0-9a-f]{4}", way)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"nonsense-{SECRET}", "Not told by service 1: its address is none that apprise knows."),
        (f"slakc://{SECRET}", "Not told by service 1 (slakc): its address is none that apprise knows."),
        (f"json://u:{SECRET}@127.0.0.1:1/{SECRET}", "Not told by service 1 (json): the service did not take it."),
    ],
)
def test_a_service_that_fails_is_said_without_its_address(
    place: str,
    address: str,
    words: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    (said,) = tell(NotifySection(services=(SecretStr(address),)), place, report(SHARED))

    assert said == f"{words} The next run tries again."
    assert SECRET not in "".join(capfd.readouterr())
    assert not [each for each in caplog.records if each.name.startswith("apprise")]
    assert not path_of(place).exists()


def test_a_service_is_not_led_elsewhere(receiver: Receiver, place: str) -> None:
    receiver.status, receiver.location = 307, f"{receiver.url}/elsewhere"
    host = receiver.url.removeprefix("http://")

    (said,) = tell(NotifySection(services=(SecretStr(f"json://{host}/"),)), place, report(SHARED))

    assert "did not take it" in said
    assert len(receiver.got) == 1


def test_a_cloud_s_words_do_nothing_in_a_chat(receiver: Receiver, place: str) -> None:
    words = f"<!channel> @Everyone [x](https://evil.example) `{HOSTILE}"
    hostile = replace(SHARED, title=words, subject=replace(SHARED.subject, name=words))
    host = receiver.url.removeprefix("http://")

    tell(NotifySection(services=(SecretStr(f"json://{host}/"),)), place, report(hostile))

    message = receiver.bodies[0]["message"]
    assert not re.search("<|>|`|://|@everyone|[\x00-\x09\x0b-\x1f\u202e\u200b]", message, re.IGNORECASE)
    assert len(message) < 2_000
    assert defanged("ann@example.com") == "ann@example.com"
    assert defanged("[Approve](evil.example) WWW.evil.example") == "(Approve)(evil.example) WWW[.]evil.example"


def test_an_entry_knows_how_bad_it_was() -> None:
    book = told.Told(Path("/nowhere"), {"webhook": {"x": Entry(2, datetime.now(UTC))}})

    assert [book.is_new("webhook", "x", rank) for rank in (1, 2, 3)] == [True, False, False]
    assert book.is_new("command", "x", 2)
