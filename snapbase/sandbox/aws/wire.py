"""AWS requests and answers on the wire, read and written from botocore's own service models."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.exceptions import UnknownServiceError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SERIALIZERS, XFormedAttributePicker
from moto.core.utils import get_service_model
from werkzeug.datastructures import MultiDict

from snapbase.sandbox.faults import FaultKind

Answer = tuple[str, dict[str, str], bytes]
"""Status line, headers, body."""

_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks which service for what, where."""

    account: str
    region: str
    service: str
    operation: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    path: str = "/"
    """As it was sent, with its escapes: an ARN in a path has slashes of its own."""
    query: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    def parameters(self) -> dict[str, Any]:
        """The operation's parameters, parsed as the service's model says."""
        model = get_service_model(self.service)
        headers = Message()
        for key, value in self.headers.items():
            headers[key] = value
        rest = model.resolved_protocol == "rest-json"
        form = self.query if rest else self.body.decode() if model.resolved_protocol in ("ec2", "query") else ""
        request = {
            "method": self.method,
            "values": MultiDict(parse_qsl(form, keep_blank_values=True)),
            "headers": headers,
            "body": self.body,
            "url_path": self.path,
            "url_params": _route(self.service, self.method, self.path)[1] if rest else {},
        }
        parser = PROTOCOL_PARSERS[model.resolved_protocol](model.operation_model(self.operation))
        parsed: dict[str, Any] = parser.parse(request)
        return parsed


def answer(call: Call, result: Mapping[str, Any] | Exception) -> Answer:
    """A result, or an error raised by a handler, in the service's own format."""
    model = get_service_model(call.service)
    picker = XFormedAttributePicker()
    serializer = SERIALIZERS[model.resolved_protocol](model.operation_model(call.operation), value_picker=picker)
    response = serializer.serialize(result)
    body = response["body"]
    raw = body if isinstance(body, bytes) else body.encode()
    status = int(response["status_code"])
    return f"{status} {'OK' if status < 300 else 'Error'}", {**response["headers"]}, raw


class Refusal(Exception):
    """An error with the service's own code, for handlers to raise."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def identity(authorization: str, account_of: Callable[[str], str]) -> tuple[str, str, str] | None:
    """Account, region and service of a SigV4 Authorization header; None: not signed."""
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    if len(scope) != 5:
        return None
    key, _, region, service, _ = scope
    return account_of(key) or DEFAULT_ACCOUNT_ID, region, service


def operation_of(service: str, headers: Mapping[str, str], body: bytes, method: str, path: str) -> str:
    """The operation's name: `X-Amz-Target` of a JSON service, method and path of a REST one, else `Action`."""
    target = headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    routed, _ = _route(service, method, path)
    return routed or dict(parse_qsl(body.decode("utf-8", "replace"))).get("Action", "")


@dataclass(frozen=True, slots=True)
class _Route:
    """One operation of a REST-JSON service as its model's `http` trait writes it."""

    method: str
    pattern: re.Pattern[str]
    literals: int
    """How many characters of the path are fixed; the most fixed one wins, as `/policies` over `/{name}`."""
    operation: str


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    try:
        model = get_service_model(service)
    except UnknownServiceError:
        return ()
    if model.resolved_protocol != "rest-json":
        return ()
    found = [_compiled(name, model.operation_model(name).http) for name in model.operation_names]
    return tuple(sorted(found, key=lambda each: -each.literals))


def _compiled(name: str, http: Mapping[str, str]) -> _Route:
    parts = re.split(r"{(\w+)(\+?)}", http["requestUri"].partition("?")[0].rstrip("/"))
    pattern = re.escape(parts[0])
    for label, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        pattern += f"(?P<{label}>{'.+' if greedy else '[^/]+'}){re.escape(literal)}"
    return _Route(http["method"], re.compile(f"{pattern}/?"), sum(map(len, parts[::3])), name)


def _route(service: str, method: str, path: str) -> tuple[str, dict[str, str]]:
    """The operation (empty: not a REST-JSON one) and the labels of its path, decoded."""
    for route in _routes(service):
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route.operation, {label: unquote(value) for label, value in match.groupdict().items()}
    return "", {}


def failure(call: Call, kind: str) -> Answer:
    """The answer the service gives for a fault, with its own codes in its own format."""
    protocol = get_service_model(call.service).resolved_protocol
    status, code, message = _failure(call, kind, protocol)
    if kind == FaultKind.UNIMPLEMENTED:
        return "500 Error", {"Content-Type": "text/html"}, b"<!doctype html><title>500 Internal Server Error</title>"
    if protocol == "rest-json":
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code, "x-amzn-RequestId": _REQUEST_ID}
        return f"{status} Error", headers, json.dumps({"message": message}).encode()
    if protocol == "json":
        raw = json.dumps({"__type": code, "message": message}).encode()
        return f"{status} Error", {"Content-Type": "application/x-amz-json-1.1"}, raw
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
    else:
        error = f"<Error><Type>Sender</Type>{error}</Error>"
        text = f"<ErrorResponse>{error}<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    return f"{status} Error", {"Content-Type": "text/xml"}, text.encode()


def _failure(call: Call, kind: str, protocol: str) -> tuple[int, str, str]:
    ec2, in_json = protocol == "ec2", protocol in ("json", "rest-json")
    denied = "UnauthorizedOperation" if ec2 else "AccessDeniedException" if in_json else "AccessDenied"
    who = f"User: arn:aws:sts::{call.account}:assumed-role/collector/snapbase is not authorized to perform: {call.name}"
    codes = {
        FaultKind.DENIED: (403, denied, f"{who} because no identity-based policy allows the {call.name} action"),
        FaultKind.SCP_DENIED: (403, denied, f"{who} with an explicit deny in a service control policy"),
        FaultKind.EXPIRED: (
            403 if protocol == "rest-json" else 400,
            "RequestExpired" if ec2 else "ExpiredTokenException" if in_json else "ExpiredToken",
            "The security token included in the request is expired",
        ),
        FaultKind.THROTTLED: (
            503 if ec2 else 429 if protocol == "rest-json" else 400,
            "RequestLimitExceeded" if ec2 else "ThrottlingException" if in_json else "Throttling",
            "Request limit exceeded." if ec2 else "Rate exceeded",
        ),
        FaultKind.DISABLED: (
            401 if ec2 else 403,
            "AuthFailure" if ec2 else "UnrecognizedClientException" if in_json else "InvalidClientTokenId",
            "AWS was not able to validate the provided access credentials",
        ),
    }
    internal = (500, "InternalError" if ec2 else "InternalFailure", "An internal error occurred")
    return codes.get(FaultKind(kind), internal)


def truncated(answered: Answer) -> Answer:
    """The same headers with a Content-Length that promises the whole, and half of the body."""
    status, headers, body = answered
    headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
    return status, {**headers, "Content-Length": str(len(body) or 2), "Connection": "close"}, body[: len(body) // 2]
