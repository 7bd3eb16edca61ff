"""`status --device` of a device at Tuya: its unfinished tasks, live, over real HTTP, and whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.device_status_cli import READS, DeviceStatusCli, open_status_cli
from tests.support.scripted_tuya import good, running
from tests.support.tuya_answers import PAGE
from tests.support.tuya_stage import PACKAGE, PRODUCT, TuyaStage

DAY = 86400


@pytest.fixture
def status_cli(tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeviceStatusCli:
    return open_status_cli(tuya_stage, tmp_path, monkeypatch)


def test_a_device_that_is_offline_has_our_queued_task_with_the_rollout_it_is_of(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()
    status_cli.tuya_stage.advance(2 * 3600 + 60)
    (batch,) = status_cli.tuya_stage.batches()

    (live,) = status_cli.live()
    shown = status_cli.status().stdout

    (task,) = live["tasks"]
    assert (task["status"], task["module"], task["fromVersion"], task["toVersion"]) == (
        "queued",
        "default",
        "2.4.0",
        "2.4.1",
    )
    assert (task["batchId"], task["firmwareId"]) == (batch["jobId"], PACKAGE)
    assert task["owner"] == {
        "rollout": "plug",
        "environment": "prod-eu",
        "wave": "canary",
        "attempt": 1,
        "certain": True,
    }
    assert live["versions"] == {"default": "2.4.0"}
    assert shown.splitlines()[0].startswith("ROLLOUT")
    assert f"tuya, product {PRODUCT}, environment prod-eu: 1 unfinished task" in shown
    assert "(2h ago)" in shown
    assert "plug, wave canary, attempt 1" in shown
    assert f"  batch {batch['jobId']}, task {task['taskId']}, firmware {PACKAGE}" in shown
    assert shown.splitlines()[-2:] == ["reported versions: default 2.4.0", "journal .otactl/journal.db"]


def test_a_device_that_is_done_has_no_unfinished_task_and_that_is_no_success_by_itself(
    status_cli: DeviceStatusCli,
) -> None:
    status_cli.reconcile()
    status_cli.tuya_stage.advance(DAY)

    shown = status_cli.status().stdout

    assert (
        "environment prod-eu: no unfinished task\n  an upgrade that is not listed has ended: its result is in" in shown
    )
    assert shown.endswith("reported versions: default 2.4.1\njournal .otactl/journal.db\n")


def test_a_batch_of_another_actor_is_not_ours(status_cli: DeviceStatusCli) -> None:
    status_cli.reconcile()
    status_cli.tuya_stage.advance(300)
    status_cli.tuya_stage.server.world.advance()
    status_cli.tuya_stage.behave(plug_1="offline")
    batch = status_cli.foreign("plug-1")

    (live,) = status_cli.live()

    assert [(t["batchId"], t["owner"]) for t in live["tasks"]] == [(batch, None)]
    assert "not ours" in status_cli.status().stdout


def test_a_batch_whose_answer_was_lost_is_perhaps_ours(
    status_cli: DeviceStatusCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.tuya_stage.fault(
        service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutAfterCommit"
    )
    status_cli.tuya_stage.run(*_read())
    journal = str(status_cli.tuya_stage.folder / "journal.db")

    (live,) = status_cli.live("--journal", journal)

    (task,) = live["tasks"]
    assert (task["owner"]["rollout"], task["owner"]["certain"]) == ("plug", False)
    reported = "perhaps plug, wave canary, attempt 1 (its create has no answer yet)"
    assert reported in status_cli.status("--journal", journal).stdout


def _read() -> list[Any]:
    from otactl.manifest import read_paths

    return list(read_paths(("rollouts",)).rollouts)


FILTERS: list[tuple[tuple[str, ...], bool, dict[str, object]]] = [
    ((), True, {"TaskStatusList": ["CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS"]}),
    (("--task-status", "QUEUED"), True, {"TaskStatus": "QUEUED"}),
    (("--task-status", "in_progress"), False, {"TaskStatus": "IN_PROGRESS"}),
    (("--task-status", "queued", "--task-status", "toConfirm"), True, {"TaskStatusList": ["CONFIRM", "QUEUED"]}),
    (("--task-status", "queued", "--module", "default"), True, {"ModuleName": "default", "TaskStatus": "QUEUED"}),
    (("--task-status", "queued", "--module", "ble"), False, {"ModuleName": "ble", "TaskStatus": "QUEUED"}),
    (("--task-status", "notified", "--module", "default"), False, {"ModuleName": "default", "TaskStatus": "NOTIFIED"}),
]


@pytest.mark.parametrize(("words", "found", "sent"), FILTERS, ids=[" ".join(f[0]) or "all" for f in FILTERS])
def test_filters_are_sent_and_answered(
    status_cli: DeviceStatusCli, words: tuple[str, ...], found: bool, sent: dict[str, object]
) -> None:
    versions = {"default": "2.4.0", "ble": "1.8"}
    status_cli.tuya_stage.cloud(
        products=[{"productKey": PRODUCT, "modules": ["ble"]}],
        devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": versions, "behaviour": "offline"}],
    )
    status_cli.reconcile()

    (live,) = status_cli.live(*words)

    asked = [r["parameters"] for r in status_cli.asked() if r["operation"] == READS[0]][-1]
    assert [(t["module"], t["status"]) for t in live["tasks"]] == [("default", "queued")] * found
    assert {k: v for k, v in asked.items() if k in ("ModuleName", "TaskStatus", "TaskStatusList")} == sent
    assert live["versions"] == {m: v for m, v in versions.items() if m == sent.get("ModuleName", m)}


def test_a_gateway_that_ignores_the_filters_is_not_believed(status_cli: DeviceStatusCli) -> None:
    (sample,) = PAGE["data"]["simpleOTATaskInfo"]  # type: ignore[index]
    rows = [sample, {**sample, "moduleName": "mcu", "taskId": "2"}, {**sample, "taskStatus": "QUEUED", "taskId": "3"}]
    versions = [{"moduleName": "mcu", "moduleVersion": "4"}, {"moduleName": "ble", "moduleVersion": "1.8"}]
    with running() as gateway:
        gateway.will(good(data={"simpleOTATaskInfo": rows}), good(data={"simpleOTAModuleInfo": versions}, pageCount=1))
        status_cli.write("rollouts/environments/prod-eu.yaml", status_cli.environment("prod-eu", url=gateway.url))
        words = ("--product", "k1h9drZ", "--module", "ble", "--task-status", "NOTIFIED")

        (live,) = status_cli.live(*words, device="device_actived")

    assert [(t["taskId"], t["module"], t["status"]) for t in live["tasks"]] == [
        ("183371207782747****", "ble", "notified")
    ]
    assert live["versions"] == {"ble": "1.8"}
    (asked, _) = gateway.asked
    assert {k: asked[k] for k in ("ProductKey", "DeviceName", "ModuleName", "TaskStatus")} == {
        "ProductKey": "k1h9drZ",
        "DeviceName": "device_actived",
        "ModuleName": "ble",
        "TaskStatus": "NOTIFIED",
    }


def test_a_filter_that_finds_nothing_does_not_say_that_nothing_is_unfinished(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()

    shown = status_cli.status("--task-status", "inProgress").stdout

    assert "no unfinished task in status inProgress; others were not asked for" in shown
    assert "has ended" not in shown


def test_a_task_that_waits_for_a_confirmation_is_reported_as_that(status_cli: DeviceStatusCli) -> None:
    status_cli.declare(", needConfirm: true")
    status_cli.reconcile()

    (live,) = status_cli.live("--task-status", "CONFIRM")

    assert [t["status"] for t in live["tasks"]] == ["toConfirm"]


def test_a_device_of_no_manifest_is_asked_for_in_the_product_given(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_6="offline")
    status_cli.foreign("plug-6")

    (live,) = status_cli.live("--product", PRODUCT, device="plug-6")

    assert [t["owner"] for t in live["tasks"]] == [None]


def test_a_device_is_asked_for_by_the_id_that_its_service_gave_it(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()
    status_cli.tuya_stage.advance(3600)
    world: Any = status_cli.tuya_stage.server.world.snapshot()
    (own,) = (d["iotId"] for d in world["tuya"]["devices"] if d["deviceName"] == "plug-1")

    (live,) = status_cli.live("--by-id", device=own)
    strange = status_cli.status("--by-id", device="6c0000000000", code=1)
    both = status_cli.status("--by-id", "--product", PRODUCT, device=own, code=1)

    assert [task["deviceId"] for task in live["tasks"]] == [own]
    assert live["versions"] == {"default": "2.4.0"}
    assert "tuya, environment prod-eu: TargetMissing: no device has the id 6c0000000000" in strange.stderr
    assert "omit --product" in both.stderr


def test_a_device_with_a_result_in_a_rollout_to_the_whole_product_is_asked_for_there(
    status_cli: DeviceStatusCli,
) -> None:
    text = (status_cli.folder / "rollouts/plug.yaml").read_text()
    everybody = text.replace("timeoutInMinutes: 30", "timeoutInMinutes: 30, targetSelection: ALL")
    waves = "{name: canary, targets: {devices: [{id: plug-1}, {id: plug-2}]}}"
    everybody = everybody.replace(waves, "{name: all}").replace(
        "  strategy:\n", "  strategy:\n    allowDowngrade: true\n"
    )
    status_cli.write("rollouts/plug.yaml", everybody)
    for _ in range(2):
        status_cli.reconcile()
        status_cli.tuya_stage.advance(400)
    status_cli.reconcile()

    (live,) = status_cli.live(device="plug-6")

    assert (live["product"], live["tasks"], live["versions"]) == (PRODUCT, [], {"default": "2.4.1"})


def test_a_device_that_two_products_have_is_asked_for_in_both_unless_one_is_named(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.cloud(
        products=[{"productKey": "other"}],
        devices=[{"productKey": "other", "deviceName": "plug-1", "versions": {"default": "7"}}],
    )
    status_cli.declare(name="also", product="other")

    assert [(a["product"], a["versions"]["default"]) for a in status_cli.live()] == [(PRODUCT, "2.4.0"), ("other", "7")]
    assert [a["product"] for a in status_cli.live("--product", "other")] == ["other"]


def test_one_gateway_that_fails_takes_nothing_from_the_answer_of_another(status_cli: DeviceStatusCli) -> None:
    status_cli.declare(name="also", product="gone")

    answers = status_cli.live(code=1)

    assert [(a["product"], a["tasks"], a["error"][:14]) for a in answers] == [
        (PRODUCT, [], ""),
        ("gone", None, "ProductUnknown"),
    ]


def test_without_a_journal_the_gateway_still_answers(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.foreign("plug-1")

    ran = status_cli.status()

    assert "1 unfinished task" in ran.stdout
    assert ran.stderr == "no journal at .otactl/journal.db; the owner of a task is unknown\n"
    assert not (status_cli.folder / ".otactl").exists()


def test_markdown_has_the_same(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()

    shown = status_cli.status("-o", "markdown").stdout

    assert "| Status | Module | From | To | Since | Moved | Whose | Batch | Task | Firmware |" in shown
    assert "| queued | default | 2.4.0 | 2.4.1 |" in shown
