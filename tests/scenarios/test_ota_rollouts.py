"""OTA updates from manifest to verdict, over real HTTP: waves, edits, pacing, proof by version, a public client."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import (
    Device,
    DriftPolicy,
    Gate,
    Outcome,
    Phase,
    Reason,
    Stage,
    Strategy,
    Suspend,
    Targets,
    Wave,
)
from tests.support.fuota_stage import lose_journal, pushed
from tests.support.ota_stage import SIGNED, THINGS, OtaStage, block, gateway, one_wave, running


def test_two_waves_run_one_after_another_and_everything_is_cleaned_up(ota_stage: OtaStage) -> None:
    ota_stage.cron()

    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, len(a.results), a.stage) for a in record.attempts] == [
        (1, 2, Stage.DELETED),
        (1, 3, Stage.DELETED),
    ]
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
    assert ota_stage.updates() == []
    assert ota_stage.iot.list_streams()["streams"] == []
    assert record.drift == ()


def test_a_second_reconcile_writes_nothing(ota_stage: OtaStage) -> None:
    running(ota_stage)
    before = ota_stage.journal().history("prod-eu", "gateway")

    transport = ota_stage.transport()
    report = ota_stage.run(one_wave(), transport=transport)

    assert transport.stats.writes == 0
    assert report.rollouts[0].actions == ()
    assert ota_stage.journal().history("prod-eu", "gateway") == before


def test_a_quiet_run_reads_a_few_things_of_a_running_update_and_nothing_of_a_done_one(ota_stage: OtaStage) -> None:
    running(ota_stage)
    transport = ota_stage.transport()

    ota_stage.run(one_wave(), transport=transport)

    assert {k: n for k, n in transport.stats.by_operation.items() if k.startswith("iot")} == {
        "iot:ListOTAUpdates": 1,
        "iot:ListTagsForResource": 1,
        "iot:ListJobs": 1,
        "iot:ListStreams": 1,
        "iot:GetJobDocument": 1,
        "iot:GetOTAUpdate": 1,
        "iot:DescribeJob": 1,
        "iot:DescribeStream": 1,
    }
    ota_stage.behave()
    ota_stage.cron(one_wave(), rounds=3)
    done = ota_stage.transport()
    ota_stage.run(one_wave(), transport=done)
    reads = {k for k in done.stats.by_operation if k.startswith("iot")}
    assert reads == {"iot:ListOTAUpdates", "iot:ListJobs", "iot:ListStreams"}


def test_a_wave_whose_devices_fail_does_not_pass_and_the_next_one_does_not_start(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_2="failsSelfTest")

    report = ota_stage.cron(rounds=4)

    record = ota_stage.remembered()
    assert record.phase is Phase.FAILED
    assert [h.reason for h in report.rollouts[0].holds] == ["success_rate_is_too_low"]
    failed = {r.device: (r.outcome, r.reason, r.detail) for r in record.attempts[0].results}
    assert failed["gw-2"] == (Outcome.FAILED, Reason.FLASH, "rejected: 0x00000000")
    assert len(ota_stage.created()) == 1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("rejects", Reason.REJECTED),
        ("failsDownload", Reason.DOWNLOAD),
        ("failsSignature", Reason.VERIFY),
        ("stuck", Reason.TIMEOUT),
    ],
)
def test_a_device_that_does_not_make_it_has_its_reason(ota_stage: OtaStage, behaviour: str, reason: Reason) -> None:
    ota_stage.behave(gw_1=behaviour)

    ota_stage.cron(rounds=3, minutes=61)

    results = {r.device: r.reason for r in ota_stage.remembered().attempts[0].results}
    assert results["gw-1"] is reason


def test_new_content_stops_the_old_update_lets_devices_end_and_follows(ota_stage: OtaStage) -> None:
    old = running(ota_stage, gw_1="offline", gw_2="late")
    ota_stage.advance(86400 - 60)  # gw-2 has started
    ota_stage.run(one_wave())
    newer = replace(one_wave(), firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))
    ota_stage.behave()

    report = ota_stage.run(newer)
    job = ota_stage.iot.describe_job(jobId=f"AFR_OTA-{old}")["job"]

    assert "cancelUnit" in report.rollouts[0].actions
    assert (job["status"], job["reasonCode"]) == ("CANCELED", "OTACTL_SUPERSEDED")
    ota_stage.cron(newer, rounds=5)
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert record.version == "2.5.0"
    assert ota_stage.updates() == []
    assert not any(e.open for e in record.drift)


def test_content_with_a_wrong_digest_stops_nothing(ota_stage: OtaStage) -> None:
    running(ota_stage)
    firmware = replace(one_wave().firmware, version="9", sha256="0" * 64)

    report = ota_stage.run(replace(one_wave(), firmware=firmware))

    assert report.rollouts[0].actions == ()
    assert ota_stage.carried_out("CancelJob") == []


def test_pace_abort_and_timeout_declared_again_go_through_update_job_in_place(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    criterion = {
        "failureType": "FAILED",
        "action": "CANCEL",
        "thresholdPercentage": 10.5,
        "minNumberOfExecutedThings": 20,
    }
    spec = block(
        awsJobExecutionsRolloutConfig={"maximumPerMinute": 7},
        awsJobAbortConfig={"abortCriteriaList": [criterion]},
        awsJobTimeoutConfig={"inProgressTimeoutInMinutes": 90},
    )
    changed = replace(one_wave(), backend=spec)

    ota_stage.run(changed)

    job = ota_stage.iot.describe_job(jobId=f"AFR_OTA-{update}")["job"]
    assert job["jobExecutionsRolloutConfig"]["maximumPerMinute"] == 7
    assert job["abortConfig"]["criteriaList"] == [criterion]
    assert job["timeoutConfig"]["inProgressTimeoutInMinutes"] == 90
    assert ota_stage.created() == [update]
    assert ota_stage.remembered().drift == ()


def test_what_only_the_record_holds_is_declared_late_and_sends_nothing(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    spec = block(description="other words", tags={"team": "other"}, additionalParameters={"ticket": "FW-999"})
    changed = replace(one_wave(), backend=spec)

    ota_stage.run(changed)

    assert ota_stage.created() == [update]
    causes = {field: entry.cause.value for field, entry in ota_stage.open_drift().items()}
    assert causes["description"] == causes["additionalParameters"] == "declared late"
    arn = ota_stage.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateArn"]
    tags = {t["Key"]: t["Value"] for t in ota_stage.iot.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags["team"] == "other"


def test_drift_mode_report_sets_nothing_back(ota_stage: OtaStage) -> None:
    declared = replace(one_wave(), drift=DriftPolicy(mode="report"))
    update = running(ota_stage, declared)
    ota_stage.advance(300)
    ota_stage.run(declared)
    ota_stage.iot.update_job(jobId=f"AFR_OTA-{update}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})

    report = ota_stage.run(declared)

    assert report.rollouts[0].actions == ()
    assert ota_stage.open_drift()["awsJobExecutionsRolloutConfig"].action.startswith("reported")


def test_a_suspended_rollout_that_lets_what_runs_finish_sends_nothing(ota_stage: OtaStage) -> None:
    running(ota_stage)
    held = replace(one_wave(), suspend=Suspend(reason="freeze", owner="ada", running="finish"))
    held = replace(held, firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))

    transport = ota_stage.transport()
    ota_stage.run(held, transport=transport)

    assert transport.stats.writes == 0


def test_the_image_version_of_the_moment_is_pinned_and_later_bytes_reach_no_one(ota_stage: OtaStage) -> None:
    ota_stage.run(one_wave())
    asked = ota_stage.carried_out("CreateOTAUpdate")[0]["parameters"]["files"][0]["fileLocation"]["s3Location"]

    (version,) = ota_stage.s3.list_object_versions(Bucket=asked["bucket"], Prefix=asked["key"])["Versions"]

    assert asked["version"] == version["VersionId"]


def test_a_signature_is_encoded_once_on_its_way_to_the_device(ota_stage: OtaStage) -> None:
    update = running(ota_stage)

    document = json.loads(ota_stage.iot.get_job_document(jobId=f"AFR_OTA-{update}")["document"])

    (file,) = document["afr_ota"]["files"]
    declared = SIGNED["customCodeSigning"]["signature"]["inlineDocument"]
    assert declared in file.values()


def test_http_and_both_read_back_as_declared(ota_stage: OtaStage) -> None:
    spec = block(protocols=["HTTP", "MQTT"], awsJobPresignedUrlConfig=None)
    declared = replace(one_wave(), backend=spec)

    running(ota_stage, declared)

    assert ota_stage.remembered().drift == ()


@pytest.mark.parametrize("answer", ["empty", "zero"])
def test_an_unset_pace_is_no_drift_however_the_service_echoes_it(ota_stage: OtaStage, answer: str) -> None:
    ota_stage.server.world.apply_settings({"unsetRolloutReadsBack": answer})
    declared = replace(one_wave(), backend=block(awsJobExecutionsRolloutConfig=None, awsJobTimeoutConfig=None))

    running(ota_stage, declared)

    assert ota_stage.remembered().drift == ()


def test_a_continuous_update_goes_on_and_serves_who_joins(ota_stage: OtaStage) -> None:
    waves = (Wave(name="all", targets=Targets(thing_groups=("gateways",))),)
    declared = gateway(backend=block(targetSelection="CONTINUOUS"), strategy=Strategy(waves=waves))
    ota_stage.cron(declared, rounds=3)
    ota_stage.iot.add_thing_to_thing_group(thingName="gw-1", thingGroupName="gateways")
    ota_stage.advance(600)

    ota_stage.run(declared)

    record = ota_stage.remembered()
    assert record.phase is Phase.PROGRESSING
    assert record.attempts[0].progress == {"succeeded": 4}
    assert record.drift == ()


def test_a_continuous_update_has_its_verdict_at_silence_after_over_who_joined_by_then(ota_stage: OtaStage) -> None:
    waves = (Wave(name="all", targets=Targets(thing_groups=("gateways",))),)
    strategy = Strategy(waves=waves, gate=Gate(min_success_percent=90, silence_after="2h"))
    declared = gateway(backend=block(targetSelection="CONTINUOUS"), strategy=strategy)
    ota_stage.cron(declared, rounds=3)
    ota_stage.iot.add_thing_to_thing_group(thingName="gw-1", thingGroupName="gateways")
    ota_stage.advance(600)
    ota_stage.run(declared)
    assert ota_stage.remembered().waves[0].verdict is None

    ota_stage.advance(7200)
    ota_stage.run(declared)

    record = ota_stage.remembered()
    assert record.waves[0].verdict is not None
    assert (record.waves[0].verdict.passed, record.waves[0].verdict.total) == (True, 4)
    assert (record.phase, record.attempts[0].stage) == (Phase.SUCCEEDED, Stage.RUNNING)


@pytest.mark.parametrize("behaviour", ["", "rejects"])
def test_a_thing_that_the_list_of_its_group_did_not_show_at_the_start_counts_and_is_sent_nothing_again(
    ota_stage: OtaStage, behaviour: str
) -> None:
    ota_stage.behave(**({"gw_1": behaviour} if behaviour else {}))
    waves = (Wave(name="all", targets=Targets(thing_groups=("gateways",))),)
    declared = gateway(strategy=Strategy(waves=waves, gate=Gate(min_success_percent=100)))
    lost = {"service": "iot", "operation": "CreateOTAUpdate", "effect": "timeoutBeforeCommit"}
    ota_stage.server.world.faults.replace([lost])
    ota_stage.run(declared)
    ota_stage.server.world.faults.replace([])
    ota_stage.iot.add_thing_to_thing_group(thingName="gw-1", thingGroupName="gateways")  # before the create arrives
    assert "gw-1" not in ota_stage.remembered().attempts[0].devices

    ota_stage.cron(declared, rounds=8)

    record = ota_stage.remembered()
    assert record.waves[0].verdict is not None
    assert (record.waves[0].verdict.total, record.waves[0].verdict.passed) == (4, not behaviour)
    assert [a.unit_id for w in record.waves for a in w.attempts] == [record.attempts[0].unit_id]


def test_a_wave_of_one_rollout_waits_for_a_thing_that_another_one_holds(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_1="late")
    first = gateway(name="alpha", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)))
    waves = (Wave(name="w", targets=things("gw-1", "gw-2")),)
    second = gateway(name="beta", strategy=Strategy(waves=waves), resend=True)

    report = ota_stage.run(first, second)

    assert [(r.name, r.actions) for r in report.rollouts] == [("alpha", ("createUnit",)), ("beta", ())]
    assert [h.reason for h in report.rollouts[1].holds] == ["target_is_busy"]
    ota_stage.behave()
    ota_stage.cron(first, second, rounds=5, minutes=24 * 60)
    assert ota_stage.record("alpha").phase is ota_stage.record("beta").phase is Phase.SUCCEEDED


def things(*names: str) -> Targets:
    return Targets(things=tuple(Device(id=name) for name in names))


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (things("gw-9"), "target_is_missing"),
        (Targets(thing_groups=("unknown",)), "target_is_missing"),
        (Targets(thing_groups=("empty",)), "target_is_empty"),
    ],
)
def test_targets_that_cannot_be_updated_hold_before_anything_is_made(
    ota_stage: OtaStage, targets: Targets, reason: str
) -> None:
    ota_stage.iot.create_thing_group(thingGroupName="empty")
    declared = gateway(strategy=Strategy(waves=(Wave(name="w", targets=targets),)))

    report = ota_stage.run(declared)

    assert [h.reason for h in report.rollouts[0].holds] == [reason]
    assert ota_stage.created() == []


def test_a_device_written_with_the_public_sdk_takes_its_job_and_reports(ota_stage: OtaStage) -> None:
    ota_stage.behave(**{t.replace("-", "_"): "manual" for t in THINGS})
    waves = (Wave(name="w", targets=things("gw-1", "gw-2")),)
    declared = gateway(strategy=Strategy(waves=waves, gate=replace(gateway().strategy.gate, min_success_percent=50)))
    ota_stage.run(declared)
    ota_stage.advance(60)

    for thing, status in (("gw-1", "SUCCEEDED"), ("gw-2", "FAILED")):
        (pending,) = ota_stage.device.get_pending_job_executions(thingName=thing)["queuedJobs"]
        taken = ota_stage.device.start_next_pending_job_execution(
            thingName=thing, statusDetails={"self_test": "receiving"}
        )
        job = taken["execution"]["jobId"]
        assert job == pending["jobId"]
        files = json.loads(taken["execution"]["jobDocument"])["afr_ota"]["files"]
        assert files[0]["filepath"] == "/update"
        ota_stage.device.update_job_execution(
            jobId=job, thingName=thing, status=status, statusDetails={"reason": "0x12: 0x34"}
        )
    ota_stage.cron(declared, rounds=2)

    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: (r.outcome.value, r.detail) for r in record.attempts[0].results} == {
        "gw-1": ("succeeded", ""),
        "gw-2": ("failed", "0x12: 0x34"),
    }


def test_without_a_journal_running_waves_are_found_by_their_marks(ota_stage: OtaStage) -> None:
    update = running(ota_stage, gw_1="late")
    lose_journal(ota_stage.folder)

    ota_stage.cron(one_wave(), rounds=3, minutes=24 * 60)

    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert ota_stage.created() == [update]
    assert ota_stage.installs() == dict.fromkeys(THINGS, 1)
