"""Batches whose devices the service selects: started beside no one else's work, and never taken for done by no one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Phase
from tests.support.tuya_manifests import offline, one, reports, selected, store
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, package, plugs

SELECTIONS = [{"targetSelection": "ALL"}, {"targetSelection": "GRAY", "grayPercent": 50}]


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_a_batch_to_a_whole_product_is_not_made_again_when_the_journal_is_lost(
    tuya_stage: TuyaStage, chosen: dict[str, object]
) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    tuya_stage.run(selected(**chosen))
    for file in tuya_stage.folder.glob("journal.db*"):
        file.unlink()
    tuya_stage.advance(600)

    report = tuya_stage.run(selected(**chosen))

    (hold,) = report.rollouts[0].holds
    (batch,) = tuya_stage.batches()
    assert hold.reason == "target_is_busy"
    assert f"product {PRODUCT} still has other work; waiting for it: batch {batch['jobId']} of" in hold.message


def test_a_batch_to_a_whole_product_waits_for_the_work_of_others_and_then_goes(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline")
    foreign = tuya_stage.foreign_batch("plug-1")
    held = tuya_stage.run(selected(targetSelection="ALL"))
    tuya_stage.behaviours()

    tuya_stage.cron(selected(targetSelection="ALL"), rounds=3)

    assert [h.reason for h in held.rollouts[0].holds] == ["target_is_busy"]
    assert foreign in held.rollouts[0].holds[0].message
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_a_batch_to_a_whole_product_waits_for_another_rollout_at_one_of_its_devices(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    narrow = one("plug", "plug-1")
    tuya_stage.run(narrow)
    tuya_stage.advance(300)
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = replace(plugs().firmware, version="2.5.0")

    report = tuya_stage.run(narrow, replace(selected(targetSelection="ALL"), name="zz", firmware=newer))

    assert [h.reason for h in report.rollouts[1].holds] == ["target_is_busy"]
    assert len(tuya_stage.batches()) == 1


def test_a_batch_that_says_it_runs_though_its_tasks_have_ended_holds_no_one(tuya_stage: TuyaStage) -> None:
    tuya_stage.foreign_batch("plug-1")
    tuya_stage.advance(300)
    tuya_stage.server.world.advance()
    job = next(iter(store(tuya_stage).jobs.values()))
    job.status.set(tuya_stage.now(), "IN_PROGRESS")

    tuya_stage.run(selected(targetSelection="ALL"))

    assert len(tuya_stage.batches()) == 2


def test_where_no_one_is_left_to_upgrade_the_refusal_says_what_to_look_at(tuya_stage: TuyaStage) -> None:
    reports(tuya_stage, "2.4.1", *PLUGS)

    errors = [tuya_stage.run(selected(targetSelection="ALL")).rollouts[0].error for _ in range(2)]

    assert all(e.startswith("NoDeviceLeft:") and "if they have it, take the wave out" in e for e in errors)
    assert tuya_stage.record("plug").intents == ()


def test_a_batch_that_reaches_no_one_passes_no_wave(tuya_stage: TuyaStage) -> None:
    tuya_stage.server.world.apply_settings({"tuyaNoDeviceLeft": "emptyBatch"})
    reports(tuya_stage, "2.4.1", *PLUGS)

    report = tuya_stage.cron(selected(targetSelection="ALL"), rounds=3)

    assert [h.reason for h in report.rollouts[0].holds] == ["success_rate_is_too_low"]
    assert "of 0 devices" in report.rollouts[0].holds[0].message
