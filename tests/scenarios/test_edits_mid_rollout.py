"""Manifests edited while a rollout runs: nothing starts unchecked, nothing is sent twice, going back goes back."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Cause, DriftPolicy, Gate, Ignore, Phase, Rollout, Strategy, Wave
from tests.support.fuota_stage import BUCKET, GROUPS, KEY, ROLE, FuotaStage, declared, edited, pushed, trust
from tests.support.wave_strategies import ONE, SESSION, waves


def with_spec(rollout: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, backend=msgspec.structs.replace(rollout.backend, **changes))


def starts(fuota_stage: FuotaStage) -> int:
    return len(fuota_stage.writes("StartFuotaTask"))


def test_a_gate_that_turns_a_verdict_starts_nothing_unchecked(fuota_stage: FuotaStage) -> None:
    fuota_stage.fleet(devices=[{"devEui": fuota_stage.euis[0], "rfRegion": "EU868", "behaviour": "silent"}])
    late = {"name": "g1", "id": GROUPS[1], "rfRegion": "EU868", "devices": fuota_stage.euis[1::2]}
    fuota_stage.fleet(groups=[{**late, "notReady": fuota_stage.euis[1:2]}])
    low, high = (waves(("canary", GROUPS[:1]), ("fleet", GROUPS[1:]), gate=g) for g in (50, 99))
    fuota_stage.drive(declared(strategy=low), rounds=4)
    fuota_stage.run(declared(strategy=high))
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other" * 100, ChecksumAlgorithm="SHA256")
    fuota_stage.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("ec2.amazonaws.com"))
    fuota_stage.advance(600)

    report = fuota_stage.run(declared(strategy=low))

    reasons = {h.reason for h in report.rollouts[0].holds}
    assert {"image_digest_differs", "role_does_not_trust_service", "target_is_not_ready"} <= reasons
    assert starts(fuota_stage) == 1


def test_a_canary_put_in_front_of_a_waiting_fleet_does_not_start_it_unchecked(fuota_stage: FuotaStage) -> None:
    late = {"name": "g1", "id": GROUPS[1], "rfRegion": "EU868", "devices": fuota_stage.euis[1::2]}
    fuota_stage.fleet(groups=[{**late, "notReady": fuota_stage.euis[1:2]}])
    fuota_stage.run(declared(strategy=waves(("fleet", GROUPS[1:])), cleanup="never"))
    both = declared(strategy=waves(("canary", GROUPS[:1]), ("fleet", GROUPS[1:])), cleanup="never")
    fuota_stage.advance(300)
    fuota_stage.run(both)
    fuota_stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other" * 100, ChecksumAlgorithm="SHA256")
    fuota_stage.advance(7200)

    fuota_stage.run(both)

    assert starts(fuota_stage) == 1  # the canary's
    assert fuota_stage.record().phase is not Phase.SUCCEEDED


def test_going_back_in_git_runs_the_old_content_as_a_new_attempt_and_ends(fuota_stage: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.run(old)
    fuota_stage.advance(600)
    fuota_stage.run(new)
    fuota_stage.advance(600)

    fuota_stage.drive(old)

    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, a.stage.value) for a in record.attempts] == [
        (1, "superseded"),
        (1, "superseded"),
        (2, "deleted"),
    ]
    assert set(fuota_stage.images()) == {old.firmware.sha256}


def test_going_back_after_an_update_in_place_does_not_take_the_old_token_again(fuota_stage: FuotaStage) -> None:
    old = declared(strategy=ONE, cleanup="never")
    new = declared(strategy=ONE, cleanup="never", firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.deafen()
    fuota_stage.run(old)
    fuota_stage.advance(300)
    fuota_stage.run(new)
    fuota_stage.deafen(False)
    fuota_stage.drive(new)

    fuota_stage.drive(old)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(set(fuota_stage.made())) == 2
    assert set(fuota_stage.images()) == {old.firmware.sha256}


def test_a_passed_wave_over_which_other_content_was_started_is_run_again(fuota_stage: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.drive(old)
    fuota_stage.run(new)
    fuota_stage.advance(SESSION)

    fuota_stage.drive(old)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert set(fuota_stage.images()) == {old.firmware.sha256}


@pytest.mark.parametrize(
    "change", [{"tags": {"team": "roots"}}, {"description": "other words"}, {"start_lead": "40m"}, {"data_rate": 4}]
)
def test_an_edit_that_devices_never_see_neither_ends_a_session_nor_sends_again(
    fuota_stage: FuotaStage, change: dict[str, object]
) -> None:
    rollout = declared(strategy=ONE)
    fuota_stage.run(rollout)
    fuota_stage.advance(SESSION)

    fuota_stage.drive(with_spec(rollout, **change))

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert (len(fuota_stage.made()), starts(fuota_stage)) == (1, 1)


def test_a_description_declared_after_the_start_is_reported_as_that(fuota_stage: FuotaStage) -> None:
    rollout = declared(strategy=ONE)
    fuota_stage.run(rollout)
    fuota_stage.advance(300)

    fuota_stage.run(with_spec(rollout, description="other words"))

    (entry,) = fuota_stage.record().drift
    assert (entry.field, entry.cause) == ("description", Cause.DECLARED_LATE)


def test_an_edited_description_of_an_open_task_is_an_update_and_no_drift(fuota_stage: FuotaStage) -> None:
    rollout = declared(strategy=ONE)
    fuota_stage.deafen()
    fuota_stage.run(rollout)
    fuota_stage.advance(300)

    fuota_stage.run(with_spec(rollout, description="other words", tags={"team": "roots"}))

    assert fuota_stage.task()["Description"] == "other words"
    assert fuota_stage.record().drift == ()


def test_new_content_waits_for_a_session_on_air_to_end(fuota_stage: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(fuota_stage, "2.5.0", b"new" * 900))
    fuota_stage.run(old)
    fuota_stage.advance(SESSION)
    assert fuota_stage.task()["Status"] == "In_FuotaSession"

    report = fuota_stage.run(new)

    assert [h.reason for h in report.rollouts[0].holds] == ["previous_revision_running"]
    assert fuota_stage.writes("DeleteFuotaTask") == []
    fuota_stage.drive(new)
    assert set(fuota_stage.images()) == {new.firmware.sha256}


def test_a_digest_no_one_pushed_does_not_end_a_start_that_waits(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(300)
    wrong = msgspec.structs.replace(declared().firmware, sha256="0" * 64, image=f"s3://{BUCKET}/gone/{'0' * 64}.bin")

    report = fuota_stage.run(declared(strategy=ONE, firmware=wrong))

    assert [h.reason for h in report.rollouts[0].holds] == ["image_is_missing"]
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"


@pytest.mark.parametrize("advance", [300, SESSION, 7200])
def test_a_renamed_wave_is_not_sent_the_same_content_again(fuota_stage: FuotaStage, advance: int) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(advance)

    report = fuota_stage.run(declared(strategy=waves(("pilot", GROUPS[:1]))))

    assert "targets_were_sent_already" in {h.reason for h in report.rollouts[0].holds}
    assert (len(fuota_stage.made()), starts(fuota_stage)) == (1, 1)


def test_a_wave_taken_out_while_it_runs_is_reported_with_the_command_that_ends_it(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared())
    task = fuota_stage.task()["Id"]
    fuota_stage.advance(300)

    report = fuota_stage.run(declared(strategy=waves(("fleet", GROUPS[1:]))))

    (hold,) = report.rollouts[0].holds
    assert hold.reason == "wave_was_removed"
    assert f"aws iotwireless delete-fuota-task --id {task}" in hold.message
    assert [e.cause for e in fuota_stage.record().drift] == [Cause.ORPHAN]
    assert len(fuota_stage.made()) == 1


def test_targets_of_another_kind_are_a_new_attempt(fuota_stage: FuotaStage) -> None:
    from tests.support.fuota_stage import single_devices

    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(300)
    devices = single_devices(fuota_stage).strategy.waves[0].targets
    wave = Wave(name="canary", targets=devices)

    fuota_stage.run(declared(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90))))

    assert [a.stage.value for a in fuota_stage.record().attempts] == ["superseded", "scheduled"]


def test_in_report_mode_a_group_taken_out_of_the_manifest_is_work_and_not_drift(fuota_stage: FuotaStage) -> None:
    report_only = DriftPolicy(mode="report")
    fuota_stage.deafen()
    fuota_stage.run(declared(strategy=waves(("canary", GROUPS)), drift=report_only))
    fuota_stage.advance(300)

    fuota_stage.run(declared(strategy=waves(("canary", GROUPS[1:])), drift=report_only))

    assert fuota_stage.record().drift == ()
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"


def test_a_lost_unit_is_made_again_when_its_loss_is_accepted(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.wireless.delete_fuota_task(Id=fuota_stage.task()["Id"])
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(300)
    assert fuota_stage.run(declared(strategy=ONE)).rollouts[0].phase == "Stalled"

    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="my mistake"),))
    fuota_stage.drive(edited(declared(strategy=ONE), drift=accepted))

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert [(a.number, a.stage.value) for a in fuota_stage.record().attempts] == [(1, "lost"), (2, "deleted")]
