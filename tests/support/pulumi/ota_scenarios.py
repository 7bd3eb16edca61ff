"""Three acts with OTA updates that between them make every call the controller knows, reported step by step.

An act is a generator: after each run it yields what that run reported, so that a search for a refusal stops there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from infra import ota_permissions
from infra.iam_documents import Names
from otactl.model import Gate, Rollout, Strategy, VersionConfirm, VersionProof
from tests.support.fuota_stage import BUCKET, KEY
from tests.support.ota_stage import block, gateway, one_wave
from tests.support.pulumi.provisioned_stack import ProvisionedOtaStage, less, pushed
from tests.support.pulumi.read_settings import read
from tests.support.pulumi.stacks import GATEWAYS

NAMES = Names(read(GATEWAYS))
ORDER = {
    "signingProfileName": "gateway",
    "signingProfileParameter": {
        "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b",
        "platform": "AmazonFreeRTOS-Default",
        "certificatePathOnDevice": "/cert.pem",
    },
    "destination": {"s3Destination": {"bucket": BUCKET, "prefix": "signed/"}},
}
SIGNED_BY_AWS = [{"fileName": "/update", "codeSigning": {"startSigningJobParameter": ORDER}}]
Act = Callable[[ProvisionedOtaStage], Iterator[list[str]]]


def waves_of_things_then_a_group(at: ProvisionedOtaStage) -> Iterator[list[str]]:
    """MQTT, proved by shadow; meanwhile pace and tags are changed by hand, and a device fails."""
    proof = VersionConfirm(version=VersionProof(shadow="reported.firmware.version"), within="1h")
    strategy = Strategy(waves=gateway().strategy.waves, gate=Gate(min_success_percent=50), confirm=proof)
    declared = gateway(backend=block(role=at.role), strategy=strategy)
    at.behave(gw_1="offline", gw_5="failsSelfTest")
    yield at.run_and_report(declared)
    at.advance(130)
    yield at.run_and_report(declared)
    (update,) = at.updates()
    arn = at.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]["otaUpdateArn"]
    at.iot.update_job(jobId=f"AFR_OTA-{update}", jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    at.iot.tag_resource(
        resourceArn=arn, tags=[{"Key": "team", "Value": "theirs"}, {"Key": "otactl:strange", "Value": "x"}]
    )
    at.advance(200)
    yield at.run_and_report(declared)
    job = at.iot.describe_job(jobId=f"AFR_OTA-{update}")["job"]
    assert job["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 100}
    at.iot.untag_resource(resourceArn=arn, tagKeys=["otactl:owner"])
    at.advance(200)
    yield at.run_and_report(declared)
    tags = {t["Key"]: t["Value"] for t in at.iot.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert (tags["otactl:owner"], tags["team"], "otactl:strange" in tags) == ("acme", "gw", False)
    _wake(at, "gw-1")
    at.advance(600)
    yield from _cron(at, declared, rounds=6)


def signing_that_fails_at_first(at: ProvisionedOtaStage) -> Iterator[list[str]]:
    """AWS Signer signs; the first creation fails at its last step, and leaves things behind; proved by the index."""
    proof = VersionConfirm(version=VersionProof(index_query="shadow.reported.firmware.version:2.4.1"), within="1h")
    declared = one_wave(confirm=proof)
    declared = replace(declared, backend=block(role=at.role, files=SIGNED_BY_AWS))
    whole = ota_permissions.service(NAMES)
    at.rewrite("otaServiceRoleArn", "ota-updates", less(whole, "iot:CreateJob"))
    at.rewrite("otaServiceRoleArn", "undecided", only_iam_can_judge("iot:CreateJob"))
    yield from _cron(at, declared, rounds=2)
    assert [e for e in at.open_drift() if e.startswith("leftover.")], "the failed creation is to be seen"
    at.rewrite("otaServiceRoleArn", "ota-updates", whole)
    yield from _cron(at, declared, rounds=6)


def content_that_changes(at: ProvisionedOtaStage) -> Iterator[list[str]]:
    """HTTP; the URLs' life and then the image are declared again; someone deletes a record under its job; orphans."""
    spec = block(role=at.role, protocols=["HTTP"], awsJobPresignedUrlConfig={"expiresInSec": 600})
    declared = replace(one_wave(), backend=spec)
    _orphans(at)
    at.advance(4000)  # a stream made just now may be of an update that is being made
    at.behave(gw_1="offline")
    yield at.run_and_report(declared)
    at.advance(130)
    yield at.run_and_report(declared)
    longer = block(role=at.role, protocols=["HTTP"], awsJobPresignedUrlConfig={"expiresInSec": 900})
    yield at.run_and_report(replace(declared, backend=longer))
    assert {e.subject for e in at.record("@environment").drift if e.open} == {"gone-1", "AFR_OTA-0a1b"}
    newer = replace(declared, backend=longer, firmware=pushed(at, "2.5.0", b"newer" * 500))
    yield at.run_and_report(newer)
    assert at.carried_out("UpdateJob")[0]["parameters"]["presignedUrlConfig"]["roleArn"] == at.role
    at.advance(130)
    yield from _cron(at, newer, rounds=2)
    at.server.world.apply_settings({"deleteUpdateDeletesJob": False})
    (update,) = at.updates()
    at.iot.delete_ota_update(otaUpdateId=update, forceDeleteAWSJob=True)
    _wake(at, "gw-1")
    at.advance(600)
    yield from _cron(at, newer, rounds=4)


ACTS: dict[str, Act] = {
    act.__name__: act for act in (waves_of_things_then_a_group, signing_that_fails_at_first, content_that_changes)
}


def only_iam_can_judge(action: str) -> dict[str, object]:
    """An action under a condition that is not met, and that no look at the policies can decide."""
    allowed = {"Effect": "Allow", "Action": action, "Resource": "*"}
    condition = {"StringEquals": {"aws:CalledViaLast": "lambda.amazonaws.com"}}
    return {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": condition}]}


def _cron(at: ProvisionedOtaStage, declared: Rollout, rounds: int) -> Iterator[list[str]]:
    for _ in range(rounds):
        yield at.run_and_report(declared)
        at.advance(600)


def _wake(at: ProvisionedOtaStage, *things: str) -> None:
    """Let things be there again, as they are: what they installed meanwhile stays."""
    at.fleet(things=[{"name": thing, "behaviour": "normal"} for thing in things])


def _orphans(at: ProvisionedOtaStage) -> None:
    """A job and a stream of no update, as failed creations leave them behind."""
    at.fleet(things=[{"name": "gw-9", "behaviour": "offline"}])
    arn = at.iot.describe_thing(thingName="gw-9")["thingArn"]
    at.iot.create_job(jobId="AFR_OTA-gone-1", targets=[arn], document="{}")
    files = [{"fileId": 0, "s3Location": {"bucket": BUCKET, "key": KEY}}]
    at.iot.create_stream(streamId="AFR_OTA-0a1b", files=files, roleArn=at.role)
