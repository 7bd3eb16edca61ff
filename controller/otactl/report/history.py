"""Renders the events of one rollout, oldest first."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from otactl.model import Event, JsonObject, Value, iso
from otactl.report.journals_used import UsedJournal, footer, with_journals
from otactl.report.sanitize import as_json, markdown_table, plain
from otactl.report.status import Style
from otactl.report.tables import table

_HEAD = ("AT", "KIND", "SUBJECT", "MESSAGE")


class EventLine(Value, frozen=True, kw_only=True):
    """One event; `data` is for machines."""

    at: Annotated[
        str,
        Meta(
            description="When it was seen or done.",
            pattern="^[0-9-]{10}T[0-9:]{8}Z$",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    kind: Annotated[str, Meta(description="What sort of event, one word.", examples=["stage"])]
    subject: Annotated[
        str,
        Meta(description="What it is about: a unit, a wave, the rollout.", examples=["soil-probe-canary-1-0a1b2c3d"]),
    ]
    message: Annotated[str, Meta(description="What happened, in words.", examples=["attempt 1 is open"])]
    data: Annotated[JsonObject, Meta(description="Further facts, by kind.", examples=[{"from": "declared"}])]
    actor: Annotated[
        str, Meta(description="Who ran what recorded it, as that run said; empty if not known.", examples=["ada"])
    ] = ""
    commit: Annotated[
        str,
        Meta(
            description="The commit of the manifests then; empty if not known.",
            examples=["5d41402abc4b2a76b9719d911017c592a1b2c3d4"],
        ),
    ] = ""

    @property
    def by(self) -> str:
        """Return the author, short."""
        commit, dirty, _ = self.commit.partition("-dirty")
        return " ".join(each for each in (self.actor, commit[:8] + dirty) if each)


class History(Value, frozen=True, kw_only=True):
    """All that `history` shows."""

    rollout: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    events: Annotated[tuple[EventLine, ...], Meta(description="One entry per event, in the order they were recorded.")]


def collect(environment: str, rollout: str, events: tuple[Event, ...]) -> History:
    """Gather a rollout's events in the order they were committed."""
    lines = tuple(
        EventLine(
            at=iso(e.at), kind=e.kind, subject=e.subject, message=e.message, data=e.data, actor=e.actor, commit=e.commit
        )
        for e in events
    )
    return History(rollout=rollout, environment=environment, events=lines)


def render(history: History, style: Style, used: tuple[UsedJournal, ...] = (), width: int | None = None) -> str:
    """Write the history, as text to fit a terminal's width. Ends without a line end; only JSON gives the data."""
    if style == "json":
        return as_json(with_journals(history, used))
    if not history.events:
        return "\n".join(
            [plain(f"nothing is recorded of {history.environment}/{history.rollout}"), *footer(used, style)]
        )
    named = any(e.by for e in history.events)
    head = (*_HEAD, "BY") if named else _HEAD
    rows = [[e.at, e.kind, e.subject, e.message, *([e.by or "-"] if named else [])] for e in history.events]
    if style == "markdown":
        return "\n".join([*markdown_table([h.capitalize() for h in head], rows), *footer(used, style)])
    return "\n".join([*table(head, rows, sentences=frozenset({3}), width=width), *footer(used, style)])
