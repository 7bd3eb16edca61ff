"""Devices whose turn is withdrawn a second time follow all the same, and those that had theirs are left alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Device, Gate, Phase, Rollout, Strategy, Suspend, Targets, Wave
from tests.support.ota_stage import OtaStage, block, gateway

HELD = Suspend(reason="bad firmware", owner="ada")
WAITING = {"gw_4": "offline", "gw_5": "offline"}


def whole_group(selection: str) -> Rollout:
    wave = Wave(name="all", targets=Targets(thing_groups=("gateways",)))
    return gateway(backend=block(targetSelection=selection), strategy=Strategy(waves=(wave,), gate=GATE))


def one_by_one(*things: str, soak: str | None = None) -> Rollout:
    wave = Wave(name="all", targets=Targets(things=tuple(Device(id=name) for name in things)))
    return gateway(strategy=Strategy(waves=(wave,), gate=replace(GATE, soak=soak)))


GATE = Gate(min_success_percent=90, silence_after="4h")


def suspended_twice(ota_stage: OtaStage, declared: Rollout) -> None:
    """One gateway takes the image; the two that are offline are withdrawn, sent to again and withdrawn again."""
    ota_stage.behave(**WAITING)
    for _ in range(2):
        ota_stage.cron(declared, rounds=2)
        ota_stage.cron(replace(declared, suspend=HELD), rounds=3)


@pytest.mark.parametrize("selection", ["SNAPSHOT", "CONTINUOUS"])
def test_devices_of_a_group_that_are_withdrawn_twice_are_neither_forgotten_nor_judged_without(
    ota_stage: OtaStage, selection: str
) -> None:
    declared = whole_group(selection)
    suspended_twice(ota_stage, declared)
    held = ota_stage.remembered()
    ota_stage.behave()

    ota_stage.cron(declared, rounds=4)

    assert (held.phase, held.waves[0].verdict) == (Phase.SUSPENDED, None)
    assert ota_stage.installs() == {"gw-1": 0, "gw-2": 0, "gw-3": 1, "gw-4": 1, "gw-5": 1}
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.remembered().attempts[-1].retry_targets == ("device:gw-4", "device:gw-5")


def test_a_device_that_has_the_image_is_not_sent_it_again_once_those_that_were_to_follow_are_removed(
    ota_stage: OtaStage,
) -> None:
    suspended_twice(ota_stage, one_by_one("gw-3", "gw-4", "gw-5", soak="6h"))

    ota_stage.cron(one_by_one("gw-3", soak="6h"), rounds=4)

    assert len(ota_stage.created()) == 2
    assert ota_stage.installs()["gw-3"] == 1
