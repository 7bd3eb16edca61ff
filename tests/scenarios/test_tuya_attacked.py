"""What an attack on the Tuya backend found of devices, packages and parts, each as a sentence that holds now."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.backends.tuya import batching
from otactl.model import Device, Gate, Outcome, Reason, Stage, Strategy, Targets, Wave
from otactl_simulator.tuya import tasks as simulated_tasks
from tests.support.fuota_stage import edited
from tests.support.tuya_manifests import asked_for, lose_the_create, offline, reports, selected, store
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, block, package, plugs


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices, so that few devices take several."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def lamps(tuya_stage: TuyaStage, offline: str, count: int = 150):
    """A rollout to lamps whose tasks take two pages; one is offline."""
    names = tuple(f"lamp-{n:03}" for n in range(count))
    devices = [
        {
            "productKey": PRODUCT,
            "deviceName": n,
            "versions": {"default": "2.4.0"},
            "behaviour": "offline" if n == offline else "",
        }
        for n in names
    ]
    tuya_stage.cloud(devices=devices)
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    return plugs(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90)))


def shift_pages(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Let the task that waits move from the second page to the first after the first was read, in so many looks."""
    real, left = simulated_tasks.paged, [looks]

    def shifting(rows, page):
        waits = [r for r in rows if r["taskStatus"] == "QUEUED"]
        if len(waits) == 1 and left[0] > 0:
            rest = [r for r in rows if r["taskStatus"] != "QUEUED"]
            rows = rest + waits if page[0] == 1 else waits + rest
            left[0] -= page[0] == 2
        return real(rows, page)

    monkeypatch.setattr(simulated_tasks, "paged", shifting)


@pytest.mark.parametrize("looks", [1, 1000])
def test_a_wave_does_not_end_while_the_pages_of_its_tasks_hide_one_that_waits(
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    declared = lamps(tuya_stage, offline="lamp-007")
    tuya_stage.run(declared)
    tuya_stage.advance(600)
    shift_pages(monkeypatch, looks)

    tuya_stage.run(declared)

    assert tuya_stage.record("plug").attempts[0].stage is Stage.RUNNING


def test_a_list_of_tasks_that_shifted_once_is_read_again_and_judged(
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = lamps(tuya_stage, offline="")
    tuya_stage.run(declared)
    tuya_stage.advance(600)
    real, left = simulated_tasks.paged, [1]

    def shifting(rows, page):
        if page[0] == 1 and left[0]:
            left[0] = 0
            rows = list(reversed(rows))
        return real(rows, page)

    monkeypatch.setattr(simulated_tasks, "paged", shifting)

    tuya_stage.run(declared)

    results = tuya_stage.record("plug").attempts[0].results
    assert len(results) == 150
    assert {r.outcome for r in results} == {Outcome.SUCCEEDED}


def test_a_group_that_is_not_there_is_reported_as_that_and_nothing_is_waited_for(tuya_stage: TuyaStage) -> None:
    declared = selected(targetSelection="GROUP", groupId="nope")

    errors = [tuya_stage.run(declared).rollouts[0].error for _ in range(2)]

    assert all(e.startswith("RequestRefused:") and "group nope does not exist" in e for e in errors)
    assert tuya_stage.record("plug").intents == ()


OTHERS = {
    "of another module": ({"module": "ble"}, "module ble and not default"),
    "of another product": ({"productKey": "zzz"}, f"product zzz and not {PRODUCT}"),
    "of another version": ({"destVersion": "9.9.9"}, "version 9.9.9 and not 2.4.1"),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("runs", ["2.4.0", "2.4.1"])
def test_a_package_named_by_its_id_that_is_another_holds_though_devices_have_the_version(
    tuya_stage: TuyaStage, other: str, runs: str
) -> None:
    changes, reported = OTHERS[other]
    tuya_stage.cloud(products=[{"productKey": PRODUCT, "modules": ["ble"]}, {"productKey": "zzz"}])
    tuya_stage.cloud(firmwares=[package(firmwareId="1003", **changes)])
    devices = [{"productKey": PRODUCT, "deviceName": p, "versions": {"default": runs}} for p in PLUGS]
    tuya_stage.cloud(devices=devices)

    report = tuya_stage.cron(plugs(backend=block(firmwareId="1003")), rounds=2)

    (hold,) = report.rollouts[0].holds
    assert (hold.reason, hold.stalled) == ("image_is_unreadable", True)
    assert reported in hold.message
    assert tuya_stage.batches() == []


@pytest.mark.usefixtures("twos")
def test_a_part_of_devices_with_a_version_not_asked_for_does_not_keep_its_wave_from_ending(
    tuya_stage: TuyaStage,
) -> None:
    reports(tuya_stage, "2.3.0", *PLUGS[4:])

    tuya_stage.cron(plugs(backend=block(srcVersions=["2.4.0"])), rounds=4)

    fleet = tuya_stage.record("plug").wave("fleet")
    failed = {r.device: (r.reason, r.detail) for r in fleet.attempts[0].results if r.outcome is Outcome.FAILED}
    reported = (Reason.VERSION, "it reports 2.3.0, which srcVersions does not name")
    assert failed == dict.fromkeys(PLUGS[4:], reported)
    assert fleet.verdict is not None
    assert len(tuya_stage.batches()) == 2


def test_a_wave_of_devices_with_a_version_not_asked_for_says_so_and_asks_for_no_batch(tuya_stage: TuyaStage) -> None:
    reports(tuya_stage, "2.3.0", *PLUGS[:2])

    report = tuya_stage.run(plugs(backend=block(srcVersions=["2.4.0"])))

    assert [h.reason for h in report.rollouts[0].holds] == ["target_is_not_ready"] * 2
    assert "plug-1: it reports 2.3.0, which srcVersions does not name" in report.rollouts[0].holds[0].message
    assert asked_for(tuya_stage) == []


@pytest.mark.usefixtures("twos")
def test_a_device_that_went_while_its_part_was_to_be_made_fails_and_the_others_of_the_part_go_on(
    tuya_stage: TuyaStage,
) -> None:
    tuya_stage.run()
    tuya_stage.advance(600)
    lose_the_create(tuya_stage, plugs(), "throttle")
    made = {t["deviceName"] for b in tuya_stage.batches() for t in b["tasks"]}
    gone, stays = sorted(set(PLUGS[2:]) - made)
    del store(tuya_stage).devices[(PRODUCT, gone)]
    tuya_stage.advance(60)

    tuya_stage.cron(rounds=3)

    results = {r.device: r for r in tuya_stage.record("plug").wave("fleet").attempts[0].results}
    assert (results[gone].outcome, results[gone].reason) == (Outcome.FAILED, Reason.REMOVED)
    assert results[gone].detail == "it is not there any more"
    assert results[stays].outcome is Outcome.SUCCEEDED


@pytest.mark.usefixtures("twos")
def test_a_part_whose_every_device_is_gone_does_not_keep_its_wave_from_ending(tuya_stage: TuyaStage) -> None:
    tuya_stage.run()
    tuya_stage.advance(600)
    lose_the_create(tuya_stage, plugs(), "throttle")
    made = {t["deviceName"] for b in tuya_stage.batches() for t in b["tasks"]}
    for name in set(PLUGS[2:]) - made:
        del store(tuya_stage).devices[(PRODUCT, name)]
    tuya_stage.advance(600)

    tuya_stage.run()

    assert tuya_stage.record("plug").wave("fleet").attempts[0].stage is Stage.ENDED
    assert len(tuya_stage.batches()) == 2


def test_nothing_is_said_of_the_version_of_a_device_that_was_not_asked(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline("plug-2"))
    reports(tuya_stage, "2.4.1", "plug-1")
    tuya_stage.run()
    tuya_stage.advance(200)
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    tuya_stage.run(newer)
    tuya_stage.behave()

    tuya_stage.cron(newer, rounds=6)

    results = {r.device: r for r in tuya_stage.record("plug").wave("canary").attempts[0].results}
    assert results["plug-1"].reason is Reason.CANCELED
    assert results["plug-1"].detail == "the service made no task for it"


def test_a_task_in_a_status_no_one_knows_holds_its_wave_and_is_reported(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline")
    tuya_stage.run()
    task = next(t for t in store(tuya_stage).tasks.values() if t.device.name == "plug-1")
    task.shown.set(tuya_stage.now(), ("PAUSED", None, ""))
    tuya_stage.advance(600)

    report = tuya_stage.run()

    (hold,) = report.rollouts[0].holds
    reported = {e.field: e.observed for e in tuya_stage.record("plug").drift if e.open}
    assert (hold.reason, hold.stalled) == ("unit_status_is_unknown", True)
    assert reported["devices.unknown"] == {"devices": 1, "some": ["plug-1 (PAUSED)"]}


@pytest.mark.usefixtures("twos")
def test_devices_that_are_overdue_are_reported_with_the_batch_they_are_in(tuya_stage: TuyaStage) -> None:
    tuya_stage.run()
    tuya_stage.advance(600)
    tuya_stage.behave(plug_5="offline")
    tuya_stage.run()
    tuya_stage.advance(86400 + 3600)

    report = tuya_stage.run()

    (hold,) = report.rollouts[0].holds
    late = [b["jobId"] for b in tuya_stage.batches() if "plug-5" in {t["deviceName"] for t in b["tasks"]}]
    others = {b["jobId"] for b in tuya_stage.batches()} - set(late)
    assert hold.reason == "devices_are_overdue"
    assert f"cancel batch {late[0]} in Tuya's console" in hold.message
    assert not any(other in hold.message for other in others)
