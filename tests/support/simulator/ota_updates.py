"""What OTA update tests share: versioned buckets, a role that may do its part, a thing in a group, and updates."""

from __future__ import annotations

import json
from typing import Any

from tests.support.simulator.stage import ACCOUNT, BUCKET, IMAGE, KEY, REGION, SimulatorStage, policy

ROLE_NAME = "ota"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
SIGNED = "acme-signed"
PROFILE = "acme_probe"
PARAMETERS = {
    "certificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
    "platform": "AmazonFreeRTOS-Default",
    "certificatePathOnDevice": "/cert.pem",
}
CUSTOM = {
    "customCodeSigning": {
        "signature": {"inlineDocument": b"\x30\x44signature"},
        "certificateChain": {"certificateName": "/cert.pem"},
        "hashAlgorithm": "SHA256",
        "signatureAlgorithm": "ECDSA",
    }
}
TRUST = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
ACTIONS = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:ListBucket",
    "signer:StartSigningJob",
    "signer:DescribeSigningJob",
    "signer:GetSigningProfile",
    "signer:PutSigningProfile",
    "iot:CreateStream",
    "iot:CreateJob",
    "iam:GetRole",
    "iam:PassRole",
)


def arn(resource: str, region: str = REGION, account: str = ACCOUNT) -> str:
    """An ARN of AWS IoT."""
    return f"arn:aws:iot:{region}:{account}:{resource}"


def signing(name: str = PROFILE, bucket: str = SIGNED, prefix: str = "signed/", **parameters: str) -> dict[str, Any]:
    """Code signing by AWS Signer; without parameters the profile has to be there."""
    destination = {"s3Destination": {"bucket": bucket, "prefix": prefix}}
    given = {"signingProfileName": name, "destination": destination}
    return {"startSigningJobParameter": {**given, **({"signingProfileParameter": parameters} if parameters else {})}}


def file(**changes: Any) -> dict[str, Any]:
    """A file, signed by its maker unless stated otherwise."""
    location = {"s3Location": {"bucket": BUCKET, "key": KEY}}
    return {"fileName": "probe.bin", "fileVersion": "2.4.1", "fileLocation": location, "codeSigning": CUSTOM, **changes}


class Ota:
    """A stage provisioned for OTA updates."""

    def __init__(self, stage: SimulatorStage) -> None:
        self.stage = stage
        self.iot, self.signer = stage.client("iot"), stage.client("signer")
        for bucket in (BUCKET, SIGNED):
            stage.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
            stage.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.version = str(stage.s3.put_object(Bucket=BUCKET, Key=KEY, Body=IMAGE)["VersionId"])
        stage.iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=policy(TRUST))
        self.permit(*ACTIONS)
        stage.post("fleet", things=[{"name": "probe-1"}])
        self.iot.create_thing_group(thingGroupName="canary")
        self.iot.add_thing_to_thing_group(thingName="probe-1", thingGroupName="canary")

    def permit(self, *actions: str) -> None:
        """Replace what the role may do."""
        given = policy({"Effect": "Allow", "Action": list(actions), "Resource": "*"})
        self.stage.iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="ota", PolicyDocument=given)

    def forbid(self, *actions: str) -> None:
        """Take actions from the role."""
        self.permit(*(action for action in ACTIONS if action not in actions))

    def given(self, name: str = "u1", **changes: Any) -> dict[str, Any]:
        """A request for an update."""
        base = {"otaUpdateId": name, "targets": [arn("thinggroup/canary")], "files": [file()], "roleArn": ROLE}
        return {**base, **changes}

    def create(self, name: str = "u1", **changes: Any) -> dict[str, Any]:
        """Ask for an update; its creation has not ended."""
        return dict(self.iot.create_ota_update(**self.given(name, **changes)))

    def made(self, name: str = "u1", **changes: Any) -> dict[str, Any]:
        """An update whose creation ended, as GetOTAUpdate shows it."""
        self.create(name, **changes)
        self.stage.advance(5)
        return self.get(name)

    def failure(self, **changes: Any) -> tuple[str, str]:
        """The errorInfo of an update that cannot be created, without the request's id."""
        info = self.made(**changes)
        assert info["otaUpdateStatus"] == "CREATE_FAILED"
        return info["errorInfo"]["code"], info["errorInfo"]["message"].partition("; Request ID")[0]

    def get(self, name: str = "u1") -> dict[str, Any]:
        """GetOTAUpdate."""
        return dict(self.iot.get_ota_update(otaUpdateId=name)["otaUpdateInfo"])

    def status(self, name: str = "u1") -> str:
        """An update's status."""
        return str(self.get(name)["otaUpdateStatus"])

    def names(self, **wanted: Any) -> list[str]:
        """The ids that ListOTAUpdates shows."""
        return [update["otaUpdateId"] for update in self.iot.list_ota_updates(**wanted)["otaUpdates"]]

    def document(self, name: str = "u1") -> dict[str, Any]:
        """What devices are sent, without its outer member."""
        text = self.iot.get_job_document(jobId=f"AFR_OTA-{name}")["document"]
        return dict(json.loads(text)["afr_ota"])

    def streams(self) -> list[str]:
        """The ids of all streams."""
        return [stream["streamId"] for stream in self.iot.list_streams()["streams"]]

    def signed_objects(self) -> list[str]:
        """The keys in the bucket of signed objects."""
        return [item["Key"] for item in self.stage.s3.list_objects_v2(Bucket=SIGNED).get("Contents", [])]

    def profile(self, name: str = PROFILE, **changes: Any) -> None:
        """A signing profile of the common parameters."""
        given = {"platformId": PARAMETERS["platform"], "signingParameters": {"certname": "/cert.pem"}, **changes}
        material = {"certificateArn": PARAMETERS["certificateArn"]}
        self.signer.put_signing_profile(profileName=name, signingMaterial=material, **given)
