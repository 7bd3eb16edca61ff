"""Defines notices: what happened that people want to hear of, who hears of it, and what is still to be sent.

A notice is part of the record it is about, so it is written in the commit that caused it (an outbox).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from otactl.model.values import Value


class NoticeKind(StrEnum):
    """What happened."""

    HELD = "held"  # a person must act, or it waits longer than it should
    NEEDS_APPROVAL = "needsApproval"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    DRIFT_OPENED = "driftOpened"
    DRIFT_CLOSED = "driftClosed"
    RUN_FAILING = "runFailing"
    RUN_RECOVERED = "runRecovered"


class Webhook(Value, frozen=True, kw_only=True):
    """An address that takes signed CloudEvents; `secret` is the environment variable that holds the key."""

    url: str
    secret: str


class Receiver(Value, frozen=True, kw_only=True):
    """Who hears of what: a webhook, or URLs of Apprise, which the environment variable `apprise` holds."""

    name: str
    on: tuple[NoticeKind, ...] = tuple(NoticeKind)
    webhook: Webhook | None = None
    apprise: str | None = None


class Notice(Value, frozen=True, kw_only=True):
    """One thing that happened; `to` are the receivers that have not accepted it yet.

    `id` is the same for the same event of the same journal, whoever computes it. `rollout` is empty for an environment.
    """

    id: str
    kind: NoticeKind
    at: datetime
    rollout: str
    reason: str
    message: str
    version: str = ""
    phase: str = ""
    to: tuple[str, ...] = ()


class ReceiverFailure(Value, frozen=True, kw_only=True):
    """Why a receiver accepts nothing, since when."""

    since: datetime
    error: str
