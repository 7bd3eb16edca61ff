"""Serves one page on loopback, read-only, built again when what it is from has changed.

1. It listens on 127.0.0.1 alone and answers GET and HEAD of `/` alone; nothing it is asked changes anything.
2. A request whose Host is not a name of loopback is refused: a web page elsewhere, whose name was made to point here
   (DNS rebinding), would otherwise read the fleet through the browser.
3. A build that fails is answered with its reason; the next request tries again.
"""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from otactl.errors import OtactlError, UsageError
from otactl.report.sanitize import plain

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
Build = Callable[[], tuple[str, str]]
"""Returns the page and its Content-Security-Policy."""


class CachedPage:
    """The newest page; `stamp` names the state of what it is from, and a new stamp asks for a new page."""

    def __init__(self, build: Build, stamp: Callable[[], Hashable]) -> None:
        self._build, self._stamp = build, stamp
        self._lock = threading.Lock()
        self._kept: tuple[Hashable, bytes, str, str] | None = None

    def get(self) -> tuple[bytes, str, str]:
        """Return the page, its policy and its entity tag. Raises: OtactlError where it cannot be built."""
        with self._lock:
            stamp = self._stamp()
            if self._kept is None or self._kept[0] != stamp:
                text, policy = self._build()
                body = text.encode()
                self._kept = (stamp, body, policy, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
            return self._kept[1:]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: CachedPage


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: _Server
    server_version, sys_version = "otactl", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the page."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the page's headers."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Keep the terminal quiet."""

    def _answer(self, *, with_body: bool) -> None:
        if not self._is_for_loopback():
            text = "this page answers only to 127.0.0.1 and localhost\n"
            self._plain(HTTPStatus.MISDIRECTED_REQUEST, text, with_body=with_body)
            return
        if self.path.partition("?")[0] != "/":
            self._plain(HTTPStatus.NOT_FOUND, "there is only /\n", with_body=with_body)
            return
        try:
            body, policy, tag = self.server.page.get()
        except OtactlError as error:
            self._plain(HTTPStatus.SERVICE_UNAVAILABLE, f"{plain(str(error))}\n", with_body=with_body)
            return
        if self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self._common(tag, policy)
            self.end_headers()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self._common(tag, policy)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _is_for_loopback(self) -> bool:
        hosts = self.headers.get_all("Host") or []
        name, _, port = hosts[0].rpartition(":") if len(hosts) == 1 else ("", "", "")
        return name.lower() in _LOOPBACK and port == str(self.server.server_address[1])

    def _common(self, tag: str, policy: str) -> None:
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache, private")
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")

    def _plain(self, status: HTTPStatus, text: str, *, with_body: bool) -> None:
        body = text.encode("utf-8", "backslashreplace")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@contextmanager
def serving(page: CachedPage, port: int) -> Iterator[str]:
    """Serve while the block runs; gives the address. Raises: UsageError where the port is taken."""
    try:
        server = _Server(("127.0.0.1", port), _Handler)
    except OSError as error:
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another --port") from error
    server.page = page
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, in place of what they do otherwise."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
