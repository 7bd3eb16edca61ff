"""What CreateOTAUpdate refuses at once, and the longest id it takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.ota_updates import CUSTOM, Ota, arn, file, signing
from tests.support.simulator.stage import ACCOUNT, BUCKET, KEY, Refusal, SimulatorStage, refusal


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


S3 = {"bucket": BUCKET, "key": KEY}
STREAM = {"streamId": "s", "fileId": 0}
RATE = {"baseRatePerMinute": 5, "incrementFactor": 1.5, "rateIncreaseCriteria": {"numberOfNotifiedThings": 3}}


def abort(threshold: float) -> dict[str, Any]:
    criteria = {"failureType": "ALL", "action": "CANCEL", "minNumberOfExecutedThings": 2}
    return {"awsJobAbortConfig": {"abortCriteriaList": [{**criteria, "thresholdPercentage": threshold}]}}


def rollout(**config: Any) -> dict[str, Any]:
    return {"awsJobExecutionsRolloutConfig": config}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"targets": ["probe-1"]}, "is not the ARN of a thing or thing group"),
        ({"targets": [arn("job/x")]}, "is not the ARN of a thing or thing group"),
        ({"targets": [arn("thing/probe-1", region="us-east-1")]}, "of this account and Region"),
        ({"targets": [arn("thing/probe-1", account="999999999999")]}, "of this account and Region"),
        ({"targets": [arn("thing/absent")]}, "does not exist"),
        ({"targets": [arn("thinggroup/absent")]}, "does not exist"),
        (rollout(exponentialRate={**RATE, "incrementFactor": 1.0}), "incrementFactor"),
        (rollout(exponentialRate={**RATE, "incrementFactor": 5.1}), "incrementFactor"),
        (rollout(exponentialRate={**RATE, "incrementFactor": 1.55}), "incrementFactor"),
        (rollout(exponentialRate={**RATE, "rateIncreaseCriteria": {}}), "rateIncreaseCriteria"),
        (rollout(maximumPerMinute=1001), "maximumPerMinute must be at most 1000"),
        (abort(101), "thresholdPercentage must be at most 100"),
        (abort(12.555), "thresholdPercentage"),
        ({"awsJobPresignedUrlConfig": {"expiresInSec": 59}}, "expiresInSec is between 60 and 3600"),
        ({"awsJobPresignedUrlConfig": {"expiresInSec": 3601}}, "expiresInSec is between 60 and 3600"),
        ({"awsJobTimeoutConfig": {"inProgressTimeoutInMinutes": 0}}, "inProgressTimeoutInMinutes"),
        ({"awsJobTimeoutConfig": {"inProgressTimeoutInMinutes": 10081}}, "inProgressTimeoutInMinutes"),
        ({"protocols": ["FTP"]}, "protocols[0] must be one of MQTT, HTTP"),
        ({"protocols": ["MQTT", "MQTT"]}, "protocols names one twice"),
        ({"files": [file(fileType=256)]}, "fileType must be at most 255"),
        ({"files": [file(fileLocation={})]}, "fileLocation has exactly one"),
        ({"files": [file(fileLocation={"s3Location": S3, "stream": STREAM})]}, "fileLocation has exactly one"),
        ({"files": [file(fileLocation={"s3Location": {"bucket": BUCKET}})]}, "s3Location needs bucket and key"),
        ({"files": [file(fileLocation={"stream": {"streamId": "s"}})]}, "stream needs streamId and fileId"),
        ({"files": [file(), file(codeSigning={})]}, "files[1]: codeSigning has exactly one"),
        ({"files": [file(codeSigning={**CUSTOM, "awsSignerJobId": "j"})]}, "codeSigning has exactly one"),
        ({"files": [file(codeSigning={"customCodeSigning": {"hashAlgorithm": "SHA256"}})]}, "signature.inlineDocument"),
        ({"files": [file(codeSigning=signing(name=""))]}, "needs signingProfileName"),
        (
            {"files": [file(codeSigning={"startSigningJobParameter": {"signingProfileName": "p"}})]},
            "needs destination.s3Destination.bucket",
        ),
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:user/someone"}, "is not the ARN of a role"),
        ({"roleArn": "arn:aws:iam::999999999999:role/ota"}, "Cross-account pass role is not allowed."),
        ({"name": "u" * 57}, "longer than 64 characters"),
    ],
)
def test_what_needs_no_role_is_refused_at_once(ota: Ota, wrong: dict[str, Any], why: str) -> None:
    reported = refusal(ota.create, **wrong)

    assert reported == Refusal(400, "InvalidRequestException", reported.message)
    assert why in reported.message
    assert ota.names() == []


def test_fifty_six_characters_are_the_longest_id(ota: Ota) -> None:
    assert ota.made("u" * 56)["otaUpdateStatus"] == "CREATE_COMPLETE"


def test_an_id_too_long_for_its_job_may_also_fail_later(ota: Ota) -> None:
    ota.stage.settings(longUpdateId="createFails")
    code, message = ota.failure(name="u" * 57)

    assert code == "InvalidRequestException"
    assert "Member must have length less than or equal to 64" in message
