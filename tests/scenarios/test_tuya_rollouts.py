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


def drift(tuya_stage: TuyaStage) -> dict[str, object]:
    return {e.field: e for e in tuya_stage.record("plug").drift if e.open}


def test_two_waves_run_one_after_another_with_one_batch_each(tuya_stage: TuyaStage) -> None:
    tuya_stage.cron()

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert [(a.number, len(a.results), a.stage) for a in record.attempts] == [
        (1, 2, Stage.DELETED),
        (1, 4, Stage.DELETED),
    ]
    assert len(tuya_stage.batches()) == 2
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert record.drift == ()


def test_a_second_reconcile_writes_nothing_and_a_done_rollout_is_not_read(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline")
    tuya_stage.run()
    again = tuya_stage.transport()
    tuya_stage.run(transport=again)
    tuya_stage.behave()
    tuya_stage.cron()
    done = tuya_stage.transport()
    tuya_stage.run(transport=done)

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
    tuya_stage: TuyaStage, behaviour: str, reason: Reason
) -> None:
    tuya_stage.behave(plug_1=behaviour)

    report = tuya_stage.cron(rounds=4)

    results = {r.device: (r.outcome, r.reason) for r in tuya_stage.record("plug").attempts[0].results}
    assert results["plug-1"] == (Outcome.FAILED, reason)
    assert holds(report) == ["success_rate_is_too_low"]
    assert len(tuya_stage.batches()) == 1


def test_a_device_that_never_reports_the_version_fails_at_the_timeout(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="neverReports")

    tuya_stage.cron(rounds=6)

    results = {r.device: r.outcome for r in tuya_stage.record("plug").attempts[0].results}
    assert results["plug-1"] is Outcome.FAILED


def test_a_device_at_the_version_already_counts_as_updated(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": {"default": "2.4.1"}}])

    tuya_stage.cron()

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: r.detail for r in record.attempts[0].results} == {"plug-1": "had it already", "plug-2": ""}
    assert tuya_stage.installs()["plug-1"] == 0
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
    tuya_stage: TuyaStage, changed: dict[str, object], reason: str
) -> None:
    tuya_stage.cloud(firmwares=[changed])

    report = tuya_stage.run()

    assert reason in holds(report)
    assert tuya_stage.batches() == []


def test_devices_that_are_not_there_or_never_reported_hold_by_name(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-8"}])
    targets = Targets(devices=(Device(id="plug-8"), Device(id="plug-9")))

    report = tuya_stage.run(plugs(strategy=Strategy(waves=(Wave(name="w", targets=targets),))))

    assert holds(report) == ["target_is_not_ready", "target_is_missing"]
    assert "plug-8: it never reported a version of module default" in report.rollouts[0].holds[0].message


def test_a_device_with_an_unfinished_task_of_another_actor_is_held_and_not_hit_twice(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline")
    tuya_stage.foreign_batch("plug-1")

    report = tuya_stage.run()

    assert holds(report) == ["target_is_busy"]
    assert len(tuya_stage.batches()) == 1


def test_a_batch_canceled_by_someone_is_reported_and_the_wave_does_not_pass(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline", plug_2="offline")
    tuya_stage.run()
    (batch,) = tuya_stage.batches()
    tuya_stage.by_hand("CancelOTATaskByJob", JobId=batch["jobId"], CancelQueuedTask=True)

    tuya_stage.run()

    reported = [e.message for e in tuya_stage.journal().history("prod-eu", "plug") if e.kind == "drift"]
    assert any("canceled by another actor" in m for m in reported)
    assert tuya_stage.record("plug").phase is Phase.FAILED


def test_new_content_cancels_what_waits_lets_go_on_what_began_and_follows(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="offline", plug_2="offline")
    tuya_stage.run()
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    newer = edited(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))
    tuya_stage.behave()

    tuya_stage.cron(newer, rounds=8)

    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert record.version == "2.5.0"
    assert tuya_stage.batches()[0]["status"] == "CANCELED"
    assert not any(e.open for e in record.drift)


def test_tasks_that_do_not_go_on_for_a_day_are_reported_and_hold_with_the_way_out(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(plug_1="stuckNotified", plug_2="offline")
    tuya_stage.run()
    tuya_stage.advance(DAY + 60)

    report = tuya_stage.run()

    assert holds(report) == ["devices_are_overdue"]
    reported = {field: e.observed for field, e in drift(tuya_stage).items()}
    assert reported["devices.queued"] == {"devices": 1, "some": ["plug-2"]}
    assert reported["devices.notified"] == {"devices": 1, "some": ["plug-1"]}


def test_tasks_that_wait_for_a_confirmation_are_counted_as_that(tuya_stage: TuyaStage) -> None:
    declared = plugs(backend=block(needConfirm=True))
    tuya_stage.run(declared)
    tuya_stage.advance(DAY + 60)

    tuya_stage.run(declared)

    assert tuya_stage.record("plug").attempts[0].progress == {"toConfirm": 2}
    assert drift(tuya_stage)["devices.toConfirm"].cause is Cause.VENDOR


def test_a_version_in_another_module_than_the_one_that_proves_it_spares_no_device(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(
        products=[{"productKey": PRODUCT, "modules": ["default", "mcu"]}],
        devices=[
            {"productKey": PRODUCT, "deviceName": name, "versions": {"default": "2.4.1", "mcu": "2.4.0"}}
            for name in PLUGS
        ],
    )
    base = plugs()
    declared = replace(
        base, strategy=replace(base.strategy, confirm=VersionConfirm(version=VersionProof(module="mcu")))
    )

    held = tuya_stage.run(declared).rollouts[0].holds

    why = "its module default has 2.4.1 already, and module mcu, which is to prove it, reports 2.4.0"
    assert held
    assert all(why in hold.message for hold in held), held
    assert tuya_stage.record("plug").attempts == ()


def test_a_version_that_was_lost_again_is_no_success_where_it_is_to_be_proved(tuya_stage: TuyaStage) -> None:
    confirm = VersionConfirm(version=VersionProof(module="default"), within="1h")
    base = plugs()
    declared = replace(base, strategy=replace(base.strategy, confirm=confirm))
    tuya_stage.run(declared)
    tuya_stage.advance(300)
    tuya_stage.server.world.advance()
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-1", "versions": {"default": "2.4.0"}}])
    tuya_stage.run(declared)
    waiting = tuya_stage.record("plug").attempts[0]
    tuya_stage.advance(3700)
    tuya_stage.run(declared)

    assert waiting.progress["waitingForVersion"] == 1
    results = {r.device: (r.outcome, r.reason) for r in tuya_stage.record("plug").attempts[0].results}
    assert results["plug-1"] == (Outcome.FAILED, Reason.VERSION)
    assert results["plug-2"] == (Outcome.SUCCEEDED, None)
    reported = next(r.detail for r in tuya_stage.record("plug").attempts[0].results if r.device == "plug-1")
    assert reported == "reports 2.4.0, the version before; declared is 2.4.1"


def test_a_suspended_rollout_sends_nothing(tuya_stage: TuyaStage) -> None:
    transport = tuya_stage.transport()

    tuya_stage.run(plugs(suspend=Suspend(reason="freeze", owner="ada")), transport=transport)

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
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], reason: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    error = tuya_stage.run().rollouts[0].error

    assert error.startswith(f"{reason}:")
    assert "\n" not in error
    assert "s3cret" not in error
