"""Two runs at once over real HTTP and a real journal file."""

from __future__ import annotations

import threading

from otactl.backends.aws.client import Answer
from tests.support.fuota_stage import FuotaStage


def test_two_runs_at_once_make_one_task_and_one_says_who_works(fuota_stage: FuotaStage) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow(service: str, operation: str, send) -> Answer:
        if operation == "CreateFuotaTask":
            arrived.set()
            assert go_on.wait(20)
        return send()

    first = threading.Thread(
        target=lambda: fuota_stage.run(transport=fuota_stage.transport(around=slow), holder="host-a/1")
    )
    first.start()
    assert arrived.wait(20)

    report = fuota_stage.run(holder="host-b/2")
    go_on.set()
    first.join(30)

    assert report.lease_held_by.startswith("host-a/1 ")
    assert len(fuota_stage.made()) == 1
