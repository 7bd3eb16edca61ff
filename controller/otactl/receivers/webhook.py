"""Sends a notice to a webhook: a CloudEvent 1.0 in structured JSON, signed as Standard Webhooks say.

1. The signature is HMAC-SHA256 over `id.timestamp.body`, so neither another body nor an old request passes a check.
2. A manifest is not trusted: the operator names the host, with its port unless it is 443, in `OTACTL_ALLOWED_HOSTS`.
   That holds for this machine too: a manifest must not reach what listens only here.
3. https, except to this machine; no redirect is followed; an answer of 2xx accepts the notice.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus

from otactl import explanations
from otactl.backends.transport.allowed_hosts import must_be_named
from otactl.backends.transport.bounded_request import NoAnswerError, status_of
from otactl.errors import StalledError
from otactl.model import iso
from otactl.model.notices import Notice, NoticeKind, Webhook
from otactl.receivers.secrets import NotUsableError, secret_of
from otactl.reconcile.deliver import Sent

TYPES = {
    NoticeKind.HELD: "dev.otactl.rollout.held",
    NoticeKind.NEEDS_APPROVAL: "dev.otactl.rollout.needsApproval",
    NoticeKind.FAILED: "dev.otactl.rollout.failed",
    NoticeKind.SUCCEEDED: "dev.otactl.rollout.succeeded",
    NoticeKind.DRIFT_OPENED: "dev.otactl.drift.opened",
    NoticeKind.DRIFT_CLOSED: "dev.otactl.drift.closed",
    NoticeKind.RUN_FAILING: "dev.otactl.run.failing",
    NoticeKind.RUN_RECOVERED: "dev.otactl.run.recovered",
}
"""Types of CloudEvents by kind."""
_PREFIX = "whsec_"


def send(
    webhook: Webhook, notice: Notice, environment: str, environ: Mapping[str, str], seconds: float, now: datetime
) -> Sent:
    """Send a notice once, signed at `now`. Raises: NotUsableError for a host not allowed, and without a secret."""
    try:
        must_be_named("spec.notices.webhook.url", webhook.url, environ)
    except StalledError as error:
        raise NotUsableError(error.reason, str(error)) from error
    body = body_of(notice, environment)
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        **signature(secret_of(webhook.secret, environ), notice.id, int(now.timestamp()), body),
    }
    try:
        status = status_of("POST", webhook.url, body, headers, seconds)
    except NoAnswerError as error:
        return Sent(problem=f"it gave no answer: {error}", silent=True)
    if status in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
        return Sent()
    return Sent(problem=f"it answered {status}")


def body_of(notice: Notice, environment: str) -> bytes:
    """Write a notice as a CloudEvent; the same bytes each time."""
    event = {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"/otactl/{environment}",
        "type": TYPES[notice.kind],
        "subject": notice.rollout or environment,
        "time": iso(notice.at),
        "datacontenttype": "application/json",
        "data": data_of(notice, environment),
    }
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()


def data_of(notice: Notice, environment: str) -> dict[str, str | None]:
    """Return what a receiver may want to know, without asking back."""
    known = explanations.find(notice.reason)
    return {
        "environment": environment,
        "rollout": notice.rollout or None,
        "version": notice.version or None,
        "phase": notice.phase or None,
        "reason": notice.reason,
        "message": notice.message,
        "wayOut": known[0][2].fix if known else None,
    }


def signature(secret: str, event: str, moment: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent a body and when.

    A secret that starts with `whsec_` goes on in base64; any other is taken as it is.

    Raises: NotUsableError for one that is not base64 there.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else secret.encode()
    except ValueError:
        text = f"what follows {_PREFIX} in the secret must be base64; set it again"
        raise NotUsableError("NoticeSecretMissing", text) from None
    signed = hmac.new(key, f"{event}.{moment}.".encode() + body, sha256).digest()
    return {
        "webhook-id": event,
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
