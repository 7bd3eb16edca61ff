"""What an attack on the Tuya sibling found, each as a sentence that holds now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from controller.backends import _tuya_parts
from controller.model import Device, Gate, Outcome, Phase, Stage, Strategy, Targets, Wave
from simulator.tuya import tasks as simulated_tasks
from simulator.tuya import views
from tests.tuya_ground import PLUGS, PRODUCT, TuyaGround, block, package, plugs

CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob"}


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices, so that few devices take several."""
    monkeypatch.setattr(_tuya_parts, "MOST_NAMES", 2)


def lamps(gate: TuyaGround, offline: str, count: int = 150):
    """A rollout to lamps whose tasks take two pages; one is offline."""
    names = tuple(f"lamp-{n:03}" for n in range(count))
    devices = [
        {
            "productKey": PRODUCT, "deviceName": n, "versions": {"default": "2.4.0"},
            "behaviour": "offline" if n == offline else "",
        }
        for n in names
    ]  # fmt: skip
    gate.cloud(devices=devices)
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=n) for n in names)))
    return plugs(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90)))


def shift_pages(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Let the task that waits move from the second page to the first after the first was read, in so many looks."""
    real, left = simulated_tasks.paged, [looks]

    def shifting(rows, page):
        waits = [r for r in rows if r["taskStatus"] == "QUEUED"]
        if len(waits) == 1 and left[0] > 0:
            rest = [r for r in rows if r["taskStatus"] != "QUEUED"]
            rows = rest + waits if page[0] == 1 else waits + rest
            left[0] -= page[0] == 2
        return real(rows, page)

    monkeypatch.setattr(simulated_tasks, "paged", shifting)


@pytest.mark.parametrize("looks", [1, 1000])
def test_a_wave_does_not_end_while_the_pages_of_its_tasks_hide_one_that_waits(
    gate: TuyaGround, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    declared = lamps(gate, offline="lamp-007")
    gate.run(declared)
    gate.advance(600)
    shift_pages(monkeypatch, looks)

    gate.run(declared)

    assert gate.record("plug").attempts[0].stage is Stage.RUNNING


def test_a_list_of_tasks_that_shifted_once_is_read_again_and_judged(
    gate: TuyaGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = lamps(gate, offline="")
    gate.run(declared)
    gate.advance(600)
    real, left = simulated_tasks.paged, [1]

    def shifting(rows, page):
        if page[0] == 1 and left[0]:
            left[0] = 0
            rows = list(reversed(rows))
        return real(rows, page)

    monkeypatch.setattr(simulated_tasks, "paged", shifting)

    gate.run(declared)

    results = gate.record("plug").attempts[0].results
    assert len(results) == 150
    assert {r.outcome for r in results} == {Outcome.SUCCEEDED}


def lose_the_create(gate: TuyaGround, rollout, effect: str = "timeoutBeforeCommit") -> None:
    """Send a create and get no answer to it."""
    gate.server.world.faults.replace([{**CREATE, "nth": 1, "effect": effect}])
    gate.run(rollout)
    gate.server.world.faults.replace([])


def offline(*names: str) -> dict[str, str]:
    return {name.replace("-", "_"): "offline" for name in names}


def selected(**changes: object):
    """One wave whose devices the service selects."""
    return plugs(backend=block(**changes), strategy=Strategy(waves=(Wave(name="all"),)))


def one(name: str, *devices: str, **changes: object):
    """A rollout of one wave to these devices."""
    wave = Wave(name="w", targets=Targets(devices=tuple(Device(id=d) for d in devices)))
    return replace(plugs(strategy=Strategy(waves=(wave,)), **changes), name=name)


def test_a_batch_to_another_group_is_not_taken_for_the_one_whose_answer_was_lost(gate: TuyaGround) -> None:
    gate.cloud(
        groups=[
            {"groupId": "g-1", "productKey": PRODUCT, "devices": list(PLUGS[:2])},
            {"groupId": "g-2", "productKey": PRODUCT, "devices": list(PLUGS[4:])},
        ]
    )
    declared = selected(targetSelection="GROUP", groupId="g-1")
    lose_the_create(gate, declared)
    gate.by_hand("CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="GROUP", GroupId="g-2")

    gate.cron(declared, rounds=6)

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert gate.installs()["plug-1"] == 1


def test_a_batch_to_some_of_the_devices_is_not_taken_for_the_one_whose_answer_was_lost(gate: TuyaGround) -> None:
    gate.behave(**offline(*PLUGS))
    lose_the_create(gate, plugs())
    strange = gate.by_hand(
        "CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="SPECIFIC", TargetDeviceName=["plug-1"]
    )["data"]["jobId"]
    gate.advance(120)
    gate.run()
    gate.behave()

    gate.cron(rounds=8)

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert strange not in {a.vendor_id for a in gate.record("plug").attempts}


def test_a_batch_that_shows_no_devices_yet_is_not_taken_for_the_one_whose_answer_was_lost(gate: TuyaGround) -> None:
    lose_the_create(gate, plugs())
    gate.by_hand(
        "CreateOTAStaticUpgradeJob", FirmwareId="1001", TargetSelection="SPECIFIC", TargetDeviceName=["plug-6"]
    )
    rule = {"service": "tuya", "operation": "ListOTATaskByJob", "nth": 1, "effect": "staleRead"}
    gate.server.world.faults.replace([rule])
    gate.advance(10)

    gate.run()
    gate.server.world.faults.replace([])
    unanswered = gate.record("plug")
    gate.cron(rounds=8)

    assert unanswered.attempts[0].vendor_id is None
    assert len(unanswered.intents) == 1
    assert gate.record("plug").phase is Phase.SUCCEEDED


def test_a_batch_of_another_rollout_with_the_same_package_is_not_taken_for_a_lost_one(gate: TuyaGround) -> None:
    gate.behave(**offline(*PLUGS))
    ours, theirs = one("plug", "plug-1", "plug-2"), one("zz", "plug-1")
    lose_the_create(gate, ours)
    gate.advance(60)

    gate.run(ours, theirs)
    gate.advance(120)
    gate.run(ours, theirs)

    assert gate.record("plug").attempts[0].vendor_id is None
    assert gate.record("zz").attempts[0].vendor_id is not None


def test_a_lost_batch_is_found_though_the_service_made_no_task_for_one_of_its_devices(gate: TuyaGround) -> None:
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": "plug-2", "versions": {"default": "2.3.0"}}])
    declared = one("plug", *PLUGS[:2], backend=block(srcVersions=["2.4.0"]))
    lose_the_create(gate, declared, "timeoutAfterCommit")
    gate.advance(60)

    gate.run(declared)

    assert gate.record("plug").attempts[0].vendor_id == gate.batches()[0]["jobId"]


def told_as(monkeypatch: pytest.MonkeyPatch, change) -> None:
    """Let lists of batches tell another utcCreate."""
    real = views.job_row

    def row(job, moment):
        found = real(job, moment)
        return found and {**found, "utcCreate": change(job.created_at)}

    for module in ("simulator.tuya.views", "simulator.tuya.batches"):
        monkeypatch.setattr(f"{module}.job_row", row)


TIMES = {
    "five minutes behind": lambda made: views.utc(made - timedelta(minutes=5)),
    "five minutes ahead": lambda made: views.utc(made + timedelta(minutes=5)),
    "missing": lambda _: "",
    "milliseconds": lambda _: "1786000000000",
    "without a zone": lambda _: "2026-11-21 13:00:00",
}


@pytest.mark.parametrize("told", TIMES)
@pytest.mark.parametrize("selection", ["ALL", "SPECIFIC"])
def test_a_lost_batch_is_found_whatever_time_the_gateway_says_it_was_made(
    gate: TuyaGround, monkeypatch: pytest.MonkeyPatch, told: str, selection: str
) -> None:
    told_as(monkeypatch, TIMES[told])
    gate.behave(plug_1="failsFlash")
    declared = selected(targetSelection="ALL") if selection == "ALL" else one("plug", *PLUGS[:2])

    lose_the_create(gate, declared, "timeoutAfterCommit")
    gate.cron(declared, rounds=8)

    assert len(gate.batches()) == 1
    assert len(gate.record("plug").attempts[0].results) == len(gate.batches()[0]["tasks"])


def test_a_package_deleted_while_a_create_has_no_answer_has_no_batch_to_wait_for(gate: TuyaGround) -> None:
    lose_the_create(gate, plugs())
    gate.by_hand("DeleteOTAFirmware", FirmwareId="1001")
    gate.cloud(firmwares=[package(firmwareId="1005")])

    gate.cron(rounds=12)

    assert gate.record("plug").phase is Phase.SUCCEEDED


def test_of_two_batches_that_may_be_it_the_one_that_was_not_canceled_is_taken(gate: TuyaGround) -> None:
    gate.behave(**offline(*PLUGS))
    declared = plugs(backend=block(needConfirm=True))
    lose_the_create(gate, declared, "timeoutAfterCommit")
    asked = dict(gate.record("plug").intents[0].call.parameters)
    gate.by_hand("CreateOTAStaticUpgradeJob", **{**asked, "NeedConfirm": "true"})
    (mine, other) = [b["jobId"] for b in gate.batches()]
    held = gate.run(declared)
    gate.by_hand("CancelOTATaskByJob", JobId=other, CancelQueuedTask=True, CancelUnconfirmedTask=True)
    gate.advance(130)

    gate.run(declared)

    assert [h.reason for h in held.rollouts[0].holds] == ["lost_create_is_ambiguous"]
    assert gate.record("plug").attempts[0].vendor_id == mine


def test_a_group_that_is_not_there_is_told_as_that_and_nothing_is_waited_for(gate: TuyaGround) -> None:
    declared = selected(targetSelection="GROUP", groupId="nope")

    errors = [gate.run(declared).rollouts[0].error for _ in range(2)]

    assert all(e.startswith("RequestRefused:") and "group nope does not exist" in e for e in errors)
    assert gate.record("plug").intents == ()


OTHERS = {
    "of another module": ({"module": "ble"}, "module ble and not default"),
    "of another product": ({"productKey": "zzz"}, f"product zzz and not {PRODUCT}"),
    "of another version": ({"destVersion": "9.9.9"}, "version 9.9.9 and not 2.4.1"),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("runs", ["2.4.0", "2.4.1"])
def test_a_package_named_by_its_id_that_is_another_holds_though_devices_have_the_version(
    gate: TuyaGround, other: str, runs: str
) -> None:
    changes, told = OTHERS[other]
    gate.cloud(products=[{"productKey": PRODUCT, "modules": ["ble"]}, {"productKey": "zzz"}])
    gate.cloud(firmwares=[package(firmwareId="1003", **changes)])
    devices = [{"productKey": PRODUCT, "deviceName": p, "versions": {"default": runs}} for p in PLUGS]
    gate.cloud(devices=devices)

    report = gate.cron(plugs(backend=block(firmwareId="1003")), rounds=2)

    (hold,) = report.rollouts[0].holds
    assert (hold.reason, hold.stalled) == ("image_is_unreadable", True)
    assert told in hold.message
    assert gate.batches() == []
