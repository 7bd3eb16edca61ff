"""Holds the state of one simulator: clock, services, faults, quotas, and the request log."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from otactl_simulator.clock import Clock
from otactl_simulator.faults import Faults
from otactl_simulator.iam import required_permissions, required_permissions_iot
from otactl_simulator.images import MotoImages
from otactl_simulator.iot.service import services
from otactl_simulator.iotwireless.service import IotWireless
from otactl_simulator.quotas import Quotas
from otactl_simulator.secrets_manager import SecretsManager
from otactl_simulator.service import Service
from otactl_simulator.tuya.service import Tuya

CALLS_PER_SECOND = "callsPerSecond"
ENFORCE_CALLERS = "enforceCallers"


@dataclass
class World:
    """One simulator's state; `requests` is the log that GET /_simulator/requests shows."""

    clock: Clock
    seed: int
    services: dict[str, Service]
    faults: Faults = field(default_factory=Faults)
    quotas: Quotas = field(default_factory=Quotas)
    requests: list[dict[str, object]] = field(default_factory=list)
    enforce_callers: bool = False

    @property
    def tuya(self) -> Tuya:
        """Return Tuya's gateway, which has an entrance of its own."""
        found = self.services["tuya"]
        if not isinstance(found, Tuya):
            raise TypeError("the service tuya is not Tuya's gateway")
        return found

    def advance(self) -> None:
        """Bring every service up to the clock."""
        for service in self.services.values():
            service.advance()

    def next_change(self) -> datetime | None:
        """Return the moment some service next changes by itself; None when all wait for calls."""
        moments = (service.next_change() for service in self.services.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def log(
        self, service: str, operation: str, parameters: object, status: int, error: str | None, fault: str | None
    ) -> None:
        """Log a request; status 0 is a connection that was dropped."""
        self.requests.append(
            {
                "n": len(self.requests) + 1,
                "at": self.clock.now().isoformat(),
                "service": service,
                "operation": operation,
                "parameters": plain(parameters),
                "status": status,
                "errorCode": error,
                "fault": fault,
            }
        )

    def tags(self, service: str, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a resource, none when it is not there."""
        return self.services[service].tags(account, region, arn) if service in self.services else {}

    def needs_of(
        self, service: str, operation: str, parameters: Mapping[str, object], account: str, region: str
    ) -> list[required_permissions.Need]:
        """Return what a call needs of IAM."""
        found = self.services.get(service)
        if isinstance(found, SecretsManager):
            return found.needs(operation, parameters, account, region)
        tags_of = partial(self.tags, service, account, region)
        if service in required_permissions_iot.SERVICES:
            return required_permissions_iot.needs(service, operation, parameters, account, region, tags_of)
        return required_permissions.wireless(operation, parameters, account, region, tags_of)

    def snapshot(self) -> dict[str, object]:
        """Return the whole state as JSON."""
        states = {name: service.snapshot() for name, service in self.services.items()}
        return {"now": self.clock.now().isoformat(), "seed": self.seed, **states}

    def settings(self) -> dict[str, object]:
        """Return every switch as it stands."""
        found: dict[str, object] = {
            CALLS_PER_SECOND: self.quotas.calls_per_second,
            ENFORCE_CALLERS: self.enforce_callers,
        }
        for service in self.services.values():
            found |= service.settings
        return found

    def apply_settings(self, wanted: Mapping[str, object]) -> None:
        """Turn switches, all or none; ValueError names the one that is not there."""
        rest = dict(wanted)
        rate = rest.pop(CALLS_PER_SECOND, None)
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 0):
            raise ValueError(f"{CALLS_PER_SECOND} must be a number, 0 for no limit")
        enforce = rest.pop(ENFORCE_CALLERS, None)
        if enforce is not None and not isinstance(enforce, bool):
            raise ValueError(f"{ENFORCE_CALLERS} is true or false: whether IAM judges who calls")
        known = {name for service in self.services.values() for name in service.settings}
        unknown = sorted(set(rest) - known)
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        for service in self.services.values():
            mine = {name: value for name, value in rest.items() if name in service.settings}
            if mine:
                service.apply_settings(mine)
        if enforce is not None:
            self.enforce_callers = enforce
        if isinstance(rate, int | float):
            self.quotas.calls_per_second = float(rate)


def build_world(clock: Clock, seed: int) -> World:
    """Return a fresh simulator: empty, its S3, IAM and STS too."""
    control, of_iot = services(clock, seed)
    # Before AWS IoT, which is notified when a device took an image.
    wireless: Service = IotWireless(clock, MotoImages(), control, seed)
    every = [wireless, *of_iot, Tuya(clock, seed), SecretsManager(clock, seed)]
    return World(clock=clock, seed=seed, services={service.name: service for service in every})


def plain(value: object) -> object:
    """Return a value as JSON: blobs as base64, times as ISO 8601."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
