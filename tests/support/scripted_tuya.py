"""A gateway that answers what a test tells it, and keeps what it was asked: for the wire, not for the rules."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess
from otactl.model import Environment
from tests.support.builders import SOURCE

KEY, SECRET = "AKqX7Hidden", "s3cretNobodySees"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """One answer; `dropped` closes the connection without one."""

    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


def good(**members: object) -> Answer:
    """A success."""
    return Answer({"code": "", "requestId": "r", "success": True, **members})


def bad(code: str, words: str = "words", status: int = 200, **headers: str) -> Answer:
    """A failure."""
    return Answer({"code": code, "errorMessage": words, "requestId": "r", "success": False}, status, headers)


DROPPED = Answer(dropped=True)


class Gateway:
    """Answers in order, the last one for ever; `asked` are the parameters, `lines` method and path, of each request."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [good()]
        self.asked: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.connections: set[tuple[str, int]] = set()
        self.url = ""

    def will(self, *answers: Answer) -> None:
        """Answer so from now on."""
        self.answers = list(answers)

    def next(self) -> Answer:
        """The answer to the next request."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def running() -> Iterator[Gateway]:
    """A gateway on loopback."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve(self.path.partition("?")[2])

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _serve(self, query: str) -> None:
            gateway.asked.append(dict(parse_qsl(query, keep_blank_values=True)))
            gateway.lines.append(f"{self.command} {self.path.partition('?')[0]}")
            gateway.connections.add(self.client_address)
            answer = gateway.next()
            if answer.dropped:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response_only(answer.status)
            headers = {"Date": format_datetime(NOW, usegmt=True), "Content-Length": str(len(body)), **answer.headers}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        gateway.url = f"http://127.0.0.1:{server.server_address[1]}/"
        yield gateway
        server.shutdown()
        thread.join()


def environment(endpoint: str, **changes: object) -> Environment:
    """An environment whose gateway is there."""
    given: dict[str, Any] = {"call_rates": {"tuya:*": 1e6}, **changes}
    access = TuyaAccess(endpoint=endpoint, access_key_id_env="TUYA_ID", access_key_secret_env="TUYA_SECRET")
    return Environment(
        name="e",
        owner="acme",
        account="123456789012",
        region="eu-west-1",
        source=SOURCE,
        access={"tuya": access},
        **given,
    )


def transport(gateway: Gateway, *, behind: timedelta = timedelta(0), **changes: object) -> TuyaClient:
    """A transport that sleeps nowhere and whose clock is the gateway's, or behind it."""
    return TuyaClient(
        environment(gateway.url, **changes),
        sleep=lambda _s: None,
        now=lambda: NOW - behind,
        seed=1,
        environ={"TUYA_ID": KEY, "TUYA_SECRET": SECRET},
    )
