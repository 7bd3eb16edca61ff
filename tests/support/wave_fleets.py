"""One fleet of six devices behind each of the three services, so that a scenario of waves and gates is written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import msgspec
import pytest

from otactl.model import Approval, Device, Gate, Record, Rollout, Strategy, Targets, Wave
from otactl.planning.membership import approval_digest, resolved
from otactl.reconcile.run_report import RunReport
from tests.support.fuota_stage import FuotaStage, declared
from tests.support.ota_stage import OtaStage
from tests.support.ota_stage import block as ota_block
from tests.support.tuya_stage import PLUGS, TuyaStage
from tests.support.tuya_stage import block as tuya_block


class WaveFleet(ABC):
    """Six devices; `minutes` is how long cron waits between two runs."""

    kind: str
    cure: str  # the reason of the failure that `fail` makes
    minutes: float = 10

    def __init__(self, fuota_stage: FuotaStage) -> None:
        self.stage = fuota_stage

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The devices, as the manifest names them."""

    @abstractmethod
    def behave(self, fails: tuple[int, ...] = (), silent: tuple[int, ...] = ()) -> None:
        """Let some devices fail from now on, some not answer, the others be well."""

    @abstractmethod
    def makes(self) -> int:
        """How many units the service was asked to create."""

    @abstractmethod
    def block(self) -> Any:
        """The backend block."""

    @property
    @abstractmethod
    def targets(self) -> str:
        """The kind of target, as a field of Targets."""

    def devices(self, *indices: int, **labels: str) -> Targets:
        """Targets of some of the devices."""
        listed = tuple(Device(id=self.names[i], labels=labels) for i in indices)
        return msgspec.structs.replace(Targets(), **{self.targets: listed})

    def rollout(self, *waves: Wave, **strategy: Any) -> Rollout:
        """A canary of two and a fleet of four, or other waves."""
        named = waves or (
            Wave(name="canary", targets=self.devices(0, 1)),
            Wave(name="fleet", targets=self.devices(2, 3, 4, 5)),
        )
        given = {"gate": Gate(min_success_percent=100)} | strategy
        return declared(name="six-devices", backend=self.block(), strategy=Strategy(waves=named, **given))

    def run(self, rollout: Rollout) -> RunReport:
        """One reconcile."""
        return self.stage.run(rollout)

    def cron(self, rollout: Rollout, rounds: int = 4) -> RunReport:
        """Reconcile, and some minutes later again."""
        for _ in range(rounds):
            report = self.run(rollout)
            self.stage.advance(self.minutes * 60)
        return report

    @property
    def record(self) -> Record:
        """What the journal remembers."""
        return self.stage.record("six-devices")

    def approved(self, rollout: Rollout, wave: str, role: str = "owners") -> Rollout:
        """The rollout with the approval of a wave as it stands."""
        named = resolved(rollout, self.record)
        chosen = next(w for w in named.strategy.waves if w.name == wave)
        now = self.stage.server.world.clock.now()
        approval = Approval(wave=wave, role=role, by="ada", digest=approval_digest(named, chosen), at=now)
        return msgspec.structs.replace(rollout, approvals=(*rollout.approvals, approval))


class FuotaWaveFleet(WaveFleet):
    """Wireless devices, each with a transmission of its own."""

    kind, cure, minutes, targets = "fuota", "integrity", 60, "wireless_devices"

    @property
    def names(self) -> tuple[str, ...]:
        """Their ids."""
        stored = self.stage.stored("iotwireless")
        return tuple(d["id"] for d in stored["devices"])

    def behave(self, fails: tuple[int, ...] = (), silent: tuple[int, ...] = ()) -> None:
        """By DevEUI."""
        devices = [
            {
                "devEui": e,
                "rfRegion": "EU868",
                "behaviour": "micError" if i in fails else "silent" if i in silent else "",
            }
            for i, e in enumerate(self.stage.euis)
        ]
        self.stage.fleet(devices=devices)

    def makes(self) -> int:
        """FUOTA tasks."""
        return len(self.stage.writes("CreateFuotaTask"))

    def block(self) -> Any:
        """Without what the service chooses for single devices."""
        spec: Any = declared().backend
        return msgspec.structs.replace(spec, data_rate=None, fragment_size_bytes=None, fragment_interval_ms=None)


class OtaWaveFleet(WaveFleet):
    """Things."""

    kind, cure, targets = "otaUpdate", "download", "things"
    names = tuple(f"gw-{n}" for n in range(1, 7))
    stage: OtaStage

    def behave(self, fails: tuple[int, ...] = (), silent: tuple[int, ...] = ()) -> None:
        """By thing."""
        things = [
            {"name": n, "behaviour": "failsDownload" if i in fails else "offline" if i in silent else ""}
            for i, n in enumerate(self.names)
        ]
        self.stage.fleet(things=things)

    def makes(self) -> int:
        """OTA updates."""
        return len(self.stage.carried_out("CreateOTAUpdate"))

    def block(self) -> Any:
        """The gateways' block."""
        return ota_block()


class TuyaWaveFleet(WaveFleet):
    """Plugs."""

    kind, cure, targets = "tuya", "download", "devices"
    names = PLUGS
    stage: TuyaStage

    def behave(self, fails: tuple[int, ...] = (), silent: tuple[int, ...] = ()) -> None:
        """By plug."""
        reported = {PLUGS[i].replace("-", "_"): "failsDownload" for i in fails}
        reported |= {PLUGS[i].replace("-", "_"): "offline" for i in silent}
        self.stage.behaviours(**reported)

    def makes(self) -> int:
        """Batches."""
        return len(self.stage.batches())

    def block(self) -> Any:
        """The plugs' block."""
        return tuya_block()


KINDS: dict[str, tuple[str, type[WaveFleet]]] = {
    "fuota": ("fuota_stage", FuotaWaveFleet),
    "otaUpdate": ("ota_stage", OtaWaveFleet),
    "tuya": ("tuya_stage", TuyaWaveFleet),
}


def wave_fleet(request: pytest.FixtureRequest, kind: str) -> WaveFleet:
    """Six devices behind a service, all of them well."""
    name, fleet = KINDS[kind]
    made = fleet(request.getfixturevalue(name))
    made.behave()
    return made


def divided(fleet: WaveFleet, *indices: int) -> Rollout:
    """Some devices of a fleet as one list, divided by percent."""
    waves = (Wave(name="canary", percent=30), Wave(name="fleet", percent=100))
    return msgspec.structs.replace(fleet.rollout(*waves), targets=fleet.devices(*indices))


def holds(report: RunReport) -> list[str]:
    """Why the only rollout of a run does not go on."""
    return [h.reason for h in report.rollouts[0].holds]
