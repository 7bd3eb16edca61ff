"""Pushes the metrics of a run to a Pushgateway, in the group of its environment.

1. Complete metrics replace the group; those of a run that could not read its journal leave the rest as it was.
2. A user and a password in the URL go into a header, and into no message.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from otactl.backends.transport.bounded_request import NoAnswerError, status_of
from otactl.report.metric_samples import Sample

PUSH_SECONDS = 5.0
JOB = "otactl"
_Handler = Callable[[], None]


def push(url: str, environment: str, samples: tuple[Sample, ...], *, complete: bool) -> str:
    """Push samples; return what went wrong, "" when the gateway took them."""
    from prometheus_client import push_to_gateway, pushadd_to_gateway

    from otactl.report.metrics_text import registry_of

    try:
        parts = urlsplit(url)
        where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        where = ""
    if not where or parts.scheme not in ("http", "https"):
        return "metrics were not pushed: the Pushgateway's URL must be http://HOST:9091 or https://HOST; correct it"
    secret: dict[str, str] = {}
    if parts.username is not None:
        key = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        secret = {"Authorization": f"Basic {base64.b64encode(key).decode()}"}
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def handler(url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes) -> _Handler:
        def send() -> None:
            status = status_of(method, url, data, {**dict(headers), **secret}, timeout or PUSH_SECONDS)
            if status not in range(200, 300):
                raise NoAnswerError(f"it answered {status}")

        return send

    group = {"environment": environment} if environment else {}
    send = push_to_gateway if complete else pushadd_to_gateway
    try:
        send(bare, job=JOB, registry=registry_of(samples), grouping_key=group, timeout=PUSH_SECONDS, handler=handler)
    except NoAnswerError as error:
        name = f"metrics of environment {environment}" if environment else "metrics"
        return f"{name} were not pushed to {where}: {error}; the run is not affected"
    return ""
