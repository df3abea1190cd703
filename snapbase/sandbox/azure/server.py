"""A small Azure Resource Manager on this machine: enough for the real SDKs to read and write snapshots and roles."""

import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from snapbase.sandbox.azure.answers import Answer, error, faulty, sever
from snapbase.sandbox.azure.bodies import Malformed, check_authorization, check_compute, check_subscription
from snapbase.sandbox.azure.estate import ArmError, Body, Estate
from snapbase.sandbox.faults import FaultKind, Switchboard

TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTIONS = ("aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002")
_NAMES = ("Shop Production", "Shop Analytics")
MANAGEMENT_GROUP = "mg-corp"

Query = Mapping[str, str]


class AzureSandbox:
    """The endpoint. State lives in `estate`; `page_size` and `retry_after` may be set at any time."""

    def __init__(self, switchboard: Switchboard, *, strict: bool = True) -> None:
        listed = {each: _subscription(each, name) for each, name in zip(SUBSCRIPTIONS, _NAMES, strict=True)}
        self.estate = Estate(TENANT, listed, (MANAGEMENT_GROUP,), strict=strict)
        self.switchboard = switchboard
        self.page_size = 50
        self.retry_after = "0.01"
        """Seconds, as sent with a 429."""
        self.lock = threading.RLock()
        self._results: dict[str, Body | None] = {}
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Listens on a free port of 127.0.0.1; returns the endpoint's URL."""
        sandbox = self

        class Handler(_Handler):
            arm = sandbox

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="azure-sandbox", daemon=True).start()
        return self.url

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the sandbox is not started")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, target: str, body: Body) -> Answer:
        """The answer to one request, faults included."""
        parts = urlsplit(target)
        query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
        for verb, pattern, operation, serve in _ROUTES:
            match = pattern.fullmatch(parts.path)
            if verb != method or match is None:
                continue
            names = match.groupdict()
            account = names.get("sub", "").lower()
            fault = self.switchboard.strike("azure", account or TENANT, "global", operation)
            if fault is not None and (answer := faulty(fault, operation, account, self.retry_after)):
                return answer
            served = self._serve(serve, parts.path, names, query, body)
            return served if fault is None or fault.kind == FaultKind.SLOW else served.cut(fault.kind)
        return error(404, "InvalidResourceType", "The resource type could not be found.")

    def _serve(self, serve: "Serve", path: str, names: Mapping[str, str], query: Query, body: Body) -> Answer:
        subscription = names.get("sub", "").lower()
        if subscription and subscription not in self.estate.subscriptions:
            return error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        try:
            with self.lock:
                return serve(self, path, names, query, body)
        except ArmError as refused:
            return error(refused.status, refused.code, refused.message)
        except Malformed as refused:
            return error(400, "InvalidRequestContent", str(refused))

    def page(self, found: list[Body], path: str, query: Query) -> Answer:
        """One page of a list, in order of id; nextLink carries the last id, so that changes do not shift pages."""
        after = query.get("$skiptoken", "")
        rest = sorted((each for each in found if each["id"].lower() > after), key=lambda each: each["id"].lower())
        page = rest[: self.page_size]
        body: Body = {"value": page}
        if len(rest) > len(page):
            version = query.get("api-version", "")
            last = quote(page[-1]["id"].lower(), safe="")
            body["nextLink"] = f"{self.url}{quote(path)}?api-version={version}&$skiptoken={last}"
        return Answer(200, body)

    def accepted(self, path: str, result: Body | None, body: Body | None = None) -> Answer:
        """202 with both of ARM's ways to poll a long-running operation; it has succeeded by the first poll."""
        operation = uuid.uuid4().hex
        self._results[operation] = result
        where = f"{self.url}{path.partition('/resource')[0]}/providers/Microsoft.Compute/locations/westeurope"
        polling = {
            "Azure-AsyncOperation": f"{where}/operations/{operation}?api-version=2026-03-02",
            "Location": f"{where}/results/{operation}?api-version=2026-03-02",
            "Retry-After": "0",
        }
        return Answer(202, body, polling)

    def result(self, operation: str) -> Body | None:
        return self._results.get(operation)

    def checked(self, check: Callable[[Body], None], found: list[Body]) -> list[Body]:
        """The sandbox's own answers pass the same check as what it is sent."""
        if self.estate.strict:
            for each in found:
                check(each)
        return found


class _Handler(BaseHTTPRequestHandler):
    arm: AzureSandbox
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment: apart, they wait 40 ms for a delayed acknowledgement

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        answer = self.arm.answer(self.command, self.path, body)
        if answer.reset:
            sever(self.connection)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.lines.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)
        self.close_connection = self.close_connection or answer.broken

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _handle

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Quiet: the switchboard records every call."""


Serve = Callable[[AzureSandbox, str, Mapping[str, str], Query, Body], Answer]


def _list_subscriptions(arm: AzureSandbox, path: str, _: Any, query: Query, __: Body) -> Answer:
    return arm.page(arm.checked(check_subscription, list(arm.estate.subscriptions.values())), path, query)


def _list_groups(arm: AzureSandbox, path: str, names: Mapping[str, str], query: Query, _: Body) -> Answer:
    return arm.page(_below(arm.estate.groups, f"/subscriptions/{names['sub']}/"), path, query)


def _put_group(arm: AzureSandbox, path: str, _: Any, __: Query, body: Body) -> Answer:
    return Answer(201, arm.estate.put_group(path, body))


def _list_snapshots(arm: AzureSandbox, path: str, _: Any, query: Query, __: Body) -> Answer:
    container = path.lower().partition("/providers/")[0]
    found = _below(arm.estate.snapshots, f"{container}/")
    return arm.page(arm.checked(lambda each: check_compute(each, "Snapshot"), found), path, query)


def _get_snapshot(arm: AzureSandbox, path: str, _: Any, __: Query, ___: Body) -> Answer:
    return Answer(200, arm.estate.snapshot(path))


def _put_snapshot(arm: AzureSandbox, path: str, _: Any, __: Query, body: Body) -> Answer:
    return arm.accepted(path, None, arm.estate.put_snapshot(path, body))


def _patch_snapshot(arm: AzureSandbox, path: str, _: Any, __: Query, body: Body) -> Answer:
    return arm.accepted(path, None, arm.estate.patch_snapshot(path, body))


def _delete_snapshot(arm: AzureSandbox, path: str, _: Any, __: Query, ___: Body) -> Answer:
    if arm.estate.snapshots.pop(path.lower(), None) is None:
        return Answer(204)
    return arm.accepted(path, None)


def _begin_access(arm: AzureSandbox, path: str, _: Any, __: Query, body: Body) -> Answer:
    return arm.accepted(path, arm.estate.begin_access(path.rpartition("/")[0], body))


def _end_access(arm: AzureSandbox, path: str, _: Any, __: Query, ___: Body) -> Answer:
    arm.estate.end_access(path.rpartition("/")[0])
    return arm.accepted(path, None)


def _poll(_: AzureSandbox, __: str, names: Mapping[str, str], ___: Query, ____: Body) -> Answer:
    return Answer(200, {"name": names["operation"], "status": "Succeeded"})


def _poll_result(arm: AzureSandbox, _: str, names: Mapping[str, str], __: Query, ___: Body) -> Answer:
    return Answer(200, arm.result(names["operation"]))


def _list_assignments(arm: AzureSandbox, path: str, names: Mapping[str, str], query: Query, _: Body) -> Answer:
    found = arm.estate.assignments_for(names["sub"].lower(), at_scope="atscope()" in query.get("$filter", "").lower())
    return arm.page(arm.checked(lambda each: check_authorization(each, "RoleAssignment"), found), path, query)


def _put_assignment(arm: AzureSandbox, _: str, names: Mapping[str, str], __: Query, body: Body) -> Answer:
    return Answer(201, arm.estate.put_assignment(_scope(names), names["name"], body))


def _delete_assignment(arm: AzureSandbox, path: str, _: Any, __: Query, ___: Body) -> Answer:
    removed = arm.estate.assignments.pop(path.lower(), None)
    return Answer(200, removed) if removed else Answer(204)


def _list_definitions(arm: AzureSandbox, path: str, _: Any, query: Query, __: Body) -> Answer:
    found = list(arm.estate.definitions.values())
    return arm.page(arm.checked(lambda each: check_authorization(each, "RoleDefinition"), found), path, query)


def _get_definition(arm: AzureSandbox, _: str, names: Mapping[str, str], __: Query, ___: Body) -> Answer:
    role = names["name"].lower()
    found = arm.estate.definitions.get(role) or arm.estate.unlisted.get(role)
    if found is None:
        return error(404, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
    return Answer(200, found)


def _put_definition(arm: AzureSandbox, _: str, names: Mapping[str, str], __: Query, body: Body) -> Answer:
    return Answer(201, arm.estate.put_definition(names["name"].lower(), body))


def _scope(names: Mapping[str, str]) -> str:
    return "/" + names["scope"].strip("/")


def _below(found: Mapping[str, Body], prefix: str) -> list[Body]:
    return [body for key, body in found.items() if key.startswith(prefix.lower())]


def _subscription(subscription: str, name: str) -> Body:
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": TENANT,
        "displayName": name,
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def _route(method: str, path: str, operation: str, serve: Serve) -> tuple[str, re.Pattern[str], str, Serve]:
    """ARM paths compare without regard to case. `{sub}`, `{name}`… match one segment, `{scope}` any number."""
    pattern = path.replace("{scope}", "(?P<scope>.*)").replace("{sub}", "(?P<sub>[^/]+)")
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return method, re.compile(pattern, re.IGNORECASE), operation, serve


_GROUP = "/subscriptions/{sub}/resourcegroups/{group}"
_SNAPSHOTS = "/providers/Microsoft.Compute/snapshots"
_SNAPSHOT = f"{_GROUP}{_SNAPSHOTS}/{{name}}"
_POLLING = "/subscriptions/{sub}/providers/Microsoft.Compute/locations/{location}"
_ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
_ROUTES = (
    _route("GET", "/subscriptions", "Microsoft.Resources/subscriptions/read", _list_subscriptions),
    _route(
        "GET",
        "/subscriptions/{sub}/resourcegroups",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        _list_groups,
    ),
    _route("PUT", _GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", _put_group),
    _route("GET", f"/subscriptions/{{sub}}{_SNAPSHOTS}", "Microsoft.Compute/snapshots/read", _list_snapshots),
    _route("GET", f"{_GROUP}{_SNAPSHOTS}", "Microsoft.Compute/snapshots/read", _list_snapshots),
    _route("GET", _SNAPSHOT, "Microsoft.Compute/snapshots/read", _get_snapshot),
    _route("PUT", _SNAPSHOT, "Microsoft.Compute/snapshots/write", _put_snapshot),
    _route("PATCH", _SNAPSHOT, "Microsoft.Compute/snapshots/write", _patch_snapshot),
    _route("DELETE", _SNAPSHOT, "Microsoft.Compute/snapshots/delete", _delete_snapshot),
    _route("POST", f"{_SNAPSHOT}/beginGetAccess", "Microsoft.Compute/snapshots/beginGetAccess/action", _begin_access),
    _route("POST", f"{_SNAPSHOT}/endGetAccess", "Microsoft.Compute/snapshots/endGetAccess/action", _end_access),
    _route("GET", f"{_POLLING}/operations/{{operation}}", "Microsoft.Compute/locations/operations/read", _poll),
    _route("GET", f"{_POLLING}/results/{{operation}}", "Microsoft.Compute/locations/operations/read", _poll_result),
    _route(
        "GET",
        f"/subscriptions/{{sub}}{_ASSIGNMENTS}",
        "Microsoft.Authorization/roleAssignments/read",
        _list_assignments,
    ),
    _route(
        "PUT", f"{{scope}}{_ASSIGNMENTS}/{{name}}", "Microsoft.Authorization/roleAssignments/write", _put_assignment
    ),
    _route(
        "DELETE",
        f"{{scope}}{_ASSIGNMENTS}/{{name}}",
        "Microsoft.Authorization/roleAssignments/delete",
        _delete_assignment,
    ),
    _route(
        "GET",
        f"/subscriptions/{{sub}}{_DEFINITIONS}",
        "Microsoft.Authorization/roleDefinitions/read",
        _list_definitions,
    ),
    _route(
        "GET",
        f"/subscriptions/{{sub}}{_DEFINITIONS}/{{name}}",
        "Microsoft.Authorization/roleDefinitions/read",
        _get_definition,
    ),
    _route(
        "PUT", f"{{scope}}{_DEFINITIONS}/{{name}}", "Microsoft.Authorization/roleDefinitions/write", _put_definition
    ),
)
