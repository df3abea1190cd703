"""Somebody who is told: a web server on this machine that keeps what it gets."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """A real server on this machine, which answers as it is told to."""

    status: int = 200
    location: str = ""
    slow: float = 0.0
    """Seconds from one byte of its answer to the next."""
    dripped: int = 0
    """How many of them were sent before whoever asked was gone."""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.got]

    @property
    def told(self) -> list[list[str]]:
        return [[each["title"] for each in body["findings"]] for body in self.bodies]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Until it is done with."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, dict(self.headers), body))
            if state.slow:
                for byte in b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000:
                    time.sleep(state.slow)
                    self.wfile.write(bytes([byte]))
                    state.dripped += 1
                return
            self.send_response(state.status)
            if state.location:
                self.send_header("Location", state.location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
