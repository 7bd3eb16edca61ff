"""Gates with a confidence over each of the three services: decided early either way, and held at the deadline."""

from __future__ import annotations

import pytest

from otactl.model import Gate, Phase, Rollout, Wave
from otactl.reconcile.run_report import RunReport
from tests.support.wave_fleets import KINDS, WaveFleet, holds, wave_fleet

SURE = Gate(min_success_percent=50, silence_after="6h", confidence=0.55)
"""Of four devices of six it passes with 2 failures or fewer, and fails with 3 or more."""
pytestmark = pytest.mark.sampled(3)


@pytest.fixture(params=KINDS)
def fleet(request: pytest.FixtureRequest) -> WaveFleet:
    return wave_fleet(request, request.param)


def declared(fleet: WaveFleet) -> Rollout:
    waves = (Wave(name="canary", targets=fleet.devices(0, 1, 2, 3)), Wave(name="fleet", targets=fleet.devices(4, 5)))
    return fleet.rollout(*waves, gate=SURE)


def at_the_deadline(fleet: WaveFleet, rollout: Rollout) -> RunReport:
    fleet.cron(rollout, rounds=3)
    fleet.stage.advance(6 * 3600)
    return fleet.cron(rollout, rounds=2)


def test_a_wave_passes_before_all_answered_where_the_rest_cannot_change_it(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0, 1))
    rollout = declared(fleet)

    fleet.cron(rollout, rounds=4)
    early, units = fleet.record.wave("canary").verdict, fleet.makes()
    fleet.cron(rollout, rounds=3)

    assert (early.passed, early.succeeded, early.unanswered, early.fleet) == (True, 2, 2, 6)
    assert units == fleet.makes() == 2
    assert fleet.record.phase is Phase.SUCCEEDED


def test_a_wave_fails_before_all_answered_where_the_rest_cannot_save_it(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0, 1, 2), silent=(3,))

    report = fleet.cron(declared(fleet), rounds=4)

    assert holds(report) == ["success_rate_is_too_low"]
    assert fleet.record.phase is Phase.FAILED
    assert fleet.makes() == 1


def test_a_wave_that_shows_neither_waits_until_the_deadline_and_holds_then(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0, 1), silent=(2,))
    rollout = declared(fleet)

    before = fleet.cron(rollout, rounds=3)
    report = at_the_deadline(fleet, rollout)

    assert before.rollouts[0].phase == "Progressing"
    (hold,) = report.rollouts[0].holds
    assert hold.reason == "evidence_is_too_weak"
    assert (
        "at 55 % confidence passes with 2 or fewer failures and fails with 3 or more; late answers count"
        in hold.message
    )
    assert fleet.record.phase is Phase.STALLED
    assert fleet.makes() == 1


@pytest.mark.parametrize("kind", ["otaUpdate", "tuya"])
def test_a_late_answer_decides_a_wave_that_was_held(kind: str, request: pytest.FixtureRequest) -> None:
    fleet = wave_fleet(request, kind)
    fleet.behave(fails=(0, 1), silent=(2,))
    rollout = declared(fleet)
    held = at_the_deadline(fleet, rollout)
    fleet.behave()

    fleet.cron(rollout, rounds=8)

    assert holds(held) == ["evidence_is_too_weak"]
    assert fleet.record.wave("canary").verdict.passed
    assert fleet.record.phase is Phase.SUCCEEDED
