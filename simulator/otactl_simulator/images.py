"""Reads a firmware image from moto's S3 exactly if the real service could: role, trust, permissions, Region, size.

1. The service assumes the role named in the task; the trust policy must let its principal do so.
2. The role's session must be allowed s3:GetObject by inline, attached and bucket policies, within the boundary. The
   read is over TLS.
3. The bucket must be in the task's Region, the URI has no version: the latest counts; a delete marker means missing.
4. An image has at most 1 megabyte; 1,000,000 bytes is the cautious reading.
5. Whether the service sends aws:SourceAccount and aws:SourceArn when it assumes the role is not documented:
   `sends_source` is a switch.

Source: AWS IoT Wireless developer guide, "Create FUOTA task" and "Add FUOTA permissions". Not checked: KMS keys, S3
block public access, organisation policies. A policy element the evaluator does not know raises UnsupportedPolicyError:
a limit of the simulator, not an answer of the service.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moto.iam.models import Role
from moto.s3.models import FakeBucket

from otactl_simulator.iam.moto_roles import MotoIamError, role_of
from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.policy import Decision
from otactl_simulator.iam.role_session import RoleSession, find_bucket, find_object, trust
from otactl_simulator.iotwireless.images_port import ImageUnavailableError

MAX_IMAGE_BYTES = 1_000_000

_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.{1,1024})", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class MotoImages:
    """The images a service finds in moto's in-process IAM and S3, all accounts of it.

    `service_principal` is who assumes the role, `source` the resource type and id its aws:SourceArn carries.
    """

    service_principal: str = "iotwireless.amazonaws.com"
    source: str = "FuotaTask/simulated"
    sends_source: bool = True
    max_bytes: int = MAX_IMAGE_BYTES

    def read(self, role_arn: str, uri: str, region: str, *, sends_source: bool = True) -> bytes:
        """Return the bytes of `s3://bucket/key` as the service in `region` would read them with the role.

        Raises ImageUnavailableError with the first reason why it could not.
        """
        place = _URI.fullmatch(uri)
        if place is None:
            raise ImageUnavailableError(f"the image URI {uri!r} is not s3://bucket/key")
        try:
            return self._read(role_of(role_arn), place["bucket"], place["key"], region, sends_source)
        except MotoIamError as error:
            raise ImageUnavailableError(str(error)) from error

    def _read(self, role: Role, bucket_name: str, key: str, region: str, sends_source: bool) -> bytes:
        self._assume(role, region, sends_source)
        bucket = _bucket(bucket_name)
        if bucket.region_name != region:
            raise ImageUnavailableError(
                f"bucket {bucket.name} is in {bucket.region_name}, the task in {region}; they must be the same Region"
            )
        self._permit(role, bucket, key, region)
        found = find_object(bucket, key)
        if found is None:
            raise ImageUnavailableError(f"bucket {bucket.name} holds no object {key!r}")
        image = bytes(found.value)
        if len(image) > self.max_bytes:
            raise ImageUnavailableError(f"the image has {len(image)} bytes, the service takes {self.max_bytes}")
        return image

    def _assume(self, role: Role, region: str, sends_source: bool) -> None:
        service = self.service_principal.split(".")[0]
        context: dict[str, ContextValue] = {}
        if sends_source and self.sends_source:
            context["aws:SourceAccount"] = role.account_id
            context["aws:SourceArn"] = f"arn:{role.partition}:{service}:{region}:{role.account_id}:{self.source}"
        decision = trust(role, self.service_principal, context)
        if decision is not Decision.ALLOWED:
            raise ImageUnavailableError(
                f"{self.service_principal} may not assume role {role.arn}: {_said(decision)} in its trust policy"
            )

    def _permit(self, role: Role, bucket: FakeBucket, key: str, region: str) -> None:
        resource = f"arn:{bucket.partition}:s3:::{bucket.name}/{key}"
        session = RoleSession(role, region, self.source.split("/")[0])
        decision = session.decide("s3:GetObject", resource, bucket)
        if decision is not Decision.ALLOWED:
            raise ImageUnavailableError(f"role {role.arn} may not read {resource}: {_said(decision)} for s3:GetObject")


def _said(decision: Decision) -> str:
    return "there is an explicit Deny" if decision is Decision.EXPLICIT_DENY else "there is no Allow"


def _bucket(name: str) -> FakeBucket:
    bucket = find_bucket(name)
    if bucket is None:
        raise ImageUnavailableError(f"bucket {name} does not exist")
    return bucket
