"""Creates whose answer was lost, beside what others do: found by what was asked for, and by nothing less."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from otactl.backends.tuya.backend import TuyaBackend
from otactl.backends.tuya.http import Reply, Wire
from otactl.model import Observation, Phase, Record, Rollout, Survey
from otactl.ports import Backend
from otactl_simulator.tuya import views, wire
from tests.support.tuya_manifests import lose_the_create, offline, one, selected
from tests.support.tuya_stage import PACKAGE, PLUGS, PRODUCT, TuyaStage, block, package, plugs


def test_a_batch_to_another_group_is_not_taken_for_the_one_whose_answer_was_lost(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(
        groups=[
            {"groupId": "g-1", "productKey": PRODUCT, "devices": list(PLUGS[:2])},
            {"groupId": "g-2", "productKey": PRODUCT, "devices": list(PLUGS[4:])},
        ]
    )
    declared = selected(targetSelection="GROUP", groupId="g-1")
    lose_the_create(tuya_stage, declared)
    tuya_stage.by_hand("CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="GROUP", GroupId="g-2")

    tuya_stage.cron(declared, rounds=6)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.installs()["plug-1"] == 1


def test_a_batch_to_some_of_the_devices_is_not_taken_for_the_one_whose_answer_was_lost(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    lose_the_create(tuya_stage, plugs())
    strange = tuya_stage.by_hand(
        "CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="SPECIFIC", TargetDeviceName=["plug-1"]
    )["data"]["jobId"]
    tuya_stage.advance(120)
    tuya_stage.run()
    tuya_stage.behave()

    tuya_stage.cron(rounds=8)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert strange not in {a.vendor_id for a in tuya_stage.record("plug").attempts}


def test_a_batch_that_shows_no_devices_yet_is_not_taken_for_the_one_whose_answer_was_lost(
    tuya_stage: TuyaStage,
) -> None:
    lose_the_create(tuya_stage, plugs())
    tuya_stage.by_hand(
        "CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="SPECIFIC", TargetDeviceName=["plug-6"]
    )
    rule = {"service": "tuya", "operation": "ListOTATaskByJob", "nth": 1, "effect": "staleRead"}
    tuya_stage.server.world.faults.replace([rule])
    tuya_stage.advance(10)

    tuya_stage.run()
    tuya_stage.server.world.faults.replace([])
    unanswered = tuya_stage.record("plug")
    tuya_stage.cron(rounds=8)

    assert unanswered.attempts[0].vendor_id is None
    assert len(unanswered.intents) == 1
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


def test_a_batch_of_another_rollout_with_the_same_package_is_not_taken_for_a_lost_one(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    ours, theirs = one("plug", "plug-1", "plug-2"), one("zz", "plug-1")
    lose_the_create(tuya_stage, ours)
    tuya_stage.advance(60)
    made = {"FirmwareId": PACKAGE, "TargetSelection": "SPECIFIC", "TargetDeviceName": ["plug-1"]}
    tuya_stage.by_hand("CreateOTAStaticUpgradeJob", **made)

    report = tuya_stage.run(ours, theirs)
    tuya_stage.advance(120)
    tuya_stage.run(ours, theirs)

    assert tuya_stage.record("plug").attempts[0].vendor_id is None
    held = {h.reason for r in report.rollouts if r.name == "zz" for h in r.holds}
    assert held == {"target_is_busy", "content_was_sent_already"}


def test_a_lost_batch_is_found_though_the_service_made_no_task_for_one_of_its_devices(tuya_stage: TuyaStage) -> None:
    tuya_stage.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-2", "versions": {"default": "2.3.0"}}])
    declared = one("plug", *PLUGS[:2], backend=block(srcVersions=["2.4.0"]))
    lose_the_create(tuya_stage, declared, "timeoutAfterCommit")
    tuya_stage.advance(60)

    tuya_stage.run(declared)

    assert tuya_stage.record("plug").attempts[0].vendor_id == tuya_stage.batches()[0]["jobId"]


def reported_as(monkeypatch: pytest.MonkeyPatch, change) -> None:
    """Let lists of batches tell another utcCreate."""
    real = views.job_row

    def row(job, moment):
        found = real(job, moment)
        return found and {**found, "utcCreate": change(job.created_at)}

    for module in ("otactl_simulator.tuya.views", "otactl_simulator.tuya.batches"):
        monkeypatch.setattr(f"{module}.job_row", row)


TIMES = {
    "five minutes behind": lambda made: views.utc(made - timedelta(minutes=5)),
    "five minutes ahead": lambda made: views.utc(made + timedelta(minutes=5)),
    "missing": lambda _: "",
    "milliseconds": lambda _: "1786000000000",
    "without a zone": lambda _: "2026-11-21 13:00:00",
}


@pytest.mark.parametrize("reported", TIMES)
@pytest.mark.parametrize("selection", ["ALL", "SPECIFIC"])
def test_a_lost_batch_is_found_whatever_time_the_gateway_says_it_was_made(
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch, reported: str, selection: str
) -> None:
    reported_as(monkeypatch, TIMES[reported])
    tuya_stage.behave(plug_1="failsFlash")
    declared = selected(targetSelection="ALL") if selection == "ALL" else one("plug", *PLUGS[:2])

    lose_the_create(tuya_stage, declared, "timeoutAfterCommit")
    tuya_stage.cron(declared, rounds=8)

    assert len(tuya_stage.batches()) == 1
    assert len(tuya_stage.record("plug").attempts[0].results) == len(tuya_stage.batches()[0]["tasks"])


def test_a_package_deleted_while_a_create_has_no_answer_has_no_batch_to_wait_for(tuya_stage: TuyaStage) -> None:
    lose_the_create(tuya_stage, plugs())
    tuya_stage.by_hand("DeleteOTAFirmware", FirmwareId="1001")
    tuya_stage.cloud(firmwares=[package(firmwareId="1005")])

    tuya_stage.cron(rounds=12)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED


@pytest.mark.parametrize("switch", ["CANCELED", "COMPLETED"])
def test_of_two_batches_that_may_be_it_the_one_that_was_not_canceled_is_taken(
    tuya_stage: TuyaStage, switch: str
) -> None:
    tuya_stage.server.world.apply_settings({"tuyaCanceledBatch": switch})
    tuya_stage.behave(**offline(*PLUGS))
    lose_the_create(tuya_stage, plugs(), "timeoutAfterCommit")
    mine = tuya_stage.batches()[0]["jobId"]
    tuya_stage.by_hand("CancelOTATaskByJob", JobId=mine, CancelQueuedTask=True)
    tuya_stage.by_hand("CreateOTAStaticUpgradeJob", **tuya_stage.record("plug").intents[0].call.parameters)
    other = tuya_stage.batches()[1]["jobId"]

    tuya_stage.run()

    assert tuya_stage.record("plug").attempts[0].vendor_id == other


def test_of_two_batches_that_may_be_it_the_one_that_failed_at_once_is_not_taken_in_the_end(
    tuya_stage: TuyaStage,
) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    lose_the_create(tuya_stage, plugs(), "timeoutAfterCommit")
    tuya_stage.by_hand("CreateOTAStaticUpgradeJob", **tuya_stage.record("plug").intents[0].call.parameters)
    mine = tuya_stage.batches()[0]["jobId"]
    held = tuya_stage.run()
    tuya_stage.advance(130)

    tuya_stage.run()

    assert [h.reason for h in held.rollouts[0].holds] == ["lost_create_is_ambiguous"]
    assert tuya_stage.record("plug").attempts[0].vendor_id == mine
    assert len(tuya_stage.batches()) == 2


def test_a_lost_batch_is_found_by_a_machine_whose_clock_is_an_hour_behind(tuya_stage: TuyaStage) -> None:
    tuya_stage.advance(3600)
    tuya_stage.behave(**offline(*PLUGS))
    lose_the_create(tuya_stage, selected(targetSelection="ALL"), "timeoutAfterCommit")

    tuya_stage.run(selected(targetSelection="ALL"))

    assert tuya_stage.record("plug").attempts[0].vendor_id == tuya_stage.batches()[0]["jobId"]


@pytest.mark.parametrize("minutes", [20, -20])
def test_a_gateway_whose_clock_is_twenty_minutes_off_is_worked_with(
    tuya_stage: TuyaStage, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    off, in_time, send = timedelta(minutes=minutes), wire._in_time, Wire.send
    monkeypatch.setattr(wire, "_in_time", lambda text, now, window: in_time(text, now + off, window))

    def dated(self: Wire, method: str, query: str, *, again: bool) -> Reply:
        reply = send(self, method, query, again=again)
        return replace(reply, date=format_datetime(parsedate_to_datetime(reply.date) + off, usegmt=True))

    monkeypatch.setattr(Wire, "send", dated)

    report = tuya_stage.cron(rounds=3)

    assert report.rollouts[0].error == ""
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 2


class Slow:
    """A backend whose process slept after it had looked at one rollout."""

    def __init__(self, inner: Backend, tuya_stage: TuyaStage, name: str) -> None:
        self.inner, self.stage, self.name = inner, tuya_stage, name
        self.capabilities = inner.capabilities

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        seen = self.inner.observe(rollout, known, survey)
        if rollout.name == self.name:
            self.stage.advance(1000)
        return seen


def test_a_create_decided_before_its_process_slept_is_not_blamed_on_the_clock(tuya_stage: TuyaStage) -> None:
    others = one("plug", "plug-1"), one("zz", "plug-6")

    report = tuya_stage.run(*others, wrap=lambda b: Slow(b, tuya_stage, "zz") if isinstance(b, TuyaBackend) else b)
    tuya_stage.cron(*others, rounds=2)

    assert "ClockSkewed" not in "".join(r.error for r in report.rollouts)
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.installs()["plug-1"] == 1
