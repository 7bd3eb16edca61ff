"""One device at the gateway: where it belongs, how it is asked for, what counts of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.device import answered, asked
from otactl.backends.tuya.device_homes import STATUSES, homes, status_of
from otactl.backends.tuya.schemas import UNFINISHED_TASKS, TaskInfo, rows_of
from otactl.errors import StalledError
from otactl.model import Device, Strategy, Targets, Wave
from otactl.model.device_tasks import Filters, Home, UnfinishedTask
from tests.support.builders import rollout
from tests.support.tuya_answers import PAGE, PUBLISHED_QUERY, keyed_client

PLUG = Home("prod-eu", "a1b2c3d4e5", "plug-1")
LEAST = TaskInfo(
    task_id="9", job_id="7", firmware_id="1001", task_status="QUEUED", device_name="plug-1", module_name="ble"
)
OURS = ("toConfirm", "queued", "notified", "inProgress")
THEIRS = ("CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS")


def row(status: str = "QUEUED", module: str = "ble", **changes: object) -> TaskInfo:
    return msgspec.structs.replace(LEAST, task_status=status, module_name=module, **changes)


def tuya(*waves: tuple[str, ...], product: str = "a1b2c3d4e5", whole: tuple[str, ...] = (), **changes: object):
    """A Tuya rollout with a wave of devices each, or with devices of its own and a percentage."""
    named = [Wave(name=f"w{n}", targets=_targets(*names)) for n, names in enumerate(waves)]
    strategy = Strategy(waves=tuple(named) or (Wave(name="some", percent=10),))
    spec = TuyaConfig(document={"productKey": product})
    return rollout(backend=spec, strategy=strategy, targets=_targets(*whole) if whole else None, **changes)


def _targets(*names: str) -> Targets:
    return Targets(devices=tuple(Device(id=n) for n in names))


@pytest.mark.parametrize(("ours", "theirs"), list(zip(OURS, THEIRS, strict=True)))
def test_a_status_may_be_given_in_our_word_or_in_the_pages_without_case(ours: str, theirs: str) -> None:
    assert STATUSES[ours] == theirs
    assert {status_of(w) for w in (ours, theirs, ours.upper(), theirs.lower(), theirs.replace("_", "-"))} == {ours}


@pytest.mark.parametrize("word", ["", "SUCCEEDED", "FAILED", "unknown", "done", "queue"])
def test_what_is_no_status_of_an_unfinished_task_is_none(word: str) -> None:
    assert status_of(word) is None


@pytest.mark.parametrize(
    ("filters", "own"),
    [
        (Filters(), {"TaskStatusList": list(THEIRS)}),
        (Filters(module="ble"), {"ModuleName": "ble", "TaskStatusList": list(THEIRS)}),
        (Filters(statuses=("toConfirm",)), {"TaskStatus": "CONFIRM"}),
        (Filters(statuses=("inProgress", "queued")), {"TaskStatusList": ["QUEUED", "IN_PROGRESS"]}),
        (Filters("ble", ("queued",)), {"ModuleName": "ble", "TaskStatus": "QUEUED"}),
    ],
)
def test_filters_go_to_the_gateway(filters: Filters, own: dict[str, object]) -> None:
    assert asked(PLUG, filters) == {"ProductKey": "a1b2c3d4e5", "DeviceName": "plug-1", **own}


def test_a_device_is_named_by_the_gateways_own_id_without_a_product() -> None:
    home = Home("prod-eu", "", "6c828cba", by_id=True)

    assert asked(home, Filters(statuses=("queued",))) == {"IotId": "6c828cba", "TaskStatus": "QUEUED"}
    assert [t.device_id for t in answered([row(iot_id="6c828CBA", device_name="plug-2")], home, Filters())] == [
        "6c828CBA"
    ]
    with pytest.raises(StalledError, match="asked about device 6c828cba and answered about other"):
        answered([row(iot_id="other", device_name="plug-2")], home, Filters())


def test_the_question_of_the_page_is_asked_as_it_stands_there_with_three_common_parameters_more() -> None:
    page = dict(parse_qsl(urlsplit(PUBLISHED_QUERY).query))
    home = Home("prod-eu", page["ProductKey"], page["DeviceName"])
    own = asked(home, Filters(statuses=(str(status_of(page["TaskStatus"])),)))

    sent = dict(parse_qsl(keyed_client().prepare(UNFINISHED_TASKS.action, own).query))

    assert own == {name: page[name] for name in ("ProductKey", "DeviceName", "TaskStatus")}
    assert sent.keys() - page.keys() == {"Format", "Version", "SignatureVersion"}
    assert {k: v for k, v in sent.items() if k in page and k != "Signature"} == {
        k: v for k, v in page.items() if k != "Signature"
    }


def test_a_list_of_statuses_goes_as_the_page_numbers_it() -> None:
    own = asked(PLUG, Filters(statuses=("toConfirm", "queued")))

    sent = dict(parse_qsl(keyed_client().prepare(UNFINISHED_TASKS.action, own).query))

    assert {k: v for k, v in sent.items() if k.startswith("TaskStatus")} == {
        "TaskStatusList.1": "CONFIRM",
        "TaskStatusList.2": "QUEUED",
    }


def test_the_answer_of_the_page_is_the_task_it_shows_in_our_words() -> None:
    rows = rows_of(UNFINISHED_TASKS, PAGE)

    assert answered(rows, Home("prod-eu", "k1h9drZ****", "device_actived"), Filters()) == (
        UnfinishedTask(
            status="notified",
            module="ble",
            from_version="1.8",
            to_version="3.9.0",
            batch_id="183371207742901****",
            task_id="183371207782747****",
            firmware_id="123",
            created_at=datetime(2024, 9, 11, 3, 40, 2, 734000, tzinfo=UTC),
            moved_at=datetime(2024, 9, 11, 6, 27, 24, 649000, tzinfo=UTC),
            device_id="OZs5tjTkzRRTZSCekmbRk1****",
            product_name="testProduct1",
        ),
    )


@pytest.mark.parametrize(
    ("given_row", "filters", "status"),
    [
        (row(), Filters(), "queued"),
        (row("queued"), Filters(), "queued"),
        (row(), Filters("ble", ("queued", "notified")), "queued"),
        (row(module="BLE"), Filters("Ble"), "queued"),
        (row(module=""), Filters("default"), "queued"),
        (row("PAUSED"), Filters(), "unknown"),
        (row(), Filters("mcu"), None),
        (row(module=""), Filters("ble"), None),
        (row(), Filters(statuses=("notified",)), None),
        (row("PAUSED"), Filters(statuses=OURS), None),
        (row("SUCCEEDED"), Filters(), None),
        (row("CANCELED"), Filters(), None),
    ],
)
def test_an_answer_is_filtered_again(given_row: TaskInfo, filters: Filters, status: str | None) -> None:
    assert [t.status for t in answered([given_row], PLUG, filters)] == ([status] if status else [])


@given(
    st.lists(st.tuples(st.sampled_from([*THEIRS, "SUCCEEDED", "NEW"]), st.sampled_from(["", "ble", "mcu"]))),
    st.sampled_from([None, "default", "ble"]),
    st.sets(st.sampled_from(OURS)),
)
def test_no_task_is_shown_that_was_not_asked_for_and_none_is_left_out_that_was(
    rows: list[tuple[str, str]], module: str | None, statuses: set[str]
) -> None:
    shown = answered([row(s, m) for s, m in rows], PLUG, Filters(module, tuple(statuses)))

    wanted = statuses or {*OURS, "unknown"}
    ours = {**dict(zip(THEIRS, OURS, strict=True)), "NEW": "unknown"}
    expected = [(ours[s], m or "default") for s, m in rows if s in ours and ours[s] in wanted]
    assert sorted((t.status, t.module) for t in shown) == sorted(e for e in expected if module in (None, e[1]))


def test_the_oldest_task_comes_first_and_one_without_a_time_last() -> None:
    times = {"3": "2026-03-01T10:00:00Z", "1": "", "2": "2026-02-01T10:00:00Z"}
    rows = [row(task_id=n, utc_create=t) for n, t in times.items()]

    assert [t.task_id for t in answered(rows, PLUG, Filters())] == ["2", "3", "1"]


def test_an_answer_about_another_device_is_no_answer() -> None:
    with pytest.raises(StalledError, match="asked about device plug-1 and answered about plug-2") as caught:
        answered([row(device_name="plug-2")], PLUG, Filters())
    assert caught.value.reason == "AnswerInvalid"


HOMES = [
    ("a wave names it", [tuya(("plug-2",), ("plug-1",))], [PLUG]),
    ("the rollout names it", [tuya(whole=("plug-1",))], [PLUG]),
    ("two rollouts of one product", [tuya(("plug-1",)), tuya(("plug-1",), name="later")], [PLUG]),
    ("two products", [tuya(("plug-1",)), tuya(("plug-1",), product="b")], [PLUG, Home("prod-eu", "b", "plug-1")]),
    (
        "two environments",
        [tuya(("plug-1",)), tuya(("plug-1",), environment="prod-us")],
        [PLUG, Home("prod-us", "a1b2c3d4e5", "plug-1")],
    ),
    ("another case, as the manifest writes it", [tuya(("Plug-1",))], [Home("prod-eu", "a1b2c3d4e5", "Plug-1")]),
    ("its own case comes first", [tuya(("Plug-1",), product="b"), tuya(("plug-1",))], [PLUG]),
    ("no one names it", [tuya(("plug-2",))], []),
    (
        "another service names it",
        [rollout(strategy=Strategy(waves=(Wave(name="w", targets=Targets(wireless_devices=(Device(id="plug-1"),))),)))],
        [],
    ),
]


@pytest.mark.parametrize(("rollouts", "found"), [h[1:] for h in HOMES], ids=[h[0] for h in HOMES])
def test_a_device_belongs_where_a_tuya_rollout_names_it(rollouts: list[object], found: list[Home]) -> None:
    assert homes(rollouts, "plug-1") == found


def test_a_device_of_a_batch_to_a_whole_product_belongs_where_it_is_remembered() -> None:
    everybody = tuya(())

    assert homes([everybody], "plug-1") == []
    assert homes([everybody], "plug-1", frozenset({("prod-eu", "probe")})) == [PLUG]
    assert homes([everybody], "plug-1", frozenset({("prod-us", "probe")})) == []
