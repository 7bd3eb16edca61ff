"""Renders the drift ledger: the difference, its age, its manifest, and the action.

1. Open is what has not closed, acknowledged drift included; closed drift is never dropped.
2. Acknowledged drift needs no action: `drift` does not exit 2 for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from otactl.model import DriftEntry, DriftStatus, Json, Record, Value, iso, iso_or_none
from otactl.report.journals_used import UsedJournal, footer, with_journals
from otactl.report.sanitize import as_json, markdown_table, short_json
from otactl.report.status import Style
from otactl.report.tables import TO_REMOVE, table

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
    "COMMIT",
)
_WIDEST = 48
_NO_ONE: Mapping[tuple[str, ...], str] = MappingProxyType({})
_SENTENCES = frozenset({4, 5, 11, 12})
"""Values may hold sentences; so do what is done and who closed it."""


class DriftLine(Value, frozen=True, kw_only=True):
    """One drift of one rollout; `manifest` is the digest of the manifest it was seen against.

    `service_id` is what its service calls the unit it is of.
    """

    rollout: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    subject: Annotated[
        str,
        Meta(
            description="What differs: a unit by our id, an image, a role.", examples=["soil-probe-canary-1-0a1b2c3d"]
        ),
    ]
    service_id: Annotated[
        str | None, Meta(description="What the service calls the unit that the drift is of.", examples=["b2e1f0aa"])
    ]
    field: Annotated[
        str, Meta(description="Which field of it, as the manifest names it.", examples=["redundancyPercent"])
    ]
    desired: Annotated[Json, Meta(description="Value declared, any JSON; null where nothing is.", examples=[12])]
    observed: Annotated[Json, Meta(description="Value seen last, any JSON; null where nothing is.", examples=[30])]
    cause: Annotated[
        str,
        Meta(
            description="How it came about.",
            examples=["out-of-band edit"],
            extra_json_schema={
                "enum": [
                    "out-of-band edit",
                    "deleted",
                    "foreign",
                    "orphan",
                    "image bytes",
                    "role",
                    "version",
                    "membership",
                    "declared late",
                    "vendor",
                ]
            },
        ),
    ]
    first_seen: Annotated[
        str,
        Meta(
            description="When it was seen first.", pattern="^[0-9-]{10}T[0-9:]{8}Z$", examples=["2026-11-20T09:00:00Z"]
        ),
    ]
    last_seen: Annotated[
        str,
        Meta(
            description="When it was seen last; refreshed at most once an hour while nothing changes.",
            pattern="^[0-9-]{10}T[0-9:]{8}Z$",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    status: Annotated[
        str,
        Meta(
            description=(
                "What is being done: waiting, impossible to set back, or acknowledged; then corrected by "
                "otactl, or closed otherwise."
            ),
            examples=["waiting"],
            extra_json_schema={"enum": ["waiting", "corrected", "impossible", "acknowledged", "closed"]},
        ),
    ]
    action: Annotated[str, Meta(description="What was done or will be, in words.", examples=["to be corrected"])]
    manifest: Annotated[
        str,
        Meta(
            description="sha256 of the manifest it was seen against.",
            examples=["9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"],
        ),
    ]
    commit: Annotated[
        str,
        Meta(
            description="The commit of the manifests when it was first seen; empty if not known.",
            examples=["5d41402abc4b2a76b9719d911017c592a1b2c3d4"],
        ),
    ]
    changed_by: Annotated[
        str | None,
        Meta(
            description="Who last wrote to the unit before that, by the audit log; null if not asked or found.",
            examples=["arn:aws:sts::123456789012:assumed-role/oncall/ada (UpdateFuotaTask, 2026-11-20T08:58:00Z)"],
        ),
    ]
    closed_at: Annotated[
        str | None,
        Meta(
            description="When it was seen to be closed; null while it is open.",
            examples=["2026-11-20T09:00:00Z"],
            extra_json_schema={"pattern": "^[0-9-]{10}T[0-9:]{8}Z$"},
        ),
    ]
    closed_by: Annotated[str, Meta(description="Who or what ended it; empty while it is open.", examples=["otactl"])]


class Ledger(Value, frozen=True, kw_only=True):
    """All that `drift` shows, by environment, rollout and first sight."""

    open: Annotated[
        tuple[DriftLine, ...],
        Meta(
            description=(
                "Differences that are still there, acknowledged ones included; by environment, rollout and first sight."
            )
        ),
    ]
    closed: Annotated[tuple[DriftLine, ...], Meta(description="Differences that are closed; none is ever dropped.")]

    @property
    def pending(self) -> tuple[DriftLine, ...]:
        """Open drift another actor or something still has to deal with (rule 2)."""
        return tuple(line for line in self.open if line.status != DriftStatus.ACKNOWLEDGED.value)


def collect(records: Iterable[Record], authors: Mapping[tuple[str, ...], str] = _NO_ONE) -> Ledger:
    """Gather the drift of many rollouts; `authors` says who made a change, by the name of its drift (`drift_key`)."""
    entries = [(record, entry) for record in records for entry in record.drift]
    entries.sort(key=lambda e: (e[0].environment, e[0].name, e[1].first_seen, e[1].subject, e[1].field))
    return Ledger(
        open=tuple(_line(r, e, authors) for r, e in entries if e.open),
        closed=tuple(_line(r, e, authors) for r, e in entries if not e.open),
    )


def drift_key(record: Record, entry: DriftEntry) -> tuple[str, ...]:
    """Name one drift of one rollout."""
    return record.environment, record.name, entry.subject, entry.field, iso(entry.first_seen)


def _line(record: Record, entry: DriftEntry, authors: Mapping[tuple[str, ...], str]) -> DriftLine:
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
        commit=entry.commit,
        changed_by=authors.get(drift_key(record, entry)),
        closed_at=iso_or_none(entry.closed_at),
        closed_by=entry.closed_by,
    )


def render(ledger: Ledger, style: Style, used: tuple[UsedJournal, ...] = (), width: int | None = None) -> str:
    """Write the ledger, as text to fit a terminal's width. Ends without a line end.

    Only JSON gives long values whole, and text those with a command.
    """
    if style == "json":
        return as_json(with_journals(ledger, used))
    if not ledger.open and not ledger.closed:
        return "\n".join(["no drift is recorded", *footer(used, style)])
    who = any(e.changed_by for e in (*ledger.open, *ledger.closed))
    last = ("CHANGED BY",) if who else ()

    def by(line: DriftLine) -> list[str]:
        return [line.changed_by or "-"] if who else []

    opened = [[*_row(e), e.action or "-", *by(e)] for e in ledger.open]
    closed = [[*_row(e), e.closed_at or "-", e.closed_by or "-", *by(e)] for e in ledger.closed]
    blocks = [
        _block("open", ledger.open, (*_HEAD, "ACTION", *last), opened, style, width),
        _block("closed", ledger.closed, (*_HEAD, "CLOSED", "BY", *last), closed, style, width),
    ]
    return "\n".join(["\n\n".join(blocks), *footer(used, style)])


def _block(
    name: str,
    lines: tuple[DriftLine, ...],
    head: tuple[str, ...],
    rows: list[list[str]],
    style: Style,
    width: int | None,
) -> str:
    title = f"{len(lines)} {name}"
    if style == "markdown":
        body = ["", *markdown_table([h.capitalize() for h in head], rows)] if rows else []
        return "\n".join([f"### {title}", *body])
    return "\n".join([title, *table(head, rows, sentences=_SENTENCES, width=width)]) if rows else title


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
        line.commit[:8] or "-",
    ]


def _short(value: Json) -> str:
    """Return a value as wide as a column takes; one with a command that a person is to copy stays whole."""
    text = short_json(value)
    return text if len(text) <= _WIDEST or TO_REMOVE in text else f"{text[: _WIDEST - 1]}…"
