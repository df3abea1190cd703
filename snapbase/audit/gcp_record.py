"""One entry of Cloud Audit Logs, read without trust: every getter gives an empty value where a field is missing or of
a wrong type, so that no record can make the parser fail.

Field paths: google/cloud/audit/audit_log.proto and logging.v2 discovery, LogEntry; addresses as the collectors write
them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snapbase.audit.gcp_names import AGENTS
from snapbase.event import Actor, ActorKind, Result

LONGEST = 1024
"""Characters of one value; what is longer is no name that Google gives."""
COMPUTE = "compute.googleapis.com"
_PREFIX = re.compile(r"(?:v\d+\w*|alpha|beta)\.")
_KIND = re.compile(r"/(?:[\w.]*/)?(compute\.\w+\.\w+)$")
_LOG = re.compile(
    r"((?:projects|folders|organizations|billingAccounts)/[^/]+)/logs/cloudaudit\.googleapis\.com%2F(\w+)"
)
_AGENT = re.compile(r"(?:service-)?\d+", re.ASCII)
_PLACE = re.compile(r"/(?:zones|regions|locations)/([^/]+)")
_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
"""google.rpc.Code."""
_EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a record that events are made from."""

    name: str
    """The method without a leading version: `compute.snapshots.insert`."""
    service: str
    account: str
    """A project's id, `folders/1` or `organizations/1`: whose log it is."""
    log: str
    """`activity`, `data_access`, `system_event`, `policy`."""
    resource: str
    """`resourceName`, a path."""
    entry: Mapping[str, Any]
    payload: Mapping[str, Any]
    request: Mapping[str, Any]
    operation: Mapping[str, Any]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Record":
        payload = mapping(entry.get("protoPayload"))
        request = mapping(payload.get("request"))
        operation = mapping(entry.get("operation"))
        name = text(payload.get("methodName")) or _named(text(request.get("@type")))
        parent, log = log_of(entry)
        account = parent.removeprefix("projects/") or text(labels(entry).get("project_id"))
        resource = text(payload.get("resourceName"))
        service = text(payload.get("serviceName")) or (COMPUTE if ".compute." in f".{name}" else "")
        version = _PREFIX.match(name)
        name = name[version.end() :] if version else name
        return cls(name, service, account, log, resource, entry, payload, request, operation)

    @property
    def id(self) -> str:
        """Of the operation where there is one, as all its records carry it; else the entry's own. An operation between
        two projects is in the logs of both, and is two events."""
        found = text(self.operation.get("id")) or text(self.entry.get("insertId"))
        return f"{self.account}/{found}" if found and self.is_foreign else found

    @property
    def is_end(self) -> bool:
        """The last record of an operation of several: it tells the outcome, and nothing of what was asked."""
        return self.operation.get("last") is True and self.operation.get("first") is not True

    @property
    def is_foreign(self) -> bool:
        """Something of another project was made of this one's resource, by somebody of no concern to this log."""
        return text(mapping(self.payload.get("metadata")).get("@type")).endswith(".CrossEntityControlAuditMetadata")

    @property
    def region(self) -> str:
        found = _PLACE.search(self.resource)
        if found:
            return found[1]
        marks = labels(self.entry)
        named = next((text(marks.get(name)) for name in ("zone", "region", "location") if text(marks.get(name))), "")
        return named or "global"

    @property
    def at(self) -> datetime | None:
        try:
            found = datetime.fromisoformat(text(self.entry.get("timestamp")))
            return found.astimezone(UTC) if found.tzinfo else None
        except (ValueError, OverflowError):
            return None

    def caller(self, name: str) -> str:
        """`callerIp` or `callerSuppliedUserAgent`."""
        return text(mapping(self.payload.get("requestMetadata")).get(name))

    def result(self) -> str:
        status = mapping(self.payload.get("status"))
        code = status.get("code")
        if code in (_PERMISSION_DENIED, _UNAUTHENTICATED):
            return Result.DENIED
        if code not in (None, 0) or self.error():
            return Result.FAILED
        asked = [each.get("granted") for each in items(self.payload.get("authorizationInfo"))]
        if asked and all(granted is False for granted in asked):
            return Result.DENIED
        if self.request.get("validateOnly") is True:
            return Result.DRY_RUN
        begun = self.operation.get("first") is True and self.operation.get("last") is not True
        return Result.STARTED if begun else Result.SUCCEEDED

    def error(self) -> str:
        """What went wrong, in the cloud's words; empty if nothing is said to have."""
        said = text(mapping(self.payload.get("status")).get("message"))
        answer = mapping(mapping(self.payload.get("response")).get("error"))
        first = next(items(answer.get("errors")), _EMPTY)
        return said or text(answer.get("message")) or text(first.get("code")) or ("error" if answer else "")

    def actor(self) -> Actor:
        """Who it was. Google's own agents are known by domains that nobody else can have, never by a label."""
        who = mapping(self.payload.get("authenticationInfo"))
        email, subject = text(who.get("principalEmail")), text(who.get("principalSubject"))
        name = email or subject
        chain = [_delegate(each) for each in items(who.get("serviceAccountDelegationInfo"))]
        issuer = next((each for each in chain if each), "")
        local, _, domain = email.partition("@")
        if self.log == "system_event":
            return Actor(name or self.service, ActorKind.SERVICE, issuer, self.service)
        if self.is_foreign:
            return Actor(name, ActorKind.FOREIGN, issuer, account=_project(domain))
        if domain in AGENTS and _AGENT.fullmatch(local):
            return Actor(name, ActorKind.SERVICE, issuer, domain)
        if domain.endswith("gserviceaccount.com") or "/workloadIdentityPools/" in subject:
            return Actor(name, ActorKind.ROLE, issuer, account=_project(domain))
        return Actor(name, ActorKind.HUMAN if name else ActorKind.UNKNOWN, issuer)

    def path(self, link: str) -> str:
        """A resource's path from a link, a full name, or one that leaves the project out."""
        _, found, rest = link.partition("projects/")
        if found:
            return f"projects/{rest}"
        return (
            f"projects/{self.account}/{link.lstrip('/')}"
            if link.startswith(("zones/", "regions/", "global/"))
            else link
        )

    def own(self) -> str:
        """The path of what it was done to. It lies in the log's own project, whose number may stand for its id."""
        path = self.path(self.resource)
        project = path.split("/")[1] if path.startswith("projects/") else ""
        if project.isdecimal() and self.account and "/" not in self.account:
            return f"projects/{self.account}{path[len('projects/') + len(project) :]}"
        return path

    def compute(self, link: Any) -> str:
        """The address of a resource of Compute Engine; empty from nothing."""
        path = self.path(text(link))
        return f"//{COMPUTE}/{path}" if path else ""


def text(value: Any) -> str:
    """One line of at most `LONGEST` characters; empty for anything but a string."""
    return " ".join(value[:LONGEST].split()) if isinstance(value, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _EMPTY


def items(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list."""
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def labels(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(entry.get("resource")).get("labels"))


def log_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Whose log (`projects/x`) and which one (`activity`); empty if it is not one of Cloud Audit Logs."""
    found = _LOG.fullmatch(text(entry.get("logName")))
    return (found[1], found[2]) if found else ("", "")


def _named(kind: str) -> str:
    """The method from the type of its request; `@type` is all that shortened records keep."""
    found = _KIND.search(kind)
    return found[1] if found else ""


def _delegate(info: Mapping[str, Any]) -> str:
    first = mapping(info.get("firstPartyPrincipal"))
    third = mapping(mapping(info.get("thirdPartyPrincipal")).get("thirdPartyClaims"))
    return text(first.get("principalEmail")) or text(info.get("principalSubject")) or text(third.get("sub"))


def _project(domain: str) -> str:
    """The project that a service account belongs to."""
    return domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".iam.gserviceaccount.com") else ""
