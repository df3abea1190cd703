"""A local AWS: moto behind a layer that pages, refuses and fails like the real one, over real HTTP."""

import importlib
import os
import pkgutil
import socket
import struct
import threading
import time
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from typing import Any, NoReturn

from snapbase.sandbox.faults import FaultKind, Switchboard


class AwsSandbox:
    """One endpoint for every service. State is moto's, and is forgotten on `start`."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._server: Any = None

    def start(self) -> str:
        """Listens on a free port of 127.0.0.1 and returns the endpoint's URL."""
        # Read when moto's EC2 backend is first used: without it, every account starts with 1,301 images.
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        from moto.core.base_backend import BackendDict
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        BackendDict.reset()
        self._moto = DomainDispatcherApplication(create_backend_app)
        handler = _quiet(MotoRequestHandler)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="sandbox-aws", daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def limit(self, account: str, region: str, operation: str, *, capacity: float, refill: float) -> None:
        """Throttles one operation by a token bucket: `capacity` calls at once, then `refill` a second."""
        self._buckets[account, region, operation] = _Bucket(capacity, refill)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        from snapbase.sandbox.aws import cloudtrail, wire

        call = _call(environ)
        if call is None:
            return self._moto(environ, start_response)
        fault = self._switchboard.strike("aws", call.account, call.region, call.name)
        kind = fault.kind if fault else None
        bucket = self._buckets.get((call.account, call.region, call.name))
        if kind is None and bucket is not None and not bucket.take():
            kind = FaultKind.THROTTLED
        if kind == FaultKind.SLOW and fault is not None:
            time.sleep(fault.seconds)
        if kind == FaultKind.RESET:
            _reset(environ)
        if kind not in (None, FaultKind.SLOW, FaultKind.TRUNCATED):
            refused = wire.failure(call, str(kind))
            cloudtrail.note(call, environ, refused)
            return _send(start_response, refused)
        answered = self._collected(call, environ)
        cloudtrail.note(call, environ, answered)
        return _send(start_response, wire.truncated(answered) if kind == FaultKind.TRUNCATED else answered)

    def _collected(self, call: Any, environ: dict[str, Any]) -> Any:
        """The whole answer as a value, whoever gives it."""
        handled = _handle(call)
        if handled is not None:
            return handled
        head: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            head.extend((status, dict(headers)))

        body = b"".join(self._moto(environ, keep))
        return head[0], head[1], body


class _Bucket:
    def __init__(self, capacity: float, refill: float) -> None:
        self._capacity, self._refill = capacity, refill
        self._tokens, self._at = capacity, time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._refill)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def _quiet(handler: type[Any]) -> type[Any]:
    """No line per request, and keep-alive as AWS has it."""

    def run_wsgi(self: Any) -> None:
        # Answers are buffered, and an upload waits a second for this one.
        if self.headers.get("Expect", "").lower() == "100-continue":
            del self.headers["Expect"]
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        handler.run_wsgi(self)

    more = {"log": lambda *_: None, "protocol_version": "HTTP/1.1", "wbufsize": -1, "run_wsgi": run_wsgi}
    return type("Handler", (handler,), more)


def _call(environ: dict[str, Any]) -> Any:
    from moto.iam.models import get_account_id_from

    from snapbase.sandbox.aws import wire

    who = wire.identity(environ.get("HTTP_AUTHORIZATION", ""), get_account_id_from)
    if who is None:
        return None
    account, region, service = who
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    headers = {"Content-Type": environ.get("CONTENT_TYPE", ""), "X-Amz-Target": environ.get("HTTP_X_AMZ_TARGET", "")}
    method, (path, _, query) = environ["REQUEST_METHOD"], environ["REQUEST_URI"].partition("?")
    operation = wire.operation_of(service, headers, body, method, path)
    return wire.Call(account, region, service, operation, body, headers, method, path, query) if operation else None


@cache
def _handlers() -> dict[str, Any]:
    """Every operation the layer answers: the `handlers()` of each file beside this one."""
    package = importlib.import_module("snapbase.sandbox.aws")
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(package.__path__):
        handlers = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "handlers", None)
        found |= handlers() if handlers else {}
    return found


def _handle(call: Any) -> Any:
    """The layer's own answer, or None where moto's is right."""
    from snapbase.sandbox.aws import wire

    handler = _handlers().get(call.name)
    if handler is None:
        return None
    try:
        result = handler(call, call.parameters())
    except wire.Refusal as error:
        return wire.answer(call, error)
    return None if result is None else wire.answer(call, result)


def _send(start_response: Any, answered: tuple[str, dict[str, str], bytes]) -> list[bytes]:
    status, headers, body = answered
    start_response(status, list({"Content-Length": str(len(body)), **headers}.items()))
    return [body]


def _reset(environ: dict[str, Any]) -> NoReturn:
    """Ends the connection; the exception tells the server that nobody is left to answer."""
    connection = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError
