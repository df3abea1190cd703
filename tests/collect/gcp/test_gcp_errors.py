"""Google's errors in words: what the sandbox's faults cannot produce."""

import pytest
from google.api_core.exceptions import Forbidden, GoogleAPICallError, TooManyRequests, from_http_status
from google.auth.exceptions import RefreshError, TransportError
from google.protobuf.json_format import ParseError  # type: ignore[import-untyped]
from requests import Response

from snapbase.collect.gcp.errors import CallFailed, classify, passing, permission
from snapbase.collect.limit import Retry
from snapbase.model import Miss, Outcome


def _miss(cause: BaseException, operation: str = "compute.snapshots.list") -> Miss:
    failed = CallFailed(operation, "prod-data", "global")
    failed.__cause__ = cause
    miss = classify(failed)
    assert miss is not None
    return miss


def _forbidden(reason: str) -> GoogleAPICallError:
    return Forbidden("GET https://x?key=secret: <b>no</b>", details=[{"@type": "ErrorInfo", "reason": reason}])


@pytest.mark.parametrize(
    ("cause", "outcome", "words"),
    [
        (_forbidden("SECURITY_POLICY_VIOLATED"), Outcome.DENIED, "VPC Service Controls"),
        (_forbidden("BILLING_DISABLED"), Outcome.DISABLED, "billing is off in project prod-data"),
        (_forbidden("RATE_LIMIT_EXCEEDED"), Outcome.THROTTLED, "throttled"),
        (_forbidden("SERVICE_DISABLED"), Outcome.DISABLED, "not enabled in project prod-data"),
        (from_http_status(404, "gone"), Outcome.FAILED, "it was deleted, or the name is wrong"),
        (from_http_status(418, "teapot"), Outcome.FAILED, "HTTP 418"),
        (RefreshError("invalid_grant", {"refresh_token": "secret"}), Outcome.DENIED, "sign in again"),
        (RefreshError("unavailable", retryable=True), Outcome.FAILED, "no complete answer"),
        (TransportError("secret"), Outcome.FAILED, "no complete answer"),
        (ParseError("secret"), Outcome.FAILED, "no complete answer"),
    ],
)
def test_every_answer_has_an_outcome_and_words_without_secrets(
    cause: BaseException, outcome: Outcome, words: str
) -> None:
    miss = _miss(cause)

    assert (miss.outcome, words in miss.reason) == (outcome, True), miss.reason
    assert "secret" not in miss.reason
    assert "compute" in miss.reason.lower()


def test_another_api_that_is_off_is_named() -> None:
    miss = _miss(_forbidden("SERVICE_DISABLED"), "cloudresourcemanager.projects.get")

    assert miss.outcome == Outcome.DISABLED
    assert "gcloud services enable cloudresourcemanager.googleapis.com" in miss.reason


def test_reasons_are_one_line_and_bounded() -> None:
    failed = CallFailed("compute.snapshots.list", "p" * 900 + "\n", "global")
    failed.__cause__ = Forbidden("no")
    miss = classify(failed)

    assert miss is not None
    assert len(miss.reason) <= 300
    assert "\n" not in miss.reason


def _throttled(after: str | None) -> TooManyRequests:
    response = Response()
    if after is not None:
        response.headers["Retry-After"] = after
    return TooManyRequests("slow down", response=response)


@pytest.mark.parametrize(
    ("cause", "retry"),
    [
        (_throttled("7"), Retry(throttled=True, after=7.0)),
        (_throttled("999999"), Retry(throttled=True, after=120.0)),
        (_throttled("Wed, 21 Oct 2026 07:28:00 GMT"), Retry(throttled=True)),
        (_throttled("-1"), Retry(throttled=True)),
        (_throttled(None), Retry(throttled=True)),
        (_forbidden("rateLimitExceeded"), Retry(throttled=True)),
        (from_http_status(500, "x"), Retry(throttled=False)),
        (TransportError("x"), Retry(throttled=False)),
        (_forbidden("forbidden"), None),
        (from_http_status(404, "x"), None),
        (RefreshError("x"), None),
        (KeyError("x"), None),
    ],
)
def test_only_what_may_pass_is_asked_again(cause: BaseException, retry: Retry | None) -> None:
    assert passing(cause) == retry


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("compute.snapshots.list", "compute.snapshots.list"),
        ("compute.regionSnapshots.getIamPolicy", "compute.snapshots.getIamPolicy"),
        ("cloudresourcemanager.projects.getIamPolicy", "resourcemanager.projects.getIamPolicy"),
        ("cloudresourcemanager.projects.search", "resourcemanager.projects.get"),
    ],
)
def test_the_permission_behind_a_method_is_named_as_in_iam(operation: str, name: str) -> None:
    assert permission(operation) == name
