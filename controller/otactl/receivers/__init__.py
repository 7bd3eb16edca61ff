"""Sends notices to the receivers of an environment: signed webhooks, and URLs of Apprise."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime

from otactl.backends.transport.machine_clock import utc_now
from otactl.model import Environment
from otactl.model.notices import Notice, Receiver
from otactl.receivers import apprise_urls, webhook
from otactl.receivers.secrets import NotUsableError
from otactl.reconcile.deliver import Send, Sent

__all__ = ["sender_for"]


def sender_for(
    environment: Environment, environ: Mapping[str, str] = os.environ, now: Callable[[], datetime] = utc_now
) -> Send:
    """Return what sends the notices of an environment; `environ` has the secrets, and says which hosts are allowed.

    `now` dates the signatures: a receiver refuses one that is minutes old.
    """

    def send(receiver: Receiver, notice: Notice, seconds: float) -> Sent:
        try:
            if receiver.webhook is not None:
                return webhook.send(receiver.webhook, notice, environment.name, environ, seconds, now())
            return apprise_urls.send(receiver.apprise or "", notice, environment.name, environ, seconds)
        except NotUsableError as error:
            return Sent(problem=str(error), silent=True)

    return send
