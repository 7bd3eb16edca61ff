"""Checks the image: its size against the service's limit, its address against its content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from otactl.model import Environment, Rollout
from otactl.model.violation import Violation
from otactl.ports import BackendDefinition
from otactl.wording import count

LONGEST_KEY = 1024  # Amazon S3 user guide, "Naming Amazon S3 objects": bytes of a key in UTF-8


def firmware(rollout: Rollout, definition: BackendDefinition, environment: Environment | None) -> Iterator[Violation]:
    """Check `spec.firmware`, and the role that reads the image."""
    image = rollout.firmware
    limit = definition.image_limit
    if limit is not None and image.size_bytes > limit:
        yield Violation(
            pointer="/spec/firmware/sizeBytes",
            code="image_exceeds_limit",
            message=f"the image has {count(image.size_bytes, 'byte')}, {rollout.backend_kind} takes {limit}",
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
    yield from _key(image.image)
    role = rollout.backend.role
    if environment is not None and role.startswith("arn:") and role.split(":")[4] != environment.account:
        yield Violation(
            pointer=f"/spec/{rollout.backend_kind}/role",
            code="role_account_differs",
            message=f"the role is of account {role.split(':')[4]}, {environment.name} is account {environment.account}",
            hint="name a role of the environment's account",
        )


def _key(image: str) -> Iterator[Violation]:
    """Check the object's key, which S3 takes as it is written: nothing of it is decoded, and `?` starts no query."""
    key = image.removeprefix("s3://").partition("/")[2]
    pointer = "/spec/firmware/image"
    if len(key.encode()) > LONGEST_KEY:
        message = f"the key has {count(len(key.encode()), 'byte')} in UTF-8, S3 takes {LONGEST_KEY}"
        yield Violation(pointer=pointer, code="image_key_too_long", message=message, hint="use a shorter key")
    if "?versionid=" in key.lower():
        message = "a version is no part of a key: the object of this very name is not there"
        hint = "remove ?versionId=…: the version is taken from S3 when the image is checked"
        yield Violation(pointer=pointer, code="image_names_a_version", message=message, hint=hint)
    if re.search("%[0-9A-Fa-f]{2}", key):
        message = "the key looks percent-encoded, and is taken as it is written"
        hint = "write the key as S3 lists it"
        yield Violation(pointer=pointer, code="image_key_looks_encoded", message=message, hint=hint, severity="warning")
