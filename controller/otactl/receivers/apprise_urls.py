"""Sends a notice by Apprise, to mail, chat and pagers.

Its URLs hold secrets, so they come from the process's environment alone, and stay out of every message.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from otactl.model.notices import Notice, NoticeKind
from otactl.receivers.secrets import NotUsableError, secret_of
from otactl.receivers.webhook import data_of
from otactl.reconcile.deliver import Sent

_BAD = (NoticeKind.FAILED, NoticeKind.RUN_FAILING)
_GOOD = (NoticeKind.SUCCEEDED, NoticeKind.DRIFT_CLOSED, NoticeKind.RUN_RECOVERED)


def send(variable: str, notice: Notice, environment: str, environ: Mapping[str, str], seconds: float) -> Sent:
    """Send a notice once, to all URLs. Raises: NotUsableError without the extra, the variable or a URL in it."""
    try:
        import apprise
    except ImportError:
        text = "apprise is not installed where otactl runs; run: pip install 'otactl[apprise]'"
        raise NotUsableError("AppriseMissing", text) from None
    logging.getLogger("apprise").disabled = True  # what it logs may name a URL
    hub = apprise.Apprise()
    if not hub.add(secret_of(variable, environ).split()) or not len(hub):
        text = f"{variable} must hold URLs of Apprise with spaces between them; correct it"
        raise NotUsableError("NoticeSecretMissing", text)
    kind = apprise.NotifyType.FAILURE if notice.kind in _BAD else apprise.NotifyType.WARNING
    kind = apprise.NotifyType.SUCCESS if notice.kind in _GOOD else kind
    title, body = text_of(notice, environment)
    came: list[bool] = []

    def notify() -> None:
        came.append(bool(hub.notify(title=title, body=body, notify_type=kind)))

    sender = threading.Thread(target=notify, daemon=True, name="otactl-apprise")
    sender.start()
    sender.join(seconds)
    if not came:
        return Sent(problem=f"no answer within {seconds:g} s", silent=True)
    return Sent() if came[0] else Sent(problem="one of its URLs did not accept the notice")


def text_of(notice: Notice, environment: str) -> tuple[str, str]:
    """Return title and text for people."""
    data = data_of(notice, environment)
    title = f"otactl {environment}{f'/{notice.rollout}' if notice.rollout else ''}: {notice.kind.value}"
    lines = [f"{notice.reason}: {notice.message}", f"way out: {data['wayOut']}" if data["wayOut"] else ""]
    return title, "\n".join(line for line in (*lines, f"event {notice.id}") if line)
