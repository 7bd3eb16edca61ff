"""Reads what a receiver's secret is from the process's environment.

A manifest is not trusted: it names a variable that starts with `OTACTL_NOTICE_`, so it cannot have other secrets sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = re.compile(r"OTACTL_NOTICE_[A-Z0-9_]{1,100}")


class NotUsableError(Exception):
    """A receiver cannot be used as it is declared; `reason` is a word that `otactl explain` knows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")


def secret_of(variable: str, environ: Mapping[str, str]) -> str:
    """Return a secret. Raises: NotUsableError for another name, and where the variable is empty."""
    if not NAMES.fullmatch(variable):
        raise NotUsableError("NoticeSecretMissing", f"{variable} is no variable for notices; name one OTACTL_NOTICE_…")
    value = environ.get(variable, "").strip()
    if not value:
        raise NotUsableError("NoticeSecretMissing", f"{variable} is not set where otactl runs; set it")
    return value
