"""Defines what backends of AWS services share: their access is the environment's own, and no read is of one device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from otactl.model import BackendAccess, Environment
from otactl.model.violation import Violation
from otactl.ports import Capabilities, DeviceService

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from otactl.backends.aws.client import AwsClient
    from otactl.ports import DeviceReader


class AwsDefinition:
    """Answers of a `BackendDefinition` that are the same for every AWS service."""

    access: type[BackendAccess] | None = None
    capabilities: Capabilities
    device_service: DeviceService | None = None

    def check_environment(self, environment: Environment) -> Iterator[Violation]:
        """Yield nothing: the environment declares no access of its own."""
        del environment
        yield from ()

    def device_reader(self, environment: Environment, client: AwsClient) -> AbstractContextManager[DeviceReader]:
        """Raise TypeError: the service shows no tasks of one device."""
        del environment, client
        raise TypeError(f"{self.capabilities.service} shows no tasks of one device")
