"""Drift of Tuya batches, each kind once: seen, reported, and acted on or not, over real HTTP."""

from __future__ import annotations

import urllib.request

import pytest
from msgspec.structs import replace

from otactl.model import Cause, DriftEntry, Gate, Ignore, Outcome, Phase, Stage
from otactl.model import DriftPolicy as Drift
from tests.support.fuota_stage import edited
from tests.support.tuya_stage import PACKAGE, PLUGS, PRODUCT, TuyaStage, block, package, plugs

DAY = 86400


def reported(tuya_stage: TuyaStage) -> dict[str, DriftEntry]:
    return {e.field: e for e in tuya_stage.record("plug").drift if e.open}


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def waiting(tuya_stage: TuyaStage, **behaviours: str) -> None:
    """A batch whose devices are offline."""
    tuya_stage.behave(**({p.replace("-", "_"): "offline" for p in PLUGS} | behaviours))
    tuya_stage.run()


def test_a_foreign_unfinished_task_is_reported_until_it_has_ended_and_then_the_wave_goes(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline")
    job = tuya_stage.foreign_batch("plug-1")

    report = tuya_stage.run()
    seen = reported(tuya_stage)["task.plug-1"]
    tuya_stage.by_hand("CancelOTATaskByJob", JobId=job, CancelQueuedTask=True)
    tuya_stage.behave()
    tuya_stage.cron()

    assert holds(report) == ["target_is_busy"]
    assert (seen.cause, seen.observed) == (Cause.FOREIGN, f"batch {job}")
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert reported(tuya_stage) == {}


def test_a_module_that_was_never_reported_is_listed_until_it_is(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(products=[{"productKey": PRODUCT, "modules": ["ble"]}], firmwares=[package(module="ble")])

    report = tuya_stage.run(plugs(backend=block(moduleName="ble")))

    assert set(holds(report)) == {"target_is_not_ready"}
    assert (reported(tuya_stage)["version.plug-1"].cause, reported(tuya_stage)["version.plug-1"].observed) == (
        Cause.VERSION,
        None,
    )
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": p, "versions": {"ble": "1.0"}} for p in PLUGS])
    tuya_stage.cron(plugs(backend=block(moduleName="ble")))
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_a_package_deleted_while_its_batch_runs_is_reported(tuya_stage: TuyaStage) -> None:
    waiting(tuya_stage)
    tuya_stage.by_hand("DeleteOTAFirmware", FirmwareId=PACKAGE)

    tuya_stage.run()

    assert reported(tuya_stage)["package"].cause is Cause.DELETED


def test_a_package_that_lost_its_verification_is_reported_while_its_batch_runs(tuya_stage: TuyaStage) -> None:
    waiting(tuya_stage)
    tuya_stage.cloud(firmwares=[package(status=3)])

    tuya_stage.run()

    assert reported(tuya_stage)["package.status"].observed == "failed its verification"


def test_a_package_with_other_bytes_is_reported_and_no_wave_passes_over_it(tuya_stage: TuyaStage) -> None:
    waiting(tuya_stage)
    tuya_stage.cloud(firmwares=[package(sign="ab" * 32)])
    tuya_stage.run()
    seen = reported(tuya_stage)["image.sha256"]
    tuya_stage.behave()
    tuya_stage.run()

    report = tuya_stage.cron(rounds=2)

    assert (seen.cause, seen.observed) == (Cause.IMAGE_BYTES, "ab" * 32)
    assert holds(report) == ["image_differed_at_session"]
    assert len(tuya_stage.batches()) == 1
    accepted = Drift(ignore=(Ignore(field="image.sha256", reason="signed again, same bytes"),))
    tuya_stage.cloud(firmwares=[package()])
    tuya_stage.cron(edited(plugs(), drift=accepted))
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_a_second_package_of_the_version_holds_the_next_wave_until_one_is_named(tuya_stage: TuyaStage) -> None:
    tuya_stage.run()
    tuya_stage.cloud(firmwares=[package(firmwareId="1007", name="twin", sign="cd" * 32)])
    tuya_stage.advance(600)

    report = tuya_stage.cron(rounds=2)
    tuya_stage.cron(plugs(backend=block(firmwareId=PACKAGE)), rounds=3)

    assert "image_is_unreadable" in holds(report)
    assert "2 packages have this version (1001, 1007); name one: firmwareId" in report.rollouts[0].holds[0].message
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)


def test_tasks_canceled_by_someone_are_reported_by_device(tuya_stage: TuyaStage) -> None:
    waiting(tuya_stage, plug_2="slow")
    tuya_stage.by_hand("CancelOTATaskByDevice", FirmwareId=PACKAGE, DeviceName=["plug-1"])

    tuya_stage.run()

    assert reported(tuya_stage)["devices.canceled"].observed == {"devices": 1, "some": ["plug-1"]}


def test_a_failed_task_is_reported_by_device(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="failsDownload", plug_2="offline")
    tuya_stage.run()
    tuya_stage.advance(600)

    tuya_stage.run()

    assert reported(tuya_stage)["devices.failed"].observed == {"devices": 1, "some": ["plug-1"]}


def test_a_batch_the_gateway_does_not_know_any_more_is_lost_and_is_not_made_again(tuya_stage: TuyaStage) -> None:
    waiting(tuya_stage)
    reset = urllib.request.Request(f"{tuya_stage.url}/_simulator/reset", data=b"{}", method="POST")
    urllib.request.urlopen(reset).close()
    tuya_stage.server.world.apply_settings({"callsPerSecond": 0})
    tuya_stage._provision()
    tuya_stage._populate()
    tuya_stage.advance(600)

    report = tuya_stage.cron(rounds=2)

    assert holds(report) == ["unit_was_deleted"]
    assert tuya_stage.record("plug").attempts[0].stage is Stage.LOST
    assert reported(tuya_stage)["unit"].cause is Cause.DELETED
    assert tuya_stage.batches() == []


def test_a_device_that_reports_another_version_at_the_end_is_listed_with_what_it_reports(tuya_stage: TuyaStage) -> None:
    from otactl.model import VersionConfirm, VersionProof

    confirm = VersionConfirm(version=VersionProof(module="default"), within="1h")
    proved = plugs(strategy=replace(plugs().strategy, confirm=confirm))
    tuya_stage.run(proved)
    tuya_stage.advance(300)
    tuya_stage.server.world.advance()
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": {"default": "2.3.0"}}])

    tuya_stage.run(proved)

    entry = reported(tuya_stage)["devices.version"]
    assert (entry.cause, entry.desired) == (Cause.VERSION, "2.4.1")
    assert entry.observed == {"older": {"devices": 1, "reported": {"plug-1": "2.3.0"}}}


@pytest.mark.parametrize("no_device", ["refused", "emptyBatch"])
def test_a_wave_whose_every_device_has_the_version_passes_without_a_batch(
    tuya_stage: TuyaStage, no_device: str
) -> None:
    tuya_stage.server.world.apply_settings({"tuyaNoDeviceLeft": no_device})
    versions = {"default": "2.4.1"}
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": p, "versions": versions} for p in PLUGS[:2]])

    tuya_stage.cron()

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 1
    assert [r.detail for r in record.attempts[0].results] == ["had it already"] * 2
    assert tuya_stage.installs() == dict.fromkeys(PLUGS[:2], 0) | dict.fromkeys(PLUGS[2:], 1)


def test_devices_that_have_the_version_are_left_out_of_the_batch(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-3", "versions": {"default": "2.4.1"}}])

    tuya_stage.cron()

    named = [r["parameters"].get("TargetDeviceName") for r in made(tuya_stage)]
    assert named[1] == ["plug-4", "plug-5", "plug-6"]
    results = {r.device: r.outcome for r in tuya_stage.record("plug").attempts[1].results}
    assert results == dict.fromkeys(PLUGS[2:], Outcome.SUCCEEDED)


def test_what_the_last_wave_reported_closes_when_its_unit_has_ended(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_6="failsFlash")
    lenient = plugs(strategy=replace(plugs().strategy, gate=Gate(min_success_percent=50)))
    tuya_stage.cron(lenient, rounds=3)
    open_then = [e.field for e in tuya_stage.record("plug").drift if e.open]

    tuya_stage.run(lenient)
    done = tuya_stage.transport()
    tuya_stage.run(lenient, transport=done)

    (entry,) = tuya_stage.record("plug").drift
    assert open_then == ["devices.failed"]
    assert (entry.open, entry.closed_by) == (False, "the unit ended")
    assert not any(k.startswith("tuya") for k in done.stats.by_operation)


def made(tuya_stage: TuyaStage) -> list[dict[str, object]]:
    return [r for r in tuya_stage.server.world.requests if r["operation"] == "CreateOTAStaticUpgradeJob"]
