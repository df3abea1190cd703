"""The Activity Log: what every write leaves in it, as the real one does, and the list that answers with it.

Three records for what takes time, two for what is answered at once. Their field names are those of azure-mgmt-monitor
7.0.0, which is not installed here.
"""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from snapbase.sandbox.azure.answers import Answer
from snapbase.sandbox.azure.bodies import Shape, check_shape
from snapbase.sandbox.azure.estate import ArmError, Body
from snapbase.sandbox.azure.routing import Request, Route, route

_LOCALIZABLE: Shape = {"value": None, "localizedValue": None}
_NAMED = (
    "eventName",
    "category",
    "resourceProviderName",
    "resourceType",
    "operationName",
    "status",
    "subStatus",
)
_EVENT: Shape = {
    **dict.fromkeys(
        (
            "claims",
            "caller",
            "description",
            "id",
            "eventDataId",
            "correlationId",
            "level",
            "resourceGroupName",
            "resourceId",
            "operationId",
            "properties",
            "eventTimestamp",
            "submissionTimestamp",
            "subscriptionId",
            "tenantId",
        )
    ),
    **dict.fromkeys(_NAMED, _LOCALIZABLE),
    "authorization": dict.fromkeys(("action", "role", "scope")),
    "httpRequest": dict.fromkeys(("clientRequestId", "clientIpAddress", "method", "uri")),
}
_SOMEBODY: Final[Mapping[str, str]] = {"upn": "operator@shop.example", "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46"}
"""Whose writes they are that come without a token of one's own: a person at the Azure CLI."""
_IDENTITY = "http://schemas.microsoft.com/identity/claims/"
_XML = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_NAMES = {
    "oid": f"{_IDENTITY}objectidentifier",
    "tid": f"{_IDENTITY}tenantid",
    "scp": f"{_IDENTITY}scope",
    "upn": f"{_XML}upn",
}
"""Short names of a token's claims as the log spells them out."""
_HISTORY = timedelta(days=90)
_CLAUSE = re.compile(r"(\w+) (ge|le|eq) '([^']*)'")
_FIELDS = ("resourceGroupName", "resourceUri", "resourceProvider", "correlationId")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request and from where."""

    claims: Mapping[str, str]
    ip: str
    correlation: str = ""

    @property
    def name(self) -> str:
        """As `caller`: people by name, applications by object id."""
        return self.claims.get(_NAMES["upn"]) or self.claims.get(_NAMES["oid"]) or self.claims.get("appid", "")


CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Whose request the server is answering."""


def token(**claims: str) -> str:
    """An unsigned access token with claims by their short names, for a sandbox that believes everybody."""
    parts = ({"alg": "none"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    return f"{head}.{body}."


def caller_of(authorization: str, ip: str, correlation: str = "") -> Caller:
    """From the token's claims; a token that is none is somebody's. `correlation`: x-ms-correlation-request-id."""
    claims = {"iss": "https://sts.windows.net/", **_claims(authorization)}
    return Caller({_NAMES.get(name, name): value for name, value in claims.items()}, ip, correlation)


def _claims(header: str) -> Mapping[str, str]:
    parts = header.removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return {"scp": "user_impersonation", **_SOMEBODY}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def write(call: Request, matched: Route, answer: Answer) -> None:
    """The records of one call, if it is one that the log has: every write and action, and nothing else of ARM."""
    if matched.method == "GET" or not matched.operation.startswith("Microsoft."):
        return
    caller = CALLER.get() or caller_of("", "127.0.0.1")
    written = _Written(call, matched.operation, matched.method, caller, datetime.now(UTC), uuid.uuid4())
    found = [written.record(0, "BeginRequest", "Started", None, {"requestbody": _text(call.body)})]
    if answer.status >= 400:
        found.append(written.record(1, "EndRequest", "Failed", answer, {"statusMessage": _text(answer.body)}))
    elif answer.status == HTTPStatus.ACCEPTED:
        found.append(written.record(1, "EndRequest", "Accepted", answer, {"responseBody": _text(answer.body)}))
        found.append(written.record(2, "EndRequest", "Succeeded", None, {}))
    else:
        found.append(written.record(1, "EndRequest", "Succeeded", answer, {"responseBody": _text(answer.body)}))
    if call.arm.estate.strict:
        for each in found:
            check_shape(each, "EventData", _EVENT)
    with call.arm.lock:
        call.arm.activity += found


@dataclass(frozen=True, slots=True)
class _Written:
    """One call, and what its records have in common."""

    call: Request
    operation: str
    method: str
    caller: Caller
    at: datetime
    id: uuid.UUID

    @property
    def resource(self) -> str:
        return self.call.parent if self.operation.endswith("/action") else self.call.path

    def record(self, number: int, event: str, status: str, answer: Answer | None, said: Mapping[str, str]) -> Body:
        provider, kind = self.operation.partition("/")[0], self.operation.removesuffix("/action").rpartition("/")[0]
        phrase = HTTPStatus(answer.status).phrase.replace(" ", "") if answer else ""
        at, unique = self.at + timedelta(microseconds=number), str(uuid.uuid4())
        correlation = self.caller.correlation or str(self.id)
        properties = {"statusCode": phrase, "serviceRequestId": "", "eventCategory": "Administrative"}
        properties |= {"entity": self.resource, "message": self.operation, **{k: v for k, v in said.items() if v}}
        named = {
            "eventName": event,
            "category": "Administrative",
            "resourceProviderName": provider,
            "resourceType": kind,
            "operationName": self.operation,
            "status": status,
            "subStatus": phrase,
        }
        found: Body = {
            "authorization": {"action": self.operation, "scope": self.resource},
            "caller": self.caller.name,
            "claims": dict(self.caller.claims),
            "correlationId": correlation,
            "description": "",
            "eventDataId": unique,
            "id": f"{self.resource}/events/{unique}/ticks/{at.timestamp() * 10**7:.0f}",
            "eventTimestamp": _stamp(at),
            "submissionTimestamp": _stamp(at),
            "level": "Error" if status == "Failed" else "Informational",
            "operationId": correlation,
            "resourceGroupName": self.call.names.get("group", ""),
            "resourceId": self.resource,
            "tenantId": self.call.arm.estate.tenant,
            "properties": properties,
            "httpRequest": {
                "clientRequestId": str(self.id),
                "clientIpAddress": self.caller.ip,
                "method": self.method,
            },
            **{name: {"value": value, "localizedValue": value} for name, value in named.items()},
        }
        if subscription := _subscription(self.resource):
            found["subscriptionId"] = subscription
        return found


def _list(call: Request) -> Answer:
    """Newest first; of the tenant, only what is in no subscription's log."""
    wanted = _wanted(call.query.get("$filter", ""))
    found = [
        each
        for each in call.arm.activity
        if each.get("subscriptionId", "").lower() == call.subscription and _matches(each, wanted)
    ]
    found.sort(key=_place, reverse=True)
    after = call.query.get("$skiptoken", "")
    rest = [each for each in found if not after or _place(each) < after]
    page = rest[: call.arm.page_size]
    body: Body = {"value": page}
    if len(rest) > len(page):
        asked = f"$filter={quote(call.query['$filter'], safe='')}&$skiptoken={quote(_place(page[-1]), safe='')}"
        version = call.query.get("api-version", "")
        body["nextLink"] = f"{call.arm.url}{quote(call.path)}?api-version={version}&{asked}"
    return Answer(200, body)


def _wanted(asked: str) -> Mapping[tuple[str, str], str]:
    """The clauses of a filter: it must say since when, and may say one thing beside the time."""
    clauses = {}
    for clause in asked.split(" and "):
        found = _CLAUSE.fullmatch(clause.strip())
        if found is None:
            raise ArmError(400, "BadRequest", f"The filter clause '{clause}' is not supported.")
        clauses[found[1], found[2]] = found[3]
    more = [name for name, _ in clauses if name != "eventTimestamp"]
    if ("eventTimestamp", "ge") not in clauses or len(more) > 1 or not set(more) <= set(_FIELDS):
        raise ArmError(400, "BadRequest", "The filter is not supported.")
    if datetime.fromisoformat(clauses["eventTimestamp", "ge"]) < datetime.now(UTC) - _HISTORY:
        raise ArmError(400, "BadRequest", "The start time cannot be more than 90 day(s) in the past.")
    return clauses


def _matches(record: Body, wanted: Mapping[tuple[str, str], str]) -> bool:
    at = datetime.fromisoformat(record["eventTimestamp"])
    told = {
        "resourceGroupName": record["resourceGroupName"],
        "resourceUri": record["resourceId"],
        "resourceProvider": record["resourceProviderName"]["value"],
        "correlationId": record["correlationId"],
    }
    for (name, how), value in wanted.items():
        if name != "eventTimestamp":
            matches = told[name].lower() == value.lower()
        else:
            bound = datetime.fromisoformat(value)
            matches = at >= bound if how == "ge" else at <= bound
        if not matches:
            return False
    return True


def _place(record: Body) -> str:
    return f"{record['eventTimestamp']} {record['eventDataId']}"


def _subscription(resource: str) -> str:
    parts = resource.split("/")
    return parts[2] if parts[1:2] == ["subscriptions"] else ""


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _text(body: Any) -> str:
    return json.dumps(body) if body else ""


_VALUES = "/providers/Microsoft.Insights/eventtypes/management/values"
ROUTES = (
    route("GET", f"/subscriptions/{{sub}}{_VALUES}", "Microsoft.Insights/eventtypes/values/read", _list),
    route("GET", _VALUES, "Microsoft.Insights/eventtypes/values/read", _list),
)
