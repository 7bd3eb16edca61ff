"""What an attack on the Tuya sibling found, each as a sentence that holds now."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from controller.backends import _tuya_parts
from controller.model import Device, Gate, Outcome, Phase, Reason, Stage, Strategy, Targets, Wave
from simulator.tuya import tasks as simulated_tasks
from tests.ground import edited
from tests.tuya_attack import asked_for, lose_the_create, offline, one, selected, store
from tests.tuya_ground import PLUGS, PRODUCT, TuyaGround, block, package, plugs


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices, so that few devices take several."""
    monkeypatch.setattr(_tuya_parts, "MOST_NAMES", 2)


def lamps(gate: TuyaGround, offline: str, count: int = 150):
    """A rollout to lamps whose tasks take two pages; one is offline."""
    names = tuple(f"lamp-{n:03}" for n in range(count))
    devices = [
        {
            "productKey": PRODUCT, "deviceName": n, "versions": {"default": "2.4.0"},
            "behaviour": "offline" if n == offline else "",
        }
        for n in names
    ]  # fmt: skip
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
    gate: TuyaGround, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    declared = lamps(gate, offline="lamp-007")
    gate.run(declared)
    gate.advance(600)
    shift_pages(monkeypatch, looks)

    gate.run(declared)

    assert gate.record("plug").attempts[0].stage is Stage.RUNNING


def test_a_list_of_tasks_that_shifted_once_is_read_again_and_judged(
    gate: TuyaGround, monkeypatch: pytest.MonkeyPatch
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


def test_a_group_that_is_not_there_is_told_as_that_and_nothing_is_waited_for(gate: TuyaGround) -> None:
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
    gate: TuyaGround, other: str, runs: str
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


def reports(gate: TuyaGround, version: str, *names: str) -> None:
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": n, "versions": {"default": version}} for n in names])


@pytest.mark.usefixtures("twos")
def test_a_part_of_devices_with_a_version_not_asked_for_does_not_keep_its_wave_from_ending(gate: TuyaGround) -> None:
    reports(gate, "2.3.0", *PLUGS[4:])

    gate.cron(plugs(backend=block(srcVersions=["2.4.0"])), rounds=4)

    fleet = gate.record("plug").wave("fleet")
    failed = {r.device: (r.reason, r.detail) for r in fleet.attempts[0].results if r.outcome is Outcome.FAILED}
    told = (Reason.VERSION, "it reports 2.3.0, which srcVersions does not name")
    assert failed == dict.fromkeys(PLUGS[4:], told)
    assert fleet.verdict is not None
    assert len(gate.batches()) == 2


def test_a_wave_of_devices_with_a_version_not_asked_for_says_so_and_asks_for_no_batch(gate: TuyaGround) -> None:
    reports(gate, "2.3.0", *PLUGS[:2])

    report = gate.run(plugs(backend=block(srcVersions=["2.4.0"])))

    assert [h.reason for h in report.rollouts[0].holds] == ["target_is_not_ready"] * 2
    assert "plug-1: it reports 2.3.0, which srcVersions does not name" in report.rollouts[0].holds[0].message
    assert asked_for(gate) == []


@pytest.mark.usefixtures("twos")
def test_a_device_that_went_while_its_part_was_to_be_made_fails_and_the_others_of_the_part_go_on(
    gate: TuyaGround,
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
def test_a_part_whose_every_device_is_gone_does_not_keep_its_wave_from_ending(gate: TuyaGround) -> None:
    gate.run()
    gate.advance(600)
    lose_the_create(gate, plugs(), "throttle")
    made = {t["deviceName"] for b in gate.batches() for t in b["tasks"]}
    for name in set(PLUGS[2:]) - made:
        del store(gate).devices[(PRODUCT, name)]
    gate.advance(600)

    gate.run()

    assert gate.record("plug").wave("fleet").attempts[0].stage is Stage.JUDGED
    assert len(gate.batches()) == 2


def test_nothing_is_said_of_the_version_of_a_device_that_was_not_asked(gate: TuyaGround) -> None:
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


SELECTIONS = [{"targetSelection": "ALL"}, {"targetSelection": "GRAY", "grayPercent": 50}]


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_a_batch_to_a_whole_product_is_not_made_again_when_the_journal_is_lost(
    gate: TuyaGround, chosen: dict[str, object]
) -> None:
    gate.behave(**offline(*PLUGS))
    gate.run(selected(**chosen))
    for file in gate.folder.glob("journal.db*"):
        file.unlink()
    gate.advance(600)

    report = gate.run(selected(**chosen))

    (hold,) = report.rollouts[0].holds
    (batch,) = gate.batches()
    assert hold.reason == "target_is_busy"
    assert f"product {PRODUCT} still has other work: batch {batch['jobId']} of package 1001 has" in hold.message


def test_a_batch_to_a_whole_product_waits_for_the_work_of_others_and_then_goes(gate: TuyaGround) -> None:
    gate.behave(plug_1="offline")
    foreign = gate.foreign_batch("plug-1")
    held = gate.run(selected(targetSelection="ALL"))
    gate.behaviours()

    gate.cron(selected(targetSelection="ALL"), rounds=3)

    assert [h.reason for h in held.rollouts[0].holds] == ["target_is_busy"]
    assert foreign in held.rollouts[0].holds[0].message
    assert gate.record("plug").phase is Phase.SUCCEEDED


def test_a_batch_to_a_whole_product_waits_for_another_rollout_at_one_of_its_devices(gate: TuyaGround) -> None:
    gate.behave(**offline(*PLUGS))
    narrow = one("plug", "plug-1")
    gate.run(narrow)
    gate.advance(300)
    gate.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = replace(plugs().firmware, version="2.5.0")

    report = gate.run(narrow, replace(selected(targetSelection="ALL"), name="zz", firmware=newer))

    assert [h.reason for h in report.rollouts[1].holds] == ["target_is_busy"]
    assert len(gate.batches()) == 1


def test_a_batch_that_says_it_runs_though_its_tasks_have_ended_holds_nobody(gate: TuyaGround) -> None:
    gate.foreign_batch("plug-1")
    gate.advance(300)
    gate.server.world.advance()
    job = next(iter(store(gate).jobs.values()))
    job.status.set(gate.now(), "IN_PROGRESS")

    gate.run(selected(targetSelection="ALL"))

    assert len(gate.batches()) == 2


def test_where_nobody_is_left_to_upgrade_the_refusal_says_what_to_look_at(gate: TuyaGround) -> None:
    reports(gate, "2.4.1", *PLUGS)

    errors = [gate.run(selected(targetSelection="ALL")).rollouts[0].error for _ in range(2)]

    assert all(e.startswith("NobodyLeft:") and "if they have it, take the wave out" in e for e in errors)
    assert gate.record("plug").intents == ()


def test_a_batch_that_reaches_nobody_passes_no_wave(gate: TuyaGround) -> None:
    gate.server.world.apply_settings({"tuyaNobodyLeft": "emptyBatch"})
    reports(gate, "2.4.1", *PLUGS)

    report = gate.cron(selected(targetSelection="ALL"), rounds=3)

    assert [h.reason for h in report.rollouts[0].holds] == ["success_rate_is_too_low"]
    assert "of 0 devices" in report.rollouts[0].holds[0].message
