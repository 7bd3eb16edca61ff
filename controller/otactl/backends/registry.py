"""Lists the backends of this version: a new one is one line of BACKENDS."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import msgspec

from otactl.backends.fuota.definition import FuotaDefinition
from otactl.backends.iot_ota.definition import OtaUpdateDefinition
from otactl.backends.transport.rate_limit import SharedPace
from otactl.backends.tuya.definition import TuyaDefinition
from otactl.model import BackendConfig, Environment, JsonObject, Rollout
from otactl.ports import (
    AuditLog,
    Backend,
    BackendDefinition,
    Capabilities,
    DeviceReader,
    DeviceService,
    PureHalf,
    UnitFinder,
)

if TYPE_CHECKING:
    from otactl.backends.aws.client import AwsClient
    from otactl.lorawan.request import AirtimeRequest


class Definition(BackendDefinition, Protocol):
    """A definition with the ways to plan and to call: clients are imported when they are asked for."""

    def shape(self, environment: Environment) -> PureHalf:
        """Return the pure half of the backend: enough for `plan --offline`."""
        ...

    def device_reader(self, environment: Environment, client: AwsClient) -> AbstractContextManager[DeviceReader]:
        """Open the service of an environment to read one device. Raises: TypeError without a `device_service`."""
        ...

    def unit_finder(self, environment: Environment, client: AwsClient) -> AbstractContextManager[UnitFinder] | None:
        """Open the service of an environment to find units that exist; None where the environment has no access."""
        ...

    def airtime(self, rollout: Rollout) -> AirtimeRequest | None:
        """Return what the radio planner is asked about a rollout.

        None without a radio, or where too little is declared.
        """
        ...

    def connect(self, environment: Environment, client: AwsClient) -> Backend | None:
        """Create the backend, with the environment's one AWS client; None where the environment has no access."""
        ...


BACKENDS: dict[str, Definition] = {d.kind: d for d in (FuotaDefinition(), OtaUpdateDefinition(), TuyaDefinition())}
"""The definitions by kind."""


def read_config(written: JsonObject) -> BackendConfig:
    """Read a block as a record keeps it. Raises: msgspec.ValidationError for one of an unknown kind or shape."""
    definition = BACKENDS.get(str(written.get("backend")))
    if definition is None:
        raise msgspec.ValidationError(f"there is no backend {written.get('backend')}")
    return msgspec.convert(written, definition.config)


def device_services() -> dict[str, DeviceService]:
    """Return the services that show what one device has yet to do, by kind."""
    found = ((kind, definition.device_service) for kind, definition in BACKENDS.items())
    return {kind: service for kind, service in found if service is not None}


def shapes_for(environment: Environment) -> dict[str, PureHalf]:
    """Return the pure half of every backend: enough for `plan --offline`."""
    return {kind: definition.shape(environment) for kind, definition in BACKENDS.items()}


def capabilities_of(kind: str) -> Capabilities:
    """Return what the service behind a backend block can do, known without an environment."""
    return BACKENDS[kind].capabilities


def audit_source_of(kind: str) -> str:
    """Return what the account's audit log calls the service behind a backend block; empty without one."""
    return BACKENDS[kind].capabilities.audit_source if kind in BACKENDS else ""


def audit_log_of(region: str) -> AuditLog:
    """Return the audit log of a Region, for the caller's own credentials."""
    from otactl.backends.aws.audit_log import CloudTrail

    return CloudTrail(region)


def transport_for(environment: Environment, shared: SharedPace | None = None) -> AwsClient:
    """Return one client of AWS for an environment: its Region, role, endpoints, rates and budget.

    `shared` is the pace of all processes that call.
    """
    from otactl.backends.aws.client import AwsClient

    return AwsClient(environment, shared=shared)


def backends_for(environment: Environment, client: AwsClient) -> dict[str, Backend]:
    """Return every backend that the environment has access to."""
    found = ((kind, definition.connect(environment, client)) for kind, definition in BACKENDS.items())
    return {kind: backend for kind, backend in found if backend is not None}
