"""Answers that come late, and successes that are lost again while a wave has to stay well."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Gate, Outcome, Phase, Retry, Stage, VersionConfirm, VersionProof, Wave
from tests.support.fuota_stage import FuotaStage, edited
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import PRODUCT, TuyaStage
from tests.support.wave_fleets import FuotaWaveFleet, OtaWaveFleet, TuyaWaveFleet, WaveFleet, holds, wave_fleet

SHADOW = VersionConfirm(version=VersionProof(shadow="reported.firmware.version"), within="24h")
MODULE = VersionConfirm(version=VersionProof(module="default"), within="24h")
SOAK = Gate(min_success_percent=100, soak="12h")


@pytest.fixture
def things(ota_stage: OtaStage) -> OtaWaveFleet:
    made = OtaWaveFleet(ota_stage)
    made.behave()
    return made


@pytest.fixture
def plugs(tuya_stage: TuyaStage) -> TuyaWaveFleet:
    made = TuyaWaveFleet(tuya_stage)
    made.behave()
    return made


def test_a_version_lost_in_the_last_minute_of_the_soak_fails_the_wave(things: OtaWaveFleet) -> None:
    soaked = things.rollout(gate=SOAK, confirm=SHADOW)
    passed = things.cron(soaked, rounds=4)
    things.stage.advance(11 * 3600)
    back = {"state": {"reported": {"firmware": {"version": "2.4.0"}}}}
    things.stage.shadow.update_thing_shadow(thingName=things.names[0], payload=json.dumps(back))

    things.run(soaked)
    things.stage.advance(3600)
    report = things.cron(soaked, rounds=2)

    assert holds(passed) == ["soak_is_running"]
    assert holds(report) == ["success_rate_is_too_low"]
    assert things.makes() == 1
    results = {r.device: r.outcome for r in things.record.wave("canary").attempts[0].results}
    assert results[things.names[0]] is Outcome.FAILED


def test_a_version_that_comes_back_has_to_stay_for_the_whole_soak_again(things: OtaWaveFleet) -> None:
    soaked = things.rollout(gate=SOAK, confirm=SHADOW)
    things.cron(soaked, rounds=4)
    for version in ("2.4.0", "2.4.1"):
        reported = {"state": {"reported": {"firmware": {"version": version}}}}
        things.stage.shadow.update_thing_shadow(thingName=things.names[0], payload=json.dumps(reported))
        things.run(soaked)
        things.stage.advance(6 * 3600)

    during = things.run(soaked)
    things.stage.advance(6 * 3600 + 60)
    things.cron(soaked, rounds=2)

    assert holds(during) == ["soak_is_running"]
    assert things.makes() == 2


@pytest.mark.parametrize("lost", [True, False])
def test_a_soak_is_watched_again_after_other_content_was_declared_and_not_sent(
    things: OtaWaveFleet, lost: bool
) -> None:
    soaked = things.rollout(gate=SOAK, confirm=SHADOW)
    things.cron(soaked, rounds=4)
    missing = replace(soaked.firmware, version="2.5.0", sha256="e" * 64, image=f"s3://images/{'e' * 64}/none.bin")
    for _ in range(3):
        things.run(edited(soaked, firmware=missing))
        things.stage.advance(5 * 3600)
    back = {"state": {"reported": {"firmware": {"version": "2.4.0" if lost else "2.4.1"}}}}
    things.stage.shadow.update_thing_shadow(thingName=things.names[0], payload=json.dumps(back))

    report = things.cron(soaked, rounds=2)

    canary = things.record.wave("canary")
    assert canary.verdict is not None
    assert (canary.verdict.passed, canary.released) == (not lost, not lost)
    assert holds(report) == ["success_rate_is_too_low" if lost else "soak_is_running"]  # of the wave after it
    assert things.makes() == (1 if lost else 2)


def test_a_module_version_lost_in_the_soak_fails_the_wave(plugs: TuyaWaveFleet) -> None:
    soaked = plugs.rollout(gate=SOAK, confirm=MODULE)
    plugs.cron(soaked, rounds=4)
    lost = {"productKey": PRODUCT, "deviceName": plugs.names[1], "versions": {"default": "2.4.0"}}
    plugs.stage.cloud(devices=[lost])

    report = plugs.cron(soaked, rounds=2)

    assert holds(report) == ["success_rate_is_too_low"]
    assert plugs.makes() == 1


@pytest.mark.parametrize("kind", ["things", "plugs"])
def test_a_late_answer_decides_a_gate_that_had_too_few(kind: str, request: pytest.FixtureRequest) -> None:
    fleet: WaveFleet = request.getfixturevalue(kind)
    fleet.behave(silent=(0,))
    few = fleet.rollout(gate=Gate(min_success_percent=50, min_reported=10, silence_after="2h"))
    fleet.cron(few, rounds=3)
    fleet.stage.advance(2 * 3600)
    held = fleet.cron(few, rounds=2)
    fleet.behave()

    fleet.cron(few, rounds=8)

    assert holds(held) == ["too_few_reported"]
    assert fleet.record.phase is Phase.SUCCEEDED


def test_a_late_answer_of_a_lorawan_device_turns_the_verdict(fuota_stage: FuotaStage) -> None:
    fleet = FuotaWaveFleet(fuota_stage)
    fleet.behave(silent=(0,))
    patient = fleet.rollout(gate=Gate(min_success_percent=100, silence_after="2h"))
    fleet.cron(patient, rounds=3)
    fuota_stage.advance(3 * 3600)
    failed = fleet.run(patient)
    (task,) = fuota_stage.wireless.list_fuota_tasks()["FuotaTaskList"]
    answers_late(fuota_stage, str(task["Id"]), fleet.names[0])

    fleet.cron(patient, rounds=6)

    assert holds(failed) == ["success_rate_is_too_low"]
    assert fleet.record.phase is Phase.SUCCEEDED


def answers_late(fuota_stage: FuotaStage, task: str, device: str) -> None:
    """The device was out of reach and answers now: nothing in the service's API makes it."""
    service = fuota_stage.server.world.services["iotwireless"]
    for store in service._stores.all.values():
        store.tasks[task].statuses[device] = "Successful"


def test_a_scheduled_session_is_deleted_by_an_abort_and_one_on_air_goes_on(fuota_stage: FuotaStage) -> None:
    fleet = FuotaWaveFleet(fuota_stage)
    fleet.behave()
    fleet.run(fleet.rollout())
    fuota_stage.advance(200)
    fleet.run(fleet.rollout())
    scheduled = fleet.record.attempts[0].stage
    ended = fleet.cron(edited(fleet.rollout(), abort=Abort(reason="wrong file")), rounds=2)

    again = edited(fleet.rollout(), abort=None)
    fleet.cron(replace(again, abort=None), rounds=1)

    assert scheduled is Stage.SCHEDULED
    assert holds(ended) == ["aborted"]
    assert fuota_stage.images() == []
    assert fleet.makes() == 2  # what was taken back is made again once nothing ends it


def test_a_session_on_air_cannot_be_stopped_and_says_so(fuota_stage: FuotaStage) -> None:
    fleet = FuotaWaveFleet(fuota_stage)
    fleet.behave()
    for _ in range(3):
        fleet.run(fleet.rollout())
        fuota_stage.advance(200)
    start = fleet.record.attempts[0].start_at
    assert start is not None
    fuota_stage.server.world.clock.set(start)
    fuota_stage.advance(5)
    fleet.run(fleet.rollout())

    report = fleet.run(edited(fleet.rollout(), abort=Abort(reason="wrong file")))

    (hold,) = report.rollouts[0].holds
    assert hold.reason == "aborted"
    assert "will finish" in hold.message
    assert fleet.makes() == 1


@pytest.mark.parametrize("kind", ["things", "plugs"])
def test_devices_that_run_a_newer_version_are_not_taken_back_unless_that_is_said(
    kind: str, request: pytest.FixtureRequest
) -> None:
    fleet: WaveFleet = request.getfixturevalue(kind)
    if kind == "plugs":
        newer = {"productKey": PRODUCT, "deviceName": fleet.names[0], "versions": {"default": "2.10.0"}}
        fleet.stage.cloud(devices=[newer])
    else:
        reported = {"state": {"reported": {"firmware": {"version": "2.10.0"}}}}
        fleet.stage.shadow.update_thing_shadow(thingName=fleet.names[0], payload=json.dumps(reported))
    proof = MODULE if kind == "plugs" else SHADOW

    held = fleet.run(fleet.rollout(confirm=proof))
    fleet.cron(edited(fleet.rollout(confirm=proof, allow_downgrade=True)), rounds=6)

    assert holds(held) == ["downgrade_not_allowed"]
    assert "2.10.0" in held.rollouts[0].holds[0].message
    assert fleet.record.phase is Phase.SUCCEEDED


def test_a_retry_goes_out_while_the_attempt_before_is_watched_for_a_soak(plugs: TuyaWaveFleet) -> None:
    plugs.behave(fails=(0,))
    soaked = plugs.rollout(gate=SOAK, retry=Retry(attempts=2, on=(plugs.cure,)))

    plugs.cron(soaked, rounds=4)

    assert [a.try_number for a in plugs.record.wave("canary").attempts] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "cleanup"),
    [("tuya", "afterResults"), ("tuya", "never"), pytest.param("otaUpdate", "never", marks=pytest.mark.thorough)],
)
def test_a_retry_follows_when_the_unit_of_its_wave_ends_after_the_wave_passed(
    request: pytest.FixtureRequest, kind: str, cleanup: str
) -> None:
    fleet = wave_fleet(request, kind)
    fleet.behave(fails=(0,), silent=(1,))
    waves = (Wave(name="canary", targets=fleet.devices(0, 1, 4)), Wave(name="fleet", targets=fleet.devices(2, 3, 5)))
    gate = Gate(min_success_percent=30, silence_after="6h")
    rollout = replace(fleet.rollout(*waves, gate=gate, retry=Retry(attempts=2, on=(fleet.cure,))), cleanup=cleanup)
    fleet.cron(rollout, rounds=2)
    fleet.stage.advance(6 * 3600)

    fleet.cron(rollout, rounds=4)
    before = [len(w.attempts) for w in fleet.record.waves]
    fleet.behave()
    fleet.cron(rollout, rounds=6)

    assert before == [1, 1]
    assert fleet.stage.installs() == dict.fromkeys(fleet.names, 1)
    assert fleet.record.wave("canary").current.try_number == 2
    assert fleet.record.phase is Phase.SUCCEEDED
