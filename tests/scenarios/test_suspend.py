"""`spec.suspend` takes back what devices have not started, and gives it out again when the rollout goes on."""

from __future__ import annotations

from contextlib import suppress

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Gate, Phase, Reason, Rollout, Stage, Strategy, Suspend, Targets, Wave
from tests.support.crash_points import DyingJournal, dying_transport, expire
from tests.support.fuota_stage import FuotaStage, declared, pushed
from tests.support.in_memory_cloud import Kill, Killed
from tests.support.ota_stage import THINGS, OtaStage, block, gateway, one_wave
from tests.support.tuya_stage import PLUGS, TuyaStage, plugs
from tests.support.wave_fleets import wave_fleet

HELD = Suspend(reason="bad firmware", owner="ada")
PACED = {"awsJobExecutionsRolloutConfig": {"maximumPerMinute": 1}}


def canary(**changes: object) -> Rollout:
    """The first wave alone."""
    strategy = declared().strategy
    return declared(strategy=replace(strategy, waves=strategy.waves[:1]), **changes)


def paced(**changes: object) -> Rollout:
    """Five gateways, one a minute."""
    return replace(one_wave(), backend=block(**PACED), **changes)


def six(**changes: object) -> Rollout:
    """Six plugs in one wave."""
    first, second = plugs().strategy.waves
    targets = replace(first.targets, devices=(*first.targets.devices, *second.targets.devices))
    strategy = Strategy(waves=(replace(first, targets=targets),), gate=plugs().strategy.gate)
    return plugs(strategy=strategy, **changes)


def reported(report) -> str:
    (rollout,) = report.rollouts
    (hold,) = rollout.holds
    assert (rollout.phase, hold.reason) == ("Suspended", "suspended")
    return hold.message


def scheduled(fuota_stage: FuotaStage) -> Rollout:
    fuota_stage.run(canary())
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"
    return canary()


def test_a_scheduled_session_is_withdrawn_and_comes_back_as_another_attempt(fuota_stage: FuotaStage) -> None:
    scheduled(fuota_stage)

    words = reported(fuota_stage.run(canary(suspend=HELD)))

    (first,) = fuota_stage.record().attempts
    assert (first.stage, first.withdrawn, first.was_sent) == (Stage.SUPERSEDED, True, False)
    assert "was withdrawn before its start, and comes back as another attempt" in words
    fuota_stage.advance(7200)
    reported(fuota_stage.run(canary(suspend=HELD)))
    assert fuota_stage.images() == []
    fuota_stage.drive(canary(), rounds=4)
    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, a.stage, len(a.results)) for a in record.attempts] == [
        (1, Stage.SUPERSEDED, 0),
        (2, Stage.DELETED, 3),
    ]
    assert {a.generation for a in record.attempts} == {record.generation}
    assert record.waves[0].members == record.attempts[1].members
    assert len(fuota_stage.images()) == 3


def test_a_session_on_air_goes_on_is_reported_with_its_start_and_its_command_and_its_results_count(
    fuota_stage: FuotaStage,
) -> None:
    scheduled(fuota_stage)
    task = fuota_stage.task()
    fuota_stage.advance(2400)

    words = reported(fuota_stage.run(canary(suspend=HELD)))

    start = f"has been on air since {task['LoRaWAN']['StartTime']:%Y-%m-%dT%H:%M:%SZ} and will finish"
    assert start in words
    assert words.endswith(f"to stop it at its risk: aws iotwireless delete-fuota-task --id {task['Id']}")
    assert len(fuota_stage.writes("DeleteFuotaTask")) == 0
    fuota_stage.advance(7200)
    fuota_stage.run(canary(suspend=HELD))
    (first,) = fuota_stage.record().attempts
    assert (first.stage, len(first.results)) == (Stage.ENDED, 3)
    fuota_stage.drive(canary(), rounds=2)
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 1


def test_running_finish_withdraws_nothing(fuota_stage: FuotaStage) -> None:
    scheduled(fuota_stage)

    words = reported(fuota_stage.run(canary(suspend=replace(HELD, running="finish"))))

    assert "is to start at" in words
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"


def test_a_delete_whose_answer_is_lost_withdraws_the_session_all_the_same(fuota_stage: FuotaStage) -> None:
    scheduled(fuota_stage)
    fuota_stage.fault(service="iotwireless", operation="DeleteFuotaTask", effect="timeoutAfterCommit")

    fuota_stage.run(canary(suspend=HELD))
    fuota_stage.server.world.faults.replace([])
    fuota_stage.run(canary(suspend=HELD))

    assert [(a.stage, a.withdrawn) for a in fuota_stage.record().attempts] == [(Stage.SUPERSEDED, True)]
    fuota_stage.drive(canary(), rounds=4)
    assert fuota_stage.record().phase is Phase.SUCCEEDED


def test_an_edit_of_the_firmware_while_suspended_sends_the_new_content_once(fuota_stage: FuotaStage) -> None:
    scheduled(fuota_stage)
    newer = pushed(fuota_stage, "2.5.0", b"newer" * 500)
    fuota_stage.run(canary(suspend=HELD))
    fuota_stage.run(canary(firmware=newer, suspend=HELD))

    fuota_stage.drive(canary(firmware=newer), rounds=4)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert set(fuota_stage.images()) == {newer.sha256}
    assert len(fuota_stage.writes("StartFuotaTask")) == 2


def test_executions_that_are_queued_are_canceled_and_their_things_follow(ota_stage: OtaStage) -> None:
    ota_stage.run(paced())
    ota_stage.advance(70)
    ota_stage.run(paced())

    words = reported(ota_stage.run(paced(suspend=HELD)))

    (update,) = ota_stage.updates()
    assert words.endswith(f"aws iot cancel-job --job-id AFR_OTA-{update} --force")
    for _ in range(3):
        ota_stage.advance(3600)
        words = reported(ota_stage.run(paced(suspend=HELD)))
    started = sum(ota_stage.installs().values())
    assert 0 < started < len(THINGS)
    assert f"{len(THINGS) - started} devices of {update} had not started, and follow in another attempt" in words
    ota_stage.cron(paced(), rounds=4)
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, len(a.retry_targets)) for a in record.attempts] == [(1, 0), (2, len(THINGS) - started)]
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
    assert record.waves[0].verdict.succeeded == len(THINGS)


def test_a_rollout_suspended_twice_sends_to_each_thing_once(ota_stage: OtaStage) -> None:
    for _ in range(2):
        ota_stage.run(paced())
        ota_stage.advance(70)
        ota_stage.run(paced())
        ota_stage.run(paced(suspend=HELD))
        ota_stage.advance(3600)
        ota_stage.run(paced(suspend=HELD))
        ota_stage.run(paced(suspend=HELD))

    ota_stage.cron(paced(), rounds=4)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert len(ota_stage.created()) == 3
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)


def test_a_withdrawal_that_comes_too_late_for_every_thing_is_judged_as_ever(ota_stage: OtaStage) -> None:
    ota_stage.fleet(things=[{"name": name, "seconds": 900, "firmwareVersion": "2.4.0"} for name in THINGS])
    ota_stage.run(one_wave())
    ota_stage.advance(70)
    ota_stage.run(one_wave())
    ota_stage.run(replace(one_wave(), suspend=HELD))
    assert [a.withdrawn for a in ota_stage.remembered().attempts] == [True]
    ota_stage.cron(replace(one_wave(), suspend=HELD), rounds=2, minutes=60)

    ota_stage.cron(one_wave(), rounds=3)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
    assert len(ota_stage.created()) == 1


def test_tasks_that_wait_are_canceled_and_their_plugs_follow(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_2="offline", plug_3="offline")
    tuya_stage.run(six())
    tuya_stage.advance(300)
    tuya_stage.run(six())

    tuya_stage.run(six(suspend=HELD))
    tuya_stage.advance(600)
    words = reported(tuya_stage.run(six(suspend=HELD)))

    (batch,) = tuya_stage.batches()
    assert "2 devices of" in words
    assert batch["jobId"] not in words  # it has ended
    tuya_stage.behaviours()
    tuya_stage.cron(six(), rounds=4)
    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert [a.retry_targets for a in record.attempts] == [(), ("device:plug-2", "device:plug-3")]
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert [e for e in record.drift if e.open] == []


def suspend_dying(fuota_stage: FuotaStage, rollout: Rollout, kill: Kill, *, at_commits: bool) -> None:
    """One run that dies where `kill` says, and one that does not."""
    journal = DyingJournal(fuota_stage.folder / "journal.db")
    journal.kill = kill if at_commits else Kill()
    transport = fuota_stage.transport(around=None if at_commits else dying_transport(kill))
    with suppress(Killed):
        fuota_stage.run(rollout, transport=transport, journal=journal, holder="dies")
    journal.close()
    expire(fuota_stage)
    fuota_stage.run(rollout)
    fuota_stage.advance(3600)
    fuota_stage.run(rollout)


@pytest.mark.parametrize(("at", "at_commits"), [(1, False), (2, False), (1, True), (2, True), (3, True), (4, True)])
def test_a_suspension_killed_anywhere_sends_to_each_thing_once(ota_stage: OtaStage, at: int, at_commits: bool) -> None:
    ota_stage.run(paced())
    ota_stage.advance(70)
    ota_stage.run(paced())

    suspend_dying(ota_stage, paced(suspend=HELD), Kill(at), at_commits=at_commits)
    ota_stage.cron(paced(), rounds=4)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
    assert len(ota_stage.created()) == 2


@pytest.mark.parametrize(("at", "at_commits"), [(1, False), (2, False), (1, True), (2, True), (3, True), (4, True)])
def test_a_suspension_killed_anywhere_withdraws_the_session_once(
    fuota_stage: FuotaStage, at: int, at_commits: bool
) -> None:
    scheduled(fuota_stage)

    suspend_dying(fuota_stage, canary(suspend=HELD), Kill(at), at_commits=at_commits)
    fuota_stage.drive(canary(), rounds=4)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(fuota_stage.writes("DeleteFuotaTask")) == 2
    assert len(fuota_stage.made()) == 2
    assert len(fuota_stage.images()) == 3


def test_an_execution_that_a_person_canceled_before_the_suspension_is_not_made_up_for(ota_stage: OtaStage) -> None:
    lenient = replace(one_wave(), strategy=replace(one_wave().strategy, gate=Gate(min_success_percent=60)))
    ota_stage.behave(gw_1="offline", gw_2="offline", gw_3="offline", gw_4="offline", gw_5="offline")
    ota_stage.run(lenient)
    ota_stage.advance(70)
    ota_stage.run(lenient)
    (update,) = ota_stage.updates()
    ota_stage.iot.cancel_job_execution(jobId=f"AFR_OTA-{update}", thingName="gw-5")
    ota_stage.advance(10)
    ota_stage.run(replace(lenient, suspend=HELD))
    for _ in range(3):
        ota_stage.advance(3600)
        words = reported(ota_stage.run(replace(lenient, suspend=HELD)))
    ota_stage.behave()

    ota_stage.cron(lenient, rounds=4)

    record = ota_stage.remembered()
    assert f"gw-5 of {update} were canceled by hand, and do not follow" in words
    assert ota_stage.installs() == {name: int(name != "gw-5") for name in THINGS}
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: (r.reason, r.detail) for a in record.attempts for r in a.results if r.device == "gw-5"} == {
        "gw-5": (Reason.CANCELED, "canceled by hand")
    }


def test_a_continuous_update_of_a_group_follows_for_those_alone_that_had_not_started(ota_stage: OtaStage) -> None:
    serving = block(**PACED, targetSelection="CONTINUOUS")
    wave = Wave(name="all", targets=Targets(thing_groups=("gateways",)))
    endless = gateway(backend=serving, strategy=Strategy(waves=(wave,), gate=Gate(silence_after="1h")))
    ota_stage.run(endless)
    ota_stage.advance(70)
    ota_stage.run(endless)
    ota_stage.run(replace(endless, suspend=HELD))
    for _ in range(3):
        ota_stage.advance(3600)
        ota_stage.run(replace(endless, suspend=HELD))
    started = {name for name, number in ota_stage.installs().items() if number}

    ota_stage.cron(endless, rounds=5)

    _, second, *_ = ota_stage.remembered().attempts
    assert started
    assert {k.removeprefix("device:") for k in second.retry_targets} == set(THINGS[2:]) - started
    assert ota_stage.installs() == {name: int(name in THINGS[2:]) for name in THINGS}
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("kind", "stop"),
    [
        ("tuya", {"suspend": HELD}),
        pytest.param("otaUpdate", {"abort": Abort(reason="storm")}, marks=pytest.mark.thorough),
        pytest.param("otaUpdate", {"suspend": HELD}, marks=pytest.mark.thorough),
    ],
)
def test_what_is_withdrawn_from_a_wave_that_had_passed_follows_before_the_next_wave(
    request: pytest.FixtureRequest, kind: str, stop: dict
) -> None:
    fleet = wave_fleet(request, kind)
    fleet.behave(silent=(1, 2, 3))
    waves = (Wave(name="canary", targets=fleet.devices(0, 1)), Wave(name="fleet", targets=fleet.devices(2, 3)))
    rollout = fleet.rollout(*waves, gate=Gate(min_success_percent=50, silence_after="6h"))
    fleet.cron(rollout, rounds=2)
    fleet.stage.advance(6 * 3600)
    fleet.cron(rollout, rounds=2)
    assert [a.stage for a in fleet.record.attempts] == [Stage.RUNNING, Stage.RUNNING]

    fleet.cron(replace(rollout, **stop), rounds=3)
    fleet.run(rollout)
    sent = {w.name: len(w.attempts) for w in fleet.record.waves}
    fleet.behave()
    fleet.cron(rollout, rounds=4)

    assert sent == {"canary": 2, "fleet": 1}
    named = dict.fromkeys(fleet.names, 0) | dict.fromkeys(fleet.names[:4], 1)
    assert fleet.stage.installs() == named
    assert fleet.record.phase is Phase.SUCCEEDED
