"""Defines errors that every transport raises alike."""

from __future__ import annotations

from otactl.errors import OtactlError, StalledError, TooLateError, TransientError


class NotFoundError(OtactlError):
    """The service does not have what was asked for; a backend turns it into ABSENT."""


def after_silence(error: OtactlError) -> OtactlError:
    """Return the error of a write of which an earlier attempt got no answer: that one may have been carried out."""
    settled = isinstance(error, StalledError | TooLateError) or getattr(error, "committed", None) is False
    if not settled:
        return error
    text = f"{error}; an attempt before it got no answer, so it may have been carried out"
    return TransientError(text, retry_after=getattr(error, "retry_after", 60.0), committed=None)
