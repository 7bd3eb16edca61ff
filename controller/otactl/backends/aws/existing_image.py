"""Finds out which bytes a unit of another actor sends: size and digest of its image in S3, as they are proved.

1. A whole-object SHA-256 that S3 shows proves the bytes. Without one the image is read once and hashed: an image of
   another actor was rarely uploaded with it.
2. An object that was written after the unit had read it, or may have, proves nothing of what the devices got.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Protocol, cast

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.errors import translate
from otactl.backends.aws.image_and_role import split_uri, whole_sha256
from otactl.errors import StalledError
from otactl.model import Doubt, JsonObject, Value, iso

LARGEST = 64_000_000
"""Bytes of an image that are read to hash it; what services send is smaller."""


class ExistingImage(Value, frozen=True, kw_only=True):
    """An image in S3: its size, and its digests as far as they were asked for."""

    size_bytes: int
    sha256: str
    md5: str = ""


class _Body(Protocol):
    def read(self) -> bytes: ...


def existing_image(
    client: AwsClient, uri: str, *, version: str = "", read_at: datetime | None = None, md5: bool = False
) -> ExistingImage | Doubt:
    """Return the image at an S3 address, or why it is not known what a unit sent that read it at a time (rule 2).

    Raises: OtactlError when it cannot be read to its end.
    """
    bucket, key = split_uri(uri)
    asked: JsonObject = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
    permission = "s3:GetObjectVersion" if version else ""
    try:
        whole: JsonObject = {**asked, "ChecksumMode": "ENABLED"}
        head = client.call("s3", "HeadObject", whole, repeatable=True, permission=permission)
        size, modified = head.get("ContentLength"), head.get("LastModified")
        if not isinstance(size, int) or size > LARGEST:
            return _unknown(f"{uri} has {size} bytes; an image has at most {LARGEST}")
        if not version and read_at is not None and isinstance(modified, datetime) and modified > read_at:
            return _unknown(f"{uri} was written at {iso(modified)}, after the unit had read it at {iso(read_at)}")
        proved = whole_sha256(head.get("ChecksumSHA256"))
        if proved is not None and not md5:
            return ExistingImage(size_bytes=size, sha256=proved)
        answer = client.call("s3", "GetObject", asked, repeatable=True, permission=permission)
    except NotFoundError:
        return _unknown(f"{uri} is not there any more")
    except StalledError as error:
        return _unknown(f"{uri} cannot be read: {error}")
    try:
        content = cast("_Body", answer["Body"]).read()
    except Exception as error:
        raise translate(error, "s3", "GetObject", permission, 1) from error
    found = hashlib.sha256(content).hexdigest()
    return ExistingImage(
        size_bytes=len(content), sha256=found, md5=hashlib.md5(content, usedforsecurity=False).hexdigest()
    )


def _unknown(message: str) -> Doubt:
    return Doubt(
        code="image_is_not_known",
        message=f"{message}, so which bytes its devices got is not known",
        fix="leave it alone, and declare its firmware as a rollout of its own when it is to be sent",
    )
