"""Manifests edited while a rollout runs: nothing starts unchecked, nothing is sent twice, going back goes back."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Cause, DriftPolicy, Gate, Ignore, Phase, Rollout, Strategy, Targets, Wave
from tests.support.fuota_stage import BUCKET, GROUPS, KEY, ROLE, FuotaStage, declared, edited, pushed, trust

SESSION = 2200  # seconds after which a session begun at once is on air


def waves(*pairs: tuple[str, tuple[str, ...]], gate: float = 90) -> Strategy:
    listed = tuple(Wave(name=n, targets=Targets(multicast_groups=groups)) for n, groups in pairs)
    return Strategy(waves=listed, gate=Gate(min_success_percent=gate))


ONE = waves(("canary", GROUPS[:1]))


def with_spec(rollout: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, backend=msgspec.structs.replace(rollout.backend, **changes))


def starts(ground: FuotaStage) -> int:
    return len(ground.writes("StartFuotaTask"))


def test_a_gate_that_turns_a_verdict_starts_nothing_unchecked(ground: FuotaStage) -> None:
    ground.fleet(devices=[{"devEui": ground.euis[0], "rfRegion": "EU868", "behaviour": "silent"}])
    late = {"name": "g1", "id": GROUPS[1], "rfRegion": "EU868", "devices": ground.euis[1::2]}
    ground.fleet(groups=[{**late, "notReady": ground.euis[1:2]}])
    low, high = (waves(("canary", GROUPS[:1]), ("fleet", GROUPS[1:]), gate=g) for g in (50, 99))
    ground.drive(declared(strategy=low), rounds=4)
    ground.run(declared(strategy=high))
    ground.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other" * 100, ChecksumAlgorithm="SHA256")
    ground.iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("ec2.amazonaws.com"))
    ground.advance(600)

    report = ground.run(declared(strategy=low))

    reasons = {h.reason for h in report.rollouts[0].holds}
    assert {"image_digest_differs", "role_does_not_trust_service", "target_is_not_ready"} <= reasons
    assert starts(ground) == 1


def test_a_canary_put_in_front_of_a_waiting_fleet_does_not_start_it_unchecked(ground: FuotaStage) -> None:
    late = {"name": "g1", "id": GROUPS[1], "rfRegion": "EU868", "devices": ground.euis[1::2]}
    ground.fleet(groups=[{**late, "notReady": ground.euis[1:2]}])
    ground.run(declared(strategy=waves(("fleet", GROUPS[1:])), cleanup="never"))
    both = declared(strategy=waves(("canary", GROUPS[:1]), ("fleet", GROUPS[1:])), cleanup="never")
    ground.advance(300)
    ground.run(both)
    ground.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"other" * 100, ChecksumAlgorithm="SHA256")
    ground.advance(7200)

    ground.run(both)

    assert starts(ground) == 1  # the canary's
    assert ground.record().phase is not Phase.SUCCEEDED


def test_going_back_in_git_runs_the_old_content_as_a_new_attempt_and_ends(ground: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.run(old)
    ground.advance(600)
    ground.run(new)
    ground.advance(600)

    ground.drive(old)

    record = ground.record()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, a.stage.value) for a in record.attempts] == [
        (1, "superseded"),
        (1, "superseded"),
        (2, "deleted"),
    ]
    assert set(ground.images()) == {old.firmware.sha256}


def test_going_back_after_an_update_in_place_does_not_take_the_old_token_again(ground: FuotaStage) -> None:
    old = declared(strategy=ONE, cleanup="never")
    new = declared(strategy=ONE, cleanup="never", firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.deafen()
    ground.run(old)
    ground.advance(300)
    ground.run(new)
    ground.deafen(False)
    ground.drive(new)

    ground.drive(old)

    assert ground.record().phase is Phase.SUCCEEDED
    assert len(set(ground.made())) == 2
    assert set(ground.images()) == {old.firmware.sha256}


def test_a_passed_wave_over_which_other_content_was_started_is_run_again(ground: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.drive(old)
    ground.run(new)
    ground.advance(SESSION)

    ground.drive(old)

    assert ground.record().phase is Phase.SUCCEEDED
    assert set(ground.images()) == {old.firmware.sha256}


@pytest.mark.parametrize(
    "change", [{"tags": {"team": "roots"}}, {"description": "other words"}, {"start_lead": "40m"}, {"data_rate": 4}]
)
def test_an_edit_that_devices_never_see_neither_ends_a_session_nor_sends_again(
    ground: FuotaStage, change: dict[str, object]
) -> None:
    rollout = declared(strategy=ONE)
    ground.run(rollout)
    ground.advance(SESSION)

    ground.drive(with_spec(rollout, **change))

    assert ground.record().phase is Phase.SUCCEEDED
    assert (len(ground.made()), starts(ground)) == (1, 1)


def test_a_description_declared_after_the_start_is_told_as_that(ground: FuotaStage) -> None:
    rollout = declared(strategy=ONE)
    ground.run(rollout)
    ground.advance(300)

    ground.run(with_spec(rollout, description="other words"))

    (entry,) = ground.record().drift
    assert (entry.field, entry.cause) == ("description", Cause.DECLARED_LATE)


def test_an_edited_description_of_an_open_task_is_an_update_and_no_drift(ground: FuotaStage) -> None:
    rollout = declared(strategy=ONE)
    ground.deafen()
    ground.run(rollout)
    ground.advance(300)

    ground.run(with_spec(rollout, description="other words", tags={"team": "roots"}))

    assert ground.task()["Description"] == "other words"
    assert ground.record().drift == ()


def test_new_content_waits_for_a_session_on_air_to_end(ground: FuotaStage) -> None:
    old, new = declared(strategy=ONE), declared(strategy=ONE, firmware=pushed(ground, "2.5.0", b"new" * 900))
    ground.run(old)
    ground.advance(SESSION)
    assert ground.task()["Status"] == "In_FuotaSession"

    report = ground.run(new)

    assert [h.reason for h in report.rollouts[0].holds] == ["previous_revision_running"]
    assert ground.writes("DeleteFuotaTask") == []
    ground.drive(new)
    assert set(ground.images()) == {new.firmware.sha256}


def test_a_digest_nobody_pushed_does_not_end_a_start_that_waits(ground: FuotaStage) -> None:
    ground.run(declared(strategy=ONE))
    ground.advance(300)
    wrong = msgspec.structs.replace(declared().firmware, sha256="0" * 64, image=f"s3://{BUCKET}/gone/{'0' * 64}.bin")

    report = ground.run(declared(strategy=ONE, firmware=wrong))

    assert [h.reason for h in report.rollouts[0].holds] == ["image_is_missing"]
    assert ground.task()["Status"] == "FuotaSession_Waiting"


@pytest.mark.parametrize("advance", [300, SESSION, 7200])
def test_a_renamed_wave_is_not_sent_the_same_content_again(ground: FuotaStage, advance: int) -> None:
    ground.run(declared(strategy=ONE))
    ground.advance(advance)

    report = ground.run(declared(strategy=waves(("pilot", GROUPS[:1]))))

    assert "targets_were_sent_already" in {h.reason for h in report.rollouts[0].holds}
    assert (len(ground.made()), starts(ground)) == (1, 1)


def test_a_wave_taken_out_while_it_runs_is_told_with_the_command_that_ends_it(ground: FuotaStage) -> None:
    ground.run(declared())
    task = ground.task()["Id"]
    ground.advance(300)

    report = ground.run(declared(strategy=waves(("fleet", GROUPS[1:]))))

    (hold,) = report.rollouts[0].holds
    assert hold.reason == "wave_left_the_manifest"
    assert f"aws iotwireless delete-fuota-task --id {task}" in hold.message
    assert [e.cause for e in ground.record().drift] == [Cause.ORPHAN]
    assert len(ground.made()) == 1


def test_targets_of_another_kind_are_a_new_attempt(ground: FuotaStage) -> None:
    from tests.support.fuota_stage import single_devices

    ground.deafen()
    ground.run(declared(strategy=ONE))
    ground.advance(300)
    devices = single_devices(ground).strategy.waves[0].targets
    wave = Wave(name="canary", targets=devices)

    ground.run(declared(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90))))

    assert [a.stage.value for a in ground.record().attempts] == ["superseded", "scheduled"]


def test_in_report_mode_a_group_taken_out_of_the_manifest_is_work_and_not_drift(ground: FuotaStage) -> None:
    report_only = DriftPolicy(mode="report")
    ground.deafen()
    ground.run(declared(strategy=waves(("canary", GROUPS)), drift=report_only))
    ground.advance(300)

    ground.run(declared(strategy=waves(("canary", GROUPS[1:])), drift=report_only))

    assert ground.record().drift == ()
    assert ground.task()["Status"] == "FuotaSession_Waiting"


def test_a_lost_unit_is_made_again_when_its_loss_is_accepted(ground: FuotaStage) -> None:
    ground.run(declared(strategy=ONE))
    ground.wireless.delete_fuota_task(Id=ground.task()["Id"])
    ground.run(declared(strategy=ONE))
    ground.advance(300)
    assert ground.run(declared(strategy=ONE)).rollouts[0].phase == "Stalled"

    accepted = DriftPolicy(ignore=(Ignore(field="unit", reason="my mistake"),))
    ground.drive(edited(declared(strategy=ONE), drift=accepted))

    assert ground.record().phase is Phase.SUCCEEDED
    assert [(a.number, a.stage.value) for a in ground.record().attempts] == [(1, "lost"), (2, "deleted")]
