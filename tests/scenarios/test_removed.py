"""A rollout taken out of Git stays visible while anything of it is with the service, and then lets go."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.backends.aws.client import Answer
from otactl.model import Phase, Record, Stage
from otactl.reconcile.reconciler import RunReport
from tests.support.fuota_stage import FuotaStage, declared
from tests.support.ota_stage import THINGS, OtaStage, block, one_wave
from tests.support.tuya_stage import PLUGS, TuyaStage


def told(report: RunReport, name: str) -> tuple[str, str]:
    """The phase of a rollout in a report, and its hold's words; nothing when it is not in it."""
    found = [r for r in report.rollouts if r.name == name]
    if not found:
        return "", ""
    (rollout,) = found
    assert rollout.actions == ()
    return rollout.phase, "; ".join(f"{h.reason}: {h.message}" for h in rollout.holds)


def stages(record: Record) -> list[Stage]:
    return [a.stage for a in record.attempts]


def test_a_session_of_a_rollout_that_left_git_is_told_until_it_ended_and_its_results_are_recorded(
    ground: FuotaStage,
) -> None:
    ground.run(declared())
    task = ground.task()["Id"]

    phase, words = told(ground.run(covers=True), "probe")

    assert phase == "Orphaned"
    assert words.startswith("manifest_left_git: ")
    assert f"aws iotwireless delete-fuota-task --id {task}" in words
    ground.advance(7200)
    ground.run(covers=True)
    (attempt,) = ground.record().attempts
    assert (attempt.stage, len(attempt.results)) == (Stage.ENDED, 3)
    assert len(ground.made()) == 1
    ground.wireless.delete_fuota_task(Id=task)
    ground.advance(3600)
    ground.run(covers=True)
    assert ground.record().phase is Phase.REMOVED
    assert told(ground.run(covers=True), "probe") == ("", "")


def test_one_empty_list_does_not_end_what_left_git(ground: FuotaStage) -> None:
    ground.run(declared())
    ground.run(covers=True)

    def empty(service: str, operation: str, send) -> Answer:
        answer = send()
        if operation == "ListFuotaTasks":
            answer = replace(answer, body={}) if not isinstance(answer, dict) else {"FuotaTaskList": []}
        return answer

    ground.run(covers=True, transport=ground.transport(around=empty))

    record = ground.record()
    assert (record.phase, stages(record)) == (Phase.ORPHANED, [Stage.SCHEDULED])
    assert [e.field for e in record.drift if e.open] == ["unit"]


def test_a_task_whose_create_was_not_answered_is_found_and_told_when_its_rollout_left_git(ground: FuotaStage) -> None:
    ground.fault(service="iotwireless", operation="CreateFuotaTask", effect="timeoutAfterCommit")
    ground.run(declared())
    ground.server.world.faults.replace([])

    phase, words = told(ground.run(covers=True), "probe")

    assert phase == "Orphaned"
    assert words.count(f"aws iotwireless delete-fuota-task --id {ground.task()['Id']}") == 1
    assert ground.record().intents == ()


def test_a_create_that_never_came_is_let_go_and_holds_nobody(gateways: OtaStage) -> None:
    gateways.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutBeforeCommit")
    gateways.run(one_wave())
    gateways.server.world.faults.replace([])
    follower = replace(one_wave(), name="second")

    assert "may have been made" in told(gateways.run(follower, covers=True), "gateway")[1]
    for _ in range(4):
        gateways.advance(1200)
        report = gateways.run(follower, covers=True)

    assert told(report, "gateway") == ("", "")
    assert gateways.record("gateway").phase is Phase.REMOVED
    assert gateways.record("gateway").intents == ()
    assert gateways.installs() == dict.fromkeys(THINGS, 1)


def test_an_update_whose_create_was_not_answered_ends_and_then_holds_nobody(gateways: OtaStage) -> None:
    gateways.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutAfterCommit")
    gateways.run(one_wave())
    gateways.server.world.faults.replace([])
    follower = replace(one_wave(), name="second", backend=block(description="other"), resend=True)

    report = gateways.run(follower, covers=True)

    (update,) = gateways.updates()
    assert f"AFR_OTA-{update}" in told(report, "gateway")[1]
    for _ in range(3):
        gateways.advance(1200)
        gateways.run(follower, covers=True)
    assert stages(gateways.record("gateway")) == [Stage.ENDED]
    assert gateways.record("second").phase in (Phase.SUCCEEDED, Phase.PROGRESSING)
    assert len(gateways.created()) == 2


def test_a_batch_of_a_rollout_that_left_git_is_told_and_goes_on_when_its_manifest_is_back(gate: TuyaStage) -> None:
    gate.behave(**{name.replace("-", "_"): "offline" for name in PLUGS})
    gate.run()
    (batch,) = gate.batches()

    for _ in range(2):
        phase, words = told(FuotaStage.run(gate, covers=True, tuya=gate.access), "plug")
        assert phase == "Orphaned"
        assert f"cancel batch {batch['jobId']} in Tuya's console" in words
        gate.advance(600)
    assert stages(gate.record("plug")) == [Stage.RUNNING]
    gate.behaviours()
    gate.cron(rounds=3)
    assert len(gate.batches()) == 2
    assert gate.record("plug").phase is Phase.SUCCEEDED


def test_an_environment_that_moves_under_a_unit_holds_and_nothing_is_made(ground: FuotaStage) -> None:
    ground.run(declared())
    calls = len(ground.server.world.requests)

    (rollout,) = ground.run(declared(), owner="other").rollouts

    assert (rollout.phase, [h.reason for h in rollout.holds]) == ("Stalled", ["environment_changed"])
    assert "owner other (it was acme)" in rollout.holds[0].message
    asked = {r["operation"] for r in ground.server.world.requests[calls:]}
    assert asked == {"GetCallerIdentity", "ListFuotaTasks"}
    assert stages(ground.record()) == [Stage.SCHEDULED]
    (back,) = ground.run(declared()).rollouts
    assert (back.phase, back.holds) == ("Progressing", ())
