"""Defines what a `Rollout` manifest declares, after it was read, validated and resolved.

Field meanings, limits and examples stand in schemas/v1/rollout.schema.json (`otactl explain FIELD`); names here are the
same in snake_case, so a validated document converts without a table.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from otactl.model.backend_config import BackendConfig
from otactl.model.values import Value, canonical_digest, exact

TOP_UP = "top-up"  # begins the name of a wave that otactl adds for devices declared later


class Firmware(Value, frozen=True, kw_only=True, omit_defaults=True):
    """The image to install: content-addressed, so equal URIs mean equal bytes.

    `signature` is a detached signature over its SHA-256, in base64; `sbom` says where its bill of materials is. Neither
    reaches a device.
    """

    version: str
    image: str
    sha256: str
    size_bytes: int
    signature: str | None = None
    sbom: str | None = None

    @property
    def sent(self) -> Firmware:
        """Return what devices receive: the digests of revisions and approvals are over this."""
        return msgspec.structs.replace(self, signature=None, sbom=None)


class Device(Value, frozen=True, kw_only=True):
    """One single-device target: `id` as the service names it, or a DevEUI, with the labels of its CSV row."""

    id: str | None = None
    dev_eui: str | None = None
    labels: dict[str, str] = {}

    @property
    def key(self) -> str:
        """Return the target key: `device:<id>` or `devEui:<eui>`, stable across runs."""
        return f"device:{self.id}" if self.id is not None else f"devEui:{self.dev_eui}"


class Targets(Value, frozen=True, kw_only=True, dict=True):
    """The targets of a rollout or a wave. Exactly one kind is non-empty (policy `mixed_targets`)."""

    multicast_groups: tuple[str, ...] = ()
    wireless_devices: tuple[Device, ...] = ()
    things: tuple[Device, ...] = ()
    thing_groups: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()

    @property
    def by_kind(self) -> dict[str, tuple[str, ...]]:
        """Return the targets' keys in the order of the manifest, by the name of their list in it."""
        return {
            "multicastGroups": tuple(f"group:{g}" for g in self.multicast_groups),
            "wirelessDevices": tuple(d.key for d in self.wireless_devices),
            "things": tuple(d.key for d in self.things),
            "thingGroups": tuple(f"thingGroup:{g}" for g in self.thing_groups),
            "devices": tuple(d.key for d in self.devices),
        }

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Return every target by its key (`group:…`, `thingGroup:…`, `device:…`, `devEui:…`), sorted.

        Declared membership.
        """
        singles = (*self.wireless_devices, *self.things, *self.devices)
        groups = (*(f"group:{g}" for g in self.multicast_groups), *(f"thingGroup:{g}" for g in self.thing_groups))
        return tuple(sorted({*groups, *(d.key for d in singles)}))

    def only(self, keys: Collection[str]) -> Targets:
        """Return those of the targets whose keys are among some."""
        return Targets(
            multicast_groups=tuple(g for g in self.multicast_groups if f"group:{g}" in keys),
            wireless_devices=tuple(d for d in self.wireless_devices if d.key in keys),
            things=tuple(d for d in self.things if d.key in keys),
            thing_groups=tuple(g for g in self.thing_groups if f"thingGroup:{g}" in keys),
            devices=tuple(d for d in self.devices if d.key in keys),
        )


class Gate(Value, frozen=True, kw_only=True):
    """When a wave has passed.

    `confidence` is left out of digests where it is not declared, so that approvals given before stay good.
    """

    min_success_percent: float = 100.0
    min_reported: int | None = None
    max_failures: int | None = None
    silence_after: str | None = None
    soak: str | None = None
    weights: dict[str, float] = {}
    confidence: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def risk(self) -> Decimal | None:
        """Return the chance of a wrong verdict that a confidence leaves; None without one."""
        return 1 - exact(self.confidence) if isinstance(self.confidence, float) else None

    @property
    def sureness(self) -> str:
        """Return the confidence in words; empty without one."""
        return f"{float(100 * exact(self.confidence)):g} % confidence" if isinstance(self.confidence, float) else ""


class Requires(Value, frozen=True, kw_only=True):
    """What a wave requires before it starts."""

    approval: str


class Wave(Value, frozen=True, kw_only=True):
    """One step of a rollout: its targets, or a cumulative percent of `spec.targets`.

    `include` and `exclude` are labels of devices that are in it whatever its percent, or come later. `top_up` marks one
    that no manifest declares: for devices declared after every wave had started (membership.py).
    """

    name: str
    targets: Targets | None = None
    percent: float | None = None
    include: dict[str, str] = {}
    exclude: dict[str, str] = {}
    gate: Gate | None = None
    requires: Requires | None = None
    top_up: bool = False


class Retry(Value, frozen=True, kw_only=True):
    """Which failures are retried, how often, and with how much more redundancy."""

    attempts: int = 1
    on: tuple[str, ...] = ()
    backoff: str | None = None
    raise_redundancy_percent: int | None = None


class VersionProof(Value, frozen=True, kw_only=True):
    """Where the version that a device runs is read."""

    shadow: str | None = None
    attribute: str | None = None
    index_query: str | None = None
    module: str | None = None

    @property
    def declared(self) -> tuple[str, ...]:
        """Return the names of the fields that are declared, as a manifest spells them; its schema takes exactly one."""
        return tuple(name for name, value in msgspec.to_builtins(self).items() if value is not None)


class VersionConfirm(Value, frozen=True, kw_only=True):
    """Success is the reported version, `within` a time after the transfer."""

    version: VersionProof
    within: str | None = None


class StartWhenReady(Value, frozen=True, kw_only=True):
    """Starts a group with `percent` of its devices ready, once `after` has passed since its unit was created."""

    percent: float
    after: str


class Strategy(Value, frozen=True, kw_only=True):
    """Waves in order, and their success criteria. `allow_downgrade`: devices may get an older version than they run.

    `allow_shrunk`: far fewer targets than before are intended. `allow_uncounted`: a unit may start with devices that
    cannot be counted before.
    """

    waves: tuple[Wave, ...]
    gate: Gate = Gate()
    retry: Retry | None = None
    on_failure: Literal["pause", "abort"] = "pause"
    confirm: Literal["transfer"] | VersionConfirm = "transfer"
    allow_downgrade: bool = False
    allow_shrunk: bool = False
    allow_uncounted: bool = False
    start_when_ready: StartWhenReady | None = None


class Window(Value, frozen=True, kw_only=True):
    """A time in which sessions may run (`allow`) or may not (`deny`)."""

    kind: Literal["allow", "deny"]
    schedule: str
    duration: str
    time_zone: str
    overrun: Literal["finish", "doNotStart"] = "doNotStart"


class Ignore(Value, frozen=True, kw_only=True):
    """A drift that a person accepts, with a reason and an end."""

    field: str
    reason: str
    until: datetime | None = None


class DriftPolicy(Value, frozen=True, kw_only=True):
    """Whether drift is corrected where that is possible, or only reported."""

    mode: Literal["correct", "report"] = "correct"
    ignore: tuple[Ignore, ...] = ()
    watch: str | None = None

    def accepted(self, now: datetime) -> dict[str, Ignore]:
        """Return what is accepted at a moment, by field; of several for a field the first."""
        return {i.field: i for i in reversed(self.ignore) if i.until is None or now < i.until}


class Approval(Value, frozen=True, kw_only=True):
    """A person's approval of a wave, identified by the approval digest. `by` is self-asserted.

    `devices` names those inside the wave's groups when it was given: how many, and a digest of who.
    """

    wave: str
    role: str
    by: str
    digest: str
    at: datetime
    devices: str | None = None


class Suspend(Value, frozen=True, kw_only=True):
    """Holds the rollout until the field is removed.

    `running`: withdraw what devices have not started, or let everything under way finish.
    """

    reason: str
    owner: str
    running: Literal["withdraw", "finish"] = "withdraw"


class Abort(Value, frozen=True, kw_only=True):
    """Aborts the rollout."""

    reason: str


class Source(Value, frozen=True, kw_only=True):
    """Where the manifest was read: the path as given, the SHA-256 of the file, its path in the repository, its line.

    `place` is the same from whichever folder it is read: relative to the root of its repository, absolute without one.
    `line` is that of its name, from 1; None where no file was read.
    """

    file: str
    digest: str
    place: str = ""
    line: int | None = None


class Rollout(Value, frozen=True, kw_only=True, dict=True):
    """One rollout as declared, every reference (`${stack:…}`, CSV file) resolved.

    `renamed_from` is the rollout whose record it takes over; `resend` (strategy.resend) tells that devices are to be
    sent what another rollout sent them last. It is no part of `Strategy`, so that approvals given before stay good.
    `resend_since` tells since when it allows that for what is declared now; None where it does not.
    `removed` tells that no manifest declares it any more: what is left of it is looked at, and nothing starts. `homes`
    names, for a wave that otactl added at the end, the declared wave whose rules it has; no approval is of it.
    `former_names` are those it had before, as far as no other rollout has them now: its units may carry them.
    """

    name: str
    environment: str
    firmware: Firmware
    backend: BackendConfig
    strategy: Strategy
    source: Source
    labels: dict[str, str] = {}
    targets: Targets | None = None
    windows: tuple[Window, ...] = ()
    drift: DriftPolicy = DriftPolicy()
    approvals: tuple[Approval, ...] = ()
    suspend: Suspend | None = None
    abort: Abort | None = None
    cleanup: Literal["afterResults", "never"] = "afterResults"
    renamed_from: str | None = None
    resend: bool = False
    resend_since: datetime | None = None
    removed: bool = False
    homes: dict[str, str] = {}
    former_names: tuple[str, ...] = ()

    def targets_of(self, wave: Wave) -> Targets:
        """Return the targets a wave names itself, or the rollout's for a wave by percent."""
        return wave.targets or self.targets or Targets()

    def place_of(self, key: str) -> str:
        """Return where a target stands in the manifest, and in which file; empty for one that it does not name."""
        named = [(f"spec.strategy.waves[{n}].targets", w.targets) for n, w in enumerate(self.strategy.waves)]
        for where, targets in (("spec.targets", self.targets), *named):
            for kind, keys in targets.by_kind.items() if targets is not None else ():
                if key in keys and not (where != "spec.targets" and self.targets is not None):
                    return f"{where}.{kind}[{keys.index(key)}] of {self.source.file}"
        return ""

    def gate_of(self, wave: Wave) -> Gate:
        """Return the wave's own gate, or the rollout's."""
        return wave.gate or self.strategy.gate

    def may_resend(self, sent_at: datetime | None) -> bool:
        """Return whether `strategy.resend` allows to send again what this rollout itself sent at a time."""
        return self.resend_since is not None and sent_at is not None and sent_at < self.resend_since

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that units of it may carry, its own first."""
        return (self.name, *self.former_names)

    @property
    def backend_kind(self) -> str:
        """Return the name of the backend block that the manifest has."""
        return self.backend.kind

    def session_length(self, try_number: int = 1) -> timedelta | None:
        """Return the time from the start of a try to the end of its session; None where no one can compute it.

        Raises: LorawanError for figures that cannot exist, which the policies refuse.
        """
        return self.backend.session_length(self.firmware.size_bytes, self.strategy, try_number)

    @cached_property
    def generation(self) -> str:
        """Return the digest that names units: of what devices receive, not of how they are observed (decision 1)."""
        firmware = msgspec.structs.replace(self.firmware.sent, image="")
        return canonical_digest({"environment": self.environment, "firmware": firmware, "backend": self.backend.sent})
