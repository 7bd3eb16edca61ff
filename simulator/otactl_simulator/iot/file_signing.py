"""Signs a file of an OTA update: by AWS Signer now, by an earlier Signer job, or with its maker's signature.

Rules, from the FreeRTOS user guide ("Creating OTA updates with the AWS CLI") unless said otherwise:

1. startSigningJobParameter: the profile is used, or made from signingProfileParameter when it is not there. When it is
   there, parameters that are given must be its own.
2. awsSignerJobId: the job has Succeeded; its signed object is the file.
3. customCodeSigning: the bytes as given; no one checks them before a device does.
4. The role needs signer:StartSigningJob, DescribeSigningJob, GetSigningProfile, and PutSigningProfile for a profile
   that is created (managed policy AmazonFreeRTOSOTAUpdate).
5. The codes of a wrong profile and of an unfinished job are inferred: InvalidRequestException.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.iot.document import Signature
from otactl_simulator.iot.service_role import IOT, SIGNER, Actor, Found, Place, failed
from otactl_simulator.iot.signing import (
    CERTIFICATE_PATH,
    PLATFORMS,
    job_arn,
    make_profile,
    profile_arn,
    signature,
    signed,
)
from otactl_simulator.iot.state import OtaUpdate, SigningProfile
from otactl_simulator.iot.update_rules import members


def signed_file(
    actor: Actor, update: OtaUpdate, number: int, file: Mapping[str, object], found: Found | None, at: datetime
) -> tuple[Found, Signature]:
    """Return what devices download for a file, and its signature; CreationError."""
    signing = members(file, "codeSigning")
    start, custom = members(signing, "startSigningJobParameter"), members(signing, "customCodeSigning")
    if start and found is not None:
        identifier = _start(actor, start, found, at)
        update.signer_jobs[number] = identifier
        return _by_job(actor, identifier)
    if custom and found is not None:
        return found, _custom(custom)
    return _by_job(actor, str(signing["awsSignerJobId"]))


def _start(actor: Actor, start: Mapping[str, object], found: Found, at: datetime) -> str:
    """Start a signing job (rule 1); its id."""
    store, destination = actor.store, members(members(start, "destination"), "s3Destination")
    profile = _profile(actor, str(start["signingProfileName"]), members(start, "signingProfileParameter"))
    actor.require("signer:StartSigningJob", profile.arn, SIGNER)
    if not found.versioned:
        raise failed(
            store, SIGNER, 400, "ValidationException", f"Bucket {found.place.bucket} is not versioning enabled"
        )
    bucket, prefix = str(destination["bucket"]), str(destination.get("prefix", ""))
    return signed(store, profile, found, bucket, prefix, actor.write, at).id


def _profile(actor: Actor, name: str, given: Mapping[str, object]) -> SigningProfile:
    store, arn = actor.store, profile_arn(actor.store, name)
    actor.require("signer:GetSigningProfile", arn, SIGNER)
    profile = store.profiles.get(name)
    if profile is None:
        if not given:
            raise failed(store, SIGNER, 404, "ResourceNotFoundException", f"Signing profile {name} not found")
        actor.require("signer:PutSigningProfile", arn, SIGNER)
        return _made(actor, name, given)
    if profile.status != "Active":
        text = f"Signing profile {name} is {profile.status}"
        raise failed(store, SIGNER, 400, "ValidationException", text)
    own = {
        "certificateArn": profile.certificate_arn,
        "platform": profile.platform,
        "certificatePathOnDevice": profile.parameters.get(CERTIFICATE_PATH, ""),
    }
    other = sorted(member for member, value in given.items() if own.get(member) != value)
    if other:
        text = f"Signing profile {name} exists with another {', '.join(other)} than signingProfileParameter"
        raise failed(store, IOT, 400, "InvalidRequestException", text)
    return profile


def _made(actor: Actor, name: str, given: Mapping[str, object]) -> SigningProfile:
    platform = str(given.get("platform", ""))
    possible = [known.id for known in PLATFORMS.values() if known.for_devices]
    if platform not in possible:
        text = f"Platform {platform} is none of {', '.join(possible)}"
        raise failed(actor.store, SIGNER, 400, "ValidationException", text)
    path = given.get("certificatePathOnDevice")
    parameters = {CERTIFICATE_PATH: str(path)} if path else {}
    return make_profile(actor.store, name, platform, str(given.get("certificateArn", "")), parameters)


def _by_job(actor: Actor, identifier: str) -> tuple[Found, Signature]:
    """Return the file and signature of an AWS Signer job (rule 2)."""
    store = actor.store
    actor.require("signer:DescribeSigningJob", job_arn(store, identifier), SIGNER)
    job = store.signing_jobs.get(identifier)
    if job is None:
        raise failed(store, SIGNER, 404, "ResourceNotFoundException", f"Signing job {identifier} not found")
    if job.status != "Succeeded":
        text = f"Signing job {identifier} is {job.status}, not Succeeded"
        raise failed(store, IOT, 400, "InvalidRequestException", text)
    found = actor.read(Place(str(job.signed["bucketName"]), str(job.signed["key"])))
    name = PLATFORMS[job.platform].signature_name
    return found, Signature(job.parameters.get(CERTIFICATE_PATH, ""), name, signature(job, found.content))


def _custom(custom: Mapping[str, object]) -> Signature:
    """Return a signature another actor made (rule 3); algorithms left out are SHA256 and ECDSA [inferred]."""
    blob = members(custom, "signature").get("inlineDocument")
    hashed, signs = str(custom.get("hashAlgorithm", "SHA256")), str(custom.get("signatureAlgorithm", "ECDSA"))
    value = base64.b64encode(blob if isinstance(blob, bytes) else b"").decode()
    certificate = str(members(custom, "certificateChain").get("certificateName", ""))
    return Signature(certificate, f"sig-{hashed}-{signs}".lower(), value)
