"""A rollout that stops itself, over each of the three services: gates, silence, soak, retries, approvals, abort."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from controller.model import (
    Abort,
    Device,
    Gate,
    Guards,
    Outcome,
    Phase,
    Requires,
    Retry,
    Suspend,
    Targets,
    Wave,
)
from tests.gate_kit import FuotaPark, OtaPark, Park, TuyaPark
from tests.ground import edited
from tests.ota_ground import OtaGround
from tests.tuya_ground import TuyaGround

KINDS = {"fuota": ("ground", FuotaPark), "otaUpdate": ("gateways", OtaPark), "tuya": ("gate", TuyaPark)}


@pytest.fixture(params=KINDS)
def park(request: pytest.FixtureRequest) -> Iterator[Park]:
    """Six devices behind one of the services."""
    name, kind = KINDS[request.param]
    made = kind(request.getfixturevalue(name))
    made.behave()
    return made


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def outcomes(park: Park) -> dict[str, Outcome]:
    return {r.name or r.device: r.outcome for a in park.record.attempts for r in a.results}


def test_a_canary_that_fails_pauses_the_rollout_and_nothing_more_is_sent(park: Park) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(), rounds=6)

    assert holds(report) == ["success_rate_is_too_low"]
    assert park.record.phase is Phase.FAILED
    assert park.makes() == 1


def test_a_gate_edited_to_allow_what_failed_lets_the_next_wave_go(park: Park) -> None:
    park.behave(fails=(0,))
    park.cron(park.rollout(), rounds=4)

    park.cron(edited(park.rollout(gate=Gate(min_success_percent=50))), rounds=4)

    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 2


def test_devices_that_do_not_answer_hold_the_wave_until_the_deadline_and_count_as_failed_then(park: Park) -> None:
    park.behave(silent=(0,))
    silence = park.rollout(gate=Gate(min_success_percent=100, silence_after="6h"))

    before = park.cron(silence, rounds=3)
    park.ground.advance(6 * 3600)
    after = park.cron(silence, rounds=2)

    assert before.rollouts[0].phase == "Progressing"
    assert holds(after) == ["success_rate_is_too_low"]
    assert park.makes() == 1


def test_a_wave_goes_on_without_the_silent_when_its_gate_allows_it(park: Park) -> None:
    park.behave(silent=(0,))
    tolerant = park.rollout(gate=Gate(min_success_percent=50, silence_after="6h"))
    park.cron(tolerant, rounds=3)
    park.ground.advance(6 * 3600)

    park.cron(tolerant, rounds=5)

    assert park.makes() == 2
    assert park.record.wave("fleet").verdict.passed


def test_too_few_answers_decide_nothing_and_hold(park: Park) -> None:
    park.behave(silent=(0,))
    few = park.rollout(gate=Gate(min_success_percent=50, min_reported=10, silence_after="2h"))
    park.cron(few, rounds=3)
    park.ground.advance(2 * 3600)

    report = park.cron(few, rounds=2)

    assert holds(report) == ["too_few_reported"]
    assert park.makes() == 1


def test_a_wave_that_passed_has_to_stay_well_before_the_next_begins(park: Park) -> None:
    soaked = park.rollout(gate=Gate(min_success_percent=100, soak="12h"))

    report = park.cron(soaked, rounds=4)
    during = (holds(report), report.rollouts[0].requeue_after_seconds, park.makes())
    park.ground.advance(12 * 3600)
    park.cron(soaked, rounds=2)

    assert during[0] == ["soak_is_running"]
    assert 0 < during[1] <= 12 * 3600
    assert during[2] == 1
    assert park.makes() == 2


def test_a_retry_is_for_the_failed_devices_alone_and_cures_them(park: Park) -> None:
    park.behave(fails=(0,))
    retried = park.rollout(retry=Retry(attempts=2, on=(park.cure,)))
    for _ in range(4):
        park.run(retried)
        if park.record.wave("canary").attempts[0].results:
            park.behave()
        park.ground.advance(park.minutes * 60)
    park.cron(retried, rounds=6)

    canary = park.record.wave("canary")
    assert [a.tries for a in canary.attempts] == [1, 2]
    assert canary.attempts[1].only == (f"device:{park.names[0]}",)
    assert canary.verdict.passed
    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 3


def test_a_retry_that_is_exhausted_leaves_the_wave_failed(park: Park) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(retry=Retry(attempts=2, on=(park.cure,))), rounds=8)

    assert holds(report) == ["success_rate_is_too_low"]
    assert park.makes() == 2


def test_a_retry_waits_for_its_backoff(park: Park) -> None:
    park.behave(fails=(0,))
    patient = park.rollout(retry=Retry(attempts=2, on=(park.cure,), backoff="12h"))

    report = park.cron(patient, rounds=4)

    assert holds(report) == ["retry_waits"]
    assert 0 < report.rollouts[0].requeue_after_seconds <= 12 * 3600
    assert park.makes() == 1


def test_a_reason_the_manifest_does_not_name_is_not_tried_again(park: Park) -> None:
    park.behave(fails=(0,))

    park.cron(park.rollout(retry=Retry(attempts=3, on=("sessionReplay",))), rounds=5)

    assert park.makes() == 1


def needing(park: Park, **strategy: object):
    waves = (
        Wave(name="canary", targets=park.devices(0, 1)),
        Wave(name="fleet", targets=park.devices(2, 3, 4, 5), requires=Requires(approval="owners")),
    )
    return park.rollout(*waves, **strategy)


def test_a_wave_waits_for_its_approval_and_begins_with_it(park: Park) -> None:
    report = park.cron(needing(park), rounds=4)
    before = (holds(report), park.makes())

    park.cron(edited(park.approved(needing(park), "fleet")), rounds=4)

    assert before == (["approval_is_missing"], 1)
    assert park.record.phase is Phase.SUCCEEDED


def test_an_approval_of_something_else_does_not_count(park: Park) -> None:
    approved = park.approved(needing(park), "fleet")
    changed = replace(approved, strategy=needing(park, gate=Gate(min_success_percent=90)).strategy)

    report = park.cron(changed, rounds=4)

    assert holds(report) == ["approval_is_outdated"]
    assert park.makes() == 1


def test_an_approval_stays_good_while_time_passes(park: Park) -> None:
    approved = park.approved(needing(park), "fleet")
    park.ground.advance(40 * 86400)

    park.cron(approved, rounds=6)

    assert park.record.phase is Phase.SUCCEEDED


def test_a_suspended_rollout_sends_nothing_and_goes_on_where_it_stood(park: Park) -> None:
    park.cron(park.rollout(), rounds=1)
    held = edited(park.rollout(), suspend=Suspend(reason="look", owner="ada"))
    transport = park.ground.transport()
    park.ground.advance(park.minutes * 60)

    report = park.ground.run(held, transport=transport)
    park.cron(park.rollout(), rounds=8)

    assert holds(report) == ["suspended"]
    assert transport.stats.writes == 0
    assert park.record.phase is Phase.SUCCEEDED


def test_an_abort_ends_what_can_be_ended_tells_what_goes_on_and_sends_nothing_more(park: Park) -> None:
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


def test_a_failed_gate_aborts_where_the_manifest_says_so(park: Park) -> None:
    park.behave(fails=(0,))

    report = park.cron(park.rollout(on_failure="abort"), rounds=5)

    assert holds(report) == ["aborted"]
    assert park.record.phase is Phase.FAILED
    assert park.makes() == 1


def divided(park: Park, *indices: int):
    waves = (Wave(name="canary", percent=30), Wave(name="fleet", percent=100))
    return replace(park.rollout(*waves), targets=park.devices(*indices))


def test_one_list_is_divided_by_percent_and_a_device_added_later_joins_the_next_wave(park: Park) -> None:
    park.cron(divided(park, 0, 1, 2, 3), rounds=1)
    canary = park.record.wave("canary").members

    park.cron(edited(divided(park, 0, 1, 2, 3, 4, 5)), rounds=7)

    assert len(canary) == 2
    assert park.record.wave("canary").members == canary
    assert len(park.record.wave("fleet").members) == 4
    assert park.record.phase is Phase.SUCCEEDED
    assert set(outcomes(park).values()) == {Outcome.SUCCEEDED}


def test_a_device_added_when_all_waves_began_gets_a_wave_at_the_end(park: Park) -> None:
    park.cron(divided(park, 0, 1, 2, 3, 4), rounds=7)
    before = park.record.phase

    park.cron(edited(divided(park, 0, 1, 2, 3, 4, 5)), rounds=4)

    assert before is Phase.SUCCEEDED
    assert park.record.wave("top-up").members == (f"device:{park.names[5]}",)
    assert park.record.phase is Phase.SUCCEEDED
    assert park.makes() == 3


def test_more_failures_than_allowed_stop_a_wave_whatever_its_percentage(park: Park) -> None:
    park.behave(fails=(0, 1))
    waves = (Wave(name="all", targets=park.devices(0, 1, 2, 3, 4, 5)),)
    limited = park.rollout(
        *waves, gate=Gate(min_success_percent=10, max_failures=1), retry=Retry(attempts=3, on=(park.cure,))
    )

    report = park.cron(limited, rounds=5)

    assert holds(report) == ["failures_exceed_limit"]
    assert park.makes() == 1


def test_failures_the_gate_overlooks_do_not_fail_it(park: Park) -> None:
    park.behave(fails=(0,))
    lenient = park.rollout(gate=Gate(min_success_percent=100, weights={park.cure: 0.0}))

    park.cron(lenient, rounds=6)

    assert park.record.phase is Phase.SUCCEEDED


def guarded(park: Park, rollout, **limits: float):
    return park.ground.run(rollout, guards=Guards(**limits))


@pytest.mark.parametrize("limits", [{"max_affected_devices": 3}, {"max_affected_percent": 50}])
def test_a_wave_of_more_devices_than_the_environment_allows_does_not_begin(
    gateways: OtaGround, limits: dict[str, float]
) -> None:
    park = OtaPark(gateways)
    gateways.fleet(things=[{"name": f"gw-{n}"} for n in range(1, 13)])
    everything = Targets(things=tuple(Device(id=f"gw-{n}") for n in range(1, 13)))
    wave = Wave(name="all", targets=everything)

    report = guarded(park, park.rollout(wave), **limits)

    assert holds(report) == ["too_many_affected"]
    assert "guards.maxAffected" in report.rollouts[0].holds[0].message
    assert park.makes() == 0


def test_a_list_that_lost_most_of_its_devices_holds_until_that_is_said_to_be_meant(gate: TuyaGround) -> None:
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


def test_an_abort_ends_a_rollout_that_is_suspended(park: Park) -> None:
    park.behave(silent=(0, 1))
    park.run(park.rollout())
    park.ground.advance(130)
    both = edited(park.rollout(), suspend=Suspend(reason="look", owner="ada"), abort=Abort(reason="bad batch"))

    report = park.cron(both, rounds=4)

    assert holds(report) == ["aborted"]
    assert not any(a.live for a in park.record.attempts)


def test_a_device_that_left_the_manifest_is_not_tried_again(park: Park) -> None:
    park.behave(fails=(0,))
    park.cron(park.rollout(), rounds=4)
    waves = (
        Wave(name="canary", targets=park.devices(1)),
        Wave(name="fleet", targets=park.devices(2, 3, 4, 5)),
    )

    park.cron(edited(park.rollout(*waves, retry=Retry(attempts=2, on=(park.cure,)))), rounds=4)

    assert park.makes() == 1
