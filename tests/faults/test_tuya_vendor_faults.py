"""Tuya knows no names and no tokens: answers lost, requests late, lists stale, and yet never two batches."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Phase
from tests.support.tuya_stage import PLUGS, TuyaStage, plugs


def check(tuya_stage: TuyaStage) -> None:
    record = tuya_stage.record("plug")
    assert record.phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 2
    assert [(a.number, len(a.results)) for a in record.attempts] == [(1, 2), (1, 4)]
    assert tuya_stage.installs() == dict.fromkeys(PLUGS, 1)
    assert record.drift == ()
    assert record.intents == ()


READS = (
    "QueryOTAJob",
    "ListOTATaskByJob",
    "ListOTAJobByFirmware",
    "ListOTAModuleVersionsByDevice",
    "ListOTAUnfinishedTaskByDevice",
    "ListOTAFirmware",
)


READ_FAULTS = [(operation, effect) for operation in READS for effect in ("error500", "staleRead")]
READ_FAULTS += [("QueryOTAJob", "throttle"), ("ListOTATaskByJob", "timeoutBeforeCommit")]


@pytest.mark.parametrize(("operation", "effect"), READ_FAULTS)
@pytest.mark.sampled(4)
def test_a_fault_of_every_second_read_is_got_over(tuya_stage: TuyaStage, operation: str, effect: str) -> None:
    tuya_stage.advance(300)  # so that a read that is behind shows the versions its devices reported
    tuya_stage.fault(service="tuya", operation=operation, probability=0.5, seed=4, effect=effect)

    for _ in range(12):
        tuya_stage.run()
        tuya_stage.advance(40)  # within the time a stale read may be behind
        if tuya_stage.run().rollouts[0].phase == "Succeeded":
            break
        tuya_stage.advance(600)
    tuya_stage.server.world.faults.replace([])
    tuya_stage.cron(rounds=2)

    check(tuya_stage)


@pytest.mark.parametrize("late", [30, 300, 880])
def test_a_create_that_arrives_late_makes_the_only_batch(tuya_stage: TuyaStage, late: int) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "nth": 1, "effect": "late", "seconds": late}
    tuya_stage.server.world.faults.replace([rule])

    for _ in range(14):
        tuya_stage.run()
        tuya_stage.advance(200)
    tuya_stage.cron(rounds=4)

    check(tuya_stage)


def test_a_create_that_arrives_after_the_window_is_refused_and_made_again_once(tuya_stage: TuyaStage) -> None:
    rule = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob", "nth": 1, "effect": "late", "seconds": 1000}
    tuya_stage.server.world.faults.replace([rule])

    for _ in range(14):
        tuya_stage.run()
        tuya_stage.advance(200)
    tuya_stage.cron(rounds=4)

    check(tuya_stage)


def test_nothing_is_made_while_a_lost_create_may_still_arrive(tuya_stage: TuyaStage) -> None:
    tuya_stage.fault(service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutBeforeCommit")
    tuya_stage.run()
    tuya_stage.advance(840)

    report = tuya_stage.run()
    tuya_stage.advance(120)
    once = tuya_stage.run()

    assert [h.reason for h in report.rollouts[0].holds] == ["change_not_visible_yet"]
    assert [h.reason for h in once.rollouts[0].holds] == ["change_not_visible_yet"]
    assert tuya_stage.batches() == []


def test_a_lost_create_is_not_made_up_for_once_other_content_is_declared(tuya_stage: TuyaStage) -> None:
    tuya_stage.fault(service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutAfterCommit")
    tuya_stage.run()
    newer = replace(plugs(), firmware=replace(plugs().firmware, version="2.5.0"))

    for _ in range(4):
        tuya_stage.run(newer)
        tuya_stage.advance(600)

    assert len(tuya_stage.batches()) == 1  # found, and let end; the other package is not there
    assert max(tuya_stage.installs().values()) <= 1


def test_of_two_batches_that_may_be_it_none_is_taken_and_both_are_named(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**{p.replace("-", "_"): "offline" for p in PLUGS})
    tuya_stage.fault(service="tuya", operation="CreateOTAStaticUpgradeJob", nth=1, effect="timeoutAfterCommit")
    tuya_stage.run()
    tuya_stage.server.world.faults.replace([])
    (intent,) = tuya_stage.record("plug").intents
    transport = tuya_stage.transport()
    from otactl.backends.registry import backends_for

    backend = backends_for(tuya_stage.environment(), transport)["tuya"]
    backend._transport.call(intent.call.operation, intent.call.parameters, repeatable=False)

    report = tuya_stage.run()

    assert [h.reason for h in report.rollouts[0].holds] == ["lost_create_is_ambiguous"]
    assert all(str(b["jobId"]) in report.rollouts[0].holds[0].message for b in tuya_stage.batches())
    assert len(tuya_stage.batches()) == 2
