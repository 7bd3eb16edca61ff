"""OTA updates whose success is the version a device reports."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    Outcome,
    Phase,
    Reason,
    Stage,
    VersionConfirm,
    VersionProof,
)
from tests.support.fuota_stage import pushed
from tests.support.ota_stage import OtaStage, block, one_wave


def by(proof: VersionProof, within: str = "2h") -> VersionConfirm:
    return VersionConfirm(version=proof, within=within)


PROOFS = [
    VersionProof(shadow="reported.firmware.version"),
    VersionProof(attribute="firmwareVersion"),
    VersionProof(index_query="shadow.reported.firmware.version:2.4.1"),
]


@pytest.mark.parametrize("proof", PROOFS, ids=["shadow", "attribute", "index"])
def test_success_is_the_version_a_device_reports(ota_stage: OtaStage, proof: VersionProof) -> None:
    ota_stage.behave(gw_2="rollsBack", gw_3="neverReports", gw_4="quietSuccess")
    declared = one_wave(confirm=by(proof))

    ota_stage.cron(declared, rounds=3, minutes=20)
    waiting = ota_stage.remembered().attempts[0]
    ota_stage.cron(declared, rounds=3, minutes=60)

    assert waiting.stage is Stage.RUNNING
    assert waiting.progress["waitingForVersion"] == 2
    results = {r.device: (r.outcome.value, r.reason) for r in ota_stage.remembered().attempts[0].results}
    assert results == {
        "gw-1": ("succeeded", None),
        "gw-2": ("failed", Reason.VERSION),
        "gw-3": ("failed", Reason.VERSION),
        "gw-4": ("succeeded", None),
        "gw-5": ("succeeded", None),
    }
    reported = [e.message for e in ota_stage.journal().history("prod-eu", "gateway") if e.kind == "drift"]
    assert any("failedButUpdated" in m for m in reported)
    if proof.index_query is None:  # the index tells who is found, not what the others run
        details = {r.device: r.detail for r in ota_stage.remembered().attempts[0].results}
        assert details["gw-2"] == "reports 2.4.0, the version before; declared is 2.4.1"


def test_while_versions_are_waited_for_nothing_is_set_back_on_a_job_that_has_ended(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    ota_stage.cron(declared, rounds=3, minutes=60)
    slower = replace(declared, backend=block(awsJobExecutionsRolloutConfig={"maximumPerMinute": 7}))

    report = ota_stage.run(slower)

    assert (report.rollouts[0].actions, report.rollouts[0].error) == ((), "")
    assert ota_stage.open_drift()["awsJobExecutionsRolloutConfig"].cause.value == "declared late"


def test_new_content_does_not_wait_for_versions_of_the_old(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    ota_stage.cron(declared, rounds=3)
    ota_stage.behave()
    newer = replace(declared, firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))

    ota_stage.cron(newer, rounds=3)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.remembered().version == "2.5.0"


def test_9_a_device_that_went_back_is_reported_with_the_version_it_runs(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_2="rollsBack")
    declared = one_wave(confirm=by(PROOFS[0]))

    ota_stage.cron(declared, rounds=2, minutes=20)

    entry = ota_stage.open_drift()["devices.version"]
    assert (entry.desired, entry.cause.value) == ("2.4.1", "version")
    assert entry.observed == {"older": {"devices": 1, "reported": {"gw-2": "2.4.0"}}}


def test_a_device_that_reports_late_succeeds_once_an_abort_is_taken_back(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    ota_stage.cron(declared, rounds=3)
    aborted = replace(declared, abort=Abort(reason="look at it"))
    ota_stage.cron(aborted, rounds=2)
    given_up = ota_stage.remembered()
    state = {"state": {"reported": {"firmware": {"version": "2.4.1"}}}}
    ota_stage.shadow.update_thing_shadow(thingName="gw-3", payload=json.dumps(state).encode())

    ota_stage.cron(aborted, rounds=1)
    still = ota_stage.remembered()
    ota_stage.cron(declared, rounds=2)

    assert [r.reason for r in given_up.attempts[0].results if r.device == "gw-3"] == [Reason.VERSION]
    assert still.attempts[0] == given_up.attempts[0]
    record = ota_stage.remembered()
    assert {r.outcome for r in record.attempts[0].results} == {Outcome.SUCCEEDED}
    assert (record.phase, len(ota_stage.created())) == (Phase.SUCCEEDED, 1)


def test_an_abort_taken_back_waits_for_versions_no_longer_than_their_time(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_3="neverReports")
    declared = one_wave(confirm=by(PROOFS[0], within="12h"))
    ota_stage.cron(declared, rounds=3)
    ota_stage.cron(replace(declared, abort=Abort(reason="look at it")), rounds=2)

    ota_stage.cron(declared, rounds=2)
    waiting = ota_stage.remembered().attempts[0].stage
    ota_stage.cron(declared, rounds=2, minutes=13 * 60)

    assert waiting is Stage.RUNNING
    assert (ota_stage.remembered().phase, ota_stage.remembered().attempts[0].hurried) == (Phase.FAILED, False)
