"""What an attack on the Tuya sibling found of devices, packages and parts, each as a sentence that holds now."""

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


def lamps(gate: TuyaStage, offline: str, count: int = 150):
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
    gate.cloud(devices=devices)
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
    gate: TuyaStage, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    declared = lamps(gate, offline="lamp-007")
    gate.run(declared)
    gate.advance(600)
    shift_pages(monkeypatch, looks)

    gate.run(declared)

    assert gate.record("plug").attempts[0].stage is Stage.RUNNING


def test_a_list_of_tasks_that_shifted_once_is_read_again_and_judged(
    gate: TuyaStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = lamps(gate, offline="")
    gate.run(declared)
    gate.advance(600)
    real, left = simulated_tasks.paged, [1]

    def shifting(rows, page):
        if page[0] == 1 and left[0]:
            left[0] = 0
            rows = list(reversed(rows))
        return real(rows, page)

    monkeypatch.setattr(simulated_tasks, "paged", shifting)

    gate.run(declared)

    results = gate.record("plug").attempts[0].results
    assert len(results) == 150
    assert {r.outcome for r in results} == {Outcome.SUCCEEDED}


def test_a_group_that_is_not_there_is_told_as_that_and_nothing_is_waited_for(gate: TuyaStage) -> None:
    declared = selected(targetSelection="GROUP", groupId="nope")

    errors = [gate.run(declared).rollouts[0].error for _ in range(2)]

    assert all(e.startswith("RequestRefused:") and "group nope does not exist" in e for e in errors)
    assert gate.record("plug").intents == ()


OTHERS = {
    "of another module": ({"module": "ble"}, "module ble and not default"),
    "of another product": ({"productKey": "zzz"}, f"product zzz and not {PRODUCT}"),
    "of another version": ({"destVersion": "9.9.9"}, "version 9.9.9 and not 2.4.1"),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("runs", ["2.4.0", "2.4.1"])
def test_a_package_named_by_its_id_that_is_another_holds_though_devices_have_the_version(
    gate: TuyaStage, other: str, runs: str
) -> None:
    changes, told = OTHERS[other]
    gate.cloud(products=[{"productKey": PRODUCT, "modules": ["ble"]}, {"productKey": "zzz"}])
    gate.cloud(firmwares=[package(firmwareId="1003", **changes)])
    devices = [{"productKey": PRODUCT, "deviceName": p, "versions": {"default": runs}} for p in PLUGS]
    gate.cloud(devices=devices)

    report = gate.cron(plugs(backend=block(firmwareId="1003")), rounds=2)

    (hold,) = report.rollouts[0].holds
    assert (hold.reason, hold.stalled) == ("image_is_unreadable", True)
    assert told in hold.message
    assert gate.batches() == []


@pytest.mark.usefixtures("twos")
def test_a_part_of_devices_with_a_version_not_asked_for_does_not_keep_its_wave_from_ending(gate: TuyaStage) -> None:
    reports(gate, "2.3.0", *PLUGS[4:])

    gate.cron(plugs(backend=block(srcVersions=["2.4.0"])), rounds=4)

    fleet = gate.record("plug").wave("fleet")
    failed = {r.device: (r.reason, r.detail) for r in fleet.attempts[0].results if r.outcome is Outcome.FAILED}
    told = (Reason.VERSION, "it reports 2.3.0, which srcVersions does not name")
    assert failed == dict.fromkeys(PLUGS[4:], told)
    assert fleet.verdict is not None
    assert len(gate.batches()) == 2


def test_a_wave_of_devices_with_a_version_not_asked_for_says_so_and_asks_for_no_batch(gate: TuyaStage) -> None:
    reports(gate, "2.3.0", *PLUGS[:2])

    report = gate.run(plugs(backend=block(srcVersions=["2.4.0"])))

    assert [h.reason for h in report.rollouts[0].holds] == ["target_is_not_ready"] * 2
    assert "plug-1: it reports 2.3.0, which srcVersions does not name" in report.rollouts[0].holds[0].message
    assert asked_for(gate) == []


@pytest.mark.usefixtures("twos")
def test_a_device_that_went_while_its_part_was_to_be_made_fails_and_the_others_of_the_part_go_on(
    gate: TuyaStage,
) -> None:
    gate.run()
    gate.advance(600)
    lose_the_create(gate, plugs(), "throttle")
    made = {t["deviceName"] for b in gate.batches() for t in b["tasks"]}
    gone, stays = sorted(set(PLUGS[2:]) - made)
    del store(gate).devices[(PRODUCT, gone)]
    gate.advance(60)

    gate.cron(rounds=3)

    results = {r.device: r for r in gate.record("plug").wave("fleet").attempts[0].results}
    assert (results[gone].outcome, results[gone].reason) == (Outcome.FAILED, Reason.REMOVED)
    assert results[gone].detail == "it is not there any more"
    assert results[stays].outcome is Outcome.SUCCEEDED


@pytest.mark.usefixtures("twos")
def test_a_part_whose_every_device_is_gone_does_not_keep_its_wave_from_ending(gate: TuyaStage) -> None:
    gate.run()
    gate.advance(600)
    lose_the_create(gate, plugs(), "throttle")
    made = {t["deviceName"] for b in gate.batches() for t in b["tasks"]}
    for name in set(PLUGS[2:]) - made:
        del store(gate).devices[(PRODUCT, name)]
    gate.advance(600)

    gate.run()

    assert gate.record("plug").wave("fleet").attempts[0].stage is Stage.ENDED
    assert len(gate.batches()) == 2


def test_nothing_is_said_of_the_version_of_a_device_that_was_not_asked(gate: TuyaStage) -> None:
    gate.behave(**offline("plug-2"))
    reports(gate, "2.4.1", "plug-1")
    gate.run()
    gate.advance(200)
    gate.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    gate.run(newer)
    gate.behave()

    gate.cron(newer, rounds=6)

    results = {r.device: r for r in gate.record("plug").wave("canary").attempts[0].results}
    assert results["plug-1"].reason is Reason.CANCELED
    assert results["plug-1"].detail == "the service made no task for it"


def test_a_task_in_a_status_nobody_knows_holds_its_wave_and_is_told(gate: TuyaStage) -> None:
    gate.behave(plug_1="offline")
    gate.run()
    task = next(t for t in store(gate).tasks.values() if t.device.name == "plug-1")
    task.shown.set(gate.now(), ("PAUSED", None, ""))
    gate.advance(600)

    report = gate.run()

    (hold,) = report.rollouts[0].holds
    told = {e.field: e.observed for e in gate.record("plug").drift if e.open}
    assert (hold.reason, hold.stalled) == ("unit_status_is_unknown", True)
    assert told["devices.unknown"] == {"devices": 1, "some": ["plug-1 (PAUSED)"]}


@pytest.mark.usefixtures("twos")
def test_devices_that_are_overdue_are_told_with_the_batch_they_are_in(gate: TuyaStage) -> None:
    gate.run()
    gate.advance(600)
    gate.behave(plug_5="offline")
    gate.run()
    gate.advance(86400 + 3600)

    report = gate.run()

    (hold,) = report.rollouts[0].holds
    late = [b["jobId"] for b in gate.batches() if "plug-5" in {t["deviceName"] for t in b["tasks"]}]
    others = {b["jobId"] for b in gate.batches()} - set(late)
    assert hold.reason == "devices_are_overdue"
    assert f"cancel batch {late[0]} in Tuya's console" in hold.message
    assert not any(other in hold.message for other in others)
