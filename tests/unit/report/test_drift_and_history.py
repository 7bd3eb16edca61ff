"""How the ledger and the history are reported, from the same values in text, Markdown and JSON."""

from __future__ import annotations

from textwrap import dedent
from typing import get_args

import msgspec
import pytest

from otactl.model import Cause, DriftStatus, Event, Json
from otactl.report import drift, history
from otactl.report.status import Style
from tests.support.report_values import HOSTILE, NOW, entry, record, validated

LEDGER = drift.collect([record(drift=(entry("tags", DriftStatus.CORRECTED, closed=True), entry("redundancyPercent")))])
ACKNOWLEDGED = entry("description", DriftStatus.ACKNOWLEDGED)
EVENTS = (
    Event(at=NOW, kind="stage", subject="soil-canary-1", message="attempt 1 is open", data={"from": "declared"}),
    Event(at=NOW, kind="verdict", subject="canary", message="wave canary passed"),
)


def test_drift_text_lists_open_before_closed() -> None:
    lines = [line.rstrip() for line in drift.render(LEDGER, "text").splitlines()]
    assert lines[0] == "1 open"
    assert lines[1].split("  ")[0] == "ROLLOUT"
    assert "redundancyPercent" in lines[2]
    assert lines[4] == "1 closed"
    assert lines[6].endswith("2026-03-01T12:00:00Z  otactl")
    assert lines[6].split("corrected")[1].split()[0] == "-"


def test_an_empty_ledger_is_said_so() -> None:
    assert drift.render(drift.collect([record()]), "text") == "no drift is recorded"


def test_long_values_are_cut_in_text_and_whole_in_json() -> None:
    long = msgspec.structs.replace(entry("tags"), observed="x" * 200)
    ledger = drift.collect([record(drift=(long,))])
    assert "x" * 60 not in drift.render(ledger, "text")
    assert "x" * 200 in drift.render(ledger, "json")


@pytest.mark.parametrize(
    ("status", "closed", "pending"),
    [
        (DriftStatus.WAITING, False, 1),
        (DriftStatus.IMPOSSIBLE, False, 1),
        (DriftStatus.ACKNOWLEDGED, False, 0),
        (DriftStatus.CORRECTED, True, 0),
        (DriftStatus.CLOSED, True, 0),
    ],
)
def test_only_open_drift_no_one_acknowledged_is_pending(status: DriftStatus, closed: bool, pending: int) -> None:
    ledger = drift.collect([record(drift=(entry("tags", status, closed),))])
    assert len(ledger.pending) == pending
    assert len(ledger.open) + len(ledger.closed) == 1


@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("value", [None, True, 0, 1.5, "", "x", [1, {"a": None}], {"k": "v"}])
def test_drift_json_is_what_its_schema_says(cause: Cause, value: Json) -> None:
    changed = msgspec.structs.replace(entry("f"), cause=cause, desired=value, observed=value)
    document = validated(
        drift.render(drift.collect([record(drift=(changed, ACKNOWLEDGED, entry("c", closed=True)))]), "json"), "drift"
    )
    assert isinstance(document, dict)
    assert [len(document["open"]), len(document["closed"])] == [2, 1]


def test_history_text_is_aligned_and_in_order() -> None:
    expected = dedent("""\
        AT                    KIND     SUBJECT        MESSAGE
        2026-03-01T12:00:00Z  stage    soil-canary-1  attempt 1 is open
        2026-03-01T12:00:00Z  verdict  canary         wave canary passed""")
    assert history.render(history.collect("prod-eu", "soil", EVENTS), "text") == expected


def test_history_fits_a_terminal_by_wrapping_its_messages_alone() -> None:
    message = "the wave waits for devices that have not reported for a day"
    event = Event(at=NOW, kind="stage", subject="soil-canary-1", message=message)
    expected = dedent("""\
        AT                    KIND   SUBJECT        MESSAGE
        2026-03-01T12:00:00Z  stage  soil-canary-1  the wave waits for devices that
                                                    have not reported for a day""")
    assert history.render(history.collect("prod-eu", "soil", (event,)), "text", width=76) == expected


def test_drift_wraps_values_that_are_sentences_and_keeps_the_command_in_one() -> None:
    command = "cloud delete-task --id 17"
    observed = f"carries our name, no manifest declares it; to remove it: {command}"
    found = msgspec.structs.replace(entry("unit"), observed=observed)
    ledger = drift.collect([record(drift=(found,))])

    lines = drift.render(ledger, "text", width=100).splitlines()

    assert any(command in line for line in lines)
    assert not any(observed in line for line in lines)
    assert observed in drift.render(ledger, "text")


def test_history_json_is_what_its_schema_says() -> None:
    document = validated(history.render(history.collect("prod-eu", "soil", EVENTS), "json"), "history")
    assert isinstance(document, dict)
    assert document["events"][0]["data"] == {"from": "declared"}


def test_a_rollout_without_events_is_said_so() -> None:
    assert history.render(history.collect("prod-eu", "soil", ()), "text") == "nothing is recorded of prod-eu/soil"


@pytest.mark.parametrize("style", get_args(Style))
def test_nothing_a_service_named_acts_on_the_terminal(style: Style) -> None:
    reported = Event(at=NOW, kind=HOSTILE, subject=HOSTILE, message=HOSTILE, data={HOSTILE: HOSTILE})
    seen = msgspec.structs.replace(entry(HOSTILE), observed=HOSTILE, subject=HOSTILE, action=HOSTILE)
    shown = history.render(history.collect("prod-eu", "soil", (reported,)), style)
    shown += drift.render(drift.collect([record(drift=(seen,))]), style)
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)


def test_a_history_names_who_recorded_an_event_by_which_commit_where_that_is_known() -> None:
    known = Event(at=NOW, kind="sent", subject="u", message="sent", actor="ada\x1b", commit=f"{'ab' * 20}-dirty")
    older = Event(at=NOW, kind="sent", subject="u", message="sent")
    lines = history.render(history.collect("prod-eu", "soil", (known, older)), "text").splitlines()
    assert lines[0].split()[-1] == "BY"
    assert lines[1].endswith("abababab-dirty")
    assert "\x1b" not in lines[1]
    assert lines[2].split()[-1] == "-"
    assert history.render(history.collect("prod-eu", "soil", (older,)), "text").splitlines()[0].split()[-1] == "MESSAGE"
