"""Defines a broken rule of a manifest: which, where, and what to do."""

from __future__ import annotations

from typing import Literal

from otactl.model.values import Value

Severity = Literal["error", "warning"]


class Violation(Value, frozen=True, kw_only=True):
    """One broken rule. `pointer` is an RFC 6901 JSON pointer into the manifest; `code` names the fact."""

    pointer: str
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"


def wave_pointer(index: int, *below: str | int) -> str:
    """Point into a wave of a rollout."""
    return "/".join(["/spec/strategy/waves", str(index), *(str(part) for part in below)])
