"""A stand-in for a key management service: Sign and GetPublicKey of its JSON protocol, on loopback.

It signs the digest that it is given, as the service does; `refuse` answers an error instead, `lie` another signature.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils


class KeyService:
    """One key behind HTTP; `calls` are the operations that were asked for."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.calls: list[str] = []
        self.given: list[dict[str, Any]] = []
        self.refuse = ""
        self.lie = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def public_der(self) -> bytes:
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.DER, spki)

    def answer(self, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(operation)
        self.given.append(given)
        if self.refuse:
            return 400, {"__type": self.refuse, "message": "refused."}
        if operation == "GetPublicKey":
            return 200, {"KeyId": given["KeyId"], "PublicKey": base64.b64encode(self.public_der()).decode()}
        digest = base64.b64decode(given["Message"])
        digest = digest[::-1] if self.lie else digest
        signature = self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return 200, {"KeyId": given["KeyId"], "Signature": base64.b64encode(signature).decode()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(service: KeyService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = service.answer(self.headers["X-Amz-Target"].partition(".")[2], given)
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            """Say nothing."""

    return Handler
