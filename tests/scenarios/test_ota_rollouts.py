"""OTA updates from manifest to verdict, over real HTTP: waves, edits, pacing, proof by version, a public client."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import (
    Device,
    DriftPolicy,
    Outcome,
    Phase,
    Reason,
    Stage,
    Strategy,
    Suspend,
    Targets,
    VersionConfirm,
    VersionProof,
    Wave,
)
from tests.support.fuota_stage import lose_journal, pushed
from tests.support.ota_stage import SIGNED, THINGS, OtaStage, block, gateway, one_wave, running


def test_two_waves_run_one_after_another_and_everything_is_cleaned_up(gateways: OtaStage) -> None:
    gateways.cron()

    record = gateways.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, len(a.results), a.stage) for a in record.attempts] == [
        (1, 2, Stage.DELETED),
        (1, 3, Stage.DELETED),
    ]
    assert gateways.installs() == dict.fromkeys(THINGS, 1)
    assert gateways.updates() == []
    assert gateways.iot.list_streams()["streams"] == []
    assert record.drift == ()


def test_a_second_reconcile_writes_nothing(gateways: OtaStage) -> None:
    running(gateways)
    before = gateways.journal().history("prod-eu", "gateway")

    transport = gateways.transport()
    report = gateways.run(one_wave(), transport=transport)

    assert transport.stats.writes == 0
    assert report.rollouts[0].actions == ()
    assert gateways.journal().history("prod-eu", "gateway") == before


def test_a_quiet_run_reads_a_few_things_of_a_running_update_and_nothing_of_a_done_one(gateways: OtaStage) -> None:
    running(gateways)
    transport = gateways.transport()

    gateways.run(one_wave(), transport=transport)

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
    gateways.behave()
    gateways.cron(one_wave(), rounds=3)
    done = gateways.transport()
    gateways.run(one_wave(), transport=done)
    reads = {k for k in done.stats.by_operation if k.startswith("iot")}
    assert reads == {"iot:ListOTAUpdates", "iot:ListJobs", "iot:ListStreams"}


def test_a_wave_whose_devices_fail_does_not_pass_and_the_next_one_does_not_start(gateways: OtaStage) -> None:
    gateways.behave(gw_2="failsSelfTest")

    report = gateways.cron(rounds=4)

    record = gateways.remembered()
    assert record.phase is Phase.FAILED
    assert [h.reason for h in report.rollouts[0].holds] == ["success_rate_is_too_low"]
    failed = {r.device: (r.outcome, r.reason, r.detail) for r in record.attempts[0].results}
    assert failed["gw-2"] == (Outcome.FAILED, Reason.FLASH, "rejected: 0x00000000")
    assert len(gateways.created()) == 1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("rejects", Reason.REJECTED),
        ("failsDownload", Reason.DOWNLOAD),
        ("failsSignature", Reason.VERIFY),
        ("stuck", Reason.TIMEOUT),
    ],
)
def test_a_device_that_does_not_make_it_has_its_reason(gateways: OtaStage, behaviour: str, reason: Reason) -> None:
    gateways.behave(gw_1=behaviour)

    gateways.cron(rounds=3, minutes=61)

    results = {r.device: r.reason for r in gateways.remembered().attempts[0].results}
    assert results["gw-1"] is reason


def test_new_content_stops_the_old_update_lets_devices_end_and_follows(gateways: OtaStage) -> None:
    old = running(gateways, gw_1="offline", gw_2="late")
    gateways.advance(86400 - 60)  # gw-2 has begun
    gateways.run(one_wave())
    newer = replace(one_wave(), firmware=pushed(gateways, "2.5.0", b"newer" * 500))
    gateways.behave()

    report = gateways.run(newer)
    job = gateways.iot.describe_job(jobId=f"AFR_OTA-{old}")["job"]

    assert "cancelUnit" in report.rollouts[0].actions
    assert (job["status"], job["reasonCode"]) == ("CANCELED", "OTACTL_SUPERSEDED")
    gateways.cron(newer, rounds=5)
    record = gateways.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert record.version == "2.5.0"
    assert gateways.updates() == []
    assert not any(e.open for e in record.drift)


def test_content_with_a_wrong_digest_stops_nothing(gateways: OtaStage) -> None:
    running(gateways)
    firmware = replace(one_wave().firmware, version="9", sha256="0" * 64)

    report = gateways.run(replace(one_wave(), firmware=firmware))

    assert report.rollouts[0].actions == ()
    assert gateways.carried_out("CancelJob") == []


def test_pace_abort_and_timeout_declared_anew_go_through_update_job_in_place(gateways: OtaStage) -> None:
    update = running(gateways)
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

    gateways.run(changed)

    job = gateways.iot.describe_job(jobId=f"AFR_OTA-{update}")["job"]
    assert job["jobExecutionsRolloutConfig"]["maximumPerMinute"] == 7
    assert job["abortConfig"]["criteriaList"] == [criterion]
    assert job["timeoutConfig"]["inProgressTimeoutInMinutes"] == 90
    assert gateways.created() == [update]
    assert gateways.remembered().drift == ()


def test_what_only_the_record_holds_is_declared_late_and_sends_nothing(gateways: OtaStage) -> None:
    update = running(gateways)
    spec = block(description="other words", tags={"team": "other"}, additionalParameters={"ticket": "FW-999"})
    changed = replace(one_wave(), backend=spec)

    gateways.run(changed)

    assert gateways.created() == [update]
    causes = {field: entry.cause.value for field, entry in gateways.open_drift().items()}
    assert causes["description"] == causes["additionalParameters"] == "declared late"
    arn = gateways.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateArn"]
    tags = {t["Key"]: t["Value"] for t in gateways.iot.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags["team"] == "other"


def test_drift_mode_report_sets_nothing_back(gateways: OtaStage) -> None:
    declared = replace(one_wave(), drift=DriftPolicy(mode="report"))
    update = running(gateways, declared)
    gateways.advance(300)
    gateways.run(declared)
    gateways.iot.update_job(jobId=f"AFR_OTA-{update}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})

    report = gateways.run(declared)

    assert report.rollouts[0].actions == ()
    assert gateways.open_drift()["awsJobExecutionsRolloutConfig"].action.startswith("reported")


def test_a_suspended_rollout_that_lets_what_runs_finish_sends_nothing(gateways: OtaStage) -> None:
    running(gateways)
    held = replace(one_wave(), suspend=Suspend(reason="freeze", owner="ada", running="finish"))
    held = replace(held, firmware=pushed(gateways, "2.5.0", b"newer" * 500))

    transport = gateways.transport()
    gateways.run(held, transport=transport)

    assert transport.stats.writes == 0


def test_the_image_version_of_the_moment_is_pinned_and_later_bytes_reach_nobody(gateways: OtaStage) -> None:
    gateways.run(one_wave())
    asked = gateways.carried_out("CreateOTAUpdate")[0]["parameters"]["files"][0]["fileLocation"]["s3Location"]

    (version,) = gateways.s3.list_object_versions(Bucket=asked["bucket"], Prefix=asked["key"])["Versions"]

    assert asked["version"] == version["VersionId"]


def test_a_signature_is_encoded_once_on_its_way_to_the_device(gateways: OtaStage) -> None:
    update = running(gateways)

    document = json.loads(gateways.iot.get_job_document(jobId=f"AFR_OTA-{update}")["document"])

    (file,) = document["afr_ota"]["files"]
    declared = SIGNED["customCodeSigning"]["signature"]["inlineDocument"]
    assert declared in file.values()


def test_http_and_both_read_back_as_declared(gateways: OtaStage) -> None:
    spec = block(protocols=["HTTP", "MQTT"], awsJobPresignedUrlConfig=None)
    declared = replace(one_wave(), backend=spec)

    running(gateways, declared)

    assert gateways.remembered().drift == ()


@pytest.mark.parametrize("answer", ["empty", "zero"])
def test_an_unset_pace_is_no_drift_however_the_service_echoes_it(gateways: OtaStage, answer: str) -> None:
    gateways.server.world.apply_settings({"unsetRolloutReadsBack": answer})
    declared = replace(one_wave(), backend=block(awsJobExecutionsRolloutConfig=None, awsJobTimeoutConfig=None))

    running(gateways, declared)

    assert gateways.remembered().drift == ()


def by(proof: VersionProof, within: str = "2h") -> VersionConfirm:
    return VersionConfirm(version=proof, within=within)


PROOFS = [
    VersionProof(shadow="reported.firmware.version"),
    VersionProof(attribute="firmwareVersion"),
    VersionProof(index_query="shadow.reported.firmware.version:2.4.1"),
]


@pytest.mark.parametrize("proof", PROOFS, ids=["shadow", "attribute", "index"])
def test_success_is_the_version_a_device_reports(gateways: OtaStage, proof: VersionProof) -> None:
    gateways.behave(gw_2="rollsBack", gw_3="neverReports", gw_4="quietSuccess")
    declared = one_wave(confirm=by(proof))

    gateways.cron(declared, rounds=3, minutes=20)
    waiting = gateways.remembered().attempts[0]
    gateways.cron(declared, rounds=3, minutes=60)

    assert waiting.stage is Stage.RUNNING
    assert waiting.progress["waitingForVersion"] == 2
    results = {r.device: (r.outcome.value, r.reason) for r in gateways.remembered().attempts[0].results}
    assert results == {
        "gw-1": ("succeeded", None),
        "gw-2": ("failed", Reason.VERSION),
        "gw-3": ("failed", Reason.VERSION),
        "gw-4": ("succeeded", None),
        "gw-5": ("succeeded", None),
    }
    told = [e.message for e in gateways.journal().history("prod-eu", "gateway") if e.kind == "drift"]
    assert any("failedButUpdated" in m for m in told)
    if proof.index_query is None:  # the index tells who is found, not what the others run
        details = {r.device: r.detail for r in gateways.remembered().attempts[0].results}
        assert details["gw-2"] == "reports 2.4.0, the version before; declared is 2.4.1"


def test_while_versions_are_waited_for_nothing_is_set_back_on_a_job_that_has_ended(gateways: OtaStage) -> None:
    gateways.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    gateways.cron(declared, rounds=3, minutes=60)
    slower = replace(declared, backend=block(awsJobExecutionsRolloutConfig={"maximumPerMinute": 7}))

    report = gateways.run(slower)

    assert (report.rollouts[0].actions, report.rollouts[0].error) == ((), "")
    assert gateways.open_drift()["awsJobExecutionsRolloutConfig"].cause.value == "declared late"


def test_new_content_does_not_wait_for_versions_of_the_old(gateways: OtaStage) -> None:
    gateways.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    gateways.cron(declared, rounds=3)
    gateways.behave()
    newer = replace(declared, firmware=pushed(gateways, "2.5.0", b"newer" * 500))

    gateways.cron(newer, rounds=3)

    assert gateways.remembered().phase is Phase.SUCCEEDED
    assert gateways.remembered().version == "2.5.0"


def test_9_a_device_that_went_back_is_told_with_the_version_it_runs(gateways: OtaStage) -> None:
    gateways.behave(gw_2="rollsBack")
    declared = one_wave(confirm=by(PROOFS[0]))

    gateways.cron(declared, rounds=2, minutes=20)

    entry = gateways.open_drift()["devices.version"]
    assert (entry.desired, entry.cause.value) == ("2.4.1", "version")
    assert entry.observed == {"older": {"devices": 1, "reported": {"gw-2": "2.4.0"}}}


def test_a_continuous_update_goes_on_and_serves_who_joins(gateways: OtaStage) -> None:
    waves = (Wave(name="all", targets=Targets(thing_groups=("gateways",))),)
    declared = gateway(backend=block(targetSelection="CONTINUOUS"), strategy=Strategy(waves=waves))
    gateways.cron(declared, rounds=3)
    gateways.iot.add_thing_to_thing_group(thingName="gw-1", thingGroupName="gateways")
    gateways.advance(600)

    gateways.run(declared)

    record = gateways.remembered()
    assert record.phase is Phase.PROGRESSING
    assert record.attempts[0].progress == {"succeeded": 4}
    assert record.drift == ()


def test_a_wave_of_one_rollout_waits_for_a_thing_that_another_one_holds(gateways: OtaStage) -> None:
    gateways.behave(gw_1="late")
    first = gateway(name="alpha", strategy=Strategy(waves=(Wave(name="w", targets=things("gw-1")),)))
    waves = (Wave(name="w", targets=things("gw-1", "gw-2")),)
    second = gateway(name="beta", strategy=Strategy(waves=waves), resend=True)

    report = gateways.run(first, second)

    assert [(r.name, r.actions) for r in report.rollouts] == [("alpha", ("createUnit",)), ("beta", ())]
    assert [h.reason for h in report.rollouts[1].holds] == ["target_is_busy"]
    gateways.behave()
    gateways.cron(first, second, rounds=5, minutes=24 * 60)
    assert gateways.record("alpha").phase is gateways.record("beta").phase is Phase.SUCCEEDED


def things(*names: str) -> Targets:
    return Targets(things=tuple(Device(id=name) for name in names))


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (things("gw-9"), "target_is_missing"),
        (Targets(thing_groups=("nobody",)), "target_is_missing"),
        (Targets(thing_groups=("empty",)), "target_is_empty"),
    ],
)
def test_targets_that_cannot_be_updated_hold_before_anything_is_made(
    gateways: OtaStage, targets: Targets, reason: str
) -> None:
    gateways.iot.create_thing_group(thingGroupName="empty")
    declared = gateway(strategy=Strategy(waves=(Wave(name="w", targets=targets),)))

    report = gateways.run(declared)

    assert [h.reason for h in report.rollouts[0].holds] == [reason]
    assert gateways.created() == []


def test_a_device_written_with_the_public_sdk_takes_its_job_and_reports(gateways: OtaStage) -> None:
    gateways.behave(**{t.replace("-", "_"): "manual" for t in THINGS})
    waves = (Wave(name="w", targets=things("gw-1", "gw-2")),)
    declared = gateway(strategy=Strategy(waves=waves, gate=replace(gateway().strategy.gate, min_success_percent=50)))
    gateways.run(declared)
    gateways.advance(60)

    for thing, status in (("gw-1", "SUCCEEDED"), ("gw-2", "FAILED")):
        (pending,) = gateways.device.get_pending_job_executions(thingName=thing)["queuedJobs"]
        taken = gateways.device.start_next_pending_job_execution(
            thingName=thing, statusDetails={"self_test": "receiving"}
        )
        job = taken["execution"]["jobId"]
        assert job == pending["jobId"]
        files = json.loads(taken["execution"]["jobDocument"])["afr_ota"]["files"]
        assert files[0]["filepath"] == "/update"
        gateways.device.update_job_execution(
            jobId=job, thingName=thing, status=status, statusDetails={"reason": "0x12: 0x34"}
        )
    gateways.cron(declared, rounds=2)

    record = gateways.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: (r.outcome.value, r.detail) for r in record.attempts[0].results} == {
        "gw-1": ("succeeded", ""),
        "gw-2": ("failed", "0x12: 0x34"),
    }


def test_without_a_journal_running_waves_are_found_by_their_marks(gateways: OtaStage) -> None:
    update = running(gateways, gw_1="late")
    lose_journal(gateways.folder)

    gateways.cron(one_wave(), rounds=3, minutes=24 * 60)

    record = gateways.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert gateways.created() == [update]
    assert gateways.installs() == dict.fromkeys(THINGS, 1)
