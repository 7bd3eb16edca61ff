"""Uses the service role of an OTA update as AWS IoT does, and words a failing step for errorInfo.

1. errorInfo carries the failing service's own error: its code, or for one its model does not have the exception of
   AWS's Java SDK, and a message that ends in "(Service: ...; Status Code: ...; Error Code: ...; Request ID: ...)".
   Seen: AWSIotException for a missing iam:PassRole (awsdocs/aws-freertos-docs #2), AccessDeniedException of AWSSigner
   for an unreadable object (FreeRTOS user guide, "Get CreateOTAUpdate failure details"). The rest is inferred.
2. The service sends aws:SourceAccount and aws:SourceArn when it assumes the role (FreeRTOS user guide, "Create an OTA
   Update service role": conditions against the confused deputy).
3. A file has at most 16 MB (AWS engineer, aws-iot-device-sdk-embedded-C #1888); 16,000,000 bytes is the cautious
   reading.
4. S3 answers 403, not 404, for an object that is missing, to who may not list its bucket (S3 API, GetObject).
5. A file's bucket is in the update's Region [inferred from "the S3 bucket must be in the same Region" of the guide].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moto.s3.models import FakeBucket

from otactl_simulator.iam.moto_roles import MotoIamError, role_of
from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.policy import Decision
from otactl_simulator.iam.role_session import RoleSession, find_bucket, find_object, put, trust
from otactl_simulator.iot.state import Store

PRINCIPAL = "iot.amazonaws.com"
MAX_FILE_BYTES = 16_000_000
IOT, S3, SIGNER, STS, IAM = "AWSIot", "Amazon S3", "AWSSigner", "AWSSecurityTokenService", "AmazonIdentityManagement"
_EXCEPTIONS = {
    IOT: "AWSIotException",
    S3: "AmazonS3Exception",
    STS: "AWSSecurityTokenServiceException",
    IAM: "AmazonIdentityManagementException",
}


class CreationError(Exception):
    """A step of a creation or deletion failed; `code` and `message` are what errorInfo shows."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Place:
    """One object in S3; an empty version is the latest."""

    bucket: str
    key: str
    version: str = ""


@dataclass(frozen=True)
class Found:
    """An object as it was read: its version ("null" in a bucket without versions) and its bytes."""

    place: Place
    version: str
    content: bytes
    versioned: bool


@dataclass(frozen=True)
class Actor:
    """The service with the role assumed."""

    store: Store
    session: RoleSession

    def require(
        self, action: str, resource: str, service: str = IOT, context: Mapping[str, ContextValue] | None = None
    ) -> None:
        """Do nothing if the role may do this; else CreationError with the service's 403."""
        if self._decide(action, resource, None, context) is not Decision.ALLOWED:
            text = f"User: {self.session.arn} is not authorized to perform: {action} on resource: {resource}"
            code = "AccessDenied" if service == IAM else "AccessDeniedException"
            raise failed(self.store, service, 403, code, text)

    def read(self, place: Place, service: str = S3) -> Found:
        """Return an object's bytes, read by the OTA service itself or by AWS Signer on its behalf (rules 3, 4, 5)."""
        bucket = self._bucket(place, service)
        resource = f"arn:aws:s3:::{place.bucket}/{place.key}"
        action = "s3:GetObjectVersion" if place.version else "s3:GetObject"
        if self._decide(action, resource, bucket) is not Decision.ALLOWED:
            raise self._denied(place, service)
        found = find_object(bucket, place.key, place.version)
        if found is None:
            listing = self._decide("s3:ListBucket", f"arn:aws:s3:::{place.bucket}", bucket)
            if not place.version and listing is not Decision.ALLOWED:
                raise self._denied(place, service)
            raise self._missing(place, service)
        if bucket.region_name != self.session.region:
            text = f"The bucket is in this region: {bucket.region_name}. Please use this region to retry the request"
            raise self._s3(301, "PermanentRedirect", text)
        content = bytes(found.value)
        if len(content) > MAX_FILE_BYTES:
            text = f"The file {place.key} has {len(content)} bytes; an OTA file has at most {MAX_FILE_BYTES}"
            raise failed(self.store, IOT, 400, "InvalidRequestException", text)
        return Found(place, str(found.version_id), content, bool(bucket.is_versioned))

    def write(self, place: Place, content: bytes, service: str = SIGNER) -> None:
        """Write an object with the role's s3:PutObject."""
        bucket = self._bucket(place, service)
        if self._decide("s3:PutObject", f"arn:aws:s3:::{place.bucket}/{place.key}", bucket) is not Decision.ALLOWED:
            raise self._denied(place, service)
        put(bucket, place.key, content)

    def _decide(
        self,
        action: str,
        resource: str,
        bucket: FakeBucket | None,
        context: Mapping[str, ContextValue] | None = None,
    ) -> Decision:
        try:
            return self.session.decide(action, resource, bucket, context)
        except MotoIamError as error:
            raise failed(self.store, IAM, 404, "NoSuchEntity", str(error)) from error

    def _bucket(self, place: Place, service: str) -> FakeBucket:
        bucket = find_bucket(place.bucket)
        if bucket is None:
            code = "ResourceNotFoundException" if service == SIGNER else "NoSuchBucket"
            raise failed(self.store, service, 404, code, f"The specified bucket {place.bucket} does not exist")
        return bucket

    def _denied(self, place: Place, service: str) -> CreationError:
        if service == SIGNER:
            text = f"S3 object {place.key} not accessible. Please check your permissions"
            return failed(self.store, SIGNER, 403, "AccessDeniedException", text)
        return self._s3(403, "AccessDenied", "Access Denied")

    def _missing(self, place: Place, service: str) -> CreationError:
        what = "version" if place.version else "key"
        text = f"The specified {what} does not exist. Key: {place.key}"
        code = "NoSuchVersion" if place.version else "NoSuchKey"
        return failed(self.store, service, 404, "ResourceNotFoundException" if service == SIGNER else code, text)

    def _s3(self, status: int, code: str, text: str) -> CreationError:
        return failed(self.store, S3, status, code, text)


def failed(store: Store, service: str, status: int, code: str, text: str) -> CreationError:
    """Return the error of a service that was called, in AWS's words (rule 1)."""
    message = f"{text} (Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: {store.new()})"
    modelled = service == SIGNER or (service == IOT and code != "AccessDeniedException")
    return CreationError(code if modelled else _EXCEPTIONS[service], message)


def assume(store: Store, role_arn: str, source: str) -> Actor:
    """Assume a role for a resource of AWS IoT; CreationError when its trust policy does not let the service."""
    context: dict[str, ContextValue] = {"aws:SourceAccount": store.account, "aws:SourceArn": source}
    try:
        role = role_of(role_arn)
        trusted = trust(role, PRINCIPAL, context) is Decision.ALLOWED
    except MotoIamError as error:
        raise failed(store, STS, 403, "AccessDenied", str(error)) from error
    if not trusted:
        text = f"User: {PRINCIPAL} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        raise failed(store, STS, 403, "AccessDenied", text)
    return Actor(store, RoleSession(role, store.region, source.rsplit("/", 1)[-1][:64]))
