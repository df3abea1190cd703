"""A small Azure Resource Manager on this machine: enough for the real SDKs to read and write snapshots and roles."""

import importlib
import json
import pkgutil
import threading
import uuid
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from snapbase.sandbox.azure import activity
from snapbase.sandbox.azure.answers import Answer, error, faulty, sever
from snapbase.sandbox.azure.bodies import Malformed
from snapbase.sandbox.azure.estate import ArmError, Body, Estate
from snapbase.sandbox.azure.routing import Query, Request, Route
from snapbase.sandbox.faults import FaultKind, Switchboard

TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTIONS = ("aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002")
_NAMES = ("Shop Production", "Shop Analytics")
MANAGEMENT_GROUP = "mg-corp"


class AzureSandbox:
    """The endpoint. State lives in `estate`; `page_size` and `retry_after` may be set at any time."""

    def __init__(self, switchboard: Switchboard, *, strict: bool = True) -> None:
        listed = {each: _subscription(each, name) for each, name in zip(SUBSCRIPTIONS, _NAMES, strict=True)}
        self.estate = Estate(TENANT, listed, (MANAGEMENT_GROUP,), strict=strict)
        self.switchboard = switchboard
        self.page_size = 50
        self.retry_after = "0.01"
        """Seconds, as sent with a 429."""
        self.hidden: set[str] = set()
        """Subscriptions in which the caller has no role: only the management groups know of them."""
        self.activity: list[Body] = []
        """The records of every subscription's Activity Log, and of the tenant's."""
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
        for route in routes():
            match = route.pattern.fullmatch(parts.path)
            if route.method != method or match is None:
                continue
            call = Request(self, parts.path, match.groupdict(), query, body)
            answered = self._struck(route, call)
            activity.write(call, route, answered)
            return answered
        return error(404, "InvalidResourceType", "The resource type could not be found.")

    def _struck(self, route: Route, call: Request) -> Answer:
        fault = self.switchboard.strike("azure", call.subscription or TENANT, "global", route.operation)
        if fault is not None and (answer := faulty(fault, route.operation, call.subscription, self.retry_after)):
            return answer
        served = self._serve(route, call)
        return served if fault is None or fault.kind == FaultKind.SLOW else served.cut(fault.kind)

    def _serve(self, route: Route, call: Request) -> Answer:
        subscription = call.subscription
        if subscription and (subscription not in self.estate.subscriptions or subscription in self.hidden):
            return error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        try:
            with self.lock:
                return route.serve(call)
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


class _Handler(BaseHTTPRequestHandler):
    arm: AzureSandbox
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment: apart, they wait 40 ms for a delayed acknowledgement

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        asked = (self.headers.get("Authorization", ""), self.headers.get("x-ms-correlation-request-id", ""))
        activity.CALLER.set(activity.caller_of(asked[0], str(self.client_address[0]), asked[1]))
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


@cache
def routes() -> tuple[Route, ...]:
    """What every module of this folder answers: the folder is the registry."""
    package = importlib.import_module("snapbase.sandbox.azure")
    found: list[Route] = []
    for module in pkgutil.iter_modules(package.__path__):
        found += getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "ROUTES", ())
    return tuple(found)


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
