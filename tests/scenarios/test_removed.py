"""A rollout taken out of Git stays visible while anything of it is with the service, and then lets go."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.backends.aws.client import Answer
from otactl.model import Phase, Record, Stage
from otactl.reconcile.reconciler import RunReport
from tests.support.fuota_stage import FuotaStage, declared
from tests.support.ota_stage import THINGS, OtaStage, block, one_wave
from tests.support.tuya_stage import PLUGS, TuyaStage


def reported(report: RunReport, name: str) -> tuple[str, str]:
    """The phase of a rollout in a report, and its hold's words; nothing when it is not in it."""
    found = [r for r in report.rollouts if r.name == name]
    if not found:
        return "", ""
    (rollout,) = found
    assert rollout.actions == ()
    return rollout.phase, "; ".join(f"{h.reason}: {h.message}" for h in rollout.holds)


def stages(record: Record) -> list[Stage]:
    return [a.stage for a in record.attempts]


def test_a_session_of_a_rollout_that_left_git_is_reported_until_it_ended_and_its_results_are_recorded(
    fuota_stage: FuotaStage,
) -> None:
    fuota_stage.run(declared())
    task = fuota_stage.task()["Id"]

    phase, words = reported(fuota_stage.run(covers=True), "probe")

    assert phase == "Orphaned"
    assert words.startswith("manifest_removed: ")
    assert f"aws iotwireless delete-fuota-task --id {task}" in words
    fuota_stage.advance(7200)
    fuota_stage.run(covers=True)
    (attempt,) = fuota_stage.record().attempts
    assert (attempt.stage, len(attempt.results)) == (Stage.ENDED, 3)
    assert len(fuota_stage.made()) == 1
    fuota_stage.wireless.delete_fuota_task(Id=task)
    fuota_stage.advance(3600)
    fuota_stage.run(covers=True)
    assert fuota_stage.record().phase is Phase.REMOVED
    assert reported(fuota_stage.run(covers=True), "probe") == ("", "")


def test_one_empty_list_does_not_end_what_left_git(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared())
    fuota_stage.run(covers=True)

    def empty(service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "ListFuotaTasks":
            answer = replace(answer, body={}) if not isinstance(answer, dict) else {"FuotaTaskList": []}
        return answer

    fuota_stage.run(covers=True, transport=fuota_stage.transport(around=empty))

    record = fuota_stage.record()
    assert (record.phase, stages(record)) == (Phase.ORPHANED, [Stage.SCHEDULED])
    assert [e.field for e in record.drift if e.open] == ["unit"]


def test_a_task_whose_create_was_not_answered_is_found_and_reported_when_its_rollout_left_git(
    fuota_stage: FuotaStage,
) -> None:
    fuota_stage.fault(service="iotwireless", operation="CreateFuotaTask", effect="timeoutAfterCommit")
    fuota_stage.run(declared())
    fuota_stage.server.world.faults.replace([])

    phase, words = reported(fuota_stage.run(covers=True), "probe")

    assert phase == "Orphaned"
    assert words.count(f"aws iotwireless delete-fuota-task --id {fuota_stage.task()['Id']}") == 1
    assert fuota_stage.record().intents == ()


def test_a_create_that_never_came_is_let_go_and_holds_no_one(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutBeforeCommit")
    ota_stage.run(one_wave())
    ota_stage.server.world.faults.replace([])
    follower = replace(one_wave(), name="second")

    assert "may have been created" in reported(ota_stage.run(follower, covers=True), "gateway")[1]
    for _ in range(4):
        ota_stage.advance(1200)
        report = ota_stage.run(follower, covers=True)

    assert reported(report, "gateway") == ("", "")
    assert ota_stage.record("gateway").phase is Phase.REMOVED
    assert ota_stage.record("gateway").intents == ()
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)


def test_an_update_whose_create_was_not_answered_ends_and_then_holds_no_one(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutAfterCommit")
    ota_stage.run(one_wave())
    ota_stage.server.world.faults.replace([])
    follower = replace(one_wave(), name="second", backend=block(description="other"), resend=True)

    report = ota_stage.run(follower, covers=True)

    (update,) = ota_stage.updates()
    assert f"AFR_OTA-{update}" in reported(report, "gateway")[1]
    for _ in range(3):
        ota_stage.advance(1200)
        ota_stage.run(follower, covers=True)
    assert stages(ota_stage.record("gateway")) == [Stage.ENDED]
    assert ota_stage.record("second").phase in (Phase.SUCCEEDED, Phase.PROGRESSING)
    assert len(ota_stage.created()) == 2


def test_a_batch_of_a_rollout_that_left_git_is_reported_and_goes_on_when_its_manifest_is_back(
    tuya_stage: TuyaStage,
) -> None:
    tuya_stage.behave(**{name.replace("-", "_"): "offline" for name in PLUGS})
    tuya_stage.run()
    (batch,) = tuya_stage.batches()

    for _ in range(2):
        phase, words = reported(FuotaStage.run(tuya_stage, covers=True, access={"tuya": tuya_stage.access}), "plug")
        assert phase == "Orphaned"
        assert f"cancel batch {batch['jobId']} in Tuya's console" in words
        tuya_stage.advance(600)
    assert stages(tuya_stage.record("plug")) == [Stage.RUNNING]
    tuya_stage.behaviours()
    tuya_stage.cron(rounds=3)
    assert len(tuya_stage.batches()) == 2
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_an_environment_that_moves_under_a_unit_holds_and_nothing_is_made(fuota_stage: FuotaStage) -> None:
    fuota_stage.run(declared())
    calls = len(fuota_stage.server.world.requests)

    (rollout,) = fuota_stage.run(declared(), owner="other").rollouts

    assert (rollout.phase, [h.reason for h in rollout.holds]) == ("Stalled", ["environment_changed"])
    assert "owner other (it was acme)" in rollout.holds[0].message
    asked = {r["operation"] for r in fuota_stage.server.world.requests[calls:]}
    assert asked == {"GetCallerIdentity", "ListFuotaTasks"}
    assert stages(fuota_stage.record()) == [Stage.SCHEDULED]
    (back,) = fuota_stage.run(declared()).rollouts
    assert (back.phase, back.holds) == ("Progressing", ())
