"""A person works at the console on what a rollout has created: what it sends, judges and reports all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from otactl.model import DriftPolicy, Gate, Ignore, Phase, Rollout, Stage, Strategy, Suspend, Targets, Wave
from tests.support.fuota_stage import GROUPS, FuotaStage, declared, edited
from tests.support.tuya_stage import PLUGS, TuyaStage, block, plugs

HELD = Suspend(reason="bad firmware", owner="ada")
SETTLED = 130


def both_groups(**changes: object) -> Rollout:
    """One wave of two multicast groups."""
    wave = Wave(name="all", targets=Targets(multicast_groups=GROUPS))
    return declared(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90)), **changes)


def six_plugs(**changes: object) -> Rollout:
    """Six plugs in one wave."""
    first, second = plugs().strategy.waves
    targets = replace(first.targets, devices=(*first.targets.devices, *second.targets.devices))
    return plugs(strategy=Strategy(waves=(replace(first, targets=targets),), gate=changes.pop("gate")), **changes)


@pytest.mark.parametrize("unseen", [False, True])
def test_devices_of_a_group_taken_out_before_a_start_by_hand_count_as_silent(
    fuota_stage: FuotaStage, unseen: bool
) -> None:
    fuota_stage.deafen()
    fuota_stage.run(both_groups())
    fuota_stage.advance(SETTLED)
    fuota_stage.deafen(False)
    task = fuota_stage.task()["Id"]
    fuota_stage.wireless.disassociate_multicast_group_from_fuota_task(Id=task, MulticastGroupId=GROUPS[1])
    moment = fuota_stage.server.world.clock.now() + timedelta(minutes=31)
    fuota_stage.wireless.start_fuota_task(Id=task, LoRaWAN={"StartTime": moment})
    fuota_stage.advance(86400 if unseen else 60)

    fuota_stage.drive(both_groups(), rounds=4)

    record = fuota_stage.record()
    verdict = record.waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.unanswered, verdict.total) == (False, 3, 3, 6)
    assert record.phase is Phase.FAILED
    assert len(fuota_stage.images()) == 3
    assert {e.field for e in record.drift} == {"startTime", f"members.group:{GROUPS[1]}"}


@pytest.mark.parametrize("by_task", [True, False])
def test_a_device_that_joined_and_took_the_image_is_not_sent_it_by_its_own_wave(
    fuota_stage: FuotaStage, by_task: bool
) -> None:
    fuota_stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": by_task})
    fuota_stage.run(declared())
    joins = fuota_stage.stored("iotwireless")["devices"][1]
    fuota_stage.wireless.associate_wireless_device_with_multicast_group(Id=GROUPS[0], WirelessDeviceId=joins["id"])

    report = fuota_stage.drive(declared())

    (hold,) = report.rollouts[0].holds
    assert hold.reason == "targets_were_sent_already"
    assert joins["id"] in hold.message
    assert len(fuota_stage.made()) == 1
    fuota_stage.wireless.disassociate_wireless_device_from_multicast_group(Id=GROUPS[1], WirelessDeviceId=joins["id"])
    fuota_stage.drive(declared())
    assert fuota_stage.record().phase is Phase.SUCCEEDED


def test_a_lost_create_of_a_wave_that_was_removed_is_dropped(fuota_stage: FuotaStage) -> None:
    fuota_stage.fault(service="iotwireless", operation="CreateFuotaTask", effect="timeoutBeforeCommit")
    fuota_stage.run(declared())
    fuota_stage.server.world.faults.replace([])
    canary, fleet = declared().strategy.waves
    renamed = Strategy(waves=(replace(canary, name="first"), fleet), gate=declared().strategy.gate)

    fuota_stage.drive(edited(declared(), strategy=renamed))

    record = fuota_stage.record()
    assert (record.phase, record.intents) == (Phase.SUCCEEDED, ())
    assert record.wave("canary").attempts[0].stage is Stage.SUPERSEDED
    assert len(fuota_stage.made()) == 2


def test_a_plug_whose_task_was_canceled_by_hand_does_not_follow_a_suspension(tuya_stage: TuyaStage) -> None:
    rollout = six_plugs(gate=Gate(min_success_percent=80))
    tuya_stage.behave(plug_2="offline", plug_3="offline")
    tuya_stage.run(rollout)
    tuya_stage.advance(300)
    (batch,) = tuya_stage.batches()
    package = batch["firmwareId"]
    tuya_stage.by_hand("CancelOTATaskByDevice", FirmwareId=package, DeviceName=["plug-3"], JobId=batch["jobId"])
    tuya_stage.advance(60)
    tuya_stage.run(replace(rollout, suspend=HELD))
    tuya_stage.advance(600)
    tuya_stage.run(replace(rollout, suspend=HELD))
    tuya_stage.behaviours()

    tuya_stage.cron(rollout, rounds=4)

    record = tuya_stage.record("plug")
    assert [a.retry_targets for a in record.attempts] == [(), ("device:plug-2",)]
    assert record.phase is Phase.SUCCEEDED
    assert tuya_stage.installs() == {**dict.fromkeys(PLUGS, 1), "plug-3": 0}


def test_failures_of_a_batch_that_runs_weigh_what_the_gate_says(tuya_stage: TuyaStage) -> None:
    gate = Gate(min_success_percent=50, max_failures=1, weights={"download": 0.5})
    tuya_stage.behave(plug_1="failsDownload", plug_2="failsDownload", plug_3="slow")
    rollout = six_plugs(gate=gate)
    rollout = replace(rollout, strategy=replace(rollout.strategy, on_failure="abort"))
    tuya_stage.run(rollout)
    tuya_stage.advance(120)

    during = tuya_stage.run(rollout)
    tuya_stage.cron(rollout, rounds=3)

    assert during.rollouts[0].holds == ()
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def waiting_for_confirmation(tuya_stage: TuyaStage, **changes: object) -> Rollout:
    """Six plugs whose tasks otactl confirms."""
    block_ = block(needConfirm=True, confirmWaves=["canary"])
    return six_plugs(gate=Gate(min_success_percent=50, silence_after="24h"), backend=block_, **changes)


def test_a_cancel_by_hand_that_keeps_tasks_from_their_confirmation_is_named(tuya_stage: TuyaStage) -> None:
    rollout = waiting_for_confirmation(tuya_stage)
    tuya_stage.run(rollout)
    (batch,) = tuya_stage.batches()
    package = batch["firmwareId"]
    tuya_stage.by_hand("CancelOTATaskByDevice", FirmwareId=package, DeviceName=["plug-3"], JobId=batch["jobId"])
    tuya_stage.advance(300)

    (hold,) = tuya_stage.run(rollout).rollouts[0].holds

    assert hold.reason == "drift_is_open"
    assert "devices.canceled" in hold.message
    assert batch["jobId"] in hold.message
    tuya_stage.advance(86400)
    (failed,) = tuya_stage.run(rollout).rollouts[0].holds
    assert failed.reason == "success_rate_is_too_low"
    assert batch["jobId"] in failed.message
    accepted = DriftPolicy(ignore=(Ignore(field="devices.canceled", reason="lent to the lab"),))
    lenient = replace(rollout.strategy, gate=Gate(min_success_percent=50))
    tuya_stage.cron(replace(rollout, drift=accepted, strategy=lenient), rounds=4)
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_tasks_are_confirmed_where_drift_is_only_reported(tuya_stage: TuyaStage) -> None:
    rollout = waiting_for_confirmation(tuya_stage, drift=DriftPolicy(mode="report"))

    tuya_stage.cron(rollout, rounds=4)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
