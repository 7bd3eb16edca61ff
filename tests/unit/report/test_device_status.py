"""What a service says of one device: whose each task is, and how it is reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from otactl.backends.tuya.device import answered
from otactl.backends.tuya.schemas import UNFINISHED_TASKS, rows_of
from otactl.model import Attempt, Intent, Record, RecordedCall, WaveRecord
from otactl.model.device_tasks import Filters, Home, UnfinishedTask
from otactl.report.device_status import ENDED, LiveLine, Owners, TaskLine, lines, task_line
from otactl.report.status import render
from otactl.report.status_summary import DeviceStatus, StatusReport
from tests.support.report_values import HOSTILE, NOW, attempt, record, stored, validated
from tests.support.tuya_answers import PAGE

TASK = UnfinishedTask(
    status="queued",
    module="default",
    from_version="2.4.0",
    to_version="2.4.1",
    batch_id="7",
    task_id="9",
    firmware_id="1001",
    created_at=NOW - timedelta(hours=2),
    moved_at=NOW - timedelta(minutes=5),
)
LINE = LiveLine(
    service="tuya",
    environment="prod-eu",
    product="a1b2",
    device="plug-1",
    module=None,
    statuses=(),
    at="2026-03-01T12:00:00Z",
)


def owners(*attempts: Attempt, **changes: object) -> Owners:
    return Owners(stored(kept(*attempts, **changes)), "plug-1")


def kept(*attempts: Attempt, **changes: object) -> Record:
    members = changes.pop("members", ("device:plug-1",))
    return record(WaveRecord(name="canary", attempts=attempts, members=members), **changes)


def unanswered(attempt: Attempt) -> tuple[Intent, ...]:
    call = RecordedCall(service="tuya", operation="Create", parameters={})
    return (Intent(action="createUnit", unit_id=attempt.unit_id, key="k", call=call, at=NOW),)


def reported(*tasks: TaskLine, **changes: object) -> list[str]:
    given = {"tasks": tasks, "versions": {"default": "2.4.0"}, **changes}
    return lines(msgspec.structs.replace(LINE, **given), "text")


def test_a_task_is_of_the_attempt_that_remembers_its_batch() -> None:
    known = owners(attempt(1, vendor_id="6"), attempt(2, vendor_id="7"))

    owner = known.of(TASK)

    assert owner is not None
    assert (owner.rollout, owner.environment, owner.wave, owner.attempt, owner.certain) == (
        "soil",
        "prod-eu",
        "canary",
        2,
        True,
    )


def test_a_task_of_any_batch_of_an_attempt_is_of_that_attempt() -> None:
    whose = owners(attempt(vendor_id="6", ids_by_call={"createUnit/u/1": "6", "createUnit/u/2": "7"}))

    assert whose.of(TASK) is not None


def test_a_batch_that_no_one_remembers_is_not_ours() -> None:
    assert owners(attempt(vendor_id="6")).of(TASK) is None
    assert owners().of(TASK) is None


@pytest.mark.parametrize(
    ("members", "version", "perhaps"),
    [
        (("device:plug-1",), "2.4.1", True),
        ((), "2.4.1", True),
        (("device:plug-2",), "2.4.1", False),
        (("device:plug-1",), "2.5.0", False),
    ],
    ids=["it holds the device", "it names no one", "it holds others", "it is another version"],
)
def test_a_batch_that_a_create_without_an_answer_may_have_made_is_perhaps_ours(
    members: tuple[str, ...], version: str, perhaps: bool
) -> None:
    lost = attempt()
    known = owners(lost, members=members, version=version, intents=unanswered(lost))

    owner = known.of(TASK)

    assert (owner is not None) is perhaps
    assert owner is None or not owner.certain
    assert owner is None or "perhaps soil, wave canary, attempt 1" in reported(task_line(TASK, known))[2]


def test_tasks_are_a_row_each_under_a_heading_with_the_versions_below() -> None:
    known = owners(attempt(vendor_id="7"))
    other = msgspec.structs.replace(TASK, status="notified", batch_id="8", task_id="10", moved_at=None)

    since, moved = "2026-03-01T10:00:00Z (2h ago)", "2026-03-01T11:55:00Z (5m ago)"
    assert reported(task_line(TASK, known), task_line(other, known)) == [
        "tuya, product a1b2, environment prod-eu: 2 unfinished tasks",
        f"STATUS    MODULE   FROM   TO     {'SINCE':<29}  {'MOVED':<29}  WHOSE",
        f"queued    default  2.4.0  2.4.1  {since}  {moved}  soil, wave canary, attempt 1",
        "  batch 7, task 9, firmware 1001",
        f"notified  default  2.4.0  2.4.1  {since}  {'-':<29}  not ours",
        "  batch 8, task 10, firmware 1001",
        "reported versions: default 2.4.0",
    ]


def test_whose_a_task_is_fits_a_terminal_with_its_ids_below() -> None:
    known = owners(attempt(vendor_id="7"))
    live = msgspec.structs.replace(LINE, tasks=(task_line(TASK, known),))

    _, _, first, second, below, *_ = lines(live, "text", 110)

    assert first.endswith("soil, wave canary,")
    assert second.strip() == "attempt 1"
    assert below == "  batch 7, task 9, firmware 1001"


@pytest.mark.parametrize(
    ("module", "statuses", "said"),
    [
        (None, (), "no unfinished task"),
        ("ble", (), "no unfinished task of module ble; others were not asked for"),
        (None, ("queued", "notified"), "no unfinished task in status queued or notified; others were not asked for"),
        ("ble", ("queued",), "no unfinished task of module ble in status queued; others were not asked for"),
    ],
)
def test_no_task_is_said_plainly_and_no_more_than_was_asked(
    module: str | None, statuses: tuple[str, ...], said: str
) -> None:
    shown = reported(module=module, statuses=statuses)

    assert shown[0] == f"tuya, product a1b2, environment prod-eu: {said}"
    assert (shown[1] == f"  {ENDED}") is (said == "no unfinished task")


def test_what_was_not_answered_is_not_reported_as_nothing() -> None:
    assert reported(tasks=None, versions=None, at=None, error="lost") == [
        "tuya, product a1b2, environment prod-eu: could not be read, so what is unfinished there is not known"
    ]


@pytest.mark.parametrize(
    ("versions", "module", "last"),
    [
        ({"ble": "1.8", "default": "2.4.0"}, None, "reported versions: ble 1.8, default 2.4.0"),
        ({"ble": "1.8"}, "ble", "reported versions of module ble: ble 1.8"),
        ({}, None, "reported versions: none yet"),
    ],
)
def test_reported_versions_are_listed_by_module(versions: dict[str, str], module: str | None, last: str) -> None:
    assert reported(versions=versions, module=module)[-1] == last


def test_a_task_whose_time_lies_ahead_of_the_services_answer_is_of_now() -> None:
    ahead = msgspec.structs.replace(TASK, created_at=NOW + timedelta(seconds=3))

    assert "2026-03-01T12:00:03Z (0s ago)" in reported(task_line(ahead, owners()))[2]


def test_the_sample_of_the_page_is_shown_as_the_task_it_is() -> None:
    home = Home("prod-eu", "k1h9drZ****", "device_actived")
    (task,) = answered(rows_of(UNFINISHED_TASKS, PAGE), home, Filters())
    remembered = owners(attempt(vendor_id="183371207742901****"))
    at = datetime(2024, 9, 11, 7, 27, 24, tzinfo=UTC)

    live = msgspec.structs.replace(LINE, tasks=(task_line(task, remembered),), at=at.isoformat())
    _, _, *row = lines(live, "text")

    assert " ".join(" ".join(row).split()) == (
        "notified ble 1.8 3.9.0 2024-09-11T03:40:02Z (3h ago) 2024-09-11T06:27:24Z (1h ago) "
        "soil, wave canary, attempt 1 batch 183371207742901****, task 183371207782747****, firmware 123 "
        "at its service: product testProduct1, device id OZs5tjTkzRRTZSCekmbRk1****"
    )


def report(**changes: object) -> StatusReport:
    tasks = (task_line(TASK, owners(attempt(vendor_id="7"))), task_line(TASK, owners()))
    live = msgspec.structs.replace(LINE, tasks=tasks, versions={"default": "2.4.0"})
    live = msgspec.structs.replace(live, **changes)
    return StatusReport(rollouts=(), device=DeviceStatus(id="plug-1", results=(), live=(live,)))


@pytest.mark.parametrize(
    "changes",
    [{}, {"tasks": ()}, {"module": "ble", "statuses": ("queued",)}, {"tasks": None, "versions": None, "at": None}],
)
def test_json_is_what_its_schema_says(changes: dict[str, object]) -> None:
    found = validated(render(report(**changes), "json", NOW), "status")

    assert isinstance(found, dict)
    assert len(found["device"]["live"]) == 1


def test_markdown_is_a_table_under_the_journals_part() -> None:
    shown = render(report(), "markdown", NOW).splitlines()

    assert shown[0].startswith("no rollout in this journal holds device plug-1")
    assert shown[2] == "tuya, product a1b2, environment prod-eu: 2 unfinished tasks"
    assert shown[4].startswith("| Status | Module | From | To |")
    assert shown[-2:] == ["", "reported versions: default 2.4.0"]


@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_nothing_the_service_named_acts_on_the_terminal(style: str) -> None:
    hostile = msgspec.structs.replace(TASK, module=HOSTILE, from_version=HOSTILE, task_id=HOSTILE, batch_id=HOSTILE)
    tasks = (task_line(hostile, owners()),)

    shown = render(report(tasks=tasks, versions={HOSTILE: HOSTILE}, product=HOSTILE, module=HOSTILE), style, NOW)

    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(shown)
    assert "@acme" not in shown or style != "markdown"
