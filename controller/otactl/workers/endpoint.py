"""Answers health, readiness and metrics over HTTP: `/healthz`, `/readyz` and `/metrics`, and nothing else.

1. `/healthz` is 200 while the worker's loop turns: restart the worker when it is not.
2. `/readyz` is 200 while the worker can run passes: it knows manifests, its database answers, and it is not stopping.
3. It listens on loopback unless another address is named; nothing it is asked changes anything, and no answer has a
   secret. On loopback a request must name loopback as its host, so that no web page reads it through a browser.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from otactl.errors import UsageError

PORT = 9464
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Answers(NamedTuple):
    """What is answered; each is called for each request."""

    health: Callable[[], dict[str, object]]
    readiness: Callable[[], dict[str, object]]
    metrics: Callable[[], bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answers: Answers
    loopback: bool


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "otactl", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        if self.server.loopback and not self._names_loopback():
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"this answers only to 127.0.0.1 and localhost\n", "text/plain")
        elif path == "/healthz":
            self._state(self.server.answers.health())
        elif path == "/readyz":
            self._state(self.server.answers.readiness())
        elif path == "/metrics":
            self._send(HTTPStatus.OK, self.server.answers.metrics(), METRICS_TYPE)
        else:
            self._send(HTTPStatus.NOT_FOUND, b"there are /healthz, /readyz and /metrics\n", "text/plain")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Log no request: probes come every few seconds."""

    def _names_loopback(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        name = hosts[0].rpartition(":")[0] if len(hosts) == 1 else ""
        return name.lower() in _LOOPBACK

    def _state(self, state: dict[str, object]) -> None:
        status = HTTPStatus.OK if state["ok"] else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(status, f"{json.dumps(state)}\n".encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`. Raises: UsageError."""
    host, colon, port = text.rpartition(":")
    try:
        number = int(port)
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        number = -1
    if not colon or not 0 <= number <= 65535:
        raise UsageError(
            f"--listen {text} is no address; write ADDRESS:PORT, such as 127.0.0.1:{PORT} or 0.0.0.0:{PORT}"
        )
    return host.strip("[]"), number


@contextmanager
def serving(address: tuple[str, int], answers: Answers) -> Iterator[str]:
    """Serve while the block runs; gives the address. Raises: UsageError where it cannot be listened on."""
    try:
        server = _Server(address, _Handler)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise UsageError(f"cannot listen on {where}: {error.strerror}; choose another --listen") from error
    server.answers = answers
    server.loopback = ipaddress.ip_address(address[0]).is_loopback
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield f"{server.server_address[0]!s}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
