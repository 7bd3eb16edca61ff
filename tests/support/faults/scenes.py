"""Describes the scenarios of the fault product on each service: the rollout, and the deeds between runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from otactl.model import Firmware, Rollout
from otactl.model.rollout import DriftPolicy
from otactl_simulator.server import SimulatorServer
from tests.support.faults.cases import Setting
from tests.support.fuota_stage import FuotaStage, declared, edited, pushed
from tests.support.ota_stage import OtaStage, gateway
from tests.support.tuya_stage import TuyaStage, package, plugs

NEWER = b"newer" * 500
Deed = Callable[["Scene"], None]


class Step(NamedTuple):
    """One run of cron: what happens before it, and the seconds until the next one."""

    before: Deed | None = None
    pause: float = 0


class Scene:
    """One scenario on its stage; `rollout` is what the manifest declares now."""

    stage: FuotaStage
    pause: float
    """Seconds between two runs once nothing happens any more; every unit has ended then."""

    def __init__(self, setting: Setting, server: SimulatorServer, folder: Path) -> None:
        self.mode = setting.mode
        self.stage = self.staged(server, folder)
        whole = self.declared()
        first = replace(whole.strategy, waves=whole.strategy.waves[:1])
        self.rollout = whole if setting.scenario == "waves" else replace(whole, strategy=first)
        self.steps: tuple[Step, ...] = getattr(self, setting.scenario.replace("-", "_"))()

    def staged(self, server: SimulatorServer, folder: Path) -> FuotaStage:
        """Return the stage of the service."""
        raise NotImplementedError

    def declared(self) -> Rollout:
        """Return the rollout of two waves."""
        raise NotImplementedError

    def with_mode(self, rollout: Rollout) -> Rollout:
        """Return a rollout in the drift mode of the setting."""
        mode: Any = self.mode
        return replace(rollout, drift=DriftPolicy(mode=mode))

    def waves(self) -> tuple[Step, ...]:
        """Two waves, one after the other."""
        return ()

    def push(self) -> None:
        """Declare other content."""
        self.rollout = edited(self.rollout, firmware=self.newer())

    def newer(self) -> Firmware:
        """Return the image of other content."""
        return pushed(self.stage, "2.5.0", NEWER)


class FuotaScene(Scene):
    """FUOTA tasks of multicast groups."""

    pause = 3600.0

    def staged(self, server: SimulatorServer, folder: Path) -> FuotaStage:
        """Return the stage of the service."""
        return FuotaStage(server, folder)

    def declared(self) -> Rollout:
        """Return the rollout of two waves."""
        return self.with_mode(declared())

    def failing(self) -> tuple[Step, ...]:
        """A device of the first wave rebuilds a wrong image."""

        def break_one(scene: Scene) -> None:
            bad = {"devEui": scene.stage.euis[0], "rfRegion": "EU868", "behaviour": "micError"}
            scene.stage.fleet(devices=[bad])

        return (Step(break_one, self.pause),)

    def edited(self) -> tuple[Step, ...]:
        """A person edits the task while it waits for its group; in report mode the person takes it back."""

        def edit(text: str) -> Deed:
            def deed(scene: Scene) -> None:
                for listed in scene.stage.wireless.list_fuota_tasks()["FuotaTaskList"]:
                    scene.stage.wireless.update_fuota_task(Id=listed["Id"], Description=text)

            return deed

        def back(scene: Scene) -> None:
            if scene.mode == "report":
                edit("probes")(scene)
            scene.stage.deafen(False)

        return (Step(lambda s: s.stage.deafen(), 120), Step(edit("by hand"), 120), Step(back, self.pause))

    def newer_content(self) -> tuple[Step, ...]:
        """Other content is declared before the first wave starts."""
        return (Step(None, 120), Step(lambda s: s.push(), self.pause))


class OtaScene(Scene):
    """OTA updates of things and a thing group."""

    pause = 600.0

    def staged(self, server: SimulatorServer, folder: Path) -> OtaStage:
        """Return the stage of the service."""
        return OtaStage(server, folder)

    def declared(self) -> Rollout:
        """Return the rollout of two waves."""
        return self.with_mode(gateway())

    def _behave(self, **how: str) -> Deed:
        def deed(scene: Scene) -> None:
            assert isinstance(scene.stage, OtaStage)
            scene.stage.behave(**how)

        return deed

    def failing(self) -> tuple[Step, ...]:
        """A gateway of the first wave fails its self-test."""
        return (Step(self._behave(gw_1="failsSelfTest"), self.pause),)

    def edited(self) -> tuple[Step, ...]:
        """A person paces the job otherwise while a gateway is offline; in report mode the person takes it back."""

        def pace(per_minute: int) -> Deed:
            def deed(scene: Scene) -> None:
                assert isinstance(scene.stage, OtaStage)
                for listed in scene.stage.iot.list_jobs(status="IN_PROGRESS")["jobs"]:
                    wanted = {"maximumPerMinute": per_minute}
                    scene.stage.iot.update_job(jobId=listed["jobId"], jobExecutionsRolloutConfig=wanted)

            return deed

        def back(scene: Scene) -> None:
            if scene.mode == "report":
                pace(100)(scene)

        online = Step(self._behave(), self.pause)  # later: what it does meanwhile must not hang on when a run comes
        return (Step(self._behave(gw_1="offline"), 130), Step(pace(7), 130), Step(back, 130), online)

    def newer_content(self) -> tuple[Step, ...]:
        """Other content is declared while a gateway is offline."""

        offline, online = self._behave(gw_1="offline"), self._behave()
        return (Step(offline, 130), Step(lambda s: s.push(), 130), Step(None, 130), Step(online, self.pause))


class TuyaScene(Scene):
    """Batches of plugs at Tuya's gateway."""

    pause = 1200.0

    def staged(self, server: SimulatorServer, folder: Path) -> TuyaStage:
        """Return the stage of the service."""
        return TuyaStage(server, folder)

    def declared(self) -> Rollout:
        """Return the rollout of two waves."""
        return self.with_mode(plugs())

    def _behave(self, **how: str) -> Deed:
        def deed(scene: Scene) -> None:
            assert isinstance(scene.stage, TuyaStage)
            scene.stage.behaviours(**how)

        return deed

    def failing(self) -> tuple[Step, ...]:
        """A plug of the first wave fails to write the package."""
        return (Step(self._behave(plug_1="failsFlash"), self.pause),)

    def edited(self) -> tuple[Step, ...]:
        """A batch of another actor is at a plug, and ends."""

        def foreign(scene: Scene) -> None:
            assert isinstance(scene.stage, TuyaStage)
            scene.stage.behaviours(plug_1="offline")
            scene.stage.foreign_batch("plug-1")

        return (Step(foreign, 120), Step(self._behave(), 120))

    def newer(self) -> Firmware:
        """Return the image of other content, which the gateway has as another package."""
        firmware = super().newer()
        assert isinstance(self.stage, TuyaStage)
        made = package(firmwareId="1003", destVersion="2.5.0", name="newer", sign=firmware.sha256, size=len(NEWER))
        self.stage.cloud(firmwares=[made])
        return firmware

    def newer_content(self) -> tuple[Step, ...]:
        """Other content is declared while a plug is offline."""

        offline, online = self._behave(plug_1="offline"), self._behave()
        return (Step(offline, 120), Step(lambda s: s.push(), 120), Step(None, 120), Step(online, self.pause))


SCENES: dict[str, type[Scene]] = {"fuota": FuotaScene, "otaUpdate": OtaScene, "tuya": TuyaScene}
