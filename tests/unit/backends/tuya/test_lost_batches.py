"""Whether a batch shows what an unanswered create asked for."""

from __future__ import annotations

import pytest

from otactl.backends.tuya.lost_batches import same
from otactl.backends.tuya.schemas import JobInfo

ASKED = {"ProductKey": "p1", "TargetSelection": "GROUP", "GroupId": "g-1", "TimeoutInMinutes": 30}
PLAIN = {"ProductKey": "p1", "TargetSelection": "ALL"}
RETRIED = {**PLAIN, "SrcVersion": ["1.0", "1.1"], "RetryInterval": 0, "RetryCount": 2, "TimeoutInMinutes": 30}
GRAY = {**PLAIN, "TargetSelection": "GRAY", "GrayPercent": 50, "NeedConfirm": True, "NeedPush": False}


def shown(**fields: object) -> JobInfo:
    return JobInfo(job_id="J1", job_status="IN_PROGRESS", **fields)


@pytest.mark.parametrize(
    ("asked", "batch", "fits"),
    [
        (ASKED, shown(product_key="p1", group_id="g-1", timeout_in_minutes=30, need_push=True), True),
        (ASKED, shown(group_id="g-2", timeout_in_minutes=30), False),
        (ASKED, shown(group_id="g-1", timeout_in_minutes=60), False),
        (ASKED, shown(product_key="p2", group_id="g-1", timeout_in_minutes=30), False),
        (ASKED, shown(), True),  # what is not shown proves nothing
        (PLAIN, shown(timeout_in_minutes=1440), True),  # the gateway's own
        (PLAIN, shown(need_confirm=True), False),
        (PLAIN, shown(need_push=False), False),
        (PLAIN, shown(gray_percent="50"), False),
        (PLAIN, shown(retry_interval=0, retry_count=1), False),
        (PLAIN, shown(src_versions=("1.0",)), False),
        (RETRIED, shown(src_versions=("1.1", "1.0"), retry_interval=0, retry_count=2, timeout_in_minutes=30), True),
        (RETRIED, shown(src_versions=("1.0",), retry_interval=0, retry_count=2), False),
        (RETRIED, shown(src_versions=("1.0", "1.1"), retry_interval=10, retry_count=2), False),
        (RETRIED, shown(retry_interval=0, retry_count=2), False),
        (GRAY, shown(gray_percent="50", need_confirm=True, need_push=False), True),
        (GRAY, shown(gray_percent="20", need_confirm=True, need_push=False), False),
        (GRAY, shown(gray_percent="50", need_confirm=False, need_push=False), False),
    ],
)
def test_a_batch_is_the_one_asked_for_when_nothing_it_shows_differs(
    asked: dict[str, object], batch: JobInfo, fits: bool
) -> None:
    assert same(batch, asked) is fits
