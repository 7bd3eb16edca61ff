"""Rules of the image: its size against the service's limit, its address against its content.

Limits: FUOTA images up to 1 megabyte (AWS IoT Wireless developer guide, create a FUOTA task; the cautious 1,000,000
bytes), OTA files up to 16 MB (AWS IoT service quota, the cautious 16,000,000).
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.model import Environment, FuotaSpec, OtaUpdateSpec, Rollout
from controller.policies.violation import Violation

LARGEST_IMAGE = {"fuota": 1_000_000, "otaUpdate": 16_000_000}


def firmware(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Judge `spec.firmware`, and the role that reads the image."""
    image = rollout.firmware
    limit = LARGEST_IMAGE.get(rollout.backend_kind)
    if limit is not None and image.size_bytes > limit:
        yield Violation(
            pointer="/spec/firmware/sizeBytes",
            code="image_exceeds_limit",
            message=f"the image has {image.size_bytes} bytes, {rollout.backend_kind} takes {limit}",
            hint="send a smaller image or a delta",
        )
    if "${stack:" not in image.image and image.sha256 not in image.image:
        yield Violation(
            pointer="/spec/firmware/image",
            code="image_is_not_content_addressed",
            message="the image's address does not hold its sha256, so the bytes behind it could change unseen",
            hint="otactl image push writes content-addressed images: s3://bucket/…/sha256/<sha256>/name.bin",
            severity="warning",
        )
    role = _role(rollout)
    if environment is not None and role.startswith("arn:") and role.split(":")[4] != environment.account:
        yield Violation(
            pointer=f"/spec/{rollout.backend_kind}/role",
            code="role_account_differs",
            message=f"the role is of account {role.split(':')[4]}, {environment.name} is account {environment.account}",
            hint="name a role of the environment's account",
        )


def _role(rollout: Rollout) -> str:
    if isinstance(rollout.backend, FuotaSpec):
        return rollout.backend.role
    return str(rollout.backend.document["role"]) if isinstance(rollout.backend, OtaUpdateSpec) else ""
