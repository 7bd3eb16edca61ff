"""Keeps the state of Tuya's gateway: products, modules, devices, groups, packages, batches, tasks.

One gateway is one purchased instance (the host says which [V]), so there is one store, whatever key asks.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from otactl_simulator.service import ModelledError

CONFIRM, QUEUED, NOTIFIED, IN_PROGRESS = "CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS"
SUCCEEDED, FAILED, CANCELED, COMPLETED = "SUCCEEDED", "FAILED", "CANCELED", "COMPLETED"
UNFINISHED = (CONFIRM, QUEUED, NOTIFIED, IN_PROGRESS)
UNCHECKED, UNVERIFIED, VERIFIED, VERIFYING, VERIFY_FAILED = -1, 0, 1, 2, 3
DEFAULT_MODULE = "default"
VERIFY, UPGRADE = "VERIFY_FIRMWARE", "UPGRADE_FIRMWARE"
T = TypeVar("T")


class Timeline(Generic[T]):
    """A value and what it was before: a stale read sees an older one."""

    def __init__(self, moment: datetime, value: T) -> None:
        self._past: list[tuple[datetime, T]] = [(moment, value)]

    @property
    def now(self) -> T:
        """Return the value as it stands."""
        return self._past[-1][1]

    @property
    def since(self) -> datetime:
        """Return when it last changed."""
        return self._past[-1][0]

    def set(self, moment: datetime, value: T) -> None:
        """Set the value from a moment on."""
        self._past.append((moment, value))

    def at(self, moment: datetime) -> tuple[datetime, T] | None:
        """Return when it had last changed at a moment, and to what; None before it was there."""
        return next((entry for entry in reversed(self._past) if entry[0] <= moment), None)


@dataclass
class Module:
    """A module of a product that can be upgraded on its own."""

    name: str
    alias: str = ""
    desc: str = ""


@dataclass
class Product:
    """A kind of device."""

    key: str
    name: str
    modules: dict[str, Module] = field(default_factory=dict)


@dataclass(eq=False, repr=False)  # devices, tasks and batches hold each other
class Device:
    """A device, with how it behaves (course.BEHAVIOURS); `versions` are what it reported, `installs` what it flashed:
    how often, by the sign of the package; `tasks` are all it ever had."""

    product_key: str
    name: str
    iot_id: str
    versions: dict[str, Timeline[str]] = field(default_factory=dict)
    behaviour: str = ""
    seconds: float = 60.0
    installs: dict[str, int] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)

    def unfinished(self) -> list[Task]:
        """Return what it has yet to do."""
        return [task for task in self.tasks if task.status in UNFINISHED]


@dataclass
class Group:
    """A device group."""

    id: str
    product_key: str
    name: str
    devices: list[str] = field(default_factory=list)


@dataclass
class Firmware:
    """An upgrade package; status: -1 needs no check, 0 unverified, 1 verified, 2 verifying, 3 failed [V]."""

    id: str
    product_key: str
    name: str
    dest_version: str
    created_at: datetime
    modified_at: datetime
    src_version: str = ""
    module: str = DEFAULT_MODULE
    sign: str = ""
    sign_method: str = "MD5"
    size: int = 0
    type: int = 0
    status: int = VERIFIED
    desc: str = ""
    verify_progress: int = 0


@dataclass(eq=False, repr=False)  # as above
class Task:
    """One device's upgrade in one batch. `shown` is status, progress and description; `turn` tells steps that were
    overtaken from those that still count."""

    id: str
    job: Job
    device: Device
    src_version: str
    created_at: datetime
    shown: Timeline[tuple[str, int | None, str]]
    retries_left: int = 0
    deadline: datetime | None = None
    turn: int = 0

    @property
    def status(self) -> str:
        """Return its present status."""
        return self.shown.now[0]

    @property
    def progress(self) -> int | None:
        """Return its present progress."""
        return self.shown.now[1]


@dataclass(eq=False, repr=False)  # as above
class Job:
    """An upgrade batch; the package's facts are kept, because the package may be deleted. `ended` counts its tasks."""

    id: str
    firmware: Firmware
    type: str
    created_at: datetime
    status: Timeline[str]
    selection: str = ""
    src_versions: list[str] = field(default_factory=list)
    gray_percent: str = ""
    group: Group | None = None
    need_push: bool = True
    need_confirm: bool = False
    retry_interval: int | None = None
    retry_count: int | None = None
    timeout_minutes: int | None = None
    tasks: list[Task] = field(default_factory=list)
    cancel_asked: bool = False
    ended: int = 0


@dataclass
class Store:
    """The instance."""

    seed: int
    keys: dict[str, str] = field(default_factory=dict)
    nonces: dict[str, datetime] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    devices: dict[tuple[str, str], Device] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    firmwares: dict[str, Firmware] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    made: int = 0

    def number(self, base: int) -> str:
        """Return a fresh id as the gateway writes them: a number in a text, the same for the same seed and order."""
        self.made += 1
        return str(base + self.made)

    def unique(self, kind: str) -> str:
        """Return a fresh unique id."""
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.seed}/tuya/{kind}/{self.made}"))

    def product(self, key: str) -> Product:
        """Return a product by its key."""
        found = self.products.get(key)
        if found is None:
            raise ModelledError("iot.prod.NotExistedProduct", f"product {key} does not exist")
        return found

    def firmware(self, identifier: str) -> Firmware:
        """Return a package by id."""
        found = self.firmwares.get(identifier)
        if found is None:
            raise ModelledError("iot.ota.FirmwareNotExist", f"firmware {identifier} does not exist")
        return found

    def job(self, identifier: str) -> Job:
        """Return a batch by id."""
        found = self.jobs.get(identifier)
        if found is None:
            raise ModelledError("iot.ota.JobNotExist", f"job {identifier} does not exist")
        return found

    def device(self, product_key: str, name: str) -> Device:
        """Return a device by product and name."""
        self.product(product_key)
        found = self.devices.get((product_key, name))
        if found is None:
            raise ModelledError("iot.device.NotExistedDevice", f"device {name} of {product_key} does not exist")
        return found

    def by_iot_id(self, iot_id: str) -> Device:
        """Return a device by its unique id."""
        found = next((device for device in self.devices.values() if device.iot_id == iot_id), None)
        if found is None:
            raise ModelledError("iot.device.NotExistedDevice", f"device {iot_id} does not exist")
        return found
