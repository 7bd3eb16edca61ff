"""Renders the events of one rollout, oldest first."""

from __future__ import annotations

from otactl.model import Event, JsonObject, Value, iso
from otactl.report.journals_used import UsedJournal, told, with_journals
from otactl.report.sanitize import as_json, markdown_table, plain, table
from otactl.report.status import Style

_HEAD = ("AT", "KIND", "SUBJECT", "MESSAGE")


class EventLine(Value, frozen=True, kw_only=True):
    """One event; `data` is for machines."""

    at: str
    kind: str
    subject: str
    message: str
    data: JsonObject


class History(Value, frozen=True, kw_only=True):
    """All that `history` shows."""

    rollout: str
    environment: str
    events: tuple[EventLine, ...]


def collect(environment: str, rollout: str, events: tuple[Event, ...]) -> History:
    """Gather a rollout's events in the order they were committed."""
    lines = tuple(
        EventLine(at=iso(e.at), kind=e.kind, subject=e.subject, message=e.message, data=e.data) for e in events
    )
    return History(rollout=rollout, environment=environment, events=lines)


def render(history: History, style: Style, used: tuple[UsedJournal, ...] = ()) -> str:
    """Write the history. Ends without a line end; only JSON gives the data."""
    if style == "json":
        return as_json(with_journals(history, used))
    if not history.events:
        return "\n".join([plain(f"nothing is recorded of {history.environment}/{history.rollout}"), *told(used, style)])
    rows = [[e.at, e.kind, e.subject, e.message] for e in history.events]
    if style == "markdown":
        return "\n".join([*markdown_table([h.capitalize() for h in _HEAD], rows), *told(used, style)])
    return "\n".join([*table(_HEAD, rows), *told(used, style)])
