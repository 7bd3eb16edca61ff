"""What an attack on the Tuya sibling found, each as a sentence that holds now."""

from __future__ import annotations

import pytest

from controller.model import Device, Gate, Outcome, Stage, Strategy, Targets, Wave
from simulator.tuya import tasks as simulated_tasks
from tests.tuya_ground import PRODUCT, TuyaGround, plugs

CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob"}


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
