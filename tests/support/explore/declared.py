"""Declares the rollouts of a small world for each service: two rollouts, two waves, three devices, one group.

1. Rollout `a` has the waves `canary` (d1) and `fleet` (d2 and d3, as a group where the service has groups). Rollout `b`
   has one wave, d3, so that both meet there.
2. A setting answers each point that a service's documents leave open, one way or the other (docs/unproved.md).
"""

from __future__ import annotations

from functools import lru_cache

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import (
    Abort,
    BackendConfig,
    Device,
    DriftPolicy,
    Environment,
    Firmware,
    Gate,
    Ignore,
    Retry,
    Rollout,
    Source,
    Strategy,
    Suspend,
    Targets,
    Value,
    Wave,
    Window,
    canonical_digest,
)
from otactl.ports import PureHalf
from tests.support.explore.world import Manifest

SOURCE = Source(file="rollouts/a.yaml", digest="d" * 64)
ENVIRONMENT = Environment(name="prod-eu", owner="acme", account="123456789012", region="eu-west-1", source=SOURCE)
KINDS = ("fuota", "otaUpdate", "tuya")
SHAPES: dict[str, PureHalf] = {"fuota": FuotaShape(), "otaUpdate": OtaShape(ENVIRONMENT), "tuya": TuyaShape()}
_BLOCKS: dict[str, BackendConfig] = {
    "fuota": FuotaConfig(rf_region="EU868", role="arn:aws:iam::123456789012:role/fuota", redundancy_percent=12),
    "otaUpdate": OtaUpdateConfig(
        document={"role": "arn:aws:iam::123456789012:role/ota", "files": [{"fileName": "app"}]}
    ),
    "tuya": TuyaConfig(document={"productKey": "p"}),
}
_REASONS = {"fuota": "missingFragments", "otaUpdate": "download", "tuya": "download"}
_CONTENTS = {("a", 0): "a0", ("b", 0): "b0", ("a", 1): "c1", ("b", 1): "c1"}
IGNORED = ("unit", "job", "batch", "devices.canceled", "devices.failed", "startTime", "redundancyPercent")


class Settings(Value, frozen=True, kw_only=True):
    """A service and its answer to each open point; `second` is the other answer to all of them."""

    kind: str
    second: bool = False

    @property
    def name(self) -> str:
        """Return a word for commands and tables."""
        return f"{self.kind}-{2 if self.second else 1}"

    @property
    def shape(self) -> PureHalf:
        """Return the product's own pure half of the backend."""
        return SHAPES[self.kind]


EVERY = tuple(Settings(kind=kind, second=second) for kind in KINDS for second in (False, True))


def setting(name: str) -> Settings:
    """Find settings by their name. Raises: StopIteration for a name that none has."""
    return next(s for s in EVERY if s.name == name)


def name_of(manifest: Manifest) -> str:
    """Return the name that a rollout is declared by."""
    return f"{manifest.name}x" if manifest.renamed else manifest.name


@lru_cache(maxsize=100_000)
def declared(kind: str, manifest: Manifest) -> Rollout:
    """Return the rollout that a manifest declares."""
    sha = _CONTENTS[manifest.name, manifest.version] * 32
    waves = tuple(w for w in _waves(kind, manifest.name) if w.name != manifest.without)
    gate = Gate(
        min_success_percent=40 if manifest.lenient else 100, silence_after="24h" if manifest.name == "a" else None
    )
    ignored = tuple(Ignore(field=field, reason="accepted") for field in IGNORED) if manifest.accept else ()
    return Rollout(
        name=name_of(manifest),
        environment=ENVIRONMENT.name,
        firmware=Firmware(version=f"2.{manifest.version}.0", image=f"s3://b/{sha}/x.bin", sha256=sha, size_bytes=6000),
        backend=_BLOCKS[kind],
        strategy=Strategy(
            waves=waves, gate=gate, retry=Retry(attempts=2, on=(_REASONS[kind],)) if manifest.name == "a" else None
        ),
        source=Source(file=f"rollouts/{manifest.name}.yaml", digest=canonical_digest(manifest)),
        windows=(Window(kind="allow", schedule="0 8 * * *", duration="12h", time_zone="UTC"),)
        if manifest.windowed
        else (),
        drift=DriftPolicy(mode="report" if manifest.report else "correct", ignore=ignored),
        suspend=_suspend(manifest.suspend),
        abort=Abort(reason="stop") if manifest.abort else None,
        resend=manifest.resend,
        renamed_from=manifest.name if manifest.renamed else None,
    )


def _suspend(how: str) -> Suspend | None:
    if how == "finish":
        return Suspend(reason="wait", owner="ops", running="finish")
    return Suspend(reason="wait", owner="ops") if how else None


def _waves(kind: str, name: str) -> tuple[Wave, ...]:
    if kind == "fuota":
        canary, fleet = Targets(multicast_groups=("g1",)), Targets(multicast_groups=("g",))
        third = Targets(wireless_devices=(Device(id="d3"),))
    elif kind == "otaUpdate":
        canary, fleet = Targets(things=(Device(id="d1"),)), Targets(thing_groups=("g",))
        third = Targets(things=(Device(id="d3"),))
    else:
        canary, fleet = Targets(devices=(Device(id="d1"),)), Targets(devices=(Device(id="d2"), Device(id="d3")))
        third = Targets(devices=(Device(id="d3"),))
    if name == "b":
        return (Wave(name="all", targets=third),)
    return (Wave(name="canary", targets=canary), Wave(name="fleet", targets=fleet))


def content_of(rollout: Rollout) -> str:
    """Return what its devices receive."""
    return rollout.firmware.sha256


def devices_of(key: str, group: tuple[str, ...]) -> tuple[str, ...]:
    """Return the devices that a target key stands for."""
    kind, _, name = key.partition(":")
    if kind in ("group", "thingGroup"):
        return ("d1",) if name == "g1" else group
    return (name,)
