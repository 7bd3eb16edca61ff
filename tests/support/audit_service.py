"""A stand-in for CloudTrail: LookupEvents of its JSON protocol, on loopback, in pages."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PAGE = 2


def event(at: datetime, name: str, unit: str, principal: str, **detail: object) -> dict[str, Any]:
    """An event as CloudTrail shows it."""
    arn = f"arn:aws:sts::123456789012:assumed-role/{principal}"
    inner = {"userIdentity": {"arn": arn}, "requestParameters": {"id": unit}, "readOnly": False, **detail}
    return {"EventTime": at.timestamp(), "EventName": name, "Username": principal, "CloudTrailEvent": json.dumps(inner)}


class AuditService:
    """Events behind HTTP, newest first; `asked` are the requests that came."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.asked: list[dict[str, Any]] = []
        self.refuse = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(given)
        if self.refuse:
            return 400, {"__type": self.refuse, "message": "no."}
        inside = [e for e in self.events if given["StartTime"] <= e["EventTime"] <= given["EndTime"]]
        start = int(given.get("NextToken", 0))
        more = {"NextToken": str(start + PAGE)} if start + PAGE < len(inside) else {}
        return 200, {"Events": inside[start : start + PAGE], **more}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(service: AuditService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, found = service.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            """Say nothing."""

    return Handler
