"""Clients of the stand-in clouds, kept for a worker's life: making one takes longer than most of a scenario's calls."""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any, ClassVar

import boto3
from botocore.config import Config

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


class KeptClients:
    """What is asked of a boto3 session: `client`, the same one for the same address, keys and settings."""

    _kept: ClassVar[dict[Hashable, Any]] = {}

    def __init__(self, region: str) -> None:
        self._region = region

    def client(
        self,
        service: str,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        config: Config | None = None,
    ) -> Any:
        """As boto3.Session.client; keys and address are what the environment variables say now."""
        region = region_name or self._region
        reported = repr(sorted(vars(config).get("_user_provided_options", {}).items())) if config is not None else ""
        key = (service, region, endpoint_url, reported, *(os.environ.get(name) for name in VARIABLES))
        if key not in self._kept:
            session = boto3.Session(region_name=region)
            self._kept[key] = session.client(service, endpoint_url=endpoint_url, config=config)
        return self._kept[key]
