"""Renders the drift ledger: the difference, its age, its manifest, and the action.

1. Open is what has not closed, acknowledged drift included; closed drift is never dropped.
2. Acknowledged drift needs no action: `drift` does not exit 2 for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from otactl.model import DriftEntry, DriftStatus, Json, Record, Value, iso, iso_or_none
from otactl.report.journals_used import UsedJournal, told, with_journals
from otactl.report.sanitize import as_json, markdown_table, short_json, table
from otactl.report.status import Style

_HEAD = (
    "ROLLOUT",
    "ENVIRONMENT",
    "SUBJECT",
    "FIELD",
    "DECLARED",
    "OBSERVED",
    "CAUSE",
    "FIRST SEEN",
    "LAST SEEN",
    "STATUS",
)
_WIDEST = 48
COMMAND = "to delete it: "


class DriftLine(Value, frozen=True, kw_only=True):
    """One drift of one rollout; `manifest` is the digest of the manifest it was seen against.

    `service_id` is what its service calls the unit it is of.
    """

    rollout: str
    environment: str
    subject: str
    service_id: str | None
    field: str
    desired: Json
    observed: Json
    cause: str
    first_seen: str
    last_seen: str
    status: str
    action: str
    manifest: str
    closed_at: str | None
    closed_by: str


class Ledger(Value, frozen=True, kw_only=True):
    """All that `drift` shows, by environment, rollout and first sight."""

    open: tuple[DriftLine, ...]
    closed: tuple[DriftLine, ...]

    @property
    def pending(self) -> tuple[DriftLine, ...]:
        """Open drift another actor or something still has to deal with (rule 2)."""
        return tuple(line for line in self.open if line.status != DriftStatus.ACKNOWLEDGED.value)


def collect(records: Iterable[Record]) -> Ledger:
    """Gather the drift of many rollouts."""
    entries = [(record, entry) for record in records for entry in record.drift]
    entries.sort(key=lambda e: (e[0].environment, e[0].name, e[1].first_seen, e[1].subject, e[1].field))
    return Ledger(
        open=tuple(_line(r, e) for r, e in entries if e.open),
        closed=tuple(_line(r, e) for r, e in entries if not e.open),
    )


def _line(record: Record, entry: DriftEntry) -> DriftLine:
    return DriftLine(
        rollout=record.name,
        environment=record.environment,
        subject=entry.subject,
        service_id=next(
            (a.vendor_id for a in record.attempts if entry.subject in (a.unit_id, *a.previous_unit_ids)), None
        ),
        field=entry.field,
        desired=entry.desired,
        observed=entry.observed,
        cause=entry.cause.value,
        first_seen=iso(entry.first_seen),
        last_seen=iso(entry.last_seen),
        status=entry.status.value,
        action=entry.action,
        manifest=entry.manifest,
        closed_at=iso_or_none(entry.closed_at),
        closed_by=entry.closed_by,
    )


def render(ledger: Ledger, style: Style, used: tuple[UsedJournal, ...] = ()) -> str:
    """Write the ledger. Ends without a line end; only JSON gives long values whole, and text those with a command."""
    if style == "json":
        return as_json(with_journals(ledger, used))
    if not ledger.open and not ledger.closed:
        return "\n".join(["no drift is recorded", *told(used, style)])
    blocks = [
        _block("open", ledger.open, (*_HEAD, "ACTION"), [[*_row(e), e.action or "-"] for e in ledger.open], style),
        _block(
            "closed",
            ledger.closed,
            (*_HEAD, "CLOSED", "BY"),
            [[*_row(e), e.closed_at or "-", e.closed_by or "-"] for e in ledger.closed],
            style,
        ),
    ]
    return "\n".join(["\n\n".join(blocks), *told(used, style)])


def _block(name: str, lines: tuple[DriftLine, ...], head: tuple[str, ...], rows: list[list[str]], style: Style) -> str:
    title = f"{len(lines)} {name}"
    if style == "markdown":
        body = ["", *markdown_table([h.capitalize() for h in head], rows)] if rows else []
        return "\n".join([f"### {title}", *body])
    return "\n".join([title, *table(head, rows)]) if rows else title


def _row(line: DriftLine) -> list[str]:
    return [
        line.rollout,
        line.environment,
        line.subject,
        line.field,
        _short(line.desired),
        _short(line.observed),
        line.cause,
        line.first_seen,
        line.last_seen,
        line.status,
    ]


def _short(value: Json) -> str:
    """Return a value as wide as a column takes; one with a command that a person is to copy stays whole."""
    text = short_json(value)
    return text if len(text) <= _WIDEST or COMMAND in text else f"{text[: _WIDEST - 1]}…"
