"""What the scenarios of the attack on the Tuya backend share."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.model import Device, Rollout, Strategy, Targets, Wave
from otactl_simulator.tuya.state import Store
from tests.support.tuya_stage import PRODUCT, TuyaStage, block, plugs

CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob"}


def lose_the_create(tuya_stage: TuyaStage, rollout: Rollout, effect: str = "timeoutBeforeCommit") -> None:
    """Send a create and get no answer to it."""
    tuya_stage.server.world.faults.replace([{**CREATE, "nth": 1, "effect": effect}])
    tuya_stage.run(rollout)
    tuya_stage.server.world.faults.replace([])


def asked_for(tuya_stage: TuyaStage) -> list[object]:
    """The devices of each create."""
    return [
        r["parameters"].get("TargetDeviceName")
        for r in tuya_stage.asked("tuya")
        if r["operation"] == "CreateOTAStaticUpgradeJob"
    ]


def store(tuya_stage: TuyaStage) -> Store:
    """What the gateway holds."""
    return next(v for v in vars(tuya_stage.server.world.services["tuya"]).values() if isinstance(v, Store))


def offline(*names: str) -> dict[str, str]:
    """These plugs are, for `behave`."""
    return {name.replace("-", "_"): "offline" for name in names}


def selected(**changes: object) -> Rollout:
    """One wave whose devices the service selects."""
    return plugs(backend=block(**changes), strategy=Strategy(waves=(Wave(name="all"),), allow_downgrade=True))


def one(name: str, *devices: str, **changes: object) -> Rollout:
    """A rollout of one wave to these devices."""
    wave = Wave(name="w", targets=Targets(devices=tuple(Device(id=d) for d in devices)))
    return replace(plugs(strategy=Strategy(waves=(wave,)), **changes), name=name)


def reports(tuya_stage: TuyaStage, version: str, *names: str) -> None:
    """Let these plugs report a version."""
    tuya_stage.cloud(
        devices=[{"productKey": PRODUCT, "deviceName": n, "versions": {"default": version}} for n in names]
    )
