"""What the sandbox's ARM sends back, and how it fails on demand."""

import json
import socket
import struct
import time
from dataclasses import dataclass, field, replace
from typing import Any

from snapbase.sandbox.faults import Fault, FaultKind

_HTML = b"<html><body><h1>500 Internal Server Error</h1></body></html>"
_JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Its Content-Length speaks of the `whole`; less `content` than that is a broken connection."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    broken: bool = False
    reset: bool = False

    @property
    def lines(self) -> dict[str, str]:
        """The headers to send."""
        return (_JSON if self.body is not None else {}) | self.headers | {"Content-Length": str(len(self.whole))}

    @property
    def whole(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body).encode()

    @property
    def content(self) -> bytes:
        return self.whole[: len(self.whole) // 2] if self.broken else self.whole

    def cut(self, kind: FaultKind) -> "Answer":
        """The same answer, broken off in the middle or before it began."""
        return replace(self, broken=kind == FaultKind.TRUNCATED, reset=kind == FaultKind.RESET)


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """ARM's error form."""
    return Answer(status, {"error": {"code": code, "message": message}}, headers or {})


def faulty(fault: Fault, operation: str, subscription: str, retry_after: str) -> Answer | None:
    """ARM's own answer for a fault; None where the real answer is sent first (slow, truncated, reset)."""
    whom = f"The client 'collector' does not have authorization to perform action '{operation}'"
    where = f"over scope '/subscriptions/{subscription}'"
    match fault.kind:
        case FaultKind.DENIED | FaultKind.SCP_DENIED:
            return error(403, "AuthorizationFailed", f"{whom} {where}.")
        case FaultKind.EXPIRED:
            return error(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is in the past.")
        case FaultKind.THROTTLED:
            text = "Number of requests exceeded the limit."
            return error(429, "TooManyRequests", text, {"Retry-After": retry_after})
        case FaultKind.ERROR:
            return error(503, "ServerTimeout", "The request timed out.")
        case FaultKind.UNIMPLEMENTED:
            return Answer(500, headers={"Content-Type": "text/html"}, raw=_HTML)
        case FaultKind.DISABLED:
            return _disabled(operation)
        case FaultKind.SLOW:
            time.sleep(fault.seconds)
    return None


def _disabled(operation: str) -> Answer:
    provider = operation.partition("/")[0]
    if provider not in ("Microsoft.Resources", "Microsoft.Authorization"):  # those two are always registered
        text = f"The subscription is not registered to use namespace '{provider}'."
        return error(409, "MissingSubscriptionRegistration", text)
    return error(403, "DisabledSubscription", "The subscription is disabled and therefore marked as read only.")


def sever(connection: socket.socket) -> None:
    """Closes with a reset instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
