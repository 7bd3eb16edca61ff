"""Defines the port through which a session reads its firmware image, with the service's view of IAM and S3."""

from __future__ import annotations

from typing import Protocol


class ImageUnavailableError(Exception):
    """The service could not read the image; `reason` is the sentence a log entry shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Images(Protocol):
    """Reads images as the service does: by assuming the task's role, at the moment the session starts."""

    def read(self, role_arn: str, uri: str, region: str, *, sends_source: bool = True) -> bytes:
        """Return an image's bytes; raises ImageUnavailableError. `sends_source` adds the confused-deputy keys."""
        ...
