"""How status is reported: rows aligned, details below, every word safe, JSON as its schema says."""

from __future__ import annotations

from datetime import timedelta
from textwrap import dedent
from typing import get_args

import pytest

from otactl.model import Attempt, DeviceResult, Outcome, Reason, Record, Stage, WaveRecord
from otactl.report.status import Style, render
from otactl.report.status_summary import summarise
from otactl.report.wave_summary import wave_line
from tests.support.report_values import (
    GENERATION,
    HOSTILE,
    NOW,
    attempt,
    conditions,
    entry,
    record,
    result,
    stored,
    validated,
    verdict,
)

CANARY = WaveRecord(
    name="canary",
    attempts=(attempt(stage=Stage.ENDED, results=(result("1", Outcome.SUCCEEDED),)),),
    verdict=verdict(1, 1),
    verdict_generation=GENERATION,
    released=True,
)
FLEET = WaveRecord(
    name="fleet", attempts=(attempt(2, Stage.SCHEDULED, start_at=NOW + timedelta(minutes=35), members=("g1", "g2")),)
)
SOIL = record(CANARY, FLEET, requeue_at=NOW + timedelta(minutes=12), drift=(entry("redundancyPercent"),))
HOSTILE_RECORD = record(
    WaveRecord(name=HOSTILE, attempts=(attempt(results=(result(HOSTILE, Outcome.FAILED, Reason.UNKNOWN, HOSTILE),)),)),
    name=HOSTILE,
    environment=HOSTILE,
    version=HOSTILE,
    conditions=conditions("Held", HOSTILE),
)


def _render(*records: Record, style: Style = "text", device: str | None = None) -> str:
    return render(summarise(stored(*records), device), style, NOW)


def test_text_is_an_aligned_row_per_rollout_with_its_details_below() -> None:
    next_look = "2026-03-01T12:12:00Z (in 12m)"
    expected = dedent(f"""\
        ROLLOUT  ENVIRONMENT  VERSION  PHASE        WAVE   ATTEMPT  OK  FAILED  WAITING  DRIFT  NEXT RUN
        soil     prod-eu      2.4.1    Progressing  fleet        2   1       0        2      1  {next_look}
          wave canary passed: 100.0 % of 1 device, 95 % needed
          wave fleet attempt 2 is scheduled, starts 2026-03-01T12:35:00Z
          Ready no (Progressing), Reconciling yes (TargetIsNotReady), Stalled no
          TargetIsNotReady: waiting for the group
        environment prod-eu: no run is recorded yet""")
    assert _render(SOIL) == expected


@pytest.mark.parametrize(
    ("seconds", "reported"),
    [(-1, "due"), (0, "due"), (59, "in 59s"), (3599, "in 59m"), (86399, "in 23h"), (172800, "in 2d")],
)
def test_the_next_look_is_reported_relative_to_now(seconds: int, reported: str) -> None:
    assert f"({reported})" in _render(record(requeue_at=NOW + timedelta(seconds=seconds)))


def test_nothing_recorded_is_said_so() -> None:
    assert _render() == "no rollout is recorded"
    assert _render(SOIL, device="9").startswith("no rollout in this journal holds device 9")


def test_a_device_is_a_row_per_attempt() -> None:
    head, row = _render(SOIL, device="1").splitlines()
    assert head.split() == [
        "ROLLOUT",
        "ENVIRONMENT",
        "VERSION",
        "WAVE",
        "ATTEMPT",
        "STAGE",
        "OUTCOME",
        "REASON",
        "VIA",
        "ENDED",
    ]
    assert row.split() == ["soil", "prod-eu", "2.4.1", "canary", "1", "ended", "succeeded", "-", "-", "-"]


@pytest.mark.parametrize("device", [None, "1", "unknown", HOSTILE])
def test_json_is_what_its_schema_says(device: str | None) -> None:
    validated(_render(SOIL, record(name="new"), HOSTILE_RECORD, style="json", device=device), "status")


@pytest.mark.parametrize("style", get_args(Style))
@pytest.mark.parametrize("device", [None, HOSTILE, HOSTILE + "?"])
def test_nothing_a_service_named_acts_on_the_terminal(style: Style, device: str | None) -> None:
    shown = _render(HOSTILE_RECORD, style=style, device=device)
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)
    assert "soil" in shown


def test_markdown_is_a_table_whose_cells_are_neither_markup_nor_mentions() -> None:
    shown = _render(HOSTILE_RECORD, style="markdown")
    head, rule, row = shown.splitlines()[:3]
    assert head.count("|") == rule.count("|") == row.replace("\\|", "").count("|")
    assert "@acme" not in shown
    assert "<b>" not in shown.replace("\\<b\\>", "")


def test_markdown_tells_the_details_too() -> None:
    shown = _render(SOIL, style="markdown")
    assert "- wave canary passed: 100.0 % of 1 device, 95 % needed" in shown.splitlines()


def test_devices_a_suspension_took_back_wait_and_have_not_failed() -> None:
    results = (
        DeviceResult(device="a", outcome=Outcome.SUCCEEDED),
        DeviceResult(device="b", outcome=Outcome.FAILED, reason=Reason.CANCELED),
    )
    attempt = Attempt(
        number=1,
        generation="g",
        unit_id="u",
        stage=Stage.ENDED,
        vendor_id="v",
        results=results,
        canceled_by_us=True,
        withdrawn=True,
    )

    line = wave_line(WaveRecord(name="w", attempts=(attempt,)), "g")

    assert (line.devices.succeeded, line.devices.failed, line.devices.waiting) == (1, 0, 1)
    assert line.failures == ()
