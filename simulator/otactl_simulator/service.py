"""Defines the interface between the simulator's outside (wire, app, control) and a simulated service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from otactl_simulator.switches import Switchboard


class ModelledError(Exception):
    """An error of the service's own model: `code` is its shape's name, `members` what else the shape carries."""

    def __init__(self, code: str, message: str, **members: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = members


@dataclass(frozen=True)
class Request:
    """One call, parsed and validated: botocore member names, aware datetimes, bytes for blobs.

    `stale` asks for the state before the last write, as an eventually consistent service may answer; `host` is what the
    caller reached the service at.
    """

    service: str
    operation: str
    parameters: dict[str, object]
    account: str
    region: str
    stale: bool = False
    host: str = ""


Handler = Callable[[Request], dict[str, object]]


class Service(Protocol):
    """One simulated service."""

    name: str

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler; what is missing answers a modelled error that names it."""
        ...

    def advance(self) -> None:
        """Bring state up to the clock; called before every request and after the clock was moved."""
        ...

    def next_change(self) -> datetime | None:
        """Return the moment it next changes by itself; None when it waits for a call."""
        ...

    def snapshot(self) -> dict[str, object]:
        """State as JSON, for people and tests."""
        ...

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a resource, none when it is not there: what IAM's conditions ask for."""
        ...

    def load_fleet(self, fleet: Mapping[str, object]) -> None:
        """Add devices and groups; ValueError says what is wrong with them."""
        ...

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the switches for what AWS does not document, as they stand."""
        ...

    def apply_settings(self, settings: Mapping[str, object]) -> None:
        """Turn switches; ValueError for one that is not there."""
        ...


class Switched:
    """What of `Service` is the same for those that have switches."""

    def __init__(self, settings: Switchboard) -> None:
        self._switches = settings

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the switches as they stand."""
        return self._switches.all()

    def apply_settings(self, settings: Mapping[str, object]) -> None:
        """Turn switches; ValueError for one that is not there."""
        self._switches.apply(settings)


class Still:
    """What of `Service` is the same for those that change by calls only, and have no switches."""

    name: str

    def advance(self) -> None:
        """Do nothing: nothing of it takes time."""

    def next_change(self) -> datetime | None:
        """Return None: nothing changes by itself."""
        return None

    def load_fleet(self, fleet: Mapping[str, object]) -> None:
        """Do nothing: a fleet has nothing for it."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Return no switch: it has none."""
        return {}

    def apply_settings(self, settings: Mapping[str, object]) -> None:
        """Raise ValueError for any switch: it has none."""
        if settings:
            raise ValueError(f"{self.name} has no settings")
