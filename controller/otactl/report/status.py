"""Renders the status of rollouts: one row each, and details below."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from otactl.report import device_status
from otactl.report.conditions import environment_text, receiver_text, stands_text
from otactl.report.journals_used import UsedJournal, footer, with_journals
from otactl.report.sanitize import as_json, cell, markdown_table, plain
from otactl.report.status_summary import DeviceStatus, RolloutLine, StatusReport
from otactl.report.tables import table
from otactl.report.wave_summary import WaveLine
from otactl.verdicts.gate import UNDECIDED
from otactl.wording import count, span

Style = Literal["text", "json", "markdown"]
_HEAD = (
    "ROLLOUT",
    "ENVIRONMENT",
    "VERSION",
    "PHASE",
    "WAVE",
    "ATTEMPT",
    "OK",
    "FAILED",
    "WAITING",
    "DRIFT",
    "NEXT RUN",
)
SHOWN_FAILURES = 20
_NUMBERS = frozenset({5, 6, 7, 8, 9})
_DEVICE_HEAD = ("ROLLOUT", "ENVIRONMENT", "VERSION", "WAVE", "ATTEMPT", "STAGE", "OUTCOME", "REASON", "VIA", "ENDED")


def render(
    report: StatusReport, style: Style, now: datetime, used: tuple[UsedJournal, ...] = (), width: int | None = None
) -> str:
    """Write the report, as text to fit a terminal's width; `now` is only for the time of the next run ("in 12m").

    Ends without a line end.
    """
    if style == "json":
        return as_json(with_journals(report, used))
    return "\n".join([_text(report, style, now, width), *footer(used, style)])


def _text(report: StatusReport, style: Literal["text", "markdown"], now: datetime, width: int | None) -> str:
    if report.device is not None:
        lines = [_device(report.device, style)]
        for answer in report.device.live:
            lines += ["", *device_status.lines(answer, style, width)]
        return "\n".join(lines)
    environments = [
        line for e in report.environments for line in (environment_text(e), *(receiver_text(r) for r in e.receivers))
    ]
    if not report.rollouts:
        below = _bullets(environments) if style == "markdown" else [plain(line) for line in environments]
        return "\n".join(["no rollout is recorded", *below])
    rows = [_row(r, now) for r in report.rollouts]
    if style == "markdown":
        details = [
            line for r in report.rollouts for line in ("", f"**{cell(_name(r))}**", "", *_bullets(_details(r, now)))
        ]
        return "\n".join(
            [*markdown_table([h.capitalize() for h in _HEAD], rows), *details, "", *_bullets(environments)]
        )
    head, *lines = table(_HEAD, rows, numbers=_NUMBERS)
    shown = [head]
    for line, rollout in zip(lines, report.rollouts, strict=True):
        shown += [line, *(f"  {plain(detail)}" for detail in _details(rollout, now))]
    return "\n".join([*shown, *(plain(line) for line in environments)])


def _row(rollout: RolloutLine, now: datetime) -> list[str]:
    devices = rollout.devices
    return [
        rollout.name,
        rollout.environment,
        rollout.version or "-",
        rollout.phase,
        rollout.wave or "-",
        str(rollout.attempt or "-"),
        str(devices.succeeded),
        str(devices.failed),
        str(devices.waiting),
        str(rollout.open_drift),
        _next_look(rollout.requeue_at, now),
    ]


def _details(rollout: RolloutLine, now: datetime) -> list[str]:
    lines = [line for w in rollout.waves for line in (_wave(w, now), *_named(w), *_failed(w))]
    lines += stands_text(rollout.conditions, rollout.holds, rollout.failure)
    if rollout.devices.unknown:
        lines.append(f"{rollout.devices.unknown} device results are unknown to this version")
    if rollout.acknowledged_drift:
        lines.append(f"{rollout.acknowledged_drift} drift entries are acknowledged by the manifest")
    if rollout.intents:
        calls = count(rollout.intents, "call has", "calls have")
        lines.append(f"{calls} no outcome yet; the next pass reads the result")
    return lines


def _wave(wave: WaveLine, now: datetime) -> str:
    where = f"wave {wave.name}"
    if wave.verdict is not None:
        v = wave.verdict
        word = "passed" if v.passed else "is not decided" if v.reason in UNDECIDED else "failed"
        soaks = " and is not released yet" if v.passed and v.current and not v.released else ""
        old = "" if v.current else ", for content declared earlier"
        silent = f", {v.unanswered} without an answer" if v.unanswered else ""
        judged = f"{v.percent:.1f} % of {count(v.total, 'device')}, {v.needed_percent:g} % needed{silent}{old}"
        return f"{where} {word}{soaks}: {judged}"
    if wave.stage is None:
        return f"{where} has not started"
    start = ""
    if wave.start_at is not None and wave.stage == "scheduled":
        start = f", {'starts' if datetime.fromisoformat(wave.start_at) > now else 'started'} {wave.start_at}"
    counts = ", ".join(f"{n} {name}" for name, n in wave.progress.items() if n)
    return f"{where} attempt {wave.attempt} is {wave.stage}{start}{f': {counts}' if counts else ''}"


def _named(wave: WaveLine) -> list[str]:
    """Return how its service calls the unit of a wave, while there is one to be found there."""
    if wave.service_id is None or wave.stage in ("deleted", "superseded", "lost"):
        return []
    names = [("id", ", ".join(wave.parts) or wave.service_id), ("job", wave.job_id), ("ARN", wave.arn)]
    return ["  at its service: " + ", ".join(f"{word} {name}" for word, name in names if name)]


def _failed(wave: WaveLine) -> list[str]:
    """Return each failed device with its reason, up to `SHOWN_FAILURES`."""
    shown = [
        f"  {f.name or f.device}: {f.reason}{f' ({f.detail})' if f.detail else ''}"
        for f in wave.failures[:SHOWN_FAILURES]
    ]
    left = len(wave.failures) - SHOWN_FAILURES
    return [*shown, f"  and {left} more (-o json shows all)"] if left > 0 else shown


def _next_look(requeue_at: str | None, now: datetime) -> str:
    if requeue_at is None:
        return "-"
    left = datetime.fromisoformat(requeue_at) - now
    return f"{requeue_at} ({'due' if left <= timedelta() else 'in ' + span(left)})"


def _device(device: DeviceStatus, style: Style) -> str:
    if not device.results:
        name = cell(device.id) if style == "markdown" else plain(device.id)
        return f"no rollout in this journal holds device {name} by name, nor has a result of it"
    rows = [
        [
            r.rollout,
            r.environment,
            r.version or "-",
            r.wave,
            str(r.attempt),
            r.stage,
            r.outcome,
            r.reason or "-",
            r.via or "-",
            r.ended_at or "-",
        ]
        for r in device.results
    ]
    if style == "markdown":
        return "\n".join(markdown_table([h.capitalize() for h in _DEVICE_HEAD], rows))
    return "\n".join(table(_DEVICE_HEAD, rows, numbers=frozenset({4})))


def _name(rollout: RolloutLine) -> str:
    return f"{rollout.environment}/{rollout.name}"


def _bullets(lines: list[str]) -> list[str]:
    return [f"- {cell(line)}" for line in lines]
