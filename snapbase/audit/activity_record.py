"""One record of an Azure Activity Log, read without trust: every getter gives an empty value where a field is missing
or of a wrong type, so that no record can make the parser fail.

Two shapes: what the REST API, the portal and the CLI answer (`eventTimestamp`, `operationName.value`, `status.value`,
`claims`), and what a diagnostic setting writes to storage or an event hub (`time`, `operationName`, `resultType`,
`identity.claims`). Source: Azure Monitor, "Azure activity log event schema".
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snapbase.audit.activity_names import CLIENTS, SERVICE_IDENTITIES, SERVICES
from snapbase.event import Actor, ActorKind, Result

LONGEST = 1024
"""Characters of one value; what is longer is no name that Azure gives."""
_LARGEST = 1_000_000
"""Characters of a body; ARM takes four times as much, and logs less than this."""
_EMPTY: Mapping[str, Any] = {}
_SCHEMAS = ("http://schemas.microsoft.com/identity/claims/", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/")
_UPN = f"{_SCHEMAS[1]}upn"
_NAME = f"{_SCHEMAS[1]}name"
_OBJECT = f"{_SCHEMAS[0]}objectidentifier"
_TENANT = f"{_SCHEMAS[0]}tenantid"
_SCOPE = f"{_SCHEMAS[0]}scope"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,63}")
_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+|\[([0-9a-fA-F:.]+)\]:\d+")
_SUCCEEDED = frozenset({"success", "succeeded"})
_FAILED = frozenset({"failure", "failed", "canceled", "cancelled"})
_REFUSED = frozenset({"forbidden", "unauthorized", "401", "403"})
_REFUSALS = frozenset(
    {
        "authorizationfailed",
        "linkedauthorizationfailed",
        "denyassignmentauthorizationfailed",
        "requestdisallowedbypolicy",
        "scopelocked",
    }
)


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent or answered: JSON in a string, which the log may cut off or mask. Field names in any case."""

    parsed: Any
    raw: str

    @classmethod
    def of(cls, value: Any) -> "Body":
        if isinstance(value, dict):
            return cls(value, "")
        if not isinstance(value, str) or not value:
            return cls(None, "")
        raw = value[:_LARGEST]
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        return cls(found if isinstance(found, dict) else None, raw)

    def __bool__(self) -> bool:
        return self.parsed is not None or bool(self.raw)

    def find(self, path: str) -> Any:
        """The value at a dotted path; of a body that was cut off, the first string of the path's last name."""
        if self.parsed is None:
            return self._grep(path.rpartition(".")[2]) if self.raw else None
        found = self.parsed
        for name in path.split("."):
            found = field(found, name)
        return found

    def text(self, *paths: str) -> str:
        """The first of some paths with a string."""
        return next((found for path in paths if (found := text(self.find(path)))), "")

    def _grep(self, name: str) -> str:
        found = re.search(rf'"{re.escape(name)}"\s*:\s*"([^"\\]{{1,{LONGEST}}})"', self.raw, re.IGNORECASE)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a record that events are made from."""

    name: str
    """The operation as the record spells it."""
    resource: str
    """ARM id, lower case, as ARM compares them; the diagnostic shape has it in upper case."""
    entry: Mapping[str, Any]
    properties: Mapping[str, Any]
    claims: Mapping[str, Any]
    asked: Body
    answered: Body

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Record":
        identity = mapping(entry.get("identity"))
        properties = _object(entry.get("properties"))
        authorization = mapping(entry.get("authorization")) or mapping(identity.get("authorization"))
        resource = text(entry.get("resourceId")) or text(properties.get("entity")) or text(authorization.get("scope"))
        return cls(
            name=operation(entry),
            resource=address(resource),
            entry=entry,
            properties=properties,
            claims=_object(entry.get("claims")) or _object(identity.get("claims")),
            asked=Body.of(field(properties, "requestbody")),
            answered=Body.of(field(properties, "responseBody")),
        )

    @property
    def correlation(self) -> str:
        return text(self.entry.get("correlationId")) or text(self.entry.get("eventDataId"))

    @property
    def account(self) -> str:
        """The subscription; empty for what happens above subscriptions, in the tenant or a management group."""
        found = text(self.entry.get("subscriptionId"))
        parts = self.resource.split("/")
        return found.lower() or (parts[2] if parts[1:2] == ["subscriptions"] and len(parts) > 2 else "")

    @property
    def at(self) -> datetime | None:
        return moment(self.entry.get("eventTimestamp") or self.entry.get("time"))

    @property
    def source_ip(self) -> str:
        """Where the request came from; else where its token was issued to."""
        request = _object(self.entry.get("httpRequest"))
        found = text(request.get("clientIpAddress")) or text(self.entry.get("callerIpAddress"))
        found = found or text(self.claims.get("ipaddr"))
        port = _PORT.fullmatch(found)
        return (port[1] or port[2]) if port else found

    @property
    def user_agent(self) -> str:
        """The application that asked: the log has no user agent."""
        appid = self._appid
        return f"{CLIENTS.get(appid, 'application')} ({appid})" if appid else ""

    @property
    def method(self) -> str:
        return text(_object(self.entry.get("httpRequest")).get("method")).upper()

    def result(self) -> str:
        status = (value(self.entry.get("status")) or text(self.entry.get("resultType"))).lower()
        if status in _SUCCEEDED:
            return Result.SUCCEEDED
        if status not in _FAILED:
            return Result.STARTED
        details = {self.error().lower(), *(each.lower() for each in self._signs())}
        return Result.DENIED if details & (_REFUSED | _REFUSALS) else Result.FAILED

    def error(self) -> str:
        """ARM's error code; empty if none is told."""
        said = Body.of(field(self.properties, "statusMessage"))
        code = said.text("error.code", "code")
        return code if _CODE.fullmatch(code) else ""

    def _signs(self) -> Iterator[str]:
        """The HTTP status, in its several places: `Forbidden`, `Failed.Forbidden`, `403`."""
        yield value(self.entry.get("subStatus"))
        yield text(self.properties.get("statusCode"))
        found = self.entry.get("resultSignature")
        yield (str(found) if isinstance(found, int) else text(found)).rpartition(".")[2]

    @property
    def _appid(self) -> str:
        return (text(self.claims.get("appid")) or text(self.claims.get("azp"))).lower()

    @property
    def object_id(self) -> str:
        return (text(self.claims.get(_OBJECT)) or text(self.claims.get("oid"))).lower()

    def actor(self) -> Actor:
        """Who it was. Azure's own services are known by application id in a token of the application alone; a person
        who works through one of its tools, or through a service on their behalf, stays a person."""
        upn = next((each for name in (_UPN, _NAME, "unique_name") if (each := text(self.claims.get(name)))), "")
        caller, appid, identity = text(self.entry.get("caller")), self._appid, address(self.claims.get("xms_mirid"))
        tenant = (text(self.claims.get(_TENANT)) or text(self.claims.get("tid"))).lower()
        person = upn or (caller if "@" in caller else "")
        alone = text(self.claims.get("idtyp")).lower() == "app" or not (person or self._has_scope())
        name = (person if not alone else "") or self.object_id or caller or self._evidence("principalId") or appid
        if alone and appid in SERVICES:
            return Actor(name, ActorKind.SERVICE, appid, SERVICES[appid], tenant)
        if identity and kind_of(identity) in SERVICE_IDENTITIES:
            return Actor(name, ActorKind.SERVICE, identity, kind_of(identity).partition("/")[0], tenant)
        if not self.claims and caller.startswith("Microsoft.") and "@" not in caller:
            return Actor(caller, ActorKind.SERVICE, "", caller)
        kind = self._kind(name, alone and bool(appid or identity))
        own = text(self.entry.get("tenantId")).lower()
        if _GUID.fullmatch(own) and _GUID.fullmatch(tenant) and own != tenant:
            kind = ActorKind.FOREIGN
        return Actor(name, kind, identity or (appid if kind == ActorKind.ROLE else ""), account=tenant)

    def _kind(self, name: str, is_application: bool) -> str:
        if not name:
            return ActorKind.UNKNOWN
        if is_application or self._evidence("principalType").lower() == "serviceprincipal":
            return ActorKind.ROLE
        if "@" in name or self._has_scope() or self._evidence("principalType").lower() == "user":
            return ActorKind.HUMAN
        # Without a token all that is left is the caller's object id: people are called by name.
        return ActorKind.ROLE if _GUID.fullmatch(name) and not self.claims else ActorKind.UNKNOWN

    def _has_scope(self) -> bool:
        """A delegated token: somebody signed in behind the application."""
        return bool(text(self.claims.get(_SCOPE)) or text(self.claims.get("scp")))

    def _evidence(self, name: str) -> str:
        """Of the diagnostic shape: by which role assignment it was allowed."""
        authorization = mapping(mapping(self.entry.get("identity")).get("authorization"))
        found = text(mapping(authorization.get("evidence")).get(name))
        return str(_guid(found)) if name == "principalId" else found


def operation(entry: Mapping[str, Any]) -> str:
    """The operation's name in either shape."""
    return value(entry.get("operationName"))


def address(found: Any) -> str:
    """An ARM id as ARM compares them; empty for anything that is none."""
    name = text(found).lower().rstrip("/")
    return f"/{name.lstrip('/')}" if "/" in name else ""


def kind_of(name: str) -> str:
    """The type of the resource with an ARM id (lower case): `microsoft.compute/galleries/images`."""
    parts = name.rpartition("/providers/")[2].split("/")
    return "/".join((parts[0], *parts[1::2])) if "/providers/" in name else ""


def container_of(name: str) -> str:
    """What a resource of its own provider is attached to: `/` for the tenant."""
    return name.rpartition("/providers/")[0] or "/"


def moment(found: Any) -> datetime | None:
    """An RFC 3339 time, in UTC; None where it is none. Seven digits of a second are usual."""
    try:
        at = datetime.fromisoformat(text(found))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(found: Any) -> str:
    """One line of at most `LONGEST` characters; empty for anything but a string."""
    return " ".join(found[:LONGEST].split()) if isinstance(found, str) else ""


def value(found: Any) -> str:
    """A string, or the one in a localisable string."""
    return text(found.get("value")) if isinstance(found, dict) else text(found)


def mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else _EMPTY


def items(found: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list."""
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())


def field(found: Any, name: str) -> Any:
    """A field by a name in any case: requests are logged as they were written."""
    if not isinstance(found, dict):
        return None
    if name in found:
        return found[name]
    lowered = name.lower()
    return next((each for key, each in found.items() if isinstance(key, str) and key.lower() == lowered), None)


def _object(found: Any) -> Mapping[str, Any]:
    """An object, or one in a string, as exports to tables write them."""
    return mapping(found) if isinstance(found, dict) else mapping(Body.of(found).parsed)


def _guid(found: str) -> str:
    """With its hyphens; the log leaves them out of some."""
    bare = found.replace("-", "").lower()
    if len(bare) != 32 or not bare.isalnum():
        return found
    return "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
