"""Answers become values, whatever their spelling; what is missing is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from otactl.backends.tuya.schemas import (
    FIRMWARE,
    FIRMWARES,
    JOB,
    JOBS_BY_FIRMWARE,
    MADE_JOB,
    MODULE_VERSIONS,
    TASKS_BY_JOB,
    UNFINISHED_TASKS,
    CreatedJob,
    FirmwareInfo,
    ModuleVersion,
    TaskInfo,
    moment,
    rows_of,
    single_of,
)
from otactl.errors import StalledError, TransientError
from tests.support.tuya_answers import PAGE

TASK = TaskInfo(
    task_id="183371207782747****",
    job_id="183371207742901****",
    firmware_id="123",
    task_status="NOTIFIED",
    product_key="k1h9drZ****",
    product_name="testProduct1",
    device_name="device_actived",
    iot_id="OZs5tjTkzRRTZSCekmbRk1****",
    src_version="1.8",
    dest_version="3.9.0",
    module_name="ble",
    utc_create="2024-09-11T03:40:02.734Z",
    utc_modified="2024-09-11T06:27:24.649Z",
)
LEAST = {"taskId": "1", "jobId": "2", "firmwareId": "3", "taskStatus": "QUEUED"}


def tasks(*rows: object, **beside: object) -> dict[str, object]:
    """An answer of ListOTATaskByJob."""
    return {"success": True, "data": {"simpleOTATaskInfo": list(rows)}, **beside}


def test_the_answer_of_the_page_is_the_task_it_shows() -> None:
    assert rows_of(UNFINISHED_TASKS, PAGE) == (TASK,)


def test_the_twins_spelling_is_the_same_answer() -> None:
    (row,) = PAGE["data"]["simpleOTATaskInfo"]  # type: ignore[index]
    pascal = {name[0].upper() + name[1:]: value for name, value in row.items()}
    answer = {"Success": True, "Data": {"SimpleOTATaskInfo": [pascal]}}
    assert rows_of(UNFINISHED_TASKS, answer) == (TASK,)


def test_the_damaged_spelling_of_the_english_page_is_the_same_answer() -> None:
    (row,) = PAGE["data"]["simpleOTATaskInfo"]  # type: ignore[index]
    damaged = {name[:-2] + "ID" if name.endswith("Id") else name: value for name, value in row.items()}
    assert rows_of(UNFINISHED_TASKS, {"data": {"simpleOTATaskInfo": [damaged]}}) == (TASK,)


def test_numbers_stand_for_texts_and_texts_for_numbers() -> None:
    (task,) = rows_of(TASKS_BY_JOB, tasks({**LEAST, "jobId": 183371207742901234, "progress": "-2", "timeout": 60}))
    assert (task.job_id, task.progress, task.timeout) == ("183371207742901234", -2, "60")


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_as_good_as_missing(nothing: object) -> None:
    (task,) = rows_of(TASKS_BY_JOB, tasks({**LEAST, "progress": nothing, "taskDesc": nothing}))
    assert (task.progress, task.task_desc) == (None, "")


@pytest.mark.parametrize("name", sorted(LEAST))
def test_a_member_that_is_needed_is_named_when_it_is_missing(name: str) -> None:
    with pytest.raises(StalledError, match=name) as caught:
        rows_of(TASKS_BY_JOB, tasks({k: v for k, v in LEAST.items() if k != name}))
    assert caught.value.reason == "AnswerInvalid"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        tasks(),
        {"data": {"simpleOTATaskInfo": None}},
        {"data": {}},
        {"data": None},
        {"data": ""},
        {"success": True},
        {"data": {}, "total": 0},
    ],
)
def test_an_empty_list_is_empty_however_it_is_written(answer: dict[str, object]) -> None:
    assert rows_of(TASKS_BY_JOB, answer) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {}, "total": 3},
        {"total": "3"},
        {"data": {"total": 3}},
        {"data": {"anotherKey": [LEAST]}},
        {"data": {"simpleOTATaskInfo": "x"}},
        {"data": "x"},
        tasks("x"),
        tasks({**LEAST, "progress": "much"}),
    ],
)
def test_a_list_that_is_not_where_it_belongs_is_not_taken_for_empty(answer: dict[str, object]) -> None:
    with pytest.raises(StalledError) as caught:
        rows_of(TASKS_BY_JOB, answer)
    assert caught.value.reason == "AnswerInvalid"


def test_packages_stand_under_firmware_info() -> None:
    row = {"firmwareId": "167", "destVersion": "1.0.1", "status": "1", "firmwareSize": "1024", "type": 0, "new": {}}
    package = FirmwareInfo(firmware_id="167", dest_version="1.0.1", status=1, firmware_size=1024, type=0)
    assert rows_of(FIRMWARES, {"firmwareInfo": {"simpleFirmwareInfo": [row]}}) == (package,)
    assert rows_of(FIRMWARES, {"firmwareInfo": [row]}) == (package,)
    assert single_of(FIRMWARE, {"firmwareInfo": row}) == package


@pytest.mark.parametrize("versions", [["1.0", "1.1"], {"srcVersion": ["1.0", "1.1"]}, {"SrcVersion": ["1.0", "1.1"]}])
def test_source_versions_stand_in_a_list_or_a_typed_key(versions: object) -> None:
    answer = {"data": {"jobId": "1", "jobStatus": "IN_PROGRESS", "srcVersions": versions, "needPush": "true"}}
    job = single_of(JOB, answer)
    assert (job.src_versions, job.need_push, job.need_confirm) == (("1.0", "1.1"), True, None)


def test_no_source_versions_are_none() -> None:
    assert single_of(JOB, {"data": {"jobId": "1", "jobStatus": "X", "srcVersions": {}}}).src_versions == ()


def test_batches_and_module_versions_are_read() -> None:
    rows = [{"jobId": "1", "jobStatus": "COMPLETED", "utcCreate": "2024-09-11T03:40:02.734Z"}]
    (job,) = rows_of(JOBS_BY_FIRMWARE, {"data": {"simpleOTAJobInfo": rows}})
    assert (job.job_id, job.job_status) == ("1", "COMPLETED")
    module = {"moduleName": "ble", "moduleVersion": "1.0"}
    answer = {"data": {"simpleOTAModuleInfo": [module]}}
    assert rows_of(MODULE_VERSIONS, answer) == (ModuleVersion(module_name="ble", module_version="1.0"),)


def test_a_batch_that_was_made_has_an_id() -> None:
    assert single_of(MADE_JOB, {"data": {"jobId": 12}}) == CreatedJob(job_id="12")


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": "1"}])
def test_a_batch_that_was_made_and_has_no_id_is_in_doubt(answer: dict[str, object]) -> None:
    with pytest.raises(TransientError) as caught:
        single_of(MADE_JOB, answer)
    assert caught.value.committed is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-09-11T03:40:02.734Z", datetime(2024, 9, 11, 3, 40, 2, 734000, tzinfo=UTC)),
        ("2024-11-11 T11:11:11.000Z", datetime(2024, 11, 11, 11, 11, 11, tzinfo=UTC)),
        ("2024-11-11T11:11:11", datetime(2024, 11, 11, 11, 11, 11, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_and_what_is_none_is_none(text: str, found: datetime | None) -> None:
    assert moment(text) == found


@pytest.mark.parametrize("name", ["a\nb", "\u202e", "\x1b[31m", "d" * 513])
@pytest.mark.parametrize("field", ["deviceName", "taskStatus", "moduleName"])
def test_a_text_that_can_be_no_name_is_refused_and_not_quoted(field: str, name: str) -> None:
    with pytest.raises(StalledError) as caught:
        rows_of(TASKS_BY_JOB, tasks({**LEAST, field: name}))

    assert caught.value.reason == "AnswerInvalid"
    assert f"tuya:ListOTATaskByJob: the answer cannot be understood: TaskInfo.{field} has" in str(caught.value)
    assert name not in str(caught.value)


def test_words_for_people_are_taken_as_they_are() -> None:
    (row,) = rows_of(TASKS_BY_JOB, tasks({**LEAST, "taskDesc": "no\nspace " * 200}))

    assert row.task_desc == "no\nspace " * 200
