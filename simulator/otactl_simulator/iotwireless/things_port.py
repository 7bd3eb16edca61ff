"""Defines the port through which a wireless device's image reaches the thing associated with it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Things(Protocol):
    """The devices behind things: what they make of an image, and what they report, is theirs."""

    def took_image(self, account: str, region: str, thing_arn: str, image_sha256: str, at: datetime) -> None:
        """Set that a thing's device holds an image since a moment; a thing that is not there takes none."""
        ...
