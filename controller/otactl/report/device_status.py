"""Renders what a service reports of one device, and the rollout that owns each task.

1. A batch is ours because our journal remembers its id. Where a create of ours has no answer yet, a batch it may have
   made is reported as perhaps ours: calling it another actor's would be a guess.
2. What was not read is None, never an empty list: nothing to do and not known are two answers.
3. An upgrade that is not listed has ended, or was not asked for; that it succeeded nothing here says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta

from otactl.model import Attempt, Record, Value, WaveRecord, iso_or_none
from otactl.model.device_tasks import UnfinishedTask
from otactl.ports import Stored
from otactl.report.sanitize import cell, markdown_table, plain
from otactl.report.tables import row_lines
from otactl.wording import count, span

_HEAD = ("STATUS", "MODULE", "FROM", "TO", "SINCE", "MOVED", "WHOSE")
_IDS = ("batch", "task", "firmware")
ENDED = "an upgrade that is not listed has ended: its result is in the batch, or in the reported version"


class OwnerLine(Value, frozen=True, kw_only=True):
    """Whose a task is: the attempt whose batch it belongs to; `certain` is False for one without an answer (rule 1)."""

    rollout: Annotated[str, Meta(description="Name of the rollout.", examples=["plug"])]
    environment: Annotated[str, Meta(description="Environment of the rollout.", examples=["prod-eu"])]
    wave: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    attempt: Annotated[int, Meta(description="Number of the attempt, from 1.", ge=1, examples=[1])]
    certain: Annotated[
        bool,
        Meta(
            description="False when a create of the attempt has no answer yet and may have made this batch.",
            examples=[True],
        ),
    ]


class TaskLine(Value, frozen=True, kw_only=True):
    """One unfinished task; `owner` None when no rollout of the journal knows its batch."""

    status: Annotated[
        str,
        Meta(
            description=(
                "toConfirm: waits for a confirmation. queued: waits for the device to come online, or for its"
                " turn. notified: sent to the device. inProgress: the device reports progress. unknown: a "
                "status this version does not know."
            ),
            examples=["queued"],
            extra_json_schema={"enum": ["toConfirm", "queued", "notified", "inProgress", "unknown"]},
        ),
    ]
    module: Annotated[str, Meta(description="Module of the device that is upgraded.", examples=["default"])]
    from_version: Annotated[
        str | None, Meta(description="Version before; null when the service does not report it.", examples=["2.4.0"])
    ]
    to_version: Annotated[
        str | None,
        Meta(description="Version it is to become; null when the service does not report it.", examples=["2.4.1"]),
    ]
    batch_id: Annotated[
        str, Meta(description="The service's id of the batch the task belongs to.", examples=["183634077921266001"])
    ]
    task_id: Annotated[str, Meta(description="The service's id of the task.", examples=["183634077921266002"])]
    firmware_id: Annotated[str, Meta(description="The service's id of the firmware package.", examples=["1001"])]
    device_id: Annotated[
        str | None,
        Meta(
            description="The service's id of the device; null where the task does not show it.",
            examples=["Q7uOhVRdZRRlDnTLv00100"],
        ),
    ]
    product_name: Annotated[
        str | None,
        Meta(
            description="What the service calls the product; null where the task does not show it.",
            examples=["smart plug"],
        ),
    ]
    created_at: Annotated[
        str | None,
        Meta(
            description="When the task was made, in UTC; null when the service does not report it.",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    moved_at: Annotated[
        str | None,
        Meta(
            description="When it last changed, in UTC; null when the service does not report it.",
            examples=["2026-11-20T09:00:00Z"],
        ),
    ]
    owner: Annotated[
        OwnerLine | None,
        Meta(description="The rollout whose batch it is; null when no rollout of this journal knows the batch."),
    ]


class LiveLine(Value, frozen=True, kw_only=True):
    """One service's answer about a device of one product; `module` and `statuses` are the filters it was asked with.

    `at` is the service's time; it, `tasks` and `versions` (by module) are None when not reported, and `error` says why.
    """

    service: Annotated[str, Meta(description="Which service it is.", examples=["tuya"])]
    environment: Annotated[str, Meta(description="The environment whose gateway was asked.", examples=["prod-eu"])]
    product: Annotated[
        str,
        Meta(
            description="Key of the product the device belongs to; empty if it was asked for by its id.",
            examples=["a1b2c3d4e5"],
        ),
    ]
    device: Annotated[
        str, Meta(description="The device's name in that product, or its id at the service.", examples=["plug-1"])
    ]
    module: Annotated[str | None, Meta(description="The module that was asked for; null for all.", examples=[None])]
    statuses: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"enum": ["toConfirm", "queued", "notified", "inProgress"]})], ...],
        Meta(description="The statuses that were asked for; none for all.", examples=[["queued"]]),
    ]
    at: Annotated[
        str | None,
        Meta(description="The service's time at its answer; null without one.", examples=["2026-11-20T11:00:00Z"]),
    ] = None
    tasks: Annotated[
        tuple[TaskLine, ...] | None,
        Meta(
            description=(
                "The unfinished upgrade tasks asked for, the oldest first. Null when they are not known, for "
                "error. A task that is not listed has ended, or was not asked for."
            )
        ),
    ] = None
    versions: Annotated[
        dict[str, str] | None,
        Meta(
            description=(
                "The version of each module (or the one asked for), as the device last reported it. Null when"
                " not known, for error."
            ),
            examples=[{"default": "2.4.0"}],
        ),
    ] = None
    error: Annotated[
        str,
        Meta(
            description="Why the service reported less than was asked for; empty when it reported all.", examples=[""]
        ),
    ] = ""


class Owners:
    """Finds the owner of a batch in the records of one environment."""

    def __init__(self, stored: Iterable[Stored], device: str) -> None:
        records = tuple(s.record for s in stored)
        self._by_batch = {
            batch: _owner(record, wave, attempt)
            for record, wave, attempt in _attempts(records)
            for batch in attempt.vendor_ids
        }
        self._unanswered = [
            (record.version, _owner(record, wave, attempt, certain=False))
            for record, wave, attempt in _attempts(records)
            if any(i.creates and i.unit_id == attempt.unit_id for i in record.intents)
            and _may_hold(wave, attempt, device)
        ]

    def of(self, task: UnfinishedTask) -> OwnerLine | None:
        """Return whose a task is; None when it is not ours."""
        known = self._by_batch.get(task.batch_id)
        return known or next((owner for version, owner in self._unanswered if version == task.to_version), None)


def task_line(task: UnfinishedTask, owners: Owners) -> TaskLine:
    """Return a task with its owner, its times as every report writes them."""
    return TaskLine(
        status=task.status,
        module=task.module,
        from_version=task.from_version or None,
        to_version=task.to_version or None,
        batch_id=task.batch_id,
        task_id=task.task_id,
        firmware_id=task.firmware_id,
        device_id=task.device_id or None,
        product_name=task.product_name or None,
        created_at=iso_or_none(task.created_at),
        moved_at=iso_or_none(task.moved_at),
        owner=owners.of(task),
    )


def _called(live: LiveLine) -> str:
    """Return the product's name and the service's own id of the device, as far as its tasks show them."""
    names = {t.product_name for t in live.tasks or () if t.product_name}
    ids = {t.device_id for t in live.tasks or () if t.device_id}
    return ", ".join([*(f"product {n}" for n in sorted(names)), *(f"device id {i}" for i in sorted(ids))])


def lines(live: LiveLine, style: Literal["text", "markdown"], width: int | None = None) -> list[str]:
    """Return one answer: a heading, the tasks, the versions; as text to fit a terminal's width."""
    markdown = style == "markdown"
    safe = cell if markdown else plain
    product = f", product {live.product}" if live.product else ""
    heading = f"{live.service}{product}, environment {live.environment}"
    block = [safe(f"{heading}: {_sum(live)}")]
    if live.tasks:
        block += _table(live.tasks, live.at) if markdown else _rows(live.tasks, live.at, width)
    elif live.tasks is not None and live.module is None and not live.statuses:
        block += ["", safe(ENDED)] if markdown else [f"  {ENDED}"]
    if called := _called(live):
        block += [*([""] if markdown else []), safe(f"at its service: {called}")]
    if live.versions is not None:
        block += [*([""] if markdown else []), safe(f"reported versions{_of_module(live)}: {_versions(live.versions)}")]
    return block


def _sum(live: LiveLine) -> str:
    if live.tasks is None:
        return "could not be read, so what is unfinished there is not known"
    asked = f"{_of_module(live)}{' in status ' + ' or '.join(live.statuses) if live.statuses else ''}"
    if live.tasks:
        return f"{count(len(live.tasks), 'unfinished task')}{asked}"
    return f"no unfinished task{asked}" + ("; others were not asked for" if asked else "")


def _of_module(live: LiveLine) -> str:
    return f" of module {live.module}" if live.module is not None else ""


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{module} {version}" for module, version in versions.items()) or "none yet"


def _rows(tasks: Sequence[TaskLine], at: str | None, width: int | None) -> list[str]:
    """Return a row each, and its ids below: three of up to 19 digits leave no terminal room for more beside them."""
    cells = [_cells(task, at) for task in tasks]
    head, *rows = row_lines(_HEAD, cells, sentences=frozenset({6}), width=width)
    below = [plain("  " + ", ".join(f"{n} {i}" for n, i in zip(_IDS, _ids(t), strict=True))) for t in tasks]
    return [*head, *(line for row, ids in zip(rows, below, strict=True) for line in (*row, ids))]


def _table(tasks: Sequence[TaskLine], at: str | None) -> list[str]:
    head = [h.capitalize() for h in (*_HEAD, *_IDS)]
    return ["", *markdown_table(head, [(*_cells(task, at), *_ids(task)) for task in tasks])]


def _cells(task: TaskLine, at: str | None) -> tuple[str, ...]:
    versions = (task.from_version or "-", task.to_version or "-")
    times = (_moment(task.created_at, at), _moment(task.moved_at, at))
    return (task.status, task.module, *versions, *times, _whose(task.owner))


def _ids(task: TaskLine) -> tuple[str, str, str]:
    return task.batch_id, task.task_id, task.firmware_id


def _moment(moment: str | None, at: str | None) -> str:
    if moment is None or at is None:
        return moment or "-"
    return f"{moment} ({span(max(datetime.fromisoformat(at) - datetime.fromisoformat(moment), timedelta()))} ago)"


def _whose(owner: OwnerLine | None) -> str:
    if owner is None:
        return "not ours"
    text = f"{owner.rollout}, wave {owner.wave}, attempt {owner.attempt}"
    return text if owner.certain else f"perhaps {text} (its create has no answer yet)"


def _attempts(records: Iterable[Record]) -> list[tuple[Record, WaveRecord, Attempt]]:
    return [(record, wave, attempt) for record in records for wave in record.waves for attempt in wave.attempts]


def _owner(record: Record, wave: WaveRecord, attempt: Attempt, *, certain: bool = True) -> OwnerLine:
    return OwnerLine(
        rollout=record.name, environment=record.environment, wave=wave.name, attempt=attempt.number, certain=certain
    )


def _may_hold(wave: WaveRecord, attempt: Attempt, device: str) -> bool:
    """Return whether a device may be in an attempt; one without names (a whole product) may hold any device."""
    named = {*wave.members, *attempt.members, *attempt.targets}
    return not named or f"device:{device}" in named
