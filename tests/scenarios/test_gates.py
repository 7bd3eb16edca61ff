"""A rollout that stops itself, over each of the three services: gates, silence, soak, retries, percent."""

from __future__ import annotations

import pytest

from otactl.model import Gate, Outcome, Phase, Retry, Wave
from tests.support.fuota_stage import edited
from tests.support.wave_fleets import KINDS, WaveFleet, divided, holds, wave_fleet


@pytest.fixture(params=KINDS)
def fleet(request: pytest.FixtureRequest) -> WaveFleet:
    return wave_fleet(request, request.param)


def outcomes(fleet: WaveFleet) -> dict[str, Outcome]:
    return {r.name or r.device: r.outcome for a in fleet.record.attempts for r in a.results}


def test_a_canary_that_fails_pauses_the_rollout_and_nothing_more_is_sent(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))

    report = fleet.cron(fleet.rollout(), rounds=6)

    assert holds(report) == ["success_rate_is_too_low"]
    assert fleet.record.phase is Phase.FAILED
    assert fleet.makes() == 1


def test_a_gate_edited_to_allow_what_failed_lets_the_next_wave_go(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))
    fleet.cron(fleet.rollout(), rounds=4)

    fleet.cron(edited(fleet.rollout(gate=Gate(min_success_percent=50))), rounds=4)

    assert fleet.record.phase is Phase.SUCCEEDED
    assert fleet.makes() == 2


def test_devices_that_do_not_answer_hold_the_wave_until_the_deadline_and_count_as_failed_then(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0,))
    silence = fleet.rollout(gate=Gate(min_success_percent=100, silence_after="6h"))

    before = fleet.cron(silence, rounds=3)
    fleet.stage.advance(6 * 3600)
    after = fleet.cron(silence, rounds=2)

    assert before.rollouts[0].phase == "Progressing"
    assert holds(after) == ["success_rate_is_too_low"]
    assert fleet.makes() == 1


def test_a_wave_goes_on_without_the_silent_when_its_gate_allows_it(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0,))
    tolerant = fleet.rollout(gate=Gate(min_success_percent=50, silence_after="6h"))
    fleet.cron(tolerant, rounds=3)
    fleet.stage.advance(6 * 3600)

    fleet.cron(tolerant, rounds=5)

    assert fleet.makes() == 2
    assert fleet.record.wave("fleet").verdict.passed


def test_too_few_answers_decide_nothing_and_hold(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0,))
    few = fleet.rollout(gate=Gate(min_success_percent=50, min_reported=10, silence_after="2h"))
    fleet.cron(few, rounds=3)
    fleet.stage.advance(2 * 3600)

    report = fleet.cron(few, rounds=2)

    assert holds(report) == ["too_few_reported"]
    assert fleet.makes() == 1


def test_a_wave_that_passed_has_to_stay_well_before_the_next_begins(fleet: WaveFleet) -> None:
    soaked = fleet.rollout(gate=Gate(min_success_percent=100, soak="12h"))

    report = fleet.cron(soaked, rounds=4)
    during = (holds(report), report.rollouts[0].requeue_after_seconds, fleet.makes())
    fleet.stage.advance(12 * 3600)
    fleet.cron(soaked, rounds=2)

    assert during[0] == ["soak_is_running"]
    assert 0 < during[1] <= 12 * 3600
    assert during[2] == 1
    assert fleet.makes() == 2


def test_a_retry_is_for_the_failed_devices_alone_and_cures_them(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))
    retried = fleet.rollout(retry=Retry(attempts=2, on=(fleet.cure,)))
    for _ in range(4):
        fleet.run(retried)
        if fleet.record.wave("canary").attempts[0].results:
            fleet.behave()
        fleet.stage.advance(fleet.minutes * 60)
    fleet.cron(retried, rounds=6)

    canary = fleet.record.wave("canary")
    assert [a.try_number for a in canary.attempts] == [1, 2]
    assert canary.attempts[1].retry_targets == (f"device:{fleet.names[0]}",)
    assert canary.verdict.passed
    assert fleet.record.phase is Phase.SUCCEEDED
    assert fleet.makes() == 3


def test_a_retry_that_is_exhausted_leaves_the_wave_failed(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))

    report = fleet.cron(fleet.rollout(retry=Retry(attempts=2, on=(fleet.cure,))), rounds=8)

    assert holds(report) == ["success_rate_is_too_low"]
    assert fleet.makes() == 2


def test_a_retry_waits_for_its_backoff(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))
    patient = fleet.rollout(retry=Retry(attempts=2, on=(fleet.cure,), backoff="12h"))

    report = fleet.cron(patient, rounds=4)

    assert holds(report) == ["waiting_for_retry"]
    assert 0 < report.rollouts[0].requeue_after_seconds <= 12 * 3600
    assert fleet.makes() == 1


def test_a_reason_the_manifest_does_not_name_is_not_tried_again(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))

    fleet.cron(fleet.rollout(retry=Retry(attempts=3, on=("sessionReplay",))), rounds=5)

    assert fleet.makes() == 1


def test_one_list_is_divided_by_percent_and_a_device_added_later_joins_the_next_wave(fleet: WaveFleet) -> None:
    fleet.cron(divided(fleet, 0, 1, 2, 3), rounds=1)
    canary = fleet.record.wave("canary").members

    fleet.cron(edited(divided(fleet, 0, 1, 2, 3, 4, 5)), rounds=7)

    assert len(canary) == 2
    assert fleet.record.wave("canary").members == canary
    assert len(fleet.record.wave("fleet").members) == 4
    assert fleet.record.phase is Phase.SUCCEEDED
    assert set(outcomes(fleet).values()) == {Outcome.SUCCEEDED}


def test_a_device_added_when_all_waves_began_gets_a_wave_at_the_end(fleet: WaveFleet) -> None:
    fleet.cron(divided(fleet, 0, 1, 2, 3, 4), rounds=7)
    before = fleet.record.phase

    fleet.cron(edited(divided(fleet, 0, 1, 2, 3, 4, 5)), rounds=4)

    assert before is Phase.SUCCEEDED
    assert fleet.record.wave("top-up").members == (f"device:{fleet.names[5]}",)
    assert fleet.record.phase is Phase.SUCCEEDED
    assert fleet.makes() == 3


def test_more_failures_than_allowed_stop_a_wave_whatever_its_percentage(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0, 1))
    waves = (Wave(name="all", targets=fleet.devices(0, 1, 2, 3, 4, 5)),)
    limited = fleet.rollout(
        *waves, gate=Gate(min_success_percent=10, max_failures=1), retry=Retry(attempts=3, on=(fleet.cure,))
    )

    report = fleet.cron(limited, rounds=5)

    assert holds(report) == ["failures_exceed_limit"]
    assert fleet.makes() == 1


def test_failures_the_gate_overlooks_do_not_fail_it(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))
    lenient = fleet.rollout(gate=Gate(min_success_percent=100, weights={fleet.cure: 0.0}))

    fleet.cron(lenient, rounds=6)

    assert fleet.record.phase is Phase.SUCCEEDED


def test_a_device_that_left_the_manifest_is_not_tried_again(fleet: WaveFleet) -> None:
    fleet.behave(fails=(0,))
    fleet.cron(fleet.rollout(), rounds=4)
    waves = (
        Wave(name="canary", targets=fleet.devices(1)),
        Wave(name="fleet", targets=fleet.devices(2, 3, 4, 5)),
    )

    fleet.cron(edited(fleet.rollout(*waves, retry=Retry(attempts=2, on=(fleet.cure,)))), rounds=4)

    assert fleet.makes() == 1
