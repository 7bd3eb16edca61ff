"""The error of impossible LoRaWAN input: no such region, no such data rate, a size below one byte."""

from __future__ import annotations

from otactl.errors import OtactlError


class LorawanError(OtactlError, ValueError):
    """The figures asked for cannot exist; the message names the value, its limits and what to choose instead."""
