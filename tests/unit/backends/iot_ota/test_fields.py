"""What is declared and what the service echoes come to the same fields, or differ in the one that was changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from otactl.backends.iot_ota import calls
from otactl.backends.iot_ota import fields as _ota_fields
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.model import ImageFacts, Observation
from tests.support.fuota_stage import environment
from tests.support.ota_stage import FILE, SIGNATURE
from tests.support.ota_units import unit

ORDER = {"signingProfileName": "gw", "destination": {"s3Destination": {"bucket": "signed-eu", "prefix": "s/"}}}
STREAM = {
    "fileName": "/a",
    "fileLocation": {"stream": {"streamId": "own", "fileId": 3}},
    "codeSigning": FILE["codeSigning"],
}
BY_JOB = {"fileName": "/a", "codeSigning": {"awsSignerJobId": "4bd3"}}
BY_ORDER = {"fileName": "/a", "codeSigning": {"startSigningJobParameter": ORDER}}


def sent(**changes: object) -> dict[str, Any]:
    """The parameters of the create call."""
    seen = Observation(image=ImageFacts(exists=True, version="v-7"))
    return copy.deepcopy(dict(calls._create(unit(**changes), seen, environment()).parameters))


def echo(parameters: dict[str, Any]) -> dict[str, Any]:
    """GetOTAUpdate as AWS's samples show it: unused parts empty, the signing job filled in, no pace of its own."""
    files = []
    for file in parameters["files"]:
        signing = dict(file.get("codeSigning", {}))
        if "startSigningJobParameter" in signing:
            signing["startSigningJobParameter"] = {"signingProfileParameter": {}, **signing["startSigningJobParameter"]}
            signing["awsSignerJobId"] = "b7a55a54"
        signing.setdefault("customCodeSigning", {})
        files.append({**file, "codeSigning": signing})
    record = {
        k: v
        for k, v in parameters.items()
        if k not in ("files", "tags", "roleArn", "awsJobAbortConfig", "awsJobTimeoutConfig")
    }
    return {
        "targetSelection": "SNAPSHOT",
        "awsJobExecutionsRolloutConfig": {},
        "awsJobPresignedUrlConfig": {"expiresInSec": 1800},
        **record,
        "otaUpdateFiles": files,
    }


def job_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeJob of the job the service made."""
    job = {
        "jobExecutionsRolloutConfig": parameters.get("awsJobExecutionsRolloutConfig", {"maximumPerMinute": 0}),
        "presignedUrlConfig": {"roleArn": "r", **parameters.get("awsJobPresignedUrlConfig", {"expiresInSec": 1800})},
    }
    if "awsJobAbortConfig" in parameters:
        job["abortConfig"] = {"criteriaList": parameters["awsJobAbortConfig"]["abortCriteriaList"]}
    if "awsJobTimeoutConfig" in parameters:
        job["timeoutConfig"] = parameters["awsJobTimeoutConfig"]
    return job


ABORT = {
    "abortCriteriaList": [
        {"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 10.25, "minNumberOfExecutedThings": 3}
    ]
}
GROWING = {
    "exponentialRate": {
        "baseRatePerMinute": 5,
        "incrementFactor": 1.5,
        "rateIncreaseCriteria": {"numberOfSucceededThings": 9},
    }
}
HTTP = {"protocols": ["HTTP", "MQTT"], "awsJobPresignedUrlConfig": {"expiresInSec": 600}}
BLOCKS: dict[str, dict[str, object]] = {
    "plain": {},
    "nothing but what is required": {
        "protocols": None,
        "description": None,
        "tags": None,
        "additionalParameters": None,
        "awsJobExecutionsRolloutConfig": None,
        "awsJobTimeoutConfig": None,
    },
    "a growing rate": {"awsJobExecutionsRolloutConfig": GROWING},
    "abort criteria and both protocols": {"awsJobAbortConfig": ABORT, **HTTP},
    "the default URL life, declared": {"awsJobPresignedUrlConfig": {"expiresInSec": 1800}},
    "a stream": {"files": [STREAM]},
    "a signing job done": {"files": [BY_JOB]},
    "a signing job ordered": {"files": [BY_ORDER]},
    "several files with attributes": {"files": [{**FILE, "attributes": {"board": "gw-2"}}, BY_JOB]},
    "continuous": {"targetSelection": "CONTINUOUS"},
}


@pytest.mark.parametrize("changes", BLOCKS.values(), ids=BLOCKS)
def test_what_is_sent_reads_back_as_what_is_declared(changes: dict[str, object]) -> None:
    declared, parameters = unit(**changes), sent(**changes)

    fields, _ = _ota_fields.desired(declared)
    shown = _ota_fields.observed(echo(parameters), job_of(parameters), OtaUpdateConfig.of(declared).document)

    assert {k: v for k, v in fields.items() if shown.get(k) != v} == {}


OTHER = {**SIGNATURE, "signature": {"inlineDocument": b"x"}}
CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "fileVersion": ({"fileVersion": "9"}, "files.0.fileVersion"),
    "fileName": ({"fileName": "/b"}, "files.0.fileName"),
    "key": ({"fileLocation": {"s3Location": {"bucket": "b", "key": "k"}}}, "files.0.fileLocation"),
    "signature": ({"codeSigning": {"customCodeSigning": OTHER}}, "files.0.codeSigning"),
    "signing form": ({"codeSigning": {"awsSignerJobId": "1"}}, "files.0.codeSigning"),
}


@pytest.mark.parametrize(("change", "field"), CHANGES.values(), ids=CHANGES)
def test_a_file_that_is_another_shows_in_its_own_field_alone(change: dict[str, object], field: str) -> None:
    declared, parameters = unit(), sent()
    record = echo(parameters)
    record["otaUpdateFiles"][0] |= change

    fields, _ = _ota_fields.desired(declared)
    shown = _ota_fields.observed(record, job_of(parameters), OtaUpdateConfig.of(declared).document)

    assert [k for k, v in fields.items() if shown.get(k) != v] == [field]


def test_a_version_is_compared_only_where_one_is_declared() -> None:
    place = {"bucket": "b", "key": "k", "version": "v1"}
    file = {**FILE, "fileLocation": {"s3Location": place}}
    declared, parameters = unit(files=[file]), sent(files=[file])
    record = echo(parameters)
    record["otaUpdateFiles"][0]["fileLocation"] = {"s3Location": {**place, "version": "v2"}}

    fields, _ = _ota_fields.desired(declared)
    shown = _ota_fields.observed(record, None, OtaUpdateConfig.of(declared).document)

    assert shown["files.0.fileLocation"] != fields["files.0.fileLocation"]
    assert _ota_fields.pinned(record) == (("b", "k", "v2"),)


def test_our_marks_stand_in_tags_and_in_additional_parameters() -> None:
    parameters = sent()

    tags = {t["Key"]: t["Value"] for t in parameters["tags"]}

    assert tags["otactl:owner"] == parameters["additionalParameters"]["otactl:owner"] == "acme"
    assert tags["otactl:generation"] == parameters["additionalParameters"]["otactl:generation"]
    assert (tags["team"], parameters["additionalParameters"]["ticket"]) == ("gw", "FW-231")


def test_a_file_that_no_one_declared_differs_from_what_is_declared() -> None:
    declared, parameters = unit(), sent()
    record = echo(parameters)
    record["otaUpdateFiles"].append(
        {"fileName": "/rootkit", "fileLocation": {"stream": {"streamId": "x", "fileId": 1}}}
    )

    fields, _ = _ota_fields.desired(declared)
    shown = _ota_fields.observed(record, job_of(parameters), OtaUpdateConfig.of(declared).document)

    assert fields["files.undeclared"] is None
    assert shown["files.undeclared"] == ["/rootkit"]
