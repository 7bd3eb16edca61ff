"""A wave is judged over the devices it was started with: running or ended, whatever a list shows, weights included."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from otactl.model import Gate, Phase, Strategy, Targets, Wave
from tests.support.fuota_stage import GROUPS, FuotaStage, declared, pushed
from tests.support.ota_stage import OtaStage, block, gateway, one_wave

ONE = Strategy(
    waves=(Wave(name="all", targets=Targets(multicast_groups=(GROUPS[0],))),), gate=Gate(min_success_percent=90)
)


def paced(gate: Gate) -> Any:
    """All five gateways, one a minute."""
    wave = one_wave().strategy.waves[0]
    slow = block(awsJobExecutionsRolloutConfig={"maximumPerMinute": 1})
    last = Wave(name="fleet", targets=gateway().strategy.waves[1].targets)
    return gateway(backend=slow, strategy=Strategy(waves=(wave, last), gate=gate))


def test_devices_that_a_paced_job_has_not_reached_count_when_the_time_for_answers_is_over(ota_stage: OtaStage) -> None:
    rollout = paced(Gate(min_success_percent=80, silence_after="130s"))

    ota_stage.cron(rollout, rounds=4, minutes=1)

    verdict = ota_stage.remembered().wave("all").verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total) == (False, 5)
    assert len(ota_stage.created()) == 1


def test_failures_of_a_running_job_weigh_what_the_gate_says(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_1="rejects", gw_2="rejects")
    rollout = paced(Gate(min_success_percent=50, max_failures=1, weights={"rejected": 0.5}))

    ota_stage.cron(rollout, rounds=4, minutes=1)
    during = ota_stage.remembered()
    ota_stage.cron(rollout, rounds=6, minutes=3)

    assert (during.phase, during.wave("all").verdict) == (Phase.PROGRESSING, None)
    verdict = ota_stage.remembered().wave("all").verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total, verdict.weighted) == (True, 5, 1.0)


@pytest.mark.parametrize("by_task", [True, False])
def test_devices_that_join_a_group_after_the_start_are_reported_and_do_not_count(
    fuota_stage: FuotaStage, by_task: bool
) -> None:
    fuota_stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": by_task})
    fuota_stage.run(declared(strategy=ONE))
    fuota_stage.advance(3600)
    strangers = fuota_stage.wireless.list_wireless_devices(MulticastGroupId=GROUPS[1])["WirelessDeviceList"]
    for device in strangers:
        fuota_stage.wireless.associate_wireless_device_with_multicast_group(Id=GROUPS[0], WirelessDeviceId=device["Id"])

    fuota_stage.drive(declared(strategy=ONE))

    verdict = fuota_stage.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.total) == (True, 3)
    (reported,) = [e for e in fuota_stage.record().drift if e.field == "devices.joined"]
    assert isinstance(reported.observed, dict)
    assert reported.observed["devices"] == len(strangers)


@pytest.mark.parametrize("by_task", [True, False])
def test_success_of_the_rollout_that_took_a_group_back_does_not_pass_the_one_that_failed(
    fuota_stage: FuotaStage, by_task: bool
) -> None:
    fuota_stage.server.world.apply_settings({"listByTaskIncludesGroupMembers": by_task})
    gate = Gate(min_success_percent=90, silence_after="48h")
    bad = declared(strategy=msgspec.structs.replace(ONE, gate=gate))
    behave(fuota_stage, "silent")
    fuota_stage.drive(bad, rounds=3)
    behave(fuota_stage, "")
    back = declared(name="back", strategy=ONE, firmware=pushed(fuota_stage, "2.3.9", b"old" * 900))

    fuota_stage.drive(bad, back, rounds=4)

    assert fuota_stage.record("back").phase is Phase.SUCCEEDED
    assert fuota_stage.record().phase is Phase.PROGRESSING
    assert fuota_stage.record().waves[0].verdict is None


def behave(fuota_stage: FuotaStage, behaviour: str) -> None:
    fuota_stage.fleet(devices=[{"devEui": e, "rfRegion": "EU868", "behaviour": behaviour} for e in fuota_stage.euis])


Meddle = Callable[[str, dict[str, Any]], None]


def around(meddle: Meddle) -> Callable[[str, str, Callable[[], dict[str, Any]]], dict[str, Any]]:
    def wrapped(_service: str, operation: str, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        answer = copy.deepcopy(send())
        meddle(operation, answer)
        return answer

    return wrapped


def never_listed(operation: str, answer: dict[str, Any]) -> None:
    """A job that counts a failure of which its list shows nothing."""
    if operation == "DescribeJob":
        counts = answer["job"]["jobProcessDetails"]
        counts["numberOfFailedThings"] = counts.get("numberOfFailedThings", 0) + 1


def still_counted(operation: str, answer: dict[str, Any]) -> None:
    """A job that goes on counting a device as being at it, which it lists no more."""
    if operation == "DescribeJob":
        answer["job"]["status"] = "IN_PROGRESS"
        counts = answer["job"]["jobProcessDetails"]
        counts["numberOfInProgressThings"] = counts.get("numberOfInProgressThings", 0) + 1


@pytest.mark.parametrize(("meddle", "hours"), [(never_listed, 3), (still_counted, 27)])
def test_a_job_whose_counts_never_agree_with_its_list_ends_and_is_reported(
    ota_stage: OtaStage, meddle: Meddle, hours: int
) -> None:
    ota_stage.run(one_wave())
    for step in (600, hours * 3600):
        ota_stage.advance(step)
        ota_stage.run(one_wave(), transport=ota_stage.transport(around=around(meddle)))
        if step == 600:
            assert ota_stage.remembered().phase is Phase.PROGRESSING

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert "executions" in {e.field for e in ota_stage.remembered().drift}
