"""Signing in: which scopes are asked for, which cloud is talked to, and that the wide scope only ever reads."""

from collections.abc import Sequence
from typing import Any

import pytest
import requests
from google.auth import credentials

from snapbase.collect.gcp.session import SCOPES, Session
from snapbase.collect.runtime import Runtime
from snapbase.settings import GcpEntry

WIDE = "https://www.googleapis.com/auth/cloud-platform"
ROBOT = "collector@prod-data.iam.gserviceaccount.com"


class _Found(credentials.AnonymousCredentials):
    def __init__(self, universe: str) -> None:
        super().__init__()
        self._universe_domain = universe


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The scopes of every sign-in, to a sovereign cloud."""
    seen: list[Sequence[str]] = []

    def default(scopes: Sequence[str], quota_project_id: str | None) -> tuple[Any, None]:
        seen.append(scopes)
        return _Found("s3nsapis.example"), None

    monkeypatch.setattr("google.auth.default", default)
    return seen


@pytest.fixture
def session(asked: list[Sequence[str]]) -> Session:
    return Session(GcpEntry(), Runtime(threads=1))


def test_the_clients_of_a_sovereign_cloud_talk_to_it(session: Session) -> None:
    for client in (session.compute("SnapshotsClient"), session.manager("FoldersClient")):
        assert client.universe_domain == "s3nsapis.example"
        assert client.api_endpoint.endswith(".s3nsapis.example")


def test_services_without_a_reading_scope_are_only_read_from(
    session: Session, asked: list[Sequence[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []

    def request(_: object, method: str, url: str, **__: object) -> requests.Response:
        sent.append((method, url))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"includedPermissions": ["a.b.c"]}'
        return answer

    monkeypatch.setattr("google.auth.transport.requests.AuthorizedSession.request", request)

    assert session.roles.permissions("projects/p/roles/r") == frozenset({"a.b.c"})
    assert sent == [("GET", "https://iam.s3nsapis.example/v1/projects/p/roles/r")]
    assert asked == [SCOPES, (WIDE,)]


def test_an_impersonated_account_gets_no_more_than_is_asked_of_it(asked: list[Sequence[str]]) -> None:
    session = Session(GcpEntry(impersonate=ROBOT), Runtime(threads=1))

    assert asked == [(WIDE,)]
    assert session._credentials._target_scopes == list(SCOPES)


@pytest.mark.parametrize("body", [b"[]", b"null", b"<html>", b"{", b""])
def test_an_answer_that_is_no_object_is_no_answer(
    session: Session, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = requests.Response()
    answer.status_code, answer._content = 200, body
    monkeypatch.setattr("google.auth.transport.requests.AuthorizedSession.request", lambda *_, **__: answer)

    with pytest.raises(requests.RequestException):
        session._fetch("iam", "v1/x", {})
