"""Keeps the state of AWS IoT Wireless for one account and Region."""

from __future__ import annotations

import copy
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.regional import Regional
from otactl_simulator.service import ModelledError

PENDING, WAITING, IN_SESSION, DONE, DELETING = (
    "Pending",
    "FuotaSession_Waiting",
    "In_FuotaSession",
    "FuotaDone",
    "Delete_Waiting",
)


NO_CAPS: Mapping[str, int] = {}
"""The limits of a device that declares none."""


@dataclass
class Task:
    """A FUOTA task; `parameters` are Create's and Update's members as given, `took` who rebuilds the image."""

    id: str
    arn: str
    created_at: datetime
    parameters: dict[str, object]
    status: str = PENDING
    start_time: datetime | None = None
    session_end: datetime | None = None
    delete_at: datetime | None = None
    devices: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    image_sha256: str = ""
    took: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def copied(self) -> Task:
        """Return the task as it is now; a device's name and status are shared, for there may be 100,000 of them."""
        return replace(
            self,
            parameters=copy.deepcopy(self.parameters),
            devices=[*self.devices],
            groups=[*self.groups],
            statuses={**self.statuses},
            outcomes={**self.outcomes},
            took=[*self.took],
            log=[*self.log],
        )

    @property
    def draws(self) -> str:
        """Return the seed of its devices' losses: its name, so that the order of creation does not matter."""
        return str(self.parameters.get("Name") or self.id)

    @property
    def rf_region(self) -> str:
        """Return its radio region, empty when none was given."""
        lorawan = self.parameters.get("LoRaWAN")
        return str(lorawan.get("RfRegion", "")) if isinstance(lorawan, dict) else ""


@dataclass
class Group:
    """A multicast group; `joined` tells when each device was associated."""

    id: str
    arn: str
    created_at: datetime
    parameters: dict[str, object]
    joined: dict[str, datetime] = field(default_factory=dict)
    session: dict[str, object] | None = None

    @property
    def rf_region(self) -> str:
        """Return its radio region."""
        lorawan = self.parameters.get("LoRaWAN")
        return str(lorawan.get("RfRegion", "")) if isinstance(lorawan, dict) else ""


@dataclass(slots=True)
class Device:
    """A wireless device, with how it behaves on air (fleet.py documents the words).

    There may be 100,000, so what all share is held once, and what follows from a field is computed. `given` are the
    members that the API was given; None for a device of a fleet document, which has a name and a DevEUI alone.
    """

    id: str
    arn_prefix: str
    given: dict[str, object] | None = None
    name: str = ""
    eui: str = ""
    rf_region: str = ""
    loss: float = 0.0
    caps: Mapping[str, int] = field(default_factory=lambda: NO_CAPS)
    behaviour: str = ""
    version: str = ""
    never_ready: bool = False
    image_sha256: str = ""
    thing_arn: str | None = None

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return self.arn_prefix + self.id

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return its members as the API shows them."""
        return _members(self.name, self.eui) if self.given is None else self.given

    def change(self, members: Mapping[str, object]) -> None:
        """Change members."""
        self.given = {**self.parameters, **members}

    def identify(self, name: str, eui: str) -> None:
        """Set the name and the DevEUI that a fleet document gives."""
        self.name, self.eui = name, eui
        if self.given is not None:
            self.change(_members(name, eui))

    @property
    def dev_eui(self) -> str:
        """Return its DevEUI in lower case, empty when it has none."""
        if self.given is None:
            return self.eui
        lorawan = self.parameters.get("LoRaWAN")
        return str(lorawan.get("DevEui", "")).lower() if isinstance(lorawan, dict) else ""


def _members(name: str, eui: str) -> dict[str, object]:
    return {"Type": "LoRaWAN", "Name": name, "LoRaWAN": {"DevEui": eui}}


@dataclass
class Profile:
    """A device profile."""

    id: str
    arn: str
    parameters: dict[str, object]


@dataclass
class Store:
    """One account's Region; `on_air` holds the tasks whose fragments are being sent, deleted ones too."""

    account: str
    region: str
    seed: int
    lags: Callable[[datetime], bool]
    now: Callable[[], datetime]
    tasks: dict[str, Task] = field(default_factory=dict)
    on_air: dict[str, Task] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    service_profiles: dict[str, Profile] = field(default_factory=dict)
    destinations: dict[str, Profile] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], tuple[dict[str, object], str]] = field(default_factory=dict)
    log_levels: dict[str, object] = field(default_factory=dict)
    resource_levels: dict[tuple[str, str], str] = field(default_factory=dict)
    before: dict[str, tuple[datetime, Task | None]] = field(default_factory=dict)
    made: int = 0

    def new(self, kind: str) -> tuple[str, str]:
        """Return a fresh id and ARN, the same for the same seed and order."""
        self.made += 1
        name = f"{self.seed}/{self.account}/{self.region}/{kind}/{self.made}"
        fresh = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        return fresh, self.arn(kind, fresh)

    def arn(self, kind: str, identifier: str) -> str:
        """Return the ARN of a resource."""
        return f"arn:aws:iotwireless:{self.region}:{self.account}:{kind}/{identifier}"

    def device_prefix(self) -> str:
        """Return the start of every device's ARN, one text for all."""
        return sys.intern(self.arn("WirelessDevice", ""))

    def tags_of(self, arn: str) -> dict[str, str] | None:
        """Return a resource's tags, to be changed in place; None when it is not there.

        Devices of a fleet document have an entry from the first time that they are asked for: most never are.
        """
        device = self.devices.get(arn.rpartition("/")[2])
        if device is not None and device.arn == arn:
            self.tags.setdefault(arn, {})
        return self.tags.get(arn)

    def task(self, identifier: object, *, stale: bool = False) -> Task:
        """Return a task by id; a stale read sees it as it was before its last write, while that is young."""
        key = str(identifier)
        found = self._before(key) if stale else self.tasks.get(key)
        if found is None:
            raise not_found("FuotaTask", key)
        return found

    def listed(self, *, stale: bool) -> list[Task]:
        """Return every task, oldest first; a stale list lacks what was created last."""
        return [t for t in self.tasks.values() if not stale or self._before(t.id) is not None]

    def _before(self, key: str) -> Task | None:
        written, task = self.before.get(key, (None, None))
        return task if written is not None and self.lags(written) else self.tasks.get(key)

    def remember(self, identifier: str) -> None:
        """Keep a task as it is, before it is written to."""
        found = self.tasks.get(identifier)
        self.before[identifier] = (self.now(), found.copied() if found is not None else None)

    def group(self, identifier: object) -> Group:
        """Return a multicast group by id."""
        found = self.groups.get(str(identifier))
        if found is None:
            raise not_found("MulticastGroup", str(identifier))
        return found

    def device(self, identifier: object) -> Device:
        """Return a wireless device by id."""
        found = self.devices.get(str(identifier))
        if found is None:
            raise not_found("WirelessDevice", str(identifier))
        return found


class Stores(Regional[Store]):
    """Every account and Region."""

    def __init__(self, seed: int, clock: Clock, settings: Settings) -> None:
        def lags(written: datetime) -> bool:
            return (clock.now() - written).total_seconds() < settings.number("staleSeconds")

        super().__init__(lambda account, region: Store(account, region, seed, lags, clock.now))


def not_found(kind: str, identifier: str) -> ModelledError:
    """Return the 404 every operation answers alike."""
    return ModelledError(
        "ResourceNotFoundException", f"{kind} {identifier} not found", ResourceId=identifier, ResourceType=kind
    )


def conflict(kind: str, identifier: str, message: str) -> ModelledError:
    """Return the 409, with the resource it is about."""
    return ModelledError("ConflictException", message, ResourceId=identifier, ResourceType=kind)


def invalid(message: str) -> ModelledError:
    """Return the 400."""
    return ModelledError("ValidationException", message)
