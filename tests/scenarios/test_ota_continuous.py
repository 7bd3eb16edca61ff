"""A CONTINUOUS update: whom its verdict is over while things join its group, leave it and come back."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from otactl.model import Gate, Phase, Rollout, Strategy, Targets, VersionConfirm, VersionProof, Wave
from tests.support.ota_stage import OtaStage, block, gateway

REPORTED = VersionConfirm(version=VersionProof(shadow="reported.firmware.version"), within="2h")
PROOFS = pytest.mark.parametrize("confirm", [None, REPORTED], ids=["transfer", "version"])
GATE = Gate(min_success_percent=90, silence_after="2h")


def endless(confirm: VersionConfirm | None = None, gate: Gate = GATE) -> Rollout:
    wave = Wave(name="all", targets=Targets(thing_groups=("gateways",)))
    strategy = Strategy(waves=(wave,), gate=gate, confirm=confirm, on_failure="abort")
    return gateway(backend=block(targetSelection="CONTINUOUS"), strategy=strategy)


def join(ota_stage: OtaStage, thing: str) -> None:
    ota_stage.iot.add_thing_to_thing_group(thingName=thing, thingGroupName="gateways")
    ota_stage.advance(300)


def comes_back(ota_stage: OtaStage, thing: str, times: int = 1) -> None:
    """A thing that has the image leaves its group and returns: the job makes it another execution."""
    for _ in range(times):
        ota_stage.iot.remove_thing_from_thing_group(thingName=thing, thingGroupName="gateways")
        ota_stage.advance(60)
        join(ota_stage, thing)


def verdict(ota_stage: OtaStage) -> tuple[bool, int, int]:
    found = ota_stage.remembered().waves[0].verdict
    assert found is not None
    return found.passed, found.succeeded, found.total


@PROOFS
def test_a_thing_that_comes_back_often_counts_once_and_passes_no_wave_whose_things_failed(
    ota_stage: OtaStage, confirm: VersionConfirm | None
) -> None:
    declared = endless(confirm, replace(GATE, min_success_percent=60))
    ota_stage.behave(gw_4="failsDownload", gw_5="failsDownload")
    ota_stage.cron(declared, rounds=3)
    comes_back(ota_stage, "gw-3", times=4)

    ota_stage.cron(declared, rounds=2, minutes=120)

    assert verdict(ota_stage) == (False, 1, 3)


@PROOFS
def test_a_thing_that_comes_back_keeps_no_wave_from_passing(
    ota_stage: OtaStage, confirm: VersionConfirm | None
) -> None:
    declared = endless(confirm)
    ota_stage.cron(declared, rounds=3)
    comes_back(ota_stage, "gw-3")

    ota_stage.cron(declared, rounds=3, minutes=120)

    assert verdict(ota_stage) == (True, 3, 3)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_a_thing_that_failed_twice_is_one_failure_for_the_limit_of_the_gate(ota_stage: OtaStage) -> None:
    declared = endless(gate=replace(GATE, max_failures=1))
    ota_stage.behave(gw_5="failsDownload")
    ota_stage.cron(declared, rounds=3)
    comes_back(ota_stage, "gw-5")

    ota_stage.cron(declared, rounds=2)

    assert ota_stage.remembered().phase is Phase.PROGRESSING
    assert ota_stage.carried_out("CancelJob") == []


@PROOFS
@pytest.mark.parametrize("soak", [None, "4h"], ids=["released", "soaks"])
def test_a_thing_that_joins_after_the_verdict_is_served_and_turns_nothing(
    ota_stage: OtaStage, confirm: VersionConfirm | None, soak: str | None
) -> None:
    declared = endless(confirm, replace(GATE, soak=soak))
    ota_stage.behave(gw_1="offline", gw_2="failsDownload")
    ota_stage.cron(declared, rounds=4, minutes=60)
    assert verdict(ota_stage) == (True, 3, 3)

    join(ota_stage, "gw-1")
    join(ota_stage, "gw-2")
    ota_stage.cron(declared, rounds=6, minutes=60)

    assert verdict(ota_stage) == (True, 3, 3)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.remembered().attempts[0].progress == {"succeeded": 3, "queued": 1, "failed": 1}
    assert ota_stage.open_drift()["devices.failed"].observed == {"failed": 1}
    assert len(ota_stage.created()) == 1
    assert ota_stage.carried_out("CancelJob") == []


@PROOFS
def test_a_verdict_stays_when_someone_cancels_the_update_while_a_later_thing_waits(
    ota_stage: OtaStage, confirm: VersionConfirm | None
) -> None:
    declared = endless(confirm)
    ota_stage.behave(gw_1="offline")
    ota_stage.cron(declared, rounds=4, minutes=60)
    join(ota_stage, "gw-1")
    join(ota_stage, "gw-2")
    ota_stage.cron(declared, rounds=2, minutes=60)
    (job,) = ota_stage.iot.list_jobs()["jobs"]
    ota_stage.iot.cancel_job(jobId=job["jobId"])

    ota_stage.cron(declared, rounds=6, minutes=60)

    assert verdict(ota_stage) == (True, 3, 3)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    first, *more = ota_stage.carried_out("CreateOTAUpdate")
    assert [[t.rpartition("/")[2] for t in r["parameters"]["targets"]] for r in (first, *more)] == [
        ["gateways"],
        ["gw-1"],
    ]


def test_a_thing_that_took_the_image_after_the_verdict_is_shown_as_not_read(ota_stage: OtaStage) -> None:
    declared = endless(REPORTED)
    ota_stage.behave(gw_1="neverReports")
    ota_stage.cron(declared, rounds=4, minutes=60)

    join(ota_stage, "gw-1")
    ota_stage.cron(declared, rounds=2, minutes=60)

    assert verdict(ota_stage) == (True, 3, 3)
    assert ota_stage.remembered().attempts[0].progress == {"succeeded": 3, "versionNotRead": 1}


def test_in_the_soak_a_thing_that_goes_back_to_its_old_version_still_turns_the_verdict(ota_stage: OtaStage) -> None:
    declared = endless(REPORTED, replace(GATE, soak="4h"))
    ota_stage.cron(declared, rounds=4, minutes=60)
    assert verdict(ota_stage) == (True, 3, 3)
    old = {"state": {"reported": {"firmware": {"version": "2.4.0"}}}}
    ota_stage.shadow.update_thing_shadow(thingName="gw-3", payload=json.dumps(old).encode())

    ota_stage.cron(replace(declared, strategy=replace(declared.strategy, on_failure="pause")), rounds=3, minutes=60)

    assert verdict(ota_stage)[0] is False
