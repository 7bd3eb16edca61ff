"""The data rate the service chose for a session: read back once, compared with the plan, reported with its cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from otactl.backends.aws.client import Answer
from otactl.errors import StalledError
from otactl.model import DriftEntry, Phase, Rollout
from tests.support.fuota_stage import GROUPS, FuotaStage, declared, single_devices

READ = "GetMulticastGroupSession"
SETTLED, STEP = 180, 120


def with_fragments(size: int, interval_ms: int = 9000) -> Rollout:
    """The rollout with another fragment size: the simulated service takes the slowest rate that carries it."""
    spec = msgspec.structs.replace(declared().backend, fragment_size_bytes=size, fragment_interval_ms=interval_ms)
    return declared(backend=spec)


def on_air(fuota_stage: FuotaStage, rollout: Rollout) -> FuotaStage:
    """The first wave's session started a moment ago: starts are on whole minutes, so no fixed wait ends at one."""
    fuota_stage.run(rollout)
    fuota_stage.advance(SETTLED)
    fuota_stage.run(rollout)
    start = fuota_stage.record().attempts[0].start_at
    assert start is not None
    fuota_stage.server.world.clock.set(start + timedelta(seconds=1))
    return fuota_stage


def asked(fuota_stage: FuotaStage) -> list[object]:
    """The groups whose session was read, in order."""
    return [dict(r["parameters"])["Id"] for r in fuota_stage.server.world.requests if r["operation"] == READ]  # type: ignore[call-overload]


def rate_drift(fuota_stage: FuotaStage) -> list[DriftEntry]:
    return [e for e in fuota_stage.record().drift if e.field == "session.dataRate"]


def test_a_rate_as_planned_is_read_once_and_is_no_drift(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(112)
    on_air(fuota_stage, plan)
    for _ in range(3):
        fuota_stage.run(plan)
        fuota_stage.advance(30)

    assert asked(fuota_stage) == [GROUPS[0]]
    assert fuota_stage.record().attempts[0].data_rates == {f"group:{GROUPS[0]}": 3}
    assert rate_drift(fuota_stage) == []


def test_a_slower_rate_than_planned_is_drift_with_the_time_the_session_takes_then(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(48)
    on_air(fuota_stage, plan)
    for _ in range(3):
        fuota_stage.run(plan)
        fuota_stage.advance(30)

    assert asked(fuota_stage) == [GROUPS[0]]
    (entry,) = rate_drift(fuota_stage)
    # 64 + 20 fragments: every 9 s as declared; at data rate 0 a frame is on air 2793.5 ms, every 28 s at 10 %
    assert entry.desired == {"dataRate": 3, "sessionSeconds": 83 * 9}
    assert entry.observed == {"dataRate": 0, "sessionSeconds": 83 * 28 + 3, "groups": {GROUPS[0]: 0}}
    assert (entry.cause.value, entry.status.value, entry.open) == ("vendor", "impossible", True)


def test_a_rate_that_differs_holds_nothing_up_and_closes_with_its_session(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(48)
    on_air(fuota_stage, plan)
    for _ in range(60):
        fuota_stage.run(plan)
        fuota_stage.advance(STEP)

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert asked(fuota_stage) == list(GROUPS)
    entries = rate_drift(fuota_stage)
    assert [e.open for e in entries] == [False, False]
    assert {e.closed_by for e in entries} == {"the unit ended"}


def test_without_a_planned_rate_nothing_is_read(fuota_stage: FuotaStage) -> None:
    plan = declared(backend=msgspec.structs.replace(declared().backend, data_rate=None))
    on_air(fuota_stage, plan)
    fuota_stage.run(plan)

    assert asked(fuota_stage) == []


def test_before_the_session_nothing_is_read(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(48)
    fuota_stage.run(plan)
    fuota_stage.advance(SETTLED)
    fuota_stage.run(plan)

    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"
    assert asked(fuota_stage) == []


def test_a_session_that_is_not_shown_yet_is_asked_for_again(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(48)
    on_air(fuota_stage, plan)
    fuota_stage.wireless.cancel_multicast_group_session(Id=GROUPS[0])  # as a read that is behind would show it
    for _ in range(2):
        fuota_stage.run(plan)
        fuota_stage.advance(60)

    assert asked(fuota_stage) == [GROUPS[0]] * 2
    assert rate_drift(fuota_stage) == []


def test_a_session_that_may_not_be_read_is_reported_and_stalls_nothing(fuota_stage: FuotaStage) -> None:
    plan = with_fragments(112)
    on_air(fuota_stage, plan)

    def refusing(service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        if operation == READ:
            raise StalledError("PermissionDenied", f"grant {service}:{operation}")
        return send()

    fuota_stage.run(plan, transport=fuota_stage.transport(around=refusing))
    (entry,) = rate_drift(fuota_stage)
    for _ in range(60):
        fuota_stage.run(plan, transport=fuota_stage.transport(around=refusing))
        fuota_stage.advance(STEP)

    assert "grant iotwireless:GetMulticastGroupSession" in str(entry.observed)
    assert fuota_stage.record().phase is Phase.SUCCEEDED


def test_a_task_for_single_devices_has_no_group_to_read(fuota_stage: FuotaStage) -> None:
    plan = single_devices(fuota_stage)
    plan = msgspec.structs.replace(plan, backend=msgspec.structs.replace(plan.backend, data_rate=3))
    on_air(fuota_stage, plan)
    fuota_stage.run(plan)

    assert fuota_stage.task()["Status"] == "In_FuotaSession"
    assert asked(fuota_stage) == []
