"""Defines the recorded status: conditions, holds with their age, errors, the last run.

`since` is when it became so and was recorded; None in records written before it was kept.
"""

from __future__ import annotations

from datetime import datetime

from otactl.model.values import Value


class Condition(Value, frozen=True, kw_only=True):
    """Ready, Reconciling, Stalled or Overdue, with a PascalCase reason and a sentence.

    `since` is when status and reason became these.
    """

    type: str
    status: bool
    reason: str
    message: str
    since: datetime | None = None


class RecordedHold(Value, frozen=True, kw_only=True):
    """A hold as last found; `overdue_since` is when it exceeded its limit."""

    reason: str
    message: str
    stalled: bool = False
    until: datetime | None = None
    since: datetime | None = None
    overdue_since: datetime | None = None


class Failure(Value, frozen=True, kw_only=True):
    """An error that stopped a pass over a rollout, or (`sending`) its calls."""

    reason: str
    message: str
    since: datetime
    sending: bool = False


class LastRun(Value, frozen=True, kw_only=True):
    """The last recorded run over an environment: when it ended, by which host and process, and its error.

    `reason` and `error` are empty for a run without an error; `since` is when the first run of the same reason ended;
    `last_good` when the last recorded run without an error did.
    """

    at: datetime
    by: str
    since: datetime
    reason: str = ""
    error: str = ""
    last_good: datetime | None = None
