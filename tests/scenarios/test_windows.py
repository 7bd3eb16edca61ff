"""Maintenance windows and freezes: nothing starts outside, to the minute, through the changes of summer time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from otactl.model import Gate, Retry, Window
from tests.support.fuota_stage import FuotaStage, declared, edited
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import TuyaStage
from tests.support.wave_fleets import OtaWaveFleet, TuyaWaveFleet, WaveFleet, holds, wave_fleet

NIGHT = Window(kind="allow", schedule="0 22 * * *", duration="7h", time_zone="Europe/Paris")


def at(fleet: WaveFleet, moment: str) -> None:
    """Set the clock ahead to a moment after every kit's start."""
    fleet.stage.server.world.clock.set(datetime.fromisoformat(moment))


@pytest.fixture(params=["otaUpdate", "tuya"])
def fleet(request: pytest.FixtureRequest) -> WaveFleet:
    """Services where making a unit starts it."""
    return wave_fleet(request, request.param)


def test_nothing_is_made_outside_its_window_and_the_run_says_when_it_opens(fleet: WaveFleet) -> None:
    at(fleet, "2027-01-10T12:00:00Z")
    nightly = replace(fleet.rollout(), windows=(NIGHT,))

    early = fleet.run(nightly)
    at(fleet, "2027-01-10T21:00:00Z")
    fleet.cron(nightly, rounds=6)

    assert holds(early) == ["window_is_closed"]
    assert early.rollouts[0].requeue_after_seconds == pytest.approx(9 * 3600, abs=5)
    assert fleet.makes() == 2


def test_a_wave_under_way_ends_after_its_window_and_the_next_waits_for_the_next_night(fleet: WaveFleet) -> None:
    at(fleet, "2027-01-11T03:55:00Z")
    nightly = replace(fleet.rollout(), windows=(NIGHT,))
    fleet.run(nightly)
    fleet.stage.advance(1800)

    report = fleet.cron(nightly, rounds=2)
    at(fleet, "2027-01-11T21:00:00Z")
    fleet.cron(nightly, rounds=3)

    assert holds(report) == ["window_is_closed"]
    assert fleet.record.wave("canary").verdict.passed
    assert fleet.makes() == 2


def test_a_retry_waits_for_the_window_too(fleet: WaveFleet) -> None:
    at(fleet, "2027-01-11T03:50:00Z")
    fleet.behave(fails=(0,))
    nightly = replace(fleet.rollout(retry=Retry(attempts=2, on=(fleet.cure,))), windows=(NIGHT,))
    fleet.run(nightly)
    fleet.stage.advance(1800)

    report = fleet.cron(nightly, rounds=2)

    assert holds(report) == ["window_is_closed"]
    assert fleet.makes() == 1


@pytest.mark.parametrize(
    ("moment", "wait"),
    [
        ("2027-03-28T12:00:00Z", 8 * 3600),  # summer time since this morning: 22:00 in Paris is 20:00 UTC
        ("2027-03-27T12:00:00Z", 9 * 3600),
        ("2027-10-31T12:00:00Z", 9 * 3600),
        ("2027-10-30T12:00:00Z", 8 * 3600),
    ],
)
def test_a_window_keeps_the_local_time_when_the_clocks_change(tuya_stage: TuyaStage, moment: str, wait: int) -> None:
    fleet = TuyaWaveFleet(tuya_stage)
    at(fleet, moment)

    report = fleet.run(replace(fleet.rollout(), windows=(NIGHT,)))

    assert report.rollouts[0].requeue_after_seconds == pytest.approx(wait, abs=5)


def test_a_freeze_of_the_environment_holds_every_rollout_and_denies_win(ota_stage: OtaStage) -> None:
    fleet = OtaWaveFleet(ota_stage)
    at(fleet, "2027-12-24T22:00:00Z")
    freeze = Window(kind="deny", schedule="0 0 24 12 *", duration="3d", time_zone="UTC")

    report = ota_stage.run(replace(fleet.rollout(), windows=(NIGHT,)), freezes=(freeze,))

    assert holds(report) == ["freeze_is_on"]
    assert fleet.makes() == 0


def test_a_session_starts_so_that_it_ends_inside_the_window(fuota_stage: FuotaStage) -> None:
    fuota_stage.server.world.clock.set(datetime.fromisoformat("2027-01-10T12:00:00Z"))
    nightly = declared(windows=(NIGHT,))

    report = fuota_stage.run(nightly)
    back = report.rollouts[0].requeue_after_seconds
    fuota_stage.advance(back + 1)
    fuota_stage.run(nightly)
    starts = [r["parameters"]["LoRaWAN"]["StartTime"] for r in fuota_stage.writes("StartFuotaTask")]

    assert holds(report) == ["window_is_closed"]
    opens = datetime.fromisoformat("2027-01-10T21:00:00Z")
    assert len(starts) == 1
    assert opens <= datetime.fromisoformat(str(starts[0])) <= opens + timedelta(minutes=3)


def test_a_session_that_would_not_end_inside_is_not_started_unless_it_may_finish_outside(
    fuota_stage: FuotaStage,
) -> None:
    fuota_stage.server.world.clock.set(datetime.fromisoformat("2027-01-10T20:00:00Z"))
    short = replace(NIGHT, duration="5m")
    fuota_stage.run(declared(windows=(short,)))
    fuota_stage.advance(600)

    report = fuota_stage.run(declared(windows=(short,)))
    finishing = declared(windows=(replace(short, overrun="finish"),))
    again = fuota_stage.run(edited(finishing))

    assert [(h.reason, h.stalled) for h in report.rollouts[0].holds] == [("window_is_closed", True)]
    assert [(h.reason, h.stalled) for h in again.rollouts[0].holds] == [("window_is_closed", False)]
    assert fuota_stage.writes("StartFuotaTask") == []


def test_a_plan_for_a_suspended_or_soaking_rollout_starts_nothing_in_an_open_window(fleet: WaveFleet) -> None:
    at(fleet, "2027-01-10T22:00:00Z")
    soaked = replace(fleet.rollout(gate=Gate(min_success_percent=100, soak="30h")), windows=(NIGHT,))

    fleet.cron(soaked, rounds=4)
    at(fleet, "2027-01-11T22:00:00Z")
    fleet.cron(soaked, rounds=2)

    assert fleet.makes() == 1


def test_a_freeze_declared_after_a_session_was_scheduled_moves_it_behind_the_freeze(fuota_stage: FuotaStage) -> None:
    fuota_stage.server.world.clock.set(datetime.fromisoformat("2027-12-23T23:00:00Z"))
    patient = declared()
    patient = replace(patient, backend=replace(patient.backend, start_lead="6h"))
    freeze = Window(kind="deny", schedule="0 0 24 12 *", duration="3d", time_zone="UTC")
    fuota_stage.run(patient)

    frozen = fuota_stage.run(patient, freezes=(freeze,))
    still = fuota_stage.run(patient, freezes=(freeze,))
    fuota_stage.server.world.clock.set(datetime.fromisoformat("2027-12-27T00:00:00Z"))
    fuota_stage.run(patient, freezes=(freeze,))

    starts = [r["parameters"]["LoRaWAN"]["StartTime"] for r in fuota_stage.writes("StartFuotaTask")]
    assert frozen.rollouts[0].actions[:2] == ("deleteUnit", "createUnit")
    assert (holds(frozen), holds(still)) == (["freeze_is_on"], ["freeze_is_on"])
    assert [str(start)[:10] for start in starts] == ["2027-12-24", "2027-12-27"]
