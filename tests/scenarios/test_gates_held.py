"""A rollout that people hold, guard or end, over each of the three services: approvals, limits, suspend, abort."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Device, Gate, Guards, Phase, Requires, Suspend, Targets, Wave
from tests.support.fuota_stage import edited
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import TuyaStage
from tests.support.wave_fleets import KINDS, OtaWaveFleet, TuyaWaveFleet, WaveFleet, divided, holds, wave_fleet


@pytest.fixture(params=KINDS)
def fleet(request: pytest.FixtureRequest) -> WaveFleet:
    return wave_fleet(request, request.param)


def needing(fleet: WaveFleet, **strategy: object):
    waves = (
        Wave(name="canary", targets=fleet.devices(0, 1)),
        Wave(name="fleet", targets=fleet.devices(2, 3, 4, 5), requires=Requires(approval="owners")),
    )
    return fleet.rollout(*waves, **strategy)


def test_a_wave_waits_for_its_approval_and_begins_with_it(fleet: WaveFleet) -> None:
    report = fleet.cron(needing(fleet), rounds=4)
    before = (holds(report), fleet.makes())

    fleet.cron(edited(fleet.approved(needing(fleet), "fleet")), rounds=4)

    assert before == (["approval_is_missing"], 1)
    assert fleet.record.phase is Phase.SUCCEEDED


def test_an_approval_of_something_else_does_not_count(fleet: WaveFleet) -> None:
    approved = fleet.approved(needing(fleet), "fleet")
    changed = replace(approved, strategy=needing(fleet, gate=Gate(min_success_percent=90)).strategy)

    report = fleet.cron(changed, rounds=4)

    assert holds(report) == ["approval_is_outdated"]
    assert fleet.makes() == 1


def test_an_approval_stays_good_while_time_passes(fleet: WaveFleet) -> None:
    approved = fleet.approved(needing(fleet), "fleet")
    fleet.stage.advance(40 * 86400)

    fleet.cron(approved, rounds=6)

    assert fleet.record.phase is Phase.SUCCEEDED


def test_a_suspended_rollout_sends_nothing_and_goes_on_where_it_stood(fleet: WaveFleet) -> None:
    fleet.cron(fleet.rollout(), rounds=1)
    held = edited(fleet.rollout(), suspend=Suspend(reason="look", owner="ada"))
    transport = fleet.stage.transport()
    fleet.stage.advance(fleet.minutes * 60)

    report = fleet.stage.run(held, transport=transport)
    fleet.cron(fleet.rollout(), rounds=8)

    assert holds(report) == ["suspended"]
    assert transport.stats.writes == 0
    assert fleet.record.phase is Phase.SUCCEEDED


def test_an_abort_ends_what_can_be_ended_tells_what_goes_on_and_sends_nothing_more(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0, 1))
    fleet.run(fleet.rollout())
    fleet.stage.advance(130)
    fleet.run(fleet.rollout())
    aborted = edited(fleet.rollout(), abort=Abort(reason="bad batch"))

    report = fleet.cron(aborted, rounds=4)

    assert holds(report) == ["aborted"]
    assert "bad batch" in report.rollouts[0].holds[0].message
    assert fleet.record.phase is Phase.ABORTED
    assert fleet.makes() == 1
    assert not any(a.live for a in fleet.record.attempts)


def test_a_failed_gate_aborts_where_the_manifest_says_so(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))

    report = fleet.cron(fleet.rollout(on_failure="abort"), rounds=5)

    assert holds(report) == ["aborted"]
    assert fleet.record.phase is Phase.FAILED
    assert fleet.makes() == 1


def guarded(fleet: WaveFleet, rollout, **limits: float):
    return fleet.stage.run(rollout, guards=Guards(**limits))


@pytest.mark.parametrize("limits", [{"max_affected_devices": 3}, {"max_affected_percent": 50}])
def test_a_wave_of_more_devices_than_the_environment_allows_does_not_begin(
    ota_stage: OtaStage, limits: dict[str, float]
) -> None:
    fleet = OtaWaveFleet(ota_stage)
    ota_stage.fleet(things=[{"name": f"gw-{n}"} for n in range(1, 13)])
    everything = Targets(things=tuple(Device(id=f"gw-{n}") for n in range(1, 13)))
    wave = Wave(name="all", targets=everything)

    report = guarded(fleet, fleet.rollout(wave), **limits)

    assert holds(report) == ["too_many_affected"]
    assert "guards.maxAffected" in report.rollouts[0].holds[0].message
    assert fleet.makes() == 0


def test_a_list_that_lost_most_of_its_devices_holds_until_that_is_said_to_be_meant(tuya_stage: TuyaStage) -> None:
    fleet = TuyaWaveFleet(tuya_stage)
    fleet.behave(silent=(0, 1, 2, 3, 4, 5))
    guarded(fleet, divided(fleet, 0, 1, 2, 3, 4, 5), max_shrink_percent=30)
    less = edited(divided(fleet, 0, 1))

    held = guarded(fleet, less, max_shrink_percent=30)
    meant = replace(less, strategy=replace(less.strategy, allow_shrunk=True))
    going = guarded(fleet, meant, max_shrink_percent=30)

    assert holds(held) == ["targets_shrunk"]
    assert "are declared, 6 were before" in held.rollouts[0].holds[0].message
    assert "targets_shrunk" not in holds(going)


def test_an_abort_ends_a_rollout_that_is_suspended(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0, 1))
    fleet.run(fleet.rollout())
    fleet.stage.advance(130)
    both = edited(fleet.rollout(), suspend=Suspend(reason="look", owner="ada"), abort=Abort(reason="bad batch"))

    report = fleet.cron(both, rounds=4)

    assert holds(report) == ["aborted"]
    assert not any(a.live for a in fleet.record.attempts)
