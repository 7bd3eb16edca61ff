"""One HTTP request to Tuya's gateway and its answer, without a word of what was sent in anything that can be printed.

1. https with the system's certificates; plain http only to this machine, where no one listens in.
2. Nothing is followed: a redirect is an answer, and a signed URL goes to no other host.
3. What fails here is told without its cause: an exception of the library may carry the signed URL, and a chain would
   print it. The library's own debug log is never turned on.
4. A connection is used again only for what may be sent twice, and only while it is fresh: a server that closes an idle
   one looks like a lost answer.
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import time
import weakref
from dataclasses import dataclass
from threading import Lock
from urllib.parse import SplitResult, urlsplit

from controller import __version__
from controller.errors import StalledError

CONNECT_SECONDS, READ_SECONDS, IDLE_SECONDS = 10.0, 60.0, 3.0


_Kept = tuple[float, http.client.HTTPConnection]


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its Date and Location headers (empty when missing), its bytes."""

    status: int
    date: str
    location: str
    body: bytes


class LostError(Exception):
    """No answer; `sent` is False when not a byte of the request left this machine."""

    def __init__(self, words: str, *, sent: bool) -> None:
        super().__init__(words)
        self.sent = sent


class Wire:
    """Connections to one endpoint, shared by threads."""

    def __init__(self, endpoint: str) -> None:
        parts = _parts(endpoint)
        host = parts.hostname or ""
        if parts.scheme == "http" and not _loopback(host):
            text = f"Tuya's endpoint {host} must be https: a request that can be read on the way can be sent again"
            raise StalledError("EndpointInvalid", text)
        self._host, self._port, self._path = host, parts.port, parts.path or "/"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[_Kept] = []
        weakref.finalize(self, _close, self._idle)  # who forgets `close` leaves no socket open
        self._lock = Lock()
        self.where = parts.netloc

    def send(self, method: str, query: str, *, again: bool) -> Reply:
        """One request, the query in the URL or (POST) in the body; LostError when there is no whole answer."""
        connection = self._kept() if again else None
        sent = connection is not None
        try:
            if connection is None:
                connection = self._open()
                sent = True
            reply, stays = _exchange(connection, method, self._path, query)
        except ssl.SSLCertVerificationError as error:
            words = f"the certificate of {self.where} is not trusted here: {error.verify_message}"
            failed: Exception = StalledError("EndpointInvalid", words)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            failed = LostError(f"{type(error).__name__} at {self.where}", sent=sent)
        else:
            self._keep(connection, stays)
            return reply
        if connection is not None:
            connection.close()
        raise failed

    def close(self) -> None:
        """Close what is kept open."""
        with self._lock:
            _close(self._idle)

    def _open(self) -> http.client.HTTPConnection:
        if self._tls is None:
            fresh = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        else:
            fresh = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls)
        fresh.connect()
        fresh.sock.settimeout(READ_SECONDS)
        return fresh

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            while self._idle:
                since, connection = self._idle.pop()
                if time.monotonic() - since < IDLE_SECONDS:
                    return connection
                connection.close()
        return None

    def _keep(self, connection: http.client.HTTPConnection, stays: bool) -> None:
        if not stays:
            connection.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), connection))


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, query: str) -> tuple[Reply, bool]:
    headers = {"User-Agent": f"otactl/{__version__}", "Accept": "application/json"}
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST", path, body=query.encode(), headers=headers)
    else:
        connection.request(method, f"{path}?{query}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    stays = not answer.will_close and answer.isclosed()
    return Reply(answer.status, answer.getheader("Date") or "", answer.getheader("Location") or "", body), stays


def _parts(endpoint: str) -> SplitResult:
    """An endpoint taken apart; its port is asked for here, because one out of range is told only then."""
    try:
        parts = urlsplit(endpoint)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.username is not None:
        raise StalledError("EndpointInvalid", "Tuya's endpoint must be https://host:port/, without user and query")
    return parts


def _close(kept: list[_Kept]) -> None:
    while kept:
        kept.pop()[1].close()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
