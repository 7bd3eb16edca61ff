"""Lists what the service role of OTA updates needs besides reading the image.

Source: AWS IoT and FreeRTOS guides, "Create an OTA update service role"; the missing iam:PassRole on itself is the
commonest failure people report.
"""

from __future__ import annotations

from otactl.backends.iot_ota.calls import target_arn
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.statuses import JOB_PREFIX
from otactl.model import Environment, ImageFacts


def role_needs(
    spec: OtaUpdateConfig, environment: Environment, image: str, facts: ImageFacts, keys: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return pairs of IAM action and resource."""
    base = target_arn("device:x", environment).rpartition(":")[0]
    partition = base.split(":")[1]
    needs = [("iam:PassRole", spec.role), ("iam:GetRole", spec.role), ("iot:CreateJob", f"{base}:job/{JOB_PREFIX}x")]
    needs += [("iot:CreateJob", target_arn(key, environment)) for key in keys[:1]]
    if "MQTT" in spec.fields.protocols:
        needs.append(("iot:CreateStream", f"{base}:stream/{JOB_PREFIX}x"))
    if facts.version:
        needs.append(("s3:GetObjectVersion", f"arn:{partition}:s3:::{image.removeprefix('s3://')}"))
    for file in spec.fields.files:
        order = file.code_signing.start_signing_job_parameter
        if order is not None and order.signing_profile_name is not None:
            signer = f"arn:{partition}:signer:{environment.region}:{environment.account}:"
            profile = f"{signer}/signing-profiles/{order.signing_profile_name}"
            needs += [("signer:StartSigningJob", profile), ("signer:GetSigningProfile", profile)]
            needs.append(("signer:DescribeSigningJob", f"{signer}/signing-jobs/x"))
    return tuple(dict.fromkeys(needs))
