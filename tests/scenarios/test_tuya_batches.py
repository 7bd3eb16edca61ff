"""What a Tuya wave is made of: several batches for many devices, confirmations, devices the service selects itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.backends.tuya import batching
from otactl.model import Device, DriftPolicy, Gate, Outcome, Phase, Stage, Strategy, Targets, Wave
from tests.support.fuota_stage import edited
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, block, package, plugs


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def creates(gate: TuyaStage) -> list[list[str]]:
    made = [r for r in gate.server.world.requests if r["operation"] == "CreateOTAStaticUpgradeJob"]
    return [r["parameters"].get("TargetDeviceName") for r in made]


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices, so that few devices take several."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def test_more_than_two_hundred_devices_are_one_wave_of_several_batches(gate: TuyaStage) -> None:
    names = tuple(f"lamp-{n:03}" for n in range(201))
    versions = {"default": "2.4.0"}
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": n, "versions": versions} for n in names])
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    declared = plugs(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=100)))

    gate.cron(declared, rounds=2)

    (attempt,) = gate.record("plug").attempts
    assert [len(n) for n in sorted(creates(gate), key=len)] == [1, 200]
    assert (attempt.stage, len(attempt.results), len(attempt.ids_by_call)) == (Stage.ENDED, 201, 2)
    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert gate.record("plug").drift == ()
    assert {n: count for n, count in gate.installs().items() if n in names} == dict.fromkeys(names, 1)


@pytest.mark.usefixtures("twos")
def test_a_quiet_pass_over_several_batches_writes_nothing(gate: TuyaStage) -> None:
    gate.behave(**{p.replace("-", "_"): "offline" for p in PLUGS[2:]})
    gate.cron(rounds=2)
    quiet = gate.transport()

    gate.run(transport=quiet)

    assert quiet.stats.writes == 0
    assert len(gate.batches()) == 3
    assert gate.record("plug").attempts[1].progress == {"queued": 4}


CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "nth": 1}


def begin_fleet(gate: TuyaStage, effect: str):
    """The canary passes; of the fleet's two batches one is hit by a fault."""
    gate.run()
    gate.advance(600)
    gate.server.world.faults.replace([{**CREATE, "effect": effect}])
    report = gate.run()
    gate.server.world.faults.replace([])
    return report


@pytest.mark.usefixtures("twos")
@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit"])
def test_of_several_batches_only_the_one_that_was_not_made_is_made_later(gate: TuyaStage, effect: str) -> None:
    begin_fleet(gate, effect)

    gate.cron(rounds=7)

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert len(gate.batches()) == 3
    assert gate.installs() == dict.fromkeys(PLUGS, 1)
    assert gate.record("plug").drift == ()
    assert gate.record("plug").intents == ()


@pytest.mark.usefixtures("twos")
def test_a_batch_that_may_still_arrive_is_waited_for_though_the_others_have_ended(gate: TuyaStage) -> None:
    begin_fleet(gate, "timeoutBeforeCommit")
    gate.advance(600)

    early = gate.run()
    gate.advance(500)
    settled = gate.run()
    gate.advance(130)
    gate.run()
    gate.run()

    assert holds(early) == holds(settled) == ["change_not_visible_yet"]
    assert early.rollouts[0].phase == "Progressing"
    assert len(gate.batches()) == 3


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_held_for_a_device_that_got_other_work_meanwhile(gate: TuyaStage) -> None:
    begin_fleet(gate, "throttle")
    gate.advance(300)
    gate.server.world.advance()
    rest = {*PLUGS[2:]} - {d for d, n in gate.installs().items() if n}
    gate.advance(60)
    gate.behave(**{p.replace("-", "_"): "offline" for p in rest})
    gate.foreign_batch(min(rest))

    report = gate.run()

    assert holds(report) == ["target_is_busy"]
    assert len(gate.batches()) == 3  # one of them is the foreign one


@pytest.mark.usefixtures("twos")
def test_other_content_cancels_every_batch_of_a_wave(gate: TuyaStage) -> None:
    gate.behave(**{p.replace("-", "_"): "offline" for p in PLUGS[2:]})
    gate.cron(rounds=2)
    gate.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    gate.run(newer)
    gate.behave()

    gate.cron(newer)

    assert [b["status"] for b in gate.batches()[1:3]] == ["CANCELED", "CANCELED"]
    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert gate.record("plug").version == "2.5.0"


@pytest.mark.usefixtures("twos")
def test_a_device_of_several_batches_that_fails_counts_against_the_whole_wave(gate: TuyaStage) -> None:
    gate.behave(plug_3="failsFlash")

    report = gate.cron(rounds=4)

    assert holds(report) == ["success_rate_is_too_low"]
    assert gate.record("plug").wave("fleet").verdict.percent == 75.0


def test_waiting_tasks_of_the_waves_named_are_confirmed_and_of_others_not(gate: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    gate.run(waits)
    gate.advance(300)
    held = gate.run(waits)
    confirmed = edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"]))

    gate.cron(confirmed, rounds=4)

    record = gate.record("plug")
    assert held.rollouts[0].actions == ()
    assert [len(a.results) for a in record.attempts] == [2, 0]
    assert record.attempts[1].progress == {"toConfirm": 4}
    assert len(gate.batches()) == 2
    assert not any(e.open for e in record.drift)


def test_more_than_ten_tasks_are_confirmed_in_calls_of_ten(gate: TuyaStage) -> None:
    names = tuple(f"lamp-{n:02}" for n in range(11))
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": n, "versions": {"default": "1.0"}} for n in names])
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    base = plugs(strategy=Strategy(waves=(wave,)), backend=block(needConfirm=True))
    gate.run(base)
    gate.advance(60)

    gate.cron(edited(base, backend=block(needConfirm=True, confirmWaves=["all"])), rounds=2)

    asked = [r["parameters"]["TaskId"] for r in gate.server.world.requests if r["operation"] == "ConfirmOTATask"]
    assert sorted(len(ids) for ids in asked) == [1, 10]
    assert gate.record("plug").phase is Phase.SUCCEEDED


def test_a_task_somebody_confirmed_meanwhile_does_not_keep_the_others_waiting(gate: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    gate.run(waits)
    gate.advance(60)
    (task,) = [
        t["taskId"]
        for t in gate.by_hand("ListOTAUnfinishedTaskByDevice", DeviceName="plug-1")["data"]["simpleOTATaskInfo"]
    ]
    gate.behave(plug_1="offline")
    rule = {"service": "tuya", "operation": "ListOTATaskByJob", "nth": 1, "effect": "staleRead"}
    gate.by_hand("ConfirmOTATask", TaskId=[task])
    gate.server.world.faults.replace([rule])
    confirmed = edited(waits, backend=block(needConfirm=True, confirmWaves=["canary", "fleet"]))

    gate.run(confirmed)
    gate.behave()
    gate.cron(confirmed)

    assert gate.record("plug").phase is Phase.SUCCEEDED


def selected(**changes: object):
    """One wave whose devices the service selects."""
    return plugs(backend=block(**changes), strategy=Strategy(waves=(Wave(name="all"),), allow_downgrade=True))


def test_all_devices_of_a_product_are_one_batch_judged_by_its_tasks(gate: TuyaStage) -> None:
    gate.behave(plug_6="failsFlash")

    report = gate.cron(selected(targetSelection="ALL"), rounds=3)

    record = gate.record("plug")
    outcomes = {r.device: r.outcome for r in record.attempts[0].results}
    assert creates(gate) == [None]
    assert outcomes == dict.fromkeys(PLUGS[:5], Outcome.SUCCEEDED) | {"plug-6": Outcome.FAILED}
    assert holds(report) == ["success_rate_is_too_low"]
    assert {e.field for e in record.drift} <= {"devices.failed"}


def test_a_percent_of_a_product_is_chosen_by_the_service(gate: TuyaStage) -> None:
    gate.cron(selected(targetSelection="GRAY", grayPercent=50), rounds=3)

    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert (len(record.attempts[0].results), sum(gate.installs().values())) == (3, 3)
    assert record.drift == ()


def test_a_group_of_the_service_is_one_batch_of_its_devices(gate: TuyaStage) -> None:
    gate.cloud(groups=[{"groupId": "g-77", "productKey": PRODUCT, "devices": list(PLUGS[:4])}])

    gate.cron(selected(targetSelection="GROUP", groupId="g-77"), rounds=3)

    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert [r.device for r in record.attempts[0].results] == list(PLUGS[:4])
    assert record.drift == ()


def test_a_lost_answer_about_a_whole_product_is_found_by_its_kind_and_time(gate: TuyaStage) -> None:
    gate.fault(service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutAfterCommit")

    gate.cron(selected(targetSelection="ALL"), rounds=4)

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert len(gate.batches()) == 1


def test_only_reported_drift_confirms_what_the_manifest_asks_for_anew(gate: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True), drift=DriftPolicy(mode="report"))
    gate.run(waits)
    gate.advance(60)

    gate.cron(edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"])), rounds=2)

    assert len(gate.record("plug").attempts[0].results) == 2
