"""FUOTA waves proved by the version that the thing of each wireless device reports, over real HTTP."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    Gate,
    Outcome,
    Phase,
    Reason,
    Stage,
    Strategy,
    VersionConfirm,
    VersionProof,
    Window,
)
from tests.support.fuota_probes import OK, SHADOW, Probes
from tests.support.fuota_stage import FuotaStage, declared, lose_journal, pushed

PROOFS = [
    SHADOW,
    VersionProof(attribute="firmwareVersion"),
    VersionProof(index_query="shadow.reported.firmware.version:2.4.1"),
]


@pytest.fixture
def probes(fuota_stage: FuotaStage) -> Probes:
    return Probes(fuota_stage)


@pytest.mark.parametrize("proof", PROOFS, ids=["shadow", "attribute", "index"])
def test_success_is_the_version_that_the_things_of_the_devices_report(probes: Probes, proof: VersionProof) -> None:
    rollout = probes.canary(proof)

    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED
    assert probes.results() == {"probe-0": OK, "probe-2": OK, "probe-4": OK}
    assert probes.stage.record().drift == ()


def test_a_device_that_reports_late_is_waited_for(probes: Probes) -> None:
    probes.behave(probe_2="late")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)
    waiting = probes.stage.record().attempts[0]
    probes.stage.advance(25 * 3600)
    probes.stage.run(rollout)

    assert (waiting.stage, waiting.progress) == (Stage.RUNNING, {"succeeded": 2, "waitingForVersion": 1})
    assert probes.stage.record().phase is Phase.SUCCEEDED
    assert probes.results()["probe-2"] == OK
    assert probes.stage.record().attempts[0].version_check is None


def test_a_device_that_never_reports_fails_once_its_time_is_over_and_not_before(probes: Probes) -> None:
    probes.behave(probe_2="neverReports", probe_4="stuck")
    probes.shadow.delete_thing_shadow(thingName="probe-4")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)

    probes.stage.advance(6 * 3600 - 60)
    probes.stage.run(rollout)
    just_before = probes.stage.record().phase
    probes.stage.advance(120)
    probes.stage.run(rollout)

    assert just_before is Phase.PROGRESSING
    assert probes.stage.record().phase is Phase.FAILED
    assert probes.results() == {
        "probe-0": OK,
        "probe-2": ("failed", "version", "reports 2.4.0, an older version; declared is 2.4.1"),
        "probe-4": ("failed", "version", "reports no version; declared is 2.4.1"),
    }


def test_the_time_to_report_counts_from_the_first_look_that_finds_the_session_ended(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.advance(24 * 3600)  # no cron for a day

    probes.stage.run(rollout)

    assert probes.stage.record().attempts[0].progress == {"succeeded": 2, "waitingForVersion": 1}


def test_a_device_seen_to_go_back_to_the_version_before_is_reported_as_rolled_back(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    probes.report(0, "2.4.0")

    probes.report(2, "2.4.1")  # the last one to be waited for: now all are asked once more
    probes.stage.run(rollout)
    reported = probes.drift()
    probes.stage.advance(7 * 3600)
    probes.stage.run(rollout)

    assert reported == {"devices.version": {"rolledBack": {"devices": 1, "reported": {probes.stage.euis[0]: "2.4.0"}}}}
    assert probes.results()["probe-0"] == ("failed", "version", "went back to 2.4.0; declared is 2.4.1")
    assert probes.results()["probe-2"] == OK


def test_a_device_that_went_back_and_came_up_again_succeeds(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    probes.report(0, "2.4.0")
    probes.report(2, "2.4.1")
    probes.stage.run(rollout)

    probes.report(0, "2.4.1")
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED


def test_older_newer_and_strange_versions_are_distinguished(probes: Probes) -> None:
    for number in (0, 2, 4):
        probes.behave(**{f"probe_{number}": "neverReports"})
    rollout = probes.canary(within="1h")
    probes.to_the_end_of_the_session(rollout)
    for number, version in ((0, "2.4.1-rc.2"), (2, "3.0"), (4, "build 7")):
        probes.report(number, version)

    probes.stage.run(rollout)
    reported = probes.drift()["devices.version"]
    probes.stage.advance(3600 + 60)
    probes.stage.run(rollout)

    assert {kind: list(seen["reported"].values()) for kind, seen in reported.items()} == {
        "older": ["2.4.1-rc.2"],
        "newer": ["3.0"],
        "unknown": ["build 7"],
    }
    assert {name: detail.partition(";")[0] for name, (_, _, detail) in probes.results().items()} == {
        "probe-0": "reports 2.4.1-rc.2, an older version",
        "probe-2": "reports 3.0, a newer version",
        "probe-4": "reports build 7, which cannot be compared",
    }


def test_a_false_missing_frag_is_a_success_when_the_new_version_is_reported(probes: Probes) -> None:
    probes.associate(0, behaviour="falseMissingFrag")
    rollout = probes.canary()

    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED
    said = "reports 2.4.1, although its transfer said missingFragments"
    assert probes.results()["probe-0"] == ("succeeded", "", said)


def test_a_false_missing_frag_whose_report_comes_late_is_waited_for(probes: Probes) -> None:
    probes.associate(0, behaviour="falseMissingFrag")
    probes.behave(probe_0="late")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)
    waiting = probes.stage.record().attempts[0].progress
    probes.stage.advance(25 * 3600)
    probes.stage.run(rollout)

    assert waiting == {"succeeded": 2, "waitingForVersion": 1}
    assert probes.stage.record().phase is Phase.SUCCEEDED


def test_a_missing_frag_that_was_true_keeps_its_reason_for_a_retry(probes: Probes) -> None:
    lossy = {"devEui": probes.stage.euis[0], "rfRegion": "EU868", "thing": "probe-0", "loss": 0.9}
    probes.stage.fleet(devices=[lossy])
    rollout = probes.canary(within="1h")
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)
    probes.stage.advance(3600 + 60)
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.FAILED
    assert probes.results()["probe-0"] == ("failed", "missingFragments", "reports 2.4.0, an older version")


def test_a_failure_that_is_never_false_is_not_waited_for(probes: Probes) -> None:
    probes.associate(0, behaviour="notEnoughMemory")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.FAILED
    assert probes.results()["probe-0"][:2] == ("failed", "noMemory")


def test_waves_follow_one_another_once_the_versions_of_each_are_reported(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    waves = declared().strategy.waves
    confirm = VersionConfirm(version=SHADOW, within="12h")
    rollout = declared(strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90), confirm=confirm))

    probes.stage.drive(rollout)
    held = probes.stage.made()
    probes.report(2, "2.4.1")
    probes.stage.drive(rollout)

    assert len(held) == 1
    assert len(probes.stage.made()) == 2
    assert probes.stage.record().phase is Phase.SUCCEEDED


def test_where_groups_alone_list_their_members_the_version_settles_what_an_old_success_hides(probes: Probes) -> None:
    probes.stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": False})
    probes.stage.drive(probes.canary(cleanup="never"), rounds=3)
    assert probes.stage.record().phase is Phase.SUCCEEDED
    firmware = pushed(probes.stage, "2.5.0", bytes(range(255, -1, -1)) * 12)
    probes.stage.fleet(images={firmware.sha256: "2.5.0"})

    probes.stage.drive(probes.canary(firmware=firmware, cleanup="never"), rounds=4)

    assert probes.stage.record().phase is Phase.SUCCEEDED
    reported = {r.detail for r in probes.stage.record().attempts[-1].results}
    assert reported == {"reports 2.5.0, although its transfer said timeout"}


def test_new_content_does_not_wait_for_versions_of_the_old(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="48h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    probes.behave(probe_2="normal")
    firmware = pushed(probes.stage, "2.5.0", bytes(range(255, -1, -1)) * 12)
    probes.stage.fleet(images={firmware.sha256: "2.5.0"})

    probes.stage.drive(probes.canary(firmware=firmware))

    assert (probes.stage.record().phase, probes.stage.record().version) == (Phase.SUCCEEDED, "2.5.0")


def test_a_lost_journal_does_not_turn_a_wait_into_a_verdict(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    lose_journal(probes.stage.folder)

    probes.stage.run(rollout)
    again = probes.stage.record().attempts[0]
    probes.stage.advance(6 * 3600 + 60)
    probes.stage.run(rollout)

    assert (again.stage, again.progress) == (Stage.RUNNING, {"succeeded": 2, "waitingForVersion": 1})
    assert probes.stage.record().phase is Phase.FAILED


def test_an_image_whose_version_no_one_reported_calls_itself_by_its_digest(probes: Probes) -> None:
    firmware = pushed(probes.stage, "2.5.0", bytes(range(255, -1, -1)) * 12)
    rollout = probes.canary(within="1h", firmware=firmware)
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)

    assert set(probes.drift()["devices.version"]) == {"unknown"}


def test_transfers_prove_nothing_after_other_content_was_declared(probes: Probes) -> None:
    probes.behave(probe_0="neverReports", probe_2="neverReports", probe_4="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    hour = (probes.stage.server.world.clock.now().hour + 12) % 24
    shut = Window(schedule=f"0 {hour} * * *", duration="1h", time_zone="UTC", kind="allow", overrun="finish")
    newer = pushed(probes.stage, "2.5.0", bytes(range(255, -1, -1)) * 12)
    probes.stage.run(replace(rollout, firmware=newer, windows=(shut,)))

    for _ in range(3):
        probes.stage.run(rollout)
        probes.stage.advance(3 * 3600)

    assert probes.stage.record().waves[0].verdict.succeeded == 0
    assert probes.stage.record().phase is Phase.FAILED


def test_an_abort_waits_for_no_version(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="48h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)

    report = probes.stage.run(replace(rollout, abort=Abort(reason="bad batch")))

    (attempt,) = probes.stage.record().attempts
    assert [h.message for h in report.rollouts[0].holds] == ["bad batch"]
    assert [r.reason for r in attempt.results if r.outcome is Outcome.FAILED] == [Reason.VERSION]
