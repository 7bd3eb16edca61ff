"""A list of tasks tells of devices by their names, or of none."""

from __future__ import annotations

from typing import Any, cast

import pytest

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.task_list import task_list
from otactl.errors import StalledError


class Gateway:
    """Answers with one page of tasks, each of the device named."""

    def __init__(self, *devices: str | None) -> None:
        least = {"jobId": "2", "firmwareId": "3", "taskStatus": "SUCCEEDED"}
        self.rows = [{**least, "taskId": str(n), "deviceName": name} for n, name in enumerate(devices)]

    def pages(self, _action: str, _parameters: object, _page_size: int) -> list[dict[str, Any]]:
        return [{"success": True, "data": {"simpleOTATaskInfo": self.rows}, "total": len(self.rows)}]


def test_each_task_is_of_its_device() -> None:
    found = task_list(cast("TuyaClient", Gateway("plug-2", "plug-1")), "2")

    assert [t.device_name for t in found.tasks] == ["plug-1", "plug-2"]


@pytest.mark.parametrize("name", ["", None])
def test_a_task_without_a_device_is_no_result_of_anyone(name: str | None) -> None:
    with pytest.raises(StalledError, match="tuya:ListOTATaskByJob: a task in the answer has no deviceName") as caught:
        task_list(cast("TuyaClient", Gateway("plug-1", name)), "2")

    assert caught.value.reason == "AnswerInvalid"
