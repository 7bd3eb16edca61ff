"""The one error that a sibling turns into ABSENT, told alike by every transport."""

from __future__ import annotations

from otactl.errors import OtactlError


class NotFoundError(OtactlError):
    """The service does not have what was asked for; a sibling turns it into ABSENT."""
