"""Tuya batches from manifest to verdict, over real HTTP to a gateway that checks signature, time and nonce."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import (
    Cause,
    Device,
    Outcome,
    Phase,
    Reason,
    Stage,
    Strategy,
    Suspend,
    Targets,
    VersionConfirm,
    VersionProof,
    Wave,
)
from tests.support.fuota_stage import edited
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, block, package, plugs

DAY = 86400


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def drift(gate: TuyaStage) -> dict[str, object]:
    return {e.field: e for e in gate.record("plug").drift if e.open}


def test_two_waves_run_one_after_another_with_one_batch_each(gate: TuyaStage) -> None:
    gate.cron()

    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, len(a.results), a.stage) for a in record.attempts] == [
        (1, 2, Stage.DELETED),
        (1, 4, Stage.DELETED),
    ]
    assert len(gate.batches()) == 2
    assert gate.installs() == dict.fromkeys(PLUGS, 1)
    assert record.drift == ()


def test_a_second_reconcile_writes_nothing_and_a_done_rollout_is_not_read(gate: TuyaStage) -> None:
    gate.behave(plug_1="offline")
    gate.run()
    again = gate.transport()
    gate.run(transport=again)
    gate.behave()
    gate.cron()
    done = gate.transport()
    gate.run(transport=done)

    assert again.stats.writes == done.stats.writes == 0
    assert {k for k in again.stats.by_operation if k.startswith("tuya")} == {
        "tuya:QueryOTAJob",
        "tuya:ListOTATaskByJob",
        "tuya:QueryOTAFirmware",
    }
    assert {k for k in done.stats.by_operation if k.startswith("tuya")} == set()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("failsDownload", Reason.DOWNLOAD),
        ("failsVerify", Reason.VERIFY),
        ("failsFlash", Reason.FLASH),
        ("failsGeneral", Reason.UNKNOWN),
    ],
)
def test_a_device_that_fails_has_its_reason_and_the_wave_does_not_pass(
    gate: TuyaStage, behaviour: str, reason: Reason
) -> None:
    gate.behave(plug_1=behaviour)

    report = gate.cron(rounds=4)

    results = {r.device: (r.outcome, r.reason) for r in gate.record("plug").attempts[0].results}
    assert results["plug-1"] == (Outcome.FAILED, reason)
    assert holds(report) == ["success_rate_is_too_low"]
    assert len(gate.batches()) == 1


def test_a_device_that_never_reports_the_version_fails_at_the_timeout(gate: TuyaStage) -> None:
    gate.behave(plug_1="neverReports")

    gate.cron(rounds=6)

    results = {r.device: r.outcome for r in gate.record("plug").attempts[0].results}
    assert results["plug-1"] is Outcome.FAILED


def test_a_device_at_the_version_already_counts_as_updated(gate: TuyaStage) -> None:
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": {"default": "2.4.1"}}])

    gate.cron()

    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: r.detail for r in record.attempts[0].results} == {"plug-1": "had it already", "plug-2": ""}
    assert gate.installs()["plug-1"] == 0
    assert record.drift == ()


PACKAGES = [
    (package(status=0), "image_digest_is_unproved"),
    (package(status=3), "image_digest_is_unproved"),
    (package(sign="ab" * 32), "image_digest_differs"),
    (package(size=1), "image_size_differs"),
    (package(signMethod="MD5", sign="ab" * 16), "image_digest_is_unproved"),
    (package(destVersion="9.9.9"), "image_is_missing"),
]


@pytest.mark.parametrize(("changed", "reason"), PACKAGES)
def test_a_package_that_is_not_right_holds_before_anything_is_made(
    gate: TuyaStage, changed: dict[str, object], reason: str
) -> None:
    gate.cloud(firmwares=[changed])

    report = gate.run()

    assert reason in holds(report)
    assert gate.batches() == []


def test_devices_that_are_not_there_or_never_reported_hold_by_name(gate: TuyaStage) -> None:
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-8"}])
    targets = Targets(devices=(Device(id="plug-8"), Device(id="plug-9")))

    report = gate.run(plugs(strategy=Strategy(waves=(Wave(name="w", targets=targets),))))

    assert holds(report) == ["target_is_not_ready", "target_is_missing"]
    assert "plug-8: it never reported a version of module default" in report.rollouts[0].holds[0].message


def test_a_device_with_an_unfinished_task_of_somebody_else_is_held_and_not_hit_twice(gate: TuyaStage) -> None:
    gate.behave(plug_1="offline")
    gate.foreign_batch("plug-1")

    report = gate.run()

    assert holds(report) == ["target_is_busy"]
    assert len(gate.batches()) == 1


def test_a_batch_canceled_by_somebody_is_told_and_the_wave_does_not_pass(gate: TuyaStage) -> None:
    gate.behave(plug_1="offline", plug_2="offline")
    gate.run()
    (batch,) = gate.batches()
    gate.by_hand("CancelOTATaskByJob", JobId=batch["jobId"], CancelQueuedTask=True)

    gate.run()

    told = [e.message for e in gate.journal().history("prod-eu", "plug") if e.kind == "drift"]
    assert any("canceled by somebody" in m for m in told)
    assert gate.record("plug").phase is Phase.FAILED


def test_new_content_cancels_what_waits_lets_go_on_what_began_and_follows(gate: TuyaStage) -> None:
    gate.behave(plug_1="offline", plug_2="offline")
    gate.run()
    gate.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    gate.behave()

    gate.cron(newer, rounds=8)

    record = gate.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert record.version == "2.5.0"
    assert gate.batches()[0]["status"] == "CANCELED"
    assert not any(e.open for e in record.drift)


def test_tasks_that_do_not_go_on_for_a_day_are_told_and_hold_with_the_way_out(gate: TuyaStage) -> None:
    gate.behave(plug_1="stuckNotified", plug_2="offline")
    gate.run()
    gate.advance(DAY + 60)

    report = gate.run()

    assert holds(report) == ["devices_are_overdue"]
    told = {field: e.observed for field, e in drift(gate).items()}
    assert told["devices.queued"] == {"devices": 1, "some": ["plug-2"]}
    assert told["devices.notified"] == {"devices": 1, "some": ["plug-1"]}


def test_tasks_that_wait_for_a_confirmation_are_counted_as_that(gate: TuyaStage) -> None:
    declared = plugs(backend=block(needConfirm=True))
    gate.run(declared)
    gate.advance(DAY + 60)

    gate.run(declared)

    assert gate.record("plug").attempts[0].progress == {"toConfirm": 2}
    assert drift(gate)["devices.toConfirm"].cause is Cause.VENDOR


def test_a_version_that_was_lost_again_is_no_success_where_it_is_to_be_proved(gate: TuyaStage) -> None:
    confirm = VersionConfirm(version=VersionProof(module="default"), within="1h")
    base = plugs()
    declared = replace(base, strategy=replace(base.strategy, confirm=confirm))
    gate.run(declared)
    gate.advance(300)
    gate.server.world.advance()
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": {"default": "2.4.0"}}])
    gate.run(declared)
    waiting = gate.record("plug").attempts[0]
    gate.advance(3700)
    gate.run(declared)

    assert waiting.progress["waitingForVersion"] == 1
    results = {r.device: (r.outcome, r.reason) for r in gate.record("plug").attempts[0].results}
    assert results["plug-1"] == (Outcome.FAILED, Reason.VERSION)
    assert results["plug-2"] == (Outcome.SUCCEEDED, None)
    told = next(r.detail for r in gate.record("plug").attempts[0].results if r.device == "plug-1")
    assert told == "reports 2.4.0, the version before; declared is 2.4.1"


def test_a_suspended_rollout_sends_nothing(gate: TuyaStage) -> None:
    transport = gate.transport()

    gate.run(plugs(suspend=Suspend(reason="freeze", owner="ada")), transport=transport)

    assert transport.stats.writes == 0


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"TUYA_SECRET": "wrong"}, "SignatureRefused"),
        ({"TUYA_KEY": "AK9"}, "AccessKeyUnknown"),
        ({"TUYA_SECRET": ""}, "NoCredentials"),
    ],
)
def test_wrong_credentials_are_one_clear_message_without_a_secret(
    gate: TuyaStage, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], reason: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    error = gate.run().rollouts[0].error

    assert error.startswith(f"{reason}:")
    assert "\n" not in error
    assert "s3cret" not in error
