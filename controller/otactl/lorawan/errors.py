"""Defines the error for impossible LoRaWAN input: an unknown region or data rate, a size below one byte."""

from __future__ import annotations

from otactl.errors import OtactlError


class LorawanError(OtactlError, ValueError):
    """The figures asked for cannot exist; the message names the value, its limits and what to choose instead."""
