"""Nobody is told nothing: new addresses, long messages, books that cannot be kept; and nobody again and again."""

import errno
import fcntl
import json
import logging
import os
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from snapbase.errors import Busy, CredentialsError
from snapbase.finding import Finding, Heartbeat, Severity
from snapbase.operations import notify, told
from snapbase.operations.notify import Teller, defanged, tell, tell_failure
from snapbase.operations.told import Entry, kept, path_of
from snapbase.report import Options, json_report
from snapbase.settings import NotifySection
from tests.receiver import Receiver, receiving
from tests.report.cases import DENIED_GAP, finding
from tests.test_notify import SECRET, SHARED, report, webhook

PUBLIC = finding("public-share", Severity.CRITICAL, "Public: anyone can read it")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store/snapbase.db"


def many(count: int) -> tuple[Finding, ...]:
    return tuple(replace(SHARED, id=f"{number:012}") for number in range(count))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_another_address_is_told_what_stands(receiver: Receiver, place: str) -> None:
    with receiving() as other:
        tell(webhook(receiver), place, report(SHARED))
        tell(webhook(other), place, report(SHARED))
        tell(webhook(receiver), place, report(SHARED))

        assert other.told == receiver.told == [[SHARED.title]]


def test_a_service_that_is_put_before_another_is_told_what_stands(receiver: Receiver, place: str) -> None:
    old, new = (SecretStr(f"json://{receiver.url.removeprefix('http://')}/{path}/") for path in ("old", "new"))

    tell(NotifySection(services=(old,)), place, report(SHARED))
    tell(NotifySection(services=(new, old)), place, report(SHARED))

    assert [path for path, _, _ in receiver.got] == ["/old/", "/new/"]


def test_a_message_longer_than_a_service_takes_comes_in_several(receiver: Receiver, place: str) -> None:
    """Mattermost takes 4,000 characters, and refuses all of what is longer."""
    address = SecretStr(f"mmost://{receiver.url.removeprefix('http://')}/{'a' * 24}")

    found = tuple(replace(each, title="x" * 150) for each in many(20))

    tell(NotifySection(services=(address,)), place, report(*found))

    texts = [body["text"] for body in receiver.bodies]
    assert len(texts) > 1
    assert max(map(len, texts)) <= 4_000
    assert all(each.id in "".join(texts) for each in found)


def test_a_body_is_one_that_a_web_server_takes_and_has_only_what_is_new(
    receiver: Receiver, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_LARGEST", 5_000)
    scope = DENIED_GAP.coverage.scope
    gaps = tuple(
        replace(DENIED_GAP, coverage=replace(DENIED_GAP.coverage, scope=replace(scope, account=f"{number:012}")))
        for number in range(30)
    )
    bare = len(json_report.render(report(complete=False), Options()))

    tell(webhook(receiver), place, report(*many(30), complete=False, coverage=gaps))

    assert max(len(body) for _, _, body in receiver.got) < 5_000 + bare + 200
    assert [each["id"] for body in receiver.bodies for each in body["findings"]] == [each.id for each in many(30)]
    assert len([each for body in receiver.bodies for each in body["coverage"]]) == 30
    assert {body["run"]["complete"] for body in receiver.bodies} == {False}


def test_thousands_of_approved_origins_do_not_make_a_message_that_nobody_takes(receiver: Receiver, place: str) -> None:
    samples = tuple("x" * 150 for _ in range(10))
    cohorts = tuple(Heartbeat(origin=f"dlm:{number:04}", evidence="field", samples=samples) for number in range(3_000))
    found = report(*many(2_000))

    tell(webhook(receiver), place, replace(found, summary=replace(found.summary, cohorts=cohorts)))

    assert max(len(body) for _, _, body in receiver.got) < 1 << 20
    assert sum(len(body["findings"]) for body in receiver.bodies) == 2_000
    assert {len(body["summary"]["cohorts"]) for body in receiver.bodies} == {notify._COHORTS}
    assert receiver.bodies[0]["summary"]["cohorts"][0]["origin"] == "dlm:0000"
    assert receiver.bodies[0]["notes"][-1] == "2,980 approved origins more: snapbase diff has them."


def test_a_run_that_finds_another_at_work_pages_nobody(receiver: Receiver, place: str) -> None:
    """That one tells; and of one that hangs `status --max-age` does."""
    busy = Busy("Another snapbase (process 7 on host since 2026-11-25 06:17 UTC) is writing to this store.")

    assert tell_failure(webhook(receiver), place, busy) == ()

    assert receiver.got == []


class _Garbage:
    """A server whose answer has a header that is none."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header at all\r\nX: y\r\n\r\n")
            connection.close()


@pytest.mark.parametrize("kind", ["webhook", "service"])
def test_what_a_library_warns_of_has_no_address_in_it(
    place: str, kind: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    where = f"127.0.0.1:{_Garbage().port}/{SECRET}/"
    section = (
        NotifySection(webhook=SecretStr(f"http://{where}"))
        if kind == "webhook"
        else NotifySection(services=(SecretStr(f"json://{where}"),))
    )

    tell(section, place, report(SHARED))

    assert SECRET not in "".join([*capfd.readouterr(), caplog.text])
    logging.getLogger("urllib3.connectionpool").warning("of another thread")
    assert "of another thread" in caplog.text


def test_a_watch_that_cannot_keep_what_it_told_tells_it_once(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    teller = Teller(webhook(receiver), f"sqlite:///{tmp_path}/file/snapbase.db")

    said = [teller.tell(report(SHARED)) for _ in range(3)]
    teller.tell(report())
    teller.tell(report(SHARED))

    assert receiver.told == [[SHARED.title]] * 2
    assert ["cannot be kept" in "".join(each) for each in said] == [True, False, False]


def test_a_way_that_fails_is_left_alone_for_longer_and_longer_and_told_in_the_end(
    receiver: Receiver, place: str, tmp_path: Path
) -> None:
    clock, out = Clock(), tmp_path / "told"
    section = webhook(receiver, command=("/bin/sh", "-c", f"cat > /dev/null; echo told >> {out}"))
    teller = Teller(section, place, clock)
    receiver.status = 503

    said: list[str] = []
    for _ in range(2 * 24 * 60):  # a day, a round every 30 s
        said += teller.tell(report(SHARED))
        clock.now += 30
    tried = len(receiver.got)
    receiver.status = 200
    for _ in range(31):
        said += teller.tell(report(SHARED))
        clock.now += 30

    assert said == ["Not told by webhook: it answered 503. The next run tries again."]
    assert 24 * 4 <= tried < 24 * 4 + 10
    assert len(receiver.got) == tried + 1
    assert out.read_text() == "told\n"


def test_what_waits_is_not_forgotten_while_another_tells(receiver: Receiver, place: str) -> None:
    clock, found = Clock(), report(SHARED)
    teller = Teller(webhook(receiver), place, clock)
    receiver.status = 503
    teller.tell(found)
    receiver.status = 200
    with kept(place):
        teller.tell(found)
    teller.tell(found)
    clock.now += 30

    teller.tell(found)

    assert len(receiver.got) == 2


def test_a_failure_between_two_rounds_is_told_and_told_again_after_one_that_worked(
    receiver: Receiver, place: str
) -> None:
    teller, found = Teller(webhook(receiver), place), report(SHARED)
    error = CredentialsError("Nothing could be read.")

    for _ in range(2):
        teller.tell(found)
        teller.tell_failure(error)
        teller.tell_failure(error)

    assert [body["schema"] for body in receiver.bodies] == ["snapbase.diff/1"] + ["snapbase.failed/1"] * 2


@pytest.mark.parametrize(
    "damage",
    [{"hole:x/sharing": [0, "2020-01-01T00:00:00"]}, {"finding:x": [1, "2020-01-01"]}, {"finding:x": [None, None]}],
)
def test_a_book_of_another_shape_breaks_nothing(receiver: Receiver, place: str, damage: object) -> None:
    tell(webhook(receiver), place, report(SHARED))
    path_of(place).write_text(json.dumps({"webhook": damage}))

    assert tell(webhook(receiver), place, report(SHARED)) == ()


def test_a_disk_without_locks_is_no_reason_to_be_silent(
    receiver: Receiver, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)

    assert tell(webhook(receiver), place, report(SHARED)) == ()
    assert receiver.told == [[SHARED.title]]


@pytest.mark.parametrize("url", ["postgresql+psycopg://me:word@db:port/x", "postgresql://[::1/x", "nonsense", ""])
def test_a_store_that_could_not_be_opened_is_told_whatever_its_url(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert tell_failure(webhook(receiver), url, CredentialsError("It is not there.")) == ()

    assert len(receiver.got) == 1


def test_a_bug_in_telling_changes_nothing_of_the_run(
    receiver: Receiver, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ValueError(SECRET)

    monkeypatch.setattr(json_report, "render", broken)

    (said,) = tell(webhook(receiver), place, report(SHARED))

    assert said == "Not told: a bug in snapbase: ValueError. The next run tries again."


@pytest.mark.parametrize("words", ["@room", "@**all**", "@_**everyone**", "@HERE", "x@everyone", "@team"])
def test_nobody_is_called_by_a_name_in_a_cloud(words: str) -> None:
    assert "@ " in defanged(words)


@pytest.mark.parametrize("words", ["bob@allied.example", "eve@hereford.example", "ann@example.com", "me@roomy.example"])
def test_a_mail_address_stays_one(words: str) -> None:
    assert defanged(words) == words


def test_what_two_tellers_know_is_put_together() -> None:
    at = datetime.now(UTC)
    read, unkept = {"a": {"x": Entry(1, at)}}, {"a": {"y": Entry(2, at)}, "b": {"z": Entry(0, at)}}

    assert told._both(read, unkept) == {"a": {"x": Entry(1, at), "y": Entry(2, at)}, "b": {"z": Entry(0, at)}}
