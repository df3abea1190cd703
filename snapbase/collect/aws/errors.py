"""The one place that turns AWS's errors into an outcome and words."""

import re
from typing import Any

from snapbase.collect.limit import Retry
from snapbase.model import Miss, Outcome

# Codes per the services' "Common errors" pages and the EC2 API error reference.
_THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
_DENIED = frozenset(
    {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "Forbidden"}
)
_EXPIRED = frozenset({"RequestExpired", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_DISABLED = frozenset(
    {
        "AuthFailure",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "OptInRequired",
        "SubscriptionRequiredException",
    }
)
_UNSIGNED = frozenset(
    {"SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureException", "RequestTimeTooSkewed"}
)
_ABOVE = (
    "service control policy",
    "resource control policy",
    "permissions boundary",
    "session policy",
    "VPC endpoint policy",
)
"""What can deny though the role's own policy allows, as messages name it (IAM user guide, "Troubleshoot access denied
error messages")."""
_NOT_FOUND = re.compile(r"NotFound|NoSuch|DBSnapshotNotFoundFault")
_PASSING = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "ServiceUnavailable",
        "Unavailable",
        "ServerInternal",
        # With status 500, which an endpoint that does not implement an operation gives too (the services' models).
        "DependencyTimeoutException",
        "InternalServerError",
        "InternalServerException",
        "KMSInternalException",
        "ServerInternalException",
        "ServiceUnavailableException",
    }
)


class CallFailed(Exception):
    """An answer of AWS that is not the one asked for, with where it was asked."""

    def __init__(self, cause: BaseException, operation: str, account: str, region: str) -> None:
        super().__init__(f"{operation} in {account}/{region}")
        self.cause = cause
        self.operation = operation
        self.place = f"{account}/{region}"


def code(error: BaseException) -> str:
    """The service's error code; empty where there was no such answer."""
    error = error.cause if isinstance(error, CallFailed) else error
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def vanished(error: BaseException) -> bool:
    """Whether it says that the thing asked about no longer exists."""
    return bool(_NOT_FOUND.search(code(error)))


def verdict(error: BaseException) -> Retry | None:
    """Whether to ask again: throttling, server errors and broken connections pass; refusals do not."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        if code(error) in _THROTTLED:
            return Retry(throttled=True)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return Retry(throttled=False) if code(error) in _PASSING or status in (502, 503, 504) else None
    if isinstance(error, ResponseParserError):
        # A body cut short ends in the parser; an unimplemented operation does too, and repeats its answer.
        return None if "html" in str(error).lower() else Retry(throttled=False)
    return Retry(throttled=False) if isinstance(error, HTTPClientError | ConnectionError) else None


def classify(error: BaseException) -> Miss | None:
    """An outcome and what to do, in words; None: not an answer of AWS, so a bug."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    cause = error.cause if isinstance(error, CallFailed) else error
    operation = error.operation if isinstance(error, CallFailed) else getattr(cause, "operation_name", "the request")
    where = f" in {error.place}" if isinstance(error, CallFailed) else ""
    if isinstance(cause, ClientError):
        outcome, words = _client_error(cause, operation, where)
    elif isinstance(cause, BotoCoreError | ResponseParserError | ConnectionError):
        outcome, words = Outcome.FAILED, _no_answer(cause, operation, where)
    else:
        return None
    return Miss(outcome, " ".join(words.split())[:300])


def _client_error(error: Any, operation: str, where: str) -> tuple[Outcome, str]:
    name = code(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if name in _THROTTLED:
        return Outcome.THROTTLED, f"{operation} kept being throttled{where}: run again later, or with fewer --threads"
    if name in _EXPIRED:
        return Outcome.DENIED, f"credentials expired before {operation}{where}: renew them and run again"
    if name in _UNSIGNED or (name in _DISABLED and operation.startswith("sts:")):
        return Outcome.DENIED, f"the credentials are not accepted for {operation}{where}: correct the keys or the clock"
    denied = name in _DENIED or "not authorized" in message.lower()
    if denied and (policy := next((each for each in _ABOVE if each in message), "")):
        return Outcome.DENIED, f"{operation}{where} is denied by a {policy}: exempt the collector role from it"
    if denied:
        return Outcome.DENIED, f"{operation} denied{where}: grant it to the collector role"
    if name in _DISABLED:
        return Outcome.DISABLED, f"{operation} was not accepted{where}: the region or service is not enabled there"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f" ({name})" if re.fullmatch(r"[A-Za-z0-9_.]{1,64}", name) else ""
    if status == 404 or status == 501 or (status >= 500 and name.isdigit()):
        return Outcome.FAILED, f"no usable answer to {operation}{where}: this endpoint does not implement it{said}"
    return Outcome.FAILED, f"{operation} failed{where}{said}: run again; if it stays, the service has a problem"


def _no_answer(error: BaseException, operation: str, where: str) -> str:
    from botocore.exceptions import NoCredentialsError
    from botocore.parsers import ResponseParserError

    if isinstance(error, NoCredentialsError):
        return f"no credentials for {operation}{where}: sign in, or set a profile"
    if isinstance(error, ResponseParserError):
        return f"no usable answer to {operation}{where}: it was cut short, or this endpoint does not implement it"
    return f"no usable answer to {operation}{where} ({type(error).__name__}): check the network and the endpoint"
