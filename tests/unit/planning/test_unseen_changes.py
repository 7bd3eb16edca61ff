"""A change that the service accepts and never shows is sent three times, then held and named."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.tuya.calls import lower
from otactl.backends.tuya.config import TuyaConfig
from otactl.model import Observation, Phase, Record, Rollout, Survey, Unit, UnitPhase
from otactl.planning.assess import assess
from otactl.planning.expected_state import carried_out, steps
from otactl.planning.units import declare
from tests.support.attempts import SHAPES, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Memory, run


class Mute(Cloud):
    """A service that shows one thing of its tasks otherwise than it was set."""

    def __init__(self, **shown: object) -> None:
        super().__init__(NOW)
        self.shown: dict[str, object] | None = shown

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        seen = super().observe(rollout, known, survey)
        return msgspec.structs.replace(seen, units=tuple(self.odd(u) for u in seen.units))

    def odd(self, unit: Unit) -> Unit:
        if not self.shown:
            return unit
        fields = {**unit.fields, **{n: v for n, v in self.shown.items() if n in unit.fields}}
        members = () if "members" in self.shown else unit.members
        marks = {**unit.tags, "otactl:version": "x"} if "marks" in self.shown else unit.tags
        return msgspec.structs.replace(unit, fields=fields, members=members, tags=marks)


def drive(cloud: Cloud, journal: Memory, declared: Rollout, rounds: int = 6) -> list[str]:
    """Cron, five minutes apart; gives the reasons of the last run."""
    for _ in range(rounds):
        report = run(cloud, journal, declared)
        cloud.advance(timedelta(minutes=5))
    return [hold.reason for hold in report.rollouts[0].holds]


@pytest.mark.parametrize(
    ("shown", "operation", "reported"),
    [
        ({"fragmentIntervalMs": 9999}, "UpdateFuotaTask", "fragmentIntervalMs (shown: 9999)"),
        ({"members": ()}, "AssociateMulticastGroupWithFuotaTask", "with group:g1"),
        ({"marks": ()}, "TagResource", "tags"),
    ],
)
def test_it_is_sent_three_times_and_then_held_by_name(shown: dict[str, object], operation: str, reported: str) -> None:
    cloud, journal = Mute(**shown), Memory()

    assert drive(cloud, journal, rollout()) == ["change_is_not_shown"]

    assert cloud.sent.count(operation) == 3
    assert "StartFuotaTask" not in cloud.sent
    (condition,) = [c for c in journal.load("prod-eu", "probe").record.conditions if c.type == "Stalled"]
    assert reported in condition.message


def test_it_goes_on_as_soon_as_the_change_is_shown() -> None:
    cloud, journal = Mute(fragmentIntervalMs=9999), Memory()
    drive(cloud, journal, rollout())

    cloud.shown = None
    for _ in range(12):
        run(cloud, journal, rollout())
        cloud.advance(timedelta(hours=1))

    record = journal.load("prod-eu", "probe").record
    assert record.phase is Phase.SUCCEEDED
    assert all(not attempt.invisible_changes for attempt in record.attempts)


def test_another_value_declared_is_another_change() -> None:
    cloud, journal = Mute(fragmentIntervalMs=9999), Memory()
    drive(cloud, journal, rollout())
    base = rollout()
    assert isinstance(base.backend, FuotaConfig)

    drive(cloud, journal, rollout(backend=msgspec.structs.replace(base.backend, fragment_interval_ms=9999)))

    assert "StartFuotaTask" in cloud.sent


def test_each_task_released_is_a_change_that_is_dropped_when_it_waits_no_more() -> None:
    """Every pass another device begins to wait; all that waited before went on."""
    backend = TuyaConfig(document={"productKey": "p", "needConfirm": True, "confirmWaves": ["all"]})
    first, record = many("tuya", made(start_sent_at=NOW - timedelta(hours=1), started_by_us=True))
    declared = msgspec.structs.replace(first, backend=backend)
    unit = declare(declared, ENVIRONMENT, declared.strategy.waves[0], 1, None)
    named = {"generation": unit.generation, "unit_id": unit.unit_id}
    record = record.with_attempts(lambda _wave, attempt: msgspec.structs.replace(attempt, **named))
    shape = SHAPES["tuya"][0]
    now, sent = NOW, []
    for number in range(5):
        now += timedelta(minutes=10)
        shown = Unit(
            unit_id=unit.unit_id,
            phase=UnitPhase.RUNNING,
            vendor_id="v-1",
            fields={**shape.desired(unit)[0], "toConfirm": [f"t-{number}"]},
            members=unit.members,
            start_at=NOW - timedelta(minutes=20),
        )
        look = assess(ENVIRONMENT, declared, record, Observation(units=(shown,), image=FACTS_IMAGE), shape, (), now)
        ready = steps(look, shape, lower)
        sent += [call.parameters["TaskId"] for step in ready for call in step.calls]
        record, _ = carried_out(look, ready, shape, now)
        assert [list(a.invisible_changes) for a in record.attempts] == [[f"toConfirm of t-{number}"]]

    assert sent == [[f"t-{number}"] for number in range(5)]
