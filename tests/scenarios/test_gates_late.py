"""Answers that come late, and successes that are lost again while a wave has to stay well."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Gate, Outcome, Phase, Retry, Stage, VersionConfirm, VersionProof
from tests.support.fuota_stage import FuotaStage, edited
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import PRODUCT, TuyaStage
from tests.support.wave_fleets import FuotaPark, OtaPark, TuyaPark, WaveFleet, holds

SHADOW = VersionConfirm(version=VersionProof(shadow="reported.firmware.version"), within="24h")
MODULE = VersionConfirm(version=VersionProof(module="default"), within="24h")
SOAK = Gate(min_success_percent=100, soak="12h")


@pytest.fixture
def things(gateways: OtaStage) -> OtaPark:
    made = OtaPark(gateways)
    made.behave()
    return made


@pytest.fixture
def plugs(gate: TuyaStage) -> TuyaPark:
    made = TuyaPark(gate)
    made.behave()
    return made


def test_a_version_lost_in_the_last_minute_of_the_soak_fails_the_wave(things: OtaPark) -> None:
    soaked = things.rollout(gate=SOAK, confirm=SHADOW)
    passed = things.cron(soaked, rounds=4)
    things.ground.advance(11 * 3600)
    back = {"state": {"reported": {"firmware": {"version": "2.4.0"}}}}
    things.ground.shadow.update_thing_shadow(thingName=things.names[0], payload=json.dumps(back))

    things.run(soaked)
    things.ground.advance(3600)
    report = things.cron(soaked, rounds=2)

    assert holds(passed) == ["soak_is_running"]
    assert holds(report) == ["success_rate_is_too_low"]
    assert things.makes() == 1
    results = {r.device: r.outcome for r in things.record.wave("canary").attempts[0].results}
    assert results[things.names[0]] is Outcome.FAILED


def test_a_version_that_comes_back_has_to_stay_for_the_whole_soak_again(things: OtaPark) -> None:
    soaked = things.rollout(gate=SOAK, confirm=SHADOW)
    things.cron(soaked, rounds=4)
    for version in ("2.4.0", "2.4.1"):
        told = {"state": {"reported": {"firmware": {"version": version}}}}
        things.ground.shadow.update_thing_shadow(thingName=things.names[0], payload=json.dumps(told))
        things.run(soaked)
        things.ground.advance(6 * 3600)

    during = things.run(soaked)
    things.ground.advance(6 * 3600 + 60)
    things.cron(soaked, rounds=2)

    assert holds(during) == ["soak_is_running"]
    assert things.makes() == 2


def test_a_module_version_lost_in_the_soak_fails_the_wave(plugs: TuyaPark) -> None:
    soaked = plugs.rollout(gate=SOAK, confirm=MODULE)
    plugs.cron(soaked, rounds=4)
    lost = {"productKey": PRODUCT, "deviceName": plugs.names[1], "versions": {"default": "2.4.0"}}
    plugs.ground.cloud(devices=[lost])

    report = plugs.cron(soaked, rounds=2)

    assert holds(report) == ["success_rate_is_too_low"]
    assert plugs.makes() == 1


@pytest.mark.parametrize("kind", ["things", "plugs"])
def test_a_late_answer_decides_a_gate_that_had_too_few(kind: str, request: pytest.FixtureRequest) -> None:
    park: WaveFleet = request.getfixturevalue(kind)
    park.behave(silent=(0,))
    few = park.rollout(gate=Gate(min_success_percent=50, min_reported=10, silence_after="2h"))
    park.cron(few, rounds=3)
    park.ground.advance(2 * 3600)
    held = park.cron(few, rounds=2)
    park.behave()

    park.cron(few, rounds=8)

    assert holds(held) == ["too_few_reported"]
    assert park.record.phase is Phase.SUCCEEDED


def test_a_late_answer_of_a_lorawan_device_turns_the_verdict(ground: FuotaStage) -> None:
    park = FuotaPark(ground)
    park.behave(silent=(0,))
    patient = park.rollout(gate=Gate(min_success_percent=100, silence_after="2h"))
    park.cron(patient, rounds=3)
    ground.advance(3 * 3600)
    failed = park.run(patient)
    (task,) = ground.wireless.list_fuota_tasks()["FuotaTaskList"]
    answers_late(ground, str(task["Id"]), park.names[0])

    park.cron(patient, rounds=6)

    assert holds(failed) == ["success_rate_is_too_low"]
    assert park.record.phase is Phase.SUCCEEDED


def answers_late(ground: FuotaStage, task: str, device: str) -> None:
    """The device was out of reach and answers now: nothing in the service's API makes it."""
    service = ground.server.world.services["iotwireless"]
    for store in service._stores.all.values():
        store.tasks[task].statuses[device] = "Successful"


def test_a_scheduled_session_is_deleted_by_an_abort_and_one_on_air_goes_on(ground: FuotaStage) -> None:
    park = FuotaPark(ground)
    park.behave()
    park.run(park.rollout())
    ground.advance(200)
    park.run(park.rollout())
    scheduled = park.record.attempts[0].stage
    ended = park.cron(edited(park.rollout(), abort=Abort(reason="wrong file")), rounds=2)

    again = edited(park.rollout(), abort=None)
    park.cron(replace(again, abort=None), rounds=1)

    assert scheduled is Stage.SCHEDULED
    assert holds(ended) == ["aborted"]
    assert ground.images() == []
    assert park.makes() == 2  # what was taken back is made anew once nothing ends it


def test_a_session_on_air_cannot_be_stopped_and_says_so(ground: FuotaStage) -> None:
    park = FuotaPark(ground)
    park.behave()
    for _ in range(3):
        park.run(park.rollout())
        ground.advance(200)
    start = park.record.attempts[0].start_at
    assert start is not None
    ground.server.world.clock.set(start)
    ground.advance(5)
    park.run(park.rollout())

    report = park.run(edited(park.rollout(), abort=Abort(reason="wrong file")))

    (hold,) = report.rollouts[0].holds
    assert hold.reason == "aborted"
    assert "goes on to its end" in hold.message
    assert park.makes() == 1


@pytest.mark.parametrize("kind", ["things", "plugs"])
def test_devices_that_run_a_newer_version_are_not_taken_back_unless_that_is_said(
    kind: str, request: pytest.FixtureRequest
) -> None:
    park: WaveFleet = request.getfixturevalue(kind)
    if kind == "plugs":
        newer = {"productKey": PRODUCT, "deviceName": park.names[0], "versions": {"default": "2.10.0"}}
        park.ground.cloud(devices=[newer])
    else:
        told = {"state": {"reported": {"firmware": {"version": "2.10.0"}}}}
        park.ground.shadow.update_thing_shadow(thingName=park.names[0], payload=json.dumps(told))
    proof = MODULE if kind == "plugs" else SHADOW

    held = park.run(park.rollout(confirm=proof))
    park.cron(edited(park.rollout(confirm=proof, allow_downgrade=True)), rounds=6)

    assert holds(held) == ["downgrade_not_allowed"]
    assert "2.10.0" in held.rollouts[0].holds[0].message
    assert park.record.phase is Phase.SUCCEEDED


def test_a_retry_goes_out_while_the_attempt_before_is_watched_for_a_soak(plugs: TuyaPark) -> None:
    plugs.behave(fails=(0,))
    soaked = plugs.rollout(gate=SOAK, retry=Retry(attempts=2, on=(plugs.cure,)))

    plugs.cron(soaked, rounds=4)

    assert [a.try_number for a in plugs.record.wave("canary").attempts] == [1, 2]
