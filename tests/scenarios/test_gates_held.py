"""A rollout that people hold, guard or end, over each of the three services: approvals, limits, suspend, abort."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Device, Gate, Guards, Phase, Requires, Suspend, Targets, Wave
from tests.support.fuota_stage import edited
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import TuyaStage
from tests.support.wave_fleets import KINDS, OtaPark, TuyaPark, WaveFleet, divided, holds, park_of


@pytest.fixture(params=KINDS)
def park(request: pytest.FixtureRequest) -> WaveFleet:
    return park_of(request, request.param)


def needing(park: WaveFleet, **strategy: object):
    waves = (
        Wave(name="canary", targets=park.devices(0, 1)),
        Wave(name="fleet", targets=park.devices(2, 3, 4, 5), requires=Requires(approval="owners")),
    )
    return park.rollout(*waves, **strategy)


def test_a_wave_waits_for_its_approval_and_begins_with_it(park: WaveFleet) -> None:
    report = park.cron(needing(park), rounds=4)
    before = (holds(report), park.makes())

    park.cron(edited(park.approved(needing(park), "fleet")), rounds=4)

    assert before == (["approval_is_missing"], 1)
    assert park.record.phase is Phase.SUCCEEDED


def test_an_approval_of_something_else_does_not_count(park: WaveFleet) -> None:
    approved = park.approved(needing(park), "fleet")
    changed = replace(approved, strategy=needing(park, gate=Gate(min_success_percent=90)).strategy)

    report = park.cron(changed, rounds=4)

    assert holds(report) == ["approval_is_outdated"]
    assert park.makes() == 1


def test_an_approval_stays_good_while_time_passes(park: WaveFleet) -> None:
    approved = park.approved(needing(park), "fleet")
    park.ground.advance(40 * 86400)

    park.cron(approved, rounds=6)

    assert park.record.phase is Phase.SUCCEEDED


def test_a_suspended_rollout_sends_nothing_and_goes_on_where_it_stood(park: WaveFleet) -> None:
    park.cron(park.rollout(), rounds=1)
    held = edited(park.rollout(), suspend=Suspend(reason="look", owner="ada"))
    transport = park.ground.transport()
    park.ground.advance(park.minutes * 60)

    report = park.ground.run(held, transport=transport)
    park.cron(park.rollout(), rounds=8)

    assert holds(report) == ["suspended"]
    assert transport.stats.writes == 0
    assert park.record.phase is Phase.SUCCEEDED


def test_an_abort_ends_what_can_be_ended_tells_what_goes_on_and_sends_nothing_more(park: WaveFleet) -> None:
    park.behave(silent=(0, 1))
    park.run(park.rollout())
    park.ground.advance(130)
    park.run(park.rollout())
    aborted = edited(park.rollout(), abort=Abort(reason="bad batch"))

    report = park.cron(aborted, rounds=4)

    assert holds(report) == ["aborted"]
    assert "bad batch" in report.rollouts[0].holds[0].message
    assert park.record.phase is Phase.ABORTED
    assert park.makes() == 1
    assert not any(a.live for a in park.record.attempts)


def test_a_failed_gate_aborts_where_the_manifest_says_so(park: WaveFleet) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(on_failure="abort"), rounds=5)

    assert holds(report) == ["aborted"]
    assert park.record.phase is Phase.FAILED
    assert park.makes() == 1


def guarded(park: WaveFleet, rollout, **limits: float):
    return park.ground.run(rollout, guards=Guards(**limits))


@pytest.mark.parametrize("limits", [{"max_affected_devices": 3}, {"max_affected_percent": 50}])
def test_a_wave_of_more_devices_than_the_environment_allows_does_not_begin(
    gateways: OtaStage, limits: dict[str, float]
) -> None:
    park = OtaPark(gateways)
    gateways.fleet(things=[{"name": f"gw-{n}"} for n in range(1, 13)])
    everything = Targets(things=tuple(Device(id=f"gw-{n}") for n in range(1, 13)))
    wave = Wave(name="all", targets=everything)

    report = guarded(park, park.rollout(wave), **limits)

    assert holds(report) == ["too_many_affected"]
    assert "guards.maxAffected" in report.rollouts[0].holds[0].message
    assert park.makes() == 0


def test_a_list_that_lost_most_of_its_devices_holds_until_that_is_said_to_be_meant(gate: TuyaStage) -> None:
    park = TuyaPark(gate)
    park.behave(silent=(0, 1, 2, 3, 4, 5))
    guarded(park, divided(park, 0, 1, 2, 3, 4, 5), max_shrink_percent=30)
    less = edited(divided(park, 0, 1))

    held = guarded(park, less, max_shrink_percent=30)
    meant = replace(less, strategy=replace(less.strategy, allow_shrunk=True))
    going = guarded(park, meant, max_shrink_percent=30)

    assert holds(held) == ["targets_shrunk"]
    assert "are declared, 6 were before" in held.rollouts[0].holds[0].message
    assert "targets_shrunk" not in holds(going)


def test_an_abort_ends_a_rollout_that_is_suspended(park: WaveFleet) -> None:
    park.behave(silent=(0, 1))
    park.run(park.rollout())
    park.ground.advance(130)
    both = edited(park.rollout(), suspend=Suspend(reason="look", owner="ada"), abort=Abort(reason="bad batch"))

    report = park.cron(both, rounds=4)

    assert holds(report) == ["aborted"]
    assert not any(a.live for a in park.record.attempts)
