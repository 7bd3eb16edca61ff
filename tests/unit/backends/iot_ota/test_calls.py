"""From our actions to the exact calls of AWS IoT."""

from __future__ import annotations

import base64

import pytest

from otactl.backends.iot_ota import calls
from otactl.model import ImageFacts, Observation, Unit, UnitPhase
from otactl.model.actions import (
    AddMembers,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    ResendCreate,
    StartUnit,
    UpdateUnit,
)
from otactl.state.intents import recorded
from tests.support.builders import NOW
from tests.support.fuota_stage import environment
from tests.support.ota_stage import OTA_ROLE_ARN, block
from tests.support.ota_units import unit

HERE = environment()
SEEN = Observation(image=ImageFacts(exists=True, version="v-7"))


def one(action, seen: Observation = SEEN):
    (call,) = calls.lower(action, seen, HERE)
    return call


def test_an_update_is_created_under_the_units_own_id_with_arns_and_the_images_version() -> None:
    declared = unit()

    call = one(CreateUnit(unit=declared, reason="r", start_at=NOW))

    assert (call.service, call.operation) == ("iot", "CreateOTAUpdate")
    assert call.parameters["otaUpdateId"] == declared.unit_id
    assert len(declared.unit_id) <= 56
    assert call.parameters["targets"] == [f"arn:aws:iot:eu-west-1:123456789012:thing/gw-{n}" for n in (1, 2)]
    assert call.parameters["roleArn"] == OTA_ROLE_ARN
    (file,) = call.parameters["files"]
    assert file["fileLocation"]["s3Location"]["version"] == "v-7"
    assert file["fileVersion"] == "2.4.1"
    assert file["codeSigning"]["customCodeSigning"]["signature"]["inlineDocument"] == base64.b64decode("MEUCIQDx")


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
@pytest.mark.parametrize(("key", "rest"), [("device:gw:1", "thing/gw:1"), ("thingGroup:all", "thinggroup/all")])
def test_targets_are_arns_of_the_environment_and_back(region: str, partition: str, key: str, rest: str) -> None:
    arn = calls.target_arn(key, environment(region=region))

    assert arn == f"arn:{partition}:iot:{region}:123456789012:{rest}"
    assert calls.target_key(arn) == key


def test_a_create_sent_again_is_identical_byte_for_byte() -> None:
    first = one(CreateUnit(unit=unit(), reason="r", start_at=NOW))

    again = one(ResendCreate(unit=unit(), call=recorded(first), reason="r"))

    assert again == first


def test_pace_abort_timeout_and_url_life_go_through_update_job_under_its_own_names() -> None:
    criteria = [{"failureType": "ALL", "action": "CANCEL", "thresholdPercentage": 5, "minNumberOfExecutedThings": 1}]
    declared = unit(awsJobAbortConfig={"abortCriteriaList": criteria}, awsJobPresignedUrlConfig={"expiresInSec": 60})
    names = ("awsJobAbortConfig", "awsJobExecutionsRolloutConfig", "awsJobPresignedUrlConfig", "awsJobTimeoutConfig")

    call = one(UpdateUnit(unit=declared, vendor_id=declared.unit_id, fields=names, reason="r"))

    assert call.operation == "UpdateJob"
    assert call.parameters == {
        "jobId": f"AFR_OTA-{declared.unit_id}",
        "abortConfig": {"criteriaList": criteria},
        "jobExecutionsRolloutConfig": {"maximumPerMinute": 100},
        "presignedUrlConfig": {"expiresInSec": 60, "roleArn": OTA_ROLE_ARN},
        "timeoutConfig": {"inProgressTimeoutInMinutes": 60},
    }


def test_a_cancel_spares_what_has_started_and_says_who_it_is() -> None:
    call = one(CancelUnit(unit_id="u", vendor_id="u", backend="otaUpdate", why="superseded", reason="newer content"))

    assert call.operation == "CancelJob"
    assert call.parameters == {"jobId": "AFR_OTA-u", "reasonCode": "OTACTL_SUPERSEDED", "comment": "newer content"}


def test_a_deletion_takes_stream_and_job_along_or_the_job_that_stayed_behind() -> None:
    action = DeleteUnit(unit_id="u", vendor_id="u", backend="otaUpdate", why="cleanup", reason="r")
    stayed = Unit(unit_id="u", vendor_id="u", phase=UnitPhase.ENDED, readable=False)

    whole, rest = one(action), one(action, Observation(units=(stayed,)))

    assert (whole.operation, rest.operation) == ("DeleteOTAUpdate", "DeleteJob")
    assert whole.parameters == {"otaUpdateId": "u", "deleteStream": True, "forceDeleteAWSJob": True}
    assert rest.parameters == {"jobId": "AFR_OTA-u", "force": True}


def test_marks_are_set_and_strange_ones_taken_off() -> None:
    put, off = calls.lower(MarkUnit(unit=unit(), arn="arn:x", remove=("otactl:x",), reason="r"), SEEN, HERE)

    assert (put.operation, off.operation) == ("TagResource", "UntagResource")
    assert off.parameters == {"resourceArn": "arn:x", "tagKeys": ["otactl:x"]}


def test_what_an_update_cannot_do_is_a_defect_and_not_a_call() -> None:
    declared = unit()
    for action in (
        AddMembers(unit=declared, vendor_id="u", members=("device:x",), reason="r"),
        StartUnit(unit=declared, vendor_id="u", start_at=NOW, reason="r"),
    ):
        with pytest.raises(TypeError):
            calls.lower(action, SEEN, HERE)


def test_what_reaches_no_device_is_no_new_content() -> None:
    plain = block()
    notes = block(
        description="x", tags={}, additionalParameters=None, awsJobTimeoutConfig=None, role="arn:aws:iam::1:role/x"
    )

    assert plain.sent == notes.sent
    assert plain.annotations != notes.annotations
    assert plain.sent != block(protocols=["HTTP"]).sent
