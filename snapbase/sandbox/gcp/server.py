"""A local Google Cloud: Compute Engine, Resource Manager and others over HTTP, as far as snapshots need them."""

import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from snapbase.sandbox.faults import Fault, FaultKind, Switchboard
from snapbase.sandbox.gcp.answers import answer
from snapbase.sandbox.gcp.call import Call, Refusal, place
from snapbase.sandbox.gcp.estate import Estate
from snapbase.sandbox.gcp.journal import Caller, policy_before, write
from snapbase.sandbox.gcp.refusals import Answer, broken, refused, struck
from snapbase.sandbox.gcp.schema import Method, route

TOKEN = "sandbox:"
"""What the access tokens begin with that say who sends them."""


class GcpSandbox:
    """Answers for any number of projects on one loopback port; every 200 body is checked against Google's schema."""

    def __init__(self, switchboard: Switchboard, *, page_size: int = 500) -> None:
        self.estate = Estate()
        """What exists; tests put here what the API itself would refuse."""
        self.switchboard = switchboard
        self.page_size = page_size
        """At most this many items on a page, whatever was asked for."""
        self._server: _Server | None = None

    def start(self) -> str:
        """Begins to listen; the endpoint's URL."""
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="gcp-sandbox", daemon=True).start()
        return self._server.url

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: GcpSandbox) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sandbox = sandbox
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Buffered: headers and body written apart would wait for each other's acknowledgement, 40 ms a request."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent: the switchboard keeps the record."""

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        routed = route(self.command, parts.path)
        if routed is None:
            self._send(refused(Refusal(404, "notFound", "NOT_FOUND", f"No method behind {self.command} {parts.path}")))
            return
        method, parameters = routed[0], {name: unquote(value) for name, value in routed[1].items()}
        project = self._project(method, parameters, content)
        fault = self.server.sandbox.switchboard.strike("gcp", project, place(parameters), method.id)
        instead = struck(fault, method.id, project) if fault else None
        if instead is not None:
            if instead.status == 403 and fault is not None and fault.kind != FaultKind.DISABLED:
                self._write_denied(method, parameters, content)
            self._send(instead)
        elif fault is not None and fault.kind == FaultKind.RESET:
            self._reset()
        else:
            self._answer(method, parameters, dict(parse_qsl(parts.query)), content, fault)

    def _project(self, method: Method, parameters: dict[str, str], content: bytes) -> str:
        """The project's id even where its number was asked for, or the folder's or organisation's name; `*` where a
        call is about no single one."""
        if method.id == "logging.entries.list":
            name = _body(content).get("resourceNames", ["*"])[0]
            parameters = {"projectsId": name[9:]} if name.startswith("projects/") else {}
            return self._project_of(parameters) if parameters else str(name)
        return self._project_of(parameters)

    def _project_of(self, parameters: dict[str, str]) -> str:
        for name in ("folders", "organizations"):
            if number := parameters.get(f"{name}Id"):
                return f"{name}/{number}"
        asked = parameters.get("project") or parameters.get("projectsId")
        found = self.server.sandbox.estate.project(asked) if asked else None
        return str(found["projectId"]) if found else asked or "*"

    def _answer(
        self, method: Method, parameters: dict[str, str], query: dict[str, str], content: bytes, fault: Fault | None
    ) -> None:
        if fault is not None and fault.kind == FaultKind.SLOW:
            time.sleep(fault.seconds)
        truncated = fault is not None and fault.kind == FaultKind.TRUNCATED
        self._send(self._checked(method, parameters, query, content), truncated=truncated)

    def _checked(self, method: Method, parameters: dict[str, str], query: dict[str, str], content: bytes) -> Answer:
        unknown = {name for name in query if not name.startswith(("$", "alt"))} - method.query
        if unknown:
            return refused(Refusal(400, "invalid", "INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}"))
        body = _body(content)
        if wrong := method.refused(body):
            return refused(Refusal(400, "invalid", "INVALID_ARGUMENT", f"Invalid JSON payload received. {wrong[0]}"))
        sandbox = self.server.sandbox
        call = Call(method.id, parameters, query, method.writable(body), self.server.url, sandbox.page_size)
        caller, before = self._caller(), policy_before(sandbox.estate, call)
        try:
            given = answer(sandbox.estate, call)
        except Refusal as refusal:
            write(sandbox.estate, call, caller, refusal)
            return refused(refusal)
        write(sandbox.estate, call, caller, given, before)
        if wrong := method.unlike(given):
            return broken(f"{method.id} answered what the API cannot: {'; '.join(wrong)}")
        return Answer(200, given)

    def _caller(self) -> Caller:
        """A token of the sandbox is `sandbox:` and an address; whoever sends none is nobody in particular."""
        email = self.headers.get("Authorization", "").partition(f"Bearer {TOKEN}")[2]
        return Caller(email, str(self.client_address[0]), self.headers.get("User-Agent", ""))

    def _write_denied(self, method: Method, parameters: dict[str, str], content: bytes) -> None:
        estate = self.server.sandbox.estate
        call = Call(method.id, parameters, {}, _body(content), self.server.url, 0)
        write(estate, call, self._caller(), Refusal(403, "forbidden", "PERMISSION_DENIED", "Permission denied"))

    def _send(self, given: Answer, *, truncated: bool = False) -> None:
        body = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
        self.send_response(given.status)
        headers = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(body)), **given.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if truncated else body)
        self.close_connection = self.close_connection or truncated

    def _reset(self) -> None:
        """Closes with RST instead of FIN: zero linger."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _body(content: bytes) -> dict[str, Any]:
    found = json.loads(content) if content else {}
    return found if isinstance(found, dict) else {}
