"""A receiver of HTTP requests on loopback that can refuse, redirect, hang and lose its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple

Behaviour = int | Literal["hang", "lose", "drip"]
"""A status, or: answer nothing until the receiver is stopped, close the connection, send an answer without an end."""


class Received(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """What came in, and how the next request is answered."""

    def __init__(self, answer: Callable[[Received], Behaviour]) -> None:
        self.answer = answer
        self.requests: list[Received] = []
        self.stopped = threading.Event()
        self.came = threading.Event()
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Print nothing."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        came = Received(self.command, self.path, dict(self.headers.items()), body)
        self.receiver.requests.append(came)
        self.receiver.came.set()
        behaviour = self.receiver.answer(came)
        self.close_connection = True
        if behaviour == "hang":
            self.receiver.stopped.wait(60)
        elif behaviour == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.receiver.stopped.wait(0.05):
                try:
                    self.wfile.write(b"X: y\r\n")
                except OSError:
                    return
        elif isinstance(behaviour, int):
            self.send_response(behaviour)
            if 300 <= behaviour < 400:
                self.send_header("Location", f"{self.receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_POST = do_PUT = do_GET = _take  # noqa: N815 - the library's names


@contextmanager
def receiving(answer: Callable[[Received], Behaviour] = lambda _: 200) -> Iterator[Receiver]:
    """Start a receiver on a free port; stop it at the end."""
    receiver = Receiver(answer)
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
