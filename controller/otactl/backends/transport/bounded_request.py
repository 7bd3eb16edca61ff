"""Sends one HTTP request to a receiver that is no update service: a webhook, a Pushgateway.

1. The whole exchange ends within a given time: name, connection, TLS, and an answer that comes byte by byte.
2. No redirect is followed: what was sent to one host goes to no other.
3. An error names the kind of failure, never the URL, a header or the body: they may hold a secret.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping

from otactl import __version__

_MOST_BYTES = 64 * 1024  # of an answer: it is read so that the receiver sees it taken, and not used


class NoAnswerError(Exception):
    """No whole answer came in time; `str(error)` says why, without a secret."""


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as the answer (rule 2)."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing."""


def status_of(method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> int:
    """Send a request and return the status of its answer.

    Raises: NoAnswerError after `seconds`, or when no answer can come.
    """
    came: list[int | NoAnswerError] = []

    def send() -> None:
        came.append(_exchange(method, url, body, headers, seconds))

    sender = threading.Thread(target=send, daemon=True, name="otactl-request")
    sender.start()
    sender.join(seconds)
    if not came:
        raise NoAnswerError(f"no answer within {seconds:g} s")
    if isinstance(came[0], NoAnswerError):
        raise came[0]
    return came[0]


def _exchange(method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> int | NoAnswerError:
    named = {"User-Agent": f"otactl/{__version__}", **headers}
    try:
        request = urllib.request.Request(url, data=body, headers=named, method=method)  # noqa: S310 - callers check it
        with urllib.request.build_opener(_StayHere).open(request, timeout=seconds) as answer:
            answer.read(_MOST_BYTES)
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
    except urllib.error.URLError as error:
        return NoAnswerError(_words(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return NoAnswerError(_words(error))


def _words(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted here: {error.verify_message}"
    return type(error).__name__ if isinstance(error, BaseException) else "no connection"
