"""Keeps the state of AWS IoT for one account and Region: things, groups, jobs, OTA updates, streams, profiles.

One store for `iot`, `iot-jobs-data`, `iot-data` and `signer`: they check the same things. Times are the simulated
clock's, aware, UTC.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iot.settings import Settings
from otactl_simulator.regional import Regional
from otactl_simulator.service import ModelledError

PENDING = ("QUEUED", "IN_PROGRESS")


@dataclass
class Thing:
    """One thing, and the device behind it.

    `image_sha256` is what it runs, `behaviour` how it takes a job (empty: no one connected a device), `installs` how
    many times it installed which image, `connected_at` since when a device is there; `deleted_shadows` are the versions
    that deleted shadows had come to.
    """

    name: str
    arn: str
    attributes: dict[str, str] = field(default_factory=dict)
    thing_type: str = ""
    version: int = 1
    firmware_version: str = ""
    image_sha256: str = ""
    behaviour: str = ""
    seconds: float = 60.0
    version_path: str = "reported.firmware.version"
    shadows: dict[str, dict[str, object]] = field(default_factory=dict)
    deleted_shadows: dict[str, int] = field(default_factory=dict)
    id: str = ""
    installs: dict[str, int] = field(default_factory=dict)
    connected_at: datetime | None = None


@dataclass
class ThingGroup:
    """One static thing group; `things` are names."""

    name: str
    arn: str
    id: str
    created_at: datetime
    parent: str = ""
    things: list[str] = field(default_factory=list)
    version: int = 1
    description: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class ThingType:
    """One thing type."""

    name: str
    arn: str
    id: str
    created_at: datetime
    properties: dict[str, object] = field(default_factory=dict)
    deprecated_at: datetime | None = None


@dataclass
class Execution:
    """One thing's execution of a job."""

    thing: str
    number: int
    status: str
    queued_at: datetime
    version: int = 1
    started_at: datetime | None = None
    updated_at: datetime | None = None
    details: dict[str, str] = field(default_factory=dict)
    timeout_at: datetime | None = None
    step_timeout_at: datetime | None = None
    force_canceled: bool = False
    took_at: datetime | None = None
    retry_attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """A job as it is to be created; `configs` are its configurations by the field of a job they fill."""

    id: str
    targets: Sequence[str]
    document: str
    selection: str = "SNAPSHOT"
    description: str = ""
    configs: Mapping[str, dict[str, object]] = field(default_factory=dict)
    image_sha256: str = ""
    image_version: str = ""


@dataclass
class Job:
    """One job.

    `waiting` are things not notified yet, in order; `executions` by thing name, the latest attempt; `earlier` are
    attempts that were retried; `tally` counts the executions by status.
    """

    id: str
    arn: str
    targets: list[str]
    selection: str
    document: str
    created_at: datetime
    status: str = "IN_PROGRESS"
    description: str = ""
    rollout: dict[str, object] = field(default_factory=dict)
    presigned: dict[str, object] = field(default_factory=dict)
    abort: dict[str, object] = field(default_factory=dict)
    timeout: dict[str, object] = field(default_factory=dict)
    retry: dict[str, object] = field(default_factory=dict)
    namespace: str = ""
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    reason_code: str = ""
    comment: str = ""
    force_canceled: bool = False
    delete_at: datetime | None = None
    waiting: list[str] = field(default_factory=list)
    notified: list[datetime] = field(default_factory=list)
    executions: dict[str, Execution] = field(default_factory=dict)
    image_sha256: str = ""
    image_version: str = ""
    tally: dict[str, int] = field(default_factory=dict)
    earlier: list[Execution] = field(default_factory=list)
    source: str = ""


@dataclass
class Stream:
    """One stream; `files` as DescribeStream shows them; `service_made` for those of an OTA update."""

    id: str
    arn: str
    description: str
    files: list[dict[str, object]]
    role_arn: str
    created_at: datetime
    version: int = 1
    service_made: bool = False
    updated_at: datetime | None = None


@dataclass
class OtaUpdate:
    """One OTA update: its request as given, and what became of its creation."""

    id: str
    arn: str
    parameters: dict[str, object]
    created_at: datetime
    modified_at: datetime
    status: str = "CREATE_PENDING"
    error: dict[str, str] = field(default_factory=dict)
    signer_jobs: dict[int, str] = field(default_factory=dict)
    stream_id: str = ""
    due: datetime | None = None
    delete_stream: bool = False
    made_job: bool = False

    @property
    def job_id(self) -> str:
        """Return the id of the job behind it."""
        return f"AFR_OTA-{self.id}"


@dataclass
class SigningProfile:
    """One signing profile of AWS Signer."""

    name: str
    arn: str
    platform: str
    certificate_arn: str
    parameters: dict[str, str] = field(default_factory=dict)
    version: str = ""
    status: str = "Active"


@dataclass
class SigningJob:
    """One signing job of AWS Signer."""

    id: str
    profile: str
    source: dict[str, object]
    signed: dict[str, object]
    created_at: datetime
    status: str = "Succeeded"
    reason: str = ""
    profile_version: str = ""
    platform: str = ""
    certificate_arn: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Store:
    """One account's Region."""

    account: str
    region: str
    seed: int
    lags: Callable[[datetime], bool]
    now: Callable[[], datetime]
    things: dict[str, Thing] = field(default_factory=dict)
    groups: dict[str, ThingGroup] = field(default_factory=dict)
    types: dict[str, ThingType] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    updates: dict[str, OtaUpdate] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    profiles: dict[str, SigningProfile] = field(default_factory=dict)
    signing_jobs: dict[str, SigningJob] = field(default_factory=dict)
    signing_tokens: dict[str, str] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    indexing: dict[str, object] = field(default_factory=dict)
    before: dict[tuple[str, str], tuple[datetime, object]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def new(self) -> str:
        """Return a fresh UUID, the same for the same seed and order."""
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.seed}/{self.account}/{self.region}/iot/{self.made}"))

    def arn(self, kind: str, identifier: str) -> str:
        """Return the ARN of a resource: kind is thing, thinggroup, job, otaupdate or stream."""
        return f"arn:aws:iot:{self.region}:{self.account}:{kind}/{identifier}"

    def remember(self, kind: str, identifier: str, value: object) -> None:
        """Keep a resource (None when it is not there) as it is, before it is written to, for stale reads."""
        self.before[kind, identifier] = (self.now(), copy.deepcopy(value))

    def as_read(self, kind: str, identifier: str, value: object, *, stale: bool) -> object:
        """Return the resource a read sees: a stale one sees it as it was before its last write, while that is young."""
        written, old = self.before.get((kind, identifier), (None, None))
        return old if stale and written is not None and self.lags(written) else value

    def thing(self, name: object) -> Thing:
        """Return a thing by name; ResourceNotFoundException."""
        found = self.things.get(str(name))
        if found is None:
            raise not_found(f"Thing {name}")
        return found


class Stores(Regional[Store]):
    """Every account and Region."""

    def __init__(self, seed: int, clock: Clock, settings: Settings) -> None:
        def lags(written: datetime) -> bool:
            return (clock.now() - written).total_seconds() < settings.number("iotStaleSeconds")

        super().__init__(lambda account, region: Store(account, region, seed, lags, clock.now))


def not_found(what: str, said: str = " not found") -> ModelledError:
    """Return the 404 of AWS IoT."""
    return ModelledError("ResourceNotFoundException", f"{what}{said}")


def invalid(message: str) -> ModelledError:
    """Return the 400 of AWS IoT."""
    return ModelledError("InvalidRequestException", message)
