"""What a Tuya wave is made of: several batches for many devices, confirmations, devices the service selects itself."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.backends.tuya import batching
from otactl.model import Device, DriftPolicy, Gate, Outcome, Phase, Stage, Strategy, Targets, Wave, Window
from tests.support.fuota_stage import edited
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, block, package, plugs


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def creates(tuya_stage: TuyaStage) -> list[list[str]]:
    made = [r for r in tuya_stage.server.world.requests if r["operation"] == "CreateOTAStaticUpgradeJob"]
    return [r["parameters"].get("TargetDeviceName") for r in made]


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices, so that few devices take several."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def test_more_than_two_hundred_devices_are_one_wave_of_several_batches(tuya_stage: TuyaStage) -> None:
    names = tuple(f"lamp-{n:03}" for n in range(201))
    versions = {"default": "2.4.0"}
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": n, "versions": versions} for n in names])
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    declared = plugs(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=100)))

    tuya_stage.cron(declared, rounds=2)

    (attempt,) = tuya_stage.record("plug").attempts
    assert [len(n) for n in sorted(creates(tuya_stage), key=len)] == [1, 200]
    assert (attempt.stage, len(attempt.results), len(attempt.ids_by_call)) == (Stage.ENDED, 201, 2)
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.record("plug").drift == ()
    assert {n: count for n, count in tuya_stage.installs().items() if n in names} == dict.fromkeys(names, 1)


@pytest.mark.usefixtures("twos")
def test_a_quiet_pass_over_several_batches_writes_nothing(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**{p.replace("-", "_"): "offline" for p in PLUGS[2:]})
    tuya_stage.cron(rounds=2)
    quiet = tuya_stage.transport()

    tuya_stage.run(transport=quiet)

    assert quiet.stats.writes == 0
    assert len(tuya_stage.batches()) == 3
    assert tuya_stage.record("plug").attempts[1].progress == {"queued": 4}


CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "nth": 1}


def begin_fleet(tuya_stage: TuyaStage, effect: str):
    """The canary passes; of the fleet's two batches one is hit by a fault."""
    tuya_stage.run()
    tuya_stage.advance(600)
    tuya_stage.server.world.faults.replace([{**CREATE, "effect": effect}])
    report = tuya_stage.run()
    tuya_stage.server.world.faults.replace([])
    return report


@pytest.mark.usefixtures("twos")
@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit"])
def test_of_several_batches_only_the_one_that_was_not_made_is_made_later(tuya_stage: TuyaStage, effect: str) -> None:
    begin_fleet(tuya_stage, effect)

    tuya_stage.cron(rounds=7)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 3
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert tuya_stage.record("plug").drift == ()
    assert tuya_stage.record("plug").intents == ()


@pytest.mark.usefixtures("twos")
def test_a_batch_that_may_still_arrive_is_waited_for_though_the_others_have_ended(tuya_stage: TuyaStage) -> None:
    begin_fleet(tuya_stage, "timeoutBeforeCommit")
    tuya_stage.advance(600)

    early = tuya_stage.run()
    tuya_stage.advance(500)
    settled = tuya_stage.run()
    tuya_stage.advance(130)
    tuya_stage.run()
    tuya_stage.run()

    assert holds(early) == holds(settled) == ["change_not_visible_yet"]
    assert early.rollouts[0].phase == "Progressing"
    assert len(tuya_stage.batches()) == 3


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_held_for_a_device_that_got_other_work_meanwhile(tuya_stage: TuyaStage) -> None:
    begin_fleet(tuya_stage, "throttle")
    tuya_stage.advance(300)
    tuya_stage.server.world.advance()
    rest = {*PLUGS[2:]} - {d for d, n in tuya_stage.installs().items() if n}
    tuya_stage.advance(60)
    tuya_stage.behave(**{p.replace("-", "_"): "offline" for p in rest})
    tuya_stage.foreign_batch(min(rest))

    report = tuya_stage.run()

    assert holds(report) == ["target_is_busy"]
    assert len(tuya_stage.batches()) == 3  # one of them is the foreign one


@pytest.mark.usefixtures("twos")
@pytest.mark.parametrize("gate", [Gate(min_success_percent=50), Gate(min_success_percent=50, confidence=0.55)])
def test_a_wave_does_not_pass_before_its_last_batch_was_made(tuya_stage: TuyaStage, gate: Gate) -> None:
    now = tuya_stage.now()
    night = Window(
        schedule=f"{now.minute} {now.hour} * * *", duration="1h", time_zone="UTC", kind="allow", overrun="finish"
    )
    waves = tuple(
        Wave(name=n, targets=Targets(devices=tuple(Device(id=d) for d in names)))
        for n, names in (("canary", PLUGS[:4]), ("fleet", PLUGS[4:]))
    )
    strategy = Strategy(waves=waves, gate=replace(gate, silence_after="6h"))
    rollout = plugs(strategy=strategy, windows=(night,))
    tuya_stage.server.world.faults.replace([{**CREATE, "effect": "throttle"}])
    tuya_stage.run(rollout)
    tuya_stage.server.world.faults.replace([])

    tuya_stage.advance(7 * 3600)
    closed = tuya_stage.run(rollout)
    (attempt,) = tuya_stage.record("plug").attempts
    verdict = tuya_stage.record("plug").wave("canary").verdict
    tuya_stage.advance(17 * 3600)
    tuya_stage.cron(rollout, rounds=4)

    assert (holds(closed), verdict) == (["window_is_closed"], None)
    assert attempt.parts_missing
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


@pytest.mark.usefixtures("twos")
def test_other_content_cancels_every_batch_of_a_wave(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**{p.replace("-", "_"): "offline" for p in PLUGS[2:]})
    tuya_stage.cron(rounds=2)
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    tuya_stage.run(newer)
    tuya_stage.behave()

    tuya_stage.cron(newer)

    assert [b["status"] for b in tuya_stage.batches()[1:3]] == ["CANCELED", "CANCELED"]
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.record("plug").version == "2.5.0"


@pytest.mark.usefixtures("twos")
def test_a_device_of_several_batches_that_fails_counts_against_the_whole_wave(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_3="failsFlash")

    report = tuya_stage.cron(rounds=4)

    assert holds(report) == ["success_rate_is_too_low"]
    assert tuya_stage.record("plug").wave("fleet").verdict.percent == 75.0


def test_waiting_tasks_of_the_waves_named_are_confirmed_and_of_others_not(tuya_stage: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    tuya_stage.run(waits)
    tuya_stage.advance(300)
    held = tuya_stage.run(waits)
    confirmed = edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"]))

    tuya_stage.cron(confirmed, rounds=4)

    record = tuya_stage.record("plug")
    assert held.rollouts[0].actions == ()
    assert [len(a.results) for a in record.attempts] == [2, 0]
    assert record.attempts[1].progress == {"toConfirm": 4}
    assert len(tuya_stage.batches()) == 2
    assert not any(e.open for e in record.drift)


def test_more_than_ten_tasks_are_confirmed_in_calls_of_ten(tuya_stage: TuyaStage) -> None:
    names = tuple(f"lamp-{n:02}" for n in range(11))
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": n, "versions": {"default": "1.0"}} for n in names])
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    base = plugs(strategy=Strategy(waves=(wave,)), backend=block(needConfirm=True))
    tuya_stage.run(base)
    tuya_stage.advance(60)

    tuya_stage.cron(edited(base, backend=block(needConfirm=True, confirmWaves=["all"])), rounds=2)

    asked = [r["parameters"]["TaskId"] for r in tuya_stage.server.world.requests if r["operation"] == "ConfirmOTATask"]
    assert sorted(len(ids) for ids in asked) == [1, 10]
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_a_task_someone_confirmed_meanwhile_does_not_keep_the_others_waiting(tuya_stage: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    tuya_stage.run(waits)
    tuya_stage.advance(60)
    (task,) = [
        t["taskId"]
        for t in tuya_stage.by_hand("ListOTAUnfinishedTaskByDevice", DeviceName="plug-1")["data"]["simpleOTATaskInfo"]
    ]
    tuya_stage.behave(plug_1="offline")
    rule = {"service": "tuya", "operation": "ListOTATaskByJob", "nth": 1, "effect": "staleRead"}
    tuya_stage.by_hand("ConfirmOTATask", TaskId=[task])
    tuya_stage.server.world.faults.replace([rule])
    confirmed = edited(waits, backend=block(needConfirm=True, confirmWaves=["canary", "fleet"]))

    tuya_stage.run(confirmed)
    tuya_stage.behave()
    tuya_stage.cron(confirmed)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def selected(**changes: object):
    """One wave whose devices the service selects."""
    return plugs(backend=block(**changes), strategy=Strategy(waves=(Wave(name="all"),), allow_downgrade=True))


def test_all_devices_of_a_product_are_one_batch_judged_by_its_tasks(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_6="failsFlash")

    report = tuya_stage.cron(selected(targetSelection="ALL"), rounds=3)

    record = tuya_stage.record("plug")
    outcomes = {r.device: r.outcome for r in record.attempts[0].results}
    assert creates(tuya_stage) == [None]
    assert outcomes == dict.fromkeys(PLUGS[:5], Outcome.SUCCEEDED) | {"plug-6": Outcome.FAILED}
    assert holds(report) == ["success_rate_is_too_low"]
    assert {e.field for e in record.drift} <= {"devices.failed"}


def test_a_percent_of_a_product_is_chosen_by_the_service(tuya_stage: TuyaStage) -> None:
    tuya_stage.cron(selected(targetSelection="GRAY", grayPercent=50), rounds=3)

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert (len(record.attempts[0].results), sum(tuya_stage.installs().values())) == (3, 3)
    assert record.drift == ()


def test_a_group_of_the_service_is_one_batch_of_its_devices(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(groups=[{"groupId": "g-77", "productKey": PRODUCT, "devices": list(PLUGS[:4])}])

    tuya_stage.cron(selected(targetSelection="GROUP", groupId="g-77"), rounds=3)

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert [r.device for r in record.attempts[0].results] == list(PLUGS[:4])
    assert record.drift == ()


def test_a_lost_answer_about_a_whole_product_is_found_by_its_kind_and_time(tuya_stage: TuyaStage) -> None:
    tuya_stage.fault(service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutAfterCommit")

    tuya_stage.cron(selected(targetSelection="ALL"), rounds=4)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 1


def test_only_reported_drift_confirms_what_the_manifest_asks_for_again(tuya_stage: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True), drift=DriftPolicy(mode="report"))
    tuya_stage.run(waits)
    tuya_stage.advance(60)

    tuya_stage.cron(edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"])), rounds=2)

    assert len(tuya_stage.record("plug").attempts[0].results) == 2
