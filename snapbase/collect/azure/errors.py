"""Azure Resource Manager's errors: which may pass, and what the others mean in words."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from snapbase.collect.limit import Retry
from snapbase.model import Miss, Outcome

_LONGEST_WAIT = 600.0
_PASSING = frozenset({408, 500, 502, 503, 504})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_SUBSCRIPTION_OFF = frozenset({"DisabledSubscription", "ReadOnlyDisabledSubscription", "SubscriptionDisabled"})
_NO_SUBSCRIPTION = frozenset({"SubscriptionNotFound", "InvalidSubscriptionId"})
_PROVIDER_OFF = frozenset({"MissingSubscriptionRegistration", "SubscriptionNotRegistered"})


class Unread(Exception):
    """A call that gave no usable answer: which operation, in which subscription; the SDK's error is its cause."""

    def __init__(self, operation: str, subscription: str, error: Exception) -> None:
        super().__init__(f"{operation} in {subscription or 'the tenant'}")
        self.operation = operation
        self.subscription = subscription
        self.error = error


def verdict(error: BaseException) -> Retry | None:
    """Whether a call may be repeated: throttling, a server's bad moment, an answer that was lost or cut off."""
    from azure.core.exceptions import DecodeError, ServiceRequestError, ServiceResponseError

    status = _status(error)
    if status == 429:
        return Retry(throttled=True, after=_retry_after(error))
    if status in _PASSING:
        return Retry(throttled=False, after=_retry_after(error))
    if isinstance(error, ServiceRequestError | ServiceResponseError | DecodeError):
        return Retry(throttled=False)
    return None


def classify(error: BaseException) -> Miss | None:
    """The outcome and words for what Azure answered; None for anything that is not Azure's answer."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        DeserializationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    what, where = "a call", ""
    if isinstance(error, Unread):
        what, where = error.operation, f" in {error.subscription}" if error.subscription else ""
        error = error.error
    if isinstance(error, DeserializationError):
        return _unparsable(what, where)
    if not isinstance(error, AzureError):
        return None
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return Miss(Outcome.FAILED, f"{what}{where} got no answer: check the network and the endpoint, then run again")
    status = _status(error)
    if status == 401 or (status is None and isinstance(error, ClientAuthenticationError)):
        return Miss(
            Outcome.DENIED,
            f"the credential was not accepted for {what}{where}{_named(error)}: it expired, or belongs to another "
            "tenant; sign in again or renew it",
        )
    if isinstance(error, HttpResponseError) and status is not None and status >= 300:
        return _refused(status, _code(error), what, where)
    return _unparsable(what, where)


def is_gone(error: Unread) -> bool:
    """Whether what was listed a moment ago is not there any more. A subscription that is gone is another matter."""
    return _status(error.error) == 404 and _code(error.error) not in _NO_SUBSCRIPTION


def has_code(error: Unread, code: str) -> bool:
    return _code(error.error) == code


def is_unregistered(error: Unread) -> bool:
    """Whether the provider was never switched on in the subscription."""
    return _code(error.error) in _PROVIDER_OFF


def _refused(status: int, code: str, what: str, where: str) -> Miss:
    named = f" ({code})" if code else ""
    if status == 429:
        words = "Azure kept answering 429; run again later, or lower collect.threads"
        return Miss(Outcome.THROTTLED, f"{what} throttled{where}: {words}")
    if code in _PROVIDER_OFF:
        provider = what.partition("/")[0]
        words = "its resources cannot exist there until somebody registers it"
        return Miss(Outcome.DISABLED, f"{provider} is not registered{where}: {words}")
    if code in _SUBSCRIPTION_OFF:
        words = "re-enable it, or leave it out of the configuration"
        return Miss(Outcome.DISABLED, f"{what} refused{where}{named}, the subscription is disabled: {words}")
    if status == 403 and what.startswith("graph:"):
        words = "grant this application permission of Microsoft Graph to the collector's identity, with admin consent"
        return Miss(Outcome.DENIED, f"{what} denied{where}: {words}")
    if status == 403:
        words = "grant this action to the collector's identity, at the subscription or above (Reader has it)"
        return Miss(Outcome.DENIED, f"{what} denied{where}: {words}")
    if code in _NO_SUBSCRIPTION:
        words = "it does not exist, or the collector's identity has no role in it"
        return Miss(Outcome.DENIED, f"{what} found no such subscription{where}: {words}")
    if status >= 500:
        words = "Azure's side failed, or the endpoint does not implement it; run again later"
        return Miss(Outcome.FAILED, f"{what} answered {status}{where}{named}: {words}")
    return Miss(Outcome.FAILED, f"{what} answered {status}{where}{named}: look the code up in the ARM documentation")


def _unparsable(what: str, where: str) -> Miss:
    words = "the answer was cut off or is not what the API promises; run again, and check the endpoint"
    return Miss(Outcome.FAILED, f"{what} could not be understood{where}: {words}")


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _code(error: BaseException) -> str:
    """ARM's error code, if it looks like one: it ends up in reports."""
    code = getattr(getattr(error, "error", None), "code", None)
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _named(error: BaseException) -> str:
    code = _code(error)
    return f" ({code})" if code else ""


def _retry_after(error: BaseException) -> float:
    """Seconds from the Retry-After header (a number or a date, RFC 9110); 0 where there is none."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("Retry-After")
    if not isinstance(value, str):
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except ValueError:
            return 0.0
    return min(seconds, _LONGEST_WAIT) if seconds > 0 else 0.0
