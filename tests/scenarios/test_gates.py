"""A rollout that stops itself, over each of the three services: gates, silence, soak, retries, percent."""

from __future__ import annotations

import pytest

from otactl.model import Gate, Outcome, Phase, Retry, Wave
from tests.support.fuota_stage import edited
from tests.support.wave_fleets import KINDS, WaveFleet, divided, holds, park_of


@pytest.fixture(params=KINDS)
def park(request: pytest.FixtureRequest) -> WaveFleet:
    return park_of(request, request.param)


def outcomes(park: WaveFleet) -> dict[str, Outcome]:
    return {r.name or r.device: r.outcome for a in park.record.attempts for r in a.results}


def test_a_canary_that_fails_pauses_the_rollout_and_nothing_more_is_sent(park: WaveFleet) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(), rounds=6)

    assert holds(report) == ["success_rate_is_too_low"]
    assert park.record.phase is Phase.FAILED
    assert park.makes() == 1


def test_a_gate_edited_to_allow_what_failed_lets_the_next_wave_go(park: WaveFleet) -> None:
    park.behave(fails=(0,))
    park.cron(park.rollout(), rounds=4)

    park.cron(edited(park.rollout(gate=Gate(min_success_percent=50))), rounds=4)

    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 2


def test_devices_that_do_not_answer_hold_the_wave_until_the_deadline_and_count_as_failed_then(park: WaveFleet) -> None:
    park.behave(silent=(0,))
    silence = park.rollout(gate=Gate(min_success_percent=100, silence_after="6h"))

    before = park.cron(silence, rounds=3)
    park.ground.advance(6 * 3600)
    after = park.cron(silence, rounds=2)

    assert before.rollouts[0].phase == "Progressing"
    assert holds(after) == ["success_rate_is_too_low"]
    assert park.makes() == 1


def test_a_wave_goes_on_without_the_silent_when_its_gate_allows_it(park: WaveFleet) -> None:
    park.behave(silent=(0,))
    tolerant = park.rollout(gate=Gate(min_success_percent=50, silence_after="6h"))
    park.cron(tolerant, rounds=3)
    park.ground.advance(6 * 3600)

    park.cron(tolerant, rounds=5)

    assert park.makes() == 2
    assert park.record.wave("fleet").verdict.passed


def test_too_few_answers_decide_nothing_and_hold(park: WaveFleet) -> None:
    park.behave(silent=(0,))
    few = park.rollout(gate=Gate(min_success_percent=50, min_reported=10, silence_after="2h"))
    park.cron(few, rounds=3)
    park.ground.advance(2 * 3600)

    report = park.cron(few, rounds=2)

    assert holds(report) == ["too_few_reported"]
    assert park.makes() == 1


def test_a_wave_that_passed_has_to_stay_well_before_the_next_begins(park: WaveFleet) -> None:
    soaked = park.rollout(gate=Gate(min_success_percent=100, soak="12h"))

    report = park.cron(soaked, rounds=4)
    during = (holds(report), report.rollouts[0].requeue_after_seconds, park.makes())
    park.ground.advance(12 * 3600)
    park.cron(soaked, rounds=2)

    assert during[0] == ["soak_is_running"]
    assert 0 < during[1] <= 12 * 3600
    assert during[2] == 1
    assert park.makes() == 2


def test_a_retry_is_for_the_failed_devices_alone_and_cures_them(park: WaveFleet) -> None:
    park.behave(fails=(0,))
    retried = park.rollout(retry=Retry(attempts=2, on=(park.cure,)))
    for _ in range(4):
        park.run(retried)
        if park.record.wave("canary").attempts[0].results:
            park.behave()
        park.ground.advance(park.minutes * 60)
    park.cron(retried, rounds=6)

    canary = park.record.wave("canary")
    assert [a.try_number for a in canary.attempts] == [1, 2]
    assert canary.attempts[1].retry_targets == (f"device:{park.names[0]}",)
    assert canary.verdict.passed
    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 3


def test_a_retry_that_is_exhausted_leaves_the_wave_failed(park: WaveFleet) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(retry=Retry(attempts=2, on=(park.cure,))), rounds=8)

    assert holds(report) == ["success_rate_is_too_low"]
    assert park.makes() == 2


def test_a_waiting_for_retry_for_its_backoff(park: WaveFleet) -> None:
    park.behave(fails=(0,))
    patient = park.rollout(retry=Retry(attempts=2, on=(park.cure,), backoff="12h"))

    report = park.cron(patient, rounds=4)

    assert holds(report) == ["waiting_for_retry"]
    assert 0 < report.rollouts[0].requeue_after_seconds <= 12 * 3600
    assert park.makes() == 1


def test_a_reason_the_manifest_does_not_name_is_not_tried_again(park: WaveFleet) -> None:
    park.behave(fails=(0,))

    park.cron(park.rollout(retry=Retry(attempts=3, on=("sessionReplay",))), rounds=5)

    assert park.makes() == 1


def test_one_list_is_divided_by_percent_and_a_device_added_later_joins_the_next_wave(park: WaveFleet) -> None:
    park.cron(divided(park, 0, 1, 2, 3), rounds=1)
    canary = park.record.wave("canary").members

    park.cron(edited(divided(park, 0, 1, 2, 3, 4, 5)), rounds=7)

    assert len(canary) == 2
    assert park.record.wave("canary").members == canary
    assert len(park.record.wave("fleet").members) == 4
    assert park.record.phase is Phase.SUCCEEDED
    assert set(outcomes(park).values()) == {Outcome.SUCCEEDED}


def test_a_device_added_when_all_waves_began_gets_a_wave_at_the_end(park: WaveFleet) -> None:
    park.cron(divided(park, 0, 1, 2, 3, 4), rounds=7)
    before = park.record.phase

    park.cron(edited(divided(park, 0, 1, 2, 3, 4, 5)), rounds=4)

    assert before is Phase.SUCCEEDED
    assert park.record.wave("top-up").members == (f"device:{park.names[5]}",)
    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 3


def test_more_failures_than_allowed_stop_a_wave_whatever_its_percentage(park: WaveFleet) -> None:
    park.behave(fails=(0, 1))
    waves = (Wave(name="all", targets=park.devices(0, 1, 2, 3, 4, 5)),)
    limited = park.rollout(
        *waves, gate=Gate(min_success_percent=10, max_failures=1), retry=Retry(attempts=3, on=(park.cure,))
    )

    report = park.cron(limited, rounds=5)

    assert holds(report) == ["failures_exceed_limit"]
    assert park.makes() == 1


def test_failures_the_gate_overlooks_do_not_fail_it(park: WaveFleet) -> None:
    park.behave(fails=(0,))
    lenient = park.rollout(gate=Gate(min_success_percent=100, weights={park.cure: 0.0}))

    park.cron(lenient, rounds=6)

    assert park.record.phase is Phase.SUCCEEDED


def test_a_device_that_left_the_manifest_is_not_tried_again(park: WaveFleet) -> None:
    park.behave(fails=(0,))
    park.cron(park.rollout(), rounds=4)
    waves = (
        Wave(name="canary", targets=park.devices(1)),
        Wave(name="fleet", targets=park.devices(2, 3, 4, 5)),
    )

    park.cron(edited(park.rollout(*waves, retry=Retry(attempts=2, on=(park.cure,)))), rounds=4)

    assert park.makes() == 1
