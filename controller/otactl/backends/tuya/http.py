"""Sends one HTTP request to Tuya's gateway; nothing printable holds what was sent.

1. https with the system's certificates; plain http only to this machine, where no one listens in.
2. Nothing is followed: a redirect is an answer, and a signed URL goes to no other host.
3. A failure is reported without its cause: an exception of the library may carry the signed URL, and a chain would
   print it. The library's own debug log is never turned on.
4. The way out is a proxy's where HTTPS_PROXY names one and NO_PROXY does not except the host, as for AWS; never to this
   machine. The request goes through a tunnel, so the proxy reads nothing of it.
5. A connection is used again only for what may be sent twice, and only while it is fresh: a server that closes an idle
   one looks like a lost answer.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from otactl import __version__
from otactl.backends.transport.allowed_hosts import is_loopback, must_be_tuyas
from otactl.errors import StalledError

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

    def __init__(self, endpoint: str, environ: Mapping[str, str] = os.environ) -> None:
        """Take as `environ` the variables that allow hosts besides Tuya's own.

        Raises: StalledError `EndpointInvalid` or `HostNotAllowed`.
        """
        parts = _parts(endpoint)
        host = parts.hostname or ""
        if parts.scheme == "http" and not is_loopback(host):
            text = f"Tuya's endpoint {host} must be https: a request that can be read on the way can be sent again"
            raise StalledError("EndpointInvalid", text)
        must_be_tuyas(parts, environ)
        self._proxy = _proxy(parts)
        self._host, self._port, self._path = host, parts.port, parts.path or "/"
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[_Kept] = []
        weakref.finalize(self, _close, self._idle)  # who forgets `close` leaves no socket open
        self._lock = Lock()
        self.where = parts.netloc

    def send(self, method: str, query: str, *, again: bool) -> Reply:
        """Return one request, the query in the URL or (POST) in the body; LostError when there is no whole answer."""
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
            failed = LostError(self._words(error, sent=sent), sent=sent)
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
        elif self._proxy is not None:
            fresh = http.client.HTTPSConnection(
                self._proxy.host, self._proxy.port, timeout=CONNECT_SECONDS, context=self._tls
            )
            fresh.set_tunnel(self._host, self._port or http.client.HTTPS_PORT, self._proxy.headers)
        else:
            fresh = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_SECONDS, context=self._tls)
        fresh.connect()
        fresh.sock.settimeout(READ_SECONDS)
        return fresh

    def _words(self, error: Exception, *, sent: bool) -> str:
        """Return what failed, and what to look at; what a proxy says of itself stays out."""
        kind = type(error).__name__
        if self._proxy is not None and not sent:
            way = f"{self._proxy.host}:{self._proxy.port}, the proxy on the way to {self.where}"
            return f"{kind} at {way}; check HTTPS_PROXY and NO_PROXY, and whether it lets this host through"
        if isinstance(error, socket.gaierror):
            return f"{kind} at {self.where}: its name does not resolve here; check the endpoint, or set HTTPS_PROXY"
        return f"{kind} at {self.where}"

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
    """Return an endpoint taken apart; its port is asked for here, because one out of range is reported only then."""
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


@dataclass(frozen=True)
class _Proxy:
    """A proxy's address; what it asks for in return is not in its repr."""

    host: str
    port: int
    headers: dict[str, str] = field(repr=False)


def _proxy(parts: SplitResult) -> _Proxy | None:
    """Return the proxy that the process's environment names for an endpoint (rule 4)."""
    named = getproxies().get(parts.scheme, "")
    if not named or is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    try:
        way = urlsplit(named if "://" in named else f"http://{named}")
        host, port = way.hostname or "", way.port or 80
    except ValueError:
        host, port = "", 0
    if not host or way.scheme != "http":
        text = "HTTPS_PROXY must be http://host:port, or http://user:password@host:port, for Tuya's gateway"
        raise StalledError("EndpointInvalid", f"{text}; fix it, or except {parts.hostname} in NO_PROXY")
    if way.username is None:
        return _Proxy(host, port, {})
    key = f"{unquote(way.username)}:{unquote(way.password or '')}".encode()
    return _Proxy(host, port, {"Proxy-Authorization": f"Basic {base64.b64encode(key).decode()}"})
