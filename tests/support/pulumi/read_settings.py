"""Reads the settings of a stack from its configuration."""

from __future__ import annotations

from typing import Any

from infra.settings import Settings, settings


def read(config: dict[str, Any], stack: str = "prod-eu") -> Settings:
    given = {k.partition(":")[2]: v for k, v in config.items() if k.startswith("otactl:")}
    return settings(given, region=config.get("aws:region"), stack=stack)
