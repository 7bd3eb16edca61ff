"""New content, and content that is declared again, while updates run or were lost."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.model import (
    Phase,
)
from tests.support.ota_stage import THINGS, OtaStage, one_wave, running
from tests.support.ota_waves import holds, newer, targets_of_creates, things, waves


def test_new_content_goes_to_the_targets_declared_with_it(ota_stage: OtaStage) -> None:
    ota_stage.cron(waves(("w", things("gw-1", "gw-2"))), rounds=3)

    ota_stage.cron(newer(ota_stage, waves(("w", things("gw-1")))), rounds=3)

    assert targets_of_creates(ota_stage) == [["gw-1", "gw-2"], ["gw-1"]]
    assert not any(e.open for e in ota_stage.remembered().drift)


def test_a_lost_create_is_not_sent_again_once_other_content_is_declared(ota_stage: OtaStage) -> None:
    old = one_wave()
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="error500")
    ota_stage.run(old)
    ota_stage.server.world.faults.replace([])
    declared = newer(ota_stage, old)

    waiting = ota_stage.run(declared)
    ota_stage.cron(declared, rounds=5)

    assert holds(waiting) == ["change_not_visible_yet"]
    assert len(ota_stage.created()) == 1
    assert ota_stage.carried_out("CreateOTAUpdate")[0]["parameters"]["files"][0]["fileVersion"] == "2.5.0"
    assert ota_stage.remembered().phase is Phase.SUCCEEDED


def test_a_lost_create_is_not_sent_again_while_it_may_not_start(ota_stage: OtaStage) -> None:
    ota_stage.fault(service="iot", operation="CreateOTAUpdate", effect="timeoutBeforeCommit")
    ota_stage.run(one_wave())
    ota_stage.server.world.faults.replace([])
    ota_stage.behave(gw_1="late")
    arn = ota_stage.iot.describe_thing(thingName="gw-1")["thingArn"]
    ota_stage.iot.create_job(jobId="AFR_OTA-older", targets=[arn], document="{}")
    ota_stage.advance(3600)
    once = ota_stage.run(one_wave())
    ota_stage.advance(200)

    report = ota_stage.run(one_wave())

    assert (holds(once), holds(report)) == (["change_not_visible_yet"], ["target_is_busy"])
    assert ota_stage.created() == []


def test_content_gone_back_to_while_its_stopped_update_ends_is_made_up_for_not_failed(ota_stage: OtaStage) -> None:
    first = one_wave()
    ota_stage.behave(gw_1="offline", gw_2="manual")
    ota_stage.run(first)
    ota_stage.advance(200)
    job = ota_stage.device.start_next_pending_job_execution(thingName="gw-2")["execution"]["jobId"]
    ota_stage.run(first)
    ota_stage.run(newer(ota_stage, first))  # stops the first; gw-2 has started it
    back = replace(first, source=replace(first.source, digest="f" * 64))

    waiting = ota_stage.run(back)
    ota_stage.device.update_job_execution(jobId=job, thingName="gw-2", status="SUCCEEDED")
    ota_stage.behave()
    ota_stage.cron(back, rounds=4)

    assert holds(waiting) == ["previous_revision_running"]
    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert targets_of_creates(ota_stage) == [list(THINGS), ["gw-1"]]
    assert record.wave("all").verdict.total == 5


def test_content_gone_back_to_after_other_content_is_sent_to_everyone_again(ota_stage: OtaStage) -> None:
    first = one_wave()
    running(ota_stage, gw_1="offline")
    declared = newer(ota_stage, first)
    ota_stage.run(declared)
    ota_stage.behave()
    ota_stage.cron(declared, rounds=3)

    ota_stage.cron(replace(first, source=replace(first.source, digest="f" * 64)), rounds=4)

    assert targets_of_creates(ota_stage) == [list(THINGS)] * 3
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
