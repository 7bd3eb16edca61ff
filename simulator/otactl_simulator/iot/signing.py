"""Signs as AWS Signer does: platforms, profiles, and one signing job.

1. A signing job copies a version of an object into its destination (Signer API reference, StartSigningJob), named by
   prefix and its own id, with `.zip` behind it for an archive that is signed for Lambda; its statusReason is "Signing
   Succeeded" (all captured live by the makers of ministack). The source bucket has versions (the reference).
2. The signed object is a plain copy of its source here. The real one is a JSON document around payload and signature;
   the OTA service hands devices the payload, as the stream of aws-samples' OTA script does.
3. A signature is a stand-in: a hash of profile and content, the same for the same both. No device here verifies it.
4. A job succeeds at once [inferred: seconds in reality, and within the creation of an OTA update anyway].
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from otactl_simulator.iot.service_role import Found, Place
from otactl_simulator.iot.state import SigningJob, SigningProfile, Store

CERTIFICATE_PATH = "certname"
LAMBDA = "AWSLambda-SHA384-ECDSA"


@dataclass(frozen=True)
class Platform:
    """One signing platform: how it signs, as ListSigningPlatforms tells."""

    id: str
    name: str
    partner: str
    target: str
    encryption: tuple[str, ...]
    hash: str
    image_format: str
    max_size_mb: int
    category: str = "AWSIoT"

    @property
    def for_devices(self) -> bool:
        """Return whether devices verify what it signs, with a certificate that the profile names."""
        return self.category == "AWSIoT"

    @property
    def signature_name(self) -> str:
        """Return the signature's member of an OTA job document."""
        return f"sig-{self.hash}-{self.encryption[0]}".lower()


PLATFORMS = {
    platform.id: platform
    for platform in (
        Platform(
            "AWSIoTDeviceManagement-SHA256-ECDSA",
            "AWS IoT Device Management SHA256-ECDSA",
            "AWSIoTDeviceManagement",
            "SHA256-ECDSA",
            ("ECDSA",),
            "SHA256",
            "JSONDetached",
            2048,
        ),
        Platform(
            "AmazonFreeRTOS-TI-CC3220SF",
            "Amazon FreeRTOS SHA1-RSA CC3220SF-Format",
            "AmazonFreeRTOS",
            "SHA1-RSA-TISHA1",
            ("RSA",),
            "SHA1",
            "JSONEmbedded",
            16,
        ),
        Platform(
            "AmazonFreeRTOS-Default",
            "Amazon FreeRTOS SHA256-ECDSA",
            "AmazonFreeRTOS",
            "SHA256-ECDSA",
            ("ECDSA", "RSA"),
            "SHA256",
            "JSONEmbedded",
            16,
        ),
        Platform(LAMBDA, "AWS Lambda", "AWSLambda", "SHA384-ECDSA", ("ECDSA",), "SHA384", "JSONDetached", 250, "AWS"),
    )
}


def profile_arn(store: Store, name: str) -> str:
    """Return a signing profile's ARN."""
    return f"arn:aws:signer:{store.region}:{store.account}:/signing-profiles/{name}"


def job_arn(store: Store, identifier: str) -> str:
    """Return a signing job's ARN."""
    return f"arn:aws:signer:{store.region}:{store.account}:/signing-jobs/{identifier}"


def make_profile(
    store: Store, name: str, platform: str, certificate: str, parameters: dict[str, str]
) -> SigningProfile:
    """Add a profile, or a new version of it, to the store."""
    version = store.new().replace("-", "")[:10]
    profile = SigningProfile(name, profile_arn(store, name), platform, certificate, parameters, version)
    store.profiles[name] = profile
    return profile


def signature(job: SigningJob, content: bytes) -> str:
    """Return the signature a job made for a content, base64 (rule 3)."""
    digest = hashlib.sha512(f"{job.profile}/{job.platform}/".encode() + hashlib.sha256(content).digest()).digest()
    return base64.b64encode(digest).decode()


def signed(
    store: Store,
    profile: SigningProfile,
    source: Found,
    bucket: str,
    prefix: str,
    write: Callable[[Place, bytes], None],
    at: datetime,
) -> SigningJob:
    """Sign a source into a bucket (rule 1): writes the object, keeps the job and gives it."""
    identifier, place = store.new(), source.place
    suffix = ".zip" if profile.platform == LAMBDA and place.key.endswith(".zip") else ""
    target = Place(bucket, f"{prefix}{identifier}{suffix}")
    write(target, source.content)
    job = SigningJob(
        id=identifier,
        profile=profile.name,
        source={"bucketName": place.bucket, "key": place.key, "version": source.version},
        signed={"bucketName": target.bucket, "key": target.key},
        created_at=at,
        reason="Signing Succeeded",
        profile_version=profile.version,
        platform=profile.platform,
        certificate_arn=profile.certificate_arn,
        parameters=dict(profile.parameters),
    )
    store.signing_jobs[job.id] = job
    return job
