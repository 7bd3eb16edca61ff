"""Defines the error that a backend turns into ABSENT, raised alike by every transport."""

from __future__ import annotations

from otactl.errors import OtactlError


class NotFoundError(OtactlError):
    """The service does not have what was asked for; a backend turns it into ABSENT."""
